// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rest of the fake kernel: packets, replay windows, time, faults, events, and whether its
 * invariants notice violations.
 */
#include "fake-bench.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

static void check_window(struct bench *b, const struct fake_sa_spec *spec)
{
	struct fake_belief *belief = bench_install(b, spec);
	uint64_t top = spec->sequence;
	uint32_t window = spec->window;

	assert_int_equal(fake_kernel_receive(b->fake, belief, top, 1), -EALREADY);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 3, 1), 0);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 1, 1), 0);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 1, 1), -EALREADY);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 3, 1), -EALREADY);
	assert_true(fake_kernel_receive(b->fake, belief, top + 3 - window, 1) < 0);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 2 + window, 1), 0);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 3, 1), -EALREADY);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 3 + 2 * window, 1), 0);
	assert_int_equal(fake_kernel_receive_next(b->fake, belief, 1), 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).sequence_in, top + 4 + 2 * window);
	bench_assert_sound(b);
	/* Deleted and installed again, with the complete replay window. */
	bench_remake(b, belief, NULL, true);
	assert_int_equal(fake_kernel_receive(b->fake, belief, top + 3 + 2 * window, 1), -EALREADY);
	assert_int_equal(fake_kernel_receive_next(b->fake, belief, 1), 0);
	bench_assert_sound(b);
}

static void test_replay_windows(void **state)
{
	struct bench *b = *state;

	check_window(b, &(struct fake_sa_spec){
				.spi = 1, .inbound = true, .window = 32, .sequence = 500});
	check_window(b, &(struct fake_sa_spec){
				.spi = 2, .inbound = true, .window = 100, .sequence = 500});
	check_window(
		b, &(struct fake_sa_spec){
			   .spi = 3, .inbound = true, .esn = true, .window = 64, .sequence = 500});
	/* Across 2^32. */
	check_window(b, &(struct fake_sa_spec){.spi = 4,
					       .inbound = true,
					       .esn = true,
					       .window = 64,
					       .sequence = 0xfffffff0});
	check_window(b, &(struct fake_sa_spec){.spi = 5,
					       .inbound = true,
					       .esn = true,
					       .window = 64,
					       .sequence = UINT64_C(0x2ffffffff)});
}

static void test_sequence_space(void **state)
{
	struct bench *b = *state;
	struct fake_belief *plain =
		bench_install(b, &(struct fake_sa_spec){.spi = 1, .sequence = 0xfffffffe});
	struct fake_belief *esn = bench_install(
		b,
		&(struct fake_sa_spec){.spi = 2, .peer = 1, .esn = true, .sequence = 0xfffffffe});

	assert_int_equal(fake_kernel_send(b->fake, plain, 3, 1), 1);
	assert_int_equal(fake_kernel_send(b->fake, esn, 3, 1), 3);
	assert_int_equal(fake_kernel_view(b->fake, esn).sequence_out, UINT64_C(0x100000001));
	bench_assert_sound(b);
}

/* The youngest that is not dying is used (xfrm_state_look_at()). */
static void test_rekey_selection(void **state)
{
	struct bench *b = *state;
	struct fake_belief *predecessor = bench_install(b, &(struct fake_sa_spec){.spi = 1});
	struct fake_belief *successor = NULL;

	fake_kernel_advance(b->fake, 10);
	assert_int_equal(fake_ike_rekey(b->fake, predecessor, 2, &successor), 0);
	fake_kernel_advance(b->fake, 10);
	assert_int_equal(fake_kernel_send(b->fake, predecessor, 1, 1), 1);
	assert_int_equal(fake_kernel_view(b->fake, successor).sequence_out, 1);
	bench_remake(b, predecessor, NULL, true);
	assert_int_equal(fake_kernel_send(b->fake, predecessor, 1, 1), 1);
	assert_int_equal(fake_kernel_view(b->fake, successor).sequence_out, 2);
	bench_assert_sound(b);
	/* Without XFRMA_LTIME_VAL the old one becomes the youngest. */
	bench_remake(b, predecessor, NULL, false);
	assert_int_equal(fake_kernel_send(b->fake, predecessor, 1, 1), 1);
	assert_int_equal(fake_kernel_view(b->fake, predecessor).sequence_out, 1);
	assert_true(fake_kernel_check(b->fake, 0, NULL) > 0);
}

static void test_limits(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief =
		bench_install(b, &(struct fake_sa_spec){.soft_seconds = 50, .hard_seconds = 100});

	fake_kernel_advance(b->fake, 50);
	assert_true(fake_kernel_view(b->fake, belief).dying);
	fake_kernel_advance(b->fake, 50);
	assert_false(fake_kernel_view(b->fake, belief).exists);
	bench_assert_sound(b);
}

static void test_faults(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	bench_add(b, XFRM_MSG_GETSA, belief);
	bench_add(b, XFRM_MSG_GETSA, belief);
	fake_kernel_set_fault(
		b->fake,
		&(struct fake_fault){.kind = FAKE_FAULT_REFUSE, .occurrence = 1, .error = -ENOMEM});
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(b->batch.answers[1].error, -ENOMEM);
	assert_int_equal(b->n_messages, 1);

	fake_kernel_set_fault(
		b->fake, &(struct fake_fault){.kind = FAKE_FAULT_LOSE_ANSWER, .occurrence = 1});
	assert_int_equal(bench_transact(b), -ETIMEDOUT);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(b->batch.answers[1].error, -ETIMEDOUT);

	fake_kernel_set_fault(b->fake,
			      &(struct fake_fault){.kind = FAKE_FAULT_SEND, .error = -ENOBUFS});
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(bench_transact(b), -ENOBUFS);
	assert_true(fake_kernel_view(b->fake, belief).exists);

	fake_kernel_set_fault(b->fake, &(struct fake_fault){.kind = FAKE_FAULT_LOSE_NOTE});
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(b->n_messages, 0);
	assert_false(fake_kernel_view(b->fake, belief).exists);
}

/* Sends GETSA, GETAE, three times, in two buffers. Returns which of the six messages were
 * refused. */
static unsigned send_six(struct bench *b, const struct fake_belief *belief)
{
	unsigned refused = 0;

	for (unsigned i = 0; i < 6; i++) {
		if (i % 3 == 0)
			kernel_batch_clear(&b->batch);
		bench_add(b, i % 2 ? XFRM_MSG_GETAE : XFRM_MSG_GETSA, belief);
		if (i % 3 < 2)
			continue;
		assert_int_equal(bench_transact(b), 0);
		for (unsigned j = 0; j < 3; j++)
			refused |= (b->batch.answers[j].error == -ENOMEM) << (i - 2 + j);
	}
	return refused;
}

/* The messages that a fault affects, and the type of the first of them. */
static void test_what_faults_strike(void **state)
{
	static const struct {
		struct fake_fault fault;
		unsigned refused;
		uint16_t struck;
	} cases[] = {
		{{.occurrence = 2}, 0b000100, XFRM_MSG_GETSA},
		{{.occurrence = 3, .count = 2}, 0b011000, XFRM_MSG_GETAE},
		{{.occurrence = 1, .onward = true}, 0b111110, XFRM_MSG_GETAE},
		{{.occurrence = 6, .onward = true}, 0, 0},
		{{.type = XFRM_MSG_GETAE}, 0b000010, XFRM_MSG_GETAE},
		{{.type = XFRM_MSG_GETAE, .occurrence = 1}, 0b001000, XFRM_MSG_GETAE},
		{{.type = XFRM_MSG_GETSA, .count = 2}, 0b000101, XFRM_MSG_GETSA},
		{{.type = XFRM_MSG_GETSA, .count = 7}, 0b010101, XFRM_MSG_GETSA},
		{{.type = XFRM_MSG_GETAE, .occurrence = 1, .onward = true},
		 0b111000,
		 XFRM_MSG_GETAE},
		{{.type = XFRM_MSG_GETAE, .onward = true, .count = 3}, 0b001110, XFRM_MSG_GETAE},
		{{.type = XFRM_MSG_GETAE, .occurrence = 3, .onward = true}, 0, 0},
		{{.type = XFRM_MSG_DELSA, .onward = true}, 0, 0},
	};
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_fault fault = cases[i].fault;

		fault.kind = FAKE_FAULT_REFUSE;
		fault.error = -ENOMEM;
		fake_kernel_restart_counts(b->fake);
		fake_kernel_set_fault(b->fake, &fault);
		assert_int_equal(fake_kernel_struck(b->fake), 0);
		assert_int_equal(send_six(b, belief), cases[i].refused);
		assert_int_equal(fake_kernel_messages(b->fake, 0), 6);
		assert_int_equal(fake_kernel_messages(b->fake, XFRM_MSG_GETSA), 3);
		assert_int_equal(fake_kernel_last_message(b->fake), XFRM_MSG_GETAE);
		fake_kernel_end_fault(b->fake);
		assert_int_equal(send_six(b, belief), 0);
		assert_int_equal(fake_kernel_struck(b->fake), cases[i].struck);
	}
}

/* A buffer fails for any message in it, and its unsent messages count too. */
static void test_faults_of_buffers(void **state)
{
	static const enum fake_fault_kind kinds[] = {FAKE_FAULT_SEND, FAKE_FAULT_RECEIVE};
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	for (size_t i = 0; i < ELEMENTSOF(kinds); i++) {
		kernel_batch_clear(&b->batch);
		bench_add(b, XFRM_MSG_GETSA, belief);
		bench_add(b, XFRM_MSG_GETAE, belief);
		bench_add(b, XFRM_MSG_GETSA, belief);
		fake_kernel_restart_counts(b->fake);
		fake_kernel_set_fault(b->fake, &(struct fake_fault){.kind = kinds[i],
								    .type = XFRM_MSG_GETAE,
								    .occurrence = 1,
								    .error = -ENOBUFS});
		assert_int_equal(bench_transact(b), 0);
		assert_int_equal(bench_transact(b), -ENOBUFS);
		assert_int_equal(fake_kernel_struck(b->fake), XFRM_MSG_GETAE);
		assert_int_equal(bench_transact(b), 0);
		assert_int_equal(fake_kernel_messages(b->fake, 0), 9);
		assert_int_equal(fake_kernel_messages(b->fake, XFRM_MSG_GETSA), 6);
	}
}

static void count_steps(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			void *userdata)
{
	unsigned *counts = userdata;

	assert_int_equal(step, counts[0] + counts[1] + counts[2] + counts[3]);
	counts[moment]++;
	if (moment == FAKE_BEFORE_MESSAGE && counts[moment] == 2)
		fake_kernel_kill(k);
}

static void test_hooks_and_kill(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});
	unsigned counts[FAKE_AFTER_TRANSACT + 1] = {};

	fake_kernel_set_hook(b->fake, count_steps, counts);
	bench_add(b, XFRM_MSG_GETSA, belief);
	bench_add(b, XFRM_MSG_DELSA, belief);
	/* Killed before the DELSA: the kernel still processes the complete buffer. */
	assert_int_equal(bench_transact(b), -ESHUTDOWN);
	assert_int_equal(b->batch.answers[0].error, -ETIMEDOUT);
	assert_false(fake_kernel_view(b->fake, belief).exists);
	assert_int_equal(counts[FAKE_BEFORE_TRANSACT], 1);
	assert_int_equal(counts[FAKE_BEFORE_MESSAGE], 2);
	assert_int_equal(counts[FAKE_AFTER_TRANSACT], 1);
	assert_int_equal(bench_transact(b), -ESHUTDOWN);
	kernel_free(b->kernel);
	assert_int_equal(fake_kernel_open(b->fake, &b->kernel), 0);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[1].error, -ESRCH);
}

static void test_events(void **state)
{
	struct bench *b = *state;
	struct pollfd fd = {.fd = kernel_event_fd(b->kernel), .events = POLLIN};
	struct fake_belief *belief;

	assert_int_equal(poll(&fd, 1, 0), 0);
	belief = bench_install(b, &(struct fake_sa_spec){});
	assert_int_equal(poll(&fd, 1, 0), 1);
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), 0);
	assert_int_equal(b->types[0], XFRM_MSG_NEWSA);
	assert_false(b->own);
	assert_int_equal(poll(&fd, 1, 0), 0);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(bench_transact(b), 0);
	b->own = false;
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), 0);
	assert_true(b->own);

	fake_kernel_config(b->fake)->event_queue = 2;
	b->n_messages = 0;
	for (uint32_t spi = 1; spi <= 5; spi++)
		(void)bench_install(b, &(struct fake_sa_spec){.spi = spi, .peer = spi});
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), -ENOBUFS);
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), 0);
	assert_int_equal(b->n_messages, 2);
	assert_int_equal(kernel_dump(b->kernel, XFRM_MSG_GETSA, bench_take, b), 0);
	assert_int_equal(b->n_messages, 7);
}

static bool drop_lifetime(struct nlmsghdr *message, void *userdata)
{
	uint8_t *data = (uint8_t *)message;
	size_t offset = NLMSG_SPACE(sizeof(struct xfrm_usersa_info));

	(void)userdata;
	while (message->nlmsg_type == XFRM_MSG_NEWSA && offset < message->nlmsg_len) {
		struct nlattr *attribute = (struct nlattr *)(data + offset);

		if (attribute->nla_type == XFRMA_LTIME_VAL)
			attribute->nla_type = XFRMA_PAD;
		offset += NLA_ALIGN(attribute->nla_len);
	}
	return true;
}

/* The invariants notice violations. */
static void test_check_notices(void **state)
{
	struct bench *b = *state;
	struct fake_belief *out = bench_install(b, &(struct fake_sa_spec){.spi = 1});
	struct fake_belief *in =
		bench_install(b, &(struct fake_sa_spec){.spi = 2, .inbound = true});
	struct fake_belief *gone = bench_install(b, &(struct fake_sa_spec){.spi = 3, .peer = 2});

	/* Installed again from an old image: numbers are used twice, packets are accepted twice. */
	bench_get(b, out);
	assert_int_equal(fake_kernel_send(b->fake, out, 2, 1), 2);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, out);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	assert_int_equal(bench_transact(b), 0);
	assert_true(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, NULL) == 1);
	assert_int_equal(fake_kernel_send(b->fake, out, 3, 1), 3);
	assert_true(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, NULL) == 1);
	fake_ike_forget(b->fake, out);
	bench_get(b, in);
	assert_int_equal(fake_kernel_receive_next(b->fake, in, 1), 0);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, in);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, NULL), 2);
	assert_int_equal(fake_kernel_receive(b->fake, in, 1, 1), 0);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, NULL), 2);

	/* A deleted SA is installed again. */
	bench_get(b, gone);
	assert_int_equal(fake_ike_delete(b->fake, gone), 0);
	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, NULL), 3);
}

static void test_filter(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	fake_kernel_advance(b->fake, 3);
	fake_kernel_set_filter(b->fake, drop_lifetime, NULL);
	bench_remake(b, belief, NULL, true);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
}

static void test_unknown_attribute(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	fake_kernel_plant(b->fake, belief, 44, "abc", 4);
	bench_get(b, belief);
	assert_non_null(bench_find(b, sizeof(struct xfrm_usersa_info), 44));
	/* NEWSA does not contain it, so it is lost, and the check notices that. */
	bench_remake(b, belief, NULL, true);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
}

/* For a template that names an SPI, a larval SA with another SPI is no acquire in progress. The
 * larval SA of the ACQUIRE has the SPI of the template, so NEWSA with this SPI is refused. */
static void test_template_names_spi(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	fake_kernel_config(b->fake)->templates_name_spi = true;
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add_larval(b, 1);
	bench_add(b, XFRM_MSG_DELSA, belief);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	assert_int_equal(fake_kernel_send(b->fake, belief, 2, 100), 0);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
	assert_true(fake_kernel_view(b->fake, belief).larval);

	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	bench_add_copy(b, XFRM_MSG_UPDSA, NULL, true);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	assert_int_equal(b->batch.answers[0].error, -EEXIST);
	assert_int_equal(b->batch.answers[1].error, 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_LARVALS_MAY_STAY, stderr), 0);
}

/* A packet that found no SA inserts its larval SA without another lookup, so beside the SA. */
static void test_larval_beside_the_sa(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	fake_kernel_config(b->fake)->templates_name_spi = true;
	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	fake_kernel_hold_lookup(b->fake, belief);
	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	assert_int_equal(b->batch.answers[0].error, 0);
	fake_kernel_end_lookup(b->fake);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
	assert_int_equal(fake_kernel_count(b->fake, true), 1);
	/* Requests find the larval SA, packets the other one. */
	assert_true(fake_kernel_view(b->fake, belief).larval);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);

	/* A packet that finds the larval SA, whatever its reqid, is dropped. */
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	bench_add(b, XFRM_MSG_DELSA, belief);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	assert_int_equal(b->batch.answers[1].error, 0);
	((struct xfrm_usersa_info *)NLMSG_DATA((struct nlmsghdr *)b->first))->reqid ^= 1;
	kernel_batch_clear(&b->batch);
	bench_add_larval(b, 0x1000);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 0);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_replay_windows),
		BENCH_TEST(test_sequence_space),
		BENCH_TEST(test_rekey_selection),
		BENCH_TEST(test_limits),
		BENCH_TEST(test_faults),
		BENCH_TEST(test_what_faults_strike),
		BENCH_TEST(test_faults_of_buffers),
		BENCH_TEST(test_hooks_and_kill),
		BENCH_TEST(test_events),
		BENCH_TEST(test_check_notices),
		BENCH_TEST(test_filter),
		BENCH_TEST(test_unknown_attribute),
		BENCH_TEST(test_template_names_spi),
		BENCH_TEST(test_larval_beside_the_sa),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
