/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The plan for one table, in this order:
 *
 *  1. forced moves: evictions of SAs that must not be there, successors of residents, SAs that are
 *     doubted (compare.c), pins;
 *  2. evictions while the table holds more than its capacity;
 *  3. groups below their floor;
 *  4. free slots for the outsiders that gain most;
 *  5. swaps of the coldest resident for the outsider that gains most by it, while the gain is at
 *     least `payback` times the cost of both moves.
 *
 * All moves need tokens, and planning stops when there are none. Evictions of SAs that must not be
 * there also take tokens, but do not need any, since a key must leave a NIC that lost its trust.
 *
 * Every planned move makes its SA pending, so each loop ends.
 */
#include "decide.h"

#include "state.h"

#include <math.h>

/* s until an SA for which there is no slot is tried again. */
#define BLOCKED_SECONDS 1.0
/* The outlook of a table, in horizons. */
#define OUTLOOK_HORIZONS 3.0

static double mean_of(const struct sa *sa)
{
	return sa ? sa_heat(sa)->rate.mean : 0;
}

static void plan_move(struct policy *policy, struct sa *sa, enum policy_action action,
		      enum policy_reason reason, const struct sa *other, double gain, double cost)
{
	policy_unbook(policy, sa);
	if (action == POLICY_PROMOTE) {
		sa->placed = sa->config.table;
		sa->made_worse = false;
		if (sa->heat)
			sa->heat->quit = 0;
	}
	sa->pending = action == POLICY_PROMOTE ? PENDING_PROMOTE : PENDING_EVICT;
	sa->pending_reason = (uint8_t)reason;
	sa_set_moved(sa, policy->now);
	/* The forgone bytes have justified this move, and must not justify another. */
	sa_restart_ledger(sa, policy->now);
	policy_book(policy, sa);
	policy->moves[policy->n_moves++] = (struct policy_move){
		.sa = policy_sa_handle(policy, sa),
		.table = sa->placed,
		.action = action,
		.reason = reason,
		.other = other ? policy_sa_handle(policy, other) : POLICY_NONE,
		.rate = mean_of(sa),
		.other_rate = mean_of(other),
		.gain = gain,
		.cost = cost,
	};
}

static void spend(struct policy *policy, struct table *table, double moves)
{
	struct bucket *bucket = policy_bucket_of(policy, table);

	bucket->tokens = fmax(0, bucket->tokens - moves);
	bucket->spender = (policy_table)(table - policy->tables);
}

/* `victim` NULL: into a free slot. If the bucket never holds two tokens, only the victim is moved
 * now, and the promotion follows when there is another token. */
static void plan_promotion(struct policy *policy, struct table *table, struct sa *sa,
			   struct sa *victim, enum policy_reason reason,
			   enum policy_reason victim_reason, double gain, double cost)
{
	if (victim) {
		plan_move(policy, victim, POLICY_EVICT, victim_reason, sa, gain, cost);
		spend(policy, table, 1);
		if (policy_bucket_of(policy, table)->moves_burst < 2)
			return;
		sa->partner = policy_sa_handle(policy, victim);
		victim->partner = policy_sa_handle(policy, sa);
		table->paired++;
	}
	table->ledger +=
		fmax(0, sa_weight(sa) * sa_heat(sa)->accrued - policy->parameters.payback * cost);
	plan_move(policy, sa, POLICY_PROMOTE, reason, victim, gain, cost);
	spend(policy, table, 1);
}

static enum policy_reason leaving_reason(const struct sa *sa)
{
	if (sa->config.banned)
		return POLICY_REASON_BANNED;
	if (sa->config.table != sa->placed)
		return POLICY_REASON_NO_LONGER_ALLOWED;
	if (sa->made_worse)
		return POLICY_REASON_MADE_WORSE;
	return policy_sa_is_doubted(sa) ? POLICY_REASON_DOUBTED : POLICY_REASON_SUPERSEDED;
}

static bool is_optional(enum policy_reason reason)
{
	return reason == POLICY_REASON_DOUBTED || reason == POLICY_REASON_SUPERSEDED;
}

static void block(struct policy *policy, struct sa *sa)
{
	sa->retry_at = policy->now + BLOCKED_SECONDS;
	policy_requeue(policy, sa);
}

/* Plans a successor into a free slot (the reserve is for this), or else into the slot of its
 * predecessor. Returns false when there are no tokens. */
static bool decide_successor(struct policy *policy, struct table *table, struct sa *sa)
{
	policy_sa handle = sa_heat(sa)->predecessor;
	struct sa *predecessor = NULL;

	if (!policy_table_can_pay(policy, table, false))
		return false;
	if (policy_table_free(table) == 0) {
		if (handle != POLICY_NONE)
			predecessor = &policy->sas[handle];
		if (predecessor && predecessor->pending == PENDING_PROMOTE) {
			block(policy, sa);
			return true;
		}
		if (!predecessor || !predecessor->resident || predecessor->pending ||
		    predecessor->config.immovable) {
			/* Too late: the SA becomes an outsider with an inherited rate. */
			sa->successor = false;
			policy_requeue(policy, sa);
			return true;
		}
	}
	if (!policy_table_can_pay(policy, table, predecessor))
		return false;
	plan_promotion(policy, table, sa, predecessor, POLICY_REASON_SUCCESSOR,
		       POLICY_REASON_SUPERSEDED, 0, 0);
	return true;
}

/* Returns false when there are no tokens for pins. */
static bool decide_pin(struct policy *policy, struct table *table, struct sa *sa)
{
	bool free = policy_table_free(table) > 0;
	struct sa *victim = free ? NULL : policy_victim_for(policy, table, 0);

	if (!free && !victim)
		victim = policy_victim_for(policy, table, policy_sa_group(policy, sa));
	if (!free && !victim) {
		block(policy, sa);
		return true;
	}
	if (!policy_table_can_pay(policy, table, victim))
		return false;
	if (victim)
		sa_forgive(victim);
	plan_promotion(policy, table, sa, victim, POLICY_REASON_PINNED, POLICY_REASON_COLDER, 0, 0);
	return true;
}

static void plan_leaving(struct policy *policy, struct table *table, struct sa *sa)
{
	sa_forgive(sa);
	plan_move(policy, sa, POLICY_EVICT, leaving_reason(sa), NULL, 0, 0);
	spend(policy, table, 1);
}

static void decide_forced(struct policy *policy, struct table *table)
{
	while (table->forced.n > 0) {
		struct sa *sa = &policy->sas[table->forced.nodes[0].id];

		if (sa->resident) {
			if (is_optional(leaving_reason(sa)) &&
			    !policy_table_can_pay(policy, table, false))
				return;
			plan_leaving(policy, table, sa);
		} else if (table->held > policy_table_capacity(table)) {
			return; /* a swap gets no slot before the overflow is evicted */
		} else if (sa->successor) {
			if (!decide_successor(policy, table, sa))
				return;
		} else if (!decide_pin(policy, table, sa)) {
			return;
		}
	}
}

/* When there is no resident in a queue: any SA that is not immovable, pinned ones last. */
static struct sa *any_resident(struct policy *policy, const struct table *table)
{
	policy_table handle = (policy_table)(table - policy->tables);
	struct sa *best = NULL;

	for (uint32_t i = 0; i < policy->n_sas; i++) {
		struct sa *sa = &policy->sas[i];

		if (!sa->used || sa->placed != handle || sa->pending || sa->config.immovable)
			continue;
		if (!best || (best->config.pinned && !sa->config.pinned) ||
		    (best->config.pinned == sa->config.pinned && sa_high(sa) < sa_high(best)))
			best = sa;
	}
	return best;
}

static struct sa *coldest_resident(const struct policy *policy, const struct table *table)
{
	struct sa *coldest = NULL;

	for (uint32_t g = 0; g <= policy->n_groups; g++) {
		const struct heap *residents = &table->groups[g].residents;

		if (residents->n > 0 && (!coldest || residents->nodes[0].key < sa_high(coldest)))
			coldest = &policy->sas[residents->nodes[0].id];
	}
	return coldest;
}

static void decide_overflow(struct policy *policy, struct table *table)
{
	while (table->held > policy_table_capacity(table)) {
		struct sa *coldest = coldest_resident(policy, table);

		if (!coldest)
			coldest = any_resident(policy, table);
		if (!coldest)
			return;
		sa_forgive(coldest);
		plan_move(policy, coldest, POLICY_EVICT, POLICY_REASON_OVER_CAPACITY, NULL, 0, 0);
		spend(policy, table, 1);
	}
}

/* Evicts SAs of a group that holds more than its ceiling, which was lowered. */
static void decide_ceiling(struct policy *policy, struct table *table, uint32_t g)
{
	const struct group *group = &table->groups[g];
	uint32_t ceiling = policy->groups[g].ceiling;

	while (ceiling > 0 && group->held > ceiling && group->residents.n > 0) {
		struct sa *sa = &policy->sas[group->residents.nodes[0].id];

		sa_forgive(sa);
		plan_move(policy, sa, POLICY_EVICT, POLICY_REASON_GROUP_CEILING, NULL, 0, 0);
		spend(policy, table, 1);
	}
}

/* The coldest resident of the group that is furthest above its floor. */
static struct sa *victim_for_floor(struct policy *policy, struct table *table)
{
	struct sa *victim = NULL;
	uint32_t most = 0;

	for (uint32_t g = 0; g <= policy->n_groups; g++) {
		const struct group *group = &table->groups[g];
		uint32_t floor = g > 0 ? policy->groups[g].floor : 0;

		if (group->residents.n == 0 || group->held <= floor || group->held - floor <= most)
			continue;
		most = group->held - floor;
		victim = &policy->sas[group->residents.nodes[0].id];
	}
	return victim;
}

static void decide_floor(struct policy *policy, struct table *table, uint32_t g)
{
	struct group *group = &table->groups[g];

	while (group->held < policy->groups[g].floor && group->outsiders.n > 0) {
		struct sa *sa = &policy->sas[group->outsiders.nodes[0].id];
		bool free = policy_table_has_slot(table);
		struct sa *victim = free ? NULL : victim_for_floor(policy, table);

		if ((!free && !victim) || !policy_table_can_pay(policy, table, victim) ||
		    !policy_table_can_carry(table, sa, victim))
			return;
		if (victim)
			sa_forgive(victim);
		plan_promotion(policy, table, sa, victim, POLICY_REASON_GROUP_FLOOR,
			       POLICY_REASON_GROUP_FLOOR, 0, policy_cost(table, sa));
	}
}

struct choice {
	struct sa *sa;
	struct sa *victim; /* NULL: a free slot */
	double gain;
	double cost;
	double surplus; /* of the gain above `payback` times the cost; > 0 */
};

/* Finds the outsider of one group that gains most by the slot of `victim`, if it gains more than
 * `best`. */
static void choose_in_group(struct policy *policy, struct table *table, uint32_t g,
			    struct sa *victim, struct choice *best)
{
	double price = victim ? sa_high(victim) : 0;
	double victim_cost = victim ? policy_cost(table, victim) : 0;
	/* Keys of outsiders are negative. */
	double limit = victim ? -price : INFINITY;
	uint32_t ids[CANDIDATES];
	uint32_t n = policy_heap_peek(&table->groups[g].outsiders, limit, CANDIDATES, ids);

	for (uint32_t i = 0; i < n; i++) {
		struct sa *sa = &policy->sas[ids[i]];
		double cost = policy_cost(table, sa) + victim_cost;
		double surplus, gain = policy_gain(policy, table, sa, price, cost, &surplus);

		if (surplus > best->surplus && policy_table_can_carry(table, sa, victim))
			*best = (struct choice){sa, victim, gain, cost, surplus};
	}
}

static void decide_free_slots(struct policy *policy, struct table *table)
{
	while (policy_table_has_slot(table) && policy_table_can_pay(policy, table, false)) {
		struct choice best = {};

		for (uint32_t g = 0; g <= policy->n_groups; g++)
			if (!policy_group_is_full(policy, table, g))
				choose_in_group(policy, table, g, NULL, &best);
		if (!best.sa)
			return;
		plan_promotion(policy, table, best.sa, NULL, POLICY_REASON_FREE_SLOT, 0, best.gain,
			       best.cost);
	}
}

/* The speculation that promoted the victim has failed, if it has not paid yet. That on the promoted
 * SA begins. */
static void settle_swap(const struct choice *swap, bool whole)
{
	if (sa_heat(swap->victim)->debt > 0) {
		swap->victim->heat->trust /= 2;
		sa_forgive(swap->victim);
	}
	if (!whole)
		return;
	swap->sa->heat->debt = swap->cost;
	swap->sa->heat->earned = 0;
	swap->sa->heat->victim = sa_expected(swap->victim);
}

static void decide_swaps(struct policy *policy, struct table *table)
{
	while (policy_table_can_pay(policy, table, true)) {
		struct choice best = {};

		for (uint32_t g = 0; g <= policy->n_groups; g++) {
			struct sa *victim = NULL;

			if (table->groups[g].outsiders.n > 0)
				victim = policy_victim_for(policy, table, g);
			if (victim)
				choose_in_group(policy, table, g, victim, &best);
		}
		if (!best.sa)
			return;
		settle_swap(&best, policy_bucket_of(policy, table)->moves_burst >= 2);
		plan_promotion(policy, table, best.sa, best.victim, POLICY_REASON_HOTTER,
			       POLICY_REASON_COLDER, best.gain, best.cost);
	}
}

static double price_of_slot(const struct policy *policy, const struct table *table)
{
	const struct sa *coldest =
		policy_table_has_slot(table) ? NULL : coldest_resident(policy, table);

	return coldest ? sa_high(coldest) : 0;
}

/* Sets outlook and margin of the table until the next plan. Where moves are cheap, the next seconds
 * and small differences decide. Where they are expensive, lasting rates decide. */
static void set_pace(const struct policy *policy, struct table *table)
{
	double cost = 2 * (table->config.migration_bytes +
			   table->config.migration_seconds * table->price);
	double horizon = policy_horizon(policy, table->price, cost);

	table->outlook = fmin(policy->parameters.outlook, OUTLOOK_HORIZONS * horizon);
	table->margin = policy->parameters.margin * (1 - 1 / fmax(1, horizon));
}

static void refill(struct policy *policy, struct table *table)
{
	struct bucket *bucket = policy_bucket_of(policy, table);

	bucket->tokens = policy_table_tokens(policy, table);
	bucket->tokens_at = policy->now;
}

void policy_vacate(struct policy *policy, struct table *table)
{
	refill(policy, table);
	policy_wake(policy, table);
	while (table->forced.n > 0) {
		struct sa *sa = &policy->sas[table->forced.nodes[0].id];

		/* SAs that must leave are first in the queue. */
		if (!sa->resident || is_optional(leaving_reason(sa)))
			return;
		plan_leaving(policy, table, sa);
	}
}

void policy_decide(struct policy *policy, struct table *table)
{
	refill(policy, table);
	if (table->learned < table->config.capacity && policy->now >= table->probe_at)
		table->probing = true;
	policy_wake(policy, table);
	decide_forced(policy, table);
	decide_overflow(policy, table);
	for (uint32_t g = 1; g <= policy->n_groups; g++)
		decide_ceiling(policy, table, g);
	for (uint32_t g = 1; g <= policy->n_groups; g++)
		decide_floor(policy, table, g);
	decide_free_slots(policy, table);
	decide_swaps(policy, table);
	table->price = price_of_slot(policy, table);
	set_pace(policy, table);
}
