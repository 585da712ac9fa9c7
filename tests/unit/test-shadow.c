// SPDX-License-Identifier: GPL-2.0-or-later
/* By how much the sequence number of an SA that was lost with its NIC is increased. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "failing.h"
#include "sa-message.h"
#include "sa/shadow.h"

#include <math.h>

FAILING(void *, calloc, NULL, (size_t n, size_t size), (n, size))

struct fixture {
	struct secret_arena *arena;
	struct shadow *shadow;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(secret_arena_new(64 * 1024, &f->arena), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	shadow_wipe(&f->shadow);
	assert_int_equal(secret_arena_in_use(f->arena), 0);
	secret_arena_free(f->arena);
	free(f);
	return 0;
}

/* A sample of an SA that has used `sequence` numbers; without a replay state it has no number. */
static int sample(struct fixture *f, uint64_t sequence, bool esn, bool replay, double at)
{
	struct xfrm_usersa_info info = make_info();
	struct xfrm_replay_state_esn with_esn = {.oseq = (uint32_t)sequence,
						 .oseq_hi = (uint32_t)(sequence >> 32)};
	struct xfrm_replay_state without = {.oseq = (uint32_t)sequence};
	struct attribute attributes[] = {VALUE(XFRMA_REPLAY_ESN_VAL, with_esn),
					 VALUE(XFRMA_REPLAY_VAL, without)};
	struct nl_msg *message;
	int r;

	info.flags = esn ? XFRM_STATE_ESN : 0;
	message =
		make_message(XFRM_MSG_NEWSA, &info, sizeof(info), &attributes[esn ? 0 : 1], replay);
	r = shadow_capture(&f->shadow, f->arena, nlmsg_hdr(message), at);
	nlmsg_free(message);
	return r;
}

static void test_capture(void **state)
{
	struct fixture *f = *state;
	struct shadow *other;
	struct nl_msg *message;
	uint32_t nothing = 0;
	size_t in_use;

	assert_null(f->shadow);
	assert_int_equal(sample(f, 77, false, true, 5), 0);
	assert_non_null(f->shadow);
	assert_int_equal(f->shadow->sequence, 77);
	assert_true(f->shadow->sampled_at == 5);
	in_use = secret_arena_in_use(f->arena);

	/* A sample does not contain the event threshold. */
	f->shadow->image.replay_threshold = 9;
	assert_int_equal(sample(f, 77, false, true, 5), 0);
	assert_int_equal(f->shadow->image.replay_threshold, 9);

	/* After a failure the older one stays, with its age. */
	message = make_message(XFRM_MSG_NEWPOLICY, &nothing, 4, NULL, 0);
	assert_int_equal(shadow_capture(&f->shadow, f->arena, nlmsg_hdr(message), 9), -EBADMSG);
	nlmsg_free(message);
	assert_true(f->shadow->sampled_at == 5);
	assert_int_equal(f->shadow->sequence, 77);

	/* Another image replaces it. */
	other = f->shadow;
	f->shadow = NULL;
	assert_int_equal(sample(f, 88, false, true, 6), 0);
	shadow_take(&f->shadow, &other->image, 7);
	assert_null(other->image.attributes);
	shadow_wipe(&other);
	assert_null(other);
	assert_int_equal(secret_arena_in_use(f->arena), in_use);
	assert_int_equal(f->shadow->sequence, 77);
	assert_true(f->shadow->sampled_at == 7);

	shadow_wipe(&f->shadow);
	assert_null(f->shadow);
	assert_int_equal(secret_arena_in_use(f->arena), 0);
	shadow_wipe(&f->shadow); /* nothing to do */

	/* If there is no shadow, a failure does not create one. */
	message = make_message(XFRM_MSG_NEWPOLICY, &nothing, 4, NULL, 0);
	assert_int_equal(shadow_capture(&f->shadow, f->arena, nlmsg_hdr(message), 9), -EBADMSG);
	nlmsg_free(message);
	assert_null(f->shadow);
	failing_in = 1;
	assert_int_equal(sample(f, 77, false, true, 5), -ENOMEM);
	assert_null(f->shadow);

	/* Without memory the old key is not kept either. */
	assert_int_equal(sample(f, 99, false, true, 6), 0);
	other = f->shadow;
	f->shadow = NULL;
	failing_in = 1;
	shadow_take(&f->shadow, &other->image, 7);
	assert_null(f->shadow);
	assert_null(other->image.attributes);
	assert_int_equal(secret_arena_in_use(f->arena), 0);
	shadow_wipe(&other);
}

#define LEAST 65536u

static void test_numbers(void **state)
{
	(void)state;
	/* With any value of the clock. */
	assert_int_equal(shadow_numbers_possible(0, 1000), LEAST);
	assert_int_equal(shadow_numbers_possible(-5, 1000), LEAST);
	/* A slow link does not reduce the number. */
	assert_int_equal(shadow_numbers_possible(10, 1), LEAST + 200000000u);
	assert_int_equal(shadow_numbers_possible(10, 10000), LEAST + 200000000u);
	/* 84 bytes on the wire, at 400 and 100 Gbit/s, and with an unknown speed. */
	assert_int_equal(shadow_numbers_possible(10, 400000), LEAST + 5952380952u);
	assert_int_equal(shadow_numbers_possible(10, 100000), LEAST + 1488095238u);
	assert_int_equal(shadow_numbers_possible(10, 0), LEAST + 1488095238u);
	/* An age that no clock can give. */
	assert_true(shadow_numbers_possible(1e12, 0) == UINT64_C(1) << 48);
	assert_true(shadow_numbers_possible(INFINITY, 0) == UINT64_C(1) << 48);
	assert_true(shadow_numbers_possible(14e6, 1) == LEAST + UINT64_C(280000000000000));
}

static void check_advance(struct fixture *f, uint64_t sequence, bool esn, double seconds,
			  int expected)
{
	uint64_t by = shadow_numbers_possible(seconds, 1000);

	assert_int_equal(sample(f, sequence, esn, true, 100), 0);
	assert_int_equal(shadow_advance(f->shadow, 100 + seconds, 1000), expected);
	if (expected == 0)
		assert_true(sa_image_output_sequence(&f->shadow->image) == sequence + by);
}

static void test_advance(void **state)
{
	struct fixture *f = *state;
	double seconds = 107;

	check_advance(f, 100, false, 0, 0);
	/* Again, and later: the increase starts at the sample, not at the last result. */
	assert_int_equal(shadow_advance(f->shadow, 100, 1000), 0);
	assert_int_equal(sa_image_output_sequence(&f->shadow->image), 100 + LEAST);
	assert_int_equal(shadow_advance(f->shadow, 101, 1000), 0);
	assert_int_equal(sa_image_output_sequence(&f->shadow->image), 100 + LEAST + 20000000);
	/* The number never decreases. */
	assert_int_equal(shadow_advance(f->shadow, 100, 1000), 0);
	assert_int_equal(sa_image_output_sequence(&f->shadow->image), 100 + LEAST + 20000000);

	/* The last number is not used. */
	check_advance(f, UINT32_MAX - LEAST - 1, false, 0, 0);
	check_advance(f, UINT32_MAX - LEAST, false, 0, -ERANGE);
	check_advance(f, UINT32_MAX - LEAST + 1, false, 0, -ERANGE);
	check_advance(f, UINT32_MAX - LEAST, true, 0, 0);
	check_advance(f, UINT64_MAX - LEAST - 1, true, 0, 0);
	check_advance(f, UINT64_MAX - LEAST, true, 0, -ERANGE);
	check_advance(f, UINT64_MAX - LEAST + 1, true, 0, -ERANGE);

	/* A receiver with ESN misreads an increase of 2^31 or more. */
	while (shadow_numbers_possible(seconds, 1000) < (1u << 31) - 10000)
		seconds += 1e-4;
	check_advance(f, 100, true, seconds, 0);
	while (shadow_numbers_possible(seconds, 1000) < 1u << 31)
		seconds += 1e-8;
	assert_int_equal(shadow_numbers_possible(seconds, 1000), 1u << 31);
	check_advance(f, 100, true, seconds, -ERANGE);

	/* An SA without a number cannot be advanced. */
	assert_int_equal(sample(f, 0, false, false, 100), 0);
	assert_int_equal(shadow_advance(f->shadow, 100, 1000), -ERANGE);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_capture),
		TEST(test_numbers),
		TEST(test_advance),
	};

	return cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
