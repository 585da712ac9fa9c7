/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restores SAs in software that the kernel deleted because their NIC went down, from the image that
 * is kept of each. The kernel sends no message about this deletion.
 */
#pragma once

#include "base/clock.h"
#include "config.h"
#include "move/executor.h"
#include "network/network.h"
#include "sa/table.h"

struct shadows;

struct shadows_callbacks {
	/* Reads all waiting events; returns as tracker_drain_events(). */
	int (*drain_events)(void *userdata);
	/* Reads these SAs again: those that are restored, and those that are not to be restored. */
	void (*read_again)(const struct sa_id *ids, size_t n, void *userdata);
	/* The last known speed of the link, Mbit/s; 0: unknown. The NIC may be gone; its speed must
	 * be kept until its SAs are restored. */
	uint32_t (*speed)(int ifindex, void *userdata);
	/* Restoring has ended: `restored` SAs were back after `seconds`, `left` are gone and not
	 * restored. */
	void (*restored)(int ifindex, size_t restored, size_t left, double seconds, void *userdata);
	/* shadows_run() must be called at `time` (s, monotonic); INFINITY: it is not needed. */
	void (*due)(double time, void *userdata);
};

/* Nothing of it is owned. */
struct shadows_parameters {
	const struct clock *clock;
	struct secret_arena *arena;
	struct sa_table *sas;
	struct migrator *migrator;
	struct executor *executor; /* for SAs that the kernel does not accept at once */
	const struct shadows_callbacks *callbacks;
	void *userdata;
};

int shadows_new(const struct shadows_parameters *parameters, struct shadows **ret_shadows);
struct shadows *shadows_free(struct shadows *shadows); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct shadows *, shadows_free);
/* Not owned. */
void shadows_set_network(struct shadows *shadows, struct network *network);
void shadows_set_mode(struct shadows *shadows, enum config_link_down on_link_down);

/* Renews the shadow of an SA that is owned, from a GETSA reply; wipes that of any other SA.
 * `sampled_at`: s, monotonic, not later than the request. */
void shadows_sample(struct shadows *shadows, struct sa *sa, const struct nlmsghdr *message,
		    double sampled_at);
/* The same from the image of a move. Takes the image, or wipes it if the SA needs no shadow. */
void shadows_keep(struct sa *sa, struct sa_image *image, double sampled_at);
/* Restores the SAs that were lost with a NIC (0: any NIC). Those that the kernel has not deleted
 * yet are tried again after 1 to 32 ms. Returns whether the NIC held any. */
bool shadows_restore_lost(struct shadows *shadows, int ifindex);
/* The same in the next turn of the event loop, by the callback due(). */
void shadows_restore_soon(struct shadows *shadows, int ifindex);
/* Makes the attempts that are due. Returns whether there were SAs to restore. */
bool shadows_run(struct shadows *shadows);
size_t shadows_restoring(const struct shadows *shadows); /* NICs whose SAs are being restored */
/* For an SA that the kernel does not have: whether its entry must stay. It must if the SA is going
 * to be put back (its NIC is down, or it is owed), or if it was in a NIC, nobody deleted it, and
 * the message that the NIC is down may still arrive. */
bool shadows_may_be_lost(const struct shadows *shadows, const struct sa *sa);
/* The kernel does not have the SA. Restores it soon if its NIC is down, else waits for the message
 * that the NIC is down. Returns shadows_may_be_lost(). */
bool shadows_note_missing(struct shadows *shadows, struct sa *sa);
