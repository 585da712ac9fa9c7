// SPDX-License-Identifier: GPL-2.0-or-later
/* The SAs whose next sample can change a decision. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy-world.h"

static bool matters(const struct world *world, size_t i)
{
	return policy_sa_matters(world->policy, world->sas[i]);
}

static void test_rates(void **state)
{
	struct world world;
	size_t idle, cold, near, resident, fresh;

	(void)state;
	world_open(&world, &table_default);
	resident = world_add(&world, 100 * MB, true);
	(void)world_add(&world, 40 * MB, true); /* sets the price of a slot */
	idle = world_add(&world, 0, false);
	cold = world_add(&world, 5 * MB, false);
	near = world_add(&world, 20 * MB, false);
	assert_true(matters(&world, idle)); /* its rate is unknown */
	for (unsigned i = 0; i < 10; i++)
		(void)world_tick(&world);
	assert_true(matters(&world, resident));
	assert_false(matters(&world, idle));
	assert_false(matters(&world, cold));
	assert_true(matters(&world, near));
	fresh = world_add(&world, 0, false);
	assert_true(matters(&world, fresh));

	/* At its first sample, before its mean is that high. */
	world.rates[cold] = 60 * MB;
	(void)world_tick(&world);
	assert_true(matters(&world, cold));

	/* Neither SA is known. */
	assert_false(policy_sa_matters(world.policy, 1000));
	policy_sa_remove(world.policy, world.sas[near], world.now);
	assert_false(matters(&world, near));
	world_close(&world);
}

/* The result for these SAs does not depend on the rate. */
static void test_rules(void **state)
{
	struct world world;
	size_t banned, immovable, nowhere, resident;

	(void)state;
	world_open(&world, &table_default);
	world.config.banned = true;
	banned = world_add(&world, 100 * MB, false);
	world.config =
		(struct policy_sa_config){.table = world.table, .weight = 1, .immovable = true};
	immovable = world_add(&world, 100 * MB, false);
	resident = world_add(&world, 0, true);
	world.config = (struct policy_sa_config){.table = POLICY_NONE, .weight = 1};
	nowhere = world_add(&world, 100 * MB, false);
	assert_false(matters(&world, banned));
	assert_false(matters(&world, immovable));
	assert_true(matters(&world, nowhere)); /* its rate is unknown */
	for (unsigned i = 0; i < 5; i++)
		(void)world_tick(&world);
	assert_false(matters(&world, banned));
	assert_false(matters(&world, immovable));
	assert_false(matters(&world, nowhere));
	assert_true(matters(&world, resident));
	world_close(&world);
}

/* The sample of an SA that stays idle says that there is nothing to ask for. */
static void test_idle(void **state)
{
	struct policy *policy;
	struct world world;
	policy_sa sa;

	(void)state;
	world_open(&world, &table_default);
	policy = world.policy;
	sa = world.sas[world_add(&world, 0, false)];
	assert_true(policy_sa_observe(policy, sa, 10, 1, 101));
	assert_true(policy_sa_observe(policy, sa, 10, 1, 102)); /* its rate becomes known */
	assert_false(policy_sa_observe(policy, sa, 10, 1, 103));
	/* Too soon for a sample, whether it carried something or not. */
	assert_false(policy_sa_observe(policy, sa, 10, 1, 103.01));
	assert_true(policy_sa_observe(policy, sa, 1010, 1, 103.02));
	assert_true(policy_sa_observe(policy, sa, 1010, 1, 104));
	assert_true(policy_sa_rate(policy, sa).last == 1000);

	/* A counter that decreased. */
	sa = world.sas[world_add(&world, 0, false)];
	for (unsigned i = 0; i < 3; i++)
		(void)policy_sa_observe(policy, sa, 10, 2, 201 + i);
	assert_false(policy_sa_observe(policy, sa, 10, 2, 204));
	assert_true(policy_sa_rate(policy, sa).known);
	assert_true(policy_sa_observe(policy, sa, 10, 1, 205));
	assert_false(policy_sa_rate(policy, sa).known);
	assert_false(policy_sa_observe(policy, POLICY_NONE, 10, 1, 206));
	world_close(&world);
}

/* The gain of an outsider, after an idle SA was not sampled for `seconds`. */
static double gain_after(unsigned seconds)
{
	struct policy_table_config table = table_default;
	struct world world;
	size_t idle, outsider = 0;
	double gain;

	table.moves_burst = 0.5; /* it never moves */
	world_open(&world, &table);
	(void)world_add(&world, 100 * MB, true);
	(void)world_add(&world, 40 * MB, true);
	idle = world_add(&world, 0, false);
	for (unsigned i = 0; i < 200; i++) {
		world.frozen[idle] = i + seconds >= 199;
		if (i == 195) /* young, so that the horizon of speculation counts */
			outsider = world_add(&world, 60 * MB, false);
		assert_int_equal(world_tick(&world), 0);
	}
	policy_sa_observe(world.policy, world.sas[idle], 0, 0, world.now);
	gain = world_view(&world, outsider).gain;
	world_close(&world);
	return gain;
}

/* The horizon depends on the interval of the SAs that matter, not on that of the others. */
static void test_interval(void **state)
{
	(void)state;
	assert_true(gain_after(0) > 0);
	assert_true(gain_after(0) == gain_after(150));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_idle),
		cmocka_unit_test(test_interval),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
