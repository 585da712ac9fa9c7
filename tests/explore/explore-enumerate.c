// SPDX-License-Identifier: GPL-2.0-or-later
/* Enumerates the scenarios: all faults, all events at all steps, and all pairs of them. */
#include "explore.h"

#include <errno.h>
#include <string.h>

/* Errors that the kernel can return: its own (xfrm_user.c, xfrm_state.c), those of drivers, of
 * LSMs, of memory and of netlink. 512 is ERESTARTSYS, which xfrm_alloc_spi() passes to user
 * space. */
static const int refusals[] = {-ENOMEM, -ENOBUFS, -EINVAL, -ESRCH,  -EEXIST,     -ENOENT,
			       -EPERM,  -EACCES,  -EBUSY,  -ENOSPC, -EAGAIN,     -ENODEV,
			       -ENOSYS, -EIO,     -EINTR,  -ERANGE, -EOPNOTSUPP, -512};
/* In pairs with events only the errors that the migrator distinguishes, and one that it does not.
 * ESRCH is last: no kernel returns it twice for an SA that exists. */
static const int main_refusals[] = {-ENOMEM, -EEXIST, -EINVAL, -ESRCH};
static const int send_errors[] = {-ENOBUFS, -ENOMEM, -EPERM, -EIO};
static const int receive_errors[] = {-ENOBUFS, -ETIMEDOUT, -EIO};

/* An event that cannot happen at a step happens at the next possible one. The steps in between
 * would give the same scenario, so they are skipped. */
#define STEPS_MAX 64 /* more than any scenario has; loops end where no event can happen */

static bool run(struct explore *explore, const struct explore_scenario *s,
		struct explore_outcome *outcome)
{
	explore_run(explore, s, outcome);
	return explore->limit == 0 || explore->wrong < explore->limit;
}

/* Calls `f` for each fault that takes effect. */
struct each_fault {
	struct explore *explore;
	struct explore_scenario scenario;
	bool (*f)(struct explore *explore, const struct explore_scenario *scenario);
};

static bool faults_of(const struct each_fault *each, enum fake_fault_kind kind, const int *errors,
		      size_t n_errors, unsigned count)
{
	struct explore_scenario s = each->scenario;
	struct explore_outcome o;

	for (unsigned message = 0; message < STEPS_MAX; message += each->explore->stride) {
		for (size_t i = 0; i < n_errors; i++) {
			s.fault = (struct fake_fault){.kind = kind,
						      .occurrence = message,
						      .count = count,
						      .error = errors[i],
						      .text = "injected"};
			if (!run(each->explore, &s, &o))
				return false;
			if (!o.fault_struck)
				return true;
			if (each->f && !each->f(each->explore, &s))
				return false;
		}
	}
	return true;
}

static bool all_faults(const struct each_fault *each, bool all_errors)
{
	static const int nothing = 0;
	const int *errors = all_errors ? refusals : main_refusals;
	size_t n = all_errors ? ELEMENTSOF(refusals) : ELEMENTSOF(main_refusals);

	return faults_of(each, FAKE_FAULT_REFUSE, errors, n, 1) &&
	       faults_of(each, FAKE_FAULT_REFUSE, main_refusals, 3, 2) &&
	       faults_of(each, FAKE_FAULT_REFUSE, main_refusals, all_errors ? 1 : 0, 1000) &&
	       faults_of(each, FAKE_FAULT_LOSE_NOTE, &nothing, 1, 1) &&
	       faults_of(each, FAKE_FAULT_LOSE_ANSWER, &nothing, 1, 1) &&
	       faults_of(each, FAKE_FAULT_LOSE_ANSWER, &nothing, 1, 2) &&
	       faults_of(each, FAKE_FAULT_LOSE_ANSWER, &nothing, all_errors ? 1 : 0, 1000) &&
	       faults_of(each, FAKE_FAULT_SEND, send_errors,
			 all_errors ? ELEMENTSOF(send_errors) : 1, 1) &&
	       faults_of(each, FAKE_FAULT_RECEIVE, receive_errors,
			 all_errors ? ELEMENTSOF(receive_errors) : 1, 1) &&
	       faults_of(each, FAKE_FAULT_RECEIVE, receive_errors, 1, 4);
}

/* Every event at every step, over what the scenario already has. */
static bool all_events(struct explore *explore, const struct explore_scenario *scenario)
{
	struct explore_scenario s = *scenario;
	struct explore_outcome o;

	for (s.first.event = EVENT_DELETE; s.first.event < EVENT_KILL; s.first.event++)
		for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step += explore->stride) {
			if (!run(explore, &s, &o))
				return false;
			if (!o.first_happened)
				break;
			s.first.step = o.first_step;
		}
	return true;
}

static bool is_selected(const char *selected, enum explore_event event)
{
	return !selected || strcmp(selected, explore_event_name(event)) == 0;
}

static bool all_second_events(struct explore *explore, const struct explore_scenario *scenario)
{
	struct explore_scenario s = *scenario;
	struct explore_outcome o;

	for (s.second.event = EVENT_DELETE; s.second.event <= EVENT_LINK_DOWN; s.second.event++) {
		if (!is_selected(explore->selection.second, s.second.event))
			continue;
		for (s.second.step = s.first.step + 1; s.second.step < STEPS_MAX; s.second.step++) {
			if (!run(explore, &s, &o))
				return false;
			if (!o.second_happened)
				break;
			s.second.step = o.second_step;
		}
	}
	return true;
}

static bool all_pairs_of_events(struct explore *explore, const struct explore_scenario *scenario)
{
	struct explore_scenario s = *scenario;
	struct explore_outcome o;

	for (s.first.event = EVENT_DELETE; s.first.event <= EVENT_LINK_DOWN; s.first.event++) {
		if (!is_selected(explore->selection.event, s.first.event))
			continue;
		for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step++) {
			s.second.event = EVENT_NONE;
			if (!run(explore, &s, &o))
				return false;
			if (!o.first_happened)
				break;
			s.first.step = o.first_step;
			if (!all_second_events(explore, &s))
				return false;
		}
	}
	return true;
}

/* The daemon dies at every step; each event is tried while it is dead. */
static bool all_kills(struct explore *explore, const struct explore_scenario *scenario)
{
	struct explore_scenario s = *scenario;
	struct explore_outcome o;

	s.first.event = EVENT_KILL;
	for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step += explore->stride) {
		for (s.before_recovery = EVENT_NONE; s.before_recovery < EVENT_KILL;
		     s.before_recovery++) {
			if (!run(explore, &s, &o))
				return false;
			if (!o.first_happened)
				return true;
		}
		s.first.step = o.first_step;
	}
	return true;
}

/* `first`, and at every step after it `second`. */
static bool all_after(struct explore *explore, const struct explore_scenario *scenario,
		      enum explore_event first, enum explore_event second)
{
	struct explore_scenario s = *scenario;
	struct explore_outcome o;

	s.first.event = first;
	s.second.event = second;
	for (s.first.step = 0; s.first.step < STEPS_MAX; s.first.step++) {
		for (s.second.step = s.first.step + 1; s.second.step < STEPS_MAX; s.second.step++) {
			if (!run(explore, &s, &o))
				return false;
			if (o.first_happened)
				s.first.step = o.first_step;
			if (!o.second_happened)
				break;
			s.second.step = o.second_step;
		}
		if (!o.first_happened)
			break;
	}
	return true;
}

/* An event, then the daemon's death. */
static bool all_events_and_kills(struct explore *explore, const struct explore_scenario *scenario)
{
	for (enum explore_event first = EVENT_DELETE; first < EVENT_KILL; first++)
		if (!all_after(explore, scenario, first, EVENT_KILL))
			return false;
	return true;
}

bool explore_world(struct explore *explore, const struct explore_world *world, bool thorough)
{
	struct explore_scenario quiet = {.world = world};
	struct explore_scenario busy = {.world = world, .busy = true};
	struct each_fault faults = {.explore = explore, .scenario = quiet};
	struct explore_outcome o;

	if (explore->selection.event || explore->selection.second)
		return all_pairs_of_events(explore, &busy);
	if (!run(explore, &quiet, &o) || !run(explore, &busy, &o))
		return false;
	if (world->spi == SPI_SHARED_REFUSED)
		return all_faults(&faults, true);
	if (!all_faults(&faults, true) || !all_events(explore, &quiet) ||
	    !all_kills(explore, &quiet) || !all_events(explore, &busy) ||
	    !all_kills(explore, &busy))
		return false;
	faults.scenario = busy;
	if (!all_faults(&faults, true))
		return false;
	/* Packets before our larval SA exists, and after it was deleted. */
	if (world->names_spi && !all_after(explore, &quiet, EVENT_DELETE, EVENT_PACKETS))
		return false;
	if (!thorough)
		return true;
	faults.f = all_events;
	if (!all_faults(&faults, false))
		return false;
	faults.f = all_kills;
	if (!all_faults(&faults, false))
		return false;
	return all_pairs_of_events(explore, &busy) && all_events_and_kills(explore, &busy);
}
