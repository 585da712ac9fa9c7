/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy library by example: each test checks one rule. Properties over random inputs are in
 * test-policy-random.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy-world.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static void test_free_slots_go_to_the_busiest(void **state)
{
	struct world world;
	size_t cold, warm, hot;

	world_open(&world, &table_default);
	cold = world_add(&world, 1 * MB, false);
	warm = world_add(&world, 10 * MB, false);
	hot = world_add(&world, 100 * MB, false);
	assert_reason(&world, cold, POLICY_REASON_UNKNOWN_RATE);
	world_run(&world, 5);
	assert_true(world_resident(&world, hot));
	assert_true(world_resident(&world, warm));
	assert_false(world_resident(&world, cold));
	assert_reason(&world, hot, POLICY_REASON_RESIDENT);
	assert_reason(&world, cold, POLICY_REASON_NOT_HOT_ENOUGH);
	assert_true(fabs(world_view(&world, hot).rate - 100 * MB) < 1);
	assert_int_equal(world_run(&world, 100), 0);
	world_close(&world);
}

static void test_a_hotter_one_displaces_the_coldest(void **state)
{
	struct world world;
	size_t cold, hot;

	world_open(&world, &table_default);
	cold = world_add(&world, 1 * MB, true);
	world_add(&world, 20 * MB, true);
	hot = world_add(&world, 0, false);
	assert_int_equal(world_run(&world, 10), 0);
	assert_reason(&world, hot, POLICY_REASON_IDLE);
	world.rates[hot] = 50 * MB;
	while (world_tick(&world) == 0)
		assert_true(world.now < 1030);
	assert_int_equal(world.n_moves, 2);
	assert_int_equal(world.moves[0].action, POLICY_EVICT);
	assert_int_equal(world.moves[0].sa, world.sas[cold]);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_COLDER);
	assert_int_equal(world.moves[0].other, world.sas[hot]);
	assert_int_equal(world.moves[1].action, POLICY_PROMOTE);
	assert_int_equal(world.moves[1].sa, world.sas[hot]);
	assert_int_equal(world.moves[1].reason, POLICY_REASON_HOTTER);
	assert_true(world.moves[1].gain > 2 * world.moves[1].cost);
	assert_true(world_view(&world, hot).pending);
	/* Pending moves are not planned again. */
	assert_int_equal(policy_plan(world.policy, world.now, &world.moves), 0);
	world_close(&world);
}

static void test_a_small_gain_does_not_pay(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;
	size_t rival;

	config.migration_bytes = 1e12;
	world_open(&world, &config);
	world_add(&world, 1 * MB, true);
	world_add(&world, 2 * MB, true);
	rival = world_add(&world, 10 * MB, false);
	assert_int_equal(world_run(&world, 30), 0);
	assert_reason(&world, rival, POLICY_REASON_GAIN_TOO_SMALL);
	assert_true(world_view(&world, rival).cost > 1e12);
	assert_true(world_view(&world, rival).gain < 2e12);
	assert_true(world_view(&world, rival).needed > world_view(&world, rival).gain);
	world_close(&world);
}

/* Within the margin it has to wait longer, but it is not kept out for ever. */
static void test_a_slightly_hotter_one_waits_and_comes_in(void **state)
{
	struct world world;
	size_t cold, rival;

	world_open(&world, &table_default);
	cold = world_add(&world, 10 * MB, true);
	world_add(&world, 100 * MB, true);
	rival = world_add(&world, 11 * MB, false);
	/* Without `patience` it would be promoted after 20 s. */
	assert_int_equal(world_run(&world, 30), 0);
	assert_reason(&world, rival, POLICY_REASON_GAIN_TOO_SMALL);
	assert_int_equal(world_run(&world, 30), 2);
	assert_true(world_resident(&world, rival));
	assert_reason(&world, cold, POLICY_REASON_NOT_HOT_ENOUGH);
	world_close(&world);
}

/* The time until a move is what passes until the policy plans it, if all rates stay as they are. */
static void test_the_time_until_a_move(void **state)
{
	struct policy_table_config config = table_default;
	size_t cold, rival;
	struct world world;
	double at;

	world_open(&world, &table_default);
	cold = world_add(&world, 10 * MB, true);
	world_add(&world, 100 * MB, true);
	rival = world_add(&world, 11 * MB, false);
	world_run(&world, 30);
	assert_reason(&world, rival, POLICY_REASON_GAIN_TOO_SMALL);
	assert_int_equal(world_view(&world, rival).other, world.sas[cold]);
	assert_true(fabs(world_view(&world, rival).boundary - 10 * MB) < 0.1 * MB);
	assert_true(fabs(world_view(&world, cold).boundary - 11 * MB) < 0.1 * MB);
	at = world.now + world_view(&world, rival).moves_in;
	assert_true(at > world.now + 5);
	assert_true(fabs(at - world.now - world_view(&world, cold).moves_in) < 1e-6);
	while (world_tick(&world) == 0)
		assert_true(world.now < at + 1);
	assert_true(world.now >= at - 1);
	assert_true(world_view(&world, rival).moves_in == 0); /* pending */
	world_report(&world, POLICY_DONE);
	/* Both were just moved. The colder one has no move ahead. */
	assert_reason(&world, cold, POLICY_REASON_DWELLING);
	assert_true(fabs(world_view(&world, cold).moves_in - 2) < 1e-6);
	world_run(&world, 5);
	assert_reason(&world, cold, POLICY_REASON_NOT_HOT_ENOUGH);
	assert_true(isinf(world_view(&world, cold).moves_in));
	world_close(&world);

	/* Half a move in each second. */
	config.moves_per_second = 0.5;
	config.moves_burst = 2;
	world_open(&world, &config);
	for (size_t i = 0; i < 3; i++)
		world_add(&world, (double)(i + 1) * 10 * MB, false);
	while (world_tick(&world) == 0)
		;
	world_report(&world, POLICY_DONE);
	world.rates[0] = 200 * MB;
	while (world_view(&world, 0).reason != POLICY_REASON_MOVES_SPENT)
		assert_int_equal(world_tick(&world), 0);
	at = world.now + world_view(&world, 0).moves_in;
	assert_true(at > world.now);
	while (world_tick(&world) == 0)
		assert_true(world.now < at + 1);
	assert_true(world.now >= at);
	world_close(&world);
}

/* The boundary is in the SA's own rate, whatever its weight is. */
static void test_the_boundary_has_the_weight(void **state)
{
	struct world world;
	size_t outside;

	world_open(&world, &table_default);
	world_add(&world, 40 * MB, true);
	world_add(&world, 100 * MB, true);
	world.config.weight = 4;
	outside = world_add(&world, 5 * MB, false);
	world_run(&world, 60);
	assert_reason(&world, outside, POLICY_REASON_NOT_HOT_ENOUGH);
	assert_true(fabs(world_view(&world, outside).boundary - 10 * MB) < 0.1 * MB);
	assert_true(fabs(world_view(&world, 0).boundary - 20 * MB) < 0.1 * MB);
	world_close(&world);
}

static void test_rules_keep_and_exclude(void **state)
{
	struct world world;
	size_t pinned, banned, minimum, immovable;

	world_open(&world, &table_default);
	world.config.pinned = true;
	pinned = world_add(&world, 0, false);
	world.config.pinned = false;
	world.config.banned = true;
	banned = world_add(&world, 100 * MB, true);
	world.config.banned = false;
	world.config.min_rate = 50 * MB;
	minimum = world_add(&world, 40 * MB, false);
	world.config.min_rate = 0;
	world.config.immovable = true;
	immovable = world_add(&world, 500 * MB, false);
	assert_int_equal(world_tick(&world), 2);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_BANNED);
	assert_int_equal(world.moves[1].reason, POLICY_REASON_PINNED);
	world_report(&world, POLICY_DONE);
	assert_int_equal(world_run(&world, 20), 0);
	assert_reason(&world, pinned, POLICY_REASON_PINNED);
	assert_reason(&world, banned, POLICY_REASON_BANNED);
	assert_reason(&world, minimum, POLICY_REASON_BELOW_MINIMUM);
	assert_reason(&world, immovable, POLICY_REASON_IMMOVABLE);
	assert_true(world_resident(&world, pinned));
	assert_false(world_resident(&world, banned));
	world_close(&world);
}

static void test_weight_counts(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;
	size_t heavy, plain;

	config.capacity = 1;
	world_open(&world, &config);
	plain = world_add(&world, 50 * MB, false);
	world.config.weight = 10;
	heavy = world_add(&world, 10 * MB, false);
	world_run(&world, 5);
	assert_true(world_resident(&world, heavy));
	assert_false(world_resident(&world, plain));
	assert_true(fabs(world_view(&world, heavy).rate - 10 * MB) < 1);
	world_close(&world);
}

static void test_no_tokens_no_voluntary_moves(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;
	size_t outsider;

	config.moves_burst = 0;
	config.moves_per_second = 0;
	world_open(&world, &config);
	world_add(&world, 1 * MB, true);
	world_add(&world, 2 * MB, true);
	outsider = world_add(&world, 50 * MB, false);
	assert_int_equal(world_run(&world, 20), 0);
	assert_reason(&world, outsider, POLICY_REASON_MOVES_SPENT);
	world_close(&world);
}

static void test_reserve_is_kept_for_successors(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;
	size_t predecessor, successor;

	config.capacity = 3;
	config.reserve = 1;
	world_open(&world, &config);
	predecessor = world_add_lineage(&world, 50 * MB, false, "rekeyed");
	world_add(&world, 40 * MB, false);
	world_add(&world, 30 * MB, false);
	world_run(&world, 5);
	assert_true(world_resident(&world, predecessor));
	successor = world_add_lineage(&world, 0, false, "rekeyed");
	assert_reason(&world, successor, POLICY_REASON_SUCCESSOR);
	assert_true(fabs(world_view(&world, successor).rate - 50 * MB) < 1);
	/* Before it carries traffic. */
	world.n_moves = policy_plan(world.policy, world.now, &world.moves);
	assert_int_equal(world.n_moves, 1);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_SUCCESSOR);
	world_report(&world, POLICY_DONE);
	/* The peer switches late: the inherited rate stays. */
	world.rates[predecessor] = 0;
	world_run(&world, 4);
	assert_true(fabs(world_view(&world, successor).rate - 50 * MB) < 1);
	world.rates[successor] = 50 * MB;
	world_run(&world, 4);
	assert_true(world_resident(&world, successor));
	/* Quiet and not deleted: it gives up its slot, which the next rekey needs. */
	assert_reason(&world, predecessor, POLICY_REASON_SUPERSEDED);
	world_run(&world, 10);
	assert_false(world_resident(&world, predecessor));
	world_close(&world);
}

static void test_a_full_table_hands_the_slot_over(void **state)
{
	struct world world;
	size_t predecessor, successor;

	world_open(&world, &table_default);
	predecessor = world_add_lineage(&world, 50 * MB, true, "rekeyed");
	world_add(&world, 40 * MB, true);
	world_run(&world, 5);
	successor = world_add_lineage(&world, 0, false, "rekeyed");
	world.n_moves = policy_plan(world.policy, world.now, &world.moves);
	assert_int_equal(world.n_moves, 2);
	assert_int_equal(world.moves[0].sa, world.sas[predecessor]);
	assert_int_equal(world.moves[0].action, POLICY_EVICT);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_SUPERSEDED);
	assert_int_equal(world.moves[1].sa, world.sas[successor]);
	world_close(&world);
}

static void test_heat_outlives_its_sa_for_a_minute(void **state)
{
	struct world world;
	policy_sa sa;
	struct policy_sa_view view = {};

	world_open(&world, &table_default);
	world_add_lineage(&world, 50 * MB, false, "reborn");
	world_run(&world, 5);
	policy_sa_remove(world.policy, world.sas[0], world.now);
	world.n = 0;
	world.now += 30;
	assert_int_equal(
		policy_sa_add(world.policy, &world.config, "reborn", 6, false, world.now, &sa), 0);
	policy_sa_get(world.policy, sa, world.now, &view);
	assert_true(fabs(view.rate - 50 * MB) < 1);
	assert_int_equal(policy_plan(world.policy, world.now, &world.moves), 1);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_SUCCESSOR);
	policy_sa_remove(world.policy, sa, world.now);
	world.now += 61;
	assert_int_equal(
		policy_sa_add(world.policy, &world.config, "reborn", 6, false, world.now, &sa), 0);
	policy_sa_get(world.policy, sa, world.now, &view);
	assert_true(view.rate == 0);
	assert_int_equal(view.reason, POLICY_REASON_UNKNOWN_RATE);
	world_close(&world);
}

static bool would_inherit(const struct world *world, const char *lineage)
{
	return policy_sa_would_inherit(world->policy, lineage, strlen(lineage), world->now);
}

static void test_known_before_it_is_added(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add_lineage(&world, 50 * MB, false, "busy");
	world_add_lineage(&world, 0, false, "idle");
	assert_false(would_inherit(&world, "busy"));
	world_run(&world, 5);
	assert_true(would_inherit(&world, "busy"));
	assert_false(would_inherit(&world, "idle"));
	assert_false(would_inherit(&world, "other"));
	policy_sa_remove(world.policy, world.sas[0], world.now);
	world.now += 60;
	assert_true(would_inherit(&world, "busy"));
	world.now += 1;
	assert_false(would_inherit(&world, "busy"));
	world_close(&world);
}

static void test_refusals_back_off(void **state)
{
	struct world world;
	double refused_at, wait = 60;

	world_open(&world, &table_default);
	world_add(&world, 50 * MB, false);
	for (int i = 0; i < 9; i++) {
		while (world_tick(&world) == 0)
			;
		assert_int_equal(world.n_moves, 1);
		if (i > 0)
			assert_true(world.now - refused_at >= wait / 2 &&
				    world.now - refused_at <= wait / 2 + 1.5);
		refused_at = world.now;
		world_report(&world, POLICY_REFUSED);
		assert_reason(&world, 0, POLICY_REASON_REFUSED);
		assert_true(fabs(world_view(&world, 0).retry_in - fmin(wait, 3600)) < 0.1);
		wait = fmin(2 * wait, 7200);
	}
	world_close(&world);
}

static struct policy_table_view table_view(const struct world *world)
{
	struct policy_table_view view = {};

	policy_table_get(world->policy, world->table, &view);
	return view;
}

/* The table holds `space` SAs, independent of its configured capacity. */
static void world_run_in_space(struct world *world, int seconds, uint32_t space)
{
	uint32_t used = 0;

	for (size_t i = 0; i < world->n; i++)
		used += world_resident(world, i);
	while (seconds-- > 0) {
		world_tick(world);
		for (size_t i = 0; i < world->n_moves; i++) {
			bool full = world->moves[i].action == POLICY_PROMOTE && used >= space;

			if (!full)
				used += world->moves[i].action == POLICY_PROMOTE ? 1 : -1;
			policy_report(world->policy, world->moves[i].sa,
				      full ? POLICY_NO_SPACE : POLICY_DONE, world->now);
		}
	}
}

static void test_capacity_is_learned_and_probed(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 100;
	world_open(&world, &config);
	for (int i = 0; i < 20; i++)
		world_add(&world, (10 + i) * MB, false);
	world_run_in_space(&world, 10, 5);
	assert_int_equal(table_view(&world).capacity, 5);
	assert_int_equal(table_view(&world).resident, 5);
	/* The five busiest are in the table. */
	world_run_in_space(&world, 30, 5);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(world_resident(&world, i), i >= 15);
	/* There is room for more SAs: probes find the free slots one by one. */
	world_run_in_space(&world, 200, 9);
	assert_int_equal(table_view(&world).resident, 9);
	world_run_in_space(&world, 7200, 1000);
	assert_int_equal(table_view(&world).resident, 20);
	world_close(&world);
}

/* A table that turns out to be small keeps the reserve of a small one. */
static void test_reserve_of_a_learned_capacity(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	(void)state;
	config.capacity = 1000;
	config.reserve = 4;
	world_open(&world, &config);
	for (int i = 0; i < 20; i++)
		world_add(&world, (10 + i) * MB, false);
	assert_int_equal(table_view(&world).reserve, 4);
	world_run_in_space(&world, 10, 3);
	assert_int_equal(table_view(&world).capacity, 3);
	assert_int_equal(table_view(&world).reserve, 0);
	/* Two SAs end: the free slots are used again. */
	for (size_t i = 0, n = 0; i < 20 && n < 2; i++)
		if (world_resident(&world, i)) {
			policy_sa_remove(world.policy, world.sas[i], world.now);
			world.sas[i] = POLICY_NONE;
			n++;
		}
	world_run_in_space(&world, 10, 3);
	assert_int_equal(table_view(&world).resident, 3);
	world_close(&world);
}

/* The table is full because of SAs that have left it: nothing is planned into it for 1, 2, 4 ... 16
 * s, and its capacity stays. */
static void test_slots_of_those_that_left(void **state)
{
	static const double waits[] = {1, 2, 4, 8, 16, 16};
	struct policy_table_config config = table_default;
	struct world world;
	double begin;

	(void)state;
	config.capacity = 2;
	config.moves_per_second = 0;
	config.moves_burst = 100;
	world_open(&world, &config);
	for (int i = 0; i < 4; i++)
		world_add(&world, (10 + i) * MB, false);
	while (world_tick(&world) == 0)
		;
	for (size_t i = 0; i < ELEMENTSOF(waits); i++) {
		double until = world.now + waits[i];

		assert_true(world.n_moves >= 1);
		assert_false(table_view(&world).waiting);
		world_report(&world, POLICY_NOT_YET);
		assert_true(table_view(&world).waiting);
		assert_int_equal(table_view(&world).capacity, 2);
		while (world_tick(&world) == 0)
			assert_true(world.now < until + 1.5);
		assert_true(world.now >= until - 1e-6);
	}
	world_report(&world, POLICY_DONE);
	assert_int_equal(table_view(&world).resident, 2);
	/* A success ends the doubling. */
	world_add(&world, 100 * MB, false);
	while (world_tick(&world) == 0)
		;
	for (size_t i = 0; i < world.n_moves; i++)
		policy_report(world.policy, world.moves[i].sa,
			      world.moves[i].action == POLICY_EVICT ? POLICY_DONE : POLICY_NOT_YET,
			      world.now);
	begin = world.now;
	while (world_tick(&world) == 0)
		assert_true(world.now < begin + 2.5);
	world_close(&world);
}

static void test_a_smaller_capacity_evicts_the_coldest(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 6;
	config.moves_per_second = 0;
	config.moves_burst = 6;
	world_open(&world, &config);
	for (int i = 0; i < 6; i++)
		world_add(&world, (10 + i) * MB, true);
	world_run(&world, 3);
	config.capacity = 2;
	assert_int_equal(policy_table_configure(world.policy, world.table, &config), 0);
	assert_int_equal(world_tick(&world), 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(world.moves[i].sa, world.sas[i]);
		assert_int_equal(world.moves[i].reason, POLICY_REASON_OVER_CAPACITY);
	}
	world_report(&world, POLICY_DONE);
	assert_int_equal(table_view(&world).resident, 2);
	world_close(&world);
}

static void test_tables_come_and_go(void **state)
{
	struct world world;
	policy_table other;

	world_open(&world, &table_default);
	world_add(&world, 50 * MB, true);
	world_run(&world, 3);
	assert_int_equal(policy_table_add(world.policy, &table_default, &other), 0);
	world.config.table = other;
	assert_int_equal(policy_sa_configure(world.policy, world.sas[0], &world.config, world.now),
			 0);
	assert_reason(&world, 0, POLICY_REASON_NO_LONGER_ALLOWED);
	assert_int_equal(world_tick(&world), 1);
	assert_int_equal(world.moves[0].table, world.table);
	assert_int_equal(world.moves[0].action, POLICY_EVICT);
	world_report(&world, POLICY_DONE);
	world_run(&world, 5);
	assert_true(world_resident(&world, 0));
	assert_int_equal(table_view(&world).resident, 0);
	policy_table_remove(world.policy, other, world.now);
	assert_false(world_resident(&world, 0));
	assert_reason(&world, 0, POLICY_REASON_NO_TABLE);
	assert_int_equal(world_run(&world, 3), 0);
	/* The rate is known nevertheless. */
	assert_true(world_view(&world, 0).rate_known);
	world_close(&world);
}

static void test_a_counter_that_went_back_is_unknown_not_cold(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 50 * MB, true);
	world_add(&world, 40 * MB, true);
	world_add(&world, 45 * MB, false);
	world_run(&world, 2);
	world.bytes[1] = 0;
	world.rates[1] = 0;
	world.now += 1;
	world_observe(&world);
	assert_reason(&world, 1, POLICY_REASON_UNKNOWN_RATE);
	assert_false(world_view(&world, 1).rate_known);
	assert_int_equal(policy_plan(world.policy, world.now, &world.moves), 0);
	world_close(&world);
}

static void test_a_nic_that_does_not_count_is_not_taken_for_idle(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 50 * MB, false);
	world_add(&world, 40 * MB, false);
	world_add(&world, 1 * MB, false);
	while (!world_resident(&world, 0) || !world_resident(&world, 1))
		world_run(&world, 1);
	/* In the NIC their counters never increase. */
	world.rates[0] = world.rates[1] = 0;
	assert_int_equal(world_run(&world, 3), 0);
	assert_reason(&world, 0, POLICY_REASON_UNKNOWN_RATE);
	/* Their rates are unknown, but may be zero, so one of them is moved back to find out. */
	world_tick(&world);
	assert_true(world.n_moves >= 1);
	assert_int_equal(world.moves[0].action, POLICY_EVICT);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_DOUBTED);
	assert_true(world_resident(&world, 0) || world_resident(&world, 1));
	world_close(&world);
}

static void test_odd_clocks_do_no_harm(void **state)
{
	static const double clocks[] = {-1e9, NAN, INFINITY, -INFINITY, 1e300, 0, -1e300, 5};
	struct world world;

	world_open(&world, &table_default);
	for (int i = 0; i < 6; i++)
		world_add(&world, (10 + i) * MB, i < 2);
	for (size_t i = 0; i < 200; i++) {
		world.now = i % 3 ? world.now : clocks[i / 3 % ELEMENTSOF(clocks)];
		world_tick(&world);
		world_report(&world, POLICY_DONE);
		for (size_t j = 0; j < world.n; j++) {
			struct policy_sa_view view = world_view(&world, j);

			assert_true(isfinite(view.rate) && isfinite(view.rate_low) &&
				    isfinite(view.rate_high) && !isnan(view.gain));
		}
		assert_true(table_view(&world).resident <= 2);
	}
	world_close(&world);
}

static void test_extreme_counters(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 0, false);
	world_add(&world, 10 * MB, false);
	world_add(&world, 20 * MB, false);
	for (int i = 0; i < 100; i++) {
		world.bytes[0] = i % 2 ? UINT64_MAX : UINT64_MAX / 2 + (uint64_t)i;
		world_run(&world, 1);
		assert_true(isfinite(world_view(&world, 0).rate));
		assert_true(isfinite(table_view(&world).rate));
	}
	world_close(&world);
}

static void test_rate_ceiling(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 10;
	config.max_rate = 100 * MB;
	world_open(&world, &config);
	for (int i = 0; i < 6; i++)
		world_add(&world, (30 - i) * MB, false);
	world_run(&world, 20);
	assert_true(table_view(&world).rate <= 100 * MB);
	assert_true(table_view(&world).rate > 70 * MB);
	assert_reason(&world, 5, POLICY_REASON_RATE_CEILING);
	world_close(&world);
}

static void test_made_worse_leaves_and_waits(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 50 * MB, false);
	world_run(&world, 5);
	policy_sa_made_worse(world.policy, world.sas[0], world.now);
	assert_int_equal(world_tick(&world), 1);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_MADE_WORSE);
	world_report(&world, POLICY_DONE);
	assert_int_equal(world_run(&world, 59), 0);
	assert_reason(&world, 0, POLICY_REASON_MADE_WORSE);
	assert_int_equal(world_run(&world, 3), 1);
	assert_true(world_resident(&world, 0));
	/* And again: twice as long. */
	policy_sa_made_worse(world.policy, world.sas[0], world.now);
	world_run(&world, 1);
	assert_int_equal(world_run(&world, 118), 0);
	world_close(&world);
}

static void test_groups(void **state)
{
	static const struct policy_group_config groups[] = {{.floor = 2}, {.ceiling = 1}};
	struct policy_table_config config = table_default;
	struct world world;
	uint32_t quiet = 0, greedy = 0;

	config.capacity = 6;
	world_open(&world, &config);
	for (int i = 0; i < 8; i++)
		world_add(&world, (50 + i) * MB, false);
	world_run(&world, 5);
	world.config.group = 1;
	for (int i = 0; i < 3; i++)
		world_add(&world, (1 + i) * MB, false);
	world.config.group = 2;
	for (int i = 0; i < 3; i++)
		world_add(&world, (90 + i) * MB, false);
	assert_int_equal(policy_set_groups(world.policy, groups, 2, world.now), 0);
	world_run(&world, 30);
	for (size_t i = 8; i < 11; i++)
		quiet += world_resident(&world, i);
	for (size_t i = 11; i < 14; i++)
		greedy += world_resident(&world, i);
	assert_int_equal(quiet, 2);
	assert_int_equal(greedy, 1);
	assert_int_equal(table_view(&world).resident, 6);
	assert_reason(&world, 11, POLICY_REASON_NOT_HOT_ENOUGH);
	assert_int_equal(policy_set_groups(world.policy, NULL, 0, world.now), 0);
	world_run(&world, 100);
	for (size_t i = 8; i < 11; i++)
		assert_false(world_resident(&world, i));
	for (size_t i = 11; i < 14; i++)
		assert_true(world_resident(&world, i));
	world_close(&world);
}

static void test_the_last_group(void **state)
{
	struct policy_group_config groups[POLICY_GROUPS_MAX] = {};
	struct policy_table_config config = table_default;
	struct world world;

	groups[POLICY_GROUPS_MAX - 1].ceiling = 1;
	config.capacity = 4;
	world_open(&world, &config);
	assert_int_equal(policy_set_groups(world.policy, groups, POLICY_GROUPS_MAX, world.now), 0);
	world.config.group = POLICY_GROUPS_MAX;
	world_add(&world, 10 * MB, false);
	world_add(&world, 5 * MB, false);
	/* There can be no such groups: it belongs to none. */
	world.config.group = POLICY_GROUPS_MAX + 1;
	world_add(&world, 5 * MB, false);
	world.config.group = 256 + POLICY_GROUPS_MAX;
	world_add(&world, 5 * MB, false);
	world_run(&world, 20);
	assert_true(world_resident(&world, 0));
	assert_false(world_resident(&world, 1));
	assert_reason(&world, 1, POLICY_REASON_NOT_HOT_ENOUGH);
	assert_true(world_resident(&world, 2));
	assert_true(world_resident(&world, 3));
	world_close(&world);
}

static void test_bad_arguments(void **state)
{
	struct policy_parameters parameters = policy_parameters_default();
	struct policy_table_config config = table_default;
	struct world world;
	struct policy *policy = NULL;
	policy_sa sa = 7;

	parameters.half_life = NAN;
	assert_int_equal(policy_new(&parameters, &policy), -EINVAL);
	assert_null(policy);
	world_open(&world, &table_default);
	config.moves_burst = INFINITY;
	assert_int_equal(policy_table_add(world.policy, &config, &world.table), -EINVAL);
	world.config.weight = 0;
	assert_int_equal(policy_sa_add(world.policy, &world.config, "x", 1, false, 0, &sa),
			 -EINVAL);
	world.config.weight = 1;
	assert_int_equal(policy_sa_add(world.policy, &world.config, "x", 0, false, 0, &sa),
			 -EINVAL);
	world.config.table = 9;
	assert_int_equal(policy_sa_add(world.policy, &world.config, "x", 1, false, 0, &sa),
			 -EINVAL);
	assert_int_equal(sa, 7);
	assert_int_equal(policy_sa_configure(world.policy, 5, &world.config, 0), -ENOENT);
	policy_sa_remove(world.policy, 5, 0);
	policy_sa_observe(world.policy, 5, 1, 1, 0);
	policy_report(world.policy, 5, POLICY_DONE, 0);
	world_close(&world);
}

static void test_nothing_is_allocated_while_planning(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;
	size_t before, n_moves = 0;

	config.capacity = 16;
	world_open(&world, &config);
	for (int i = 0; i < 64; i++)
		world_add(&world, 0, false);
	for (int i = 0; i < 200; i++) {
		world.rates[i * 7 % 64] = (i * 31 % 50) * MB;
		world_sample(&world);
		before = mallinfo2().uordblks;
		n_moves += world_plan(&world);
		assert_int_equal(mallinfo2().uordblks, before);
		world_report(&world, POLICY_DONE);
	}
	assert_true(n_moves > 16);
	world_close(&world);
}

static void test_reasons_have_names(void **state)
{
	for (int i = 0; i < _POLICY_REASON_MAX; i++) {
		assert_non_null(policy_reason_name((enum policy_reason)i));
		assert_non_null(policy_reason_text((enum policy_reason)i));
	}
	assert_string_equal(policy_reason_name(POLICY_REASON_FREE_SLOT), "free-slot");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_free_slots_go_to_the_busiest),
		cmocka_unit_test(test_a_hotter_one_displaces_the_coldest),
		cmocka_unit_test(test_a_small_gain_does_not_pay),
		cmocka_unit_test(test_a_slightly_hotter_one_waits_and_comes_in),
		cmocka_unit_test(test_the_time_until_a_move),
		cmocka_unit_test(test_the_boundary_has_the_weight),
		cmocka_unit_test(test_rules_keep_and_exclude),
		cmocka_unit_test(test_weight_counts),
		cmocka_unit_test(test_no_tokens_no_voluntary_moves),
		cmocka_unit_test(test_reserve_is_kept_for_successors),
		cmocka_unit_test(test_a_full_table_hands_the_slot_over),
		cmocka_unit_test(test_heat_outlives_its_sa_for_a_minute),
		cmocka_unit_test(test_known_before_it_is_added),
		cmocka_unit_test(test_refusals_back_off),
		cmocka_unit_test(test_capacity_is_learned_and_probed),
		cmocka_unit_test(test_slots_of_those_that_left),
		cmocka_unit_test(test_reserve_of_a_learned_capacity),
		cmocka_unit_test(test_a_smaller_capacity_evicts_the_coldest),
		cmocka_unit_test(test_tables_come_and_go),
		cmocka_unit_test(test_a_counter_that_went_back_is_unknown_not_cold),
		cmocka_unit_test(test_a_nic_that_does_not_count_is_not_taken_for_idle),
		cmocka_unit_test(test_odd_clocks_do_no_harm),
		cmocka_unit_test(test_extreme_counters),
		cmocka_unit_test(test_rate_ceiling),
		cmocka_unit_test(test_made_worse_leaves_and_waits),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_the_last_group),
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_nothing_is_allocated_while_planning),
		cmocka_unit_test(test_reasons_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
