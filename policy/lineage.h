/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lineages: what is remembered across rekeys, see lineage.c.
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

/* What one SA of a lineage hands to the next. Ledgers in unweighted bytes but debt, earned
 * and victim, which are compared across SAs and therefore weighted. */
struct heat {
	struct rate rate;
	double born;       /* start of the present level */
	double accrued;    /* carried in software since born, or since the last move */
	double trust;      /* in speculation on this SA, 1 at first */
	double debt;       /* cost of the speculation that brought it in, until it has paid */
	double earned;     /* so far, over the victim's rate */
	double victim;     /* rate of the SA it displaced */
	uint32_t refusals; /* in a row */
};

struct lineage {
	struct hash_link link;
	struct lineage *older; /* in the list of those without living SAs, oldest at the end */
	struct lineage *newer;
	uint32_t newest; /* SA, chained by sa->older, or POLICY_NONE */
	uint8_t size;
	uint8_t key[LINEAGE_SIZE_MAX];
	/* Of the last SA, while none lives. */
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

/* The lineage of these bytes, made when it is new. Returns 0 or -ENOMEM. */
int policy_lineage_get(struct policy *policy, const void *key, size_t size,
		       struct lineage **ret_lineage);
/* The SA becomes the newest of the lineage and takes over the heat of the one before it. */
void policy_lineage_join(struct policy *policy, struct lineage *lineage, struct sa *sa);
/* The SA leaves; when it was the last its heat is remembered for a minute. */
void policy_lineage_leave(struct policy *policy, struct sa *sa);
/* Forgets a lineage that no SA joined, those that are past their minute, and the oldest of too
 * many. */
void policy_lineage_tidy(struct policy *policy, struct lineage *lineage);
void policy_lineage_done(struct lineages *lineages);
