/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `doctor` on other machines: their files are below doctor/NAME, their NICs and the daemon's
 * answers are here, and doctor/NAME.txt is what must be printed.
 */
#include "cleanup.h"
#include "doctor/doctor-text.h"
#include "doctor/examine.h"
#include "doctor/groups.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "remove-tree.h"

#define NIC(NAME, DRIVER, ...)                                                             \
	{                                                                                  \
		.name = (NAME), .driver = (DRIVER), .up = true, .esp_offload_known = true, \
		__VA_ARGS__                                                                \
	}

static const struct nic_fact lo = NIC("lo", "");

static struct facts *read_machine(const char *name, const struct nic_fact *nics, size_t n)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	char root[512];

	assert_non_null(facts);
	(void)snprintf(root, sizeof(root), "%s/%s", DOCTOR_PATH, name);
	facts_read_files(facts, root);
	facts->nics[0] = lo;
	memcpy(&facts->nics[1], nics, n * sizeof(*nics));
	facts->n_nics = n + 1;
	facts->nics_known = true;
	return facts;
}

static json_t *examine(const struct facts *facts)
{
	json_t *document = NULL;

	assert_int_equal(doctor_examine(facts, &document), 0);
	return document;
}

static char *read_text(const char *name)
{
	char path[512], *text = calloc(1, 65536);
	FILE *file;

	assert_non_null(text);
	(void)snprintf(path, sizeof(path), "%s/%s.txt", DOCTOR_PATH, name);
	file = fopen(path, "re");
	assert_non_null(file);
	assert_true(fread(text, 1, 65535, file) < 65535);
	(void)fclose(file);
	return text;
}

static void assert_golden(const char *name, const json_t *document)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	_cleanup_free_ char *expected = read_text(name);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	assert_int_equal(doctor_layout(document, 100, true, &frame), 0);
	frame_write(frame, false, out);
	assert_int_equal(fclose(out), 0);
	if (strcmp(text, expected) != 0)
		(void)fprintf(stderr, "%s.txt should be:\n%s", name, text);
	assert_string_equal(text, expected);
}

/* Reads the machine, and compares what is printed and whether offload can work. */
static void check_machine(const char *name, const struct nic_fact *nics, size_t n, bool works)
{
	struct facts *facts = read_machine(name, nics, n);
	json_auto_t *document = examine(facts);

	assert_golden(name, document);
	assert_int_equal(json_is_true(json_object_get(document, "works")), works);
	facts_done(facts);
	free(facts);
}

static const struct nic_fact gateway_nics[] = {
	NIC("eth0", "ixgbe", .esp_offload = true, .esp_offload_changeable = true),
	NIC("eth1", "e1000e"),
	NIC("eth0.5", "802.1Q VLAN Support", .lower = "eth0"),
};

/* Nothing is in the way. What is in comments and in quotes is no setting. */
static void test_gateway(void **state)
{
	check_machine("gateway", gateway_nics, ELEMENTSOF(gateway_nics), true);
}

/* Two NICs, of which one can be switched on, and connections that libreswan offloads. */
static void test_libreswan(void **state)
{
	static const struct nic_fact nics[] = {
		NIC("eth0", "ixgbe", .esp_offload_changeable = true),
		NIC("eth1", "mlx5_core"),
		NIC("eth2", "ixgbe"),
	};

	check_machine("libreswan", nics, ELEMENTSOF(nics), false);
}

/* Keys are hidden, a module is blocked, FIPS, and strongSwan offloads by itself. */
static void test_hardened(void **state)
{
	static const struct nic_fact nics[] = {
		NIC("bond0", "bonding", .is_bond = true, .slave_driver = "mlx5_core",
		    .esp_offload = true),
	};

	check_machine("hardened", nics, ELEMENTSOF(nics), false);
}

/* A kernel that cannot offload to bonds and loads no modules. */
static void test_bond(void **state)
{
	static const struct nic_fact nics[] = {
		NIC("bond0", "bonding", .is_bond = true, .slave_driver = "ixgbe",
		    .esp_offload = true),
		NIC("eth5", "cxgb4", .esp_offload = true),
		NIC("nsim0", "netdevsim", .esp_offload = true),
	};

	check_machine("bond", nics, ELEMENTSOF(nics), false);
}

/* Updates lose slots of drivers that free them when the kernel deletes an SA. */
static void test_leak(void **state)
{
	static const struct nic_fact nics[] = {
		NIC("eth0", "nfp", .esp_offload = true),
		NIC("eth1", "mlx5_core", .esp_offload = true),
		NIC("eth2", "ixgbe", .esp_offload_changeable = true),
	};

	check_machine("leak", nics, ELEMENTSOF(nics), true);
}

/* What drivers do that an operator must know, and what VFs, rx-all and a bond change. */
static void test_pitfalls(void **state)
{
	static const struct nic_fact nics[] = {
		NIC("eth0", "ixgbe", .esp_offload = true, .rx_all = true, .vfs = 8),
		NIC("eth1", "mlx5_core", .esp_offload = true, .vfs = 4),
		NIC("eth2", "rvu-nicpf", .esp_offload = true),
		NIC("eth3", "ixgbevf", .esp_offload = true),
		NIC("bond0", "bonding", .is_bond = true, .slave_driver = "ixgbe",
		    .esp_offload = true),
	};

	check_machine("pitfalls", nics, ELEMENTSOF(nics), true);
}

/* Whether something is said of a NIC with this kernel. */
static bool is_said(const struct nic_fact *nic, const char *upstream, const char *text)
{
	struct facts facts = {.nics = {*nic}, .n_nics = 1, .nics_known = true};
	json_auto_t *document = NULL;
	const json_t *finding;
	bool found = false;
	size_t i;

	(void)snprintf(facts.upstream, sizeof(facts.upstream), "%s", upstream);
	document = examine(&facts);
	json_array_foreach(json_object_get(document, "findings"), i, finding)
		found |= strstr(json_string_value(json_object_get(finding, "what")), text) != NULL;
	return found;
}

static bool leaks(const char *upstream)
{
	static const struct nic_fact nic = NIC("eth0", "nfp", .esp_offload = true);

	return is_said(&nic, upstream, "lose a slot");
}

static bool blocks(const char *upstream)
{
	static const struct nic_fact nic = NIC("eth0", "nfp", .esp_offload_changeable = true);

	return is_said(&nic, upstream, "block its removal");
}

static void test_releases_that_leak(void **state)
{
	static const struct nic_fact unknown = NIC("eth0", "new_driver", .esp_offload = true);

	assert_true(leaks("6.1.169") && leaks("6.12.84") && leaks("6.6.150") && leaks("6.19.3"));
	assert_false(leaks("6.1.170") || leaks("6.12.85") || leaks("7.0.0-rc1") || leaks("7.3.4"));
	assert_false(leaks(""));
	assert_false(is_said(&unknown, "6.1.169", "lose a slot"));
}

/* An SA in a NIC without the feature is not flushed when the NIC is removed. */
static void test_releases_that_hang(void **state)
{
	assert_true(blocks("6.1.191") && blocks("6.12.84") && blocks("6.6.150") &&
		    blocks("6.19.3"));
	assert_false(blocks("6.1.192") || blocks("6.12.85") || blocks("7.0.0") || blocks("7.3.4"));
	assert_false(blocks(""));
}

/* Nearly nothing can be seen. */
static void test_container(void **state)
{
	static const struct nic_fact nics[] = {NIC("eth0", "veth")};

	check_machine("container", nics, ELEMENTSOF(nics), false);
}

static json_t *parse(const char *text)
{
	json_t *value = json_loads(text, 0, NULL);

	assert_non_null(value);
	return value;
}

#define STATUS(FIPS, REASON)                                                                       \
	"{\"version\": \"0.1.0\", \"mode\": \"observe\", \"paused\": true, \"degraded\": null,"    \
	" \"evacuated\": [], \"mechanism\": \"re-add\", \"interval\": 1.0, \"dumpInterval\": 1.0," \
	" \"uptime\": 5.0, \"configuration\": null, \"fips\": " FIPS ", \"sas\": 3,"               \
	" \"offloaded\": 0, \"bytesPerSecond\": 0.0, \"offloadedBytesPerSecond\": 0.0,"            \
	" \"moves\": {\"promoted\": 0, \"evicted\": 0, \"refused\": 0, \"failed\": 0},"            \
	" \"resyncs\": 0, \"overruns\": 0, \"lastAction\": null,"                                  \
	" \"nics\": [{\"name\": \"eth0\", \"index\": 2, \"driver\": \"ixgbe\", \"up\": true,"      \
	" \"espOffload\": true, \"allowed\": true, \"trusted\": true, \"line\": 3,"                \
	" \"reason\": " REASON ", \"capacity\": {\"shared\": false, \"in\": 1024, \"out\": 1024}," \
	" \"used\": {\"shared\": false, \"in\": 2, \"out\": 0},"                                   \
	" \"foreign\": {\"shared\": false, \"in\": 2, \"out\": 0}, \"bytesPerSecond\": 0.0}]}"

static json_t *sa_object(const char *spi, const char *reason, const char *text, bool lasting)
{
	return json_pack("{s:s, s:s, s:s, s:b}", "spi", spi, "reason", reason, "text", text,
			 "lasting", (int)lasting);
}

/* What the daemon says, and the SAs that stay out, by reason. */
static void test_daemon(void **state)
{
	struct facts *facts = read_machine("gateway", gateway_nics, ELEMENTSOF(gateway_nics));
	json_auto_t *reply = json_pack(
		"{s:[o, o, o, o]}", "sas", sa_object("0x00000101", "idle", "no", false),
		sa_object("0x00000102", "tfc-padding", "TFC padding cannot be offloaded", true),
		sa_object("0x00000103", "nic-vlan", "it leaves by a VLAN", true),
		sa_object("0x00000104", "tfc-padding", "another", true));
	json_auto_t *document = NULL;

	facts->groups = json_array();
	assert_int_equal(groups_add(facts->groups, reply), 0);
	assert_int_equal(groups_add(facts->groups, facts->groups), -EBADMSG);
	facts->status = parse(STATUS("false", "\"nic-not-allowed\""));
	document = examine(facts);
	assert_golden("daemon", document);
	assert_true(json_is_true(json_object_get(document, "works")));
	facts_done(facts);
	free(facts);
}

/* With FIPS and no NIC inside the boundary the daemon offloads nothing. */
static void test_fips(void **state)
{
	static const char *const answers[] = {STATUS("true", "\"nic-fips\""),
					      STATUS("true", "null"), "{}"};

	for (size_t i = 0; i < ELEMENTSOF(answers); i++) {
		struct facts *facts =
			read_machine("gateway", gateway_nics, ELEMENTSOF(gateway_nics));
		json_auto_t *document = NULL;

		facts->status = parse(answers[i]);
		document = examine(facts);
		assert_int_equal(json_is_true(json_object_get(document, "works")), i > 0);
		facts_done(facts);
		free(facts);
	}
}

static void make_unreadable(const char *root, const char *name, bool folder)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "%s%s", root, name) > 0);
	if (folder) {
		assert_int_equal(mkdir(path, 0), 0);
	} else {
		int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0);

		assert_true(fd >= 0);
		closep(&fd);
	}
}

static void make_folder(const char *root, const char *name)
{
	_cleanup_free_ char *path = NULL;

	assert_true(asprintf(&path, "%s%s", root, name) > 0);
	assert_int_equal(mkdir(path, 0755), 0);
}

static bool was_unseen(const struct facts *facts, const char *what)
{
	for (size_t i = 0; i < facts->n_unseen; i++)
		if (strcmp(facts->unseen[i].what, what) == 0)
			return strcmp(facts->unseen[i].why, "Permission denied") == 0;
	return false;
}

/* Another user's files, and folders in which nothing is found. */
static void test_unreadable(void **state)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	char root[] = "/tmp/test-doctor-XXXXXX";
	bool is_root = geteuid() == 0;

	assert_non_null(facts);
	assert_non_null(mkdtemp(root));
	assert_int_equal(chmod(root, 0755), 0);
	make_folder(root, "/etc");
	make_folder(root, "/etc/swanctl");
	make_unreadable(root, "/etc/swanctl/swanctl.conf", false);
	make_unreadable(root, "/etc/swanctl/conf.d", true);
	if (is_root)
		assert_int_equal(seteuid(65534), 0);
	facts_read_ike(facts, root);
	if (is_root)
		assert_int_equal(seteuid(0), 0);
	assert_true(was_unseen(facts, "/etc/swanctl/swanctl.conf"));
	assert_true(was_unseen(facts, "/etc/swanctl/conf.d"));
	assert_int_equal(facts->n_unseen, 2);
	remove_tree(root);
	free(facts);
}

/* More than there is room for. */
static void test_limits(void **state)
{
	struct facts *facts = read_machine("container", &lo, 1);

	for (size_t i = 0; i < 2 * (size_t)FACT_UNSEEN_MAX; i++)
		facts_unseen(facts, "a\033[2J", "because");
	assert_int_equal(facts->n_unseen, FACT_UNSEEN_MAX);
	assert_string_equal(facts->unseen[FACT_UNSEEN_MAX - 1].what, "a?[2J");
	facts_done(facts);
	free(facts);
}

/* This machine: no privilege, no daemon. The loopback device is everywhere. */
static void test_here(void **state)
{
	struct facts *facts = calloc(1, sizeof(*facts));
	json_auto_t *document = NULL;

	assert_non_null(facts);
	facts_read_files(facts, "");
	facts_read_nics(facts);
	assert_true(facts->nics_known);
	assert_string_equal(facts->nics[0].name, "lo");
	assert_true(facts->release[0] && facts->capabilities_known);
	document = examine(facts);
	assert_true(json_array_size(json_object_get(document, "findings")) > 0);
	facts_done(facts);
	free(facts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gateway),    cmocka_unit_test(test_libreswan),
		cmocka_unit_test(test_hardened),   cmocka_unit_test(test_bond),
		cmocka_unit_test(test_pitfalls),   cmocka_unit_test(test_releases_that_hang),
		cmocka_unit_test(test_leak),       cmocka_unit_test(test_releases_that_leak),
		cmocka_unit_test(test_container),  cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_fips),       cmocka_unit_test(test_limits),
		cmocka_unit_test(test_unreadable), cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
