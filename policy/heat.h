/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Heat: what is known of the traffic of an SA, and is inherited by its successor (lineage.h).
 */
#pragma once

#include "hash-table.h"
#include "policy.h"
#include "rate.h"

#include <stdbool.h>
#include <stdint.h>

struct comparison;
struct sa;

/* A break-before-make rekey or a reauthentication takes seconds, with retransmits. */
#define HEAT_KEPT_SECONDS 60.0

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
	double seen;      /* time when its counter was last read and might be late (sa.c) */
	double changed;   /* time when it was last seen to change */
	double inherited; /* samples of zero are ignored until then, 0: no inheritance */
	double quit;      /* time when a successor took over, 0: never */
	struct comparison *comparison; /* NULL: none */
	uint32_t refusals;             /* in a row */
	float cpu_weight; /* factor by the CPU cost, since it was queued last; 1: none */
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

static inline bool policy_heat_is_gone(const struct heat *heat)
{
	return heat->sa == POLICY_NONE;
}

/* Gives the SA a heat in which it has carried nothing since `born`. Without memory it gets none. */
void policy_heat_new(struct policy *policy, struct sa *sa, double born);
void policy_heat_forget(struct policy *policy, struct sa *sa);
/* The heat of the newest SA that has one, else of one that was removed, else NULL. */
struct heat *policy_heat_newest(const struct policy *policy, const struct lineage_id *lineage);
/* Keeps the heat of an SA that was removed for a minute, and takes it back from there. */
void policy_heat_keep(struct lineages *lineages, struct heat *heat);
void policy_heat_take_back(struct lineages *lineages, struct heat *heat);
void policy_heat_free(struct lineages *lineages, struct heat *heat);
/* Frees the heats whose minute is over, and the oldest ones if there are too many. */
void policy_heat_tidy(struct policy *policy);
void policy_heat_done(struct lineages *lineages);
