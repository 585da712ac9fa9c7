// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/schedule.h"

#include <math.h>

/* How much later the loop may wake up, to save wake-ups. */
#define ACCURACY_USEC 1000

void schedule_init(struct schedule *s, const struct clock *clock, const struct schedule_work *work,
		   size_t n, void *userdata)
{
	*s = (struct schedule){.clock = clock, .work = work, .n = n, .userdata = userdata};
	for (size_t i = 0; i < SCHEDULE_WORK_MAX; i++)
		s->due[i] = INFINITY;
}

void schedule_release(struct schedule *s)
{
	s->source = sd_event_source_unref(s->source);
	s->idle_source = sd_event_source_unref(s->idle_source);
}

/* The pending work with the earliest time, of the idle or of the other kinds; s->n: none. */
static size_t earliest(const struct schedule *s, bool idle)
{
	size_t which = s->n;

	for (size_t i = 0; i < s->n; i++)
		if (s->work[i].idle == idle && s->due[i] < INFINITY &&
		    (which == s->n || s->due[i] < s->due[which]))
			which = i;
	return which;
}

static void arm(const struct schedule *s, bool idle)
{
	sd_event_source *source = idle ? s->idle_source : s->source;
	size_t which = earliest(s, idle);

	if (!source)
		return;
	if (which == s->n) {
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(source, (uint64_t)(s->due[which] * 1e6));
	(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

void schedule_at(struct schedule *s, unsigned which, double time)
{
	s->due[which] = time;
	arm(s, s->work[which].idle);
}

void schedule_in(struct schedule *s, unsigned which, double seconds)
{
	schedule_at(s, which, clock_monotonic(s->clock) + seconds);
}

void schedule_no_later(struct schedule *s, unsigned which, double time)
{
	if (time < s->due[which])
		schedule_at(s, which, time);
}

void schedule_cancel(struct schedule *s, unsigned which)
{
	schedule_at(s, which, INFINITY);
}

bool schedule_is_pending(const struct schedule *s, unsigned which)
{
	return s->due[which] < INFINITY;
}

double schedule_next(const struct schedule *s)
{
	double next = INFINITY;

	for (size_t i = 0; i < s->n; i++)
		next = fmin(next, s->due[i]);
	return next;
}

static bool run_earliest(struct schedule *s, bool idle)
{
	size_t which = earliest(s, idle);

	if (which == s->n || s->due[which] > clock_monotonic(s->clock))
		return false;
	s->due[which] = INFINITY;
	s->work[which].run(s->userdata);
	return true;
}

bool schedule_run_due(struct schedule *s)
{
	return run_earliest(s, false) || run_earliest(s, true);
}

/* One piece of work per turn of the loop, so that messages that arrived meanwhile are read
 * first. */
static int on_due(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct schedule *s = userdata;
	bool idle = source == s->idle_source;

	(void)usec;
	(void)run_earliest(s, idle);
	arm(s, idle);
	return 0;
}

static int add_source(struct schedule *s, sd_event *event, bool idle)
{
	sd_event_source **source = idle ? &s->idle_source : &s->source;
	int r = sd_event_add_time(event, source, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_due, s);

	if (r < 0)
		return r;
	if (idle) {
		r = sd_event_source_set_priority(*source, SD_EVENT_PRIORITY_IDLE);
		if (r < 0)
			return r;
	}
	arm(s, idle);
	return 0;
}

int schedule_attach(struct schedule *s, sd_event *event)
{
	int r = add_source(s, event, false);

	return r < 0 ? r : add_source(s, event, true);
}
