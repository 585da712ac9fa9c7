/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks as seconds. */
#pragma once

#include <time.h>

static inline double clock_seconds(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double monotonic_now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}
