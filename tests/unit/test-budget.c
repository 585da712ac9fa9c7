// SPDX-License-Identifier: GPL-2.0-or-later
/* How many moves the policy plans, and when: both tables of a NIC share one bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy-world.h"

#define N_TABLES 2
#define NIC_BUDGET 7

/* The two tables of a NIC, in and out. */
struct split {
	struct world world;
	policy_table tables[N_TABLES];
};

static void open_split(struct split *split, double moves_per_second, double moves_burst)
{
	struct policy_table_config config = table_default;

	config.budget = NIC_BUDGET;
	config.capacity = 8;
	config.moves_per_second = moves_per_second;
	config.moves_burst = moves_burst;
	config.migration_bytes = 0;
	config.migration_seconds = 0;
	world_open(&split->world, &config);
	split->tables[0] = split->world.table;
	assert_int_equal(policy_table_add(split->world.policy, &config, &split->tables[1]), 0);
}

static size_t add_to(struct split *split, unsigned table, double rate, bool resident)
{
	split->world.config.table = split->tables[table];
	return world_add(&split->world, rate, resident);
}

/* Counts promotions, evictions and their sum, of one table or of both (N_TABLES). */
static size_t count(const struct split *split, unsigned table)
{
	size_t n = 0;

	for (size_t i = 0; i < split->world.n_moves; i++)
		n += table == N_TABLES || split->world.moves[i].table == split->tables[table];
	return n;
}

static void test_one_move_a_second_is_one(void **state)
{
	size_t in = 0, out = 0;
	struct split split;

	(void)state;
	open_split(&split, 1, 1);
	for (unsigned i = 0; i < 16; i++)
		add_to(&split, i % 2, (10 + i) * MB, false);
	for (unsigned second = 0; second < 20; second++) {
		assert_true(world_tick(&split.world) <= 1);
		in += count(&split, 0);
		out += count(&split, 1);
		/* An additional plan: a new SA makes the daemon plan again. */
		world_report(&split.world, POLICY_DONE);
		split.world.n_moves =
			policy_plan(split.world.policy, split.world.now + 0.5, &split.world.moves);
		assert_int_equal(split.world.n_moves, 0);
	}
	/* One move for each SA, and neither direction waits until the other is complete. */
	assert_int_equal(in, 8);
	assert_int_equal(out, 8);
	world_close(&split.world);
}

static void test_directions_take_turns(void **state)
{
	size_t in = 0, out = 0;
	struct split split;

	(void)state;
	open_split(&split, 1, 1);
	for (unsigned i = 0; i < 16; i++)
		add_to(&split, i % 2, (10 + i) * MB, false);
	for (unsigned second = 0; second < 9; second++) {
		world_tick(&split.world);
		in += count(&split, 0);
		out += count(&split, 1);
		world_report(&split.world, POLICY_DONE);
	}
	assert_true(in >= 3 && out >= 3);
	world_close(&split.world);
}

/* A swap with a bucket that never holds two moves: an eviction, and the promotion one second
 * later. */
static void test_swap_in_halves(void **state)
{
	size_t coldest = 0, hot;
	unsigned swapped = 0;
	struct split split;

	(void)state;
	open_split(&split, 1, 1);
	for (unsigned i = 0; i < 8; i++)
		add_to(&split, 0, (10 + i) * MB, true);
	hot = add_to(&split, 0, 500 * MB, false);
	for (unsigned second = 0; second < 10 && !world_resident(&split.world, hot); second++) {
		assert_true(world_tick(&split.world) <= 1);
		world_report(&split.world, POLICY_DONE);
		swapped += split.world.n_moves;
	}
	assert_int_equal(swapped, 2);
	assert_true(world_resident(&split.world, hot));
	assert_false(world_resident(&split.world, coldest));
	/* The state does not change any more. */
	assert_int_equal(world_run(&split.world, 20), 0);
	world_close(&split.world);
}

static void test_successors_wait(void **state)
{
	char lineage[] = "a";
	struct split split;
	size_t n = 0;

	(void)state;
	open_split(&split, 1, 2);
	split.world.config.table = split.tables[0];
	for (unsigned i = 0; i < 4; i++, lineage[0]++)
		world_add_lineage(&split.world, 50 * MB, true, lineage);
	world_run(&split.world, 5);
	for (lineage[0] = 'a'; lineage[0] < 'e'; lineage[0]++)
		world_add_lineage(&split.world, 0, false, lineage);
	for (unsigned second = 0; second < 4; second++) {
		assert_true(world_tick(&split.world) <= (second == 0 ? 2 : 1));
		n += split.world.n_moves;
		for (size_t i = 0; i < split.world.n_moves; i++)
			assert_int_equal(split.world.moves[i].reason, POLICY_REASON_SUCCESSOR);
		world_report(&split.world, POLICY_DONE);
	}
	assert_int_equal(n, 4);
	world_close(&split.world);
}

/* An SA leaves a NIC that may not hold its key, even without budget. */
static void test_what_must_leave_does(void **state)
{
	struct policy_sa_config config;
	struct split split;

	(void)state;
	open_split(&split, 1, 1);
	for (unsigned i = 0; i < 8; i++)
		add_to(&split, 0, (10 + i) * MB, true);
	world_run(&split.world, 3);
	config = split.world.config;
	config.table = POLICY_NONE;
	for (size_t i = 0; i < 8; i++)
		assert_int_equal(policy_sa_configure(split.world.policy, split.world.sas[i],
						     &config, split.world.now),
				 0);
	assert_int_equal(world_tick(&split.world), 8);
	world_close(&split.world);
}

/* The predecessor leaves first, also if its eviction fails once. */
static void test_successor_in_halves(void **state)
{
	struct split split;
	size_t predecessor, successor;

	(void)state;
	open_split(&split, 1, 1);
	split.world.config.table = split.tables[0];
	for (unsigned i = 0; i < 7; i++)
		world_add(&split.world, (100 + i) * MB, true);
	predecessor = world_add_lineage(&split.world, 50 * MB, true, "rekeyed");
	world_run(&split.world, 5);
	successor = world_add_lineage(&split.world, 0, false, "rekeyed");
	assert_int_equal(world_tick(&split.world), 1);
	assert_int_equal(split.world.moves[0].sa, split.world.sas[predecessor]);
	assert_int_equal(split.world.moves[0].action, POLICY_EVICT);
	world_report(&split.world, POLICY_FAILED);
	for (unsigned second = 0; second < 6 && !world_resident(&split.world, successor);
	     second++) {
		assert_true(world_tick(&split.world) <= 1);
		world_report(&split.world, POLICY_DONE);
	}
	assert_true(world_resident(&split.world, successor));
	assert_false(world_resident(&split.world, predecessor));
	world_close(&split.world);
}

/* During a pause only evictions from a table that must be empty are planned. */
static void test_vacating(void **state)
{
	struct policy_table_config config = table_default;
	struct policy_sa_config banned;
	const struct policy_move *moves;
	struct split split;
	size_t in, superseded;

	(void)state;
	open_split(&split, 100, 100);
	in = add_to(&split, 0, 10 * MB, true);
	add_to(&split, 0, 20 * MB, true);
	add_to(&split, 1, 10 * MB, true);
	split.world.config.table = split.tables[0];
	superseded = world_add_lineage(&split.world, 50 * MB, true, "rekeyed");
	world_run(&split.world, 3);
	world_add_lineage(&split.world, 50 * MB, false, "rekeyed");
	split.world.rates[superseded] = 0;
	/* It has stopped carrying traffic, but still has its slot. */
	world_run(&split.world, 8);
	assert_true(world_resident(&split.world, superseded));
	add_to(&split, 0, 90 * MB, false);
	banned = split.world.config;
	banned.banned = true;
	banned.table = split.tables[0];
	assert_int_equal(policy_sa_configure(split.world.policy, split.world.sas[in], &banned,
					     split.world.now),
			 0);
	banned.table = split.tables[1];
	assert_int_equal(policy_sa_configure(split.world.policy, split.world.sas[2], &banned,
					     split.world.now),
			 0);
	for (unsigned i = 0; i < 5; i++) {
		split.world.now += 1;
		for (size_t j = 0; j < split.world.n; j++)
			split.world.bytes[j] += (uint64_t)split.world.rates[j];
		world_observe(&split.world);
		assert_int_equal(policy_plan_vacating(split.world.policy, split.world.now, &moves),
				 0);
	}
	config.budget = NIC_BUDGET;
	config.capacity = 8;
	config.vacate = true;
	assert_int_equal(policy_table_configure(split.world.policy, split.tables[0], &config), 0);
	assert_int_equal(policy_plan_vacating(split.world.policy, split.world.now, &moves), 1);
	assert_int_equal(moves[0].sa, split.world.sas[in]);
	assert_int_equal(moves[0].action, POLICY_EVICT);
	world_close(&split.world);
}

/* A table that comes back continues its budget; one with another budget number gets a new one. */
static void test_bucket_outlives_a_table(void **state)
{
	struct policy_table_config config = table_default;
	struct policy_table_view view;
	struct split split;

	(void)state;
	open_split(&split, 0, 4);
	for (unsigned i = 0; i < 8; i++)
		add_to(&split, 0, (10 + i) * MB, false);
	assert_int_equal(world_run(&split.world, 5), 4);
	config.budget = NIC_BUDGET;
	config.moves_per_second = 0;
	config.moves_burst = 4;
	policy_table_remove(split.world.policy, split.tables[1], split.world.now);
	assert_int_equal(policy_table_add(split.world.policy, &config, &split.tables[1]), 0);
	policy_table_get(split.world.policy, split.tables[1], &view);
	assert_true(view.tokens == 0);
	/* Removing the first table must not remove the bucket. */
	policy_table_remove(split.world.policy, split.tables[0], split.world.now);
	assert_int_equal(policy_table_add(split.world.policy, &config, &split.tables[0]), 0);
	policy_table_get(split.world.policy, split.tables[0], &view);
	assert_true(view.tokens == 0);
	config.budget = NIC_BUDGET + 1;
	assert_int_equal(policy_table_configure(split.world.policy, split.tables[0], &config), 0);
	policy_table_get(split.world.policy, split.tables[0], &view);
	assert_true(view.tokens == 4);
	policy_table_get(split.world.policy, split.tables[1], &view);
	assert_true(view.tokens == 0);
	world_close(&split.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_move_a_second_is_one),
		cmocka_unit_test(test_directions_take_turns),
		cmocka_unit_test(test_swap_in_halves),
		cmocka_unit_test(test_successors_wait),
		cmocka_unit_test(test_successor_in_halves),
		cmocka_unit_test(test_what_must_leave_does),
		cmocka_unit_test(test_vacating),
		cmocka_unit_test(test_bucket_outlives_a_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
