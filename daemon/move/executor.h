/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the planned moves in groups, and keeps the SAs that are owed to the kernel: those that
 * could not be put back. Each is tried again until it is back, and no other SA is moved before.
 */
#pragma once

#include "base/clock.h"
#include "move/migrator.h"
#include "policy.h"
#include "sa/table.h"

struct executor;

struct executor_callbacks {
	/* Reads the events that are waiting. False: events were lost, so nothing may be moved. */
	bool (*refresh)(void *userdata);
	/* Outbound SAs are guarded and about to be moved: their policies must be up to date. */
	void (*refresh_policies)(void *userdata);
	/* Sets id, target and expected_ifindex of `move`. False: the move is not made, and the
	 * callback has reported that. */
	bool (*prepare)(struct sa *sa, const struct policy_move *planned, struct move *move,
			void *userdata);
	/* Right before a move: the reasons that may have appeared since the plan and that the SA
	 * itself does not show. */
	enum hands_off (*check)(const struct sa *sa, void *userdata);
	/* The move is finished. Takes move->image; may remove the SA from the table. `begun`: s,
	 * monotonic. With MOVE_RESULT_LOST the SA is owed already, and its image taken. */
	void (*done)(struct sa *sa, const struct policy_move *planned, struct move *move,
		     double begun, void *userdata);
	/* The same for an SA of executor_make_anew(). */
	void (*made_anew)(struct move *move, double begun, void *userdata);
	/* The planned move is not going to be made. */
	void (*cancelled)(struct sa *sa, const struct policy_move *planned, void *userdata);
	/* An owed SA is back (move->facts), or was deleted meanwhile (MOVE_RESULT_GONE). */
	void (*settled)(struct move *move, void *userdata);
	/* executor_restore() must be called after `wait` seconds. 0: no SA is owed any more. */
	void (*owing)(double wait, void *userdata);
	/* `holds`: nothing is moved, since there is no memory for SAs that become owed. False:
	 * there is. */
	void (*no_memory)(bool holds, void *userdata);
};

/* Nothing of it is owned. */
struct executor_parameters {
	const struct clock *clock;
	struct migrator *migrator;
	struct sa_table *sas;
	const struct executor_callbacks *callbacks;
	void *userdata;
};

int executor_new(const struct executor_parameters *parameters, struct executor **ret_executor);
/* Wipes the images of owed SAs. Accepts NULL, returns NULL. */
struct executor *executor_free(struct executor *executor);
DEFINE_CLEANUP(struct executor *, executor_free);

/* ---- the queue ---- */

/* Replaces the queue, which must be empty or finished; copies the moves. Returns how many the
 * memory was sufficient for. */
size_t executor_plan(struct executor *executor, const struct policy_move *moves, size_t n);
size_t executor_queued(const struct executor *executor); /* moves still to make */
/* Removes the next move from the queue; false: the queue is empty. */
bool executor_take(struct executor *executor, struct policy_move *ret_planned);
/* Removes the larval SAs that mask these outbound SAs, before the moves of the queue. If a larval
 * SA is behind the SA in the chain, the SA is deleted and made again in the same place. Replaces
 * those that are not begun. More than MADE_ANEW_MAX are left out, and all while others are being
 * made anew: the next dump shows what is left. */
#define MADE_ANEW_MAX 16
void executor_make_anew(struct executor *executor, const struct sa_id *ids, size_t n);
/* Makes the next step: guards the SAs of the next moves, at most GUARDED_MAX (a group), makes these
 * moves, or deletes the guards. Between two of these steps it waits for lookups, during which other
 * work may be done (migrator.h). False: there is nothing to do, or nothing before the wait is over.
 * Without memory (executor_reserve()) it cancels the queue. */
bool executor_proceed(struct executor *executor);
bool executor_is_in_group(const struct executor *executor); /* one has begun and not ended */
/* Cancels all moves that are not made. A group that has begun is to be ended: executor_proceed(),
 * or executor_end_group(), which waits for lookups. */
void executor_cancel(struct executor *executor);
void executor_end_group(struct executor *executor);
/* Removes the moves of this handle, which the policy may give to another SA. */
void executor_cancel_of(struct executor *executor, policy_sa handle);

/* ---- what is owed ---- */

/* Reserves memory for `n` more owed SAs. Called before moves begin, since a move that has lost its
 * SA must be able to keep it. -ENOMEM: the moves must not begin. */
int executor_reserve(struct executor *executor, size_t n);
/* Adds an SA that is owed, and takes the image of its move. The memory must be reserved. */
void executor_keep(struct executor *executor, struct move *move);
size_t executor_owed(const struct executor *executor);
bool executor_owes(const struct executor *executor, const struct sa_id *id);
/* Tries to put back all owed SAs. */
void executor_restore(struct executor *executor);
