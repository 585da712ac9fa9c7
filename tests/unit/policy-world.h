/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small world for tests of the policy: one table, SAs whose rates the test sets, steps of one
 * second.
 */
#pragma once

#include "policy.h"

#include <stdio.h>
#include <string.h>

#define MB 1e6

static const struct policy_table_config table_default = {
	.capacity = 2,
	.moves_per_second = 100,
	.moves_burst = 100,
	.migration_bytes = MB,
	.migration_seconds = 0.1,
};

struct world {
	struct policy *policy;
	policy_table table;
	struct policy_sa_config config;
	double now;
	size_t n;
	policy_sa sas[64];
	uint64_t bytes[64];
	double rates[64];
	double in_nic[64]; /* share of its rate that the SA carries in the NIC, 1 at first */
	double packet[64]; /* bytes of a packet, 1000 at first */
	bool frozen[64];   /* the counter is not read */
	const struct policy_move *moves;
	size_t n_moves;
};

static inline void world_open(struct world *world, const struct policy_table_config *table)
{
	struct policy_parameters parameters = policy_parameters_default();

	*world = (struct world){.now = 1000};
	assert_int_equal(policy_new(&parameters, &world->policy), 0);
	assert_int_equal(policy_table_add(world->policy, table, &world->table), 0);
	world->config = (struct policy_sa_config){.table = world->table, .weight = 1};
}

static inline void world_close(struct world *world)
{
	world->policy = policy_free(world->policy);
}

static inline size_t world_add_lineage(struct world *world, double rate, bool resident,
				       const char *lineage)
{
	size_t i = world->n++;

	world->rates[i] = rate;
	world->in_nic[i] = 1;
	world->packet[i] = 1000;
	assert_int_equal(policy_sa_add(world->policy, &world->config, lineage, strlen(lineage),
				       resident, world->now, &world->sas[i]),
			 0);
	return i;
}

static inline size_t world_add(struct world *world, double rate, bool resident)
{
	char lineage[32];

	(void)snprintf(lineage, sizeof(lineage), "lineage %zu", world->n);
	return world_add_lineage(world, rate, resident, lineage);
}

static inline struct policy_sa_view world_view(const struct world *world, size_t i)
{
	struct policy_sa_view view = {.reason = _POLICY_REASON_MAX};

	policy_sa_get(world->policy, world->sas[i], world->now, &view);
	return view;
}

static inline bool world_resident(const struct world *world, size_t i)
{
	return world_view(world, i).resident;
}

static inline void world_observe(struct world *world)
{
	for (size_t i = 0; i < world->n; i++)
		if (!world->frozen[i])
			policy_sa_observe(world->policy, world->sas[i], world->bytes[i],
					  (uint64_t)((double)world->bytes[i] / world->packet[i]),
					  world->now);
}

static inline void world_report(struct world *world, enum policy_outcome outcome)
{
	for (size_t i = 0; i < world->n_moves; i++)
		policy_report(world->policy, world->moves[i].sa, outcome, world->now);
}

static inline double world_share(const struct world *world, size_t i)
{
	return world_resident(world, i) ? world->in_nic[i] : 1;
}

/* One second passes. */
static inline void world_sample(struct world *world)
{
	world->now += 1;
	for (size_t i = 0; i < world->n; i++)
		world->bytes[i] += (uint64_t)(world->rates[i] * world_share(world, i));
	world_observe(world);
}

static inline size_t world_plan(struct world *world)
{
	world->n_moves = policy_plan(world->policy, world->now, &world->moves);
	return world->n_moves;
}

/* One second passes; the caller makes the moves of the plan. */
static inline size_t world_tick(struct world *world)
{
	world_sample(world);
	return world_plan(world);
}

static inline size_t world_run(struct world *world, int seconds)
{
	size_t n = 0;

	while (seconds-- > 0) {
		n += world_tick(world);
		world_report(world, POLICY_DONE);
	}
	return n;
}

static inline void assert_reason(const struct world *world, size_t i, enum policy_reason reason)
{
	assert_string_equal(policy_reason_name(world_view(world, i).reason),
			    policy_reason_name(reason));
}
