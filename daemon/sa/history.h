/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates of an SA over the last minute, as `top` draws them: a byte for each sample, on a
 * logarithmic scale. An SA that carried nothing in that time has none.
 */
#pragma once

#include "control-interface.h"

#include <stdint.h>

struct sa_history {
	uint64_t last;                            /* number of the newest sample in it */
	uint8_t samples[CONTROL_HISTORY_SAMPLES]; /* sample i at i % CONTROL_HISTORY_SAMPLES */
};

/* Eight steps an octave from 1 byte/s on; 0: less. */
uint8_t history_encode(double bytes_per_second);
double history_decode(uint8_t sample);

/* Sets the rate (bytes/s) of the sample with this number, which is that of the last call or a later
 * one, and of those between the two: it is the mean since the last sample. *history is allocated
 * when it is needed, and freed when nothing else than 0 is left; without memory it is as if the SA
 * had carried nothing. */
void sa_history_set(struct sa_history **history, uint64_t number, double bytes_per_second);
/* The rate of a sample, bytes/s; 0 where there is none. `history` may be NULL. */
double sa_history_get(const struct sa_history *history, uint64_t number);
