/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rates of an SA in the last minute, for the sparkline of `top`: one byte per sample, on a
 * logarithmic scale. An SA that carried nothing in that time has no history.
 */
#pragma once

#include "control-interface.h"

#include <stdint.h>

struct sa_history {
	uint64_t last;                            /* number of the newest sample in it */
	uint8_t samples[CONTROL_HISTORY_SAMPLES]; /* sample i at i % CONTROL_HISTORY_SAMPLES */
};

/* Eight steps per doubling, from 1 byte/s; 0: less than that. */
uint8_t history_encode(double bytes_per_second);
double history_decode(uint8_t sample);

/* Sets the rate (bytes/s) of the sample with this number, which is that of the last call or a later
 * one, and of those between the two: it is the mean since the last sample. *history is allocated
 * when it is needed, and freed when nothing else than 0 is left; without memory it is as if the SA
 * had carried nothing. */
void sa_history_set(struct sa_history **history, uint64_t number, double bytes_per_second);
/* The rate of a sample in bytes/s, or 0 if there is no such sample. `history` may be NULL. */
double sa_history_get(const struct sa_history *history, uint64_t number);
