/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the moves that were planned, in groups, and keeps what is owed to the kernel: an SA that
 * could not be put back is tried again until it is, and no other is touched before.
 */
#pragma once

#include "base/clock.h"
#include "move/migrator.h"
#include "policy.h"
#include "sa/table.h"

struct executor;

struct executor_callbacks {
	/* What the kernel told meanwhile is to be read. False: what is known is out of date, so
	 * nothing is to be moved. */
	bool (*refresh)(void *userdata);
	/* A group with outbound SAs follows, which are guarded now: their policies are to be looked
	 * at. */
	void (*refresh_policies)(void *userdata);
	/* Sets id, target and expected_ifindex. False: it is not to be made, and that was reported.
	 */
	bool (*prepare)(struct sa *sa, const struct policy_move *planned, struct move *move,
			void *userdata);
	/* Right before it: what came since the plan and does not show in the SA itself. */
	enum hands_off (*check)(const struct sa *sa, void *userdata);
	/* The SA may be gone from the table afterwards. Takes the image; `begun`: s, monotonic. For
	 * a result of MOVE_RESULT_LOST it calls executor_keep(), for which there is room. */
	void (*done)(struct sa *sa, const struct policy_move *planned, struct move *move,
		     double begun, void *userdata);
	/* The same for an SA that was made anew where it is. */
	void (*made_anew)(struct move *move, double begun, void *userdata);
	/* It is not going to be made. */
	void (*cancelled)(struct sa *sa, const struct policy_move *planned, void *userdata);
	/* An SA that was owed is back (facts), or was deleted meanwhile (MOVE_RESULT_GONE). */
	void (*settled)(struct move *move, void *userdata);
	/* What is owed is to be tried by executor_restore() after so many seconds. 0: nothing is
	 * owed any more. */
	void (*owing)(double wait, void *userdata);
	/* Nothing is moved, since there is no memory in which it could be owed; or there is again.
	 */
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
/* Wipes what is owed. Accepts NULL, returns NULL. */
struct executor *executor_free(struct executor *executor);
DEFINE_CLEANUP(struct executor *, executor_free);

/* ---- the queue ---- */

/* Replaces the queue, which is empty or done. Returns how many there was memory for. */
size_t executor_plan(struct executor *executor, const struct policy_move *moves, size_t n);
size_t executor_queued(const struct executor *executor); /* moves that are to be made */
/* Takes the next one out; false: there is none. */
bool executor_take(struct executor *executor, struct policy_move *ret_planned);
/* Makes the next ones, as many as are guarded at once. */
void executor_make_group(struct executor *executor);
void executor_cancel(struct executor *executor);
/* The handle is given back, and may soon be another SA's. */
void executor_cancel_of(struct executor *executor, policy_sa handle);

/* Takes away the larval SAs beside these outbound SAs, GUARDED_MAX at most: makes them anew where
 * they are. -ENOMEM: as executor_reserve(). */
int executor_make_anew(struct executor *executor, const struct sa_id *ids, size_t n);

/* ---- what is owed ---- */

/* Makes room for so many more that may be lost, before their moves begin: afterwards it is too
 * late. -ENOMEM: they are not to begin. */
int executor_reserve(struct executor *executor, size_t n);
/* Takes the image of a move that is lost, for which there is room. */
void executor_keep(struct executor *executor, struct move *move);
size_t executor_owed(const struct executor *executor);
bool executor_owes(const struct executor *executor, const struct sa_id *id);
/* Tries to put back what is owed. */
void executor_restore(struct executor *executor);
