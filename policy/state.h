/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the policy: private to policy/, shared by its files.
 *
 * SAs and tables are in arrays and are referred to by index, so that the arrays can grow. Every SA
 * is in at most one queue at a time. Its state alone determines which one, in policy_requeue(). So
 * the planner finds only SAs that it may move, and a tick without changes only reads the tops of a
 * few heaps.
 *
 * Rates and ledgers are kept unweighted, in bytes, and are multiplied by the SA's weight where SAs
 * are compared (sa_weight()). Times are seconds on the policy's own monotonic clock, see
 * policy_clock().
 */
#pragma once

#include "policy.h"

#include "compare.h"
#include "forecast.h"
#include "heap.h"
#include "lineage.h"
#include "rate.h"

#include <math.h>

/* s. Samples closer together than this are too inexact, since the time of reading varies. */
#define SAMPLE_SECONDS_MIN 0.05
/* s until a failed move is tried again. */
#define FAILED_WAIT_SECONDS 5.0
/* Longest wait, s, of a refused SA, and for a probe of a learned capacity. */
#define WAIT_SECONDS_MAX 3600.0
/* Counters that a driver refreshes late (learn_lag() in sa.c): how many changes are needed to learn
 * the lag; the longest lag, s; and how many times the lag a counter may stay the same before its
 * traffic counts as ended. */
#define LAG_CHANGES 8
#define LAG_SECONDS_MAX 6.0
#define LAG_SILENCE 1.5
/* First and longest wait, s, for the slots of SAs that have left. It doubles. */
#define LEFT_WAIT_SECONDS 1.0
#define LEFT_WAIT_SECONDS_MAX 16.0
/* First wait, s, until one more slot than learned is probed. */
#define PROBE_SECONDS 60.0
/* s. IKE daemons delete a replaced SA after some seconds (strongSwan: 5). One that is quiet and
 * still exists after this time is evicted. */
#define SUPERSEDED_SECONDS 10.0
/* s for which a successor without traffic keeps its inherited rate: the peer may switch late. */
#define INHERITED_SECONDS 10.0
/* s for which the rate of a resident that seems idle is unknown, in a table whose counters have
 * never changed: some drivers do not count the traffic of the NIC. */
#define BLIND_SECONDS 60.0
/* How many of the best outsiders of a group are compared for a slot. */
#define CANDIDATES 16

enum queue {
	QUEUE_NONE,
	QUEUE_RESIDENTS, /* of the table and group, coldest upper band first */
	QUEUE_OUTSIDERS, /* of the table and group, hottest lower band first */
	QUEUE_WAITING,   /* of the table, by the time it may be moved again */
	QUEUE_FORCED,    /* of the table, must be moved whatever the rates are */
};

enum pending {
	PENDING_NONE,
	PENDING_PROMOTE,
	PENDING_EVICT,
};

/* struct policy_sa_config in less space. */
struct sa_config {
	double weight;
	double min_rate;
	policy_table table;
	uint8_t group;    /* 0 also if there can be no such group */
	uint8_t cpu_cost; /* 0 also if there can be no such cost */
	bool pinned : 1;
	bool banned : 1;
	bool immovable : 1;
};

/* On a large gateway most SAs carry nothing. Members that these do not need are in the heat. */
struct sa {
	struct heat *heat; /* NULL: it carries nothing, see sa_heat() */
	uint64_t bytes;
	uint64_t packets;
	double sampled;  /* time of the counters above */
	double moved;    /* last move, planned or found; before it, when the SA was added */
	double retry_at; /* not moved before this time, after a refusal or failure */
	struct sa_config config;
	struct lineage_id lineage;
	uint32_t added;         /* number of the SA in the order of addition, wraps around */
	policy_table placed;    /* table it is in or moving into; POLICY_NONE: software */
	policy_sa partner;      /* other half of a pending swap */
	uint32_t position;      /* in the heap of its queue */
	uint8_t queue;          /* enum queue */
	uint8_t pending;        /* enum pending */
	uint8_t pending_reason; /* enum policy_reason */
	bool used : 1;          /* false: the handle is free */
	bool resident : 1;      /* in a NIC as far as known (pending moves not counted) */
	bool sampled_once : 1;
	bool known : 1;      /* its rate is known */
	bool successor : 1;  /* its predecessor was resident: promote at once */
	bool made_worse : 1; /* waits because of a fault in the NIC, not a refusal */
	bool was_moved : 1;
};

struct group {
	struct heap residents;
	struct heap outsiders;
	uint32_t members; /* SAs of this table and group: the heaps have room for them */
	uint32_t held;    /* slots of its residents and SAs on their way in */
};

/* The token bucket for moves of one table, or of all tables with the same number. */
struct bucket {
	uint32_t budget; /* 0: of one table only */
	uint32_t users;  /* tables; 0: free */
	double moves_per_second;
	double moves_burst;
	double tokens;
	double tokens_at;
	policy_table spender; /* the table that spent last */
};

struct table {
	struct policy_table_config config;
	struct group *groups; /* policy->n_groups + 1, [0] of those without a group */
	struct heap waiting;
	struct heap forced; /* both have room for every SA */
	/* Slots in use = held + leaving - paired: of a pending swap only one SA is in the NIC at a
	 * time. */
	uint32_t held;    /* residents that stay and SAs on their way in */
	uint32_t leaving; /* residents on their way out */
	uint32_t paired;  /* swaps of which both halves are pending */
	double rate;      /* sum over held, unweighted */
	double price;     /* weighted bytes/s of its coldest resident, 0 while slots are free */
	uint32_t bucket;
	bool late;      /* decided after the tables that share its bucket */
	double outlook; /* s ahead for which rates are forecast */
	double margin;  /* share by which an outsider must be hotter than its victim for speculation
			 */
	struct persistence persistence;
	double horizon;   /* s, speculation, adapts */
	uint32_t learned; /* capacity seen by POLICY_NO_SPACE, UINT32_MAX: none */
	bool probing;     /* one slot more than learned may be used */
	bool counting;    /* the counters of residents have changed */
	bool lag_known;   /* false: `lag` is assumed */
	bool used;
	double probe_at;
	double probe_wait;
	double lag;       /* s, so late are the counters of residents refreshed; 0: at once */
	double lag_least; /* the least time between two changes of the last lag_changes */
	uint32_t lag_changes;
	double left_until; /* time until which no promotion is planned (POLICY_NOT_YET) */
	double left_wait;  /* the last such wait, 0 after a promotion */
	double ledger;     /* weighted bytes forgone that promotions did not need: pays for doubts;
			      negative: owed */
	uint32_t doubts;   /* SAs that may be doubted at the same time, compare.c */
	double doubted_at; /* time of the last doubt */
	double judged_at;  /* time of the last verdict */
	uint32_t cleared;  /* verdicts that the NIC is not slower, halved by one that it is */
};

struct policy {
	struct policy_parameters parameters;
	struct sa *sas;
	uint32_t n_sas; /* handles ever used; `allocated` is the size of the array */
	uint32_t allocated;
	policy_sa free_sa; /* chain of free handles through `partner` */
	uint32_t n_added;  /* SAs, ever; wraps around */
	struct table *tables;
	uint32_t n_tables;
	struct bucket *buckets;             /* n_tables of them */
	struct policy_group_config *groups; /* [0] is unused: SAs without a group have no bounds */
	uint32_t n_groups;
	/* Relative to the reference; all are known, if any. */
	struct policy_cpu_cost cpu_costs[POLICY_CPU_COSTS_MAX];
	uint32_t n_cpu_costs;      /* 0: all SAs are ranked by bytes */
	struct policy_move *moves; /* room for all SAs: each can be planned once */
	size_t n_moves;
	struct lineages lineages;
	struct pace pace;
	struct persistence persistence; /* of SAs without a table */
	/* Bytes of all samples of SAs that are not compared, and the bytes expected of them by
	 * their long-run averages. */
	double others_carried;
	double others_expected;
	double now;
	double offset;   /* policy's clock minus the caller's */
	double interval; /* s between the last samples of SAs that matter: no horizon is shorter */
};

static inline const struct heat *sa_heat(const struct sa *sa)
{
	return sa->heat ? sa->heat : &policy_cold;
}

static inline enum comparison_stage sa_comparison_stage(const struct sa *sa)
{
	const struct comparison *comparison = sa_heat(sa)->comparison;

	return comparison ? comparison->stage : COMPARISON_NONE;
}

static inline double sa_moved_at(const struct sa *sa)
{
	return sa->was_moved ? sa->moved : -INFINITY;
}

static inline void sa_set_moved(struct sa *sa, double now)
{
	sa->moved = now;
	sa->was_moved = true;
}

/* The speculation that promoted the SA ends. */
static inline void sa_forgive(struct sa *sa)
{
	if (sa->heat)
		sa->heat->debt = 0;
}

/* What the SA carried in software until now no longer counts for a move. */
static inline void sa_restart_ledger(struct sa *sa, double now)
{
	if (!sa->heat)
		return;
	sa->heat->born = now;
	sa->heat->accrued = 0;
}

/* A byte of this SA counts so many times. */
static inline double sa_weight(const struct sa *sa)
{
	return sa->config.weight * (double)sa_heat(sa)->cpu_weight;
}

static inline double sa_low(const struct sa *sa)
{
	return sa_weight(sa) * sa_heat(sa)->rate.low;
}

static inline double sa_high(const struct sa *sa)
{
	return sa_weight(sa) * sa_heat(sa)->rate.high;
}

static inline double sa_expected(const struct sa *sa)
{
	return sa_weight(sa) * sa_heat(sa)->rate.expected;
}

static inline double sa_mean(const struct sa *sa)
{
	return sa_weight(sa) * sa_heat(sa)->rate.mean;
}

/* Makes the caller's clock monotonic: a time that is a little late counts as now (events have their
 * time before they are delivered), after a jump back no time has passed, and NaN counts as now. */
double policy_clock(struct policy *policy, double now);
double policy_clock_peek(const struct policy *policy, double now);

/* cpu-cost.c */
/* Stores the costs, relative to the cheapest; returns as policy_set_cpu_costs(). The weights of SAs
 * are still the old ones. */
int policy_cpu_costs_relate(struct policy *policy, const struct policy_cpu_cost *costs,
			    size_t n_costs);
/* The factor of the SA's weight, by its CPU cost. */
double policy_cpu_weight(const struct policy *policy, const struct sa *sa);

/* back-off.c */
/* Seconds to wait after `times` failures in a row; doubles. */
double policy_wait(const struct policy *policy, uint32_t times);
/* Bars the SA from promotion for a time, which doubles with each call. */
void policy_sa_back_off(struct policy *policy, struct sa *sa);

/* queue.c */
/* The table whose slots and queues the SA uses now, or NULL. */
struct table *policy_table_of(const struct policy *policy, const struct sa *sa);
/* Its successor carries the traffic, so its slot can be freed for the next rekey. */
bool policy_sa_is_superseded(const struct sa *sa);
/* It goes back to software, to find out whether the NIC slows it down. */
bool policy_sa_is_doubted(const struct sa *sa);
bool policy_sa_is_candidate(const struct sa *sa);
double policy_sa_ready_at(const struct policy *policy, const struct sa *sa);
/* Updates the SA's weight, and puts it into the queue that its state determines, after its rates or
 * times changed. */
void policy_requeue(struct policy *policy, struct sa *sa);
/* Take the SA out of the queues and sums of its table, and put it back: called before and after
 * every change of its residence, pending move, table, group or flags. */
void policy_unbook(struct policy *policy, struct sa *sa);
void policy_book(struct policy *policy, struct sa *sa);
/* Queues the SAs of the table whose wait has ended. */
void policy_wake(struct policy *policy, struct table *table);

/* value.c */
uint32_t policy_table_capacity(const struct table *table);
uint32_t policy_table_used(const struct table *table);
uint32_t policy_table_free(const struct table *table);
struct bucket *policy_bucket_of(const struct policy *policy, const struct table *table);
/* The moves for which the table has tokens now. */
double policy_table_tokens(const struct policy *policy, const struct table *table);
/* Whether there are tokens for a promotion, with `swap` also for the eviction of its victim. If the
 * bucket never holds two tokens, one is enough for a swap. */
bool policy_table_can_pay(const struct policy *policy, const struct table *table, bool swap);
/* The group of the SA, 0: none, or its group does not exist any more. */
uint32_t policy_sa_group(const struct policy *policy, const struct sa *sa);
/* The seconds for which speculation counts a gain. */
double policy_horizon(const struct policy *policy, double price, double cost);
/* Weighted bytes won by giving the SA a slot that is worth `price` bytes/s to another SA, if the
 * moves cost `cost`. The surplus is the gain above the required gain: the move pays if it is >
 * 0. */
double policy_gain(const struct policy *policy, const struct table *table, const struct sa *sa,
		   double price, double cost, double *ret_surplus);
/* Seconds until ski rental alone has the gain `needed`, if the rates stay as they are. INFINITY:
 * never. */
double policy_pays_in(const struct policy *policy, const struct sa *sa, double price,
		      double needed);
/* The cost of moving the SA, in weighted bytes. */
double policy_cost(const struct table *table, const struct sa *sa);
bool policy_group_is_full(const struct policy *policy, const struct table *table, uint32_t group);
uint32_t policy_table_reserve(const struct table *table); /* of the capacity in force */
/* Whether there is a free slot beside the reserve. */
bool policy_table_has_slot(const struct table *table);
/* Whether the rate ceiling allows to promote `sa` and evict `victim` (or NULL). */
bool policy_table_can_carry(const struct table *table, const struct sa *sa,
			    const struct sa *victim);
/* The coldest resident that an SA of this group may displace, or NULL. */
struct sa *policy_victim_for(const struct policy *policy, const struct table *table,
			     uint32_t group);

static inline policy_sa policy_sa_handle(const struct policy *policy, const struct sa *sa)
{
	return (policy_sa)(sa - policy->sas);
}
