/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ranking by CPU: a slot in a NIC saves what the SA's algorithm costs in software, by byte and by
 * packet. Rates, margins and the costs of moves stay in bytes: an SA's bytes only count more often,
 * as rules can also demand (weight). The unit is the cheapest algorithm's byte in large packets, so
 * where all SAs use one algorithm and large packets, nothing differs from ranking by bytes.
 */
#include "state.h"

#include <errno.h>
#include <math.h>

static bool is_known(const struct policy_cpu_cost *cost)
{
	return cost->per_byte > 0;
}

static bool is_valid(const struct policy_cpu_cost *cost)
{
	return isfinite(cost->per_byte) && isfinite(cost->per_packet) && cost->per_byte >= 0 &&
	       cost->per_packet >= 0 && (is_known(cost) || cost->per_packet <= 0);
}

/* Of one byte. */
static double cost_of(const struct policy_cpu_cost *cost, double packets_per_byte)
{
	return cost->per_byte + cost->per_packet * packets_per_byte;
}

static double cost_in_large_packets(const struct policy_cpu_cost *cost)
{
	return cost_of(cost, 1 / POLICY_CPU_COST_PACKET);
}

/* NULL: none is known. */
static const struct policy_cpu_cost *cheapest(const struct policy_cpu_cost *costs, size_t n_costs)
{
	const struct policy_cpu_cost *best = NULL;

	for (size_t i = 0; i < n_costs; i++)
		if (is_known(&costs[i]) &&
		    (!best || cost_in_large_packets(&costs[i]) < cost_in_large_packets(best)))
			best = &costs[i];
	return best;
}

int policy_cpu_costs_relate(struct policy *policy, const struct policy_cpu_cost *costs,
			    size_t n_costs)
{
	const struct policy_cpu_cost *reference;

	if (n_costs > POLICY_CPU_COSTS_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n_costs; i++)
		if (!is_valid(&costs[i]))
			return -EINVAL;
	reference = cheapest(costs, n_costs);
	policy->n_cpu_costs = reference ? (uint32_t)n_costs : 0;
	for (size_t i = 0; i < policy->n_cpu_costs; i++) {
		const struct policy_cpu_cost *cost = is_known(&costs[i]) ? &costs[i] : reference;

		policy->cpu_costs[i] = (struct policy_cpu_cost){
			.per_byte = cost->per_byte / cost_in_large_packets(reference),
			.per_packet = cost->per_packet / cost_in_large_packets(reference),
		};
	}
	return 0;
}

double policy_cpu_weight(const struct policy *policy, const struct sa *sa)
{
	double packets_per_byte = sa_heat(sa)->rate.packets_per_byte;
	double weight;

	if (sa->config.cpu_cost == 0 || sa->config.cpu_cost > policy->n_cpu_costs)
		return 1;
	if (packets_per_byte <= 0)
		packets_per_byte = 1 / POLICY_CPU_COST_PACKET;
	weight = cost_of(&policy->cpu_costs[sa->config.cpu_cost - 1], packets_per_byte);
	return fmin(fmax(weight, 1 / POLICY_CPU_WEIGHT_MAX), POLICY_CPU_WEIGHT_MAX);
}
