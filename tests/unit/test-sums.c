// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sums that are updated instead of counted: SAs in NICs, the rates of SAs, and the histories.
 * check_sums() compares the first with a count at the end of every test of the manager.
 */
#include "manager-bench.h"

#include "control/describe.h"
#include "failing.h"
#include "placement/load.h"

#include <jansson.h>
#include <math.h>

FAILING(void *, calloc, NULL, (size_t n, size_t size), (n, size))
FAILING(void *, reallocarray, NULL, (void *p, size_t n, size_t size), (p, n, size))

static void check_holder(const struct holders *holders, int ifindex, uint32_t in, uint32_t out,
			 uint32_t foreign_in, uint32_t foreign_out)
{
	struct holder holder = holders_get(holders, ifindex);

	assert_int_equal(holder.ifindex, ifindex);
	assert_int_equal(holder.in, in);
	assert_int_equal(holder.out, out);
	assert_int_equal(holder.foreign_in, foreign_in);
	assert_int_equal(holder.foreign_out, foreign_out);
}

static void test_holders(void **state)
{
	struct holders holders = {};

	(void)state;
	holders_add(&holders, 0, SA_DIRECTION_IN, false); /* software */
	assert_int_equal(holders.n_held, 0);
	holders_add(&holders, 7, SA_DIRECTION_IN, false);
	holders_add(&holders, 7, SA_DIRECTION_IN, true);
	holders_add(&holders, 7, SA_DIRECTION_OUT, true);
	holders_add(&holders, 8, SA_DIRECTION_UNKNOWN, false);
	holders_add(&holders, 9, SA_DIRECTION_OUT, false);
	check_holder(&holders, 7, 2, 1, 1, 1);
	check_holder(&holders, 8, 0, 1, 0, 0);
	check_holder(&holders, 10, 0, 0, 0, 0);
	assert_int_equal(holders.n_held, 5);

	/* Nothing is kept for a NIC without SAs, whichever it is. */
	holders_remove(&holders, 8, SA_DIRECTION_UNKNOWN, false);
	assert_int_equal(holders.n, 2);
	check_holder(&holders, 8, 0, 0, 0, 0);
	check_holder(&holders, 9, 0, 1, 0, 0);
	holders_remove(&holders, 7, SA_DIRECTION_IN, true);
	check_holder(&holders, 7, 1, 1, 0, 1);
	holders_remove(&holders, 7, SA_DIRECTION_OUT, true);
	check_holder(&holders, 7, 1, 0, 0, 0);
	holders_remove(&holders, 7, SA_DIRECTION_IN, false);
	holders_remove(&holders, 9, SA_DIRECTION_OUT, false);
	assert_int_equal(holders.n, 0);
	assert_int_equal(holders.n_held, 0);

	/* Not counted without memory, and its removal has no effect. */
	failing_in = 1;
	holders_add(&holders, 7, SA_DIRECTION_IN, false);
	assert_int_equal(holders.n_held, 0);
	holders_remove(&holders, 7, SA_DIRECTION_IN, false);
	assert_int_equal(holders.n_held, 0);
	holders_release(&holders);
}

static bool is(double rate, double expected)
{
	return expected == 0 ? rate == 0 : fabs(rate / expected - 1) < 0.05;
}

static void test_history(void **state)
{
	struct sa_history *history = NULL;

	(void)state;
	assert_true(sa_history_get(NULL, 5) == 0);
	sa_history_set(&history, 5, 0.5);
	assert_null(history); /* nothing to record */
	sa_history_set(&history, 6, 1e6);
	sa_history_set(&history, 6, 2e6); /* the last value is kept */
	sa_history_set(&history, 7, 0);
	sa_history_set(&history, 10, 3e6); /* the mean of 8, 9 and 10 */
	assert_true(is(sa_history_get(history, 5), 0));
	assert_true(is(sa_history_get(history, 6), 2e6));
	assert_true(is(sa_history_get(history, 7), 0));
	assert_true(is(sa_history_get(history, 8), 3e6));
	assert_true(is(sa_history_get(history, 9), 3e6));
	assert_true(is(sa_history_get(history, 10), 3e6));
	assert_true(is(sa_history_get(history, 11), 0));

	/* After a complete ring the first values are overwritten. */
	sa_history_set(&history, 5 + CONTROL_HISTORY_SAMPLES, 4e6);
	assert_true(is(sa_history_get(history, 6), 2e6));
	assert_true(is(sa_history_get(history, 10), 3e6));
	assert_true(is(sa_history_get(history, 11), 4e6));
	assert_true(is(sa_history_get(history, 5 + CONTROL_HISTORY_SAMPLES), 4e6));
	sa_history_set(&history, 6 + CONTROL_HISTORY_SAMPLES, 0);
	assert_true(is(sa_history_get(history, 6), 0));
	assert_true(is(sa_history_get(history, 6 + CONTROL_HISTORY_SAMPLES), 0));
	assert_true(is(sa_history_get(history, 10), 3e6));

	/* After a long time no older value is returned. */
	sa_history_set(&history, 1000, 5e6);
	for (uint64_t i = 1001 - CONTROL_HISTORY_SAMPLES; i < 1000; i++)
		assert_true(is(sa_history_get(history, i), 5e6));
	/* After a minute without traffic nothing is kept. */
	for (uint64_t i = 1001; i < 1000 + CONTROL_HISTORY_SAMPLES; i++)
		sa_history_set(&history, i, 0);
	assert_non_null(history);
	sa_history_set(&history, 1000 + CONTROL_HISTORY_SAMPLES, 0);
	assert_null(history);

	/* The smallest rate that is kept; what is older than the ring is not its newest value. */
	sa_history_set(&history, 1500, 1);
	assert_true(sa_history_get(history, 1500) > 0);
	assert_true(sa_history_get(history, 1500 - CONTROL_HISTORY_SAMPLES) == 0);
	sa_history_set(&history, 1500, 0);
	assert_null(history);

	/* Numbers of samples before the first: the caller's subtraction wraps around. */
	for (uint64_t i = 1; i <= 5; i++)
		sa_history_set(&history, i, 1e6);
	for (uint64_t i = 1; i < CONTROL_HISTORY_SAMPLES; i++)
		assert_true(sa_history_get(history, -i) == 0);
	free(history);
	history = NULL;

	failing_in = 1;
	sa_history_set(&history, 2000, 1e6);
	assert_null(history);
}

/* The kernel sends 50 packets of 1,000 bytes in 20 ms. */
#define RATE 2.5e6

static double number(const json_t *object, const char *name)
{
	return json_number_value(json_object_get(object, name));
}

static void check_status(struct bench *b, size_t offloaded, double all, double in_nic)
{
	const char *error = NULL;
	struct methods methods = {.manager = b->manager};
	json_t *status = NULL;

	assert_int_equal(method_get_status(NULL, &methods, &status, &error), 0);
	assert_int_equal(number(status, "sas"), b->manager->sas->n);
	assert_int_equal(number(status, "offloaded"), offloaded);
	assert_true(is(number(status, "bytesPerSecond"), all));
	assert_true(is(number(status, "offloadedBytesPerSecond"), in_nic));
	assert_true(is(number(json_array_get(json_object_get(status, "nics"), 0), "bytesPerSecond"),
		       in_nic));
	json_decref(status);
}

static void work_of_two(struct bench *b, double seconds, struct fake_belief *beliefs[2])
{
	double end = b->now + seconds;

	while (b->now < end - 1e-9) {
		(void)fake_kernel_send(b->fake, beliefs[0], 50, 1000);
		(void)fake_kernel_send(b->fake, beliefs[1], 50, 1000);
		pass(b, 0.02);
	}
}

/* One SA that may be in the NIC, and one that may not. */
static void test_load(void **state)
{
	static const char text[] =
		"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"
		"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"
		"rules: [{match: {reqid: 2}, offload: never}]\n";
	struct fake_belief *beliefs[2];
	struct bench b;

	(void)state;
	open_bench_with(&b, text);
	check_status(&b, 0, 0, 0);
	for (unsigned i = 0; i < 2; i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	work_of_two(&b, 5, beliefs);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[0]).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[1]).ifindex, 0);
	check_status(&b, 1, 2 * RATE, RATE);
	assert_int_equal(nics_get(b.manager->nics, NIC)->load.competing_out, 2);
	assert_int_equal(nics_get(b.manager->nics, NIC)->load.competing_in, 0);
	assert_true(is(nics_get(b.manager->nics, NIC)->load.rate_out, 2 * RATE));

	/* A failed dump gives no sum. */
	fake_kernel_fail_dumps(b.fake, 1, -ENOMEM, true);
	assert_int_equal(manager_dump(b.manager), -ENOMEM);
	check_status(&b, 1, 2 * RATE, RATE);

	/* An SA that is gone does not count from the next dump on. */
	assert_int_equal(fake_ike_delete(b.fake, beliefs[0]), 0);
	settle(&b);
	check_status(&b, 0, 2 * RATE, RATE);
	work(&b, 5, beliefs[1]);
	check_status(&b, 0, RATE, 0);
	close_bench(&b);
}

/* SAs of another program count in the NIC, and do not compete. */
static void test_foreign_load(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1, .ifindex = NIC});
	work(&b, 5, belief);
	assert_true(entry(&b, belief)->residence.foreign);
	check_status(&b, 1, RATE, RATE);
	assert_int_equal(nics_get(b.manager->nics, NIC)->foreign_out, 1);
	assert_int_equal(nics_get(b.manager->nics, NIC)->load.competing_out, 0);
	close_bench(&b);
}

/* Continuous events do not delay the plan that the first of them caused. */
static void test_plan_during_events(void **state)
{
	struct fake_belief *belief;
	unsigned n = 0;
	struct bench b;

	(void)state;
	open_bench_with(&b,
			"mode: enforce\ninterval: 1min\nmoves-per-second: 1000\n"
			"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"
			"rules: [{match: {reqid: 1}, offload: always}]\n");
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	for (; n < 100 && fake_kernel_view(b.fake, belief).ifindex == 0; n++) {
		(void)add(&b, (struct fake_sa_spec){.spi = 0x2001 + n, .peer = 11 + n, .reqid = 2});
		pass(&b, 0.01);
	}
	assert_true(n < 5);
	close_bench(&b);
}

static int64_t count_of(const json_t *counts, const char *reason)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(counts, i, entry)
		if (strcmp(json_string_value(json_object_get(entry, "reason")), reason) == 0)
			return json_integer_value(json_object_get(entry, "count"));
	return 0;
}

/* The reasons of the SAs in software, as each is shown in a list, and nothing else. */
static json_t *count_reasons(struct bench *b)
{
	json_t *counts = json_array();
	const struct sa *sa;

	TAILQ_FOREACH(sa, &b->manager->sas->all, list) {
		struct policy_sa_view view = describe_view(b->manager, sa);
		struct explanation explanation;

		describe_place(b->manager, sa, &view, &explanation);
		if (sa->residence.ifindex == 0)
			assert_int_equal(describe_count(counts, explanation.reason, 1), 0);
	}
	return counts;
}

static json_t *get_status(struct bench *b)
{
	struct methods methods = {.manager = b->manager};
	const char *error = NULL;
	json_t *status = NULL;

	assert_int_equal(manager_dump(b->manager), 0);
	assert_int_equal(method_get_status(NULL, &methods, &status, &error), 0);
	return status;
}

static void check_reasons(struct bench *b, const char *const *reasons, size_t n)
{
	json_t *status = get_status(b), *expected = count_reasons(b);
	const json_t *counts = json_object_get(status, "software");
	const json_t *entry;
	size_t i;

	json_array_foreach(expected, i, entry) {
		const char *reason = json_string_value(json_object_get(entry, "reason"));

		if (count_of(counts, reason) != count_of(expected, reason))
			fail_msg("%s: %d instead of %d", reason, (int)count_of(counts, reason),
				 (int)count_of(expected, reason));
	}
	assert_int_equal(json_array_size(counts), json_array_size(expected));
	assert_int_equal(json_array_size(counts), n);
	for (i = 0; i < n; i++)
		assert_true(count_of(counts, reasons[i]) > 0);
	json_decref(expected);
	json_decref(status);
}

/* SAs in software are counted by their reason, and those of a NIC by the reason of their move. */
static void test_reasons(void **state)
{
	static const char *const reasons[] = {"banned", "refused", "tfc-padding", "idle"};
	static const char *const few[] = {"banned", "idle"};
	static const uint32_t padding = 64;
	struct fake_belief *beliefs[6];
	struct bench b;
	json_t *status;
	const json_t *nic;

	(void)state;
	open_bench_with(&b, "mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"
			    "nics: [{match: {name: eth0}, allow: true, trusted: true, "
			    "capacity: 4}]\n"
			    "rules: [{match: {reqid: 2}, offload: never}]\n");
	fake_kernel_nic(b.fake, NIC)->icv_128_only = true;
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
							   .peer = 10 + i,
							   .reqid = 1 + i,
							   .icv_bits = i == 2 ? 96 : 128});
	fake_kernel_plant(b.fake, beliefs[3], XFRMA_TFCPAD, &padding, sizeof(padding));
	work(&b, 3, beliefs[0]);
	work(&b, 3, beliefs[2]);
	check_reasons(&b, reasons, ELEMENTSOF(reasons));

	status = get_status(&b);
	nic = json_array_get(json_object_get(status, "nics"), 0);
	assert_int_equal(count_of(json_object_get(nic, "promoted"), "free-slot"), 1);
	assert_int_equal(json_array_size(json_object_get(nic, "promoted")), 1);
	assert_int_equal(json_array_size(json_object_get(nic, "evicted")), 0);
	assert_int_equal(count_of(json_object_get(nic, "refused"), "unsupported"), 1);
	json_decref(status);

	/* What is gone is not counted. */
	for (unsigned i = 2; i < 4; i++)
		assert_int_equal(fake_ike_delete(b.fake, beliefs[i]), 0);
	pass(&b, 0.3);
	check_reasons(&b, few, ELEMENTSOF(few));
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holders),      cmocka_unit_test(test_history),
		cmocka_unit_test(test_load),         cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_foreign_load), cmocka_unit_test(test_plan_during_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
