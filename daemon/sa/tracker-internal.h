/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files of the tracker. Each uses only those above it in this list:
 *
 *   identity.c   which SAs in NICs are ours
 *   observe.c    entries of the table for the SAs that were read
 *   events.c     the kernel's notifications
 *   policies.c   policies that make a move unsafe, and those that were lost with a NIC
 *   tracker.c    dumps, and reading SAs again
 */
#pragma once

#include "sa/changes.h"
#include "sa/digest.h"
#include "sa/spd.h"
#include "sa/tracker.h"

/* A reading of all SAs, from tracker_begin_dump() on. */
struct tracker_dump {
	enum {
		DUMP_NONE,
		DUMP_READING,    /* the kernel's dump */
		DUMP_CONFIRMING, /* the entries that it did not show */
	} state;
	bool outdated;          /* it became stale since the dump began */
	bool paused;            /* the kernel prepared the next part before a pause */
	struct changes early;   /* SAs of such a part, to be read again */
	struct sa_id *missing;  /* entries that were not shown */
	size_t n_missing, next; /* index of the next one to ask for */
};

struct tracker {
	const struct clock *clock;
	struct secret_arena *arena;
	struct kernel *kernel;
	struct ownership *ownership;
	const struct tracker_callbacks *callbacks;
	void *userdata;

	struct sa_table sas;
	struct sa_digest_factors digest_factors;
	struct spd spd;
	double policies_read_at, policies_took; /* s */
	struct peer_moves *peer_moves;
	struct changes changes;

	bool stale;
	struct tracker_dump dump;
	bool dumping;     /* a part of a dump is being read */
	bool reading_all; /* the same, or SAs that the dump could not show are being read */
	double asked_at;  /* s, monotonic: for the SAs that are being read */
	/* The clock before the SA that is being read. SAs of a few parts of a dump share
	 * sampled_at; those that are read without a pause share sampled_at_real. */
	double sampled_at;        /* s, monotonic */
	uint64_t sampled_at_real; /* s, as struct clock's realtime */
	struct sa *previous;      /* that the dump has shown; NULL: none yet */
	size_t n_shown;      /* entries of the table that were read since the last dump began */
	uint32_t generation; /* of dumps; ten a second for 13 years */
	uint64_t overruns;
	struct sa_id masked[TRACKER_MASKED_MAX]; /* of the last dump */
	size_t n_masked;
};

static inline double tracker_now(const struct tracker *tracker)
{
	return clock_monotonic(tracker->clock);
}

static inline void tracker_read_clock(struct tracker *tracker)
{
	tracker->sampled_at = tracker_now(tracker);
	tracker->sampled_at_real = clock_realtime(tracker->clock);
}

static inline void tracker_mark_stale(struct tracker *tracker)
{
	tracker->stale = true;
	tracker->dump.outdated = true;
}

/* The SA is to be read again. */
static inline void tracker_note_changed(struct tracker *tracker, const struct sa_id *id)
{
	if (changes_add(&tracker->changes, id) < 0)
		tracker_mark_stale(tracker);
}

/* events.c */
int tracker_handle_event(const struct nlmsghdr *message, bool own, void *userdata);

/* identity.c */
/* Whether it is in software, or owned: in the NIC where this daemon put it. */
bool tracker_owns(const struct tracker *tracker, const struct sa *sa);
/* Whether the SA that was read is still the owned SA of this entry, with other identifying
 * values. */
bool tracker_is_same_state(const struct tracker *tracker, const struct sa *sa,
			   const struct sa_facts *facts);
/* Whether an SA in a NIC that is not owned is a copy of an owned one that was deleted. */
bool tracker_is_copy(const struct tracker *tracker, const struct sa *sa);
/* Makes such a copy an owned SA. Returns whether it is one. */
bool tracker_adopt(struct tracker *tracker, const struct sa *sa);
/* Handles XFRM_MSG_MIGRATE or MIGRATE_STATE of another program: SAs may have new addresses. */
void tracker_note_migrated(struct tracker *tracker, const struct nlmsghdr *message);

/* observe.c */
/* Handles what was read at tracker->sampled_at. Returns its entry, or NULL. */
struct sa *tracker_observe(struct tracker *tracker, const struct sa_facts *facts);
/* Handles an SA of a part of a dump that the kernel prepared before a pause: since then it may have
 * been moved or deleted. Returns whether it is to be read again. */
bool tracker_observe_early(struct tracker *tracker, const struct sa_facts *facts);
/* Whether this message of a dump shows what is already known of its SA, so that nothing of it has
 * to be read. Then the SA counts as read. */
bool tracker_is_unchanged(struct tracker *tracker, const struct nlmsghdr *message);
/* The SA was read from this message. */
void tracker_note_message(struct tracker *tracker, struct sa *sa, const struct nlmsghdr *message);

/* policies.c */
int tracker_read_policies(struct tracker *tracker);
