// SPDX-License-Identifier: GPL-2.0-or-later
/* The policy with counters that a driver refreshes late. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy-world.h"

#include <math.h>

/* The driver shows the counters of the SAs in the NIC so many seconds late, each SA at its own
 * time. A steady SA then looks like one with bursts. */
static void test_counters_that_lag(void **state)
{
	static const unsigned lags[] = {2, 3, 5};

	(void)state;
	for (size_t l = 0; l < ELEMENTSOF(lags); l++) {
		struct policy_table_config config = table_default;
		unsigned resident_since[16] = {};
		uint64_t carried[16] = {};
		struct world world;
		size_t moves = 0;

		config.capacity = 4;
		world_open(&world, &config);
		for (int i = 0; i < 8; i++)
			world_add(&world, (10 + 2 * i) * MB, false);
		for (unsigned second = 1; second <= 700; second++) {
			/* Hotter ones, each promoted at another time of the driver's. */
			if (second > 500 && second % 37 == 0 && world.n < 12)
				world_add(&world, (30 + 5 * (double)world.n) * MB, false);
			world.now += 1;
			for (size_t i = 0; i < world.n; i++) {
				double noise = 0.9 + 0.02 * ((second * 7 + i * 3) % 11);

				carried[i] += (uint64_t)(world.rates[i] * noise);
				if (!world_resident(&world, i))
					resident_since[i] = second;
				if (!world_resident(&world, i) || (second + i) % lags[l] == 0)
					world.bytes[i] = carried[i];
			}
			world_observe(&world);
			(void)world_plan(&world);
			moves += second > 300 && second <= 500 ? world.n_moves : 0;
			world_report(&world, POLICY_DONE);
			/* The lag is known, so an SA that shows nothing at first is not doubted. */
			for (size_t i = 0; second > 300 && i < world.n; i++) {
				double rate = world_view(&world, i).rate / world.rates[i];

				assert_true(world_view(&world, i).reason != POLICY_REASON_DOUBTED);
				if (second - resident_since[i] > 20)
					assert_true(rate > 0.85 && rate < 1.15);
			}
		}
		assert_int_equal(moves, 0);
		for (size_t i = 0; i < world.n; i++)
			assert_int_equal(world_resident(&world, i), i >= 8);
		/* Silence is noticed all the same. */
		for (unsigned second = 0; second < 2 * lags[l]; second++) {
			world.now += 1;
			world_observe(&world);
		}
		assert_true(world_view(&world, 11).last_rate < 1);
		world_close(&world);
	}
}

static bool is_refreshed(unsigned second, double lag)
{
	return floor(second / lag) > floor((second - 1) / lag);
}

/* The SAs that carry most are put into the NIC and stay there, and none is doubted. The counters
 * are refreshed together, or each at its own time. Returns the number of moves. */
static size_t moves_with_lag(unsigned capacity, double lag, unsigned phase, bool together)
{
	struct policy_table_config config = table_default;
	uint64_t carried[8] = {};
	struct policy_verdict verdict;
	struct world world;
	size_t moves = 0;

	config.capacity = capacity;
	config.migration_bytes = 64e3;
	config.migration_seconds = 0.001;
	world_open(&world, &config);
	for (size_t i = 0; i < ELEMENTSOF(carried); i++)
		world_add(&world, (10 + 5 * (double)i) * MB, false);
	for (unsigned second = 1; second <= 300; second++) {
		world.now += 1;
		for (size_t i = 0; i < world.n; i++) {
			double noise = 0.9 + 0.02 * ((second * 7 + i * 3) % 11);

			carried[i] += (uint64_t)(world.rates[i] * noise);
			if (!world_resident(&world, i) ||
			    is_refreshed(second + phase + (together ? 0 : (unsigned)i), lag))
				world.bytes[i] = carried[i];
		}
		world_observe(&world);
		moves += world_plan(&world);
		world_report(&world, POLICY_DONE);
		for (size_t i = 0; i < world.n; i++) {
			assert_false(policy_sa_take_verdict(world.policy, world.sas[i], &verdict));
			if (second > 20)
				assert_true(world_view(&world, i).rate_known);
		}
	}
	for (size_t i = 0; i < world.n; i++)
		assert_int_equal(world_resident(&world, i), i >= world.n - capacity);
	world_close(&world);
	return moves;
}

/* No more moves than without a lag, although the lag is not known at first. */
static void test_few_slots(void **state)
{
	static const double lags[] = {2, 2.5, 3, 3.4, 4};

	(void)state;
	for (unsigned capacity = 1; capacity <= 3; capacity++) {
		size_t moves = moves_with_lag(capacity, 1, 0, true);

		for (size_t l = 0; l < ELEMENTSOF(lags); l++)
			for (unsigned phase = 0; phase < lags[l]; phase++) {
				assert_int_equal(moves_with_lag(capacity, lags[l], phase, false),
						 moves);
				assert_int_equal(moves_with_lag(capacity, lags[l], phase, true),
						 moves);
			}
	}
}

/* The lag is at most the time between two changes, so silence is noticed soon after two of them. */
static void test_silence_after_two_changes(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, &table_default);
	world_add(&world, 0, true);
	for (unsigned second = 0; second < 2 * 2 + 3; second++) {
		world.bytes[0] += second == 2 || second == 4 ? 100000 : 0;
		world.now += 1;
		world_observe(&world);
		assert_true(second < 2 || world_view(&world, 0).last_rate > 0);
	}
	world.now += 1;
	world_observe(&world);
	assert_true(world_view(&world, 0).last_rate < 1);
	world_close(&world);
}

/* The SA carries traffic in some samples, less than before, which may be due to a lag. Then it
 * stops. */
static void test_a_stop_before_the_lag_is_known(void **state)
{
	struct world world;
	unsigned second = 0;

	(void)state;
	world_open(&world, &table_default);
	world_add(&world, 50 * MB, false);
	while (!world_resident(&world, 0))
		world_run(&world, 1);
	for (unsigned i = 0; i < 6; i++) {
		world.rates[0] = i % 3 == 0 ? 60 * MB : 0;
		assert_int_equal(world_tick(&world), 0);
	}
	world.rates[0] = 0;
	while (world_tick(&world) == 0)
		assert_true(++second < 8);
	assert_int_equal(world.moves[0].action, POLICY_EVICT);
	assert_int_equal(world.moves[0].reason, POLICY_REASON_DOUBTED);
	world_close(&world);
}

/* One SA has a burst every so many seconds, and later another one is steady. Only what may be a lag
 * is taken for one, and not any more when a counter changes with each sample. */
static void test_bursts_are_no_lag(void **state)
{
	static const struct {
		unsigned period;
		bool lags;
	} cases[] = {{3, true}, {6, true}, {20, false}};

	(void)state;
	for (size_t c = 0; c < ELEMENTSOF(cases); c++) {
		struct world world;

		world_open(&world, &table_default);
		world_add(&world, 0, true);
		world_add(&world, 0, true);
		for (unsigned second = 1; second <= 50 * cases[c].period + 2; second++) {
			if (second % cases[c].period == 0)
				world.bytes[0] += (uint64_t)(100 * MB);
			if (second > 40 * cases[c].period)
				world.bytes[1] += (uint64_t)(20 * MB);
			world.now += 1;
			world_observe(&world);
			if (second == 40 * cases[c].period - 1)
				assert_int_equal(world_view(&world, 0).last_rate > 0,
						 cases[c].lags);
		}
		assert_true(world_view(&world, 0).last_rate < 1);
		world_close(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counters_that_lag),
		cmocka_unit_test(test_few_slots),
		cmocka_unit_test(test_silence_after_two_changes),
		cmocka_unit_test(test_a_stop_before_the_lag_is_known),
		cmocka_unit_test(test_bursts_are_no_lag),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
