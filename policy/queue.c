/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which SAs may be moved, and in which order they are considered.
 *
 * An SA's queue is a function of its state (queue_of()). SAs that may not be moved (pending,
 * immovable, pinned residents, banned, of unknown rate, idle) are in no queue, so a plan takes no
 * time for them. SAs that must wait (dwell, back-off) are ordered by the end of their wait.
 */
#include "state.h"

#include <math.h>

/* Order within the forced queue: slots are freed before they are needed. */
#define FORCED_EVICTION 0
#define FORCED_SUPERSEDED 1
#define FORCED_SUCCESSOR 2
#define FORCED_DOUBT 3
#define FORCED_PIN 4

struct table *policy_table_of(const struct policy *policy, const struct sa *sa)
{
	policy_table table = sa->placed;

	if (table == POLICY_NONE && !sa->resident)
		table = sa->config.table;
	return table == POLICY_NONE ? NULL : &policy->tables[table];
}

uint32_t policy_sa_group(const struct policy *policy, const struct sa *sa)
{
	return sa->config.group <= policy->n_groups ? sa->config.group : 0;
}

static struct group *group_of(const struct policy *policy, struct table *table, const struct sa *sa)
{
	return &table->groups[policy_sa_group(policy, sa)];
}

bool policy_sa_is_superseded(const struct sa *sa)
{
	return sa_heat(sa)->quit > 0 && sa->known && sa_heat(sa)->rate.mean <= 0 &&
	       !sa->config.pinned;
}

bool policy_sa_is_doubted(const struct sa *sa)
{
	return sa_comparison_stage(sa) == COMPARISON_DOUBTED;
}

static bool sa_is_forbidden(const struct sa *sa)
{
	return sa->config.banned || sa->config.table != sa->placed || sa->made_worse;
}

static bool must_leave(const struct sa *sa)
{
	if (sa->placed == POLICY_NONE || sa->config.immovable)
		return false;
	return sa_is_forbidden(sa) || policy_sa_is_doubted(sa) || policy_sa_is_superseded(sa);
}

bool policy_sa_is_candidate(const struct sa *sa)
{
	return sa->known && sa_heat(sa)->rate.mean > 0 &&
	       sa_heat(sa)->rate.mean >= sa->config.min_rate;
}

double policy_sa_ready_at(const struct policy *policy, const struct sa *sa)
{
	if (must_leave(sa))
		/* The IKE daemon is about to delete a superseded SA, so a move is not worth its
		 * cost yet. */
		return sa_is_forbidden(sa) || policy_sa_is_doubted(sa)
			       ? sa->retry_at
			       : fmax(sa->retry_at, sa_heat(sa)->quit + SUPERSEDED_SECONDS);
	if (sa->config.pinned || sa->successor)
		return sa->retry_at;
	return fmax(sa->retry_at, sa_moved_at(sa) + policy->parameters.dwell);
}

static enum queue queue_of_resident(const struct sa *sa, double *ret_key)
{
	if (must_leave(sa)) {
		if (sa_is_forbidden(sa))
			*ret_key = FORCED_EVICTION;
		else
			*ret_key = policy_sa_is_doubted(sa) ? FORCED_DOUBT : FORCED_SUPERSEDED;
		return QUEUE_FORCED;
	}
	/* An SA of unknown rate stays until its rate is known. */
	if (sa->config.pinned || !sa->known)
		return QUEUE_NONE;
	*ret_key = sa_high(sa);
	return QUEUE_RESIDENTS;
}

static enum queue queue_of_outsider(const struct sa *sa, double *ret_key)
{
	if (sa->config.banned)
		return QUEUE_NONE;
	if (sa->config.pinned || sa->successor) {
		*ret_key = sa->successor ? FORCED_SUCCESSOR : FORCED_PIN;
		return QUEUE_FORCED;
	}
	if (!policy_sa_is_candidate(sa))
		return QUEUE_NONE;
	*ret_key = -sa_low(sa);
	return QUEUE_OUTSIDERS;
}

static enum queue queue_of(const struct policy *policy, const struct sa *sa, double *ret_key)
{
	enum queue queue;
	double ready;

	if (sa->pending != PENDING_NONE || sa->config.immovable || !policy_table_of(policy, sa))
		return QUEUE_NONE;
	if (sa->resident)
		queue = queue_of_resident(sa, ret_key);
	else
		queue = queue_of_outsider(sa, ret_key);
	if (queue == QUEUE_NONE)
		return queue;
	ready = policy_sa_ready_at(policy, sa);
	if (ready <= policy->now)
		return queue;
	*ret_key = ready;
	return QUEUE_WAITING;
}

static struct heap *heap_of(const struct policy *policy, const struct sa *sa, enum queue queue)
{
	struct table *table = policy_table_of(policy, sa);

	switch (queue) {
	case QUEUE_RESIDENTS:
		return &group_of(policy, table, sa)->residents;
	case QUEUE_OUTSIDERS:
		return &group_of(policy, table, sa)->outsiders;
	case QUEUE_WAITING:
		return &table->waiting;
	case QUEUE_FORCED:
		return &table->forced;
	case QUEUE_NONE:
		break;
	}
	return NULL;
}

static void queue_leave(struct policy *policy, struct sa *sa)
{
	if (sa->queue != QUEUE_NONE)
		policy_heap_remove(policy, heap_of(policy, sa, sa->queue),
				   policy_sa_handle(policy, sa));
	sa->queue = QUEUE_NONE;
}

void policy_requeue(struct policy *policy, struct sa *sa)
{
	policy_sa id = policy_sa_handle(policy, sa);
	enum queue queue;
	double key = 0;

	if (sa->heat)
		sa->heat->cpu_weight = (float)policy_cpu_weight(policy, sa);
	queue = queue_of(policy, sa, &key);
	if (queue != QUEUE_NONE && queue == sa->queue) {
		policy_heap_update(policy, heap_of(policy, sa, queue), id, key);
		return;
	}
	queue_leave(policy, sa);
	if (queue != QUEUE_NONE)
		policy_heap_insert(policy, heap_of(policy, sa, queue), id, key);
	sa->queue = queue;
}

static void table_count(struct policy *policy, const struct sa *sa, int sign)
{
	struct table *table;

	if (sa->placed == POLICY_NONE)
		return;
	table = &policy->tables[sa->placed];
	if (sa->pending == PENDING_EVICT) {
		table->leaving += sign;
		return;
	}
	table->held += sign;
	group_of(policy, table, sa)->held += sign;
	/* Rounding errors add up, so the sum is reset when the table is empty. */
	table->rate = table->held == 0 ? 0 : fmax(0, table->rate + sign * sa_heat(sa)->rate.mean);
}

void policy_unbook(struct policy *policy, struct sa *sa)
{
	queue_leave(policy, sa);
	table_count(policy, sa, -1);
}

void policy_book(struct policy *policy, struct sa *sa)
{
	table_count(policy, sa, 1);
	policy_requeue(policy, sa);
}

void policy_wake(struct policy *policy, struct table *table)
{
	while (table->waiting.n > 0 && table->waiting.nodes[0].key <= policy->now)
		policy_requeue(policy, &policy->sas[table->waiting.nodes[0].id]);
}
