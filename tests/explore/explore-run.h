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
	bool renewed;        /* ... or made it anew in the place of the larval SA */
	bool killed;
	bool read;   /* the daemon reads the SA, to move it */
	bool noted;  /* the daemon had its notification, and is to know the exact state */
	bool exact;  /* what the slot had is the state of the notification */
	bool stored; /* the rescue slot had an image when the daemon was killed */
	struct sa_image image;
	struct sa_offload target;
	FILE *text; /* NULL: only count */
};

static inline bool has_event(const struct explore_scenario *s, enum explore_event event)
{
	return s->first.event == event || s->second.event == event;
}

/* Whether no kernel would do what the scenario's fault does. */
bool explore_is_implausible(const struct run *run);
/* Checks everything that must hold; `in_use` is what the arena had before. */
void explore_judge(struct run *run, size_t in_use);
void explore_describe(FILE *report, const struct explore_scenario *scenario,
		      const struct explore_outcome *outcome);
