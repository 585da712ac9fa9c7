/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that is due at a time. The owner of the schedule defines the kinds of work. Each kind is
 * pending once or not at all. An event loop runs the work (schedule_attach()), or a test with its
 * own clock does (schedule_run_due()).
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#define SCHEDULE_WORK_MAX 10

struct schedule_work {
	void (*run)(void *userdata);
	bool idle; /* run only when no other work and no messages wait */
};

struct schedule {
	const struct clock *clock;
	const struct schedule_work *work; /* array of n, not owned */
	void *userdata;
	size_t n;
	double due[SCHEDULE_WORK_MAX]; /* s, monotonic; INFINITY: not pending */
	sd_event_source *source, *idle_source;
};

/* `clock` and `work` must outlive the schedule. At most SCHEDULE_WORK_MAX kinds. */
void schedule_init(struct schedule *schedule, const struct clock *clock,
		   const struct schedule_work *work, size_t n, void *userdata);
void schedule_release(struct schedule *schedule);

/* Sets the time when the work is due: `seconds` from now, or at `time` (s, monotonic). Replaces an
 * earlier setting. */
void schedule_in(struct schedule *schedule, unsigned which, double seconds);
void schedule_at(struct schedule *schedule, unsigned which, double time);
/* The same, but an earlier time that is pending stays. */
void schedule_no_later(struct schedule *schedule, unsigned which, double time);
void schedule_cancel(struct schedule *schedule, unsigned which);
bool schedule_is_pending(const struct schedule *schedule, unsigned which);

/* The earliest time (s, monotonic) at which work is due; INFINITY: nothing is pending. */
double schedule_next(const struct schedule *schedule);
/* Runs the work with the earliest due time, if that time has come. Idle work runs only when no
 * other work is due. The work is no longer pending when it runs. Returns whether work was run. */
bool schedule_run_due(struct schedule *schedule);

/* From now on the event loop runs due work, by CLOCK_MONOTONIC. */
int schedule_attach(struct schedule *schedule, sd_event *event);
