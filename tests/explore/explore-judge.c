// SPDX-License-Identifier: GPL-2.0-or-later
/* Checks after a scenario, and the known limits of the migrator. */
#include "explore-run.h"

#include <errno.h>
#include <string.h>

static void complain(struct run *run, const char *what)
{
	run->outcome->wrong++;
	if (run->text)
		(void)fprintf(run->text, "%s\n", what);
}

/* Whether the result is true, in scenarios where only the daemon changed the SA. */
static void judge_result(struct run *run)
{
	const struct explore_scenario *s = run->scenario;
	struct fake_view view = fake_kernel_view(run->fake, run->belief);
	bool alone = s->first.event == EVENT_NONE || s->first.event == EVENT_PACKETS ||
		     s->first.event == EVENT_LOOKUP || s->first.event == EVENT_SECOND;

	if (run->outcome->result == MOVE_RESULT_SILENT && s->world->answer != ANSWER_SILENT)
		complain(run, "blames a driver that accepted it");
	if (!alone || s->second.event != EVENT_NONE)
		return;
	switch (run->outcome->result) {
	case MOVE_RESULT_DONE:
		/* If the SA cannot be read back, the acknowledgement is the only evidence. */
		if (view.ifindex != (s->world->evict ? 0 : EXPLORE_NIC) && s->fault.count <= 1)
			complain(run, "reported as done, but it is not");
		break;
	case MOVE_RESULT_REFUSED:
	case MOVE_RESULT_SILENT:
		if (view.ifindex != 0)
			complain(run, "reported as in software, but it is not");
		break;
	case MOVE_RESULT_GONE:
		if (s->fault.kind != FAKE_FAULT_REFUSE || s->fault.error != -ESRCH)
			complain(run, "reported as gone, but it was not deleted");
		break;
	case MOVE_RESULT_HANDS_OFF:
		complain(run, "refused to move it");
		break;
	case MOVE_RESULT_LOST:
		complain(run, "could not be put back");
		break;
	case MOVE_RESULT_FAILED:
		if (s->fault.kind == FAKE_FAULT_NONE && s->world->spi == SPI_UNIQUE)
			complain(run, "failed without a fault");
		break;
	case MOVE_RESULT_ELSEWHERE:
	case MOVE_RESULT_NONE:
		break;
	}
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

/* If the daemon knows the exact state, it must not skip sequence numbers: that uses up sequence
 * space, and with ESN the NIC may lose the high half. */
static bool skips_numbers(const struct run *run)
{
	const struct explore_scenario *s = run->scenario;
	struct fake_view view = fake_kernel_view(run->fake, run->belief);

	if (s->world->spec.inbound || !view.exists || run->belief != run->original ||
	    s->fault.kind != FAKE_FAULT_NONE || run->renewed)
		return false;
	if (run->outcome->killed && ((run->seen_away && !run->noted) || run->met_acquired))
		return false;
	return view.sequence_out != fake_kernel_last_sequence(run->fake, run->belief) ||
	       fake_kernel_skipped(run->fake, run->belief) > 0;
}

static unsigned check_flags(const struct run *run, unsigned allowed)
{
	static const struct {
		enum allowance allowed;
		unsigned flags;
	} flags_of[] = {
		{ALLOWS_CLOSURE, FAKE_CHECK_CLOSURES_MAY_HAPPEN},
		{ALLOWS_SPARED, FAKE_CHECK_SPARED_MAY_STAY},
		{ALLOWS_NAMELESS, FAKE_CHECK_NAMELESS_MAY_STAY},
		{ALLOWS_NIC, FAKE_CHECK_NIC_MAY_DIFFER},
		{ALLOWS_LIMITS, FAKE_CHECK_LIMITS_MAY_DIFFER},
		{ALLOWS_LOSS, FAKE_CHECK_CLOSURES_MAY_HAPPEN | FAKE_CHECK_REQUESTS_MAY_FAIL},
	};
	unsigned flags = 0;

	/* The image is old if the exact one was lost by the fault or with the daemon. */
	if (run->scenario->fault.kind != FAKE_FAULT_NONE || (run->outcome->killed && !run->noted))
		flags |= FAKE_CHECK_COUNTERS_MAY_DIFFER;
	for (size_t i = 0; i < ELEMENTSOF(flags_of); i++)
		if (allowed & flags_of[i].allowed)
			flags |= flags_of[i].flags;
	return flags;
}

/* Counts the violations that `allowed` does not cover, and writes them to `text` if there is
 * one. */
static unsigned check(struct run *run, size_t in_use, unsigned allowed, FILE *text)
{
	struct explore_outcome *o = run->outcome;

	run->text = text;
	o->wrong = fake_kernel_check(run->fake, check_flags(run, allowed), text);
	if (!(allowed & ALLOWS_LOSS)) {
		judge_result(run);
		if (skips_numbers(run))
			complain(run, "sequence numbers were skipped");
	}
	if (!(allowed & (ALLOWS_LOSS | ALLOWS_ACQUIRE)) && o->acquires > 0 && !run->was_dead &&
	    !run->flushed && fake_belief_alive(run->belief))
		complain(run, "the IKE daemon was asked for a new SA");
	if (o->result != MOVE_RESULT_LOST && slot_is_used(run))
		complain(run, "the rescue slot is not empty");
	if (secret_arena_in_use(run->explore->arena) != in_use)
		complain(run, "memory with keys was not freed");
	return o->wrong;
}

/* Finds the one limit that explains the violations, or one of several small ones that do so
 * together; else the first limit beyond which the SA may be lost. */
static void find_excuse(struct run *run, size_t in_use, FILE *report)
{
	struct explore_outcome *o = run->outcome;
	unsigned allowed = 0;
	size_t n;
	const struct excuse *excuses = explore_excuses(&n);

	for (size_t i = 0; i < n; i++) {
		if (!excuses[i].applies(run))
			continue;
		o->limit = excuses[i].limit;
		if (excuses[i].allows & ALLOWS_LOSS) {
			fake_ike_forget(run->fake, run->original);
			fake_ike_forget(run->fake, run->belief);
		}
		if (check(run, in_use, excuses[i].allows, NULL) == 0)
			return;
		allowed |= excuses[i].allows;
		if (check(run, in_use, allowed, NULL) == 0)
			return;
	}
	(void)check(run, in_use, allowed, report);
	if (o->wrong > 0)
		o->limit = LIMIT_NONE;
}

void explore_judge(struct run *run, size_t in_use)
{
	struct explore_outcome *o = run->outcome;
	FILE *report = run->text;

	o->acquires = fake_kernel_acquires(run->fake);
	o->ike_errors += fake_ike_errors(run->fake);
	o->lost_packets = fake_kernel_lost(run->fake);
	if (check(run, in_use, 0, run->explore->excused ? report : NULL) == 0)
		return;
	find_excuse(run, in_use, report);
	if (report && o->limit != LIMIT_NONE)
		(void)fprintf(report, "-- %s\n", explore_limit_name(o->limit));
}

void explore_describe(FILE *report, const struct explore_scenario *s,
		      const struct explore_outcome *o)
{
	char name[EXPLORE_WORLD_NAME_SIZE];

	explore_world_name(s->world, name);
	(void)fprintf(report, "%s", name);
	if (s->fault.kind != FAKE_FAULT_NONE)
		(void)fprintf(report, "; %s at message %u (%s), %u times",
			      explore_fault_name(s->fault.kind), s->fault.occurrence,
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
