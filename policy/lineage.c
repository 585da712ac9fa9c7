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
 */
#include "lineage.h"

#include "state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A break-before-make rekey or a reauthentication takes seconds, with retransmits. */
#define GONE_SECONDS 60.0
#define GONE_MAX 4096

int policy_lineage_get(struct policy *policy, const void *key, size_t size,
		       struct lineage **ret_lineage)
{
	uint64_t hash = hash_bytes(&policy->parameters.lineage_seed, key, size);
	struct hash_table *table = &policy->lineages.table;
	struct lineage *lineage;

	HASH_TABLE_FOREACH_EQUAL(lineage, table, hash, link)
		if (lineage->size == size && memcmp(lineage->key, key, size) == 0)
			break;
	if (!lineage) {
		lineage = calloc(1, sizeof(*lineage));
		if (!lineage)
			return -ENOMEM;
		lineage->newest = POLICY_NONE;
		lineage->size = (uint8_t)size;
		memcpy(lineage->key, key, size);
		hash_table_add(table, &lineage->link, hash);
	}
	*ret_lineage = lineage;
	return 0;
}

static bool lineage_is_remembered(const struct lineages *lineages, const struct lineage *lineage)
{
	return lineage->newer || lineages->gone_newest == lineage;
}

static void lineage_unremember(struct lineages *lineages, struct lineage *lineage)
{
	if (!lineage_is_remembered(lineages, lineage))
		return;
	if (lineage->newer)
		lineage->newer->older = lineage->older;
	else
		lineages->gone_newest = lineage->older;
	if (lineage->older)
		lineage->older->newer = lineage->newer;
	else
		lineages->gone_oldest = lineage->newer;
	lineage->older = lineage->newer = NULL;
	lineages->n_gone--;
}

static void lineage_free(struct lineages *lineages, struct lineage *lineage)
{
	lineage_unremember(lineages, lineage);
	hash_table_remove(&lineages->table, &lineage->link);
	free(lineage);
}

/* An SA that is replaced gets no verdict of its comparison, so its successor does not wait for
 * that. */
static double retry_at_of(const struct sa *sa)
{
	return sa->comparison.stage == COMPARISON_RETURNED ? -INFINITY : sa->retry_at;
}

static void lineage_take_from_living(struct policy *policy, struct sa *sa, struct sa *old)
{
	policy_unbook(policy, old);
	sa->heat = old->heat;
	sa->known = old->known;
	sa->retry_at = retry_at_of(old);
	sa->made_worse = old->made_worse;
	if (old->resident && !old->config.immovable && old->placed == sa->config.table) {
		sa->successor = true;
		sa->predecessor = policy_sa_handle(policy, old);
	}
	/* The rate of the old SA is measured again. */
	old->comparison = (struct comparison){};
	old->known = false;
	old->heat = (struct heat){.rate = {.count = 1}, .born = policy->now, .trust = 1};
	old->quit = policy->now;
	old->successor = false;
	policy_book(policy, old);
}

void policy_lineage_join(struct policy *policy, struct lineage *lineage, struct sa *sa)
{
	if (lineage->newest != POLICY_NONE) {
		lineage_take_from_living(policy, sa, &policy->sas[lineage->newest]);
	} else if (lineage_is_remembered(&policy->lineages, lineage) &&
		   policy->now - lineage->gone <= GONE_SECONDS) {
		sa->heat = lineage->heat;
		sa->known = true;
		sa->retry_at = lineage->retry_at;
		sa->successor = lineage->was_resident && lineage->was_in == sa->config.table;
	}
	if (sa->known)
		sa->inherited = policy->now + INHERITED_SECONDS;
	lineage_unremember(&policy->lineages, lineage);
	sa->lineage = lineage;
	sa->older = lineage->newest;
	lineage->newest = policy_sa_handle(policy, sa);
}

void policy_lineage_leave(struct policy *policy, struct sa *sa)
{
	struct lineages *lineages = &policy->lineages;
	struct lineage *lineage = sa->lineage;
	policy_sa *link = &lineage->newest;

	while (*link != policy_sa_handle(policy, sa))
		link = &policy->sas[*link].older;
	*link = sa->older;
	sa->lineage = NULL;
	if (lineage->newest != POLICY_NONE)
		return;
	/* A superseded SA that is removed after its successor has no heat to keep. */
	if (sa->known && sa->quit == 0) {
		lineage->heat = sa->heat;
		lineage->gone = policy->now;
		lineage->retry_at = retry_at_of(sa);
		lineage->was_resident = sa->resident && !sa->config.immovable;
		lineage->was_in = sa->placed;
		lineage->older = lineages->gone_newest;
		if (lineages->gone_newest)
			lineages->gone_newest->newer = lineage;
		else
			lineages->gone_oldest = lineage;
		lineages->gone_newest = lineage;
		lineages->n_gone++;
	}
	policy_lineage_tidy(policy, lineage);
}

void policy_lineage_tidy(struct policy *policy, struct lineage *lineage)
{
	struct lineages *lineages = &policy->lineages;

	if (lineage && lineage->newest == POLICY_NONE && !lineage_is_remembered(lineages, lineage))
		lineage_free(lineages, lineage);
	while (lineages->gone_oldest && (lineages->n_gone > GONE_MAX ||
					 policy->now - lineages->gone_oldest->gone > GONE_SECONDS))
		lineage_free(lineages, lineages->gone_oldest);
}

void policy_lineage_done(struct lineages *lineages)
{
	struct lineage *lineage;

	HASH_TABLE_FOREACH(lineage, &lineages->table, link)
		free(lineage);
	hash_table_release(&lineages->table);
}
