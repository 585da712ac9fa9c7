/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of the policy under random inputs, and its guarantee under adversaries. All seeds are
 * fixed, so a failure can be repeated.
 *
 * The random world has tables that are smaller than configured, drivers that refuse and fail, SAs
 * that are added, deleted, rekeyed, reconfigured and moved by others, counters that go back, and
 * late reports. Two policies get the same inputs. After every plan the rules are checked against
 * the state of the world, not against the output of the policy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "policy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_SAS 96
#define N_TABLES 3
#define N_BUDGETS 3
#define N_GROUPS 2
#define N_CPU_COSTS 3
#define N_LINEAGES 60
#define IDLE_EVERY 12 /* one of so many SAs never carries anything */

struct random {
	uint64_t state;
};

static uint64_t random_next(struct random *random) /* splitmix64 */
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static double random_unit(struct random *random)
{
	return (double)(random_next(random) >> 11) * 0x1p-53;
}

static uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)(random_next(random) % n);
}

static bool random_chance(struct random *random, double p)
{
	return random_unit(random) < p;
}

struct model_sa {
	bool used;
	policy_sa handle;
	struct policy_sa_config config;
	policy_table in; /* the NIC that holds it */
	bool pending;
	struct policy_move move;
	enum policy_outcome outcome;
	double report_at;
	double moved; /* planned */
	double rate;
	uint64_t bytes;
};

struct model_table {
	bool used;
	policy_table handle;
	struct policy_table_config config;
	uint32_t space; /* real number of slots */
};

/* The allowed moves, for each budget, and for each table without a budget. */
struct model_bucket {
	uint32_t budget;
	unsigned users;
	double moves_per_second, moves_burst;
	double tokens, tokens_at;
};

struct model {
	struct random random;
	struct policy *policy;
	struct policy *twin;
	struct policy_group_config groups[N_GROUPS];
	struct model_sa sas[N_SAS];
	struct model_table tables[N_TABLES];
	struct model_bucket budgets[N_BUDGETS]; /* [0] is unused */
	struct model_bucket own[N_TABLES];
	double now;
	double dwell;
	bool faults;
	unsigned idle; /* samples */
};

static struct model_table *model_table(struct model *model, policy_table handle)
{
	for (size_t i = 0; i < N_TABLES; i++)
		if (model->tables[i].used && model->tables[i].handle == handle)
			return &model->tables[i];
	return NULL;
}

static struct model_sa *model_sa(struct model *model, policy_sa handle)
{
	for (size_t i = 0; i < N_SAS; i++)
		if (model->sas[i].used && model->sas[i].handle == handle)
			return &model->sas[i];
	return NULL;
}

static struct model_bucket *model_bucket(struct model *model, const struct model_table *table)
{
	if (table->config.budget > 0)
		return &model->budgets[table->config.budget];
	return &model->own[table - model->tables];
}

static uint32_t model_in(const struct model *model, policy_table table)
{
	uint32_t n = 0;

	for (size_t i = 0; i < N_SAS; i++)
		n += model->sas[i].used && model->sas[i].in == table;
	return n;
}

static struct policy_table_config random_table_config(struct model *model)
{
	struct random *random = &model->random;

	return (struct policy_table_config){
		.capacity = random_below(random, 20),
		.reserve = random_below(random, 3),
		.budget = random_below(random, N_BUDGETS),
		.moves_per_second = 5 * random_unit(random),
		.moves_burst = 1 + random_below(random, 30),
		.migration_bytes = 1e6 * random_unit(random),
		.migration_seconds = 0.2 * random_unit(random),
		.max_rate = random_chance(random, 0.2) ? 1e8 : 0,
	};
}

static void model_add_table(struct model *model)
{
	struct model_table *table = NULL;
	struct model_bucket *bucket;
	policy_table handle;

	for (size_t i = 0; i < N_TABLES && !table; i++)
		if (!model->tables[i].used)
			table = &model->tables[i];
	if (!table)
		return;
	*table = (struct model_table){.used = true, .config = random_table_config(model)};
	table->space = table->config.capacity;
	if (model->faults && random_chance(&model->random, 0.3))
		table->space /= 2;
	bucket = model_bucket(model, table);
	if (bucket->users++ == 0) {
		bucket->moves_per_second = table->config.moves_per_second;
		bucket->moves_burst = table->config.moves_burst;
		bucket->tokens = bucket->moves_burst;
		bucket->tokens_at = model->now;
	}
	/* All tables of a budget have the same limits. */
	table->config.moves_per_second = bucket->moves_per_second;
	table->config.moves_burst = bucket->moves_burst;
	assert_int_equal(policy_table_add(model->policy, &table->config, &table->handle), 0);
	assert_int_equal(policy_table_add(model->twin, &table->config, &handle), 0);
	assert_int_equal(table->handle, handle);
}

static void model_remove_table(struct model *model)
{
	struct model_table *table = &model->tables[random_below(&model->random, N_TABLES)];

	if (!table->used)
		return;
	policy_table_remove(model->policy, table->handle, model->now);
	policy_table_remove(model->twin, table->handle, model->now);
	for (size_t i = 0; i < N_SAS; i++) {
		struct model_sa *sa = &model->sas[i];

		if (sa->in == table->handle || (sa->pending && sa->move.table == table->handle)) {
			sa->in = POLICY_NONE;
			sa->pending = false;
		}
		if (sa->config.table == table->handle)
			sa->config.table = POLICY_NONE;
	}
	model_bucket(model, table)->users--;
	table->used = false;
}

static void model_resize_table(struct model *model)
{
	struct model_table *table = &model->tables[random_below(&model->random, N_TABLES)];

	if (!table->used)
		return;
	table->config.capacity = random_below(&model->random, 20);
	table->space = table->config.capacity;
	assert_int_equal(policy_table_configure(model->policy, table->handle, &table->config), 0);
	assert_int_equal(policy_table_configure(model->twin, table->handle, &table->config), 0);
}

/* The unit is another one each time, and so is the order of the algorithms. */
static void model_set_cpu_costs(struct model *model)
{
	struct policy_cpu_cost costs[N_CPU_COSTS];

	for (size_t i = 0; i < N_CPU_COSTS; i++)
		costs[i] = (struct policy_cpu_cost){
			.per_byte = 0.01 + 10 * random_unit(&model->random),
			.per_packet = 1000 * random_unit(&model->random),
		};
	assert_int_equal(policy_set_cpu_costs(model->policy, costs, N_CPU_COSTS, model->now), 0);
	assert_int_equal(policy_set_cpu_costs(model->twin, costs, N_CPU_COSTS, model->now), 0);
}

static struct policy_sa_config random_sa_config(struct model *model)
{
	struct random *random = &model->random;
	const struct model_table *table = &model->tables[random_below(random, N_TABLES)];

	return (struct policy_sa_config){
		.table = table->used && random_chance(random, 0.9) ? table->handle : POLICY_NONE,
		.weight = random_chance(random, 0.8) ? 1 : 4 * random_unit(random) + 0.1,
		.min_rate = random_chance(random, 0.2) ? 1e5 : 0,
		.pinned = random_chance(random, 0.03),
		.banned = random_chance(random, 0.05),
		.immovable = random_chance(random, 0.05),
		.group = random_below(random, N_GROUPS + 2),
		.cpu_cost = random_below(random, N_CPU_COSTS + 2),
	};
}

static void model_add_sa(struct model *model)
{
	struct random *random = &model->random;
	struct model_sa *sa = &model->sas[random_below(random, N_SAS)];
	uint32_t lineage = random_below(random, N_LINEAGES);
	policy_sa handle;
	bool resident;

	if (sa->used)
		return;
	*sa = (struct model_sa){
		.used = true,
		.config = random_sa_config(model),
		.in = POLICY_NONE,
		.moved = -INFINITY,
		.rate = pow(10, 8 * random_unit(random)),
	};
	resident = sa->config.table != POLICY_NONE && random_chance(random, 0.1) &&
		   model_in(model, sa->config.table) < model_table(model, sa->config.table)->space;
	if (resident)
		sa->in = sa->config.table;
	assert_int_equal(policy_sa_add(model->policy, &sa->config, &lineage, sizeof(lineage),
				       resident, model->now, &sa->handle),
			 0);
	assert_int_equal(policy_sa_add(model->twin, &sa->config, &lineage, sizeof(lineage),
				       resident, model->now, &handle),
			 0);
	assert_int_equal(sa->handle, handle);
}

static void model_change_sa(struct model *model)
{
	struct model_sa *sa = &model->sas[random_below(&model->random, N_SAS)];
	bool resident;

	if (!sa->used)
		return;
	switch (random_below(&model->random, 5)) {
	case 0:
		policy_sa_remove(model->policy, sa->handle, model->now);
		policy_sa_remove(model->twin, sa->handle, model->now);
		*sa = (struct model_sa){.in = POLICY_NONE};
		break;
	case 1:
		sa->config = random_sa_config(model);
		assert_int_equal(
			policy_sa_configure(model->policy, sa->handle, &sa->config, model->now), 0);
		assert_int_equal(
			policy_sa_configure(model->twin, sa->handle, &sa->config, model->now), 0);
		break;
	case 2: /* another program moves it */
		resident = sa->in == POLICY_NONE;
		if (sa->pending || sa->config.table == POLICY_NONE ||
		    (resident && model_in(model, sa->config.table) >=
					 model_table(model, sa->config.table)->space))
			break;
		sa->in = resident ? sa->config.table : POLICY_NONE;
		sa->moved = model->now;
		policy_sa_set_resident(model->policy, sa->handle, resident, model->now);
		policy_sa_set_resident(model->twin, sa->handle, resident, model->now);
		break;
	case 3:
		policy_sa_made_worse(model->policy, sa->handle, model->now);
		policy_sa_made_worse(model->twin, sa->handle, model->now);
		break;
	default:
		sa->rate = random_chance(&model->random, 0.3)
				   ? 0
				   : pow(10, 8 * random_unit(&model->random));
		break;
	}
}

/* The caller does not have to ask for any of these. */
static void check_idle(struct model *model, policy_sa handle)
{
	struct policy_rate rate = policy_sa_rate(model->policy, handle);
	struct policy_verdict verdict;

	assert_true(rate.known && rate.mean == 0 && rate.last == 0);
	assert_false(policy_sa_matters(model->policy, handle));
	assert_false(policy_sa_take_verdict(model->policy, handle, &verdict));
	model->idle++;
}

static void model_observe(struct model *model, double dt)
{
	for (size_t i = 0; i < N_SAS; i++) {
		struct model_sa *sa = &model->sas[i];
		uint64_t packets;

		if (!sa->used)
			continue;
		if (i % IDLE_EVERY != 0)
			sa->bytes +=
				(uint64_t)(sa->rate * dt * (0.5 + random_unit(&model->random)));
		if (random_chance(&model->random, 0.002))
			sa->bytes = 0;
		packets = sa->bytes / (40 + 30 * i);
		if (!policy_sa_observe(model->policy, sa->handle, sa->bytes, packets, model->now))
			check_idle(model, sa->handle);
		(void)policy_sa_observe(model->twin, sa->handle, sa->bytes, packets, model->now);
	}
}

static bool is_voluntary(enum policy_reason reason)
{
	return reason == POLICY_REASON_FREE_SLOT || reason == POLICY_REASON_HOTTER ||
	       reason == POLICY_REASON_COLDER || reason == POLICY_REASON_PINNED ||
	       reason == POLICY_REASON_GROUP_FLOOR;
}

static bool is_by_rate(enum policy_reason reason)
{
	return is_voluntary(reason) && reason != POLICY_REASON_PINNED;
}

static bool is_paid(enum policy_reason reason)
{
	return is_voluntary(reason) || reason == POLICY_REASON_SUCCESSOR ||
	       reason == POLICY_REASON_SUPERSEDED || reason == POLICY_REASON_DOUBTED;
}

static void check_move(struct model *model, const struct policy_move *move)
{
	const struct model_sa *sa = model_sa(model, move->sa);
	struct model_table *table = model_table(model, move->table);
	struct model_bucket *bucket;

	assert_non_null(sa);
	assert_non_null(table);
	bucket = model_bucket(model, table);
	assert_false(sa->pending);
	assert_false(sa->config.immovable);
	assert_true(isfinite(move->rate) && isfinite(move->gain) && isfinite(move->cost));
	if (move->action == POLICY_PROMOTE) {
		assert_int_equal(sa->in, POLICY_NONE);
		assert_int_equal(sa->config.table, move->table);
		assert_false(sa->config.banned);
	} else {
		assert_int_equal(sa->in, move->table);
		if (sa->config.pinned && sa->config.table == sa->in && !sa->config.banned)
			assert_true(move->reason == POLICY_REASON_OVER_CAPACITY ||
				    move->reason == POLICY_REASON_MADE_WORSE ||
				    move->reason == POLICY_REASON_DOUBTED ||
				    move->reason == POLICY_REASON_SUPERSEDED);
	}
	if (is_by_rate(move->reason))
		assert_true(model->now - sa->moved >= model->dwell - 1e-9);
	bucket->tokens =
		fmin(bucket->moves_burst,
		     bucket->tokens + bucket->moves_per_second * (model->now - bucket->tokens_at));
	bucket->tokens_at = model->now;
	bucket->tokens -= 1;
	if (is_paid(move->reason))
		assert_true(bucket->tokens >= -1e-6);
	else
		bucket->tokens = fmax(0, bucket->tokens);
}

static void model_take_moves(struct model *model, const struct policy_move *moves, size_t n_moves)
{
	for (size_t i = 0; i < n_moves; i++) {
		struct model_sa *sa = model_sa(model, moves[i].sa);
		const struct model_table *table = model_table(model, moves[i].table);
		double p = model->faults ? random_unit(&model->random) : 1;

		check_move(model, &moves[i]);
		sa->pending = true;
		sa->move = moves[i];
		sa->moved = model->now;
		sa->report_at = model->now + (p < 0.2 ? 3 * random_unit(&model->random) : 0);
		sa->outcome = p < 0.05 ? POLICY_FAILED : POLICY_DONE;
		if (moves[i].action == POLICY_PROMOTE) {
			const struct model_sa *other = model_sa(model, moves[i].other);

			/* The slot is not free: the promotion is not tried. */
			if (other && other->outcome == POLICY_FAILED)
				sa->outcome = POLICY_FAILED;
			else if (p >= 0.05 && p < 0.1)
				sa->outcome = POLICY_REFUSED;
			if (sa->outcome != POLICY_FAILED &&
			    model_in(model, moves[i].table) >= table->space) {
				/* Without faults there is always room: evictions come first. */
				assert_true(model->faults);
				sa->outcome = POLICY_NO_SPACE;
			}
		}
		if (sa->outcome == POLICY_DONE)
			sa->in = moves[i].action == POLICY_PROMOTE ? moves[i].table : POLICY_NONE;
	}
}

static void model_report(struct model *model)
{
	for (size_t i = 0; i < N_SAS; i++) {
		struct model_sa *sa = &model->sas[i];

		if (!sa->used || !sa->pending || sa->report_at > model->now)
			continue;
		sa->pending = false;
		policy_report(model->policy, sa->handle, sa->outcome, model->now);
		policy_report(model->twin, sa->handle, sa->outcome, model->now);
	}
}

static void check_same_plan(const struct policy_move *a, size_t n_a, const struct policy_move *b,
			    size_t n_b)
{
	assert_int_equal(n_a, n_b);
	for (size_t i = 0; i < n_a; i++) {
		assert_int_equal(a[i].sa, b[i].sa);
		assert_int_equal(a[i].table, b[i].table);
		assert_int_equal(a[i].action, b[i].action);
		assert_int_equal(a[i].reason, b[i].reason);
		assert_int_equal(a[i].other, b[i].other);
		assert_true(a[i].rate == b[i].rate && a[i].gain == b[i].gain &&
			    a[i].cost == b[i].cost);
	}
}

/* No group below or at its floor has lost a slot to another group. */
static void check_floors(struct model *model, const struct policy_move *moves, size_t n_moves)
{
	for (size_t i = 0; i + 1 < n_moves; i++) {
		const struct model_sa *victim = model_sa(model, moves[i].sa), *other;
		uint32_t group = victim->config.group, held = 0;

		if (moves[i].action != POLICY_EVICT || !is_by_rate(moves[i].reason) || group == 0 ||
		    group > N_GROUPS)
			continue;
		other = model_sa(model, moves[i].other);
		if (other->config.group == group)
			continue;
		/* After the moves: the slots that the group still has. */
		for (size_t j = 0; j < N_SAS; j++)
			held += model->sas[j].used && model->sas[j].config.group == group &&
				model->sas[j].in == moves[i].table;
		assert_true(held >= model->groups[group - 1].floor || model->faults);
	}
}

static void check_views(struct model *model)
{
	for (size_t i = 0; i < N_SAS; i++) {
		const struct model_sa *sa = &model->sas[i];
		struct policy_sa_view view = {};

		if (!sa->used)
			continue;
		policy_sa_get(model->policy, sa->handle, model->now, &view);
		assert_true(isfinite(view.rate) && isfinite(view.rate_low) &&
			    isfinite(view.rate_high) && isfinite(view.gain) &&
			    isfinite(view.cost) && isfinite(view.trust));
		assert_true(0 <= view.rate_low && view.rate_low <= view.rate_high);
		assert_true(view.reason < _POLICY_REASON_MAX);
		assert_int_equal(view.pending, sa->pending);
		if (!sa->pending)
			assert_int_equal(view.resident, sa->in != POLICY_NONE);
	}
	for (size_t i = 0; i < N_TABLES; i++) {
		const struct model_table *table = &model->tables[i];
		struct policy_table_view view = {};

		if (!table->used)
			continue;
		policy_table_get(model->policy, table->handle, &view);
		assert_true(view.resident >= model_in(model, table->handle));
		assert_true(isfinite(view.rate) && view.tokens >= 0);
	}
}

/* Only the twin is spared this: a trial that had an effect on the policy, or a copy that is not
 * like the original, would make their plans differ. */
static void model_try(struct model *model)
{
	const struct policy_move *moves;
	struct policy *copy;

	assert_int_equal(policy_copy(model->policy, &copy), 0);
	if (random_chance(&model->random, 0.5)) {
		policy_free(model->policy);
		model->policy = copy;
		return;
	}
	for (int turn = 0; turn < 3; turn++) {
		double now = model->now + turn;
		size_t n = policy_plan(copy, now, &moves);

		for (size_t i = 0; i < n; i++)
			policy_report(copy, moves[i].sa, POLICY_PRETENDED, now);
		policy_extrapolate(copy, now + 0.5);
	}
	policy_free(copy);
}

static void model_tick(struct model *model)
{
	static const double intervals[] = {1, 1, 1, 1, 0.5, 2, 0, 10};
	double dt = intervals[random_below(&model->random, ELEMENTSOF(intervals))];
	const struct policy_move *moves, *twin_moves;
	size_t n_moves, n_twin_moves;

	model->now += dt;
	model_report(model);
	for (int i = 0; i < 3; i++)
		model_add_sa(model);
	for (int i = 0; i < 3; i++)
		model_change_sa(model);
	if (random_chance(&model->random, 0.01))
		model_remove_table(model);
	if (random_chance(&model->random, 0.05))
		model_add_table(model);
	if (random_chance(&model->random, 0.02))
		model_resize_table(model);
	if (random_chance(&model->random, 0.05))
		model_set_cpu_costs(model);
	model_observe(model, dt);
	if (random_chance(&model->random, 0.1))
		model_try(model);
	n_moves = policy_plan(model->policy, model->now, &moves);
	n_twin_moves = policy_plan(model->twin, model->now, &twin_moves);
	check_same_plan(moves, n_moves, twin_moves, n_twin_moves);
	model_take_moves(model, moves, n_moves);
	check_floors(model, moves, n_moves);
	model_report(model);
	check_views(model);
}

static void run_model(uint64_t seed, bool faults, int ticks)
{
	struct policy_parameters parameters = policy_parameters_default();
	struct model model = {
		.random = {.state = seed},
		.groups = {{.floor = 2}, {.floor = 1, .ceiling = 4}},
		.dwell = parameters.dwell,
		.faults = faults,
		.now = 5,
	};

	for (size_t i = 0; i < N_SAS; i++)
		model.sas[i].in = POLICY_NONE;
	assert_int_equal(policy_new(&parameters, &model.policy), 0);
	assert_int_equal(policy_new(&parameters, &model.twin), 0);
	assert_int_equal(policy_set_groups(model.policy, model.groups, N_GROUPS, model.now), 0);
	assert_int_equal(policy_set_groups(model.twin, model.groups, N_GROUPS, model.now), 0);
	while (ticks-- > 0)
		model_tick(&model);
	assert_true(model.idle > 0);
	policy_free(model.policy);
	policy_free(model.twin);
}

static void test_rules_hold(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++)
		run_model(seed, false, 500);
}

static void test_rules_hold_with_faults(void **state)
{
	for (uint64_t seed = 101; seed <= 120; seed++)
		run_model(seed, true, 500);
}

/* Adversaries: they know where every SA is, and choose the worst traffic. */
#define ADVERSARY_N 256
#define ADVERSARY_K 32

enum adversary {
	ADVERSARY_OUTSIDERS, /* all traffic always to SAs in software */
	ADVERSARY_BAITS,     /* SAs, half as many as slots, stop when they are promoted */
	ADVERSARY_STAIRCASE, /* the next one is always a little hotter */
	_ADVERSARY_MAX,
};

static double adversary_rate(enum adversary adversary, uint32_t i, uint32_t tick, bool resident)
{
	switch (adversary) {
	case ADVERSARY_OUTSIDERS:
		/* A little traffic, or the NIC would seem not to count. */
		return resident ? 1000 : 5e9 / ADVERSARY_N;
	case ADVERSARY_BAITS:
		if (i < ADVERSARY_K / 2)
			return resident ? 1000 : 1e8;
		return 5e7 / (1 + i % ADVERSARY_K);
	case ADVERSARY_STAIRCASE:
		return 1e7 * exp(4.0 * ((i + tick / 4) % ADVERSARY_N) / ADVERSARY_N);
	case _ADVERSARY_MAX:
		break;
	}
	return 0;
}

/* move: the cost of a move in bytes */
static void run_adversary(enum adversary adversary, double move)
{
	struct policy_parameters parameters = policy_parameters_default();
	struct policy_table_config table_config = {
		.capacity = ADVERSARY_K,
		.moves_per_second = 1e6,
		.moves_burst = 1e6,
		.migration_bytes = move,
	};
	struct policy_sa_config config = {.weight = 1};
	uint64_t bytes[ADVERSARY_N] = {};
	bool resident[ADVERSARY_N] = {};
	double software = 0, moved = 0, worst = 0;
	struct policy *policy;

	assert_int_equal(policy_new(&parameters, &policy), 0);
	assert_int_equal(policy_table_add(policy, &table_config, &config.table), 0);
	for (uint32_t i = 0; i < ADVERSARY_N; i++) {
		policy_sa sa;

		assert_int_equal(policy_sa_add(policy, &config, &i, sizeof(i), false, 0, &sa), 0);
		assert_int_equal(sa, i);
		policy_sa_observe(policy, i, 0, 0, 0);
	}
	for (uint32_t tick = 1; tick <= 3600; tick++) {
		const struct policy_move *moves;
		size_t n_moves;

		for (uint32_t i = 0; i < ADVERSARY_N; i++) {
			double rate = adversary_rate(adversary, i, tick, resident[i]);

			software += resident[i] ? 0 : rate;
			bytes[i] += (uint64_t)rate;
			policy_sa_observe(policy, i, bytes[i], 0, tick);
		}
		n_moves = policy_plan(policy, tick, &moves);
		for (size_t i = 0; i < n_moves; i++) {
			resident[moves[i].sa] = moves[i].action == POLICY_PROMOTE;
			policy_report(policy, moves[i].sa, POLICY_DONE, tick);
		}
		moved += (double)n_moves * move;
		if (tick > 100)
			worst = fmax(worst, moved / software);
	}
	print_message("adversary %d, %g a move: moves cost at most %.3f of the bytes left in "
		      "software\n",
		      adversary, move, worst);
	assert_true(worst <= 1 / parameters.payback);
	policy_free(policy);
}

static void test_moves_cost_a_bounded_share(void **state)
{
	static const double moves[] = {5e7, 2e8, 4e8};

	for (int adversary = 0; adversary < _ADVERSARY_MAX; adversary++)
		for (size_t i = 0; i < ELEMENTSOF(moves); i++)
			run_adversary((enum adversary)adversary, moves[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules_hold),
		cmocka_unit_test(test_rules_hold_with_faults),
		cmocka_unit_test(test_moves_cost_a_bounded_share),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
