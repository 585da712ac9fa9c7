// SPDX-License-Identifier: GPL-2.0-or-later
/* What must hold after a scenario, and what is known to be beyond the construction. */
#include "explore-run.h"

#include <errno.h>
#include <string.h>

static void complain(struct run *run, const char *what)
{
	run->outcome->wrong++;
	if (run->text)
		(void)fprintf(run->text, "%s\n", what);
}

/* Whether the result tells the truth about the SA, as far as nobody else had a hand in it. */
static void judge_result(struct run *run)
{
	const struct explore_scenario *s = run->scenario;
	struct fake_view view = fake_kernel_view(run->fake, run->belief);
	bool alone = s->first.event == EVENT_NONE || s->first.event == EVENT_PACKETS ||
		     s->first.event == EVENT_LOOKUP || s->first.event == EVENT_SECOND;

	if (run->outcome->result == MOVE_RESULT_SILENT && s->world->answer != ANSWER_SILENT)
		complain(run, "blames a driver that took it");
	if (!alone || s->second.event != EVENT_NONE)
		return;
	switch (run->outcome->result) {
	case MOVE_RESULT_DONE:
		/* Acknowledged is all that is known if nobody can look. */
		if (view.ifindex != (s->world->evict ? 0 : EXPLORE_NIC) && s->fault.count <= 1)
			complain(run, "told to be done, but it is not");
		break;
	case MOVE_RESULT_REFUSED:
	case MOVE_RESULT_SILENT:
		if (view.ifindex != 0)
			complain(run, "told to be in software, but it is not");
		break;
	case MOVE_RESULT_GONE:
		if (s->fault.kind != FAKE_FAULT_REFUSE || s->fault.error != -ESRCH)
			complain(run, "told to be gone, but nobody deleted it");
		break;
	case MOVE_RESULT_HANDS_OFF:
		complain(run, "refused to move it");
		break;
	case MOVE_RESULT_LOST:
		complain(run, "could not be put back");
		break;
	case MOVE_RESULT_FAILED:
		if (s->fault.kind == FAKE_FAULT_NONE && s->world->spi == SPI_UNIQUE)
			complain(run, "failed, though nothing was amiss");
		break;
	case MOVE_RESULT_ELSEWHERE:
	case MOVE_RESULT_NONE:
		break;
	}
}

/* Whether the fault is that a message of this type is refused. */
static bool refuses(const struct run *run, uint16_t type)
{
	const struct fake_fault *fault = &run->scenario->fault;

	return fault->kind == FAKE_FAULT_REFUSE &&
	       fake_kernel_message_type(run->fake, fault->message) == type;
}

/*
 * What the construction cannot do, known and accepted: the limit that a scenario is beyond. Asked
 * only when something is wrong.
 */
static enum explore_limit limit_of(const struct run *run)
{
	const struct explore_scenario *s = run->scenario;
	const struct explore_outcome *o = run->outcome;
	bool killed = o->killed;
	bool blind = killed || s->fault.kind == FAKE_FAULT_RECEIVE ||
		     s->fault.kind == FAKE_FAULT_LOSE_ANSWER;

	if (run->flushed)
		return LIMIT_LINK_DOWN;
	/* The enumeration has no events there. */
	if (s->world->spi == SPI_SHARED_REFUSED && blind)
		return LIMIT_NO_LARVAL;
	if ((killed || run->deleted_away || fake_ike_errors(run->fake) > 0) &&
	    refuses(run, XFRM_MSG_ALLOCSPI))
		return LIMIT_NO_LARVAL;
	if (run->written_before && (blind || s->fault.kind == FAKE_FAULT_LOSE_NOTE))
		return LIMIT_WRITTEN_BEFORE;
	if ((run->deleted_before || run->deleted_away) && has_event(s, EVENT_READD) &&
	    s->second.event)
		return LIMIT_SAME_SPI;
	if (run->renewed && s->fault.count > 1)
		return LIMIT_CANNOT_LOOK;
	if (o->acquires > 0 && s->world->names_spi &&
	    (run->deleted_before || run->deleted_away || has_event(s, EVENT_LATE) ||
	     s->before_recovery == EVENT_LATE))
		return LIMIT_WRITTEN_TO_LARVAL;
	if (fake_ike_wrong_closures(run->fake) > 0 &&
	    (has_event(s, EVENT_LATE) || s->before_recovery == EVENT_LATE))
		return LIMIT_LARVAL_EXPIRED;
	if (o->acquires > 0 && has_event(s, EVENT_LATE))
		return LIMIT_STOOD_STILL;
	if (o->acquires > 0 && has_event(s, EVENT_LOOKUP) && !run->seen_away)
		return LIMIT_STOOD_AT_COVER;
	if (s->fault.count > 1 || (killed && !run->stored))
		return LIMIT_CANNOT_CLEAN_UP;
	if (s->fault.kind != FAKE_FAULT_NONE && (run->deleted_before || killed))
		return LIMIT_CANNOT_CLEAN_UP;
	/* An ALLOCSPI that finds its SPI taken leaves a larval SA without one. */
	if (s->world->names_spi && o->acquires > 0)
		return killed || s->fault.kind != FAKE_FAULT_NONE ? LIMIT_CANNOT_CLEAN_UP
								  : LIMIT_SPI_NAMED;
	return LIMIT_NONE;
}

/* The limit is one of the next alone: nothing else may be wrong. */
static bool allows_acquire_only(enum explore_limit limit)
{
	return limit == LIMIT_STOOD_STILL || limit == LIMIT_STOOD_AT_COVER ||
	       limit == LIMIT_SPI_NAMED;
}

static bool allows_closure_only(enum explore_limit limit)
{
	return limit == LIMIT_LARVAL_EXPIRED;
}

const char *explore_limit_name(enum explore_limit limit)
{
	static const char *const names[] = {
		"none",
		"a NIC that went down took the SA with it (the link watch brings it back)",
		"the larval SA could not be made, and its absence was misread",
		"IKE wrote between reading and deletion, and the notification was lost",
		"IKE deleted the SA and made one with the same SPI within the move",
		"IKE made the SA anew in the gap, and nobody could look",
		"the daemon stood still until its larval SA expired, just before it deleted the SA",
		"a lookup stood at a larval SA that was deleted, and the SA had not been moved",
		"a packet that names the SPI was faster than the larval SA in the SA's place",
		"what the IKE daemon wrote met the larval SA of a packet that names the SPI",
		"the daemon stood still or was dead until the larval SA in the SA's place expired",
		"a second failure, or death, kept the daemon from cleaning up",
	};

	return names[limit];
}

/* A kernel that works does not say this: no such SA, of one that it has. */
bool explore_is_implausible(const struct run *run)
{
	const struct fake_fault *fault = &run->scenario->fault;

	return fault->error == -ESRCH &&
	       (refuses(run, XFRM_MSG_GETSA) || refuses(run, XFRM_MSG_GETAE) ||
		refuses(run, XFRM_MSG_DELSA));
}

static bool slot_is_used(const struct run *run)
{
	struct explore *explore = run->explore;
	struct sa_image image = {};
	struct sa_offload target;

	if (rescue_load(explore->rescue, explore->arena, &image, &target) == -ENOENT)
		return false;
	sa_image_wipe(&image);
	return true;
}

/* Where nothing is unknown, no sequence number is skipped either: that costs sequence space, and
 * with ESN the NIC may lose count. */
static bool skips_numbers(const struct run *run)
{
	const struct explore_scenario *s = run->scenario;
	struct fake_view view = fake_kernel_view(run->fake, run->belief);

	if (s->world->spec.inbound || !view.exists || run->belief != run->original ||
	    s->fault.kind != FAKE_FAULT_NONE || run->renewed)
		return false;
	if (run->outcome->killed && run->seen_away && !run->noted)
		return false;
	return view.sequence_out != fake_kernel_last_sequence(run->fake, run->belief) ||
	       fake_kernel_skipped(run->fake, run->belief) > 0;
}

/* Counts, and if there is a text, tells what is wrong. */
static void check(struct run *run, size_t in_use)
{
	const struct explore_scenario *s = run->scenario;
	struct explore_outcome *o = run->outcome;
	enum explore_limit limit = o->limit;
	unsigned flags = 0;

	/* From an old image, if the exact one was lost on the way or with the daemon. */
	if (s->fault.kind != FAKE_FAULT_NONE || (o->killed && !run->noted))
		flags |= FAKE_CHECK_COUNTERS_MAY_DIFFER;
	/* Beyond these the SA may be lost, with all that the IKE daemon then meets. */
	if (limit != LIMIT_NONE && !allows_acquire_only(limit) && !allows_closure_only(limit))
		flags |= FAKE_CHECK_LARVALS_MAY_STAY | FAKE_CHECK_CLOSURES_MAY_HAPPEN |
			 FAKE_CHECK_REQUESTS_MAY_FAIL;
	if (allows_closure_only(limit))
		flags |= FAKE_CHECK_CLOSURES_MAY_HAPPEN;
	if (limit != LIMIT_NONE && (s->fault.count > 1 || (o->killed && !run->stored)))
		flags |= FAKE_CHECK_NIC_MAY_DIFFER;
	o->wrong = fake_kernel_check(run->fake, flags, run->text);
	if (limit == LIMIT_NONE) {
		judge_result(run);
		if (skips_numbers(run))
			complain(run, "sequence numbers were skipped");
		if (o->acquires > 0 && !run->was_dead && !run->flushed &&
		    fake_belief_alive(run->belief))
			complain(run, "the IKE daemon was asked for a new SA");
	}
	if (o->result != MOVE_RESULT_LOST && slot_is_used(run))
		complain(run, "the rescue slot is not empty");
	if (secret_arena_in_use(run->explore->arena) != in_use)
		complain(run, "memory with keys was not given back");
}

void explore_judge(struct run *run, size_t in_use)
{
	struct explore_outcome *o = run->outcome;
	FILE *text = run->text;

	o->acquires = fake_kernel_acquires(run->fake);
	o->ike_errors += fake_ike_errors(run->fake);
	o->lost_packets = fake_kernel_lost(run->fake);
	run->text = NULL;
	check(run, in_use);
	run->text = text;
	if (o->wrong > 0) {
		o->limit = limit_of(run);
		if (o->limit != LIMIT_NONE && !allows_acquire_only(o->limit) &&
		    !allows_closure_only(o->limit) && o->limit != LIMIT_CANNOT_CLEAN_UP) {
			fake_ike_forget(run->fake, run->original);
			fake_ike_forget(run->fake, run->belief);
		}
		check(run, in_use);
	}
}

void explore_describe(FILE *report, const struct explore_scenario *s,
		      const struct explore_outcome *o)
{
	char name[EXPLORE_WORLD_NAME_SIZE];

	explore_world_name(s->world, name);
	(void)fprintf(report, "%s", name);
	if (s->fault.kind != FAKE_FAULT_NONE)
		(void)fprintf(report, "; %s at message %u (%s), %u times",
			      explore_fault_name(s->fault.kind), s->fault.message,
			      s->fault.error ? strerrorname_np(-s->fault.error) : "-",
			      s->fault.count ? s->fault.count : 1);
	if (s->first.event)
		(void)fprintf(report, "; %s at step %u", explore_event_name(s->first.event),
			      s->first.step);
	if (s->second.event)
		(void)fprintf(report, "; %s at step %u", explore_event_name(s->second.event),
			      s->second.step);
	if (s->before_recovery)
		(void)fprintf(report, "; before recovery %s",
			      explore_event_name(s->before_recovery));
	(void)fprintf(report, "%s -> %s\n", s->busy ? "; busy" : "", move_result_name(o->result));
}
