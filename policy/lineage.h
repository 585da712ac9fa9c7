/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lineages: the state that is kept across rekeys, see lineage.c.
 */
#pragma once

#include "hash-table.h"
#include "rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct policy;
struct sa;

#define LINEAGE_SIZE_MAX 64

/* The state that an SA inherits from the SA before it in its lineage. In unweighted bytes, except
 * debt, earned and victim, which are weighted, since they are compared across SAs. */
struct heat {
	struct rate rate;
	double born;       /* start of the present level */
	double accrued;    /* carried in software since born, or since the last move */
	double trust;      /* in speculation on this SA; 1 at first */
	double debt;       /* cost of the speculation that promoted it, until it has paid */
	double earned;     /* so far, above the victim's rate */
	double victim;     /* rate of the SA it displaced */
	uint32_t refusals; /* in a row */
};

struct lineage {
	struct hash_link link;
	struct lineage *older; /* in the list of lineages without SAs, oldest at the end */
	struct lineage *newer;
	uint32_t newest; /* SA, chained by sa->older, or POLICY_NONE */
	uint8_t size;
	uint8_t key[LINEAGE_SIZE_MAX];
	/* Of the last SA, while there is none. */
	bool was_resident;
	uint32_t was_in; /* table */
	double gone;
	double retry_at;
	struct heat heat;
};

struct lineages {
	struct hash_table table;
	uint32_t n_gone;
	struct lineage *gone_newest;
	struct lineage *gone_oldest;
};

/* Finds the lineage of these bytes, or makes it. -ENOMEM. */
int policy_lineage_get(struct policy *policy, const void *key, size_t size,
		       struct lineage **ret_lineage);
/* The SA becomes the newest of the lineage, and inherits the heat of the one before it. */
void policy_lineage_join(struct policy *policy, struct lineage *lineage, struct sa *sa);
/* Removes the SA from its lineage. The heat of the last one is kept for a minute. */
void policy_lineage_leave(struct policy *policy, struct sa *sa);
/* Frees `lineage` (may be NULL) if no SA uses it, lineages whose minute is over, and the oldest
 * ones if there are too many. */
void policy_lineage_tidy(struct policy *policy, struct lineage *lineage);
void policy_lineage_done(struct lineages *lineages);
