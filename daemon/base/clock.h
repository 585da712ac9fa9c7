/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The clocks. The owner of a component passes them to it, so that tests can control the time.
 */
#pragma once

#include <stdint.h>

struct clock {
	double (*monotonic)(void *userdata);  /* s, CLOCK_MONOTONIC */
	uint64_t (*realtime)(void *userdata); /* s, CLOCK_REALTIME: the kernel's times of SAs */
	double (*precise)(void *userdata);    /* s, the same, for users; NULL: in whole seconds */
	void *userdata;
};

static inline double clock_monotonic(const struct clock *clock)
{
	return clock->monotonic(clock->userdata);
}

static inline uint64_t clock_realtime(const struct clock *clock)
{
	return clock->realtime(clock->userdata);
}

static inline double clock_precise(const struct clock *clock)
{
	return clock->precise ? clock->precise(clock->userdata) : (double)clock_realtime(clock);
}
