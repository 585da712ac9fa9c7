/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the policy knows: private to policy/, shared by its files.
 *
 * SAs and tables live in arrays and are named by index everywhere, so that the arrays may grow.
 * Every SA is in at most one queue at a time; which one follows from its state alone and is
 * decided in one place, policy_requeue(). So the planner never meets an SA it may not move, and a
 * tick in which nothing changed looks at the tops of a few heaps and is done.
 *
 * Rates and ledgers are kept unweighted, in bytes, and are multiplied by the SA's weight where SAs
 * are compared. Times are seconds on the policy's own monotonic clock, see policy_clock().
 */
#pragma once

#include "policy.h"

#include "compare.h"
#include "forecast.h"
#include "heap.h"
#include "lineage.h"
#include "rate.h"

/* A sample closer to the last one than this measures the reading, not the traffic. */
#define SAMPLE_SECONDS_MIN 0.05
/* A failed move is tried again after this. */
#define FAILED_WAIT_SECONDS 5.0
/* Longest wait for a refused SA and for a probe of a capacity that was learned. */
#define WAIT_SECONDS_MAX 3600.0
/* First wait before one more slot than learned is tried. */
#define PROBE_SECONDS 60.0
/* IKE daemons delete a replaced SA after some seconds (strongSwan: 5). One that is quiet and still
 * there after this gives its slot back. */
#define SUPERSEDED_SECONDS 10.0
/* A successor that has carried nothing keeps its inherited rate so long: the peer may be slow to
 * switch. */
#define INHERITED_SECONDS 10.0
/* In a table whose counters were never seen to move, a resident that seems idle is given so long:
 * some drivers do not count what the NIC carries. */
#define BLIND_SECONDS 60.0
/* How many of the best outsiders are weighed against each other for a slot. */
#define CANDIDATES 16

enum queue {
	QUEUE_NONE,
	QUEUE_RESIDENTS, /* of the table and group, coldest upper band first */
	QUEUE_OUTSIDERS, /* of the table and group, hottest lower band first */
	QUEUE_WAITING,   /* of the table, by the time it may be moved again */
	QUEUE_FORCED,    /* of the table, must be moved whatever the rates say */
};

enum pending {
	PENDING_NONE,
	PENDING_PROMOTE,
	PENDING_EVICT,
};

struct sa {
	struct heat heat;
	struct comparison comparison;
	struct policy_sa_config config;
	double moved;     /* last move, planned or found */
	double retry_at;  /* not moved before, after a refusal or failure */
	double sampled;   /* time of the counters below */
	double inherited; /* zero samples are not believed until then, 0: no inheritance */
	double quit;      /* when a successor took over, 0: never */
	uint64_t bytes;
	uint64_t packets;
	policy_table placed;   /* table it is in, or on its way into; POLICY_NONE: software */
	policy_sa partner;     /* other half of a pending swap */
	policy_sa predecessor; /* of a successor waiting for its hand-over */
	policy_sa older;       /* next in its lineage */
	struct lineage *lineage;
	uint32_t position;      /* in the heap of its queue */
	uint8_t queue;          /* enum queue */
	uint8_t pending;        /* enum pending */
	uint8_t pending_reason; /* enum policy_reason */
	bool used : 1;          /* false: the handle is free */
	bool resident : 1;      /* in a NIC as far as known (pending moves not counted) */
	bool sampled_once : 1;
	bool known : 1;      /* the rate is */
	bool successor : 1;  /* its predecessor was resident: promote at birth */
	bool made_worse : 1; /* waits because the NIC served it worse, not for a refusal */
};

struct group {
	struct heap residents;
	struct heap outsiders;
	uint32_t members; /* SAs of this table and group: the heaps have room for them */
	uint32_t held;    /* slots */
};

/* What may be moved: of one table, or of all with the same number. */
struct bucket {
	uint32_t budget; /* 0: of one table */
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
	/* Slots in use = held + leaving - paired: of a pending swap either half is in the NIC. */
	uint32_t held;    /* residents that stay and SAs on their way in */
	uint32_t leaving; /* residents on their way out */
	uint32_t paired;  /* swaps of which both halves are pending */
	double rate;      /* sum over held, unweighted */
	double price;     /* weighted bytes/s of its coldest resident, 0 while slots are free */
	uint32_t bucket;
	bool late;      /* looked at after those that share its bucket */
	double outlook; /* s ahead for which rates are forecast */
	double margin;  /* by which an outsider must be hotter than its victim to be believed at
			   once,  as a share */
	struct persistence persistence;
	double horizon;   /* s, speculation, adapts */
	uint32_t learned; /* capacity seen by POLICY_NO_SPACE, UINT32_MAX: none */
	bool probing;     /* one slot more than learned is on trial */
	bool counting;    /* residents' counters were seen to move */
	bool used;
	double probe_at;
	double probe_wait;
	double ledger;     /* weighted bytes forgone that no promotion had to be paid with: for
			      doubts; negative: owed */
	uint32_t doubts;   /* SAs that may be doubted at once, compare.c */
	double doubted_at; /* the last one was */
	double judged_at;  /* the last verdict came */
	uint32_t cleared;  /* times that the NIC was not to blame, halved when it was */
};

struct policy {
	struct policy_parameters parameters;
	struct sa *sas;
	uint32_t n_sas; /* handles ever used; allocated is the array's size */
	uint32_t allocated;
	policy_sa free_sa; /* chain of free handles through `older` */
	struct table *tables;
	uint32_t n_tables;
	struct bucket *buckets;             /* as many as tables */
	struct policy_group_config *groups; /* [0] is unused: no group, no bounds */
	uint32_t n_groups;
	struct policy_move *moves; /* as many as SAs: each can be planned once */
	size_t n_moves;
	struct lineages lineages;
	struct pace pace;
	struct persistence persistence; /* of SAs without a table */
	/* Bytes of all samples of SAs that are not compared, and what these would have carried by
	 * their long run. */
	double others_carried;
	double others_expected;
	double now;
	double offset;   /* policy's clock minus the caller's */
	double interval; /* s between samples, as last seen: no horizon is shorter */
};

static inline double sa_low(const struct sa *sa)
{
	return sa->config.weight * sa->heat.rate.low;
}

static inline double sa_high(const struct sa *sa)
{
	return sa->config.weight * sa->heat.rate.high;
}

static inline double sa_expected(const struct sa *sa)
{
	return sa->config.weight * sa->heat.rate.expected;
}

static inline double sa_mean(const struct sa *sa)
{
	return sa->config.weight * sa->heat.rate.mean;
}

/* The caller's clock made monotonic: what is a little late counts as now (events are stamped before
 * they are delivered), a jump back is taken as no time passing, NaN as now. */
double policy_clock(struct policy *policy, double now);
double policy_clock_peek(const struct policy *policy, double now);

/* back-off.c */
/* Seconds to wait after so many failures in a row, doubling. */
double policy_wait(const struct policy *policy, uint32_t times);
/* Not to be promoted for a while, twice as long as the last time. */
void policy_sa_back_off(struct policy *policy, struct sa *sa);

/* queue.c */
/* The table whose slots and queues the SA belongs to now, or NULL. */
struct table *policy_table_of(const struct policy *policy, const struct sa *sa);
/* Its successor carries the traffic; its slot is the reserve of the next rekey. */
bool policy_sa_is_superseded(const struct sa *sa);
/* It goes back to software, to see whether the NIC slows it down. */
bool policy_sa_is_doubted(const struct sa *sa);
bool policy_sa_is_candidate(const struct sa *sa);
double policy_sa_ready_at(const struct policy *policy, const struct sa *sa);
/* Puts the SA where its state says, after its rates or times changed. */
void policy_requeue(struct policy *policy, struct sa *sa);
/* Take the SA out of the queues and sums of its table, and back in: around every change of its
 * residence, pending move, table, group or flags. */
void policy_unbook(struct policy *policy, struct sa *sa);
void policy_book(struct policy *policy, struct sa *sa);
/* Queues the SAs of the table whose wait is over. */
void policy_wake(struct policy *policy, struct table *table);

/* value.c */
uint32_t policy_table_capacity(const struct table *table);
uint32_t policy_table_used(const struct table *table);
uint32_t policy_table_free(const struct table *table);
struct bucket *policy_bucket_of(const struct policy *policy, const struct table *table);
/* Moves that the table can pay now. */
double policy_table_tokens(const struct policy *policy, const struct table *table);
/* Whether it can pay for a promotion, with `swap` for that of its victim too. Half a swap counts
 * where the bucket never holds two. */
bool policy_table_can_pay(const struct policy *policy, const struct table *table, bool swap);
/* The group of the SA that is in force, 0: none. */
uint32_t policy_sa_group(const struct policy *policy, const struct sa *sa);
/* Seconds for which a gain of speculation counts. */
double policy_horizon(const struct policy *policy, double price, double cost);
/* Weighted bytes won by giving the SA a slot that is worth `price` bytes/s to another, if that
 * costs `cost`. The surplus is what it wins beyond what it has to: the move pays if it is > 0. */
double policy_gain(const struct policy *policy, const struct table *table, const struct sa *sa,
		   double price, double cost, double *ret_surplus);
/* Weighted bytes spent by moving the SA. */
double policy_cost(const struct table *table, const struct sa *sa);
bool policy_group_is_full(const struct policy *policy, const struct table *table, uint32_t group);
/* A slot that may be taken without displacing anybody. */
bool policy_table_has_slot(const struct table *table);
/* The rate ceiling allows `sa` in and `victim` (or NULL) out. */
bool policy_table_can_carry(const struct table *table, const struct sa *sa,
			    const struct sa *victim);
/* The coldest resident an SA of this group may displace, or NULL. */
struct sa *policy_victim_for(const struct policy *policy, const struct table *table,
			     uint32_t group);

static inline policy_sa policy_sa_handle(const struct policy *policy, const struct sa *sa)
{
	return (policy_sa)(sa - policy->sas);
}
