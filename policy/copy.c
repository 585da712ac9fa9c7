/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A copy of the whole policy, with which the caller can try what would happen. */
#include "cleanup.h"
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What is beyond n is not set, as in the arrays of the original: zeroes would cost as much as the
 * copy. */
static void *copy_array(const void *array, size_t n, size_t allocated, size_t size)
{
	void *copy = reallocarray(NULL, allocated ? allocated : 1, size);

	if (copy && n > 0)
		memcpy(copy, array, n * size);
	return copy;
}

/* `copy` is a bitwise copy of the original. */
static int heap_copy(struct heap *copy)
{
	copy->nodes = copy_array(copy->nodes, copy->n, copy->allocated, sizeof(*copy->nodes));
	return copy->nodes ? 0 : -ENOMEM;
}

static int groups_copy(const struct table *table, uint32_t n_groups, struct table *copy)
{
	int r = 0;

	copy->groups = copy_array(table->groups, n_groups + 1, n_groups + 1, sizeof(*copy->groups));
	if (!copy->groups)
		return -ENOMEM;
	/* After a failure all pointers are those of the copy, or NULL. */
	for (uint32_t g = 0; g <= n_groups; g++) {
		r |= heap_copy(&copy->groups[g].residents);
		r |= heap_copy(&copy->groups[g].outsiders);
	}
	return r ? -ENOMEM : 0;
}

static int tables_copy(const struct policy *policy, struct policy *copy)
{
	int r = 0;

	copy->tables = calloc(policy->n_tables + 1, sizeof(*copy->tables));
	if (!copy->tables)
		return -ENOMEM;
	copy->n_tables = policy->n_tables;
	for (uint32_t i = 0; i < policy->n_tables; i++) {
		const struct table *table = &policy->tables[i];
		struct table *entry = &copy->tables[i];

		*entry = *table;
		if (!table->used)
			continue;
		r |= groups_copy(table, policy->n_groups, entry);
		r |= heap_copy(&entry->waiting);
		r |= heap_copy(&entry->forced);
	}
	return r ? -ENOMEM : 0;
}

static struct heat *heat_copy(struct policy *copy, const struct heat *heat)
{
	_cleanup_free_ struct comparison *comparison = NULL;
	struct heat *result;

	if (heat->comparison) {
		comparison = copy_array(heat->comparison, 1, 1, sizeof(*comparison));
		if (!comparison)
			return NULL;
	}
	result = copy_array(heat, 1, 1, sizeof(*result));
	if (!result)
		return NULL;
	result->comparison = TAKE_PTR(comparison);
	result->older = result->newer = NULL;
	hash_table_add(&copy->lineages.table, &result->link, heat->link.hash);
	return result;
}

static int heats_copy(const struct policy *policy, struct policy *copy)
{
	for (uint32_t i = 0; i < copy->n_sas; i++)
		copy->sas[i].heat = NULL;
	for (uint32_t i = 0; i < copy->n_sas; i++) {
		if (!policy->sas[i].used || !policy->sas[i].heat)
			continue;
		copy->sas[i].heat = heat_copy(copy, policy->sas[i].heat);
		if (!copy->sas[i].heat)
			return -ENOMEM;
	}
	for (const struct heat *gone = policy->lineages.gone_oldest; gone; gone = gone->newer) {
		struct heat *heat = heat_copy(copy, gone);

		if (!heat)
			return -ENOMEM;
		policy_heat_keep(&copy->lineages, heat);
	}
	return 0;
}

static int arrays_copy(const struct policy *policy, struct policy *copy)
{
	copy->sas = copy_array(policy->sas, policy->n_sas, policy->allocated, sizeof(*copy->sas));
	copy->moves = copy_array(NULL, 0, policy->allocated, sizeof(*copy->moves));
	copy->buckets = copy_array(policy->buckets, policy->n_tables, policy->n_tables,
				   sizeof(*copy->buckets));
	copy->groups = copy_array(policy->groups, policy->groups ? policy->n_groups + 1 : 0,
				  policy->n_groups + 1, sizeof(*copy->groups));
	return copy->sas && copy->moves && copy->buckets && copy->groups ? 0 : -ENOMEM;
}

int policy_copy(const struct policy *policy, struct policy **ret_copy)
{
	_cleanup_(policy_freep) struct policy *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *policy;
	copy->n_tables = 0;
	copy->tables = NULL;
	copy->n_moves = 0;
	copy->lineages = (struct lineages){};
	if (arrays_copy(policy, copy) < 0 || tables_copy(policy, copy) < 0 ||
	    heats_copy(policy, copy) < 0)
		return -ENOMEM;
	*ret_copy = TAKE_PTR(copy);
	return 0;
}

void policy_extrapolate(struct policy *policy, double now)
{
	for (uint32_t i = 0; i < policy->n_sas; i++) {
		const struct sa *sa = &policy->sas[i];
		double dt = policy_clock_peek(policy, now) - sa->sampled, carried;

		if (!sa->used || !sa->heat || !sa->known || sa->heat->rate.mean <= 0 || dt <= 0)
			continue;
		carried = sa->heat->rate.mean * dt;
		policy_sa_observe(
			policy, i, sa->bytes + (uint64_t)carried,
			sa->packets +
				(uint64_t)ceil(carried * (double)sa->heat->rate.packets_per_byte),
			now);
	}
}
