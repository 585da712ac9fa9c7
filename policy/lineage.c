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

struct lineage_id policy_lineage_id(const struct policy *policy, const void *lineage, size_t size)
{
	const struct hash_seed *seed = &policy->parameters.lineage_seed;
	const struct hash_seed other = {{~seed->words[0], ~seed->words[1]}};

	return (struct lineage_id){
		.hash = hash_bytes(seed, lineage, size),
		.check = hash_bytes(&other, lineage, size),
	};
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
	policy_heat_take_back(&policy->lineages, heat);
	heat_give(policy, heat, sa);
	sa->known = true;
	sa->retry_at = heat->retry_at;
	sa->successor = heat->was_resident && heat->was_in == sa->config.table;
}

/* Nothing is inherited from an SA that was removed long ago. */
static bool is_over(const struct heat *heat, double now)
{
	return policy_heat_is_gone(heat) && now - heat->gone > HEAT_KEPT_SECONDS;
}

bool policy_sa_would_inherit(const struct policy *policy, const void *lineage, size_t lineage_size,
			     double now)
{
	struct lineage_id id = policy_lineage_id(policy, lineage, lineage_size);
	const struct heat *heat = policy_heat_newest(policy, &id);

	return heat && !is_over(heat, policy_clock_peek(policy, now));
}

void policy_lineage_join(struct policy *policy, struct sa *sa)
{
	struct heat *heat = policy_heat_newest(policy, &sa->lineage);

	if (heat && !policy_heat_is_gone(heat))
		lineage_take_from_living(policy, sa, &policy->sas[heat->sa]);
	else if (heat && !is_over(heat, policy->now))
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
	other = policy_heat_newest(policy, &sa->lineage);
	/* A superseded SA that is removed after its successor has no heat to keep. */
	if (other != heat || !sa->known || heat->quit > 0)
		policy_heat_free(&policy->lineages, heat);
	else
		policy_heat_keep(&policy->lineages, heat);
	policy_heat_tidy(policy);
}

void policy_lineage_disown(struct policy *policy, const struct sa *sa)
{
	policy_sa handle = policy_sa_handle(policy, sa);
	struct heat *heat;

	HASH_TABLE_FOREACH_EQUAL(heat, &policy->lineages.table, sa->lineage.hash, link)
		if (heat->predecessor == handle)
			heat->predecessor = POLICY_NONE;
}
