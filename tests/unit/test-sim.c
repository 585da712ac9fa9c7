/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The harness itself, and a small part of the table in docs/policy.md. Seeds are fixed, so the
 * numbers are exact: a small loss in any scenario is noticed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "families.h"
#include "random.h"
#include "sim/bound.h"
#include "sim/run.h"

#include <math.h>
#include <string.h>

#define EXACT_SAS 6
#define EXACT_SLOTS 2
#define EXACT_TICKS 60
#define EXACT_SETS (1 << EXACT_SAS)

/* The optimum, by trying every set of residents in every tick. */
static double exact_optimum(double bytes[EXACT_TICKS][EXACT_SAS], const struct sim_options *options,
			    const double *costs)
{
	double best[EXACT_SETS], before[EXACT_SETS], optimum = 0;

	for (int set = 0; set < EXACT_SETS; set++)
		best[set] = set ? -INFINITY : 0;
	for (int t = 0; t < EXACT_TICKS; t++) {
		memcpy(before, best, sizeof(before));
		for (int set = 0; set < EXACT_SETS; set++) {
			double value = 0;

			best[set] = -INFINITY;
			if (__builtin_popcount((unsigned)set) > EXACT_SLOTS)
				continue;
			for (int i = 0; i < EXACT_SAS; i++)
				value += set >> i & 1 ? bytes[t][i] : 0;
			for (int from = 0; from < EXACT_SETS; from++) {
				double cost = 0;

				for (int i = 0; i < EXACT_SAS; i++)
					if ((set ^ from) >> i & 1)
						cost += costs[t] +
							options->migration_seconds * bytes[t][i];
				best[set] = fmax(best[set], before[from] + value - cost);
			}
		}
	}
	for (int set = 0; set < EXACT_SETS; set++)
		optimum = fmax(optimum, best[set]);
	return optimum;
}

static void test_bound_meets_the_exact_optimum(void **state)
{
	/* From 21 on with the cost that the daemon assumes, which changes with the traffic. */
	for (uint64_t seed = 1; seed <= 25; seed++) {
		struct random random = {.state = seed};
		struct sim_options options = {.capacity = EXACT_SLOTS,
					      .migration_bytes =
						      seed > 20 ? -1 : 50 * (double)(seed % 5),
					      .migration_seconds = 0.1 * (double)(seed % 3),
					      .moves_burst = 1e9};
		double bytes[EXACT_TICKS][EXACT_SAS], level[EXACT_SAS] = {}, exact, *costs;
		struct sim_trace *trace;
		struct sim_bound bound;

		assert_int_equal(sim_trace_new(1, 1, &trace), 0);
		for (int t = 0; t < EXACT_TICKS; t++) {
			assert_int_equal(sim_trace_next_tick(trace), 0);
			for (uint32_t i = 0; i < EXACT_SAS; i++) {
				uint32_t sa = i;

				if (t == 0)
					assert_int_equal(sim_trace_add_sa(trace, i, &sa), 0);
				if (t == 0 || random_unit(&random) < 0.1)
					level[i] = floor(random_exponential(&random, 100));
				bytes[t][i] = level[i];
				assert_int_equal(sim_trace_add_row(trace, sa, level[i]), 0);
			}
		}
		trace->n_lineages = EXACT_SAS;
		assert_int_equal(sim_trace_finish(trace), 0);
		assert_int_equal(sim_migration_bytes(trace, &options, &costs), 0);
		exact = exact_optimum(bytes, &options, costs);
		free(costs);
		assert_int_equal(sim_bound(trace, &options, 400, &bound), 0);
		assert_true(bound.net >= exact * (1 - 1e-9));
		assert_true(bound.net <= exact * 1.002);
		sim_trace_free(trace);
	}
}

static void test_a_limit_on_moves_lowers_the_bound(void **state)
{
	struct family_size size = family_size_default();
	struct sim_options options = {.capacity = 8, .migration_bytes = 1e6, .moves_burst = 1e6};
	double last = INFINITY;
	struct sim_trace *trace;

	size.n_sas = 64;
	size.capacity = 8;
	size.n_ticks = 300;
	assert_int_equal(family_generate(&families[4], &size, 1, &trace), 0);
	for (; options.moves_burst > 1; options.moves_burst /= 10) {
		struct sim_bound bound;
		struct sim_result result;

		assert_int_equal(sim_bound(trace, &options, 120, &bound), 0);
		assert_true(bound.net <= last * (1 + 1e-9));
		last = bound.net;
		for (const struct sim_policy *policy = sim_policies; policy->name; policy++) {
			assert_int_equal(sim_run(trace, policy, &options, &result), 0);
			assert_true(result.net <= bound.net);
			assert_true(result.promotions + result.evictions <= options.moves_burst);
			sim_result_done(&result);
		}
	}
	sim_trace_free(trace);
}

struct books {
	uint32_t capacity;
	uint32_t used;
	double last[4096];
	double dwell;
};

static void count_move(void *userdata, double time, uint32_t sa, bool promote)
{
	struct books *books = userdata;

	books->used += promote ? 1 : -1;
	assert_true(books->used <= books->capacity);
	assert_true(sa >= ELEMENTSOF(books->last) || books->last[sa] == 0 ||
		    time - books->last[sa] >= books->dwell);
	if (sa < ELEMENTSOF(books->last))
		books->last[sa] = time;
}

static void test_capacity_and_residence_are_kept(void **state)
{
	struct family_size size = family_size_default();

	size.n_sas = 128;
	size.capacity = 16;
	size.n_ticks = 600;
	for (const struct family *family = families; family->name; family++) {
		struct books books = {.capacity = 16, .dwell = 2};
		struct sim_options options = {.capacity = 16,
					      .migration_bytes = 1e5,
					      .moves_per_second = 20,
					      .moves_burst = 100,
					      .on_move = count_move,
					      .userdata = &books};
		struct sim_trace *trace;
		struct sim_result result;

		/* In scenarios where SAs are added and deleted, slots become free without moves. */
		if (strcmp(family->name, "rekey-600") == 0 ||
		    strcmp(family->name, "short-lived") == 0)
			continue;
		assert_int_equal(family_generate(family, &size, 3, &trace), 0);
		assert_int_equal(sim_run(trace, &sim_policies[0], &options, &result), 0);
		sim_result_done(&result);
		sim_trace_free(trace);
	}
}

static void test_same_seed_same_moves(void **state)
{
	struct family_size size = family_size_default();
	struct sim_options options = {
		.capacity = 16, .migration_bytes = 1e6, .moves_per_second = 4, .moves_burst = 32};
	struct sim_result results[2];

	size.n_sas = 128;
	size.capacity = 16;
	size.n_ticks = 300;
	for (int i = 0; i < 2; i++) {
		struct sim_trace *trace;

		assert_int_equal(family_generate(&families[4], &size, 7, &trace), 0);
		assert_int_equal(sim_run(trace, &sim_policies[0], &options, &results[i]), 0);
		sim_trace_free(trace);
	}
	assert_true(results[0].net == results[1].net && results[0].cost == results[1].cost);
	assert_true(results[0].evictions == results[1].evictions && results[0].evictions > 0);
	sim_result_done(&results[0]);
	sim_result_done(&results[1]);
}

struct ends {
	const struct sim_trace *trace;
	unsigned n_late;
};

static void check_end(void *userdata, double time, uint32_t sa, bool promote)
{
	struct ends *ends = userdata;
	const struct sim_trace *trace = ends->trace;
	double gone = trace->start + trace->sas[sa].gone * trace->interval;

	ends->n_late += trace->sas[sa].gone != SIM_LIVES_ON && time >= gone;
}

/* SAs of one to six ticks, so many of them end in the tick in which they would be moved. */
static void test_an_sa_that_ends_is_not_moved(void **state)
{
	struct random random = {.state = 1};
	struct ends ends = {};
	struct sim_options options = {.capacity = 8,
				      .moves_per_second = 1000,
				      .moves_burst = 1000,
				      .on_move = check_end,
				      .userdata = &ends};
	uint32_t sas[32], left[32] = {};
	struct sim_result result;
	struct sim_trace *trace;

	assert_int_equal(sim_trace_new(1, 1, &trace), 0);
	for (int t = 0; t < 200; t++) {
		assert_int_equal(sim_trace_next_tick(trace), 0);
		for (size_t i = 0; i < ELEMENTSOF(sas); i++) {
			if (left[i] == 0) {
				uint32_t lineage = sim_trace_new_lineage(trace);

				assert_int_equal(sim_trace_add_sa(trace, lineage, &sas[i]), 0);
				left[i] = 1 + (uint32_t)(6 * random_unit(&random));
			}
			assert_int_equal(sim_trace_add_row(trace, sas[i], 1e8), 0);
			if (--left[i] == 0)
				sim_trace_end_sa(trace, sas[i]);
		}
	}
	assert_int_equal(sim_trace_finish(trace), 0);
	ends.trace = trace;
	for (const struct sim_policy *policy = sim_policies; policy->name; policy++) {
		assert_int_equal(sim_run(trace, policy, &options, &result), 0);
		print_message("%s: %llu promotions, %u too late\n", policy->name,
			      (unsigned long long)result.promotions, ends.n_late);
		assert_true(result.offloaded > 0);
		assert_int_equal(ends.n_late, 0);
		sim_result_done(&result);
	}
	sim_trace_free(trace);
}

/* The slot of an SA that ends is free at once. */
static void test_the_slot_of_an_sa_that_ends(void **state)
{
	struct sim_options options = {.capacity = 1, .moves_per_second = 100, .moves_burst = 100};
	uint32_t sas[2];
	struct sim_result result;
	struct sim_trace *trace;

	assert_int_equal(sim_trace_new(1, 1, &trace), 0);
	for (int t = 0; t < 20; t++) {
		assert_int_equal(sim_trace_next_tick(trace), 0);
		for (uint32_t i = 0; i < 2; i++) {
			if (t == 0)
				assert_int_equal(sim_trace_add_sa(trace, i, &sas[i]), 0);
			if (t < 10 || i == 1)
				assert_int_equal(sim_trace_add_row(trace, sas[i], i ? 1e6 : 1e9),
						 0);
		}
		if (t == 9)
			sim_trace_end_sa(trace, sas[0]);
	}
	trace->n_lineages = 2;
	assert_int_equal(sim_trace_finish(trace), 0);
	assert_int_equal(sim_run(trace, &sim_policies[0], &options, &result), 0);
	assert_int_equal(result.sas[0].ticks_resident, 9);
	assert_int_equal(result.sas[1].ticks_resident, 10);
	sim_result_done(&result);
	sim_trace_free(trace);
}

/* Scenarios at a quarter of the size, and the share that must be reached. */
static const struct {
	const char *family;
	double ratio;
} judged[] = {
	{"zipf-1.0", 0.98}, {"churn-medium", 0.956}, {"pareto-10/90", 0.818},
	{"hadoop", 0.91},   {"web-search", 0.85},    {"ping-8", 0.963},
	{"flood", 0.82},    {"rekey-600", 0.979},    {"short-lived", 0.967},
};

static const struct family *family_find(const char *name)
{
	const struct family *family = families;

	while (family->name && strcmp(family->name, name) != 0)
		family++;
	return family;
}

/* Three SAs of one rate each, for which two slots are. */
static struct sim_trace *steady_trace(void)
{
	static const double bytes[] = {1e6, 2e6, 3e6};
	struct sim_trace *trace;
	uint32_t sa;

	assert_int_equal(sim_trace_new(0, 2, &trace), 0);
	for (unsigned t = 0; t < 100; t++) {
		assert_int_equal(sim_trace_next_tick(trace), 0);
		for (unsigned i = 0; i < ELEMENTSOF(bytes); i++) {
			if (t == 0)
				assert_int_equal(
					sim_trace_add_sa(trace, sim_trace_new_lineage(trace), &sa),
					0);
			assert_int_equal(sim_trace_add_row(trace, i, bytes[i]), 0);
		}
	}
	assert_int_equal(sim_trace_finish(trace), 0);
	return trace;
}

/* The cost that the daemon assumes: 0.15 s of an average SA in the NIC, at most 4 MiB. */
static void test_assumed_cost(void **state)
{
	struct sim_options options = {
		.capacity = 2, .migration_bytes = -1, .moves_per_second = 1, .moves_burst = 4};
	struct sim_trace *trace = steady_trace();
	struct sim_result assumed, told;
	struct sim_bound bound_assumed, bound_told;
	double *costs;

	(void)state;
	assert_int_equal(policy_assumed_reserve(63), 0);
	assert_int_equal(policy_assumed_reserve(64), 1);
	assert_int_equal(policy_assumed_reserve(4096), 4);
	assert_true(policy_assumed_migration_bytes(0, 5e9, 4) <= 0);
	assert_true(policy_assumed_migration_bytes(128, 5e9, 1024) >= 4.0 * 1024 * 1024);
	assert_true(fabs(policy_assumed_migration_bytes(128, 100, 10) - 1.5) < 1e-9);
	/* 3 MB/s, of which two SAs are in the NIC. */
	assert_int_equal(sim_migration_bytes(trace, &options, &costs), 0);
	for (unsigned t = 0; t < 100; t++)
		assert_true(fabs(costs[t] - 225e3) < 1e-3);
	free(costs);
	for (unsigned p = 0; p < 2; p++) {
		options.migration_bytes = -1;
		assert_int_equal(sim_run(trace, &sim_policies[p], &options, &assumed), 0);
		assert_int_equal(sim_bound(trace, &options, 50, &bound_assumed), 0);
		options.migration_bytes = 225e3;
		assert_int_equal(sim_run(trace, &sim_policies[p], &options, &told), 0);
		assert_int_equal(sim_bound(trace, &options, 50, &bound_told), 0);
		assert_true(assumed.cost > 0 || p > 0);
		assert_true(fabs(assumed.cost - told.cost) < 1);
		assert_true(fabs(assumed.net - told.net) < 1);
		assert_true(fabs(bound_assumed.net - bound_told.net) < 1);
		assert_int_equal(assumed.promotions, told.promotions);
		sim_result_done(&assumed);
		sim_result_done(&told);
	}
	sim_trace_free(trace);
}

/* The policy of the daemon assumes the same cost: with traffic that the limit of 4 MiB does not
 * reach, a larger one would lead to other moves. */
static void test_policy_assumes_the_cost(void **state)
{
	struct family_size size = {
		.n_sas = 64, .capacity = 8, .n_ticks = 600, .interval = 1, .total = 1e6};
	struct sim_options options = {.capacity = 8, .moves_per_second = 100, .moves_burst = 100};
	static const double factors[] = {-1, 1, 2};
	uint64_t promotions[ELEMENTSOF(factors)];
	struct sim_trace *trace;
	double *costs, mean = 0;

	(void)state;
	assert_int_equal(family_generate(family_find("zipf-1.0"), &size, 1, &trace), 0);
	options.migration_bytes = -1;
	assert_int_equal(sim_migration_bytes(trace, &options, &costs), 0);
	for (unsigned t = 0; t < size.n_ticks; t++)
		mean += costs[t] / size.n_ticks;
	free(costs);
	for (unsigned i = 0; i < ELEMENTSOF(factors); i++) {
		struct sim_result result;

		options.migration_bytes = factors[i] * (i > 0 ? mean : 1);
		assert_int_equal(sim_run(trace, sim_policies, &options, &result), 0);
		promotions[i] = result.promotions;
		print_message("%g: %llu promotions\n", factors[i],
			      (unsigned long long)promotions[i]);
		sim_result_done(&result);
	}
	/* Nearer to the mean of its own cost than to twice that. */
	assert_true(promotions[1] > promotions[2]);
	assert_true(2 * promotions[0] > promotions[1] + promotions[2]);
	sim_trace_free(trace);
}

static double net_of(const struct sim_trace *trace, const struct sim_policy *policy,
		     const struct sim_options *options, uint64_t *ret_lost_rekeys)
{
	struct sim_result result;
	double net;

	assert_int_equal(sim_run(trace, policy, options, &result), 0);
	net = result.net;
	if (ret_lost_rekeys)
		*ret_lost_rekeys += result.rekeys_of_residents - result.rekeys_kept;
	sim_result_done(&result);
	return net;
}

static void test_a_small_table(void **state)
{
	struct family_size size = {
		.n_sas = 256, .capacity = 32, .n_ticks = 900, .interval = 1, .total = 1.25e9};
	struct sim_options options = {.capacity = 32,
				      .migration_bytes = 4.0 * 1024 * 1024,
				      .migration_seconds = 0.25,
				      .moves_per_second = 2,
				      .moves_burst = 64};
	double logs[16] = {};
	const size_t n_judged = ELEMENTSOF(judged);
	uint64_t lost = 0;

	for (size_t i = 0; i < n_judged; i++) {
		struct sim_trace *trace;
		struct sim_bound bound;

		assert_int_equal(family_generate(family_find(judged[i].family), &size, 1, &trace),
				 0);
		assert_int_equal(sim_bound(trace, &options, 60, &bound), 0);
		for (unsigned p = 0; sim_policies[p].name; p++) {
			double ratio = net_of(trace, &sim_policies[p], &options, p ? NULL : &lost) /
				       bound.net;

			logs[p] += log(fmax(ratio, 0.001)) / (double)n_judged;
			if (p > 0)
				continue;
			print_message("%s: %.4f\n", judged[i].family, ratio);
			assert_true(ratio >= judged[i].ratio);
		}
		sim_trace_free(trace);
	}
	for (unsigned p = 0; sim_policies[p].name; p++) {
		print_message("%s: %.4f\n", sim_policies[p].name, exp(logs[p]));
		assert_true(p == 0 || logs[0] > logs[p]);
	}
	assert_int_equal(lost, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bound_meets_the_exact_optimum),
		cmocka_unit_test(test_a_limit_on_moves_lowers_the_bound),
		cmocka_unit_test(test_capacity_and_residence_are_kept),
		cmocka_unit_test(test_same_seed_same_moves),
		cmocka_unit_test(test_an_sa_that_ends_is_not_moved),
		cmocka_unit_test(test_the_slot_of_an_sa_that_ends),
		cmocka_unit_test(test_assumed_cost),
		cmocka_unit_test(test_policy_assumes_the_cost),
		cmocka_unit_test(test_a_small_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
