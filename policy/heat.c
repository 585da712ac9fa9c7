/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The heats of SAs, and those that are kept for a successor, see heat.h. */
#include "heat.h"

#include "state.h"

#include <stdlib.h>

#define GONE_MAX 4096

const struct heat policy_cold = {
	.sa = POLICY_NONE,
	.predecessor = POLICY_NONE,
	.rate = {.count = 1},
	.trust = 1,
	.cpu_weight = 1,
};

static bool is_newer(const struct policy *policy, const struct heat *a, const struct heat *b)
{
	return (int32_t)(policy->sas[a->sa].added - policy->sas[b->sa].added) > 0;
}

struct heat *policy_heat_newest(const struct policy *policy, const struct lineage_id *lineage)
{
	struct heat *heat, *newest = NULL;

	HASH_TABLE_FOREACH_EQUAL(heat, &policy->lineages.table, lineage->hash, link) {
		if (heat->check != lineage->check)
			continue;
		if (!newest || policy_heat_is_gone(newest) ||
		    (!policy_heat_is_gone(heat) && is_newer(policy, heat, newest)))
			newest = heat;
	}
	return newest;
}

void policy_heat_keep(struct lineages *lineages, struct heat *heat)
{
	heat->older = lineages->gone_newest;
	if (lineages->gone_newest)
		lineages->gone_newest->newer = heat;
	else
		lineages->gone_oldest = heat;
	lineages->gone_newest = heat;
	lineages->n_gone++;
}

void policy_heat_take_back(struct lineages *lineages, struct heat *heat)
{
	if (heat->newer)
		heat->newer->older = heat->older;
	else
		lineages->gone_newest = heat->older;
	if (heat->older)
		heat->older->newer = heat->newer;
	else
		lineages->gone_oldest = heat->newer;
	heat->older = heat->newer = NULL;
	lineages->n_gone--;
}

void policy_heat_free(struct lineages *lineages, struct heat *heat)
{
	hash_table_remove(&lineages->table, &heat->link);
	free(heat);
}

static void gone_forget(struct lineages *lineages, struct heat *heat)
{
	policy_heat_take_back(lineages, heat);
	policy_heat_free(lineages, heat);
}

void policy_heat_new(struct policy *policy, struct sa *sa, double born)
{
	struct heat *remembered = policy_heat_newest(policy, &sa->lineage);
	struct heat *heat = malloc(sizeof(*heat));

	if (!heat)
		return;
	/* The next SA inherits from this one. */
	if (remembered && policy_heat_is_gone(remembered))
		gone_forget(&policy->lineages, remembered);
	*heat = policy_cold;
	heat->check = sa->lineage.check;
	heat->sa = policy_sa_handle(policy, sa);
	heat->born = born;
	/* If the rate is known, it was zero: that is a sample. */
	heat->rate.count = heat->rate.n_slow = sa->known;
	hash_table_add(&policy->lineages.table, &heat->link, sa->lineage.hash);
	sa->heat = heat;
}

void policy_heat_forget(struct policy *policy, struct sa *sa)
{
	policy_heat_free(&policy->lineages, sa->heat);
	sa->heat = NULL;
}

void policy_heat_tidy(struct policy *policy)
{
	struct lineages *lineages = &policy->lineages;

	while (lineages->gone_oldest &&
	       (lineages->n_gone > GONE_MAX ||
		policy->now - lineages->gone_oldest->gone > HEAT_KEPT_SECONDS))
		gone_forget(lineages, lineages->gone_oldest);
}

void policy_heat_done(struct lineages *lineages)
{
	struct heat *heat;

	HASH_TABLE_FOREACH(heat, &lineages->table, link) {
		free(heat->comparison);
		free(heat);
	}
	hash_table_release(&lineages->table);
}
