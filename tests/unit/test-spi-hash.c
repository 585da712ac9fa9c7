// SPDX-License-Identifier: GPL-2.0-or-later
/* The hash of SPIs is the standard SipHash-1-3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/spi-hash.h"
#include "cleanup.h"

#include <errno.h>

/* The values are CPython 3.11's hashes of bytes, little endian, with PYTHONHASHSEED=0 and 1. */
static void test_known_answers(void **state)
{
	static const struct {
		struct spi_hash_seed seed;
		uint32_t spi;
		uint8_t protocol;
		uint64_t hash;
	} cases[] = {
		{{{0, 0}}, 0xc0000001, 50, UINT64_C(0x09014924a5abb81c)},
		{{{0, 0}}, 0, 0, UINT64_C(0xf810d4775d7d3a92)},
		{{{0, 0}}, 0xffffffff, 255, UINT64_C(0x3c2c325a5b82f7a4)},
		{{{UINT64_C(0xaed66ce184be2329), UINT64_C(0xebe9bbf1f1499052)}},
		 0x12345678,
		 51,
		 UINT64_C(0x57bab5a175c3dc41)},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		assert_true(spi_hash(&cases[i].seed, cases[i].spi, cases[i].protocol) ==
			    cases[i].hash);
}

static void test_seeds_differ(void **state)
{
	struct spi_hash_seed one = {}, other = {};

	(void)state;
	errno = EIO;
	assert_int_equal(spi_hash_seed(&one), 0);
	assert_int_equal(spi_hash_seed(&other), 0);
	assert_true(one.words[0] != other.words[0] && one.words[1] != other.words[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_seeds_differ),
	};

	return cmocka_run_group_tests_name("spi-hash", tests, NULL, NULL);
}
