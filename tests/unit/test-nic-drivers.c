// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "network/drivers.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <string.h>

static void test_find(void **state)
{
	const struct nic_driver *d;

	d = nic_driver_find("netdevsim");
	assert_non_null(d);
	assert_true(d->has_table && d->shared);
	assert_int_equal(d->in, 33);
	assert_int_equal(d->directions, NIC_DIRECTION_BOTH);

	d = nic_driver_find("ixgbe");
	assert_non_null(d);
	assert_false(d->shared);
	assert_int_equal(d->in, 1024);
	assert_int_equal(d->out, 1024);

	d = nic_driver_find("nfp");
	assert_non_null(d);
	assert_true(d->shared);
	assert_int_equal(d->in, 16384);

	d = nic_driver_find("mlx5_core");
	assert_non_null(d);
	assert_true(d->frees_late);

	assert_int_equal(nic_driver_find("ixgbevf")->directions, NIC_DIRECTION_IN);
	assert_false(nic_driver_find("cxgb4")->has_table);
	assert_true(nic_driver_find("ixgbe")->sends_by_slot);
	assert_true(nic_driver_find("nfp")->sends_by_slot);
	assert_false(nic_driver_find("mlx5_core")->sends_by_slot);

	/* The names in ethtool and on the PCI bus. */
	assert_non_null(nic_driver_find("rvu-nicpf"));
	assert_ptr_equal(nic_driver_find("rvu-nicpf"), nic_driver_find("rvu_nicpf"));

	assert_null(nic_driver_find("veth"));
	assert_null(nic_driver_find(""));
	assert_null(nic_driver_find("ixgb"));
	assert_null(nic_driver_find("ixgbe2"));
}

static struct sa_shape shape(uint32_t key_bits, bool encap)
{
	struct sa_shape s = {
		.direction = SA_DIRECTION_OUT,
		.family = 2,
		.protocol = 50,
		.mode = XFRM_MODE_TRANSPORT,
		.aead = "rfc4106(gcm(aes))",
		.key_bits = key_bits,
		.icv_bits = 128,
		.encap = encap,
	};

	return s;
}

static void test_check(void **state)
{
	static const struct {
		const char *driver;
		uint32_t key_bits;
		bool encap;
		int result;
	} cases[] = {
		{"netdevsim", 160, false, 0},
		{"netdevsim", 224, false, -EOPNOTSUPP},
		{"netdevsim", 288, false, -EOPNOTSUPP},
		{"netdevsim", 160, true, -EOPNOTSUPP},
		/* The ixgbe driver itself refuses long keys. */
		{"ixgbe", 288, false, 0},
		{"ixgbe", 160, true, -EOPNOTSUPP},
		{"ixgbevf", 288, false, -EOPNOTSUPP},
		{"ixgbevf", 160, false, 0},
		{"nfp", 288, false, 0},
		{"nfp", 288, true, -EOPNOTSUPP},
		{"nfp_netvf", 160, true, -EOPNOTSUPP},
		/* This driver checks all properties. */
		{"mlx5_core", 288, true, 0},
		/* This one can send clear text. */
		{"rvu-nicpf", 160, false, -EOPNOTSUPP},
		{"rvu_nicpf", 160, false, -EOPNOTSUPP},
		{"rvu-nicvf", 160, false, -EOPNOTSUPP},
		{"unknown", 288, true, 0},
		{"", 160, false, 0},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct nic_setting nic = {.driver = cases[i].driver};
		struct sa_shape s = shape(cases[i].key_bits, cases[i].encap);
		const char *reason = NULL;

		assert_int_equal(nic_driver_check(&nic, &s, &reason), cases[i].result);
		if (cases[i].result < 0)
			assert_true(reason && strlen(reason) > 20);
		else
			assert_null(reason);
	}
}

/* The driver refuses ESN and a short ICV, and its own text must be shown. */
static void test_left_to_the_driver(void **state)
{
	static const struct nic_setting netdevsim = {"netdevsim"}, ixgbe = {"ixgbe"};
	struct sa_shape s = shape(160, false);
	const char *reason = NULL;

	s.esn = true;
	s.icv_bits = 64;
	s.mode = XFRM_MODE_TUNNEL;
	assert_int_equal(nic_driver_check(&netdevsim, &s, &reason), 0);
	assert_int_equal(nic_driver_check(&ixgbe, &s, &reason), 0);
	assert_null(reason);
}

/* What a driver handles wrongly in a bond or with rx-all only. */
static void test_settings(void **state)
{
	static const struct {
		struct nic_setting nic;
		bool esn, inbound;
		int result;
	} cases[] = {
		{{"ixgbe", .in_bond = true}, true, false, -EOPNOTSUPP},
		{{"ixgbe", .in_bond = true}, false, false, 0},
		{{"ixgbevf", .in_bond = true}, true, false, -EOPNOTSUPP},
		{{"netdevsim", .in_bond = true}, true, false, -EOPNOTSUPP},
		{{"mlx5_core", .in_bond = true}, true, false, 0},
		{{"nfp", .in_bond = true}, true, false, 0},
		{{"ixgbe", .rx_all = true}, false, true, -EOPNOTSUPP},
		{{"ixgbe", .rx_all = true}, false, false, 0},
		{{"ixgbe"}, false, true, 0},
		{{"mlx5_core", .rx_all = true}, false, true, 0},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_shape s = shape(160, false);
		const char *reason = NULL;

		s.esn = cases[i].esn;
		s.direction = cases[i].inbound ? SA_DIRECTION_IN : SA_DIRECTION_OUT;
		assert_int_equal(nic_driver_check(&cases[i].nic, &s, &reason), cases[i].result);
		assert_int_equal(reason != NULL, cases[i].result < 0);
	}
}

static void test_full(void **state)
{
	static const struct {
		const char *driver;
		int error;
		bool full;
	} cases[] = {
		{"ixgbe", -ENOSPC, true},
		{"ixgbe", -ENOMEM, false},
		{"ixgbe", 0, false},
		{"mlx5_core", -ENOMEM, true},
		{"mlx5_core", -EAGAIN, true},
		{"mlx5_core", -ENOSPC, true},
		{"mlx5_core", -EBUSY, false},
		{"mlx5_core", 0, false},
		{"nfp", -EBUSY, true},
		{"nfp", -ENOMEM, false},
		{"nfp", 0, false},
		{"unknown", -ENOSPC, true},
		{"unknown", -ENOMEM, false},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_int_equal(
			nic_driver_is_full(nic_driver_find(cases[i].driver), cases[i].error),
			cases[i].full);
}

/* A cell of the table of docs/hardware.md. */
static void write_slots(FILE *out, const struct nic_driver *d, enum nic_directions direction)
{
	uint32_t slots = direction == NIC_DIRECTION_IN || d->shared ? d->in : d->out;

	if (!(d->directions & direction))
		(void)fputs("-", out);
	else if (!d->has_table)
		(void)fputs("no table", out);
	else if (slots == 0)
		(void)fputs("unknown", out);
	else
		(void)fprintf(out, "%u%s", slots, d->shared ? ", shared" : "");
}

static void write_full(FILE *out, const struct nic_driver *d)
{
	(void)fputs("ENOSPC", out);
	for (size_t i = 0; i < ELEMENTSOF(d->full); i++)
		if (d->full[i] != 0)
			(void)fprintf(out, ", %s", strerrorname_np(-d->full[i]));
}

/* What the daemon does not give to the driver. */
static void write_kept_out(FILE *out, const struct nic_driver *d)
{
	const struct {
		struct nic_setting nic;
		struct sa_shape shape;
		const char *what;
	} traps[] = {
		{{d->name}, {.key_bits = 288}, "AES keys of more than 128 bits"},
		{{d->name}, {.encap = true}, "UDP encapsulation"},
		{{d->name, .in_bond = true}, {.esn = true}, "ESN in a bond"},
		{{d->name, .rx_all = true}, {.direction = SA_DIRECTION_IN}, "inbound with rx-all"},
	};
	const char *separator = "", *reason;

	if (d->unsafe) {
		(void)fputs("**all SAs**", out);
		return;
	}
	for (size_t i = 0; i < ELEMENTSOF(traps); i++) {
		if (nic_driver_check(&traps[i].nic, &traps[i].shape, &reason) == 0)
			continue;
		(void)fprintf(out, "%s%s", separator, traps[i].what);
		separator = ", ";
	}
	if (!*separator)
		(void)fputs("-", out);
}

static const char *busy_stay(const struct nic_driver *d)
{
	if (d->frees_late && d->directions & NIC_DIRECTION_IN)
		return "inbound";
	return d->sends_by_slot ? "outbound" : "-";
}

static void write_table(FILE *out)
{
	const struct nic_driver *d;

	(void)fputs("| driver | slots, inbound | slots, outbound | full table | slot is free | "
		    "busy SAs "
		    "stay | not given to it | file below `drivers/net/` |\n"
		    "|---|---|---|---|---|---|---|---|\n",
		    out);
	for (size_t i = 0; (d = nic_driver_at(i)); i++) {
		(void)fprintf(out, "| %s | ", d->name);
		write_slots(out, d, NIC_DIRECTION_IN);
		(void)fputs(" | ", out);
		write_slots(out, d, NIC_DIRECTION_OUT);
		(void)fputs(" | ", out);
		write_full(out, d);
		(void)fprintf(out, " | %s | %s | ", d->frees_late ? "late" : "at once",
			      busy_stay(d));
		write_kept_out(out, d);
		(void)fprintf(out, " | `%s` |\n", d->source);
	}
}

#define TABLE_BEGIN "<!-- test-nic-drivers table -->\n"
#define TABLE_END "<!-- end -->\n"

/* The document has the table of the daemon. */
static void test_document(void **state)
{
	_cleanup_free_ char *table = NULL, *document = calloc(1, 262144);
	_cleanup_fclose_ FILE *file = fopen(HARDWARE_PATH, "re");
	size_t size = 0;
	FILE *out = open_memstream(&table, &size);
	char *begin, *end;

	assert_non_null(out);
	write_table(out);
	assert_int_equal(fclose(out), 0);
	assert_non_null(file);
	assert_non_null(document);
	assert_true(fread(document, 1, 262143, file) < 262143);
	begin = strstr(document, TABLE_BEGIN);
	assert_non_null(begin);
	begin += strlen(TABLE_BEGIN);
	end = strstr(begin, TABLE_END);
	assert_non_null(end);
	*end = '\0';
	if (strcmp(begin, table) != 0)
		(void)fprintf(stderr,
			      "The table in docs/hardware.md differs from the daemon's, which "
			      "'test-nic-drivers table' prints.\n");
	assert_string_equal(begin, table);
}

static void test_bond(void **state)
{
	static const char *const allowed[] = {
		"6.1.0-50-amd64", "5.10.0-30-amd64",   "6.9.12", "6.10.8", "6.16.0", "6.16-rc1",
		"6.17.8+deb14",   "7.3.4+deb13-amd64", "10.0.1",
	};
	static const char *const refused[] = {
		"6.12.37+deb13-amd64",
		"6.12.117+deb12-amd64",
		"6.12.36",
		"6.13.1",
		"6.15.9",
		"6.10.9",
		"6.11.0",
		"6.12.0-124.el10.x86_64",
		"6.10.0-1-cloud",
		"6",
		"",
		"linux",
	};

	for (size_t i = 0; i < ELEMENTSOF(allowed); i++)
		assert_true(nic_bond_allowed(allowed[i]));
	for (size_t i = 0; i < ELEMENTSOF(refused); i++)
		assert_false(nic_bond_allowed(refused[i]));
}

/* Prints the table of the document with the argument 'table'. */
int main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_left_to_the_driver),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_bond),
	};

	if (argc == 2 && strcmp(argv[1], "table") == 0) {
		write_table(stdout);
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
