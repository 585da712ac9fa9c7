// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Passes the plan to the executor, makes a few moves in each turn of the event loop, and reports
 * each outcome to the policy. Refusals of a driver are remembered by the shape of the SA.
 */
#include "manager/manager.h"
#include "move/rescue.h"
#include "placement/late.h"
#include "sa/ownership.h"

#include <errno.h>
#include <string.h>

/* The time outside the event loop, which is exceeded by the rest of a group of moves. A move takes
 * about a millisecond. While a group waits for lookups the loop goes on. */
#define MOVES_TURN_SECONDS 0.02

static enum refusal_cause cause_of(const struct manager *m, const struct move *move)
{
	const struct placement_nic *n = nics_get(m->nics, move->target.ifindex);

	if (move->result == MOVE_RESULT_SILENT)
		return REFUSAL_SILENT;
	if (move->error == -EINVAL || move->error == -EOPNOTSUPP)
		return REFUSAL_UNSUPPORTED;
	if (nic_driver_is_full(n ? n->driver : NULL, move->error))
		return REFUSAL_NO_SPACE;
	return move->result == MOVE_RESULT_ELSEWHERE ? REFUSAL_ELSEWHERE : REFUSAL_TEMPORARY;
}

static void count_refusal(struct manager *m, int ifindex, enum refusal_cause cause)
{
	struct placement_nic *n = nics_get(m->nics, ifindex);

	m->refused++;
	if (n)
		n->moves.refused[cause]++;
}

/* By its NIC and reason, and in the sums. */
static void count_move(struct manager *m, const struct policy_move *planned,
		       const struct move *move)
{
	bool promote = planned->action == POLICY_PROMOTE;
	struct placement_nic *n =
		nics_get(m->nics, promote ? move->target.ifindex : move->expected_ifindex);

	*(promote ? &m->promoted : &m->evicted) += 1;
	if (n)
		(promote ? n->moves.promoted : n->moves.evicted)[planned->reason]++;
}

/* Only an answer about the SA depends on its shape. Returns whether the shape is remembered. */
static bool remember_refusal(struct manager *m, int ifindex, const struct sa *sa,
			     const struct move *move, enum refusal_cause cause)
{
	if (cause != REFUSAL_SILENT && cause != REFUSAL_UNSUPPORTED)
		return false;
	manager_reconfigure_soon(m, 0); /* the other SAs of this shape */
	return refusals_add(nics_refusals(m->nics), ifindex, sa->shape, m->config->retry_refused,
			    move->text[0] ? move->text
					  : strerror(move->error ? -move->error : EOPNOTSUPP),
			    manager_now(m));
}

static void set_refusal(struct sa *sa, const struct move *move)
{
	static const char silent[] = "the kernel accepted the offload and left the SA in software "
				     "without a word";

	free(sa->refusal);
	if (move->result == MOVE_RESULT_SILENT)
		sa->refusal = strdup(silent);
	else
		sa->refusal =
			strdup(move->text[0] ? move->text
					     : strerror(move->error ? -move->error : EOPNOTSUPP));
}

static void clear_refusal(struct sa *sa)
{
	free(sa->refusal);
	sa->refusal = NULL;
}

static void report(struct manager *m, struct sa *sa, enum policy_outcome outcome)
{
	if (sa->handle != POLICY_NONE)
		policy_report(m->policy, sa->handle, outcome, manager_now(m));
}

static void report_learned_capacity(struct manager *m, policy_table table)
{
	struct policy_table_view view;

	policy_table_get(m->policy, table, &view);
	report_capacity(m->reporter, nics_of_table(m->nics, table)->name, view.capacity);
}

/* The policy makes an SA wait that is to be offered again. One whose shape is held is not offered
 * before the configuration or the NIC has changed, and then without a further wait. */
static enum policy_outcome outcome_of_refusal(struct manager *m, const struct sa *sa,
					      const struct move *move, enum refusal_cause cause,
					      bool remembered)
{
	if (remembered && sa_on_reject(sa) != CONFIG_REJECT_RETRY)
		return POLICY_FAILED;
	if (cause != REFUSAL_NO_SPACE)
		return POLICY_REFUSED;
	/* SAs that left the NIC may still have their slots. */
	if (late_are_slots(m->nics, move->target.ifindex, manager_now(m)))
		return POLICY_NOT_YET;
	return POLICY_NO_SPACE;
}

static void handle_refusal(struct manager *m, struct sa *sa, const struct policy_move *planned,
			   const struct move *move)
{
	enum refusal_cause cause = cause_of(m, move);
	bool remembered = remember_refusal(m, move->target.ifindex, sa, move, cause);
	enum policy_outcome outcome = outcome_of_refusal(m, sa, move, cause, remembered);

	count_refusal(m, move->target.ifindex, cause);
	set_refusal(sa, move);
	report(m, sa, outcome);
	if (outcome == POLICY_NO_SPACE)
		report_learned_capacity(m, planned->table);
}

static void handle_outcome(struct manager *m, struct sa *sa, const struct policy_move *planned,
			   struct move *move)
{
	bool promote = planned->action == POLICY_PROMOTE;

	switch (move->result) {
	case MOVE_RESULT_DONE:
		count_move(m, planned, move);
		if (promote) {
			clear_refusal(sa);
			if (refusals_remove(nics_refusals(m->nics), move->target.ifindex,
					    sa->shape))
				manager_reconfigure_soon(m, 0); /* the other SAs of this shape */
		}
		report(m, sa, POLICY_DONE);
		break;
	case MOVE_RESULT_REFUSED:
	case MOVE_RESULT_SILENT:
	case MOVE_RESULT_ELSEWHERE:
		handle_refusal(m, sa, planned, move);
		break;
	case MOVE_RESULT_HANDS_OFF:
		sa->hands_off = move->hands_off;
		report(m, sa, POLICY_FAILED);
		break;
	case MOVE_RESULT_LOST:
	case MOVE_RESULT_FAILED:
		m->failed++;
		report(m, sa, POLICY_FAILED);
		break;
	case MOVE_RESULT_GONE:
	case MOVE_RESULT_NONE:
		report(m, sa, POLICY_FAILED);
		break;
	}
}

/* The SA is in another device than requested, since the ifindex became outdated meanwhile: moves it
 * back to software. */
static void undo_elsewhere(struct manager *m, const struct sa *sa, const struct move *move)
{
	struct move undo = {
		.id = move->id,
		.target = {.direction = sa->description.direction},
		.expected_ifindex = move->facts.offload_ifindex,
	};

	migrator_run(m->migrator, &undo);
	if (undo.result == MOVE_RESULT_LOST)
		executor_keep(m->executor, &undo);
	if (undo.facts_known)
		tracker_handle_facts(m->tracker, &undo.facts);
}

/* The kernel does not have the SA: the IKE daemon deleted it, or it was lost with its NIC, whose
 * link message may come later. An SA that the NIC had only for a moment may also be lost. Its image
 * becomes the shadow, and shadows_note_missing() decides whether the entry stays so that the SA can
 * be restored. */
static void handle_gone(struct manager *m, struct sa *sa, struct move *move, double begun)
{
	(void)tracker_drain_events(m->tracker);
	if (move->image.attributes) {
		sa_table_set_residence(m->sas, sa, move->target.ifindex, false);
		shadow_take(&sa->shadow, &move->image, begun);
	}
	sa_image_wipe(&move->image);
	if (!shadows_note_missing(m->shadows, sa))
		tracker_forget(m->tracker, sa);
}

/* Since the plan was made, an order, a route or a refusal may have excluded the NIC. */
static bool is_still_allowed(struct manager *m, const struct sa *sa,
			     const struct policy_move *planned)
{
	const struct placement_nic *n = nics_get(m->nics, sa->candidate.ifindex);

	if (sa->candidate.candidacy != CANDIDACY_OK || sa->hands_off != HANDS_OFF_NONE || !n ||
	    sa->candidate.offload == CONFIG_OFFLOAD_NEVER || nics_have_refused(m->nics, sa, NULL))
		return false;
	return planned->table == (sa->description.direction == SA_DIRECTION_IN ? n->in : n->out);
}

static void report_outcome(struct manager *m, const struct sa *sa,
			   const struct policy_move *planned, const struct move *move)
{
	int ifindex = planned->action == POLICY_PROMOTE ? sa->candidate.ifindex
		      : move                            ? move->expected_ifindex
							: sa->residence.ifindex;

	report_move(m->reporter, network_name(m->network, ifindex), sa, planned, move);
}

/* An SA without a saved record would be foreign after a restart. */
static bool save_ownership(struct manager *m, const struct sa *sa)
{
	bool saved = ownership_add(m->environment.ownership, &sa->description.id,
				   sa->candidate.ifindex, sa->add_time) >= 0 &&
		     ownership_save_if_changed(m->environment.ownership) >= 0;

	manager_set_health(m, HEALTH_OWNERSHIP, !saved);
	return saved;
}

/* Since the plan was made, an earlier promotion may have found the table full. */
static bool has_slot(const struct manager *m, const struct policy_move *planned)
{
	struct policy_table_view table;

	policy_table_get(m->policy, planned->table, &table);
	return !table.waiting && table.resident <= table.capacity;
}

static bool may_be_made(struct manager *m, const struct sa *sa, const struct policy_move *planned)
{
	if (planned->action == POLICY_PROMOTE)
		return is_still_allowed(m, sa, planned) && has_slot(m, planned) &&
		       save_ownership(m, sa);
	/* An SA does not make room for one that would get no slot. */
	if (planned->reason == POLICY_REASON_COLDER && !has_slot(m, planned))
		return false;
	return !late_is_to_wait(m->nics, sa, planned, m->config->interval, manager_now(m));
}

static bool prepare(struct sa *sa, const struct policy_move *planned, struct move *move,
		    void *userdata)
{
	struct manager *m = userdata;

	if (!may_be_made(m, sa, planned)) {
		report(m, sa, POLICY_FAILED);
		return false;
	}
	move->id = sa->description.id;
	move->expected_ifindex = sa->residence.ifindex;
	move->target.direction = sa->description.direction;
	if (planned->action == POLICY_PROMOTE)
		move->target.ifindex = sa->candidate.ifindex;
	return true;
}

static void keep_shadow(struct manager *m, struct move *move, double begun)
{
	struct sa *sa = sa_table_find(m->sas, &move->id);

	if (sa)
		shadows_keep(sa, &move->image, begun);
	else
		sa_image_wipe(&move->image);
}

static void done(struct sa *sa, const struct policy_move *planned, struct move *move, double begun,
		 void *userdata)
{
	bool promoted = planned->action == POLICY_PROMOTE && move->result == MOVE_RESULT_DONE;
	struct manager *m = userdata;

	if (planned->action == POLICY_EVICT && move->result == MOVE_RESULT_DONE)
		late_note_evicted(m->nics, move->expected_ifindex, manager_now(m));
	/* The NIC may have had the SA for a moment, for example until the IKE daemon replaced
	 * it. */
	if (move->result != MOVE_RESULT_DONE && move->result != MOVE_RESULT_REFUSED)
		late_note_left(m->nics, move->target.ifindex, manager_now(m));
	if (move->result == MOVE_RESULT_GONE) {
		report_outcome(m, sa, planned, move);
		report(m, sa, POLICY_FAILED);
		handle_gone(m, sa, move, begun);
		return;
	}
	handle_outcome(m, sa, planned, move);
	report_outcome(m, sa, planned, move);
	/* The kernel may have rewritten add_time meanwhile. */
	if (promoted)
		(void)ownership_add(m->environment.ownership, &move->id,
				    move->facts.offload_ifindex, move->facts.add_time);
	if (move->facts_known)
		tracker_handle_facts(m->tracker, &move->facts);
	sa = sa_table_find(m->sas, &move->id);
	if (sa && promoted)
		manager_begin_probation(m, sa, &move->facts);
	keep_shadow(m, move, begun);
	if (sa && move->result == MOVE_RESULT_ELSEWHERE) {
		undo_elsewhere(m, sa, move);
		sa = sa_table_find(m->sas, &move->id);
	}
	if (sa && move->result != MOVE_RESULT_DONE)
		manager_configure_sa(m, sa);
}

static void made_anew(struct move *move, double begun, void *userdata)
{
	struct manager *m = userdata;

	if (move->facts_known && move->result != MOVE_RESULT_GONE &&
	    move->result != MOVE_RESULT_LOST)
		tracker_handle_facts(m->tracker, &move->facts);
	/* Its sequence numbers may have been advanced. */
	keep_shadow(m, move, begun);
}

static void cancelled(struct sa *sa, const struct policy_move *planned, void *userdata)
{
	(void)planned;
	report(userdata, sa, POLICY_FAILED);
}

/* An owed SA is back, or the IKE daemon deleted it meanwhile. */
static void settled(struct move *move, void *userdata)
{
	struct manager *m = userdata;

	/* If the SA is in a NIC, the next sample makes its shadow. */
	sa_image_wipe(&move->image);
	if (move->result == MOVE_RESULT_GONE)
		tracker_read_again(m->tracker, &move->id, 1);
	else if (move->facts_known)
		tracker_handle_facts(m->tracker, &move->facts);
}

static bool refresh(void *userdata)
{
	struct manager *m = userdata;

	if (!tracker_is_stale(m->tracker))
		(void)tracker_drain_events(m->tracker);
	return !tracker_is_stale(m->tracker);
}

static void refresh_policies(void *userdata)
{
	struct manager *m = userdata;

	tracker_refresh_policies(m->tracker);
}

static enum hands_off check(const struct sa *sa, void *userdata)
{
	struct manager *m = userdata;

	return tracker_check_again(m->tracker, sa);
}

static void owing(double wait, void *userdata)
{
	struct manager *m = userdata;

	manager_set_health(m, HEALTH_OWED, wait > 0);
	if (wait > 0)
		schedule_in(&m->schedule, MANAGER_RESTORE, wait);
}

static void no_memory(bool holds, void *userdata)
{
	manager_set_health(userdata, HEALTH_NO_MEMORY, holds);
}

const struct executor_callbacks manager_executor_callbacks = {
	.refresh = refresh,
	.refresh_policies = refresh_policies,
	.prepare = prepare,
	.check = check,
	.done = done,
	.made_anew = made_anew,
	.cancelled = cancelled,
	.settled = settled,
	.owing = owing,
	.no_memory = no_memory,
};

/* In observe mode the move is reported and counts as done, so that later plans are as in enforce
 * mode. */
static void pretend(struct manager *m, const struct policy_move *planned)
{
	struct sa *sa = sa_table_by_handle(m->sas, planned->sa);

	if (!sa)
		return;
	sa->virtually_resident = planned->action == POLICY_PROMOTE;
	report(m, sa, POLICY_PRETENDED);
	report_outcome(m, sa, planned, NULL);
}

/* The SA table is up to date, the daemon is not stopping, and no SA is owed. */
static bool may_move(const struct manager *m)
{
	return !tracker_is_stale(m->tracker) && !m->stop.done && executor_owed(m->executor) == 0;
}

static bool may_unmask(const struct manager *m)
{
	return m->config->mode != CONFIG_MODE_OBSERVE && !orders_are_paused(m->orders) &&
	       may_move(m);
}

void manager_unmask(struct manager *m)
{
	struct sa_id masked[TRACKER_MASKED_MAX], ids[TRACKER_MASKED_MAX];
	size_t n_masked = tracker_take_masked(m->tracker, masked), n = 0;

	if (!may_unmask(m))
		return;
	for (size_t i = 0; i < n_masked; i++) {
		const struct sa *sa = sa_table_find(m->sas, &masked[i]);

		if (sa && sa->description.direction == SA_DIRECTION_OUT && !sa->residence.foreign)
			ids[n++] = masked[i];
	}
	executor_make_anew(m->executor, ids, n);
	if (n > 0)
		manager_make_moves(m);
}

/* Returns whether there is more to do now. */
static bool make_next(struct manager *m)
{
	struct policy_move planned;

	if (!may_move(m))
		executor_cancel(m->executor);
	/* A group may have begun before the mode changed to observe. */
	if (m->config->mode != CONFIG_MODE_OBSERVE || executor_is_in_group(m->executor))
		return executor_proceed(m->executor);
	if (!executor_take(m->executor, &planned))
		return false;
	pretend(m, &planned);
	return true;
}

void manager_make_moves(struct manager *m)
{
	double deadline = manager_now(m) + MOVES_TURN_SECONDS;
	bool more;

	do
		more = make_next(m);
	while (more && manager_now(m) < deadline);
	if (more)
		schedule_in(&m->schedule, MANAGER_MOVES, 0);
	else if (!executor_is_in_group(m->executor))
		(void)ownership_save_if_changed(m->environment.ownership);
	if (m->plan_is_late && executor_queued(m->executor) == 0)
		schedule_in(&m->schedule, MANAGER_PLAN, 0);
}

void manager_plan(struct manager *m)
{
	const struct policy_move *moves;
	size_t n, planned;

	/* Moves that wait for lookups are still queued. */
	m->plan_is_late = executor_queued(m->executor) > 0;
	if (!may_move(m) || m->plan_is_late)
		return;
	if (m->nics_changed) {
		m->nics_changed = false;
		manager_update_nics(m);
	}
	/* SAs leave a NIC that may not hold keys even during a pause. */
	n = orders_are_paused(m->orders) ? policy_plan_vacating(m->policy, manager_now(m), &moves)
					 : policy_plan(m->policy, manager_now(m), &moves);
	planned = executor_plan(m->executor, moves, n);
	/* Moves for which there is no memory are planned again later. */
	for (size_t i = planned; i < n; i++)
		policy_report(m->policy, moves[i].sa, POLICY_FAILED, manager_now(m));
	if (planned > 0)
		manager_make_moves(m);
}
