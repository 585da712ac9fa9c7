// SPDX-License-Identifier: GPL-2.0-or-later
/* The memory of the policy: what idle SAs cost, what lineages keep, and what happens without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "counting.h"
#include "policy-world.h"

#include <errno.h>
#include <math.h>

#define HOUR 3600

static int setup(void **state)
{
	(void)state;
	failing_in = 0;
	live = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	failing_in = 0;
	assert_int_equal(live, 0);
	return 0;
}

static void test_an_idle_sa_needs_no_allocation(void **state)
{
	struct world world;
	unsigned before;

	world_open(&world, &table_default);
	for (int i = 0; i < 60; i++)
		world_add(&world, 0, false);
	before = live;
	world_run(&world, 20);
	assert_int_equal(live, before);
	for (int i = 0; i < 60; i++)
		assert_reason(&world, i, POLICY_REASON_IDLE);
	/* Nor does its successor. The predecessor goes on as an SA of its own. */
	world_add_lineage(&world, 0, false, "lineage 3");
	world_run(&world, 20);
	assert_int_equal(live, before);
	assert_reason(&world, 3, POLICY_REASON_IDLE);
	assert_reason(&world, 60, POLICY_REASON_IDLE);
	policy_sa_remove(world.policy, world.sas[3], world.now);
	assert_int_equal(live, before);
	world_close(&world);
}

/* Too little for it to be moved. */
static void test_an_sa_that_was_idle_for_an_hour_is_forgotten(void **state)
{
	struct world world;
	unsigned before;

	world_open(&world, &table_default);
	world_add(&world, 0, false);
	world.config.min_rate = MB;
	world_add(&world, 0, false);
	world_run(&world, 5);
	before = live;
	world.rates[1] = 500;
	world_run(&world, 5);
	assert_int_equal(live, before + 1);
	world.rates[1] = 0;
	world_run(&world, HOUR - 5);
	assert_int_equal(live, before + 1);
	world_run(&world, 10);
	assert_int_equal(live, before);
	assert_reason(&world, 1, POLICY_REASON_IDLE);
	/* It begins anew. */
	world.rates[1] = 2 * MB;
	world_run(&world, 5);
	assert_true(world_resident(&world, 1));
	/* A resident is not forgotten. */
	world.rates[1] = 0;
	world_run(&world, 2 * HOUR);
	assert_true(world_resident(&world, 1));
	assert_true(live > before);
	world_close(&world);
}

static void test_a_refused_sa_is_not_forgotten(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, MB, false);
	world_run(&world, 1);
	while (world_tick(&world) == 0)
		;
	world_report(&world, POLICY_REFUSED);
	while (world_tick(&world) == 0)
		;
	world_report(&world, POLICY_REFUSED);
	world.rates[0] = 0;
	world_run(&world, 3 * HOUR);
	world.rates[0] = MB;
	while (world_tick(&world) == 0)
		;
	world_report(&world, POLICY_REFUSED);
	/* For the third time. */
	assert_true(world_view(&world, 0).retry_in > 200);
	world_close(&world);
}

/* It was displaced before it had paid for its promotion. */
static void test_a_distrusted_sa_is_not_forgotten(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 1;
	world_open(&world, &config);
	world_add(&world, 20 * MB, false);
	world_add(&world, 0, false);
	world_add(&world, 0, false);
	world_run(&world, 60);
	world.rates[1] = 100 * MB;
	while (!world_resident(&world, 1))
		world_run(&world, 1);
	world.rates[1] = 1000;
	world.rates[2] = 500 * MB;
	while (!world_resident(&world, 2))
		world_run(&world, 1);
	assert_true(world_view(&world, 1).trust == 0.5);
	world.rates[1] = 0;
	world_run(&world, 3 * HOUR);
	assert_true(world_view(&world, 1).trust == 0.5);
	world_close(&world);
}

/* The verdict of a comparison waits to be taken. */
static void test_a_compared_sa_is_not_forgotten(void **state)
{
	struct policy_verdict verdict;
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 10 * MB, false);
	world_add(&world, MB, false);
	while (!world_resident(&world, 0))
		world_run(&world, 1);
	world_run(&world, 1);
	/* The traffic ends by itself. */
	world.rates[0] = 0;
	world_run(&world, 60);
	assert_false(world_resident(&world, 0));
	world_run(&world, 3 * HOUR);
	assert_false(world_resident(&world, 0));
	assert_true(policy_sa_take_verdict(world.policy, world.sas[0], &verdict));
	assert_false(verdict.slower);
	world_close(&world);
}

/* A verdict that nobody took is out of date when the SA is promoted again. */
static void test_the_next_comparison(void **state)
{
	struct policy_verdict verdict;
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 10 * MB, false);
	while (!world_resident(&world, 0))
		world_run(&world, 1);
	world_run(&world, 1);
	world.rates[0] = 0;
	world_run(&world, 60);
	assert_false(world_resident(&world, 0));
	world.rates[0] = 10 * MB;
	while (!world_resident(&world, 0))
		world_run(&world, 1);
	assert_false(policy_sa_take_verdict(world.policy, world.sas[0], &verdict));
	world_close(&world);
}

/* It was replaced, but carries traffic again. */
static void test_a_replaced_sa_that_is_promoted(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.min_rate = 5 * MB;
	world_add_lineage(&world, MB, false, "flow");
	world_run(&world, 2);
	world_add_lineage(&world, 0, false, "flow");
	policy_sa_remove(world.policy, world.sas[1], world.now);
	world.n = 1;
	world.rates[0] = 10 * MB;
	world_run(&world, 20);
	assert_true(world_resident(&world, 0));
	world.rates[0] = 0;
	world_run(&world, 60);
	assert_reason(&world, 0, POLICY_REASON_IDLE);
	assert_true(world_resident(&world, 0));
	world_close(&world);
}

/* It is to get the slot of its predecessor, but no move was allowed until now. */
static void test_a_successor_is_not_forgotten(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 1;
	config.moves_burst = 0;
	world_open(&world, &config);
	world.config.pinned = true;
	world_add_lineage(&world, 0, true, "flow");
	world_run(&world, 2 * HOUR);
	world_add_lineage(&world, 0, false, "flow");
	world_run(&world, 60);
	config.moves_burst = 100;
	assert_int_equal(policy_table_configure(world.policy, world.table, &config), 0);
	world_run(&world, 3);
	assert_true(world_resident(&world, 1));
	assert_false(world_resident(&world, 0));
	world_close(&world);
}

/* A pinned SA that carries nothing is moved like the others. */
static void test_a_pinned_sa_that_is_idle(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.pinned = true;
	world_add(&world, 0, false);
	world_run(&world, 1);
	assert_true(world_resident(&world, 0));
	world_add_lineage(&world, 0, false, "lineage 0");
	assert_reason(&world, 1, POLICY_REASON_PINNED);
	world_run(&world, 1);
	assert_true(world_resident(&world, 1));
	policy_sa_made_worse(world.policy, world.sas[1], world.now);
	world_run(&world, 1);
	assert_reason(&world, 1, POLICY_REASON_MADE_WORSE);
	assert_true(world_view(&world, 1).retry_in > 50);
	world_close(&world);
}

static void test_the_newest_hands_on(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.min_rate = 100 * MB;
	world_add_lineage(&world, 9 * MB, false, "flow");
	world_run(&world, 10);
	world_add_lineage(&world, 5 * MB, false, "flow");
	assert_true(world_view(&world, 1).rate == 9 * MB);
	assert_false(world_view(&world, 0).rate_known);
	world.rates[0] = MB;
	world_run(&world, 60);
	/* Not from the first, which still carries something. */
	world_add_lineage(&world, 0, false, "flow");
	assert_true(world_view(&world, 2).rate > 4 * MB);
	assert_true(world_view(&world, 0).rate < 2 * MB);
	/* Without the newer ones, from the first. */
	policy_sa_remove(world.policy, world.sas[1], world.now);
	policy_sa_remove(world.policy, world.sas[2], world.now);
	world.n = 1;
	world_add_lineage(&world, 0, false, "flow");
	assert_true(world_view(&world, 1).rate == MB);
	/* That was superseded once, but this one is not. */
	policy_sa_remove(world.policy, world.sas[0], world.now);
	policy_sa_remove(world.policy, world.sas[1], world.now);
	world.n = 0;
	world_add_lineage(&world, 0, false, "flow");
	assert_true(world_view(&world, 0).rate == MB);
	world_close(&world);
}

/* What is remembered of an SA that went is dropped when another of its lineage carries something:
 * the next one takes over from that. */
static void test_a_living_sa_is_preferred(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.min_rate = 100 * MB;
	world_add_lineage(&world, 0, false, "flow");
	world_run(&world, 3);
	world_add_lineage(&world, 9 * MB, false, "flow");
	world_run(&world, 3);
	policy_sa_remove(world.policy, world.sas[1], world.now);
	world.n = 1;
	world.rates[0] = MB;
	world_run(&world, 3);
	/* And when that is removed, too. */
	policy_sa_remove(world.policy, world.sas[0], world.now);
	world.n = 0;
	world_add_lineage(&world, 0, false, "flow");
	assert_true(world_view(&world, 0).rate == MB);
	world_close(&world);
}

/* An SA that was replaced has no heat to keep, and its successor's is not kept beside it. */
static void test_a_replaced_sa_hands_on_nothing(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.min_rate = 100 * MB;
	world_add_lineage(&world, 2 * MB, false, "flow");
	world_run(&world, 3);
	world_add_lineage(&world, 9 * MB, false, "flow");
	world_run(&world, 3);
	policy_sa_remove(world.policy, world.sas[1], world.now);
	policy_sa_remove(world.policy, world.sas[0], world.now);
	world.n = 0;
	world_add_lineage(&world, 0, false, "flow");
	assert_false(world_view(&world, 0).rate_known);
	world_close(&world);
}

static void test_an_unknown_rate_is_not_kept(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.min_rate = 100 * MB;
	world_add_lineage(&world, 9 * MB, false, "flow");
	world_run(&world, 3);
	world.bytes[0] = 0;
	world.rates[0] = 0;
	world_run(&world, 1);
	assert_false(world_view(&world, 0).rate_known);
	policy_sa_remove(world.policy, world.sas[0], world.now);
	world.n = 0;
	world_add_lineage(&world, 0, false, "flow");
	assert_false(world_view(&world, 0).rate_known);
	world_close(&world);
}

static void test_a_resident_that_is_idle_has_a_successor(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add_lineage(&world, 0, true, "flow");
	world_add_lineage(&world, 0, false, "flow");
	assert_reason(&world, 1, POLICY_REASON_SUCCESSOR);
	world_close(&world);
}

/* The handle of a predecessor that was removed is given to another SA, which keeps its slot. */
static void test_a_predecessor_that_was_removed(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 1;
	world_open(&world, &config);
	world_add_lineage(&world, 0, true, "flow");
	world_add_lineage(&world, 0, false, "flow");
	policy_sa_remove(world.policy, world.sas[0], world.now);
	world.n = 0;
	world_add_lineage(&world, 0, true, "another");
	assert_int_equal(world.sas[0], 0);
	world.n = 2;
	world.sas[1] = 1;
	assert_reason(&world, 1, POLICY_REASON_SUCCESSOR);
	world_run(&world, 3);
	assert_true(world_resident(&world, 0));
	assert_false(world_resident(&world, 1));
	world_close(&world);
}

/* The first traffic of an SA that is known to be idle is a new level. Of one of which nothing is
 * known, more deviation is assumed. */
static void test_the_first_traffic(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.min_rate = 100 * MB;
	world_add(&world, 0, false);
	world_run(&world, 2);
	world_add(&world, 0, false);
	world_run(&world, 1);
	world.rates[0] = world.rates[1] = MB;
	world_run(&world, 1);
	assert_true(world_view(&world, 0).rate == MB && world_view(&world, 1).rate == MB);
	assert_true(world_view(&world, 0).rate_low > 0.8 * MB);
	assert_true(world_view(&world, 1).rate_low < 0.7 * MB);
	world_close(&world);
}

/* ---- Without memory ---- */

static void test_the_rate_is_unknown_without_memory(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 0, false);
	world_run(&world, 3);
	world.rates[0] = 10 * MB;
	for (int i = 0; i < 3; i++) {
		failing_in = 1;
		world_sample(&world);
		assert_int_equal(failing_in, 0);
		assert_reason(&world, 0, POLICY_REASON_UNKNOWN_RATE);
		assert_int_equal(world_plan(&world), 0);
	}
	world_sample(&world);
	assert_true(world_view(&world, 0).rate_known);
	assert_true(world_view(&world, 0).rate == 10 * MB);
	world_run(&world, 2);
	assert_true(world_resident(&world, 0));
	world_close(&world);
}

static void test_no_comparison_without_memory(void **state)
{
	struct policy_verdict verdict;
	struct world world;

	world_open(&world, &table_default);
	world_add(&world, 10 * MB, false);
	world.in_nic[0] = 0.1;
	while (world_tick(&world) == 0)
		;
	failing_in = 1;
	world_report(&world, POLICY_DONE);
	assert_int_equal(failing_in, 0);
	assert_true(world_resident(&world, 0));
	for (int i = 0; i < 120; i++) {
		world_run(&world, 1);
		assert_false(policy_sa_take_verdict(world.policy, world.sas[0], &verdict));
	}
	assert_true(world_resident(&world, 0));
	world_close(&world);
}

/* An SA that somebody else moved into the NIC, and whose refusal is not counted. */
static void test_a_pinned_sa_without_memory(void **state)
{
	struct world world;

	world_open(&world, &table_default);
	world.config.pinned = true;
	world_add(&world, 0, false);
	assert_int_equal(world_tick(&world), 1);
	failing_in = 1;
	world_report(&world, POLICY_REFUSED);
	assert_int_equal(failing_in, 0);
	assert_reason(&world, 0, POLICY_REASON_PINNED);
	world_run(&world, 50);
	assert_false(world_resident(&world, 0));
	failing_in = 1;
	policy_sa_set_resident(world.policy, world.sas[0], true, world.now);
	assert_int_equal(failing_in, 0);
	assert_true(world_resident(&world, 0));
	/* It is made up for at the next sample: its successor will know. */
	world_run(&world, 2);
	world.config.pinned = false;
	world_add_lineage(&world, 0, false, "lineage 0");
	assert_reason(&world, 1, POLICY_REASON_SUCCESSOR);
	world_close(&world);
}

/* It is known to be idle all the same, and makes room for another. */
static void test_an_idle_resident_without_memory(void **state)
{
	struct policy_table_config config = table_default;
	struct world world;

	config.capacity = 1;
	world_open(&world, &config);
	world_add(&world, 10 * MB, false);
	world_run(&world, 1);
	/* After the first SA the arrays need no memory, so this is for the heat. */
	failing_in = 1;
	world_add(&world, 0, true);
	assert_int_equal(failing_in, 0);
	world.rates[0] = 0;
	world.frozen[0] = true;
	world_sample(&world);
	failing_in = 1;
	world_sample(&world);
	assert_int_equal(failing_in, 0);
	assert_true(world_view(&world, 1).rate_known);
	world.frozen[0] = false;
	world.rates[0] = 10 * MB;
	world_run(&world, 10);
	assert_true(world_resident(&world, 0));
	assert_false(world_resident(&world, 1));
	world_close(&world);
}

/* SAs come, carry, are rekeyed, moved, refused, made worse, taken out and go. Returns whether a
 * call failed. Nothing gets lost. */
static bool live_through(unsigned fail)
{
	const struct policy_group_config group = {.ceiling = 3};
	struct policy_table_config config = table_default;
	struct policy_parameters parameters = policy_parameters_default();
	struct world world = {.now = 1000};
	policy_table other;
	bool failed;
	int r;

	config.capacity = 4;
	failing_in = fail;
	do
		r = policy_new(&parameters, &world.policy);
	while (r == -ENOMEM);
	while (policy_table_add(world.policy, &config, &world.table) == -ENOMEM)
		;
	while (policy_table_add(world.policy, &config, &other) == -ENOMEM)
		;
	while (policy_set_groups(world.policy, &group, 1, world.now) == -ENOMEM)
		;
	world.config = (struct policy_sa_config){.table = world.table, .weight = 1};
	for (size_t i = 0; i < ELEMENTSOF(world.sas); i++) {
		char lineage[32];

		(void)snprintf(lineage, sizeof(lineage), "lineage %zu", i % 40);
		world.config.pinned = i % 16 == 3;
		world.config.group = i % 2;
		world.config.table = i % 8 == 5 ? other : world.table;
		world.in_nic[i] = i % 3 ? 1 : 0.2;
		world.rates[i] = i % 4 ? (double)(i * 7 % 13) * MB : 0;
		do
			r = policy_sa_add(world.policy, &world.config, lineage, strlen(lineage),
					  i % 21 == 1, world.now, &world.sas[i]);
		while (r == -ENOMEM);
		assert_int_equal(r, 0);
		world.n++;
		world_tick(&world);
		world_report(&world, i % 5 == 4 ? POLICY_REFUSED : POLICY_DONE);
		if (i % 9 == 4)
			policy_sa_made_worse(world.policy, world.sas[i / 2], world.now);
		if (i % 10 == 9)
			policy_sa_set_resident(world.policy, world.sas[i / 3],
					       !world_resident(&world, i / 3), world.now);
	}
	policy_table_remove(world.policy, other, world.now);
	world_run(&world, 60);
	failed = failing_in == 0;
	failing_in = 0;
	/* With memory all is as it should be. */
	world_run(&world, 60);
	for (size_t i = 0; i < world.n; i++) {
		struct policy_sa_view view = world_view(&world, i);

		assert_true(view.reason < _POLICY_REASON_MAX);
		assert_true(view.rate_known || view.resident);
		if (!view.resident)
			assert_true(fabs(view.rate - world.rates[i]) < 1);
	}
	for (size_t i = 0; i < world.n; i += 2)
		policy_sa_remove(world.policy, world.sas[i], world.now);
	world_close(&world);
	assert_int_equal(live, 0);
	return failed;
}

static void test_every_allocation_may_fail(void **state)
{
	unsigned fail = 1;

	(void)state;
	while (live_through(fail))
		fail++;
	print_message("%u allocations failed\n", fail - 1);
	assert_true(fail > 80);
}

/* With comparisons, groups, and heat of an SA that is gone. */
static void test_a_copy_may_fail(void **state)
{
	const struct policy_group_config group = {.ceiling = 3};
	unsigned before, fail = 1;
	struct world world;
	bool failed;

	world_open(&world, &table_default);
	assert_int_equal(policy_set_groups(world.policy, &group, 1, world.now), 0);
	for (int i = 0; i < 4; i++)
		world_add(&world, (i + 1) * MB, false);
	world_run(&world, 4);
	policy_sa_remove(world.policy, world.sas[0], world.now);
	before = live;
	do {
		struct policy *copy = NULL;

		failing_in = fail++;
		(void)policy_copy(world.policy, &copy);
		failed = failing_in == 0;
		policy_free(copy);
		assert_int_equal(live, before);
	} while (failed);
	failing_in = 0;
	assert_true(fail > 15);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_an_idle_sa_needs_no_allocation, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_an_sa_that_was_idle_for_an_hour_is_forgotten,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_refused_sa_is_not_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_distrusted_sa_is_not_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_compared_sa_is_not_forgotten, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_next_comparison, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_replaced_sa_that_is_promoted, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_successor_is_not_forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_pinned_sa_that_is_idle, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_newest_hands_on, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_living_sa_is_preferred, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_replaced_sa_hands_on_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_an_unknown_rate_is_not_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_resident_that_is_idle_has_a_successor, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_predecessor_that_was_removed, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_the_first_traffic, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_rate_is_unknown_without_memory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_no_comparison_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_pinned_sa_without_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_idle_resident_without_memory, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_every_allocation_may_fail, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_copy_may_fail, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
