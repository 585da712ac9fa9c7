/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `groups` of the configuration: its syntax, the messages about errors, and the group of an SA. */
#include "cleanup.h"
#include "config.h"
#include "policy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Parses, and compares the messages. Returns NULL if the file is refused. */
static struct config *parse(const char *text, const char *expected)
{
	_cleanup_free_ char *errors = NULL;
	_cleanup_(config_report_done) struct config_report report = {0};
	struct config *config = NULL;
	int r;

	r = config_parse("f.conf", text, strlen(text), &report, &config);
	assert_int_equal(config_report_text(&report, &errors), 0);
	assert_string_equal(errors, expected);
	assert_int_equal(r, config ? 0 : -EBADMSG);
	return config;
}

static void bad(const char *text, const char *expected)
{
	assert_null(parse(text, expected));
}

static void test_values(void **state)
{
	_cleanup_(config_freep) struct config *config =
		parse("groups:\n"
		      "  - name: Branch_1.a-b\n"
		      "    match: {src: 192.0.2.0/24, mark: 0x10/0xff, direction: in}\n"
		      "    floor: 3\n"
		      "    ceiling: 3\n"
		      "  - {name: 01234567890123456789012345678901, floor: 1048576}\n",
		      "");
	const struct config_group *group = &config->groups[0];

	assert_int_equal(config->n_groups, 2);
	assert_string_equal(group->name, "Branch_1.a-b");
	assert_int_equal(group->match.source.length, 24);
	assert_int_equal(group->match.mark.value, 0x10);
	assert_int_equal(group->match.mark_mask, 0xff);
	assert_int_equal(group->match.direction, SA_DIRECTION_IN);
	assert_int_equal(group->floor, 3);
	assert_int_equal(group->ceiling, 3);
	assert_int_equal(group->line, 2);
	group++;
	assert_int_equal(strlen(group->name), 32);
	assert_false(group->match.source.set || group->match.mark.set);
	assert_int_equal(group->match.mark_mask, UINT32_MAX);
	assert_int_equal(group->floor, 1048576);
	assert_int_equal(group->ceiling, 0);
	assert_int_equal(group->line, 6);
}

static void test_none(void **state)
{
	static const char *const texts[] = {"", "groups:\n", "groups: []\n"};

	for (size_t i = 0; i < ELEMENTSOF(texts); i++) {
		_cleanup_(config_freep) struct config *config = parse(texts[i], "");

		assert_int_equal(config->n_groups, 0);
		assert_null(config_match_group(config, &(struct sa_description){}));
	}
}

static void test_names(void **state)
{
	bad("groups:\n  - floor: 1\n",
	    "f.conf:2:5: error: an entry of 'groups' has no 'name'\n"
	    "    2 |   - floor: 1\n"
	    "      |     ^\n"
	    "      = help: give it one: 'espoffloadctl explain' shows it\n");
	bad("groups: [{name: a}, {name: b}, {name: a}]\n",
	    "f.conf:1:39: error: two groups have the name 'a'\n"
	    "    1 | groups: [{name: a}, {name: b}, {name: a}]\n"
	    "      |                                       ^\n"
	    "      = help: rename one; the first one is in line 1\n"
	    /* Only a file without errors is checked for shadowed entries. */
	);
	bad("groups: [{name: \"a b\"}]\n",
	    "f.conf:1:17: error: 'name' takes a short name, not 'a b'\n"
	    "    1 | groups: [{name: \"a b\"}]\n"
	    "      |                 ^~~~~\n"
	    "      = help: up to 32 letters, digits, '.', '_' and '-'\n");
	bad("groups: [{name: \"\"}]\n",
	    "f.conf:1:17: error: 'name' takes a short name, not ''\n"
	    "    1 | groups: [{name: \"\"}]\n"
	    "      |                 ^~\n"
	    "      = help: up to 32 letters, digits, '.', '_' and '-'\n");
	bad("groups: [{name: 012345678901234567890123456789012}]\n",
	    "f.conf:1:17: error: 'name' takes a short name, not "
	    "'012345678901234567890123456789012'\n"
	    "    1 | groups: [{name: 012345678901234567890123456789012}]\n"
	    "      |                 ^~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~~\n"
	    "      = help: up to 32 letters, digits, '.', '_' and '-'\n");
	/* Two wrong names are not reported as equal, too. */
	bad("groups:\n  - {name: \"a b\"}\n  - {name: }\n  - a\n",
	    "f.conf:2:12: error: 'name' takes a short name, not 'a b'\n"
	    "    2 |   - {name: \"a b\"}\n"
	    "      |            ^~~~~\n"
	    "      = help: up to 32 letters, digits, '.', '_' and '-'\n"
	    "f.conf:3:6: error: 'name' has no value\n"
	    "    3 |   - {name: }\n"
	    "      |      ^~~~\n"
	    "      = help: give it one, or remove the key\n"
	    "f.conf:4:5: error: an entry of 'groups' must be a mapping with keys\n"
	    "    4 |   - a\n"
	    "      |     ^\n"
	    "      = help: write '- key: value', further keys in the column of the first\n");
}

static void test_numbers(void **state)
{
	bad("groups:\n  - name: a\n    floor: 3\n    ceiling: 2\n",
	    "f.conf:3:12: error: 'floor' 3 is above 'ceiling' 2\n"
	    "    3 |     floor: 3\n"
	    "      |            ^\n"
	    "      = help: 'floor' slots are promised to the group, 'ceiling' is the most it "
	    "gets\n");
	bad("groups: [{name: a, ceiling: 0}]\n",
	    "f.conf:1:29: error: 'ceiling' is out of range: '0'\n"
	    "    1 | groups: [{name: a, ceiling: 0}]\n"
	    "      |                             ^\n"
	    "      = help: 1 to 1048576\n");
	bad("groups: [{name: a, floor: -1}]\n",
	    "f.conf:1:27: error: 'floor' takes a whole number, not '-1'\n"
	    "    1 | groups: [{name: a, floor: -1}]\n"
	    "      |                           ^~\n"
	    "      = help: write it in decimal, without zeros before it, or as 0x1f\n");
	bad("groups: [{name: a, floor: 1048577}]\n",
	    "f.conf:1:27: error: 'floor' is out of range: '1048577'\n"
	    "    1 | groups: [{name: a, floor: 1048577}]\n"
	    "      |                           ^~~~~~~\n"
	    "      = help: 0 to 1048576\n");
}

static void test_keys(void **state)
{
	bad("groups: [{name: a, cieling: 1}]\n",
	    "f.conf:1:20: error: unknown key 'cieling' in an entry of 'groups'\n"
	    "    1 | groups: [{name: a, cieling: 1}]\n"
	    "      |                    ^~~~~~~\n"
	    "      = help: did you mean 'ceiling'?\n");
	bad("groups: [{name: a, match: {driver: ixgbe}}]\n",
	    "f.conf:1:28: error: unknown key 'driver' in 'match' of an entry of 'groups'\n"
	    "    1 | groups: [{name: a, match: {driver: ixgbe}}]\n"
	    "      |                            ^~~~~~\n"
	    "      = help: the keys here are: src, dst, reqid, if_id, mark, direction\n");
	bad("groups: {name: a}\n", "f.conf:1:9: error: 'groups' takes a list, not a mapping\n"
				   "    1 | groups: {name: a}\n"
				   "      |         ^\n"
				   "      = help: begin each entry with '- '\n");
	bad("groups: [{name: a, match: {mark: 0x110/0xff}}]\n",
	    "f.conf:1:34: error: 'mark' can never match: 0x100 is outside of the mask 0xff\n"
	    "    1 | groups: [{name: a, match: {mark: 0x110/0xff}}]\n"
	    "      |                                  ^~~~~~~~~~\n"
	    "      = help: an SA's mark is masked before it is compared: did you mean "
	    "0x10/0xff?\n");
	bad("groups: [{name: a, match: {src: 192.0.2.1, dst: \"::1\"}}]\n",
	    "f.conf:1:49: error: 'src' is IPv4 and 'dst' is IPv6: no SA is both\n"
	    "    1 | groups: [{name: a, match: {src: 192.0.2.1, dst: \"::1\"}}]\n"
	    "      |                                                 ^~~~~\n"
	    "      = help: these are the addresses of the gateways, not of the networks behind "
	    "them\n");
}

static void test_too_many(void **state)
{
	char text[64 * (POLICY_GROUPS_MAX + 2)] = "groups:\n";

	for (unsigned i = 0; i < POLICY_GROUPS_MAX; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text),
			       "  - {name: g%u, match: {reqid: %u}}\n", i, i);
	config_free(parse(text, ""));
	(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "  - {name: one-more}\n");
	bad(text, "f.conf:2:3: error: 'groups' has 65 entries, at most 64 can be used\n"
		  "    2 |   - {name: g0, match: {reqid: 0}}\n"
		  "      |   ^\n"
		  "      = help: match more with one entry\n");
}

static void test_unreachable(void **state)
{
	config_free(parse("groups:\n"
			  "  - {name: a, match: {dst: 10.0.0.0/8}, ceiling: 1}\n"
			  "  - {name: b, match: {dst: 10.1.0.0/16}, ceiling: 2}\n",
			  "f.conf:3:5: warning: this entry is never used\n"
			  "    3 |   - {name: b, match: {dst: 10.1.0.0/16}, ceiling: 2}\n"
			  "      |     ^\n"
			  "      = help: the one in line 2 matches first\n"));
}

static const char *group_of(const struct config *config, const struct sa_description *sa)
{
	const struct config_group *group = config_match_group(config, sa);

	return group ? group->name : "";
}

/* The first matching group, independent of the matching rule. */
static void test_matching(void **state)
{
	_cleanup_(config_freep) struct config *config =
		parse("rules:\n"
		      "  - {match: {reqid: 7}, offload: always}\n"
		      "groups:\n"
		      "  - {name: in, match: {dst: 198.51.100.0/24, direction: in}}\n"
		      "  - {name: site, match: {dst: 198.51.100.0/24}}\n"
		      "  - {name: marked, match: {mark: 0x10/0xf0}}\n"
		      "  - {name: interface, match: {if_id: 42, reqid: 7}}\n",
		      "");
	struct sa_description sa = {.id.family = AF_INET, .direction = SA_DIRECTION_OUT};

	assert_string_equal(group_of(config, &sa), "");
	sa.if_id = 42;
	assert_string_equal(group_of(config, &sa), "");
	sa.reqid = 7;
	assert_string_equal(group_of(config, &sa), "interface");
	assert_int_equal(config_match_rule(config, &sa)->offload, CONFIG_OFFLOAD_ALWAYS);
	sa.id.mark_value = 0x215;
	assert_string_equal(group_of(config, &sa), "marked");
	assert_int_equal(inet_pton(AF_INET, "198.51.100.9", sa.id.destination.bytes), 1);
	assert_string_equal(group_of(config, &sa), "site");
	sa.direction = SA_DIRECTION_IN;
	assert_string_equal(group_of(config, &sa), "in");
	assert_null(config_match_group(config, NULL));
	sa.id.family = AF_INET6;
	assert_string_equal(group_of(config, &sa), "marked");
}

static void test_unknown_sa(void **state)
{
	_cleanup_(config_freep) struct config *config =
		parse("groups: [{name: zero, match: {reqid: 0}}, {name: rest}]\n", "");

	assert_string_equal(config_match_group(config, NULL)->name, "rest");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),     cmocka_unit_test(test_none),
		cmocka_unit_test(test_names),      cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_keys),       cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_matching),   cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_unknown_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
