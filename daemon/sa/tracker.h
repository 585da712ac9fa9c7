/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of the kernel's SAs. Once an interval the kernel dumps all; between dumps its
 * events say that something happened to an SA, which is then read again by GETSA: events are hints
 * (the UPDSA one shows values that never were), what GETSA answers is true. It also knows which SAs
 * in NICs are ours, and the policies that make a move unsafe. It reads and never changes an SA.
 */
#pragma once

#include "base/clock.h"
#include "sa/ownership.h"
#include "sa/peer-moves.h"
#include "sa/table.h"
#include "xfrm/kernel.h"

struct tracker;

/* What a sample changed of an entry. */
struct tracker_change {
	bool moved;       /* it is in another place now */
	int left_ifindex; /* then: the NIC that it left, 0: software */
	bool was_resident;
	bool hands_off; /* another reason than before */
};

struct tracker_callbacks {
	bool (*address_is_local)(uint16_t family, const struct sa_address *address, void *userdata);
	/* There is a new entry. `adopted`: a copy that the IKE daemon made of an SA of ours, in its
	 * NIC. */
	void (*appeared)(struct sa *sa, const struct sa_facts *facts, bool adopted, void *userdata);
	/* The entry shows what was read. */
	void (*sampled)(struct sa *sa, const struct sa_facts *facts,
			const struct tracker_change *change, void *userdata);
	/* It has been read from this message, for which the kernel was asked at that time (s,
	 * monotonic). */
	void (*read)(struct sa *sa, const struct nlmsghdr *message, double asked_at,
		     void *userdata);
	/* The kernel does not have it. Returns whether the entry stays, because the SA may come
	 * back. */
	bool (*missing)(struct sa *sa, void *userdata);
	/* The entry is removed after this. */
	void (*vanishes)(struct sa *sa, void *userdata);
	/* Which tunnels move with their peers is known better now. */
	void (*peers_moved)(void *userdata);
	/* So many policies in packet offload are missing, of this NIC, and nobody deleted them. */
	void (*policies_lost)(int ifindex, size_t n, void *userdata);
	/* Events were lost: a dump is wanted soon. Once until tracker_set_current(). */
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

/* Whether what is known is out of date, because events were lost: nothing is to be moved. */
bool tracker_is_stale(const struct tracker *tracker);
void tracker_set_stale(struct tracker *tracker);
void tracker_set_current(struct tracker *tracker); /* after a dump */
uint64_t tracker_overruns(
	const struct tracker *tracker); /* how often the kernel had to drop events */

/* Reads all SAs, and the policies where that is needed. */
int tracker_dump(struct tracker *tracker);
/* After the first dump: what the last run of the daemon put into NICs is known again. */
void tracker_start_ownership(struct tracker *tracker);
void tracker_save_ownership(struct tracker *tracker);

/* Reads events that are waiting, some of them if there are many. A negative errno: some are lost.
 * 1: there may be more. */
int tracker_read_events(struct tracker *tracker);
/* Reads all events that are waiting. Otherwise it is stale: a negative errno when some are lost, 1
 * when they come faster than they are read. */
int tracker_drain_events(struct tracker *tracker);
void tracker_read_changed(struct tracker *tracker);
/* Reads SAs by their identity. Those that the kernel does not have are forgotten, unless they are
 * missing(). */
void tracker_read_again(struct tracker *tracker, const struct sa_id *ids, size_t n);
/* The same of an SA that somebody else has read. */
void tracker_handle_facts(struct tracker *tracker, const struct sa_facts *facts);
void tracker_forget(struct tracker *tracker, struct sa *sa);

/* Before outbound SAs are moved: reads policies if there may be some that no event tells of. */
void tracker_refresh_policies(struct tracker *tracker);
/* Right before a move: what may have come since the plan and does not show in the SA itself. */
enum hands_off tracker_check_again(struct tracker *tracker, const struct sa *sa);

/* SAs beside which the last dump showed a larval SA, some of them: more wait for the next. Forgets
 * them. */
#define TRACKER_MASKED_MAX 16
size_t tracker_take_masked(struct tracker *tracker, struct sa_id ret_ids[TRACKER_MASKED_MAX]);
