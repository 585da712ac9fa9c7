// SPDX-License-Identifier: GPL-2.0-or-later
/* The hash of bytes is the standard SipHash-1-3. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cleanup.h"
#include "hash.h"

/* The values are CPython 3.11's hashes of bytes, little endian, with PYTHONHASHSEED=0 and 1. */
static const struct hash_seed seeds[] = {
	{{0, 0}},
	{{UINT64_C(0xaed66ce184be2329), UINT64_C(0xebe9bbf1f1499052)}},
};

static void test_known_answers(void **state)
{
	/* The hashed bytes are size, size + 37, size + 74 and so on. */
	static const struct {
		size_t size;
		uint64_t hashes[ELEMENTSOF(seeds)];
	} cases[] = {
		{1, {UINT64_C(0x44bc103b1f8540ed), UINT64_C(0xc1147c52c3233753)}},
		{5, {UINT64_C(0xd05efe9b56bea709), UINT64_C(0x72cc374cce4a5a06)}},
		{7, {UINT64_C(0xc52c1364c9eb1858), UINT64_C(0x4b981552b4165a26)}},
		{8, {UINT64_C(0x9f35dea60cdd00b0), UINT64_C(0x2334494a713efcb5)}},
		{9, {UINT64_C(0xc7faf7e8fffe85b5), UINT64_C(0x991e59dca12b0865)}},
		{15, {UINT64_C(0x9e05258427916b51), UINT64_C(0x5333cd46fb853b4d)}},
		{16, {UINT64_C(0xc3d5cc9d8922fd95), UINT64_C(0xcf5dbe4e8059caf8)}},
		{17, {UINT64_C(0xb51bbd718cc1bd62), UINT64_C(0x4f16a1e495d7924f)}},
		{44, {UINT64_C(0x2bb1981db454241b), UINT64_C(0xd33dfffcc2e57858)}},
		{64, {UINT64_C(0x2a3e3b9b3e8b18f3), UINT64_C(0x70e0808a49aa0a13)}},
	};
	uint8_t bytes[65];

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		/* The bytes after them have another value. */
		for (size_t at = 0; at < sizeof(bytes); at++)
			bytes[at] = at < cases[i].size ? (uint8_t)(cases[i].size + 37 * at) : 0xaa;
		for (size_t seed = 0; seed < ELEMENTSOF(seeds); seed++)
			assert_true(hash_bytes(&seeds[seed], bytes, cases[i].size) ==
				    cases[i].hashes[seed]);
	}
}

/* The length counts, not only the bytes, and the address does not. */
static void test_zeros(void **state)
{
	static const uint8_t zeros[32];
	uint8_t moved[33] = {};

	(void)state;
	for (size_t size = 0; size < sizeof(zeros); size++) {
		uint64_t hash = hash_bytes(&seeds[1], zeros, size);

		assert_true(hash == hash_bytes(&seeds[1], moved + 1, size));
		for (size_t other = 0; other < size; other++)
			assert_true(hash != hash_bytes(&seeds[1], zeros, other));
	}
}

static void test_seeds_differ(void **state)
{
	struct hash_seed one = {}, other = {};

	(void)state;
	errno = EIO;
	assert_int_equal(hash_seed_random(&one), 0);
	assert_int_equal(hash_seed_random(&other), 0);
	assert_true(one.words[0] != other.words[0] && one.words[1] != other.words[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_answers),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_seeds_differ),
	};

	return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
