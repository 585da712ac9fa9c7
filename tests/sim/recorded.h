/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recorded traffic matrices as traces, see recorded.c.
 */
#pragma once

#include "sim/trace.h"

/* `path` has rows "step,series,bytes" with a header. Steps last `step` seconds; when `interval` is
 * shorter they are interpolated and noise is added. At most `n_ticks` ticks (0: all). */
int recorded_load(const char *path, double step, double interval, uint32_t n_ticks, uint64_t seed,
		  struct sim_trace **ret_trace);
