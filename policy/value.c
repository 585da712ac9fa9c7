/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The value of a slot for an SA, the cost of moving the SA, and the resident that it would
 * displace.
 *
 * The gain depends on how long the SA will stay this hot. It is the larger of two estimates:
 *
 *  - speculation: for a short horizon, multiplied by the trust from earlier moves of this SA;
 *  - ski rental: as long again as it has already been hot in software. The bytes forgone since then
 *    are counted (`accrued`), so moves justified this way never cost more than 1/payback of the
 *    bytes that the policy left in software, whatever the traffic does.
 *
 * For an SA that is hotter than the resident by less than the margin, only ski rental counts, and
 * it must have forgone `patience` times as much. The difference may be noise, but if it lasts the
 * SA is promoted.
 */
#include "state.h"

#include <math.h>

/* An outsider with a smaller share of the price of a slot is not about to win one. */
#define MATTERS_SHARE 0.25

uint32_t policy_table_capacity(const struct table *table)
{
	uint32_t capacity = table->config.capacity;

	if (table->learned < capacity)
		capacity = table->learned + (table->probing ? 1 : 0);
	return capacity;
}

uint32_t policy_table_used(const struct table *table)
{
	return table->held + table->leaving - table->paired;
}

uint32_t policy_table_free(const struct table *table)
{
	uint32_t capacity = policy_table_capacity(table), used = policy_table_used(table);

	return capacity > used ? capacity - used : 0;
}

uint32_t policy_table_reserve(const struct table *table)
{
	uint32_t reserve;

	if (table->learned >= table->config.capacity)
		return table->config.reserve;
	/* The reserve of a large table would take all slots of a small one. */
	reserve = policy_assumed_reserve(table->learned);
	return reserve < table->config.reserve ? reserve : table->config.reserve;
}

bool policy_table_has_slot(const struct table *table)
{
	uint32_t free = policy_table_free(table);

	/* A probe finds out whether there is one more slot, so it may use the reserve. */
	return free > policy_table_reserve(table) ||
	       (free > 0 && table->probing && policy_table_used(table) == table->learned);
}

bool policy_sa_matters(const struct policy *policy, policy_sa handle)
{
	const struct table *table;
	const struct sa *sa;

	if (handle >= policy->n_sas || !policy->sas[handle].used)
		return false;
	sa = &policy->sas[handle];
	if (sa->resident || sa->pending != PENDING_NONE)
		return true;
	if (sa->config.banned || sa->config.immovable)
		return false;
	/* Also without a table: the caller may look for one when the SA carries something. */
	if (!sa->known)
		return true;
	table = policy_table_of(policy, sa);
	if (!table)
		return false;
	if (sa->successor || sa_comparison_stage(sa) != COMPARISON_NONE)
		return true;
	return policy_sa_is_candidate(sa) &&
	       sa_weight(sa) * fmax(sa_heat(sa)->rate.mean, sa_heat(sa)->rate.last) >=
		       MATTERS_SHARE * table->price;
}

struct bucket *policy_bucket_of(const struct policy *policy, const struct table *table)
{
	return &policy->buckets[table->bucket];
}

double policy_table_tokens(const struct policy *policy, const struct table *table)
{
	const struct bucket *bucket = policy_bucket_of(policy, table);

	return fmin(bucket->moves_burst,
		    bucket->tokens + bucket->moves_per_second * (policy->now - bucket->tokens_at));
}

bool policy_table_can_pay(const struct policy *policy, const struct table *table, bool swap)
{
	double moves = swap && policy_bucket_of(policy, table)->moves_burst >= 2 ? 2 : 1;

	return policy->now >= table->left_until && policy_table_tokens(policy, table) >= moves;
}

bool policy_table_can_carry(const struct table *table, const struct sa *sa, const struct sa *victim)
{
	double rate =
		table->rate + sa_heat(sa)->rate.mean - (victim ? sa_heat(victim)->rate.mean : 0);

	return table->config.max_rate <= 0 || rate <= table->config.max_rate;
}

/* The more moves cost, the longer SAs stay, and the longer a gain lasts. The horizon grows with the
 * square root of the cost, so that the hysteresis still grows with the cost. Measured:
 * docs/policy.md. */
double policy_horizon(const struct policy *policy, double price, double cost)
{
	const struct policy_parameters *parameters = &policy->parameters;
	double horizon = parameters->horizon * sqrt(cost / fmax(1, price));

	horizon = fmin(fmax(horizon, parameters->horizon_min), parameters->horizon_max);
	return fmax(horizon, policy->interval);
}

double policy_gain(const struct policy *policy, const struct table *table, const struct sa *sa,
		   double price, double cost, double *ret_surplus)
{
	const struct policy_parameters *parameters = &policy->parameters;
	double advantage = sa_low(sa) - price;
	double age = policy->now - sa_heat(sa)->born;
	double forgone = sa_weight(sa) * sa_heat(sa)->accrued - price * age;
	double gain = fmin(advantage * fmin(age, parameters->age_max), forgone);
	double payback = parameters->payback;

	if (advantage > price * table->margin)
		gain = fmax(gain,
			    advantage * policy_horizon(policy, price, cost) * sa_heat(sa)->trust);
	else
		payback *= parameters->patience;
	*ret_surplus = gain - payback * cost;
	return gain;
}

double policy_pays_in(const struct policy *policy, const struct sa *sa, double price, double needed)
{
	double advantage = sa_low(sa) - price, growth = sa_mean(sa) - price;
	double age = policy->now - sa_heat(sa)->born;
	double forgone = sa_weight(sa) * sa_heat(sa)->accrued - price * age;

	if (advantage <= 0 || growth <= 0 || needed > advantage * policy->parameters.age_max)
		return INFINITY;
	return fmax(0, fmax(needed / advantage - age, (needed - forgone) / growth));
}

double policy_cost(const struct table *table, const struct sa *sa)
{
	return table->config.migration_bytes + table->config.migration_seconds * sa_mean(sa);
}

bool policy_group_is_full(const struct policy *policy, const struct table *table, uint32_t group)
{
	return group > 0 && policy->groups[group].ceiling > 0 &&
	       table->groups[group].held >= policy->groups[group].ceiling;
}

struct sa *policy_victim_for(const struct policy *policy, const struct table *table, uint32_t group)
{
	bool only_own = policy_group_is_full(policy, table, group);
	const struct heap_node *coldest = NULL;

	for (uint32_t g = 0; g <= policy->n_groups; g++) {
		const struct group *other = &table->groups[g];

		if (other->residents.n == 0)
			continue;
		if (g != group && (only_own || (g > 0 && other->held <= policy->groups[g].floor)))
			continue;
		if (!coldest || other->residents.nodes[0].key < coldest->key)
			coldest = &other->residents.nodes[0];
	}
	return coldest ? &policy->sas[coldest->id] : NULL;
}
