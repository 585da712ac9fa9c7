/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy as a whole: creation, clock, tables and groups. SAs are in sa.c.
 */
#include "cleanup.h"
#include "decide.h"
#include "state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* A time before the latest one by at most this counts as delivered late. By more than this, the
 * clock was set back. */
#define LATE_SECONDS 5.0

struct policy_parameters policy_parameters_default(void)
{
	return (struct policy_parameters){
		.half_life = 20,
		.jump_deviations = 3,
		.band_deviations = 1,
		.drop_confirm = 5,
		.slow_half_life = 240,
		.outlook = 16,
		.margin = 0.3,
		.patience = 4,
		.payback = 2,
		.horizon = 4,
		.horizon_min = 1,
		.horizon_max = 60,
		.age_max = 600,
		.dwell = 2,
		.refused_wait = 60,
	};
}

static bool is_amount(double value)
{
	return isfinite(value) && value >= 0;
}

static bool parameters_are_valid(const struct policy_parameters *p)
{
	return is_amount(p->half_life) && p->half_life > 0 && is_amount(p->jump_deviations) &&
	       is_amount(p->band_deviations) && is_amount(p->drop_confirm) &&
	       is_amount(p->slow_half_life) && p->slow_half_life > 0 && is_amount(p->outlook) &&
	       is_amount(p->margin) && is_amount(p->patience) && is_amount(p->payback) &&
	       is_amount(p->horizon) && is_amount(p->horizon_min) && is_amount(p->horizon_max) &&
	       is_amount(p->age_max) && is_amount(p->dwell) && is_amount(p->refused_wait) &&
	       p->horizon_min <= p->horizon_max;
}

int policy_new(const struct policy_parameters *parameters, struct policy **ret_policy)
{
	struct policy *policy;

	if (!parameters_are_valid(parameters))
		return -EINVAL;
	policy = calloc(1, sizeof(*policy));
	if (!policy)
		return -ENOMEM;
	policy->parameters = *parameters;
	policy->free_sa = POLICY_NONE;
	policy->now = -INFINITY;
	*ret_policy = policy;
	return 0;
}

static void groups_done(struct group *groups, uint32_t n_groups)
{
	for (uint32_t g = 0; groups && g <= n_groups; g++) {
		policy_heap_done(&groups[g].residents);
		policy_heap_done(&groups[g].outsiders);
	}
	free(groups);
}

static void table_done(struct table *table, uint32_t n_groups)
{
	groups_done(table->groups, n_groups);
	policy_heap_done(&table->waiting);
	policy_heap_done(&table->forced);
	*table = (struct table){};
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	for (uint32_t i = 0; i < policy->n_tables; i++)
		table_done(&policy->tables[i], policy->n_groups);
	policy_heat_done(&policy->lineages);
	free(policy->tables);
	free(policy->buckets);
	free(policy->groups);
	free(policy->moves);
	free(policy->sas);
	free(policy);
	return NULL;
}

double policy_clock_peek(const struct policy *policy, double now)
{
	now += policy->offset;
	return now > policy->now ? now : policy->now; /* NaN: policy->now */
}

double policy_clock(struct policy *policy, double now)
{
	/* Many SAs of a dump share a time. */
	if (now + policy->offset == policy->now)
		return policy->now;
	if (!isfinite(now))
		now = isfinite(policy->now) ? policy->now - policy->offset : 0;
	if (now + policy->offset < policy->now - LATE_SECONDS)
		policy->offset = policy->now - now;
	policy->now = policy_clock_peek(policy, now);
	return policy->now;
}

static bool table_config_is_valid(const struct policy_table_config *config)
{
	return is_amount(config->moves_per_second) && is_amount(config->moves_burst) &&
	       is_amount(config->migration_bytes) && is_amount(config->migration_seconds) &&
	       is_amount(config->max_rate);
}

static void table_unlearn(struct table *table)
{
	table->learned = UINT32_MAX;
	table->probing = false;
	table->probe_wait = PROBE_SECONDS;
}

static void bucket_configure(struct bucket *bucket, const struct policy_table_config *config)
{
	bucket->moves_per_second = config->moves_per_second;
	bucket->moves_burst = config->moves_burst;
	bucket->tokens = fmin(bucket->tokens, config->moves_burst);
}

/* Joins the bucket of the other tables with the same number, or makes a full one. */
static void bucket_join(struct policy *policy, struct table *table)
{
	uint32_t budget = table->config.budget;
	uint32_t free = UINT32_MAX;

	for (uint32_t i = 0; i < policy->n_tables; i++) {
		struct bucket *bucket = &policy->buckets[i];

		if (bucket->users > 0 && bucket->budget == budget && budget != 0) {
			bucket->users++;
			table->bucket = i;
			bucket_configure(bucket, &table->config);
			return;
		}
		if (bucket->users == 0 && free == UINT32_MAX)
			free = i;
	}
	/* One is free, since the numbers of buckets and tables are equal. */
	table->bucket = free;
	policy->buckets[free] = (struct bucket){
		.budget = budget,
		.users = 1,
		.tokens = table->config.moves_burst,
		.tokens_at = policy->now,
		.spender = POLICY_NONE,
	};
	bucket_configure(&policy->buckets[free], &table->config);
}

static void bucket_leave(struct policy *policy, const struct table *table)
{
	policy_bucket_of(policy, table)->users--;
}

static int tables_grow(struct policy *policy, policy_table *ret_table)
{
	struct bucket *buckets;
	struct table *tables;

	for (uint32_t i = 0; i < policy->n_tables; i++)
		if (!policy->tables[i].used) {
			*ret_table = i;
			return 0;
		}
	tables = reallocarray(policy->tables, policy->n_tables + 1, sizeof(*tables));
	if (!tables)
		return -ENOMEM;
	policy->tables = tables;
	buckets = reallocarray(policy->buckets, policy->n_tables + 1, sizeof(*buckets));
	if (!buckets)
		return -ENOMEM;
	policy->buckets = buckets;
	tables[policy->n_tables] = (struct table){};
	buckets[policy->n_tables] = (struct bucket){};
	*ret_table = policy->n_tables++;
	return 0;
}

int policy_table_add(struct policy *policy, const struct policy_table_config *config,
		     policy_table *ret_table)
{
	struct table table = {
		.config = *config,
		.outlook = policy->parameters.outlook,
		.lag = LAG_SECONDS_MAX,
		.doubts = 1,
		.used = true,
	};
	policy_table handle;

	if (!table_config_is_valid(config))
		return -EINVAL;
	if (tables_grow(policy, &handle) < 0)
		return -ENOMEM;
	table_unlearn(&table);
	table.groups = calloc(policy->n_groups + 1, sizeof(*table.groups));
	if (!table.groups || policy_heap_reserve(&table.waiting, policy->allocated) < 0 ||
	    policy_heap_reserve(&table.forced, policy->allocated) < 0) {
		table_done(&table, policy->n_groups);
		return -ENOMEM;
	}
	bucket_join(policy, &table);
	policy->tables[handle] = table;
	*ret_table = handle;
	return 0;
}

static struct table *table_get(const struct policy *policy, policy_table handle)
{
	if (handle >= policy->n_tables || !policy->tables[handle].used)
		return NULL;
	return &policy->tables[handle];
}

int policy_table_configure(struct policy *policy, policy_table handle,
			   const struct policy_table_config *config)
{
	struct table *table = table_get(policy, handle);

	if (!table)
		return -ENOENT;
	if (!table_config_is_valid(config))
		return -EINVAL;
	if (config->capacity != table->config.capacity)
		table_unlearn(table);
	if (config->budget != table->config.budget) {
		bucket_leave(policy, table);
		table->config = *config;
		bucket_join(policy, table);
		return 0;
	}
	table->config = *config;
	bucket_configure(policy_bucket_of(policy, table), config);
	return 0;
}

void policy_table_remove(struct policy *policy, policy_table handle, double now)
{
	struct table *table = table_get(policy, handle);

	if (!table)
		return;
	policy_clock(policy, now);
	for (uint32_t i = 0; i < policy->n_sas; i++) {
		struct sa *sa = &policy->sas[i];

		if (!sa->used || (sa->placed != handle && sa->config.table != handle))
			continue;
		policy_unbook(policy, sa);
		if (sa->placed == handle) {
			sa->placed = POLICY_NONE;
			sa->resident = false;
			policy_compare_end(sa);
			sa->pending = PENDING_NONE;
			sa->partner = POLICY_NONE;
			sa_set_moved(sa, policy->now);
			sa_forgive(sa);
		}
		if (sa->config.table == handle) {
			sa->config.table = POLICY_NONE;
			sa->successor = false;
		}
		policy_book(policy, sa);
	}
	bucket_leave(policy, table);
	table_done(table, policy->n_groups);
}

void policy_table_get(const struct policy *policy, policy_table handle,
		      struct policy_table_view *ret_view)
{
	const struct table *table = table_get(policy, handle);

	if (!table)
		return;
	*ret_view = (struct policy_table_view){
		.capacity = policy_table_capacity(table),
		.resident = policy_table_used(table),
		.rate = table->rate,
		.tokens = policy_table_tokens(policy, table),
		.reserve = policy_table_reserve(table),
		.waiting = policy->now < table->left_until,
	};
}

/* Makes new heaps for one table, with room for its SAs in their new groups. */
static int table_regroup(struct policy *policy, policy_table handle, uint32_t n_groups,
			 struct group **ret_groups)
{
	struct group *groups = calloc(n_groups + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	for (uint32_t i = 0; i < policy->n_sas; i++) {
		const struct sa *sa = &policy->sas[i];

		if (sa->used && sa->config.table == handle)
			groups[sa->config.group <= n_groups ? sa->config.group : 0].members++;
	}
	for (uint32_t g = 0; g <= n_groups; g++)
		if (policy_heap_reserve(&groups[g].residents, groups[g].members) < 0 ||
		    policy_heap_reserve(&groups[g].outsiders, groups[g].members) < 0) {
			groups_done(groups, n_groups);
			return -ENOMEM;
		}
	*ret_groups = groups;
	return 0;
}

static void groups_install(struct policy *policy, struct policy_group_config *groups,
			   uint32_t n_groups, struct group **heaps)
{
	for (uint32_t i = 0; i < policy->n_sas; i++)
		if (policy->sas[i].used)
			policy_unbook(policy, &policy->sas[i]);
	for (uint32_t t = 0; t < policy->n_tables; t++) {
		if (!policy->tables[t].used)
			continue;
		groups_done(policy->tables[t].groups, policy->n_groups);
		policy->tables[t].groups = heaps[t];
	}
	free(policy->groups);
	policy->groups = groups;
	policy->n_groups = n_groups;
	for (uint32_t i = 0; i < policy->n_sas; i++)
		if (policy->sas[i].used)
			policy_book(policy, &policy->sas[i]);
}

int policy_set_groups(struct policy *policy, const struct policy_group_config *groups,
		      size_t n_groups, double now)
{
	_cleanup_free_ struct policy_group_config *copy = NULL;
	_cleanup_free_ struct group **heaps = NULL;
	uint32_t n = (uint32_t)n_groups;

	if (n_groups > POLICY_GROUPS_MAX)
		return -E2BIG;
	policy_clock(policy, now);
	copy = calloc(n + 1, sizeof(*copy));
	heaps = calloc(policy->n_tables + 1, sizeof(*heaps));
	if (!copy || !heaps)
		return -ENOMEM;
	for (uint32_t g = 0; g < n; g++)
		copy[g + 1] = groups[g];
	for (uint32_t t = 0; t < policy->n_tables; t++) {
		if (!policy->tables[t].used || table_regroup(policy, t, n, &heaps[t]) == 0)
			continue;
		while (t-- > 0)
			groups_done(heaps[t], n);
		return -ENOMEM;
	}
	groups_install(policy, TAKE_PTR(copy), n, heaps);
	return 0;
}

int policy_set_cpu_costs(struct policy *policy, const struct policy_cpu_cost *costs, size_t n_costs,
			 double now)
{
	int r = policy_cpu_costs_relate(policy, costs, n_costs);

	if (r < 0)
		return r;
	policy_clock(policy, now);
	for (uint32_t i = 0; i < policy->n_sas; i++)
		if (policy->sas[i].used)
			policy_requeue(policy, &policy->sas[i]);
	return 0;
}

static void decide_tables(struct policy *policy, bool late)
{
	for (uint32_t i = 0; i < policy->n_tables; i++)
		if (policy->tables[i].used && policy->tables[i].late == late)
			policy_decide(policy, &policy->tables[i]);
}

size_t policy_plan(struct policy *policy, double now, const struct policy_move **ret_moves)
{
	policy_clock(policy, now);
	policy_heat_tidy(policy);
	policy->n_moves = 0;
	/* Among tables that share a bucket, the one that spent last is decided last, so that none
	 * always gets all tokens. */
	for (uint32_t i = 0; i < policy->n_tables; i++)
		policy->tables[i].late = policy->tables[i].used &&
					 policy_bucket_of(policy, &policy->tables[i])->users > 1 &&
					 policy_bucket_of(policy, &policy->tables[i])->spender == i;
	decide_tables(policy, false);
	decide_tables(policy, true);
	*ret_moves = policy->moves;
	return policy->n_moves;
}

size_t policy_plan_vacating(struct policy *policy, double now, const struct policy_move **ret_moves)
{
	policy_clock(policy, now);
	policy->n_moves = 0;
	for (uint32_t i = 0; i < policy->n_tables; i++)
		if (policy->tables[i].used && policy->tables[i].config.vacate)
			policy_vacate(policy, &policy->tables[i]);
	*ret_moves = policy->moves;
	return policy->n_moves;
}
