/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Runs a policy over a trace, and counts the result.
 *
 * At the end of each tick the policy sees the bytes of the tick and decides. Its moves are in
 * effect from then on. SAs that end with the tick are not seen and have left their slots. Bytes of
 * a resident are offloaded. A move costs `migration_bytes`, plus `migration_seconds` times the rate
 * of the SA in the following tick.
 */
#pragma once

#include "policy.h"
#include "sim/trace.h"

struct sim_options {
	uint32_t capacity;
	uint32_t reserve; /* of the daemon's policy; peers have none */
	/* All SAs are sampled once in this many ticks, and in the other ticks only those that
	 * matter (policy_sa_matters()). 0 and 1: all in each tick. Only for the daemon's policy. */
	uint32_t dump_every;
	double migration_bytes; /* negative: as the daemon assumes, from the traffic of each tick */
	double migration_seconds;
	double moves_per_second;
	double moves_burst;
	const struct policy_parameters *parameters; /* of the daemon's policy; NULL: the default */
	/* Configures an SA: weight, pins, groups; NULL: all SAs are equal. `table` is not used, and
	 * the peers know neither. */
	void (*configure)(void *userdata, uint32_t sa, struct policy_sa_config *config);
	const struct policy_group_config *groups;
	size_t n_groups;
	/* Called for every move, in order; may be NULL. */
	void (*on_move)(void *userdata, double time, uint32_t sa, bool promote);
	void *userdata;
};

struct sim_sa_result {
	double offered;
	double offloaded;
	uint32_t promotions;
	uint32_t evictions;
	uint32_t ticks_resident;
};

struct sim_result {
	double seconds;
	double offered;
	double offloaded;
	double cost;
	double net; /* offloaded - cost */
	uint64_t promotions;
	uint64_t evictions;
	double moves_per_hour;
	/* The largest ratio of cost to bytes left in software, of any prefix after
	 * SIM_SETTLE_TICKS. */
	double worst_cost_share;
	uint64_t rekeys_of_residents;
	uint64_t rekeys_kept;      /* of these, the successor was resident a tick later */
	struct sim_sa_result *sas; /* one for each SA of the trace */
};

#define SIM_SETTLE_TICKS 100

/* What a policy sees. It may change it only by sim_move() and the functions below. */
struct sim {
	const struct sim_trace *trace;
	const struct sim_options *options;
	uint32_t tick;
	double now;    /* end of the tick */
	double *bytes; /* of each SA in the tick */
	double *costs; /* of each tick: sim_migration_bytes() */
	bool *alive;
	bool *resident;
	uint32_t *living; /* the SAs that exist, in the order of their birth */
	uint32_t n_living;
	const uint32_t *born; /* in this tick */
	uint32_t n_born;
	const uint32_t *died; /* at the end of this tick, not among the living */
	uint32_t n_died;
	uint32_t used;
	double tokens; /* for peers; the daemon's policy has its own */
	uint32_t *moved;
	uint32_t n_moved;
	uint32_t *rekeyed; /* SAs born in this tick whose predecessor is resident */
	uint32_t n_rekeyed;
	uint32_t *newest; /* by lineage: SA + 1 */
	struct sim_result *result;
};

struct sim_policy {
	const char *name;
	const char *text;
	int (*start)(const struct sim *sim, void **ret_state);
	int (*decide)(struct sim *sim, void *state);
	void (*stop)(void *state);
};

/* False if the table is full, the SA is there already, or it does not exist. */
bool sim_move(struct sim *sim, uint32_t sa, bool promote);
/* The same for a token; false also if there is none. */
bool sim_move_paid(struct sim *sim, uint32_t sa, bool promote);
/* The IKE daemon installs the SA in the NIC when it is made: no move, no cost. */
bool sim_install(struct sim *sim, uint32_t sa);
/* Makes both moves or none. */
bool sim_swap_paid(struct sim *sim, uint32_t in, uint32_t out);

/* All policies, the daemon's first; ends with a NULL name. */
extern const struct sim_policy sim_policies[];
const struct sim_policy *sim_policy_find(const char *name);

/* The part of a move's cost that does not depend on the SA, for a move that is in effect from each
 * tick on. The caller frees the array. -ENOMEM. */
int sim_migration_bytes(const struct sim_trace *trace, const struct sim_options *options,
			double **ret_bytes);

int sim_run(const struct sim_trace *trace, const struct sim_policy *policy,
	    const struct sim_options *options, struct sim_result *ret_result);
void sim_result_done(struct sim_result *result);
