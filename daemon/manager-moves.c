// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The plan becomes a queue of moves; moves are made one after the other, a few in each turn of the
 * event loop, and each outcome is reported to the policy. What a driver refused is remembered by
 * the shape of the SA. While an SA cannot be put back, no other is touched.
 */
#include "manager.h"
#include "move/rescue.h"
#include "network/drivers.h"
#include "sa/placed.h"

#include <errno.h>
#include <string.h>

/* Away from the event loop so long, and what is left of a group of moves: a move takes about a
 * millisecond, and where one of the group is outbound, the group two grace periods of the kernel.
 */
#define MOVES_TURN_SECONDS 0.02
/* A group ends with the first SA that is lost; one more can be when its covers are taken away. */
#define LOST_IN_GROUP_MAX 2
#define RESTORE_WAIT_MIN 0.01
#define RESTORE_WAIT_MAX 1.0

/* The shape is at fault when the kernel says EINVAL or EOPNOTSUPP, or nothing at all and leaves the
 * SA in software; other errors (ENOSPC, ENOMEM, EBUSY) say something of the moment. */
static void remember_refusal(struct manager *m, int ifindex, const struct sa *sa,
			     const struct move *move)
{
	if (move->result != MOVE_RESULT_SILENT && move->error != -EINVAL &&
	    move->error != -EOPNOTSUPP)
		return;
	refusals_add(nics_refusals(m->nics), ifindex, sa->shape, m->config->retry_refused,
		     move->text[0] ? move->text : strerror(move->error ? -move->error : EOPNOTSUPP),
		     manager_now(m));
}

static void set_refusal_text(struct sa *sa, const struct move *move)
{
	static const char silent[] = "the kernel accepted the offload and left the SA in software "
				     "without a word";

	free(sa->refusal_text);
	sa->refusal = move->error ? move->error : -EOPNOTSUPP;
	if (move->result == MOVE_RESULT_SILENT)
		sa->refusal_text = strdup(silent);
	else
		sa->refusal_text = strdup(move->text[0] ? move->text : strerror(-sa->refusal));
}

static void clear_refusal_text(struct sa *sa)
{
	free(sa->refusal_text);
	sa->refusal_text = NULL;
	sa->refusal = 0;
}

static void report(struct manager *m, struct sa *sa, enum policy_outcome outcome)
{
	if (sa->handle != POLICY_NONE)
		policy_report(m->policy, sa->handle, outcome, manager_now(m));
}

int manager_reserve_restoring(struct manager *m, size_t n)
{
	size_t wanted = m->n_restoring + n;
	struct move *grown;

	if (wanted > m->n_restoring_allocated) {
		grown = reallocarray(m->restoring, wanted, sizeof(*grown));
		if (!grown) {
			manager_set_health(m, HEALTH_NO_MEMORY, true);
			return -ENOMEM;
		}
		m->restoring = grown;
		m->n_restoring_allocated = wanted;
	}
	manager_set_health(m, HEALTH_NO_MEMORY, false);
	return 0;
}

void manager_keep_for_restoring(struct manager *m, struct move *move)
{
	m->restoring[m->n_restoring++] = *move;
	move->image = (struct sa_image){};
	m->restore_wait = RESTORE_WAIT_MIN;
	manager_set_health(m, HEALTH_OWED, true);
	schedule_in(&m->schedule, MANAGER_RESTORE, m->restore_wait);
}

bool manager_is_owed(const struct manager *m, const struct sa_id *id)
{
	for (size_t i = 0; i < m->n_restoring; i++)
		if (memcmp(&m->restoring[i].id, id, sizeof(*id)) == 0)
			return true;
	return false;
}

static void tell_capacity(struct manager *m, policy_table table)
{
	struct policy_table_view view;

	policy_table_get(m->policy, table, &view);
	report_capacity(m->reporter, nics_of_table(m->nics, table)->name, view.capacity);
}

static void take_outcome(struct manager *m, struct sa *sa, const struct policy_move *planned,
			 struct move *move)
{
	bool promote = planned->action == POLICY_PROMOTE;
	bool no_space, late;

	switch (move->result) {
	case MOVE_RESULT_DONE:
		*(promote ? &m->promoted : &m->evicted) += 1;
		if (promote) {
			clear_refusal_text(sa);
			refusals_remove(nics_refusals(m->nics), move->target.ifindex, sa->shape);
		}
		report(m, sa, POLICY_DONE);
		break;
	case MOVE_RESULT_REFUSED:
	case MOVE_RESULT_SILENT:
	case MOVE_RESULT_ELSEWHERE:
		m->refused++;
		set_refusal_text(sa, move);
		no_space = move->error == -ENOSPC;
		late = no_space && manager_slots_are_late(m, move->target.ifindex);
		report(m, sa, late ? POLICY_FAILED : no_space ? POLICY_NO_SPACE : POLICY_REFUSED);
		if (no_space && !late)
			tell_capacity(m, planned->table);
		remember_refusal(m, move->target.ifindex, sa, move);
		break;
	case MOVE_RESULT_HANDS_OFF:
		sa->hands_off = move->hands_off;
		report(m, sa, POLICY_FAILED);
		break;
	case MOVE_RESULT_LOST:
		m->failed++;
		report(m, sa, POLICY_FAILED);
		manager_keep_for_restoring(m, move);
		break;
	case MOVE_RESULT_GONE:
	case MOVE_RESULT_FAILED:
	case MOVE_RESULT_NONE:
		m->failed += move->result == MOVE_RESULT_FAILED;
		report(m, sa, POLICY_FAILED);
		break;
	}
}

/* Put on another device than asked for (its ifindex went stale in between): back at once. */
static void undo_elsewhere(struct manager *m, const struct sa *sa, const struct move *move)
{
	struct move undo = {
		.id = move->id,
		.target = {.direction = sa->description.direction},
		.expected_ifindex = move->facts.offload_ifindex,
	};

	migrator_run(m->migrator, &undo);
	if (undo.result == MOVE_RESULT_LOST)
		manager_keep_for_restoring(m, &undo);
	if (undo.facts_known)
		manager_take_facts(m, &undo.facts);
}

/* The kernel does not have it: the IKE daemon deleted it, or it went down with its NIC, of which
 * the message may still be on its way. One that the NIC had for a moment may be lost, too: what can
 * restore it is its image. manager_may_be_lost() decides whether the entry is kept for that. */
static void handle_gone(struct manager *m, struct sa *sa, struct move *move, double begun)
{
	(void)manager_drain_events(m);
	if (move->image.attributes) {
		sa->ifindex = move->target.ifindex;
		shadow_take(&sa->shadow, &move->image, begun);
	}
	sa_image_wipe(&move->image);
	manager_note_missing(m, sa);
	if (!manager_may_be_lost(m, sa))
		manager_forget(m, sa);
}

static void run(struct manager *m, const struct sa *sa, struct move *move)
{
	/* A policy may have come that makes its protection optional. */
	if (!m->stale)
		(void)manager_drain_events(m);
	if (m->stale) {
		move->result = MOVE_RESULT_FAILED;
		return;
	}
	move->hands_off = manager_check_again(m, sa);
	if (move->hands_off == HANDS_OFF_NONE)
		migrator_run(m->migrator, move);
	else
		move->result = MOVE_RESULT_HANDS_OFF;
	/* A larval SA in its place: a packet found none. */
	if (move->hands_off == HANDS_OFF_LARVAL)
		move->result = MOVE_RESULT_GONE;
}

/* Between the plan and the move the operator, the route or the driver can have ruled the NIC out.
 */
static bool is_still_allowed(struct manager *m, const struct sa *sa,
			     const struct policy_move *planned)
{
	const struct placement_nic *n = nics_get(m->nics, sa->candidate);

	if (sa->candidacy != CANDIDACY_OK || sa->hands_off != HANDS_OFF_NONE || !n ||
	    (sa->rule && sa->rule->offload == CONFIG_OFFLOAD_NEVER))
		return false;
	return planned->table == (sa->description.direction == SA_DIRECTION_IN ? n->in : n->out);
}

static void report_outcome(struct manager *m, const struct sa *sa,
			   const struct policy_move *planned, const struct move *move)
{
	int ifindex = planned->action == POLICY_PROMOTE ? sa->candidate
		      : move                            ? move->expected_ifindex
							: sa->ifindex;

	report_move(m->reporter, network_name(m->network, ifindex), sa, planned, move);
}

static void make_move(struct manager *m, const struct policy_move *planned)
{
	struct sa *sa = sa_table_by_handle(&m->sas, planned->sa);
	struct move move = {};
	struct sa_id id;
	double begun;

	if (!sa)
		return; /* it went since the plan was made */
	if (planned->action == POLICY_PROMOTE &&
	    (planned->sa == m->without_slot || !is_still_allowed(m, sa, planned))) {
		report(m, sa, POLICY_FAILED);
		return;
	}
	if (manager_evict_later(m, sa, planned)) {
		m->without_slot = planned->other;
		report(m, sa, POLICY_FAILED);
		return;
	}
	id = sa->description.id;
	move.id = id;
	move.expected_ifindex = sa->ifindex;
	move.target.direction = sa->description.direction;
	if (planned->action == POLICY_PROMOTE) {
		move.target.ifindex = sa->candidate;
		if (placed_add(m->environment.placed, &id, sa->candidate, sa->add_time) < 0 ||
		    placed_save_if_changed(m->environment.placed) < 0) {
			/* What is not remembered would be foreign after a restart. */
			manager_set_health(m, HEALTH_OWNERSHIP, true);
			report(m, sa, POLICY_FAILED);
			return;
		}
		manager_set_health(m, HEALTH_OWNERSHIP, false);
	}
	move.keep_image = true;
	begun = manager_now(m);
	run(m, sa, &move);
	if (planned->action == POLICY_EVICT && move.result != MOVE_RESULT_DONE &&
	    move.result != MOVE_RESULT_GONE)
		m->without_slot = planned->other;

	if (move.result == MOVE_RESULT_GONE) {
		report_outcome(m, sa, planned, &move);
		report(m, sa, POLICY_FAILED);
		handle_gone(m, sa, &move, begun);
		return;
	}
	take_outcome(m, sa, planned, &move);
	report_outcome(m, sa, planned, &move);
	/* The kernel may have rewritten the time when it was added meanwhile. */
	if (planned->action == POLICY_PROMOTE && move.result == MOVE_RESULT_DONE)
		(void)placed_add(m->environment.placed, &id, move.facts.offload_ifindex,
				 move.facts.add_time);
	if (move.facts_known)
		manager_take_facts(m, &move.facts);
	sa = sa_table_find(&m->sas, &id);
	if (sa && planned->action == POLICY_PROMOTE && move.result == MOVE_RESULT_DONE)
		manager_watch_begin(m, sa, &move.facts);
	if (sa)
		manager_keep_shadow(sa, &move.image, begun);
	else
		sa_image_wipe(&move.image);
	if (sa && move.result == MOVE_RESULT_ELSEWHERE) {
		undo_elsewhere(m, sa, &move);
		sa = sa_table_find(&m->sas, &id);
	}
	if (sa && move.result != MOVE_RESULT_DONE)
		manager_configure_sa(m, sa);
}

/* In observe mode the plan is told, and taken for done, so that it goes on as it would. */
static void pretend(struct manager *m, const struct policy_move *planned)
{
	struct sa *sa = sa_table_by_handle(&m->sas, planned->sa);

	if (!sa)
		return;
	sa->virtually_resident = planned->action == POLICY_PROMOTE;
	report(m, sa, POLICY_PRETENDED);
	report_outcome(m, sa, planned, NULL);
}

void manager_cancel_moves_of(struct manager *m, policy_sa handle)
{
	for (size_t i = m->queue_position; i < m->n_queue; i++)
		if (m->queue[i].sa == handle)
			m->queue[i].sa = POLICY_NONE;
}

void manager_cancel_moves(struct manager *m)
{
	for (; m->queue_position < m->n_queue; m->queue_position++) {
		struct sa *sa = sa_table_by_handle(&m->sas, m->queue[m->queue_position].sa);

		if (sa)
			report(m, sa, POLICY_FAILED);
	}
	m->n_queue = m->queue_position = 0;
}

/* The next moves of the queue, as many as are covered at once. */
static void make_group(struct manager *m)
{
	struct sa_id outbound[COVERED_MAX] = {};
	size_t n = 0, size = m->n_queue - m->queue_position;
	struct move lost;

	if (manager_reserve_restoring(m, LOST_IN_GROUP_MAX) < 0) {
		manager_cancel_moves(m);
		return;
	}
	if (size > COVERED_MAX)
		size = COVERED_MAX;
	for (size_t i = 0; i < size; i++) {
		const struct policy_move *planned = &m->queue[m->queue_position + i];
		const struct sa *sa = sa_table_by_handle(&m->sas, planned->sa);

		if (sa && sa->description.direction == SA_DIRECTION_OUT)
			outbound[n++] = sa->description.id;
	}
	migrator_cover(m->migrator, outbound, n);
	if (n > 0)
		manager_refresh_policies(m);
	for (size_t i = 0; i < size && m->n_restoring == 0; i++) {
		const struct policy_move planned = m->queue[m->queue_position++];

		make_move(m, &planned);
	}
	if (migrator_uncover(m->migrator, &lost))
		manager_keep_for_restoring(m, &lost);
}

/* Where it is now. Whatever comes of it, the next sample shows. */
static void make_anew(struct manager *m, struct sa *sa)
{
	double begun = manager_now(m);
	struct move move = {
		.id = sa->description.id,
		.target = {.ifindex = sa->ifindex, .direction = SA_DIRECTION_OUT},
		.expected_ifindex = sa->ifindex,
		.keep_image = true,
		.anew = true,
	};

	run(m, sa, &move);
	if (move.result == MOVE_RESULT_LOST)
		manager_keep_for_restoring(m, &move);
	else if (move.facts_known && move.result != MOVE_RESULT_GONE)
		manager_take_facts(m, &move.facts);
	/* Its numbers may have jumped. */
	sa = sa_table_find(&m->sas, &move.id);
	if (sa)
		manager_keep_shadow(sa, &move.image, begun);
	else
		sa_image_wipe(&move.image);
}

static void make_group_anew(struct manager *m, const struct sa_id *ids, size_t n)
{
	struct move lost;

	migrator_cover(m->migrator, ids, n);
	for (size_t i = 0; i < n && m->n_restoring == 0; i++) {
		struct sa *sa = sa_table_find(&m->sas, &ids[i]);

		if (sa && !sa->foreign)
			make_anew(m, sa);
	}
	if (migrator_uncover(m->migrator, &lost))
		manager_keep_for_restoring(m, &lost);
}

static bool may_unmask(const struct manager *m)
{
	return m->config->mode != CONFIG_MODE_OBSERVE && !m->stale &&
	       !orders_are_paused(m->orders) && !m->stop.done && m->n_restoring == 0;
}

void manager_unmask(struct manager *m)
{
	size_t next = 0;

	while (next < m->n_masked && may_unmask(m) &&
	       manager_reserve_restoring(m, LOST_IN_GROUP_MAX) == 0) {
		struct sa_id ids[COVERED_MAX];
		size_t n = 0;

		for (; next < m->n_masked && n < COVERED_MAX; next++) {
			const struct sa *sa = sa_table_find(&m->sas, &m->masked[next]);

			if (sa && sa->description.direction == SA_DIRECTION_OUT && !sa->foreign)
				ids[n++] = m->masked[next];
		}
		make_group_anew(m, ids, n);
	}
	m->n_masked = 0;
}

void manager_make_moves(struct manager *m)
{
	double deadline = manager_now(m) + MOVES_TURN_SECONDS;

	do {
		if (m->stale || m->n_restoring > 0)
			manager_cancel_moves(m);
		if (m->queue_position == m->n_queue)
			break;
		if (m->config->mode == CONFIG_MODE_OBSERVE) {
			const struct policy_move planned = m->queue[m->queue_position++];

			pretend(m, &planned);
		} else {
			make_group(m);
		}
	} while (manager_now(m) < deadline);
	if (m->queue_position < m->n_queue)
		schedule_in(&m->schedule, MANAGER_MOVES, 0);
	else
		(void)placed_save_if_changed(m->environment.placed);
}

void manager_plan(struct manager *m)
{
	const struct policy_move *moves;
	size_t n;

	if (m->stale || m->stop.done || m->n_restoring > 0 || m->queue_position < m->n_queue)
		return;
	if (m->nics_changed) {
		m->nics_changed = false;
		manager_update_nics(m);
	}
	/* A key leaves a NIC that may not hold it, paused or not. */
	n = orders_are_paused(m->orders) ? policy_plan_vacating(m->policy, manager_now(m), &moves)
					 : policy_plan(m->policy, manager_now(m), &moves);
	if (n > m->n_queue_allocated) {
		struct policy_move *grown = reallocarray(m->queue, n, sizeof(*grown));

		if (grown) {
			m->queue = grown;
			m->n_queue_allocated = n;
		}
	}
	/* Without memory for them they are planned again. */
	for (; n > m->n_queue_allocated; n--)
		policy_report(m->policy, moves[n - 1].sa, POLICY_FAILED, manager_now(m));
	if (n > 0)
		memcpy(m->queue, moves, n * sizeof(*moves));
	m->n_queue = n;
	m->queue_position = 0;
	m->without_slot = POLICY_NONE;
	if (n > 0)
		manager_make_moves(m);
}

/* An SA that was owed is back, or was deleted by the IKE daemon meanwhile. */
static void settle(struct manager *m, struct move *move)
{
	/* Wherever it is now, the next sample takes its shadow. */
	sa_image_wipe(&move->image);
	if (move->result == MOVE_RESULT_GONE)
		manager_read_again(m, &move->id, 1);
	else if (move->facts_known)
		manager_take_facts(m, &move->facts);
}

/* The first that are owed, as many as are covered at once. Those that stay owed go to the end. */
static void restore_group(struct manager *m, size_t n)
{
	struct move group[COVERED_MAX], lost;

	memcpy(group, m->restoring, n * sizeof(*group));
	m->n_restoring -= n;
	memmove(m->restoring, m->restoring + n, m->n_restoring * sizeof(*group));
	migrator_begin_group(m->migrator);
	for (size_t i = 0; i < n; i++) {
		migrator_restore(m->migrator, &group[i]);
		if (group[i].result == MOVE_RESULT_LOST)
			m->restoring[m->n_restoring++] = group[i];
	}
	/* Only if all are back, so there is room. */
	if (migrator_uncover(m->migrator, &lost))
		manager_keep_for_restoring(m, &lost);
	/* What is restored is not owed any more when its facts are taken. */
	for (size_t i = 0; i < n; i++)
		if (group[i].result != MOVE_RESULT_LOST)
			settle(m, &group[i]);
}

void manager_restore(struct manager *m)
{
	size_t n;

	for (size_t left = m->n_restoring; left > 0; left -= n) {
		n = left < COVERED_MAX ? left : COVERED_MAX;
		restore_group(m, n);
	}
	manager_set_health(m, HEALTH_OWED, m->n_restoring > 0);
	if (m->n_restoring == 0)
		return;
	m->restore_wait *= 2;
	if (m->restore_wait > RESTORE_WAIT_MAX)
		m->restore_wait = RESTORE_WAIT_MAX;
	schedule_in(&m->schedule, MANAGER_RESTORE, m->restore_wait);
}
