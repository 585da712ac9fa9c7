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
	assert_true(nic_driver_find("bonding")->has_table);

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
		/* These drivers check all properties. */
		{"mlx5_core", 288, true, 0},
		{"rvu-nicpf", 288, true, 0},
		{"unknown", 288, true, 0},
		{"", 160, false, 0},
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_shape s = shape(cases[i].key_bits, cases[i].encap);
		const char *reason = NULL;

		assert_int_equal(nic_driver_check(cases[i].driver, &s, &reason), cases[i].result);
		if (cases[i].result < 0)
			assert_true(reason && strlen(reason) > 20);
		else
			assert_null(reason);
	}
}

/* The driver refuses ESN and a short ICV, and its own text must be shown. */
static void test_left_to_the_driver(void **state)
{
	struct sa_shape s = shape(160, false);
	const char *reason = NULL;

	s.esn = true;
	s.icv_bits = 64;
	s.mode = XFRM_MODE_TUNNEL;
	assert_int_equal(nic_driver_check("netdevsim", &s, &reason), 0);
	assert_int_equal(nic_driver_check("ixgbe", &s, &reason), 0);
	assert_null(reason);
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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_left_to_the_driver),
		cmocka_unit_test(test_bond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
