/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The tracker keeps what is known of the kernel's SAs. Once an interval it dumps all SAs. Between
 * dumps, events say that something happened to an SA, and the tracker reads this SA again by GETSA.
 * Events are hints only: the one of UPDSA shows values that the SA never had. The tracker also
 * knows which SAs in NICs are owned by this daemon, and which policies make a move unsafe. It never
 * changes an SA.
 */
#pragma once

#include "base/clock.h"
#include "sa/ownership.h"
#include "sa/peer-moves.h"
#include "sa/table.h"
#include "xfrm/kernel.h"

struct tracker;

/* What a sample changed in an entry. */
struct tracker_change {
	double sampled_at; /* s, monotonic */
	bool dumped;       /* all SAs are being read */
	bool moved;        /* the SA is in another NIC now, or in software */
	int left_ifindex;  /* if moved: where it was before; 0: software */
	bool was_resident;
	bool hands_off; /* the reason changed */
	bool carried;   /* more than when it was read before */
};

struct tracker_callbacks {
	bool (*address_is_local)(uint16_t family, const struct sa_address *address, void *userdata);
	/* There is a new entry. `adopted`: it is a copy that the IKE daemon made of an owned SA, in
	 * the same NIC. */
	void (*appeared)(struct sa *sa, const struct sa_facts *facts, bool adopted, void *userdata);
	/* The SA was read, and its entry is up to date. */
	void (*sampled)(struct sa *sa, const struct sa_facts *facts,
			const struct tracker_change *change, void *userdata);
	/* A dump shows the SA as it is known, in software, with the same counters. */
	void (*unchanged)(struct sa *sa, double sampled_at, void *userdata);
	/* The SA was read from this message. `asked_at`: when the kernel was asked for it (s,
	 * monotonic). */
	void (*read)(struct sa *sa, const struct nlmsghdr *message, double asked_at,
		     void *userdata);
	/* The kernel does not have the SA. Returns whether the entry stays, because the SA may come
	 * back. */
	bool (*missing)(struct sa *sa, void *userdata);
	/* The entry is removed after this. */
	void (*vanishes)(struct sa *sa, void *userdata);
	/* The set of tunnels whose peers change their addresses has changed. */
	void (*peers_moved)(void *userdata);
	/* `n` policies in packet offload to this NIC are missing, and nobody deleted them. */
	void (*policies_lost)(int ifindex, size_t n, void *userdata);
	/* Events were lost: a dump is needed soon. Called once until the tracker is current. */
	void (*outdated)(void *userdata);
	/* tracker_read_changed() is to be called soon. */
	void (*changed)(void *userdata);
};

/* Nothing of it is owned. */
struct tracker_parameters {
	const struct clock *clock;
	struct secret_arena *arena;
	struct kernel *kernel;
	struct ownership *ownership;
	const struct tracker_callbacks *callbacks;
	void *userdata;
};

int tracker_new(const struct tracker_parameters *parameters, struct tracker **ret_tracker);
struct tracker *tracker_free(struct tracker *tracker); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct tracker *, tracker_free);

struct sa_table *tracker_sas(struct tracker *tracker);
struct peer_moves *tracker_peer_moves(struct tracker *tracker);

/* Whether events were lost, so that the table may be out of date: nothing may be moved. It is
 * current again when all SAs have been read, unless events were lost meanwhile. */
bool tracker_is_stale(const struct tracker *tracker);
void tracker_set_stale(struct tracker *tracker);
uint64_t tracker_overruns(const struct tracker *tracker); /* times that the kernel dropped events */

/* Begins to read all SAs, by a dump, and reads the policies where that is needed. Ends a reading
 * that is in progress. A negative errno; -ENOBUFS: events were lost. */
int tracker_begin_dump(struct tracker *tracker);
/* Goes on for that time, s, or a little longer. Between two calls anything may happen to the SAs.
 * 1: there is more; 0: all SAs have been read; a negative errno: the reading has ended. */
int tracker_continue_dump(struct tracker *tracker, double seconds);
bool tracker_is_dumping(const struct tracker *tracker);
/* Reads all SAs at once. */
int tracker_dump(struct tracker *tracker);
/* Local addresses may have changed: the next dump reads all SAs in full. Otherwise it skips those
 * whose messages are the same as before. */
void tracker_read_in_full(struct tracker *tracker);
/* After the first dump: compares the ownership records of the previous run with the SAs that
 * exist. */
void tracker_start_ownership(struct tracker *tracker);
void tracker_save_ownership(struct tracker *tracker);

/* Reads some of the waiting events. 1: there may be more; a negative errno: some are lost. */
int tracker_read_events(struct tracker *tracker);
/* Reads all waiting events and returns 0. Otherwise the tracker becomes stale: a negative errno
 * when some are lost, 1 when they arrive faster than they are read. */
int tracker_drain_events(struct tracker *tracker);
void tracker_read_changed(struct tracker *tracker);
/* Reads SAs by their identity. Forgets those that the kernel does not have, unless the callback
 * missing() returns true. */
void tracker_read_again(struct tracker *tracker, const struct sa_id *ids, size_t n);
/* Updates the table from facts that the caller has read. */
void tracker_handle_facts(struct tracker *tracker, const struct sa_facts *facts);
void tracker_forget(struct tracker *tracker, struct sa *sa);

/* Before outbound SAs are moved: reads the policies if there may be some that cause no events
 * (those of sockets). */
void tracker_refresh_policies(struct tracker *tracker);
/* Right before a move: the reasons that may have appeared since the plan and that the SA itself
 * does not show. */
enum hands_off tracker_check_again(struct tracker *tracker, const struct sa *sa);

/* Returns and forgets SAs for which the last dump showed also a larval SA with the same identity.
 * At most TRACKER_MASKED_MAX; the next dump shows the others again. */
#define TRACKER_MASKED_MAX 16
size_t tracker_take_masked(struct tracker *tracker, struct sa_id ret_ids[TRACKER_MASKED_MAX]);
