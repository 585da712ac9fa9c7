// SPDX-License-Identifier: GPL-2.0-or-later
/* The warnings about a configuration that is valid but cannot have its full effect. */
#include "cleanup.h"
#include "config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void warned(const char *text, const char *expected)
{
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *errors = NULL;
	_cleanup_(config_report_done) struct config_report report = {0};

	assert_int_equal(config_parse("f.conf", text, strlen(text), &report, &config), 0);
	assert_int_equal(config_report_text(&report, &errors), 0);
	assert_string_equal(errors, expected);
}

#define NIC_OF(entry) "nics: [{match: {name: eth0}, " entry "}]\n"
#define GOOD_NIC NIC_OF("allow: true, trusted: true")

static void test_enforce_warnings(void **state)
{
	static const char warning[] =
		"f.conf:1:7: warning: 'enforce' moves no SA into any NIC\n"
		"    1 | mode: enforce\n"
		"      |       ^~~~~~~\n"
		"      = help: no entry of 'nics' has both 'allow: true' and 'trusted: true'\n";

	warned("mode: enforce\n", warning);
	warned("mode: enforce\n" NIC_OF("allow: true"), warning);
	warned("mode: enforce\n" NIC_OF("trusted: true"), warning);
	warned("mode: enforce\n" GOOD_NIC, "");
	warned("mode: observe\n" NIC_OF("allow: true"), "");
}

static void test_rule_warnings(void **state)
{
	static const char warning[] =
		"f.conf:2:15: warning: the SAs of this rule stay in software: 'eth1' may hold "
		"none\n"
		"    2 | rules: [{nic: eth1}]\n"
		"      |               ^~~~\n"
		"      = help: the entry of 'nics' that matches it needs both 'allow: true' and "
		"'trusted: true'\n";
	static const char rule[] = "\nrules: [{nic: eth1}]\n";
	static const struct {
		const char *nics;
		bool warns;
	} cases[] = {
		{"nics: [{match: {name: eth0}, allow: true, trusted: true}]", true},
		{"nics: [{match: {name: eth1}, allow: true}]", true},
		{"nics: [{match: {name: eth1}}, {allow: true, trusted: true}]", true},
		{"nics: [{match: {name: 'eth[2-9]', driver: a}, allow: true, trusted: true}]",
		 true},
		{"nics: [{match: {name: 'eth*'}, allow: true, trusted: true}]", false},
		{"nics: [{match: {driver: ixgbe}, allow: true, trusted: true}]", false},
		{"nics: [{match: {driver: a}}, {allow: true, trusted: true}]", false},
		{"nics: [{allow: true, trusted: true}]", false},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_free_ char *text = NULL;

		assert_true(asprintf(&text, "%s%s", cases[i].nics, rule) > 0);
		warned(text, cases[i].warns ? warning : "");
	}
	/* `never` needs no NIC. */
	warned("rules: [{nic: eth1, offload: never}]\n", "");
}

static void test_floor_warnings(void **state)
{
	warned(NIC_OF("allow: true, trusted: true, capacity: 8") "groups: [{name: a, floor: 9}]\n",
	       "f.conf:2:27: warning: 'floor' 9 is above the capacity\n"
	       "    2 | groups: [{name: a, floor: 9}]\n"
	       "      |                           ^\n"
	       "      = help: a table of the NICs of the entry in line 1 has 8 slots\n");
	warned(NIC_OF("allow: true, trusted: true, capacity: {in: 9, out: 6}") "groups:\n"
									       "  - {name: a, "
									       "floor: 4, match: "
									       "{reqid: 1}}\n"
									       "  - {name: b, "
									       "floor: 3, match: "
									       "{reqid: 2}}\n"
									       "  - {name: c, "
									       "floor: 1}\n",
	       "f.conf:4:22: warning: with this 'floor' all groups are promised 7 slots, more than "
	       "the capacity\n"
	       "    4 |   - {name: b, floor: 3, match: {reqid: 2}}\n"
	       "      |                      ^\n"
	       "      = help: a table of the NICs of the entry in line 1 has 6 slots\n");
	warned(NIC_OF("allow: true, capacity: 8") "groups: [{name: a, floor: 9}]\n", "");
	warned(GOOD_NIC "groups: [{name: a, floor: 9}]\n", "");
	warned(NIC_OF("allow: true, trusted: true, capacity: {in: 8, out: 0}") "groups: [{name: a, "
									       "floor: 8}]\n",
	       "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enforce_warnings),
		cmocka_unit_test(test_rule_warnings),
		cmocka_unit_test(test_floor_warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
