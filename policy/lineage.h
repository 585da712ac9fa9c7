/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lineages: the state that is kept across rekeys, see lineage.c.
 */
#pragma once

#include "hash-table.h"
#include "policy.h"
#include "rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct comparison;
struct sa;

#define LINEAGE_SIZE_MAX 64

/* Two keyed hashes of the lineage bytes, instead of up to 64 bytes in each SA. Together they have
 * 128 bits, and peers do not know the seed, so a collision is too improbable to matter. */
struct lineage_id {
	uint64_t hash;
	uint64_t check;
};

/* The state that an SA inherits from the SA before it in its lineage. Only an SA that carries
 * traffic or is in a NIC has one. In unweighted bytes, except debt, earned and victim, which are
 * weighted, since they are compared across SAs. */
struct heat {
	struct hash_link link; /* of all heats, by lineage_id.hash */
	uint64_t check;        /* lineage_id.check */
	policy_sa sa;          /* POLICY_NONE: it was removed */
	policy_sa predecessor; /* of a successor that is not promoted yet */
	struct rate rate;
	double born;      /* start of the present level */
	double accrued;   /* carried in software since born, or since the last move */
	double trust;     /* in speculation on this SA; 1 at first */
	double debt;      /* cost of the speculation that promoted it, until it has paid */
	double earned;    /* so far, above the victim's rate */
	double victim;    /* rate of the SA it displaced */
	double inherited; /* samples of zero are ignored until then, 0: no inheritance */
	double quit;      /* time when a successor took over, 0: never */
	struct comparison *comparison; /* NULL: none */
	uint32_t refusals;             /* in a row */
	/* Of an SA that was removed. */
	bool was_resident;
	policy_table was_in;
	double gone;
	double retry_at;
	struct heat *older; /* in the list of these, oldest at the end */
	struct heat *newer;
};

struct lineages {
	struct hash_table table; /* of heats */
	uint32_t n_gone;
	struct heat *gone_newest;
	struct heat *gone_oldest;
};

/* What an SA without heat is taken to have: it carries nothing, and will carry nothing. */
extern const struct heat policy_cold;

struct lineage_id policy_lineage_id(const struct policy *policy, const void *lineage, size_t size);
/* Gives the SA a heat in which it has carried nothing since `born`. Without memory it gets none. */
void policy_heat_new(struct policy *policy, struct sa *sa, double born);
void policy_heat_forget(struct policy *policy, struct sa *sa);
/* The SA becomes the newest of its lineage, and inherits the heat of the one before it. */
void policy_lineage_join(struct policy *policy, struct sa *sa);
/* No SA has this SA as its predecessor any more. */
void policy_lineage_disown(struct policy *policy, const struct sa *sa);
/* Removes the SA from its lineage. The heat of the last one that has heat is kept for a minute. */
void policy_lineage_leave(struct policy *policy, struct sa *sa);
/* Frees the heats whose minute is over, and the oldest ones if there are too many. */
void policy_lineage_tidy(struct policy *policy);
void policy_lineage_done(struct lineages *lineages);
