// SPDX-License-Identifier: GPL-2.0-or-later
#include "move/executor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A group ends with the first SA that is lost. One more SA can be lost when its guards are
 * deleted. */
#define LOST_IN_GROUP_MAX 2
#define RESTORE_WAIT_MIN 0.01
#define RESTORE_WAIT_MAX 1.0
/* How long before a move its guard may have been made, s. It must not expire before the move ends.
 * It lives 30 s by default (net.core.xfrm_acq_expires). */
#define GUARD_AGE_MAX 10.0

enum group_phase {
	GROUP_NONE,
	GROUP_GUARDED, /* the SAs are guarded, the moves are not made */
	GROUP_MOVED,   /* the moves are made, the guards still exist */
};

/* The moves whose SAs are guarded together: either the next ones of the queue, or SAs that are made
 * anew. */
struct group {
	enum group_phase phase;
	size_t n_queued; /* of the queue */
	size_t n_anew;
	struct sa_id anew[GUARDED_MAX];
	bool outbound;     /* it has outbound SAs */
	double guarded_at; /* s, monotonic */
};

struct executor {
	const struct clock *clock;
	const struct executor_callbacks *callbacks;
	void *userdata;
	struct migrator *migrator;
	struct sa_table *sas;

	struct policy_move *queue; /* planned, not yet made */
	size_t n_queue, n_queue_allocated, position;
	policy_sa without_slot; /* the eviction for its slot failed: do not promote it */
	struct sa_id anew[MADE_ANEW_MAX];
	size_t n_anew;
	struct group group;

	struct move *owed;
	size_t n_owed, n_owed_allocated;
	double wait; /* s */
};

int executor_new(const struct executor_parameters *parameters, struct executor **ret_executor)
{
	struct executor *executor = calloc(1, sizeof(*executor));

	if (!executor)
		return -ENOMEM;
	*executor = (struct executor){
		.clock = parameters->clock,
		.callbacks = parameters->callbacks,
		.userdata = parameters->userdata,
		.migrator = parameters->migrator,
		.sas = parameters->sas,
		.without_slot = POLICY_NONE,
	};
	*ret_executor = executor;
	return 0;
}

struct executor *executor_free(struct executor *executor)
{
	if (!executor)
		return NULL;
	for (size_t i = 0; i < executor->n_owed; i++)
		sa_image_wipe(&executor->owed[i].image);
	free(executor->owed);
	free(executor->queue);
	free(executor);
	return NULL;
}

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* ---- what is owed ---- */

int executor_reserve(struct executor *executor, size_t n)
{
	size_t wanted = executor->n_owed + n;
	struct move *grown;

	if (wanted > executor->n_owed_allocated) {
		grown = reallocarray(executor->owed, wanted, sizeof(*grown));
		if (!grown) {
			executor->callbacks->no_memory(true, executor->userdata);
			return -ENOMEM;
		}
		executor->owed = grown;
		executor->n_owed_allocated = wanted;
	}
	executor->callbacks->no_memory(false, executor->userdata);
	return 0;
}

void executor_keep(struct executor *executor, struct move *move)
{
	executor->owed[executor->n_owed++] = *move;
	move->image = (struct sa_image){};
	executor->wait = RESTORE_WAIT_MIN;
	executor->callbacks->owing(executor->wait, executor->userdata);
}

size_t executor_owed(const struct executor *executor)
{
	return executor->n_owed;
}

bool executor_owes(const struct executor *executor, const struct sa_id *id)
{
	for (size_t i = 0; i < executor->n_owed; i++)
		if (memcmp(&executor->owed[i].id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

static void unguard(struct executor *executor)
{
	struct move lost;

	executor->group = (struct group){};
	if (migrator_unguard(executor->migrator, &lost))
		executor_keep(executor, &lost);
}

/* Tries to put back the first `n` owed SAs, at most GUARDED_MAX. Those that stay owed are moved to
 * the end. */
static void restore_group(struct executor *executor, size_t n)
{
	struct move group[GUARDED_MAX];

	memcpy(group, executor->owed, n * sizeof(*group));
	executor->n_owed -= n;
	memmove(executor->owed, executor->owed + n, executor->n_owed * sizeof(*group));
	migrator_begin_group(executor->migrator);
	for (size_t i = 0; i < n; i++) {
		migrator_restore(executor->migrator, &group[i]);
		if (group[i].result == MOVE_RESULT_LOST)
			executor->owed[executor->n_owed++] = group[i];
	}
	/* This can add an owed SA only if the whole group is back, so there is room. */
	unguard(executor);
	/* An SA must not be owed any more when its facts are handled. */
	for (size_t i = 0; i < n; i++)
		if (group[i].result != MOVE_RESULT_LOST)
			executor->callbacks->settled(&group[i], executor->userdata);
}

void executor_restore(struct executor *executor)
{
	size_t n;

	for (size_t left = executor->n_owed; left > 0; left -= n) {
		n = smaller(left, GUARDED_MAX);
		restore_group(executor, n);
	}
	if (executor->n_owed == 0) {
		executor->callbacks->owing(0, executor->userdata);
		return;
	}
	executor->wait *= 2;
	if (executor->wait > RESTORE_WAIT_MAX)
		executor->wait = RESTORE_WAIT_MAX;
	executor->callbacks->owing(executor->wait, executor->userdata);
}

/* ---- moves ---- */

static void run(struct executor *executor, const struct sa *sa, struct move *move)
{
	/* Reads events: a new policy may make the SA's protection optional. */
	if (!executor->callbacks->refresh(executor->userdata)) {
		move->result = MOVE_RESULT_FAILED;
		return;
	}
	move->hands_off = executor->callbacks->check(sa, executor->userdata);
	if (move->hands_off == HANDS_OFF_NONE)
		migrator_run(executor->migrator, move);
	else
		move->result = MOVE_RESULT_HANDS_OFF;
	/* The larval SA of a packet is in its place: the SA is gone. */
	if (move->hands_off == HANDS_OFF_LARVAL)
		move->result = MOVE_RESULT_GONE;
	if (move->result == MOVE_RESULT_LOST)
		executor_keep(executor, move);
}

static void make_move(struct executor *executor, const struct policy_move *planned)
{
	const struct executor_callbacks *callbacks = executor->callbacks;
	struct sa *sa = sa_table_by_handle(executor->sas, planned->sa);
	struct move move = {.keep_image = true};
	double begun;

	if (!sa)
		return; /* it was removed since the plan was made */
	if (planned->action == POLICY_PROMOTE && planned->sa == executor->without_slot) {
		callbacks->cancelled(sa, planned, executor->userdata);
		return;
	}
	if (!callbacks->prepare(sa, planned, &move, executor->userdata)) {
		if (planned->action == POLICY_EVICT)
			executor->without_slot = planned->other;
		return;
	}
	begun = clock_monotonic(executor->clock);
	run(executor, sa, &move);
	if (planned->action == POLICY_EVICT && move.result != MOVE_RESULT_DONE &&
	    move.result != MOVE_RESULT_GONE)
		executor->without_slot = planned->other;
	callbacks->done(sa, planned, &move, begun, executor->userdata);
}

size_t executor_plan(struct executor *executor, const struct policy_move *moves, size_t n)
{
	if (n > executor->n_queue_allocated) {
		struct policy_move *grown = reallocarray(executor->queue, n, sizeof(*grown));

		if (grown) {
			executor->queue = grown;
			executor->n_queue_allocated = n;
		} else {
			n = executor->n_queue_allocated;
		}
	}
	if (n > 0)
		memcpy(executor->queue, moves, n * sizeof(*moves));
	executor->n_queue = n;
	executor->position = 0;
	executor->without_slot = POLICY_NONE;
	return n;
}

size_t executor_queued(const struct executor *executor)
{
	return executor->n_queue - executor->position;
}

bool executor_take(struct executor *executor, struct policy_move *ret_planned)
{
	if (executor->position == executor->n_queue)
		return false;
	*ret_planned = executor->queue[executor->position++];
	return true;
}

void executor_cancel_of(struct executor *executor, policy_sa handle)
{
	for (size_t i = executor->position; i < executor->n_queue; i++)
		if (executor->queue[i].sa == handle)
			executor->queue[i].sa = POLICY_NONE;
}

void executor_cancel(struct executor *executor)
{
	for (; executor->position < executor->n_queue; executor->position++) {
		const struct policy_move *planned = &executor->queue[executor->position];
		struct sa *sa = sa_table_by_handle(executor->sas, planned->sa);

		if (sa)
			executor->callbacks->cancelled(sa, planned, executor->userdata);
	}
	executor->n_queue = executor->position = 0;
	executor->n_anew = 0;
	executor->group.n_queued = executor->group.n_anew = 0;
}

/* Makes the SA again where it is. The next sample shows the result. */
static void make_one_anew(struct executor *executor, const struct sa *sa)
{
	double begun = clock_monotonic(executor->clock);
	struct move move = {
		.id = sa->description.id,
		.target = {.ifindex = sa->residence.ifindex, .direction = SA_DIRECTION_OUT},
		.expected_ifindex = sa->residence.ifindex,
		.keep_image = true,
		.anew = true,
	};

	run(executor, sa, &move);
	executor->callbacks->made_anew(&move, begun, executor->userdata);
}

void executor_make_anew(struct executor *executor, const struct sa_id *ids, size_t n)
{
	/* These may be the SAs that are being made anew. */
	if (executor->group.n_anew > 0)
		return;
	executor->n_anew = smaller(n, MADE_ANEW_MAX);
	memcpy(executor->anew, ids, executor->n_anew * sizeof(*ids));
}

/* ---- groups ---- */

bool executor_is_in_group(const struct executor *executor)
{
	return executor->group.phase != GROUP_NONE;
}

/* Returns the number of outbound SAs, which are to be guarded. */
static size_t take_anew(struct executor *executor, struct sa_id *outbound)
{
	struct group *group = &executor->group;

	group->n_anew = smaller(executor->n_anew, GUARDED_MAX);
	executor->n_anew -= group->n_anew;
	memcpy(group->anew, executor->anew, group->n_anew * sizeof(*outbound));
	memmove(executor->anew, executor->anew + group->n_anew,
		executor->n_anew * sizeof(*outbound));
	memcpy(outbound, group->anew, group->n_anew * sizeof(*outbound));
	return group->n_anew;
}

static size_t take_queued(struct executor *executor, struct sa_id *outbound)
{
	size_t n = 0;

	executor->group.n_queued = smaller(executor_queued(executor), GUARDED_MAX);
	for (size_t i = 0; i < executor->group.n_queued; i++) {
		const struct policy_move *planned = &executor->queue[executor->position + i];
		const struct sa *sa = sa_table_by_handle(executor->sas, planned->sa);

		if (sa && sa->description.direction == SA_DIRECTION_OUT)
			outbound[n++] = sa->description.id;
	}
	return n;
}

static bool begin_group(struct executor *executor)
{
	struct sa_id outbound[GUARDED_MAX] = {};
	size_t n;

	if (executor->n_anew == 0 && executor_queued(executor) == 0)
		return false;
	if (executor_reserve(executor, LOST_IN_GROUP_MAX) < 0) {
		executor_cancel(executor);
		return false;
	}
	n = executor->n_anew > 0 ? take_anew(executor, outbound) : take_queued(executor, outbound);
	executor->group.phase = GROUP_GUARDED;
	executor->group.outbound = n > 0;
	migrator_guard(executor->migrator, outbound, n);
	/* However long that took: otherwise a slow kernel would never get to the moves. */
	executor->group.guarded_at = clock_monotonic(executor->clock);
	return true;
}

static void make_group(struct executor *executor)
{
	struct group *group = &executor->group;

	/* Policies of sockets may have optional templates. */
	if (group->outbound)
		executor->callbacks->refresh_policies(executor->userdata);
	while (group->n_queued > 0 && executor->n_owed == 0) {
		const struct policy_move planned = executor->queue[executor->position++];

		group->n_queued--;
		make_move(executor, &planned);
	}
	for (size_t i = 0; i < group->n_anew && executor->n_owed == 0; i++) {
		const struct sa *sa = sa_table_find(executor->sas, &group->anew[i]);

		if (sa && !sa->residence.foreign)
			make_one_anew(executor, sa);
	}
}

bool executor_proceed(struct executor *executor)
{
	struct group *group = &executor->group;

	if (group->phase == GROUP_NONE)
		return begin_group(executor);
	if (migrator_is_waiting(executor->migrator))
		return false;
	if (group->phase == GROUP_MOVED) {
		unguard(executor);
		return true;
	}
	/* If other work took so long that the guards may expire, the moves get new ones. */
	if (clock_monotonic(executor->clock) - group->guarded_at < GUARD_AGE_MAX)
		make_group(executor);
	group->phase = GROUP_MOVED;
	migrator_end_moves(executor->migrator);
	return true;
}

void executor_end_group(struct executor *executor)
{
	if (executor->group.phase != GROUP_NONE)
		unguard(executor);
}
