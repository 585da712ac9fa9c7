/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Of the files of the tracker, each of which uses only those above it here:
 *
 *   identity.c   which SAs in NICs are ours
 *   observe.c    what was read becomes an entry of the table
 *   events.c     what the kernel tells
 *   policies.c   policies that make a move unsafe, and those that went down with a NIC
 *   tracker.c    dumps, and what is read again
 */
#pragma once

#include "sa/changes.h"
#include "sa/spd.h"
#include "sa/tracker.h"

struct tracker {
	const struct clock *clock;
	struct secret_arena *arena;
	struct kernel *kernel;
	struct ownership *ownership;
	const struct tracker_callbacks *callbacks;
	void *userdata;

	struct sa_table sas;
	struct spd spd;
	double policies_read_at, policies_took; /* s */
	struct peer_moves *peer_moves;
	struct changes changes;

	bool stale;
	bool dumping;    /* what is being read is a dump of all SAs */
	double asked_at; /* s, monotonic: for the SAs that are being read */
	uint64_t generation;
	uint64_t overruns;
	struct sa_id masked[TRACKER_MASKED_MAX]; /* of the last dump */
	size_t n_masked;
};

static inline double tracker_now(const struct tracker *tracker)
{
	return clock_monotonic(tracker->clock);
}

/* It is to be read again. */
static inline void tracker_note_changed(struct tracker *tracker, const struct sa_id *id)
{
	if (changes_add(&tracker->changes, id) < 0)
		tracker->stale = true;
}

/* events.c */
int tracker_handle_event(const struct nlmsghdr *message, bool own, void *userdata);

/* ownership.c */
/* Whether it is in software, or in a NIC where we put it. */
bool tracker_owns(const struct tracker *tracker, const struct sa *sa);
/* Whether what has another identity now is the very SA of ours in that NIC. */
bool tracker_is_same_state(const struct tracker *tracker, const struct sa *sa,
			   const struct sa_facts *facts);
/* Whether an SA that is in a NIC under an unknown identity is a copy of one of ours that went. */
bool tracker_is_copy(const struct tracker *tracker, const struct sa *sa);
/* If it is, it is ours from now on. */
bool tracker_adopt(struct tracker *tracker, const struct sa *sa);
/* XFRM_MSG_MIGRATE or MIGRATE_STATE of somebody else: SAs may have new addresses. */
void tracker_note_migrated(struct tracker *tracker, const struct nlmsghdr *message);

/* policies.c */
int tracker_read_policies(struct tracker *tracker);
