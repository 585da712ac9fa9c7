/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Work that is due at a time. The owner of the schedule defines which work there is; each kind is
 * pending once or not at all. An event loop runs it (schedule_attach()), or a test does, which then
 * owns the time as well (schedule_run_due()).
 */
#pragma once

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-event.h>

#define SCHEDULE_WORK_MAX 8

struct schedule_work {
	void (*run)(void *userdata);
	bool idle; /* only when nothing else waits: neither other work nor messages */
};

struct schedule {
	const struct clock *clock;
	const struct schedule_work *work; /* n of them, not owned */
	void *userdata;
	size_t n;
	double due[SCHEDULE_WORK_MAX]; /* s, monotonic; INFINITY: not pending */
	sd_event_source *source, *idle_source;
};

/* `clock` and `work` must outlive the schedule. At most SCHEDULE_WORK_MAX kinds. */
void schedule_init(struct schedule *schedule, const struct clock *clock,
		   const struct schedule_work *work, size_t n, void *userdata);
void schedule_release(struct schedule *schedule);

/* Makes it due in so many seconds from now, or at a time, whatever it was before. */
void schedule_in(struct schedule *schedule, unsigned which, double seconds);
void schedule_at(struct schedule *schedule, unsigned which, double time);
/* The same, but what is pending earlier stays. */
void schedule_no_later(struct schedule *schedule, unsigned which, double time);
void schedule_cancel(struct schedule *schedule, unsigned which);
bool schedule_is_pending(const struct schedule *schedule, unsigned which);

/* When something is due next; INFINITY: nothing is pending. */
double schedule_next(const struct schedule *schedule);
/* Runs the pending work with the earliest time, if that has come; idle work only when no other is
 * due. It is not pending any more when it runs. Returns whether there was any. */
bool schedule_run_due(struct schedule *schedule);

/* From now on the loop runs what is due, by CLOCK_MONOTONIC. */
int schedule_attach(struct schedule *schedule, sd_event *event);
