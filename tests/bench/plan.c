// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * plan [SAS...]: what the policy alone costs by the number of SAs (default 1,000, 10,000 and
 * 100,000), of which 5 % carry something in each second. CPU times are medians of several.
 *
 *   memory     growth of the resident set from no SA to all of them idle, per SA; and from there
 *              to 5 % of them active, per active SA
 *   idle       policy_sa_observe() for an SA that carried nothing, as before
 *   busy       policy_sa_observe() for an SA that carries something, in each second another amount
 *   plan       policy_plan() after these samples, when no SA is active and when 5 % are
 *   copy       policy_copy() and policy_free() of it, as the method Plan makes them: the first
 *              time, when all of its memory is new to the process, and later
 *   lives      SAs are born and die, a million in all: the resident set before and after
 */
#include "cleanup.h"
#include "measure.h"
#include "policy.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REPEATED 9
#define ACTIVE_STEP 20
#define SLOTS 1024
#define LIVES 1000000
#define LIVES_AT_ONCE 1000

struct bench {
	struct policy *policy;
	policy_sa *sas;
	uint64_t *bytes;
	uint32_t n;
	struct policy_sa_config config;
	double now;
	uint64_t random;
};

static void *need(void *memory)
{
	if (memory)
		return memory;
	(void)fprintf(stderr, "plan: out of memory\n");
	exit(1);
}

static void need_zero(int r)
{
	if (r != 0)
		(void)need(NULL);
}

static uint64_t next_random(struct bench *b) /* splitmix64 */
{
	uint64_t z = b->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static void bench_open(struct bench *b, uint32_t n)
{
	const struct policy_table_config table = {
		.capacity = SLOTS,
		.moves_per_second = 100,
		.moves_burst = 100,
		.migration_bytes = 4 << 20,
		.migration_seconds = 0.25,
	};
	struct policy_parameters parameters = policy_parameters_default();

	*b = (struct bench){.n = n, .config.weight = 1, .random = n};
	b->sas = need(calloc(n, sizeof(*b->sas)));
	b->bytes = need(calloc(n, sizeof(*b->bytes)));
	need_zero(policy_new(&parameters, &b->policy));
	need_zero(policy_table_add(b->policy, &table, &b->config.table));
	/* What the benchmark needs for itself is resident before the policy is measured. */
	memset(b->sas, 0xff, n * sizeof(*b->sas));
	memset(b->bytes, 0xff, n * sizeof(*b->bytes));
	memset(b->bytes, 0, n * sizeof(*b->bytes));
}

static void bench_close(struct bench *b)
{
	policy_free(b->policy);
	free(b->sas);
	free(b->bytes);
}

/* As many bytes of lineage as the daemon's SAs have. */
static void add(struct bench *b, uint32_t i, uint64_t lineage)
{
	uint64_t key[8] = {lineage};

	need_zero(
		policy_sa_add(b->policy, &b->config, key, sizeof(key), false, b->now, &b->sas[i]));
}

/* The CPU of the samples of the SAs from `first` on, `step` apart. */
static double cost_of_samples(struct bench *b, uint32_t first, uint32_t step)
{
	double begun = measure_cpu();

	for (uint32_t i = first; i < b->n; i += step)
		policy_sa_observe(b->policy, b->sas[i], b->bytes[i], b->bytes[i] / 1000, b->now);
	return measure_cpu() - begun;
}

static double cost_of_a_plan(struct bench *b)
{
	const struct policy_move *moves;
	double begun = measure_cpu(), cost;
	size_t n = policy_plan(b->policy, b->now, &moves);

	cost = measure_cpu() - begun;
	for (size_t i = 0; i < n; i++)
		policy_report(b->policy, moves[i].sa, POLICY_DONE, b->now);
	return cost;
}

/* Seconds in which all SAs are sampled. Returns the CPU of the plan. */
static double run_idle(struct bench *b)
{
	double costs[REPEATED];

	for (unsigned i = 0; i < REPEATED; i++) {
		b->now++;
		(void)cost_of_samples(b, 0, 1);
		costs[i] = cost_of_a_plan(b);
	}
	return measure_median(costs, REPEATED);
}

static uint32_t active_of(uint32_t n)
{
	return (n + ACTIVE_STEP - 1) / ACTIVE_STEP;
}

static double cost_of_a_copy(const struct bench *b)
{
	double begun = measure_cpu();
	struct policy *copy;

	need_zero(policy_copy(b->policy, &copy));
	policy_free(copy);
	return measure_cpu() - begun;
}

struct costs {
	double idle, busy, plan;
};

static struct costs run_active(struct bench *b)
{
	double idle[REPEATED], busy[REPEATED], plan[REPEATED];
	uint32_t n_active = active_of(b->n);

	for (unsigned i = 0; i < REPEATED; i++) {
		b->now++;
		for (uint32_t j = 0; j < b->n; j += ACTIVE_STEP)
			b->bytes[j] += next_random(b) % (100000 << j % 8);
		busy[i] = cost_of_samples(b, 0, ACTIVE_STEP) / n_active;
		idle[i] = cost_of_samples(b, 1, ACTIVE_STEP) / n_active;
		for (uint32_t first = 2; first < ACTIVE_STEP; first++)
			(void)cost_of_samples(b, first, ACTIVE_STEP);
		plan[i] = cost_of_a_plan(b);
	}
	return (struct costs){measure_median(idle, REPEATED), measure_median(busy, REPEATED),
			      measure_median(plan, REPEATED)};
}

/* So that the pages of the code are resident before the memory is measured. */
static void warm_up(void)
{
	struct bench b;

	bench_open(&b, 2 * ACTIVE_STEP);
	for (uint32_t i = 0; i < b.n; i++)
		add(&b, i, i);
	(void)run_idle(&b);
	(void)run_active(&b);
	bench_close(&b);
}

static void run(uint32_t n)
{
	double empty, full, active, plan_idle, copies[REPEATED], copy;
	struct costs costs;
	struct bench b;

	warm_up();
	bench_open(&b, n);
	empty = measure_resident_set();
	for (uint32_t i = 0; i < n; i++)
		add(&b, i, i);
	plan_idle = run_idle(&b);
	full = measure_resident_set();
	costs = run_active(&b);
	active = measure_resident_set();
	copy = cost_of_a_copy(&b);
	for (unsigned i = 0; i < REPEATED; i++)
		copies[i] = cost_of_a_copy(&b);
	(void)printf("%7u SAs: memory %4.0f B/SA, %+5.0f B active, idle %4.0f ns/SA, busy %4.0f "
		     "ns/SA, plan %7.1f us idle, %7.1f us active, copy %7.1f us, later %7.1f us\n",
		     n, (full - empty) / n, (active - full) / active_of(n), costs.idle * 1e9,
		     costs.busy * 1e9, plan_idle * 1e6, costs.plan * 1e6, copy * 1e6,
		     measure_median(copies, REPEATED) * 1e6);
	bench_close(&b);
}

/* In a process of its own, where malloc() has no free memory of earlier runs. */
static void run_alone(uint32_t n)
{
	int status;
	pid_t child;

	(void)fflush(stdout);
	child = fork();
	if (child == 0) {
		run(n);
		(void)fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		exit(1);
}

/* Each carries something, so that it has all that an SA may have, and most are rekeyed. */
static void live(struct bench *b, uint32_t i, uint64_t lineage)
{
	policy_sa dying = b->sas[i];

	b->now += 0.001;
	add(b, i, lineage);
	policy_sa_observe(b->policy, b->sas[i], 0, 0, b->now);
	b->bytes[i] = next_random(b) % 1000000;
	policy_sa_observe(b->policy, b->sas[i], b->bytes[i], 0, b->now + 0.1);
	if (dying != POLICY_NONE)
		policy_sa_remove(b->policy, dying, b->now);
}

static void run_lives(void)
{
	double before = 0;
	struct bench b;

	bench_open(&b, LIVES_AT_ONCE);
	for (uint32_t i = 0; i < LIVES; i++) {
		/* Every eighth is of a lineage of its own. */
		uint64_t lineage = i % 8 == 0 ? LIVES_AT_ONCE + i : i % LIVES_AT_ONCE;

		if (i == LIVES / 10)
			before = measure_resident_set();
		live(&b, i % LIVES_AT_ONCE, lineage);
		if (i % LIVES_AT_ONCE == 0)
			(void)cost_of_a_plan(&b);
	}
	(void)printf("lives: resident set %.0f kB after %u lives, %.0f kB after %u\n",
		     before / 1024, LIVES / 10, measure_resident_set() / 1024, LIVES);
	bench_close(&b);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};

	for (int i = 1; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < 2 || n > 10000000) {
			(void)fprintf(stderr, "usage: plan [SAS...]   (2 to 10,000,000 each)\n");
			return 2;
		}
		run_alone((uint32_t)n);
	}
	for (size_t i = 0; argc == 1 && i < ELEMENTSOF(defaults); i++)
		run_alone(defaults[i]);
	run_lives();
	return 0;
}
