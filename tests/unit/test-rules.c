/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which entry matches a NIC or an SA. */
#include "cleanup.h"
#include "config.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct config *load(const char *text)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	struct config *config = NULL;

	assert_int_equal(config_parse("test", text, strlen(text), &report, &config), 0);
	return config;
}

static struct sa_description sa(const char *source, const char *destination)
{
	struct sa_description sa = {.mode = XFRM_MODE_TUNNEL, .direction = SA_DIRECTION_OUT};

	sa.id.family = strchr(source, ':') ? AF_INET6 : AF_INET;
	assert_int_equal(inet_pton(sa.id.family, source, sa.source.bytes), 1);
	assert_int_equal(inet_pton(sa.id.family, destination, sa.id.destination.bytes), 1);
	return sa;
}

/* The line of the rule that matches, 0 for none. */
static unsigned line_of(const struct config *config, const struct sa_description *description)
{
	const struct config_rule *rule = config_match_rule(config, description);

	return rule ? rule->line : 0;
}

static void test_prefixes(void **state)
{
	_cleanup_(config_freep) struct config *config =
		load("rules:\n"
		     "  - match: {src: 192.0.2.1}\n"
		     "  - match: {dst: 10.0.0.0/8}\n"
		     "  - match: {src: 10.128.0.0/9}\n"
		     "  - match: {dst: 2001:db8::/33}\n"
		     "  - match: {dst: \"::/0\"}\n"
		     "  - match: {dst: 0.0.0.0/0, src: 198.51.100.0/31}\n");
	static const struct {
		const char *source;
		const char *destination;
		unsigned line;
	} table[] = {
		{"192.0.2.1", "10.1.1.1", 2},
		{"192.0.2.2", "10.1.1.1", 3},
		{"192.0.2.2", "11.1.1.1", 0},
		{"10.128.0.1", "11.1.1.1", 4},
		{"10.127.255.255", "11.1.1.1", 0},
		{"::1", "2001:db8:7fff::1", 5},
		{"::1", "2001:db8:8000::1", 6},
		/* The first four bytes are those of 10.0.0.0/8. */
		{"::1", "0a00::1", 6},
		{"198.51.100.1", "11.1.1.1", 7},
		{"198.51.100.2", "11.1.1.1", 0},
	};

	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		struct sa_description description = sa(table[i].source, table[i].destination);

		assert_int_equal(line_of(config, &description), table[i].line);
	}
}

static void test_numbers(void **state)
{
	_cleanup_(config_freep) struct config *config = load("rules:\n"
							     "  - match: {reqid: 7}\n"
							     "  - match: {if_id: 0x2a}\n"
							     "  - match: {mark: 0x10/0xf0}\n"
							     "  - match: {mark: 5}\n"
							     "  - match: {direction: in}\n"
							     "  - match: {if_id: 0, reqid: 9}\n");
	struct sa_description description = sa("192.0.2.1", "192.0.2.2");

	assert_int_equal(line_of(config, &description), 0);
	description.direction = SA_DIRECTION_IN;
	assert_int_equal(line_of(config, &description), 6);
	description.direction = SA_DIRECTION_UNKNOWN;
	assert_int_equal(line_of(config, &description), 0);
	description.reqid = 9;
	assert_int_equal(line_of(config, &description), 7);
	description.id.mark_value = 5;
	assert_int_equal(line_of(config, &description), 5);
	description.id.mark_value = 0x1215;
	assert_int_equal(line_of(config, &description), 4);
	description.if_id = 42;
	assert_int_equal(line_of(config, &description), 3);
	description.reqid = 7;
	assert_int_equal(line_of(config, &description), 2);
}

/* All conditions of an entry must match; an entry without conditions always matches. */
static void test_first_wins(void **state)
{
	_cleanup_(config_freep) struct config *config =
		load("rules:\n"
		     "  - {match: {src: 192.0.2.0/24, reqid: 1}, offload: never}\n"
		     "  - {match: {src: 192.0.2.0/24}, offload: always, weight: 3}\n"
		     "  - {offload: auto, min-rate: 1Mbit/s, nic: eth1, leave-software-driver: "
		     "\"pcrypt*\", on-reject: alarm}\n");
	struct sa_description description = sa("192.0.2.1", "192.0.2.2");
	const struct config_rule *rule;

	rule = config_match_rule(config, &description);
	assert_int_equal(rule->offload, CONFIG_OFFLOAD_ALWAYS);
	assert_true(rule->weight == 3);
	assert_int_equal(rule->on_reject, CONFIG_REJECT_SOFTWARE);
	description.reqid = 1;
	assert_int_equal(config_match_rule(config, &description)->offload, CONFIG_OFFLOAD_NEVER);
	description = sa("198.51.100.1", "192.0.2.2");
	rule = config_match_rule(config, &description);
	assert_true(rule->min_rate == 125000);
	assert_string_equal(rule->nic, "eth1");
	assert_string_equal(rule->leave_software_driver, "pcrypt*");
	assert_int_equal(rule->on_reject, CONFIG_REJECT_ALARM);
}

static unsigned nic_line(const struct config *config, const char *name, const char *driver,
			 const char *pci, const char *mac)
{
	const struct config_nic_identity identity = {name, driver, pci, mac};
	const struct config_nic *nic = config_match_nic(config, &identity);

	return nic ? nic->line : 0;
}

static void test_nics(void **state)
{
	_cleanup_(config_freep) struct config *config =
		load("nics:\n"
		     "  - {match: {name: \"eth[0-3]\", driver: ixgbe}, allow: true}\n"
		     "  - {match: {pci: \"0000:3B:00.*\"}, allow: true}\n"
		     "  - {match: {mac: \"02:00:5E:*\"}, allow: true}\n"
		     "  - {match: {driver: mlx5_core}, allow: true}\n"
		     "  - {match: {name: \"*\", pci: \"*\"}, allow: true}\n");

	assert_int_equal(nic_line(config, "eth2", "ixgbe", NULL, NULL), 2);
	assert_int_equal(nic_line(config, "eth4", "ixgbe", NULL, NULL), 0);
	assert_int_equal(nic_line(config, "eth2", "e1000e", NULL, NULL), 0);
	assert_int_equal(nic_line(config, "eth2", NULL, NULL, NULL), 0);
	assert_int_equal(nic_line(config, "x", NULL, "0000:3b:00.1", NULL), 3);
	assert_int_equal(nic_line(config, "x", NULL, NULL, "02:00:5e:10:00:01"), 4);
	assert_int_equal(nic_line(config, "x", NULL, NULL, "02:00:5f:10:00:01"), 0);
	assert_int_equal(nic_line(config, "x", "mlx5_core", "0000:01:00.0", NULL), 5);
	assert_int_equal(nic_line(config, "x", "MLX5_core", "0000:01:00.0", NULL), 6);
	/* An unknown property matches no pattern, not even "*". */
	assert_int_equal(nic_line(config, "x", NULL, NULL, NULL), 0);
	assert_int_equal(nic_line(config, NULL, NULL, NULL, NULL), 0);
}

static void test_nothing(void **state)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct sa_description description = sa("192.0.2.1", "192.0.2.2");

	assert_int_equal(config_new_default(&config), 0);
	assert_int_equal(line_of(config, &description), 0);
	assert_int_equal(nic_line(config, "eth0", "ixgbe", "0000:3b:00.0", "02:00:5e:10:00:01"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prefixes),   cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_first_wins), cmocka_unit_test(test_nics),
		cmocka_unit_test(test_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
