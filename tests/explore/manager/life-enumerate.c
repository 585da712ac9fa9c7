// SPDX-License-Identifier: GPL-2.0-or-later
/* Enumerates the lives. */
#include "life.h"

#include <errno.h>

#define STEPS_MAX 100000 /* a loop ends at the first step without an event */

static const int refusals[] = {-ENOMEM, -EEXIST, -EINVAL, -ENOSPC, -EPERM, -EOPNOTSUPP};

static bool run(struct life_explorer *explorer, const struct life_scenario *s,
		struct life_outcome *outcome)
{
	life_run(explorer, s, outcome);
	return explorer->limit == 0 || explorer->wrong < explorer->limit;
}

static bool all_events(struct life_explorer *explorer, const struct life_scenario *scenario)
{
	struct life_scenario s = *scenario;
	struct life_outcome o;

	for (s.first.event = LIFE_NOTHING + 1; s.first.event < _LIFE_EVENT_MAX; s.first.event++)
		for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step += explorer->stride) {
			if (!run(explorer, &s, &o))
				return false;
			if (!o.first_happened)
				break;
		}
	return true;
}

static bool faults_of(struct life_explorer *explorer, const struct life_scenario *scenario,
		      enum fake_fault_kind kind, const int *errors, size_t n, unsigned count)
{
	struct life_scenario s = *scenario;
	struct life_outcome o;

	for (unsigned message = 0; message < STEPS_MAX; message++)
		for (size_t i = 0; i < n; i++) {
			s.fault = (struct fake_fault){.kind = kind,
						      .occurrence = message,
						      .count = count,
						      .error = errors[i],
						      .text = "injected"};
			if (!run(explorer, &s, &o))
				return false;
			if (!o.fault_struck)
				return true;
		}
	return true;
}

static bool all_faults(struct life_explorer *explorer, const struct life_scenario *s)
{
	static const int nothing = 0, send_error = -ENOBUFS;
	static const int receive_errors[] = {-ENOBUFS, -ETIMEDOUT};

	return faults_of(explorer, s, FAKE_FAULT_REFUSE, refusals, ELEMENTSOF(refusals), 1) &&
	       faults_of(explorer, s, FAKE_FAULT_REFUSE, refusals, 3, 4) &&
	       faults_of(explorer, s, FAKE_FAULT_LOSE_NOTE, &nothing, 1, 1) &&
	       faults_of(explorer, s, FAKE_FAULT_LOSE_ANSWER, &nothing, 1, 1) &&
	       faults_of(explorer, s, FAKE_FAULT_SEND, &send_error, 1, 1) &&
	       faults_of(explorer, s, FAKE_FAULT_RECEIVE, receive_errors,
			 ELEMENTSOF(receive_errors), 1);
}

/* ---- Two events ---- */

static const enum life_event firsts[] = {
	LIFE_DELETE, LIFE_UPDATE, LIFE_REKEY_AND_DELETE, LIFE_MOVE,     LIFE_DOWN, LIFE_DOWN_LATE,
	LIFE_FLAP,   LIFE_BURST,  LIFE_OVERRUN,          LIFE_DISTRUST, LIFE_KILL,
};
static const enum life_event seconds[] = {
	LIFE_DELETE, LIFE_UPDATE,         LIFE_DOWN,  LIFE_DOWN_LATE, LIFE_FLAP,
	LIFE_LOOKUP, LIFE_BURST_AND_DOWN, LIFE_STALL, LIFE_KILL,
};
/* The second event follows within this many steps: a move has no more. */
#define SOON_STEPS 12

static bool all_seconds(struct life_explorer *explorer, const struct life_scenario *first)
{
	struct life_scenario s = *first;
	struct life_outcome o;

	for (size_t i = 0; i < ELEMENTSOF(seconds); i++) {
		s.second.event = seconds[i];
		for (unsigned step = 1; step <= SOON_STEPS; step++) {
			s.second.step = s.first.step + step;
			if (!run(explorer, &s, &o))
				return false;
			if (!o.second_happened)
				break;
		}
	}
	return true;
}

static bool all_pairs(struct life_explorer *explorer, const struct life_scenario *scenario)
{
	struct life_scenario s = *scenario;
	struct life_outcome o;

	for (size_t i = 0; i < ELEMENTSOF(firsts); i++) {
		s.first.event = firsts[i];
		for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step++) {
			s.second.event = LIFE_NOTHING;
			if (!run(explorer, &s, &o))
				return false;
			if (!o.first_happened)
				break;
			if (!all_seconds(explorer, &s))
				return false;
		}
	}
	return true;
}

/* The NIC goes down and up, and soon goes down again. */
static bool all_flaps(struct life_explorer *explorer, const struct life_scenario *scenario)
{
	struct life_scenario s = *scenario;
	struct life_outcome o;

	s.first.event = s.second.event = LIFE_FLAP;
	for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step++)
		for (unsigned later = 1; later <= SOON_STEPS; later++) {
			s.second.step = s.first.step + later;
			if (!run(explorer, &s, &o))
				return false;
			if (!o.first_happened)
				return true;
			if (!o.second_happened)
				break;
		}
	return true;
}

/* The kernel has no memory for some time after the event. */
static bool all_events_without_memory(struct life_explorer *explorer,
				      const struct life_scenario *scenario)
{
	static const enum life_event events[] = {LIFE_DOWN, LIFE_FLAP, LIFE_DELETE, LIFE_KILL};
	struct life_scenario s = *scenario;
	struct life_outcome o;

	for (unsigned message = 0; message < STEPS_MAX; message++) {
		s.fault = (struct fake_fault){.kind = FAKE_FAULT_REFUSE,
					      .occurrence = message,
					      .count = 4,
					      .error = -ENOMEM,
					      .text = "injected"};
		s.first.event = LIFE_NOTHING;
		if (!run(explorer, &s, &o))
			return false;
		if (!o.fault_struck)
			return true;
		for (size_t i = 0; i < ELEMENTSOF(events); i++) {
			s.first.event = events[i];
			for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step++) {
				if (!run(explorer, &s, &o))
					return false;
				if (!o.first_happened)
					break;
			}
		}
	}
	return true;
}

bool life_explore(struct life_explorer *explorer, const struct life_world *world,
		  enum life_thoroughness thoroughness)
{
	struct life_scenario quiet = {.world = world}, busy = {.world = world, .busy = true};
	struct life_outcome o;

	if (thoroughness == LIFE_PAIRS)
		return all_pairs(explorer, &busy) && all_events_without_memory(explorer, &quiet);
	if (!run(explorer, &quiet, &o) || !run(explorer, &busy, &o) || !all_events(explorer, &busy))
		return false;
	if (thoroughness == LIFE_QUICK || world->quick)
		return true;
	if (!all_events(explorer, &quiet) || !all_faults(explorer, &quiet) ||
	    !all_faults(explorer, &busy) || !all_flaps(explorer, &busy))
		return false;
	if (thoroughness != LIFE_ALL || !world->typical)
		return true;
	return all_pairs(explorer, &busy) && all_events_without_memory(explorer, &quiet);
}
