/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The policy detects a NIC that slows SAs down, and nothing else counts against the NIC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../sim/random.h"
#include "cleanup.h"
#include "policy-world.h"

#include <math.h>

struct verdicts {
	unsigned slower, cleared;
	struct policy_verdict last[64]; /* by SA; `before` is 0 if there is no verdict */
};

/* Runs one second, in which every move succeeds. Returns the number of doubted SAs. */
static unsigned live(struct world *world, struct verdicts *verdicts)
{
	unsigned doubted = 0;

	world_tick(world);
	for (size_t i = 0; i < world->n; i++) {
		struct policy_verdict verdict;

		if (!policy_sa_take_verdict(world->policy, world->sas[i], &verdict))
			continue;
		assert_false(policy_sa_take_verdict(world->policy, world->sas[i], &verdict));
		assert_int_equal(verdict.table, world->table);
		verdicts->slower += verdict.slower;
		verdicts->cleared += !verdict.slower;
		verdicts->last[i] = verdict;
	}
	for (size_t i = 0; i < world->n_moves; i++)
		doubted += world->moves[i].reason == POLICY_REASON_DOUBTED;
	world_report(world, POLICY_DONE);
	return doubted;
}

static unsigned live_for(struct world *world, struct verdicts *verdicts, int seconds)
{
	unsigned doubted = 0;

	while (seconds-- > 0)
		doubted += live(world, verdicts);
	return doubted;
}

/* Runs until the SA is in the wanted place; returns the seconds. */
static int live_until(struct world *world, struct verdicts *verdicts, size_t sa, bool resident)
{
	int seconds = 0;

	while (world_resident(world, sa) != resident) {
		(void)live(world, verdicts);
		assert_true(++seconds < 600);
	}
	return seconds;
}

/* A world with one SA in the NIC that carries less from now on. */
static size_t open_with_less_in_nic(struct world *world, struct verdicts *verdicts)
{
	size_t sa;

	world_open(world, &table_default);
	sa = world_add(world, 50 * MB, false);
	(void)live_until(world, verdicts, sa, true);
	world->rates[sa] = 20 * MB;
	return sa;
}

static void test_an_sa_that_is_slowed_down_goes_back_and_waits(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;
	int seconds;

	(void)state;
	world_open(&world, &table_default);
	sa = world_add(&world, 50 * MB, false);
	world.in_nic[sa] = 0.5;
	(void)live_until(&world, &verdicts, sa, true);
	seconds = live_until(&world, &verdicts, sa, false);
	assert_true(seconds >= 4 && seconds <= 10);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_DOUBTED);
	assert_reason(&world, sa, POLICY_REASON_DOUBTED);
	assert_int_equal(verdicts.slower + verdicts.cleared, 0);

	(void)live_for(&world, &verdicts, 5);
	assert_int_equal(verdicts.slower, 1);
	assert_false(verdicts.last[sa].stopped);
	assert_true(fabs(verdicts.last[sa].before - 50 * MB) < MB);
	assert_true(fabs(verdicts.last[sa].in_nic - 25 * MB) < MB);
	assert_true(fabs(verdicts.last[sa].after - 50 * MB) < MB);
	assert_reason(&world, sa, POLICY_REASON_MADE_WORSE);
	/* Again after one minute, then after two. */
	seconds = live_until(&world, &verdicts, sa, true);
	assert_true(seconds >= 55 && seconds <= 65);
	(void)live_until(&world, &verdicts, sa, false);
	(void)live_for(&world, &verdicts, 5);
	assert_int_equal(verdicts.slower, 2);
	seconds = live_until(&world, &verdicts, sa, true);
	assert_true(seconds >= 115 && seconds <= 125);
	world_close(&world);
}

/* Broken packets are a certain fault: the result of a rate comparison does not shorten that
 * wait. */
static void test_a_doubt_does_not_excuse_broken_packets(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	sa = open_with_less_in_nic(&world, &verdicts);
	do
		world_tick(&world);
	while (world.n_moves == 0);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_DOUBTED);
	policy_sa_made_worse(world.policy, world.sas[sa], world.now);
	world_report(&world, POLICY_DONE);
	(void)live_for(&world, &verdicts, 40);
	assert_reason(&world, sa, POLICY_REASON_MADE_WORSE);
	assert_int_equal(verdicts.cleared, 0);
	world_close(&world);
}

static void test_traffic_that_goes_by_itself_is_not_the_nics_fault(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	sa = open_with_less_in_nic(&world, &verdicts);
	(void)live_until(&world, &verdicts, sa, false);
	(void)live_for(&world, &verdicts, 20);
	assert_int_equal(verdicts.cleared, 1);
	assert_int_equal(verdicts.slower, 0);
	assert_true(verdicts.last[sa].wait == 0);
	assert_true(world_resident(&world, sa));
	/* The next doubt comes later. */
	world.rates[sa] = 5 * MB;
	assert_int_equal(live_for(&world, &verdicts, 40), 0);
	assert_true(world_resident(&world, sa));
	world_close(&world);
}

/* An SA with a known rate in software that is in the NIC and is kept there by a rule from now
 * on. */
static size_t add_pinned(struct world *world, struct verdicts *verdicts, double in_nic)
{
	size_t sa = world_add(world, 50 * MB, false);

	(void)live_until(world, verdicts, sa, true);
	world->in_nic[sa] = in_nic;
	world->config.pinned = true;
	assert_int_equal(
		policy_sa_configure(world->policy, world->sas[sa], &world->config, world->now), 0);
	return sa;
}

static void test_an_sa_that_stands_still(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	world_open(&world, &table_default);
	sa = add_pinned(&world, &verdicts, 0);
	assert_true(live_until(&world, &verdicts, sa, false) <= 6);
	/* TCP needs some seconds until it retries. */
	world.rates[sa] = 0;
	(void)live_for(&world, &verdicts, 7);
	assert_int_equal(verdicts.slower + verdicts.cleared, 0);
	world.rates[sa] = 50 * MB;
	(void)live_for(&world, &verdicts, 8);
	assert_int_equal(verdicts.slower, 1);
	assert_true(verdicts.last[sa].stopped);
	world_close(&world);
}

/* A rule keeps it in the NIC, even if it is slower there. */
static void test_a_pinned_sa_stays_while_it_carries_something(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	world_open(&world, &table_default);
	sa = add_pinned(&world, &verdicts, 0.3);
	assert_int_equal(live_for(&world, &verdicts, 60), 0);
	assert_true(world_resident(&world, sa));
	world_close(&world);
}

/* An outage, or a busy CPU. */
static void test_what_slows_everything_is_no_reason_to_doubt(void **state)
{
	struct verdicts verdicts = {};
	struct world world;

	(void)state;
	world_open(&world, &table_default);
	for (int i = 0; i < 12; i++)
		world_add(&world, (20 - i) * MB, false);
	while (!world_resident(&world, 0) || !world_resident(&world, 1))
		(void)live(&world, &verdicts);
	for (size_t i = 0; i < world.n; i++)
		world.rates[i] /= 3;
	assert_int_equal(live_for(&world, &verdicts, 30), 0);
	assert_true(world_resident(&world, 0));
	world_close(&world);
}

/* A busy gateway for ten minutes. Returns the seconds after which half of the SAs that were in the
 * NIC at first were found to be slowed down, 0: never. */
static int live_with_noise(double sigma, double in_nic, struct verdicts *verdicts)
{
	struct policy_table_config config = table_default;
	struct random random = {.state = 7};
	struct world world;
	int half = 0;

	config.capacity = 33;
	world_open(&world, &config);
	for (int i = 0; i < 48; i++) {
		world_add(&world, 0, false);
		world.in_nic[i] = in_nic;
	}
	for (int t = 0; t < 600; t++) {
		for (int i = 0; i < 48; i++)
			world.rates[i] = random_lognormal(&random, 50 * MB / (1 + i), sigma);
		(void)live(&world, verdicts);
		if (half == 0 && 2 * verdicts->slower >= config.capacity)
			half = t + 1;
	}
	world_close(&world);
	return half;
}

static void test_noise_is_not_blamed(void **state)
{
	static const double sigmas[] = {0.05, 0.2, 0.5, 1};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(sigmas); i++) {
		struct verdicts verdicts = {};

		assert_int_equal(live_with_noise(sigmas[i], 1, &verdicts), 0);
		print_message("noise %g: %u wrongly blamed, %u cleared\n", sigmas[i],
			      verdicts.slower, verdicts.cleared);
		assert_int_equal(verdicts.slower, 0);
		assert_true(verdicts.cleared <= 1);
	}
}

static void test_a_slow_nic_is_found_in_the_noise(void **state)
{
	static const struct {
		double sigma, in_nic;
		int seconds;
	} table[] = {{0.05, 0.6, 60}, {0.1, 0.5, 60}, {0.3, 0.5, 90}, {0.5, 0.1, 60}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		struct verdicts verdicts = {};
		int half = live_with_noise(table[i].sigma, table[i].in_nic, &verdicts);

		print_message("noise %g, %g in the NIC: half found after %d s, %u cleared\n",
			      table[i].sigma, table[i].in_nic, half, verdicts.cleared);
		assert_in_range(half, 1, table[i].seconds);
		assert_true(verdicts.cleared <= 2);
	}
}

/* An SA that is sampled in software for some time before it may be promoted. */
static size_t add_well_known(struct world *world, double rate, double seconds)
{
	struct policy_sa_config config = world->config;
	size_t sa;

	world->config.banned = true;
	sa = world_add(world, rate, false);
	for (int i = 0; i < 20; i++) {
		world->now += seconds - 1;
		world_tick(world);
		world_report(world, POLICY_DONE);
	}
	world->config = config;
	assert_int_equal(policy_sa_configure(world->policy, world->sas[sa], &config, world->now),
			 0);
	return sa;
}

static void test_who_is_back_at_its_usual_rate_has_only_had_its_peak(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	world_open(&world, &table_default);
	world.config.min_rate = 25 * MB;
	sa = add_well_known(&world, 20 * MB, 1);
	(void)live_for(&world, &verdicts, 10);
	assert_false(world_resident(&world, sa));
	world.rates[sa] = 50 * MB;
	(void)live_until(&world, &verdicts, sa, true);
	world.rates[sa] = 20 * MB;
	assert_int_equal(live_for(&world, &verdicts, 30), 0);
	world_close(&world);
}

/* Bytes carried in the second of the move were carried partly in software and partly in the NIC. */
static void test_the_second_of_the_move_does_not_count(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;
	unsigned ticks = 0;

	(void)state;
	world_open(&world, &table_default);
	sa = add_well_known(&world, 50 * MB, 1);
	while (world_tick(&world) == 0)
		;
	world.now += 0.5;
	world.bytes[sa] += (uint64_t)(world.rates[sa] / 2);
	world_report(&world, POLICY_DONE);
	world.in_nic[sa] = 0;
	world.now -= 0.5;
	while (live(&world, &verdicts) == 0)
		ticks++;
	assert_int_equal(ticks, 4);
	world_close(&world);
}

/* With minutes between samples the rate may have changed for other reasons. */
static void test_rare_samples_tell_nothing(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	world_open(&world, &table_default);
	sa = add_well_known(&world, 50 * MB, 300);
	world.in_nic[sa] = 0;
	for (int i = 0; i < 50; i++) {
		world.now += 299;
		assert_int_equal(live(&world, &verdicts), 0);
	}
	assert_true(world_resident(&world, sa));
	world_close(&world);
}

/* The comparison does not end: the successor starts without it. */
static void test_a_rekey_ends_it(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa, successor;

	(void)state;
	world_open(&world, &table_default);
	sa = world_add_lineage(&world, 50 * MB, false, "tunnel");
	world.in_nic[sa] = 0.5;
	(void)live_until(&world, &verdicts, sa, true);
	(void)live_until(&world, &verdicts, sa, false);
	successor = world_add_lineage(&world, 50 * MB, false, "tunnel");
	world.rates[sa] = 0;
	assert_true(live_until(&world, &verdicts, successor, true) <= 3);
	assert_int_equal(verdicts.slower + verdicts.cleared, 0);
	world_close(&world);
}

/* In observe mode nothing was moved, so there is nothing to compare. */
static void test_what_is_pretended_is_not_compared(void **state)
{
	struct world world;
	size_t sa;

	(void)state;
	world_open(&world, &table_default);
	sa = world_add(&world, 50 * MB, false);
	for (int i = 0; i < 60; i++) {
		world_tick(&world);
		for (size_t j = 0; j < world.n_moves; j++)
			assert_int_equal(world.moves[j].action, POLICY_PROMOTE);
		world_report(&world, POLICY_PRETENDED);
		if (world_resident(&world, sa))
			world.rates[sa] = 20 * MB;
	}
	assert_true(world_resident(&world, sa));
	world_close(&world);
}

/* A doubt is a move, and its cost is limited. */
static void test_doubts_are_paid_for(void **state)
{
	struct policy_table_config config = table_default;
	struct verdicts verdicts = {};
	struct world world;
	size_t sa;

	(void)state;
	config.moves_per_second = 0;
	config.moves_burst = 1;
	world_open(&world, &config);
	sa = world_add(&world, 50 * MB, false);
	world.in_nic[sa] = 0.5;
	(void)live_until(&world, &verdicts, sa, true);
	assert_int_equal(live_for(&world, &verdicts, 60), 0);
	assert_true(world_resident(&world, sa));
	world_close(&world);
}

/* Moves cost so much that promotions leave no surplus: the bytes that an SA carries back in
 * software pay for the next doubt. */
static void test_a_nic_that_is_to_blame_is_asked_on(void **state)
{
	struct policy_table_config config = table_default;
	struct verdicts verdicts = {};
	struct world world;

	(void)state;
	config.migration_bytes = 50 * MB;
	config.capacity = 4;
	world_open(&world, &config);
	for (int i = 0; i < 4; i++) {
		world_add(&world, 50 * MB, false);
		world.in_nic[i] = 0;
	}
	(void)live_for(&world, &verdicts, 50);
	assert_int_equal(verdicts.slower, 4);
	world_close(&world);
}

/* The surplus of a promotion over its cost also pays for doubts. */
static void test_a_nic_that_was_cleared_is_asked_again_later(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t first, second;

	(void)state;
	world_open(&world, &table_default);
	first = add_well_known(&world, 50 * MB, 1);
	(void)live_until(&world, &verdicts, first, true);
	world.rates[first] = 20 * MB;
	(void)live_for(&world, &verdicts, 80);
	assert_int_equal(verdicts.cleared, 1);
	second = add_well_known(&world, 50 * MB, 1);
	world.in_nic[second] = 0.5;
	(void)live_for(&world, &verdicts, 20);
	assert_int_equal(verdicts.slower, 1);
	world_close(&world);
}

static void test_its_table_goes(void **state)
{
	struct verdicts verdicts = {};
	struct world world;
	size_t sa, other;

	(void)state;
	world_open(&world, &table_default);
	sa = world_add(&world, 50 * MB, false);
	other = world_add(&world, 40 * MB, false);
	world.in_nic[sa] = 0.5;
	(void)live_until(&world, &verdicts, other, true);
	(void)live_until(&world, &verdicts, sa, false);
	assert_true(world_resident(&world, other));
	policy_table_remove(world.policy, world.table, world.now);
	/* `other` was compared in the NIC; `sa` waits in software for its result. */
	assert_int_equal(live_for(&world, &verdicts, 20), 0);
	assert_false(world_resident(&world, sa) || world_resident(&world, other));
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_an_sa_that_is_slowed_down_goes_back_and_waits),
		cmocka_unit_test(test_a_doubt_does_not_excuse_broken_packets),
		cmocka_unit_test(test_traffic_that_goes_by_itself_is_not_the_nics_fault),
		cmocka_unit_test(test_an_sa_that_stands_still),
		cmocka_unit_test(test_a_pinned_sa_stays_while_it_carries_something),
		cmocka_unit_test(test_what_slows_everything_is_no_reason_to_doubt),
		cmocka_unit_test(test_noise_is_not_blamed),
		cmocka_unit_test(test_a_slow_nic_is_found_in_the_noise),
		cmocka_unit_test(test_who_is_back_at_its_usual_rate_has_only_had_its_peak),
		cmocka_unit_test(test_the_second_of_the_move_does_not_count),
		cmocka_unit_test(test_rare_samples_tell_nothing),
		cmocka_unit_test(test_a_rekey_ends_it),
		cmocka_unit_test(test_what_is_pretended_is_not_compared),
		cmocka_unit_test(test_doubts_are_paid_for),
		cmocka_unit_test(test_a_nic_that_is_to_blame_is_asked_on),
		cmocka_unit_test(test_a_nic_that_was_cleared_is_asked_again_later),
		cmocka_unit_test(test_its_table_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
