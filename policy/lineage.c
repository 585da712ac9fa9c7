/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lineages: an SA is replaced by rekeys, mostly every hour, and its traffic continues.
 *
 * SAs with the same lineage bytes are one flow of traffic with changing SPIs. A new SA takes the
 * heat (estimate, ledgers, trust, refusals) of the newest existing one. That one gets an empty
 * heat: it will become quiet, or else it is measured again. If the old SA is deleted before the new
 * one is made, its heat is kept for a minute.
 *
 * Trust and refusals are inherited too. So a rekey does not reset the trust, and the driver is not
 * asked again for an SA that it has just refused.
 *
 * On a large gateway most SAs carry nothing, and their successors have nothing to inherit. So the
 * table contains heats only, and of an SA without heat only the digest of its lineage is kept.
 */
#include "lineage.h"

#include "state.h"

#include <math.h>
#include <stdlib.h>

/* A break-before-make rekey or a reauthentication takes seconds, with retransmits. */
#define GONE_SECONDS 60.0
#define GONE_MAX 4096

const struct heat policy_cold = {
	.sa = POLICY_NONE,
	.predecessor = POLICY_NONE,
	.rate = {.count = 1},
	.trust = 1,
};

struct lineage_id policy_lineage_id(const struct policy *policy, const void *lineage, size_t size)
{
	const struct hash_seed *seed = &policy->parameters.lineage_seed;
	const struct hash_seed other = {{~seed->words[0], ~seed->words[1]}};

	return (struct lineage_id){
		.hash = hash_bytes(seed, lineage, size),
		.check = hash_bytes(&other, lineage, size),
	};
}

static bool is_gone(const struct heat *heat)
{
	return heat->sa == POLICY_NONE;
}

static bool is_newer(const struct policy *policy, const struct heat *a, const struct heat *b)
{
	return (int32_t)(policy->sas[a->sa].added - policy->sas[b->sa].added) > 0;
}

/* The heat of the newest SA that has one, else of one that was removed, else NULL. */
static struct heat *newest_heat(const struct policy *policy, const struct lineage_id *lineage)
{
	struct heat *heat, *newest = NULL;

	HASH_TABLE_FOREACH_EQUAL(heat, &policy->lineages.table, lineage->hash, link) {
		if (heat->check != lineage->check)
			continue;
		if (!newest || is_gone(newest) ||
		    (!is_gone(heat) && is_newer(policy, heat, newest)))
			newest = heat;
	}
	return newest;
}

static void gone_add(struct lineages *lineages, struct heat *heat)
{
	heat->older = lineages->gone_newest;
	if (lineages->gone_newest)
		lineages->gone_newest->newer = heat;
	else
		lineages->gone_oldest = heat;
	lineages->gone_newest = heat;
	lineages->n_gone++;
}

static void gone_remove(struct lineages *lineages, struct heat *heat)
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

static void heat_free(struct lineages *lineages, struct heat *heat)
{
	hash_table_remove(&lineages->table, &heat->link);
	free(heat);
}

static void gone_forget(struct lineages *lineages, struct heat *heat)
{
	gone_remove(lineages, heat);
	heat_free(lineages, heat);
}

void policy_heat_new(struct policy *policy, struct sa *sa, double born)
{
	struct heat *remembered = newest_heat(policy, &sa->lineage);
	struct heat *heat = malloc(sizeof(*heat));

	if (!heat)
		return;
	/* The next SA inherits from this one. */
	if (remembered && is_gone(remembered))
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
	heat_free(&policy->lineages, sa->heat);
	sa->heat = NULL;
}

/* An SA that is replaced gets no verdict of its comparison, so its successor does not wait for
 * that. */
static double retry_at_of(const struct sa *sa)
{
	return sa_comparison_stage(sa) == COMPARISON_RETURNED ? -INFINITY : sa->retry_at;
}

static void heat_give(struct policy *policy, struct heat *heat, struct sa *sa)
{
	heat->sa = policy_sa_handle(policy, sa);
	heat->predecessor = POLICY_NONE;
	heat->quit = 0;
	sa->heat = heat;
}

static void lineage_take_from_living(struct policy *policy, struct sa *sa, struct sa *old)
{
	policy_unbook(policy, old);
	sa->known = old->known;
	sa->retry_at = retry_at_of(old);
	sa->made_worse = old->made_worse;
	policy_compare_end(old);
	heat_give(policy, old->heat, sa);
	if (old->resident && !old->config.immovable && old->placed == sa->config.table) {
		sa->successor = true;
		sa->heat->predecessor = policy_sa_handle(policy, old);
	}
	/* The rate of the old SA is measured again. */
	old->known = false;
	old->successor = false;
	old->heat = NULL;
	policy_heat_new(policy, old, policy->now);
	if (old->heat) {
		old->heat->rate.count = 1;
		old->heat->quit = policy->now;
	}
	policy_book(policy, old);
}

static void lineage_take_from_gone(struct policy *policy, struct sa *sa, struct heat *heat)
{
	gone_remove(&policy->lineages, heat);
	heat_give(policy, heat, sa);
	sa->known = true;
	sa->retry_at = heat->retry_at;
	sa->successor = heat->was_resident && heat->was_in == sa->config.table;
}

void policy_lineage_join(struct policy *policy, struct sa *sa)
{
	struct heat *heat = newest_heat(policy, &sa->lineage);

	if (heat && !is_gone(heat))
		lineage_take_from_living(policy, sa, &policy->sas[heat->sa]);
	else if (heat && policy->now - heat->gone <= GONE_SECONDS)
		lineage_take_from_gone(policy, sa, heat);
	else if (sa->resident)
		policy_heat_new(policy, sa, policy->now);
	if (sa->heat)
		sa->heat->inherited = sa->known ? policy->now + INHERITED_SECONDS : 0;
}

void policy_lineage_leave(struct policy *policy, struct sa *sa)
{
	struct heat *heat = sa->heat, *other;

	if (!heat)
		return;
	heat->retry_at = retry_at_of(sa);
	heat->was_resident = sa->resident && !sa->config.immovable;
	heat->was_in = sa->placed;
	heat->gone = policy->now;
	policy_compare_end(sa);
	heat->sa = POLICY_NONE;
	sa->heat = NULL;
	other = newest_heat(policy, &sa->lineage);
	/* A superseded SA that is removed after its successor has no heat to keep. */
	if (other != heat || !sa->known || heat->quit > 0)
		heat_free(&policy->lineages, heat);
	else
		gone_add(&policy->lineages, heat);
	policy_lineage_tidy(policy);
}

void policy_lineage_disown(struct policy *policy, const struct sa *sa)
{
	policy_sa handle = policy_sa_handle(policy, sa);
	struct heat *heat;

	HASH_TABLE_FOREACH_EQUAL(heat, &policy->lineages.table, sa->lineage.hash, link)
		if (heat->predecessor == handle)
			heat->predecessor = POLICY_NONE;
}

void policy_lineage_tidy(struct policy *policy)
{
	struct lineages *lineages = &policy->lineages;

	while (lineages->gone_oldest && (lineages->n_gone > GONE_MAX ||
					 policy->now - lineages->gone_oldest->gone > GONE_SECONDS))
		gone_forget(lineages, lineages->gone_oldest);
}

void policy_lineage_done(struct lineages *lineages)
{
	struct heat *heat;

	HASH_TABLE_FOREACH(heat, &lineages->table, link) {
		free(heat->comparison);
		free(heat);
	}
	hash_table_release(&lineages->table);
}
