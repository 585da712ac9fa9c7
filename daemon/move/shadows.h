/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Brings back the SAs that the kernel deletes without a word when the NIC goes down that holds
 * them, from the image that is kept of each.
 */
#pragma once

#include "base/clock.h"
#include "config.h"
#include "move/executor.h"
#include "network/network.h"
#include "sa/table.h"

struct shadows;

struct shadows_callbacks {
	/* Reads all events that are waiting. Otherwise a negative errno, or 1 when they come faster
	 * than they are read. */
	int (*drain_events)(void *userdata);
	/* Reads these SAs again: those that are back, and those that are left to the IKE daemon. */
	void (*read_again)(const struct sa_id *ids, size_t n, void *userdata);
	/* Of the link, Mbit/s; 0: unknown. The NIC may be gone, and is remembered until its SAs are
	 * back. */
	uint32_t (*speed)(int ifindex, void *userdata);
	/* It is over: so many are back after `seconds`, so many were left. */
	void (*restored)(int ifindex, size_t restored, size_t left, double seconds, void *userdata);
	/* shadows_run() is to be called at a time (s, monotonic); INFINITY: not any more. */
	void (*due)(double time, void *userdata);
};

/* Nothing of it is owned. */
struct shadows_parameters {
	const struct clock *clock;
	struct secret_arena *arena;
	struct sa_table *sas;
	struct migrator *migrator;
	struct executor *executor; /* for those that the kernel does not take back at once */
	const struct shadows_callbacks *callbacks;
	void *userdata;
};

int shadows_new(const struct shadows_parameters *parameters, struct shadows **ret_shadows);
struct shadows *shadows_free(struct shadows *shadows); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct shadows *, shadows_free);
/* Not owned. */
void shadows_set_network(struct shadows *shadows, struct network *network);
void shadows_set_mode(struct shadows *shadows, enum config_link_down on_link_down);

/* Keeps what an SA that we hold in a NIC is to be restored from. `sampled_at` is a time before the
 * kernel was asked for it. */
void shadows_sample(struct shadows *shadows, struct sa *sa, const struct nlmsghdr *message,
		    double sampled_at);
/* The same from the image that a move left, which it takes (or wipes, if there is none to keep). */
void shadows_keep(struct sa *sa, struct sa_image *image, double sampled_at);
/* Brings back the SAs that went down with a NIC (0: with any): now, and again for a while those
 * that the kernel has not deleted yet. Returns whether the NIC held any. */
bool shadows_restore_lost(struct shadows *shadows, int ifindex);
/* The same in the next turn. */
void shadows_restore_soon(struct shadows *shadows, int ifindex);
/* Returns whether there was anything to look after. */
bool shadows_run(struct shadows *shadows);
size_t shadows_restoring(const struct shadows *shadows); /* NICs whose SAs are being brought back */
/* Of an SA that the kernel does not have: whether its entry must stay, because it is going to be
 * put back (its NIC is down, or it is owed), or because it was in a NIC, nobody deleted it, and the
 * message that its NIC is down may still come. */
bool shadows_may_be_lost(const struct shadows *shadows, const struct sa *sa);
/* The kernel does not have it: brings it back if its NIC is down, else begins to wait for that.
 * Returns shadows_may_be_lost(). */
bool shadows_note_missing(struct shadows *shadows, struct sa *sa);
