/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The syntax of the configuration file, and the messages about errors in it. */
#include "cleanup.h"
#include "config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Parses, and keeps the messages. */
static int parse(const char *text, size_t size, char **ret_errors, struct config **ret_config)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	int r;

	r = config_parse("f.conf", text, size, &report, ret_config);
	assert_int_equal(config_report_text(&report, ret_errors), 0);
	return r;
}

static struct config *good(const char *text)
{
	_cleanup_free_ char *errors = NULL;
	struct config *config = NULL;
	int r = parse(text, strlen(text), &errors, &config);

	assert_string_equal(errors, "");
	assert_int_equal(r, 0);
	return config;
}

static void bad_bytes(const char *text, size_t size, const char *expected)
{
	_cleanup_free_ char *errors = NULL;
	struct config *config = (struct config *)8; /* must stay unchanged */

	assert_int_equal(parse(text, size, &errors, &config), -EBADMSG);
	assert_string_equal(errors, expected);
	assert_ptr_equal(config, (struct config *)8);
}

static void bad(const char *text, const char *expected)
{
	bad_bytes(text, strlen(text), expected);
}

static void test_default(void **state)
{
	static const char *const empty[] = {"",
					    "\n\n",
					    "# nothing\n",
					    "---\n",
					    "\xef\xbb\xbf",
					    "nics:\nrules:\n",
					    "version: 1\n",
					    "nics: []"};

	for (size_t i = 0; i < ELEMENTSOF(empty); i++) {
		_cleanup_(config_freep) struct config *config = good(empty[i]);

		assert_int_equal(config->mode, CONFIG_MODE_OBSERVE);
		assert_true(config->interval == 1);
		assert_true(config->moves_per_second == 4);
		assert_true(config->moves_burst == 4);
		assert_true(config->retry_refused == 60);
		assert_int_equal(config->n_nics, 0);
		assert_int_equal(config->n_rules, 0);
		assert_string_equal(config->files[0], "f.conf");
	}
}

static void test_nics(void **state)
{
	_cleanup_(config_freep) struct config *config =
		good("nics:\r\n"
		     "  - match:\r\n"
		     "      name: \"enp*\"\r\n"
		     "      driver: ixgbe\r\n"
		     "      pci: 0000:3B:00.0\r\n"
		     "      mac: 02:00:5E:10:00:01\r\n"
		     "    allow: true\r\n"
		     "    trusted: true\r\n"
		     "    fips: true\r\n"
		     "    capacity: {in: 1024, out: 0x200}\r\n"
		     "    max-rate: 10Gbit/s\r\n"
		     "  - capacity: 33\r\n"
		     "    trusted: true\r\n");
	const struct config_nic *nic = &config->nics[0];

	assert_int_equal(config->n_nics, 2);
	assert_string_equal(nic->name, "enp*");
	assert_string_equal(nic->driver, "ixgbe");
	assert_string_equal(nic->pci, "0000:3b:00.0");
	assert_string_equal(nic->mac, "02:00:5e:10:00:01");
	assert_true(nic->allow && nic->trusted && nic->fips);
	assert_true(nic->capacity.set && !nic->capacity.shared);
	assert_int_equal(nic->capacity.in, 1024);
	assert_int_equal(nic->capacity.out, 512);
	assert_true(nic->max_rate == 1.25e9);
	assert_int_equal(nic->line, 2);
	nic++;
	assert_null(nic->name);
	assert_true(!nic->allow && nic->trusted && !nic->fips);
	assert_true(nic->capacity.set && nic->capacity.shared);
	assert_int_equal(nic->capacity.in, 33);
	assert_true(nic->max_rate == 0);
	assert_int_equal(nic->line, 12);
}

static void test_rules(void **state)
{
	_cleanup_(config_freep) struct config *config =
		good("mode: enforce\n"
		     "interval: 250ms\n"
		     "moves-per-second: 0.5\n"
		     "retry-refused: 2min\n"
		     "rules:\n"
		     "  - match: {src: 192.0.2.0/24, dst: 198.51.100.1, reqid: 4294967295,\n"
		     "            if_id: 0x10, mark: 0x10/0xff, direction: in}\n"
		     "    offload: always\n"
		     "    weight: 0.001\n"
		     "    nic: eth0\n"
		     "  - min-rate: 10 Mbit/s\n"
		     "nics: [{match: {name: eth0}, allow: true, trusted: true}]\n");
	const struct config_rule *rule = &config->rules[0];

	assert_int_equal(config->mode, CONFIG_MODE_ENFORCE);
	assert_true(config->interval == 0.25);
	assert_true(config->moves_per_second == 0.5);
	assert_true(config->moves_burst == 1);
	assert_true(config->retry_refused == 120);
	assert_int_equal(config->n_rules, 2);
	assert_int_equal(rule->match.source.length, 24);
	assert_int_equal(rule->match.destination.length, 32);
	assert_int_equal(rule->match.reqid.value, UINT32_MAX);
	assert_int_equal(rule->match.if_id.value, 16);
	assert_int_equal(rule->match.mark.value, 0x10);
	assert_int_equal(rule->match.mark_mask, 0xff);
	assert_int_equal(rule->match.direction, SA_DIRECTION_IN);
	assert_int_equal(rule->offload, CONFIG_OFFLOAD_ALWAYS);
	assert_true(rule->weight == 0.001);
	assert_string_equal(rule->nic, "eth0");
	assert_int_equal(rule->line, 6);
	rule++;
	assert_false(rule->match.source.set || rule->match.reqid.set || rule->match.if_id.set ||
		     rule->match.mark.set);
	assert_int_equal(rule->match.mark_mask, UINT32_MAX);
	assert_int_equal(rule->offload, CONFIG_OFFLOAD_AUTO);
	assert_true(rule->weight == 1);
	assert_true(rule->min_rate == 1250000);
	assert_null(rule->nic);
}

static void test_keys(void **state)
{
	bad("moves-per-secnd: 3\n",
	    "f.conf:1:1: error: unknown key 'moves-per-secnd' in the configuration\n"
	    "    1 | moves-per-secnd: 3\n"
	    "      | ^~~~~~~~~~~~~~~\n"
	    "      = help: did you mean 'moves-per-second'?\n");
	bad("nics:\n  - colour: red\n",
	    "f.conf:2:5: error: unknown key 'colour' in an entry of 'nics'\n"
	    "    2 |   - colour: red\n"
	    "      |     ^~~~~~\n"
	    "      = help: the keys here are: match, allow, trusted, fips, "
	    "capacity, max-rate\n");
	bad("rules:\n  - weight: 1\n    offload: auto\n    weight: 2\n",
	    "f.conf:4:5: error: 'weight' is given twice\n"
	    "    4 |     weight: 2\n"
	    "      |     ^~~~~~\n"
	    "      = help: the first one is in line 2\n");
	bad("interval:\n", "f.conf:1:1: error: 'interval' has no value\n"
			   "    1 | interval:\n"
			   "      | ^~~~~~~~\n"
			   "      = help: give it one, or remove the key\n");
	bad("? [a]\n: b\n", "f.conf:1:3: error: a key must be a word\n"
			    "    1 | ? [a]\n"
			    "      |   ^\n"
			    "      = help: write 'key: value'\n");
	/* A `match` whose lines are all commented out must not match everything. */
	bad("rules:\n  - match:\n    offload: always\n",
	    "f.conf:2:5: error: 'match' has no value\n"
	    "    2 |   - match:\n"
	    "      |     ^~~~~\n"
	    "      = help: give it one, or remove the key\n");
	bad("rules: [{match: {}}]\n", "f.conf:1:17: error: 'match' is empty\n"
				      "    1 | rules: [{match: {}}]\n"
				      "      |                 ^\n"
				      "      = help: leave out 'match' to match everything\n");
}

static void test_types(void **state)
{
	bad("mode: [observe]\n", "f.conf:1:7: error: 'mode' takes observe or enforce, not a list\n"
				 "    1 | mode: [observe]\n"
				 "      |       ^\n"
				 "      = help: write 'mode: value'\n");
	bad("nics: eth0\n", "f.conf:1:7: error: 'nics' takes a list, not 'eth0'\n"
			    "    1 | nics: eth0\n"
			    "      |       ^~~~\n"
			    "      = help: begin each entry with '- '\n");
	bad("rules:\n  - never\n",
	    "f.conf:2:5: error: an entry of 'rules' must be a mapping with keys\n"
	    "    2 |   - never\n"
	    "      |     ^~~~~\n"
	    "      = help: write '- key: value', further keys in the column of "
	    "the first\n");
	bad("rules:\n  - match: reqid\n",
	    "f.conf:2:12: error: 'match' takes a mapping, not 'reqid'\n"
	    "    2 |   - match: reqid\n"
	    "      |            ^~~~~\n"
	    "      = help: write its keys indented on the lines below\n");
	bad("nics: [{allow: \"true\"}]\n",
	    "f.conf:1:16: error: 'allow' takes true or false, not text in quotes\n"
	    "    1 | nics: [{allow: \"true\"}]\n"
	    "      |                ^~~~~~\n"
	    "      = help: remove the quotes\n");
	bad("nics: [{allow: yes}]\n", "f.conf:1:16: error: 'allow' takes true or false, not 'yes'\n"
				      "    1 | nics: [{allow: yes}]\n"
				      "      |                ^~~\n"
				      "      = help: write true or false, in lower case\n");
	bad("mode: enforced\n",
	    "f.conf:1:7: error: 'mode' takes observe or enforce, not 'enforced'\n"
	    "    1 | mode: enforced\n"
	    "      |       ^~~~~~~~\n"
	    "      = help: did you mean 'enforce'?\n");
	bad("version: 2\n", "f.conf:1:10: error: 'version' takes 1, not '2'\n"
			    "    1 | version: 2\n"
			    "      |          ^\n"
			    "      = help: this espoffloadd knows version 1 of the file only\n");
	bad("- mode\n", "f.conf:1:1: error: the file must be a mapping\n"
			"    1 | - mode\n"
			"      | ^\n"
			"      = help: write 'key: value', as espoffloadd.conf(5) shows\n");
}

static void test_values(void **state)
{
	bad("interval: 99ms\n", "f.conf:1:11: error: 'interval' is out of range: '99ms'\n"
				"    1 | interval: 99ms\n"
				"      |           ^~~~\n"
				"      = help: 100 ms to 1 min\n");
	bad("interval: 2\n", "f.conf:1:11: error: 'interval' takes a time with its unit, not '2'\n"
			     "    1 | interval: 2\n"
			     "      |           ^\n"
			     "      = help: write it like 250ms; the units are ms, s, min, h\n");
	bad("moves-per-second: 0\n", "f.conf:1:19: error: 'moves-per-second' is out of range: '0'\n"
				     "    1 | moves-per-second: 0\n"
				     "      |                   ^\n"
				     "      = help: 0.1 to 1000\n");
	bad("nics: [{capacity: 1048577}]\n",
	    "f.conf:1:19: error: 'capacity' is out of range: '1048577'\n"
	    "    1 | nics: [{capacity: 1048577}]\n"
	    "      |                   ^~~~~~~\n"
	    "      = help: 0 to 1048576\n");
	bad("nics: [{max-rate: 0bit/s}]\n",
	    "f.conf:1:19: error: 'max-rate' is out of range: '0bit/s'\n"
	    "    1 | nics: [{max-rate: 0bit/s}]\n"
	    "      |                   ^~~~~~\n"
	    "      = help: 1.0 kbit/s to 10.0 Tbit/s\n");
	bad("nics: [{capacity: {in: 5}}]\n",
	    "f.conf:1:19: error: 'capacity' has no 'out'\n"
	    "    1 | nics: [{capacity: {in: 5}}]\n"
	    "      |                   ^\n"
	    "      = help: give both 'in' and 'out', or one number if they share slots\n");
	bad("rules: [{match: {reqid: 010}}]\n",
	    "f.conf:1:25: error: 'reqid' takes a whole number, not '010'\n"
	    "    1 | rules: [{match: {reqid: 010}}]\n"
	    "      |                         ^~~\n"
	    "      = help: write it in decimal, without zeros before it, or as 0x1f\n");
	bad("rules: [{match: {reqid: 4294967296}}]\n",
	    "f.conf:1:25: error: 'reqid' is out of range: '4294967296'\n"
	    "    1 | rules: [{match: {reqid: 4294967296}}]\n"
	    "      |                         ^~~~~~~~~~\n"
	    "      = help: 0 to 4294967295\n");
	bad("rules: [{nic: eth0/1}]\n",
	    "f.conf:1:15: error: 'nic' takes the name of an interface, not 'eth0/1'\n"
	    "    1 | rules: [{nic: eth0/1}]\n"
	    "      |               ^~~~~~\n"
	    "      = help: up to 15 characters without space, '/' and ':'\n");
	bad("nics: [{match: {name: \"eth[0\"}}]\n",
	    "f.conf:1:23: error: 'name' takes the name of an interface or a pattern, not 'eth[0'\n"
	    "    1 | nics: [{match: {name: \"eth[0\"}}]\n"
	    "      |                       ^~~~~~~\n"
	    "      = help: write it like eth0, enp*s0 or \"*\"\n");
	bad("rules: [{min-rate: 10Mbit}]\n",
	    "f.conf:1:20: error: 'min-rate' takes a rate with its unit, not '10Mbit'\n"
	    "    1 | rules: [{min-rate: 10Mbit}]\n"
	    "      |                    ^~~~~~\n"
	    "      = help: write it like 10Mbit/s; the units are bit/s, kbit/s, Mbit/s, Gbit/s, "
	    "Tbit/s, B/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s\n");
	bad("mode: \"a\\0b\"\n", "f.conf:1:7: error: 'mode' contains a NUL byte\n"
				 "    1 | mode: \"a\\0b\"\n"
				 "      |       ^~~~~~\n"
				 "      = help: remove the \\0\n");
}

static void test_contradictions(void **state)
{
	bad("rules: [{match: {src: 10.0.0.1/8}}]\n",
	    "f.conf:1:23: error: 'src' has bits set after the first 8\n"
	    "    1 | rules: [{match: {src: 10.0.0.1/8}}]\n"
	    "      |                       ^~~~~~~~~~\n"
	    "      = help: 10.0.0.0/8 for the network, 10.0.0.1 for the one address\n");
	bad("rules: [{match: {dst: 10.0.0.0/33}}]\n",
	    "f.conf:1:23: error: 'dst' takes an address or a prefix, not '10.0.0.0/33'\n"
	    "    1 | rules: [{match: {dst: 10.0.0.0/33}}]\n"
	    "      |                       ^~~~~~~~~~~\n"
	    "      = help: write it like 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32\n");
	bad("rules:\n  - match:\n      src: 192.0.2.1\n      dst: 2001:db8::1\n",
	    "f.conf:4:12: error: 'src' is IPv4 and 'dst' is IPv6: no SA is both\n"
	    "    4 |       dst: 2001:db8::1\n"
	    "      |            ^~~~~~~~~~~\n"
	    "      = help: these are the addresses of the gateways, not of the networks behind "
	    "them\n");
	bad("rules: [{match: {mark: 0x110/0xff}}]\n",
	    "f.conf:1:24: error: 'mark' can never match: 0x100 is outside of the mask 0xff\n"
	    "    1 | rules: [{match: {mark: 0x110/0xff}}]\n"
	    "      |                        ^~~~~~~~~~\n"
	    "      = help: an SA's mark is masked before it is compared: did you mean "
	    "0x10/0xff?\n");
	bad("rules:\n  - offload: never\n    min-rate: 1Mbit/s\n",
	    "f.conf:3:15: error: 'min-rate' has no effect with 'offload: never'\n"
	    "    3 |     min-rate: 1Mbit/s\n"
	    "      |               ^~~~~~~\n"
	    "      = help: remove 'min-rate', or write 'offload: auto'\n");
	bad("rules: [{offload: always, leave-software-driver: qat*}]\n",
	    "f.conf:1:50: error: 'leave-software-driver' has no effect with 'offload: always'\n"
	    "    1 | rules: [{offload: always, leave-software-driver: qat*}]\n"
	    "      |                                                  ^~~~\n"
	    "      = help: remove 'leave-software-driver', or write 'offload: auto'\n");
	bad("rules: [{offload: never, on-reject: retry}]\n",
	    "f.conf:1:37: error: 'on-reject' has no effect with 'offload: never'\n"
	    "    1 | rules: [{offload: never, on-reject: retry}]\n"
	    "      |                                     ^~~~~\n"
	    "      = help: remove 'on-reject', or write 'offload: auto'\n");
}

static void test_warnings(void **state)
{
	static const char text[] = "nics:\n"
				   "  - {match: {driver: ixgbe}, allow: true}\n"
				   "  - {match: {driver: ixgbe, name: eth0}, allow: true}\n"
				   "rules:\n"
				   "  - match: {src: 10.0.0.0/8, mark: 0/1}\n"
				   "  - match: {src: 10.1.0.0/16, mark: 0/3}\n"
				   "  - match: {src: 10.1.0.0/16}\n";
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *errors = NULL;

	assert_int_equal(parse(text, strlen(text), &errors, &config), 0);
	assert_string_equal(errors,
			    "f.conf:3:5: warning: this entry is never used\n"
			    "    3 |   - {match: {driver: ixgbe, name: eth0}, allow: true}\n"
			    "      |     ^\n"
			    "      = help: the one in line 2 matches first\n"
			    "f.conf:6:5: warning: this entry is never used\n"
			    "    6 |   - match: {src: 10.1.0.0/16, mark: 0/3}\n"
			    "      |     ^\n"
			    "      = help: the one in line 5 matches first\n");
	assert_int_equal(config->n_rules, 3);
}

static void test_syntax(void **state)
{
	bad("mode: observe\n\tinterval: 1s\n",
	    "f.conf:2:1: error: a tab in the indentation\n"
	    "    2 |         interval: 1s\n"
	    "      | ^~~~~~~~\n"
	    "      = help: YAML is indented with spaces, never with tabs\n");
	bad("mode: \"observe\n", "f.conf:1:7: error: a quote that is never closed\n"
				 "    1 | mode: \"observe\n"
				 "      |       ^\n"
				 "      = help: close it with the same quote\n");
	bad("mode: observe: 1\n",
	    "f.conf:1:14: error: a ':' where no key is allowed\n"
	    "    1 | mode: observe: 1\n"
	    "      |              ^\n"
	    "      = help: one key on each line, all keys of a mapping in the "
	    "same column; a value with ': ' in it needs quotes\n");
	bad("nics:\n  - allow: true\n   trusted: true\n",
	    "f.conf:3:4: error: not an entry of the list above\n"
	    "    3 |    trusted: true\n"
	    "      |    ^\n"
	    "      = help: all entries of a list begin with '- ' in the same column, and all keys "
	    "of "
	    "an entry in the column of the first\n");
	bad("nics: [{match: {name: *}}]\n",
	    "f.conf:1:23: error: did not find expected alphabetic or numeric character while "
	    "scanning an alias\n"
	    "    1 | nics: [{match: {name: *}}]\n"
	    "      |                       ^\n"
	    "      = help: a value that begins with '*' or '&' needs quotes: \"*\"\n");
}

static void test_structure(void **state)
{
	bad("mode: &a observe\ninterval: !!str 1s\nnics: *a\n",
	    "f.conf:1:7: error: an anchor ('&')\n"
	    "    1 | mode: &a observe\n"
	    "      |       ^\n"
	    "      = help: anchors are not used here; a value that begins with '&' needs quotes\n"
	    "f.conf:2:11: error: a tag ('!')\n"
	    "    2 | interval: !!str 1s\n"
	    "      |           ^\n"
	    "      = help: tags are not used here; a value that begins with '!' needs quotes\n"
	    "f.conf:3:7: error: an alias ('*')\n"
	    "    3 | nics: *a\n"
	    "      |       ^\n"
	    "      = help: aliases are not used here; a pattern that begins with '*' needs "
	    "quotes\n");
	bad("mode: observe\n---\nmode: enforce\n",
	    "f.conf:2:1: error: a second document\n"
	    "    2 | ---\n"
	    "      | ^\n"
	    "      = help: one file holds one configuration: remove the '---' and what follows\n");
	bad("%YAML 1.1\n---\n", "f.conf:1:1: error: a YAML directive\n"
				"    1 | %YAML 1.1\n"
				"      | ^\n"
				"      = help: remove it (U+0025): the file is plain UTF-8 text\n");
	bad("[[[[[[[[[[[[[[[[[[[[\n", "f.conf:1:17: error: nested too deeply\n"
				      "    1 | [[[[[[[[[[[[[[[[[[[[\n"
				      "      |                 ^\n"
				      "      = help: nothing here nests that deep\n");
}

static void test_bytes(void **state)
{
	bad("mode: obs\xe9rve\n", "f.conf:1:10: error: not UTF-8: byte 0xe9\n"
				  "    1 | mode: obs?rve\n"
				  "      |          ^\n"
				  "      = help: save the file as UTF-8\n");
	bad("mode: \x1b[2J\n", "f.conf:1:7: error: a control character\n"
			       "    1 | mode: ?[2J\n"
			       "      |       ^\n"
			       "      = help: remove it (U+001B): the file is plain UTF-8 text\n");
	bad_bytes("mode: a\0b\n", 10,
		  "f.conf:1:8: error: a NUL byte\n"
		  "    1 | mode: a?b\n"
		  "      |        ^\n"
		  "      = help: remove it (U+0000): the file is plain UTF-8 text\n");
	bad("mode: observe\rinterval: 1s\n",
	    "f.conf:1:14: error: a carriage return that ends no line\n"
	    "    1 | mode: observe?interval: 1s\n"
	    "      |              ^\n"
	    "      = help: remove it (U+000D): the file is plain UTF-8 text\n");
	/* A right-to-left override would display the line in another order. */
	bad("mode: \xe2\x80\xae observe\n",
	    "f.conf:1:7: error: 'mode' takes observe or enforce, not '? observe'\n"
	    "    1 | mode: ? observe\n"
	    "      |       ^~~~~~~~~\n"
	    "      = help: did you mean 'observe'?\n");
}

/* The caret has the right column after tabs and wide characters, and in the shown part of a long
 * line. */
static void test_caret(void **state)
{
	bad("interval:\t1 # x\n",
	    "f.conf:1:11: error: 'interval' takes a time with its unit, not '1'\n"
	    "    1 | interval:       1 # x\n"
	    "      |                 ^\n"
	    "      = help: write it like 250ms; the units are ms, s, min, h\n");
	bad("{\"\xe6\x97\xa5\xe6\x9c\xac\": 1, mod: 2}\n",
	    "f.conf:1:2: error: unknown key '\xe6\x97\xa5\xe6\x9c\xac' in the configuration\n"
	    "    1 | {\"\xe6\x97\xa5\xe6\x9c\xac\": 1, mod: 2}\n"
	    "      |  ^~~~~~\n"
	    "      = help: the keys here are: version, mode, interval, moves-per-second, "
	    "moves-burst, retry-refused, on-link-down, rank-by, nics, rules, groups\n"
	    "f.conf:1:11: error: unknown key 'mod' in the configuration\n"
	    "    1 | {\"\xe6\x97\xa5\xe6\x9c\xac\": 1, mod: 2}\n"
	    "      |             ^~~\n"
	    "      = help: did you mean 'mode'?\n");
	bad("rules: [{nic: eth0}, {nic: eth1}, {nic: eth2}, {nic: eth3}, {nic: eth4}, {nic: "
	    "ethernet-number-five}, {nic: eth6}, {nic: eth7}, {nic: eth8}]\n",
	    "f.conf:1:80: error: 'nic' takes the name of an interface, not "
	    "'ethernet-number-five'\n"
	    "    1 | ... eth2}, {nic: eth3}, {nic: eth4}, {nic: ethernet-number-five}, {nic: "
	    "eth6}, {nic: eth7}, {nic: eth8}...\n"
	    "      |                                            ^~~~~~~~~~~~~~~~~~~~\n"
	    "      = help: up to 15 characters without space, '/' and ':'\n");
}

/* The largest file. */
#define SIZE ((size_t)1024 * 1024)

static void test_limits(void **state)
{
	_cleanup_free_ char *text = malloc(SIZE + 1);
	_cleanup_free_ char *errors = NULL;
	struct config *config = NULL;
	unsigned lines = 0;

	assert_non_null(text);
	memset(text, '#', SIZE + 1);
	bad_bytes(text, SIZE + 1,
		  "f.conf: error: larger than 1024 KiB\n"
		  "      = help: is this the configuration?\n");
	/* 25 errors: 20 are shown, in the order of the file, the others counted. */
	text[0] = '\0';
	for (unsigned i = 0; i < 25; i++)
		(void)snprintf(text + strlen(text), 40, "k%u-no-such: 1\n", i);
	assert_int_equal(parse(text, strlen(text), &errors, &config), -EBADMSG);
	for (const char *p = errors; (p = strstr(p, ": error: ")); p++)
		lines++;
	assert_int_equal(lines, 20);
	assert_non_null(strstr(errors, "f.conf:20:1: error: unknown key 'k19-no-such'"));
	assert_non_null(strstr(errors, "f.conf: and 5 more\n"));
	/* Too many values end the parsing early. */
	memset(text, ',', SIZE);
	memcpy(text, "nics: [a", 8);
	for (size_t i = 8; i + 1 < SIZE; i += 2)
		text[i + 1] = 'a';
	bad_bytes(
		text, SIZE,
		"f.conf:1:209716: error: too many values in one file\n"
		"    1 | ...a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,"
		"a,a,a,a,a,a,a,a,a,a,a,a,a,a,a,...\n"
		"      |                                            ^\n"
		"      = help: match several SAs with one rule: by prefix, mark or if_id\n");
}

static void cannot_load(const char *path, int result, const char *expected)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_free_ char *errors = NULL;
	struct config *config = NULL;

	assert_int_equal(config_load(path, &report, &config), result);
	assert_int_equal(config_report_text(&report, &errors), 0);
	assert_string_equal(errors, expected);
	assert_null(config);
}

static void test_load(void **state)
{
	cannot_load("/nonexistent/f.conf", -ENOENT,
		    "/nonexistent/f.conf: error: cannot be read: No such file or directory\n");
	cannot_load("/", -EISDIR, "/: error: cannot be read: Is a directory\n");
	cannot_load("/dev/null", -EINVAL, "/dev/null: error: cannot be read: not a regular file\n");
}

static void diagnosed(const struct config_report *report, size_t i, size_t line, size_t column,
		      bool warning, const char *text)
{
	const struct config_diagnostic *diagnostic = &report->diagnostics[i];

	assert_true(i < report->n_diagnostics && diagnostic->placed);
	assert_int_equal(diagnostic->place.line, line);
	assert_int_equal(diagnostic->place.column, column);
	assert_int_equal(diagnostic->warning, warning);
	assert_string_equal(diagnostic->text, text);
}

/* Errors are available as data: in the order of the file, counted from 0. */
static void test_report(void **state)
{
	static const char bad_text[] = "interval: x\nno-such: 1\n";
	static const char dubious_text[] = "rules: [{offload: never}, {offload: auto}]\n"
					   "nics: [{capacity: 1}, {capacity: 2}]\n";
	_cleanup_(config_report_done) struct config_report bad_report = {0};
	_cleanup_(config_report_done) struct config_report dubious = {0};
	_cleanup_(config_freep) struct config *config = NULL;

	assert_int_equal(
		config_parse("f\033.conf", bad_text, strlen(bad_text), &bad_report, &config),
		-EBADMSG);
	assert_string_equal(bad_report.files[0].path, "f?.conf");
	assert_int_equal(bad_report.n_errors, 2);
	assert_int_equal(bad_report.n_warnings, 0);
	diagnosed(&bad_report, 0, 0, 10, false, "'interval' takes a time with its unit, not 'x'");
	diagnosed(&bad_report, 1, 1, 0, false, "unknown key 'no-such' in the configuration");
	assert_int_equal(
		config_parse("f.conf", dubious_text, strlen(dubious_text), &dubious, &config), 0);
	assert_int_equal(dubious.n_errors, 0);
	assert_int_equal(dubious.n_warnings, 2);
	diagnosed(&dubious, 0, 0, 26, true, "this entry is never used");
	diagnosed(&dubious, 1, 1, 22, true, "this entry is never used");
	assert_string_equal(dubious.diagnostics[0].remedy, "the one in line 1 matches first");
	assert_int_equal(config_report_omitted(&dubious), 0);
}

/* The installed example has no effect beyond the defaults; with its settings uncommented it shows
 * every key. */
static char *read_example(bool uncomment)
{
	FILE *file = fopen(EXAMPLE_PATH, "re");
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	char line[256];

	assert_non_null(file);
	assert_non_null(out);
	while (fgets(line, sizeof(line), file)) {
		bool setting = line[0] == '#' && line[1] != '\n' &&
			       (line[1] != ' ' || strncmp(line, "#  ", 3) == 0);

		(void)fputs(uncomment && setting ? line + 1 : line, out);
	}
	assert_int_equal(fclose(file), 0);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void test_example(void **state)
{
	_cleanup_free_ char *text = read_example(false);
	_cleanup_free_ char *uncommented = read_example(true);
	_cleanup_(config_freep) struct config *config = good(text);
	_cleanup_(config_freep) struct config *full = good(uncommented);
	_cleanup_(config_freep) struct config *defaults = NULL;

	assert_int_equal(config_new_default(&defaults), 0);
	assert_int_equal(config->mode, defaults->mode);
	assert_true(config->interval == defaults->interval);
	assert_true(config->moves_per_second == defaults->moves_per_second);
	assert_true(config->moves_burst == defaults->moves_burst);
	assert_true(config->retry_refused == defaults->retry_refused);
	assert_int_equal(config->n_nics, 0);
	assert_int_equal(config->n_rules, 0);
	assert_int_equal(config->n_groups, 0);
	assert_int_equal(full->n_nics, 2);
	assert_int_equal(full->n_rules, 5);
	assert_int_equal(full->n_groups, 2);
	assert_true(full->nics[0].allow && full->nics[0].trusted && full->nics[0].capacity.set);
	assert_true(full->nics[0].max_rate == 1.25e9);
	assert_true(full->nics[1].allow && !full->nics[1].trusted);
	assert_string_equal(full->rules[0].nic, "enp59s0f0");
	assert_int_equal(full->rules[1].offload, CONFIG_OFFLOAD_NEVER);
	assert_int_equal(full->rules[4].offload, CONFIG_OFFLOAD_NEVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default),        cmocka_unit_test(test_nics),
		cmocka_unit_test(test_rules),          cmocka_unit_test(test_keys),
		cmocka_unit_test(test_types),          cmocka_unit_test(test_values),
		cmocka_unit_test(test_contradictions), cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_syntax),         cmocka_unit_test(test_structure),
		cmocka_unit_test(test_bytes),          cmocka_unit_test(test_caret),
		cmocka_unit_test(test_limits),         cmocka_unit_test(test_example),
		cmocka_unit_test(test_load),           cmocka_unit_test(test_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
