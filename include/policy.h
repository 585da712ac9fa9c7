/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The policy of espoffloadd: decides which SAs are in which NIC table.
 *
 * No I/O, no clock, no netlink. The caller passes the time (`now`: seconds, monotonic, any origin),
 * the tables, the SAs and their byte counters. The policy returns a plan: an ordered list of moves,
 * each with its reason and numbers. The same calls give the same plan.
 *
 * A planned move is pending until the caller reports its outcome with policy_report(). A pending SA
 * is not planned again.
 *
 * Memory is allocated when SAs, tables and groups are added, and, for an SA that carries traffic or
 * is in a NIC, when it is sampled or a move is reported. It is never allocated while planning. An
 * SA that carries nothing needs no allocation of its own. Without memory for its rate, the rate of
 * an SA is unknown until the next sample. Without memory for a comparison, it is not compared.
 *
 * Functions return 0 or a positive value on success and a negative errno on failure: -EINVAL for
 * invalid values, -ENOENT for an unknown handle, -ENOMEM. Outputs named ret_ are not changed on
 * failure.
 */
#pragma once

#include "cleanup.h"
#include "hash.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;

/* Handles, valid until removed; never reused while the SA or table is known. */
typedef uint32_t policy_sa;
typedef uint32_t policy_table;
#define POLICY_NONE UINT32_MAX

/* A table is one SADB: a NIC's inbound or outbound half, or the NIC where both share slots. */
struct policy_table_config {
	uint32_t capacity; /* usable slots; the caller has subtracted foreign SAs */
	uint32_t reserve;  /* slots kept free for the overlap of a rekey */
	/* Tables with the same number share a token bucket, and have the same moves_*; 0: this
	 * table has its own. */
	uint32_t budget;
	double moves_per_second; /* token bucket: refill, moves (a swap is two) */
	double moves_burst; /* token bucket: size, moves; if below 2, the two moves of a swap are
			       planned one after the other */
	bool vacate;        /* policy_plan_vacating() plans evictions from it */
	double migration_bytes;   /* cost of one move in bytes served in software */
	double migration_seconds; /* cost of one move in seconds of the SA's own rate */
	double max_rate;          /* bytes/s of the table above which no SA is promoted; 0: none */
};

/* What the daemon assumes of a table, and the simulator with it. The slots to keep free; */
uint32_t policy_assumed_reserve(uint32_t capacity);
/* the cost of one move, for `rate` bytes/s of the `n` SAs that compete in the table; */
double policy_assumed_migration_bytes(uint32_t capacity, double rate, size_t n);
/* and beside it this many seconds of the SA's own rate. */
#define POLICY_ASSUMED_MIGRATION_SECONDS 0.25

struct policy_sa_config {
	policy_table table; /* POLICY_NONE: never a candidate, but its rate is measured */
	double weight;      /* multiplies the rate in comparisons; 1e-9 to 1e9, normally 1 */
	double min_rate;    /* bytes/s (unweighted) below which it is not a candidate */
	bool pinned;        /* always resident, before all others */
	bool banned;        /* never promoted, and evicted if resident */
	bool immovable;     /* resident or not, it is not moved (hands off) */
	uint32_t group;     /* 1 + index of policy_set_groups(), 0: none */
	uint32_t cpu_cost;  /* 1 + index of policy_set_cpu_costs(), 0: ranked by bytes */
};

/* What an algorithm costs in software, in any unit of CPU time that all algorithms share. Zeroed:
 * not known. */
struct policy_cpu_cost {
	double per_byte;
	double per_packet;
};

/* The slots of a group in each table: at least `floor` while it has enough SAs with traffic, at
 * most `ceiling` (0: no ceiling). Pinned SAs count, and may exceed the ceiling. */
struct policy_group_config {
	uint32_t floor;
	uint32_t ceiling;
};

enum policy_action {
	POLICY_PROMOTE,
	POLICY_EVICT,
};

/* Why a move is planned, or why an SA is where it is. */
enum policy_reason {
	POLICY_REASON_NO_TABLE,       /* no table it may use */
	POLICY_REASON_BANNED,         /* a rule keeps it in software */
	POLICY_REASON_PINNED,         /* a rule keeps it in the NIC */
	POLICY_REASON_IMMOVABLE,      /* hands off */
	POLICY_REASON_IDLE,           /* carries nothing */
	POLICY_REASON_UNKNOWN_RATE,   /* not sampled twice yet, or its counter decreased */
	POLICY_REASON_BELOW_MINIMUM,  /* below its minimum rate */
	POLICY_REASON_FREE_SLOT,      /* promoted into a free slot */
	POLICY_REASON_HOTTER,         /* it displaces a colder one */
	POLICY_REASON_COLDER,         /* evicted for a hotter one */
	POLICY_REASON_GAIN_TOO_SMALL, /* hotter than the coldest resident, but the gain does not pay
					 the move */
	POLICY_REASON_NOT_HOT_ENOUGH, /* colder than every resident it could displace */
	POLICY_REASON_MOVES_SPENT,    /* worth a move, but the budget of moves is spent */
	POLICY_REASON_DWELLING,       /* moved a moment ago */
	POLICY_REASON_REFUSED,        /* the driver refused it; it waits */
	POLICY_REASON_SUCCESSOR,      /* its predecessor was resident when it was rekeyed */
	POLICY_REASON_NO_LONGER_ALLOWED, /* resident in a table it may not use any more */
	POLICY_REASON_OVER_CAPACITY,     /* the table shrank */
	POLICY_REASON_RATE_CEILING,      /* the table carries its maximum rate */
	POLICY_REASON_RESIDENT,          /* hot enough to stay */
	POLICY_REASON_SUPERSEDED,        /* its successor took over the traffic */
	POLICY_REASON_GROUP_FLOOR,       /* its group has fewer slots than its floor */
	POLICY_REASON_GROUP_CEILING,     /* its group has as many slots as its ceiling */
	POLICY_REASON_MADE_WORSE, /* it had faults in the NIC, or was slower there; it waits */
	POLICY_REASON_DOUBTED,    /* it carries less in the NIC: compared with software */
	_POLICY_REASON_MAX,
};

/* Stable kebab-case name ("free-slot"), and a text for users. */
const char *policy_reason_name(enum policy_reason reason);
const char *policy_reason_text(enum policy_reason reason);
/* It keeps an SA in software and does not end by itself: a rule says so, or the driver. */
bool policy_reason_is_lasting(enum policy_reason reason);

struct policy_move {
	policy_sa sa;
	policy_table table;
	enum policy_action action;
	enum policy_reason reason;
	policy_sa other;   /* the SA it swaps with, or POLICY_NONE */
	double rate;       /* bytes/s, smoothed, unweighted */
	double other_rate; /* bytes/s of the other, 0 without one */
	double gain;       /* weighted bytes expected to be won by the move (and its partner) */
	double cost;       /* assumed cost of the move (and its partner), weighted bytes */
};

enum policy_outcome {
	POLICY_DONE,      /* the SA is where the move wanted it */
	POLICY_REFUSED,   /* the driver refuses this SA: bar it with doubling back-off */
	POLICY_NO_SPACE,  /* the table is full below its capacity: use the smaller one, probe later
			   */
	POLICY_NOT_YET,   /* full of slots that SAs have left: plan no promotion for some seconds */
	POLICY_PRETENDED, /* nothing was moved, but the policy assumes that it was: observe mode */
	POLICY_FAILED,    /* the SA is where it was: try again after some seconds */
};

/* The state of an SA, for explain and top. Rates in bytes/s, unweighted. */
struct policy_sa_view {
	enum policy_reason reason;
	bool resident;
	bool pending;
	bool rate_known;
	double rate;     /* smoothed, of the present level */
	double rate_low; /* band of the rate expected in the next seconds */
	double rate_high;
	double last_rate; /* last sample */
	double threshold; /* rate of the resident that it would displace, or of the best outsider */
	policy_sa other;  /* that SA, or POLICY_NONE */
	double boundary;  /* its own rate at which it is worth as much as `other`, 0 without one */
	double gain;      /* of the best swap with it, weighted bytes */
	double needed;    /* the gain above which this swap pays */
	double cost;
	double cpu_weight;       /* factor by its CPU cost, see policy_set_cpu_costs() */
	double packets_per_byte; /* of its present level, 0: not known */
	double trust;            /* 0 to 1, halved by every speculative move that did not pay */
	double retry_in;         /* seconds until a refused SA is tried again, else 0 */
	double moves_in; /* seconds until it may be moved if all rates stay as they are; 0: at the
			    next plan; INFINITY: not before something else changes */
};

struct policy_table_view {
	uint32_t capacity; /* in force: the configured one, or less as learned from ENOSPC */
	uint32_t resident; /* used slots, with those of pending moves */
	double rate;       /* bytes/s of all residents */
	double tokens;     /* moves that could be made now */
	uint32_t reserve;  /* of the capacity, kept free for rekeys */
	bool waiting;      /* no promotions now: see POLICY_NOT_YET */
};

/* Parameters of the algorithm: docs/policy.md. policy_parameters_default() returns the tuned
 * ones. */
struct policy_parameters {
	double half_life;       /* s, of the average of one level */
	double jump_deviations; /* a sample this many deviations away begins a new level */
	double band_deviations; /* half width of the confidence band */
	double drop_confirm;    /* s a low rate must last before it begins a new level */
	double slow_half_life;  /* s, of the average over all levels */
	double outlook;         /* s ahead for which a rate is forecast */
	double margin;   /* speculation only for an outsider above the resident's upper band by more
			    than this share, which is less where moves are cheap */
	double patience; /* otherwise it must have forgone this many times the payback */
	double payback;  /* the gain must be this many times the cost */
	double horizon;  /* s, speculation, for moves that cost what their slot carries in a second
			  */
	double horizon_min;  /* s */
	double horizon_max;  /* s */
	double age_max;      /* s, maximum of the ski-rental horizon */
	double dwell;        /* s an SA stays after a move */
	double refused_wait; /* s before a refused SA is tried again, doubling up to an hour */
	struct hash_seed lineage_seed; /* of the hash of lineages; no effect on plans */
};

struct policy_parameters policy_parameters_default(void);

int policy_new(const struct policy_parameters *parameters, struct policy **ret_policy);
struct policy *policy_free(struct policy *policy); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct policy *, policy_free);

/* A copy with the same handles, to try what would happen: nothing that is done with it has an
 * effect on the original. It takes time and memory for all SAs. -ENOMEM. */
int policy_copy(const struct policy *policy, struct policy **ret_copy);
/* Of a copy: samples at `now` that leave every rate as it is. */
void policy_extrapolate(struct policy *policy, double now);

int policy_table_add(struct policy *policy, const struct policy_table_config *config,
		     policy_table *ret_table);
/* Takes effect at the next plan; with a smaller capacity the coldest are evicted. Forgets a
 * capacity learned from POLICY_NO_SPACE if the configured capacity changes. */
int policy_table_configure(struct policy *policy, policy_table table,
			   const struct policy_table_config *config);
/* Residents count as evicted. The table of SAs that were configured with it becomes POLICY_NONE. */
void policy_table_remove(struct policy *policy, policy_table table, double now);
void policy_table_get(const struct policy *policy, policy_table table,
		      struct policy_table_view *ret_view);

/* Replaces policy_parameters.refused_wait, >= 0. SAs that wait already wait as long as before. */
void policy_set_refused_wait(struct policy *policy, double seconds);

/* Replaces the groups, at most POLICY_GROUPS_MAX (-E2BIG). SAs of groups that do not exist any more
 * have none. */
#define POLICY_GROUPS_MAX 64
int policy_set_groups(struct policy *policy, const struct policy_group_config *groups,
		      size_t n_groups, double now);

/* Replaces the costs of algorithms, at most POLICY_CPU_COSTS_MAX (-E2BIG). An SA with a cost is
 * ranked by the CPU time that it takes in software: its weight is multiplied by the cost of a byte
 * in packets of its size, relative to that of the cheapest algorithm in packets of
 * POLICY_CPU_COST_PACKET bytes. The factor is limited to POLICY_CPU_WEIGHT_MAX and its inverse.
 * Where a cost is not known, that of the cheapest algorithm is assumed. If none is known, the
 * factor is 1. -EINVAL: a cost is negative or not finite, or per_byte is 0 and per_packet is not.
 */
#define POLICY_CPU_COSTS_MAX 64
#define POLICY_CPU_COST_PACKET 1424.0
#define POLICY_CPU_WEIGHT_MAX 64.0
int policy_set_cpu_costs(struct policy *policy, const struct policy_cpu_cost *costs, size_t n_costs,
			 double now);

/* The lineage is the part of an SA's description that a rekey does not change (addresses, reqid,
 * mark, if_id, direction, mode, CPU, label), as 1 to 64 opaque bytes. The new SA inherits the rates
 * of the newest SA of the same lineage, or of one that was removed in the last minute. `resident`:
 * whether the SA is in the NIC. */
int policy_sa_add(struct policy *policy, const struct policy_sa_config *config, const void *lineage,
		  size_t lineage_size, bool resident, double now, policy_sa *ret_sa);
/* Whether it would inherit anything. */
bool policy_sa_would_inherit(const struct policy *policy, const void *lineage, size_t lineage_size,
			     double now);
int policy_sa_configure(struct policy *policy, policy_sa sa, const struct policy_sa_config *config,
			double now);
void policy_sa_remove(struct policy *policy, policy_sa sa, double now);

/* The SA was found where the policy did not put it (another program moved it, or after a resync).
 * Ends a pending move. */
void policy_sa_set_resident(struct policy *policy, policy_sa sa, bool resident, double now);

/* The NIC damaged or lost packets of the SA: it is evicted, and stays out with doubling back-off.
 * The policy itself detects SAs that are slower in the NIC. */
void policy_sa_made_worse(struct policy *policy, policy_sa sa, double now);

/* The verdict on an SA that carried less in the NIC and went back to software for comparison. */
struct policy_verdict {
	policy_table table; /* in which it was */
	bool slower;        /* it carries more again: it stays out. False: the NIC is not slower */
	bool stopped;       /* it carried almost nothing in the NIC */
	double before, in_nic, after; /* bytes/s, unweighted: before the promotion, in the NIC, and
					 back in software */
	double wait;                  /* s until it may be promoted again */
};
/* Returns true once for an SA when a sample has led to a verdict. */
bool policy_sa_take_verdict(struct policy *policy, policy_sa sa,
			    struct policy_verdict *ret_verdict);

/* A sample of the counters, which the kernel counts from the time when the SA was made. Packets
 * matter for the CPU cost, see policy_set_cpu_costs(). If a counter decreased, the rate is unknown.
 * Returns false for an SA that stays idle: it takes little time, its rate stays zero, and it has no
 * verdict. */
bool policy_sa_observe(struct policy *policy, policy_sa sa, uint64_t bytes, uint64_t packets,
		       double now);

/* Makes a plan. The array belongs to the policy and is valid until the next call. Evictions precede
 * the promotions that need their slots. If such an eviction fails, its promotion (`other`) must not
 * be tried, but reported as POLICY_FAILED. Returns the number of moves. */
size_t policy_plan(struct policy *policy, double now, const struct policy_move **ret_moves);
/* Plans only evictions of SAs that must not be in their table, from tables with `vacate`. */
size_t policy_plan_vacating(struct policy *policy, double now,
			    const struct policy_move **ret_moves);
void policy_report(struct policy *policy, policy_sa sa, enum policy_outcome outcome, double now);

/* Whether the next sample of the SA can change a decision: it is resident or on its way, its rate
 * is unknown, or it carries at least a quarter of what a slot of its table is worth. The others may
 * be sampled less often. */
bool policy_sa_matters(const struct policy *policy, policy_sa sa);

/* Rates in bytes/s, unweighted. */
struct policy_rate {
	bool known;
	double mean;       /* smoothed, of the present level */
	double last;       /* sample */
	double cpu_weight; /* factor by its CPU cost, see policy_set_cpu_costs() */
};
/* The rates of policy_sa_get(), without its costs. All zero for an unknown handle. */
struct policy_rate policy_sa_rate(const struct policy *policy, policy_sa sa);

void policy_sa_get(const struct policy *policy, policy_sa sa, double now,
		   struct policy_sa_view *ret_view);
