// SPDX-License-Identifier: GPL-2.0-or-later
/* Ranking by the CPU time that SAs take in software. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy-world.h"

/* Costs of AES-GCM with special instructions, and of 3DES with SHA-1, in ns: orders of magnitude.
 */
enum { GCM = 1, TRIPLE_DES };
static const struct policy_cpu_cost costs[] = {
	[GCM - 1] = {.per_byte = 0.5, .per_packet = 200},
	[TRIPLE_DES - 1] = {.per_byte = 20, .per_packet = 1000},
};
#define N_COSTS (sizeof(costs) / sizeof(costs[0]))

#define LARGE POLICY_CPU_COST_PACKET

static const struct policy_table_config one_slot = {
	.capacity = 1,
	.moves_per_second = 100,
	.moves_burst = 100,
	.migration_bytes = MB,
	.migration_seconds = 0.1,
};

static size_t add(struct world *world, double rate, double packet, uint32_t cost, bool resident)
{
	size_t i;

	world->config.cpu_cost = cost;
	i = world_add(world, rate, resident);
	world->packet[i] = packet;
	return i;
}

static void open_world(struct world *world)
{
	world_open(world, &one_slot);
	assert_int_equal(policy_set_cpu_costs(world->policy, costs, N_COSTS, world->now), 0);
}

static void assert_near(double value, double expected)
{
	if (fabs(value - expected) > 0.001 * expected)
		fail_msg("%g is not about %g", value, expected);
}

static double weight(const struct world *world, size_t i)
{
	return world_view(world, i).cpu_weight;
}

/* Both carry the same bytes, and the one outside costs more in software. */
static void test_the_slot_goes_to_the_costlier_algorithm(void **state)
{
	(void)state;
	for (unsigned by_cpu = 0; by_cpu < 2; by_cpu++) {
		struct world world;
		size_t cheap, dear;

		open_world(&world);
		cheap = add(&world, 50 * MB, LARGE, by_cpu ? GCM : 0, true);
		dear = add(&world, 50 * MB, LARGE, by_cpu ? TRIPLE_DES : 0, false);
		(void)world_run(&world, 20);
		assert_int_equal(world_resident(&world, dear), by_cpu);
		assert_int_equal(world_resident(&world, cheap), !by_cpu);
		world_close(&world);
	}
}

static void test_the_slot_goes_to_the_smaller_packets(void **state)
{
	(void)state;
	for (unsigned by_cpu = 0; by_cpu < 2; by_cpu++) {
		struct world world;
		size_t bulk, voice;

		open_world(&world);
		bulk = add(&world, 50 * MB, LARGE, by_cpu ? GCM : 0, true);
		voice = add(&world, 40 * MB, 100, by_cpu ? GCM : 0, false);
		(void)world_run(&world, 20);
		assert_int_equal(world_resident(&world, voice), by_cpu);
		assert_int_equal(world_resident(&world, bulk), !by_cpu);
		world_close(&world);
	}
}

static void test_the_unit_is_the_cheapest_byte_in_large_packets(void **state)
{
	const double unit = 0.5 + 200 / LARGE;
	struct world world;
	size_t large, small, dear, by_bytes, silent;

	(void)state;
	open_world(&world);
	large = add(&world, 10 * MB, LARGE, GCM, false);
	small = add(&world, 10 * MB, 100, GCM, false);
	dear = add(&world, 10 * MB, LARGE, TRIPLE_DES, false);
	by_bytes = add(&world, 10 * MB, 100, 0, false);
	silent = add(&world, 0, LARGE, TRIPLE_DES, false);
	(void)world_run(&world, 3);
	assert_near(weight(&world, large), 1);
	assert_near(weight(&world, small), (0.5 + 200 / 100.0) / unit);
	assert_near(weight(&world, dear), (20 + 1000 / LARGE) / unit);
	assert_true(weight(&world, by_bytes) == 1);
	assert_true(weight(&world, silent) == 1);
	assert_near(world_view(&world, small).packets_per_byte, 0.01);
	assert_true(world_view(&world, by_bytes).packets_per_byte == 0);
	assert_near(policy_sa_rate(world.policy, world.sas[small]).cpu_weight,
		    weight(&world, small));
	/* What is shown is bytes. */
	assert_near(world_view(&world, dear).rate, 10 * MB);
	world_close(&world);
}

static void test_the_weight_is_limited(void **state)
{
	static const struct policy_cpu_cost extremes[] = {
		{.per_byte = 1, .per_packet = 0},
		{.per_byte = 1000, .per_packet = 0},
		/* The cheapest in large packets. */
		{.per_byte = 1e-6, .per_packet = POLICY_CPU_COST_PACKET / 2},
	};
	struct world world;
	size_t high, low;

	(void)state;
	open_world(&world);
	assert_int_equal(policy_set_cpu_costs(world.policy, extremes, 3, world.now), 0);
	high = add(&world, 10 * MB, LARGE, 2, false);
	low = add(&world, 1000 * MB, 10 * MB, 3, false);
	(void)world_run(&world, 3);
	assert_true(weight(&world, high) == POLICY_CPU_WEIGHT_MAX);
	assert_true(weight(&world, low) == 1 / POLICY_CPU_WEIGHT_MAX);
	world_close(&world);
}

/* An algorithm that could not be measured is taken to be the cheapest. */
static void test_unknown_costs(void **state)
{
	static const struct policy_cpu_cost only_one_known[] = {{}, {.per_byte = 4}, {}};
	static const struct policy_cpu_cost none_known[2];
	struct world world;
	size_t unknown, known, missing;

	(void)state;
	open_world(&world);
	unknown = add(&world, 10 * MB, 100, 1, false);
	known = add(&world, 10 * MB, 100, 2, false);
	missing = add(&world, 10 * MB, 100, 60, false);
	(void)world_run(&world, 3);
	assert_true(weight(&world, missing) == 1);
	assert_true(weight(&world, known) > 10);
	assert_int_equal(policy_set_cpu_costs(world.policy, only_one_known, 3, world.now), 0);
	assert_near(weight(&world, known), 1);
	assert_near(weight(&world, unknown), 1);
	assert_int_equal(policy_set_cpu_costs(world.policy, costs, N_COSTS, world.now), 0);
	assert_true(weight(&world, known) > 10);
	assert_int_equal(policy_set_cpu_costs(world.policy, none_known, 2, world.now), 0);
	assert_true(weight(&world, known) == 1);
	assert_int_equal(policy_set_cpu_costs(world.policy, costs, N_COSTS, world.now), 0);
	assert_int_equal(policy_set_cpu_costs(world.policy, NULL, 0, world.now), 0);
	assert_true(weight(&world, known) == 1);
	world_close(&world);
}

/* The costs become known later than the SAs, and change with a driver. */
static void test_new_costs_change_the_order(void **state)
{
	static const struct policy_cpu_cost faster[] = {
		{.per_byte = 0.5, .per_packet = 200},
		{.per_byte = 0.1, .per_packet = 100},
	};
	struct world world;
	size_t first, second;

	(void)state;
	world_open(&world, &one_slot);
	first = add(&world, 50 * MB, LARGE, GCM, true);
	second = add(&world, 40 * MB, LARGE, TRIPLE_DES, false);
	(void)world_run(&world, 20);
	assert_true(world_resident(&world, first));
	assert_int_equal(policy_set_cpu_costs(world.policy, costs, N_COSTS, world.now), 0);
	(void)world_run(&world, 20);
	assert_true(world_resident(&world, second));
	assert_int_equal(policy_set_cpu_costs(world.policy, faster, 2, world.now), 0);
	(void)world_run(&world, 20);
	assert_true(world_resident(&world, first));
	/* From now on by bytes. */
	world.rates[second] = 70 * MB;
	world.config.cpu_cost = 0;
	for (size_t i = 0; i < world.n; i++)
		assert_int_equal(
			policy_sa_configure(world.policy, world.sas[i], &world.config, world.now),
			0);
	(void)world_run(&world, 40);
	assert_true(world_resident(&world, second));
	world_close(&world);
}

/* The number of packets follows the traffic, and a silence does not change it. */
static void test_the_size_of_packets_is_measured_again(void **state)
{
	struct world world;
	double before;
	size_t sa;

	(void)state;
	open_world(&world);
	sa = add(&world, 10 * MB, LARGE, GCM, false);
	(void)world_run(&world, 10);
	world.rates[sa] = 0;
	before = weight(&world, sa);
	(void)world_run(&world, 10);
	assert_true(weight(&world, sa) == before);
	/* The same bytes in other packets. The counters start again. */
	world.rates[sa] = 10 * MB;
	(void)world_run(&world, 20);
	world.packet[sa] = LARGE / 4;
	world.bytes[sa] = 0;
	(void)world_run(&world, 300);
	assert_near(world_view(&world, sa).packets_per_byte, 4 / LARGE);
	world_close(&world);
}

static void observe(struct world *world, size_t sa, double bytes, double packets, uint64_t *counted)
{
	world->now += 1;
	world->bytes[sa] += (uint64_t)bytes;
	*counted += (uint64_t)packets;
	policy_sa_observe(world->policy, world->sas[sa], world->bytes[sa], *counted, world->now);
}

/* They are averaged like the bytes of the level. */
static void test_the_size_of_packets_is_an_average(void **state)
{
	uint64_t counted = 0;
	struct world world;
	size_t sa;

	(void)state;
	open_world(&world);
	sa = add(&world, 0, LARGE, GCM, false);
	for (unsigned i = 0; i <= 4; i++)
		observe(&world, sa, 1e6, 1e3, &counted);
	assert_near(world_view(&world, sa).packets_per_byte, 1e-3);
	observe(&world, sa, 1e6, 6e3, &counted);
	assert_near(world_view(&world, sa).packets_per_byte, 2e-3);
	/* A new level begins. */
	observe(&world, sa, 1e8, 2e6, &counted);
	assert_near(world_view(&world, sa).packets_per_byte, 2e-2);
	world_close(&world);
}

static void test_what_matters_is_weighted(void **state)
{
	struct world world;
	size_t cheap, dear;

	(void)state;
	open_world(&world);
	(void)add(&world, 100 * MB, LARGE, GCM, true);
	cheap = add(&world, 1.5 * MB, LARGE, GCM, false);
	dear = add(&world, 1.5 * MB, LARGE, TRIPLE_DES, false);
	(void)world_run(&world, 3);
	assert_false(policy_sa_matters(world.policy, world.sas[cheap]));
	assert_true(policy_sa_matters(world.policy, world.sas[dear]));
	world_close(&world);
}

/* After a link was down, sequence numbers are skipped, and those are counted. */
static void test_skipped_numbers_are_no_packets(void **state)
{
	struct world world;
	double before;
	size_t sa;

	(void)state;
	open_world(&world);
	sa = add(&world, 10 * MB, LARGE, GCM, false);
	(void)world_run(&world, 10);
	before = weight(&world, sa);
	world.now += 1;
	world.bytes[sa] += (uint64_t)(10 * MB);
	policy_sa_observe(world.policy, world.sas[sa], world.bytes[sa], UINT64_C(1) << 30,
			  world.now);
	assert_true(world_view(&world, sa).rate_known);
	assert_near(world_view(&world, sa).last_rate, 10 * MB);
	assert_true(weight(&world, sa) == before);
	/* Nor does a sample without packets change it. */
	world.now += 1;
	world.bytes[sa] += (uint64_t)(10 * MB);
	policy_sa_observe(world.policy, world.sas[sa], world.bytes[sa], UINT64_C(1) << 30,
			  world.now);
	assert_true(weight(&world, sa) == before);
	world_close(&world);
}

/* A rekey may change the algorithm, and does not change the packets. */
static void test_a_successor_inherits_the_packets(void **state)
{
	const double unit = 0.5 + 200 / LARGE;
	struct world world;
	size_t old, new;

	(void)state;
	open_world(&world);
	world.config.cpu_cost = GCM;
	old = world_add_lineage(&world, 10 * MB, false, "tunnel");
	world.packet[old] = 100;
	(void)world_run(&world, 10);
	world.config.cpu_cost = TRIPLE_DES;
	new = world_add_lineage(&world, 0, false, "tunnel");
	assert_near(weight(&world, new), (20 + 1000 / 100.0) / unit);
	assert_near(world_view(&world, new).packets_per_byte, 0.01);
	world_close(&world);
}

static void test_the_boundary_is_in_bytes(void **state)
{
	struct world world;
	size_t resident, outsider;
	struct policy_sa_view view;

	(void)state;
	open_world(&world);
	resident = add(&world, 100 * MB, LARGE, TRIPLE_DES, true);
	outsider = add(&world, 100 * MB, 100, GCM, false);
	(void)world_run(&world, 30);
	view = world_view(&world, outsider);
	assert_true(world_resident(&world, resident));
	assert_near(view.boundary,
		    view.threshold * weight(&world, resident) / weight(&world, outsider));
	world_close(&world);
}

/* What would happen is tried on a copy, in which all goes on as it is. */
static void test_a_copy(void **state)
{
	_cleanup_(policy_freep) struct policy *copy = NULL;
	struct policy_sa_view view;
	struct world world;
	size_t sa;

	(void)state;
	open_world(&world);
	sa = add(&world, 10 * MB, 100, GCM, false);
	(void)world_run(&world, 30);
	assert_int_equal(policy_copy(world.policy, &copy), 0);
	for (unsigned i = 1; i < 60; i++)
		policy_extrapolate(copy, world.now + i);
	policy_sa_get(copy, world.sas[sa], world.now + 60, &view);
	assert_near(view.cpu_weight, weight(&world, sa));
	assert_near(view.packets_per_byte, 0.01);
	world_close(&world);
}

static void test_invalid_costs(void **state)
{
	static const struct policy_cpu_cost invalid[] = {
		{.per_byte = -1},
		{.per_byte = NAN},
		{.per_byte = INFINITY},
		{.per_byte = 1, .per_packet = -1},
		{.per_byte = 1, .per_packet = NAN},
		{.per_byte = 0, .per_packet = 1},
	};
	static const struct policy_cpu_cost many[POLICY_CPU_COSTS_MAX + 1];
	struct world world;
	size_t sa;

	(void)state;
	open_world(&world);
	sa = add(&world, 10 * MB, LARGE, TRIPLE_DES, false);
	(void)world_run(&world, 3);
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		assert_int_equal(policy_set_cpu_costs(world.policy, &invalid[i], 1, world.now),
				 -EINVAL);
	assert_int_equal(
		policy_set_cpu_costs(world.policy, many, POLICY_CPU_COSTS_MAX + 1, world.now),
		-E2BIG);
	assert_true(weight(&world, sa) > 10);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_slot_goes_to_the_costlier_algorithm),
		cmocka_unit_test(test_the_slot_goes_to_the_smaller_packets),
		cmocka_unit_test(test_the_unit_is_the_cheapest_byte_in_large_packets),
		cmocka_unit_test(test_the_weight_is_limited),
		cmocka_unit_test(test_unknown_costs),
		cmocka_unit_test(test_new_costs_change_the_order),
		cmocka_unit_test(test_the_size_of_packets_is_measured_again),
		cmocka_unit_test(test_the_size_of_packets_is_an_average),
		cmocka_unit_test(test_what_matters_is_weighted),
		cmocka_unit_test(test_skipped_numbers_are_no_packets),
		cmocka_unit_test(test_a_successor_inherits_the_packets),
		cmocka_unit_test(test_the_boundary_is_in_bytes),
		cmocka_unit_test(test_a_copy),
		cmocka_unit_test(test_invalid_costs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
