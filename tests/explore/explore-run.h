/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One run of a scenario: explore-run.c runs it, explore-judge.c checks it. */
#pragma once

#include "explore.h"

struct run {
	struct explore *explore;
	const struct explore_scenario *scenario;
	struct explore_outcome *outcome;
	struct fake_kernel *fake;
	struct clock clock; /* the model's real time */
	struct fake_belief *original;
	struct fake_belief *belief; /* the SA that the IKE daemon made in its place, if it did */
	struct fake_belief *latest; /* a rekeyed one, or `belief` */
	uint32_t next_spi;
	bool flushed;        /* the SA was lost with its NIC */
	bool was_dead;       /* at some step the IKE daemon had deleted the SA */
	bool seen_away;      /* at some step the SA was absent */
	bool deleted_before; /* the IKE daemon deleted it before the daemon did */
	bool written_before; /* ... or changed it */
	bool deleted_away;   /* ... or deleted the larval SA in its place, while only the daemon had
				the SA */
	bool met_packets;    /* ... or wrote, and hit the larval SA of a packet */
	bool renewed;        /* ... or installed it again in the place of the larval SA */
	bool killed;
	bool read;         /* the daemon has read the SA for its move */
	bool noted;        /* the daemon had its notification, and must know the exact state */
	bool exact;        /* the image in the slot had the state of the notification */
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

/* Violations that a limit may allow. */
enum allowance {
	ALLOWS_ACQUIRE = 1,  /* the kernel sends an ACQUIRE for an SA that the IKE daemon has */
	ALLOWS_CLOSURE = 2,  /* ... or reports that it expired */
	ALLOWS_SPARED = 4,   /* larval SAs stay because their deletion was refused */
	ALLOWS_NAMELESS = 8, /* ... or because they have no SPI */
	ALLOWS_NIC = 16,     /* the SA is in another NIC */
	ALLOWS_LIMITS = 64,  /* the SA has the limits from before the IKE daemon's update */
	ALLOWS_LOSS = 32,    /* the SA is not as the IKE daemon expects */
};

struct excuse {
	enum explore_limit limit;
	bool (*applies)(const struct run *run);
	unsigned allows; /* enum allowance */
};
const struct excuse *explore_excuses(size_t *ret_n);

/* Whether the scenario's fault is one that no kernel has. */
bool explore_is_implausible(const struct run *run);
/* Checks everything that must hold; `in_use` is the used size of the arena before the run. */
void explore_judge(struct run *run, size_t in_use);
void explore_describe(FILE *report, const struct explore_scenario *scenario,
		      const struct explore_outcome *outcome);
