/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of a scenario, as explore-run.c makes it and explore-judge.c judges it. */
#pragma once

#include "explore.h"

struct run {
	struct explore *explore;
	const struct explore_scenario *scenario;
	struct explore_outcome *outcome;
	struct fake_kernel *fake;
	struct clock clock; /* the model's real time */
	struct fake_belief *original;
	struct fake_belief *belief; /* what the IKE daemon made in its place, if it did */
	struct fake_belief *latest; /* a rekeyed one, or `belief` */
	uint32_t next_spi;
	bool flushed;        /* a NIC that went down took the SA with it */
	bool was_dead;       /* at some step, by the IKE daemon's will */
	bool seen_away;      /* at some step the SA was not there */
	bool deleted_before; /* the IKE daemon deleted it before the daemon did */
	bool written_before; /* ... or changed it */
	bool deleted_away;   /* ... or deleted what it took for it, while the daemon had it */
	bool met_packets;    /* ... or wrote, and met the larval SA of a packet */
	bool renewed;        /* ... or made it anew in the place of the larval SA */
	bool killed;
	bool read;         /* the daemon reads the SA, to move it */
	bool noted;        /* the daemon had its notification, and is to know the exact state */
	bool exact;        /* what the slot had is the state of the notification */
	bool stored;       /* the rescue slot had an image when the daemon was killed */
	bool met_acquired; /* ... and the next one found a packet's larval SA in the SA's place */
	struct sa_image image;
	struct sa_offload target;
	FILE *text; /* NULL: only count */
};

static inline bool has_event(const struct explore_scenario *s, enum explore_event event)
{
	return s->first.event == event || s->second.event == event;
}

/* What may be wrong beyond a limit. */
enum allowance {
	ALLOWS_ACQUIRE = 1,  /* the IKE daemon is asked for an SA that it has */
	ALLOWS_CLOSURE = 2,  /* ... or told that it expired */
	ALLOWS_SPARED = 4,   /* larval SAs stay whose deletion was refused */
	ALLOWS_NAMELESS = 8, /* ... or that have no SPI */
	ALLOWS_NIC = 16,     /* the SA is in another NIC */
	ALLOWS_LIMITS = 64,  /* the SA has the limits of before the IKE daemon's update */
	ALLOWS_LOSS = 32,    /* the SA is not as the IKE daemon believes */
};

struct excuse {
	enum explore_limit limit;
	bool (*applies)(const struct run *run);
	unsigned allows; /* enum allowance */
};
const struct excuse *explore_excuses(size_t *ret_n);

/* Whether no kernel would do what the scenario's fault does. */
bool explore_is_implausible(const struct run *run);
/* Checks everything that must hold; `in_use` is what the arena had before. */
void explore_judge(struct run *run, size_t in_use);
void explore_describe(FILE *report, const struct explore_scenario *scenario,
		      const struct explore_outcome *outcome);
