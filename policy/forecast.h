/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Learns how much of a level lasts, see forecast.c.
 */
#pragma once

#include "rate.h"

/* Ages of 1, 2, 4 ... 128 s and more; small, large and very large steps; up and down. */
#define FORECAST_AGES 8
#define FORECAST_STEPS 3
#define FORECAST_KINDS (FORECAST_AGES * FORECAST_STEPS * 2)

/* Small, large and very large deviations of the last sample, up and down. */
#define FORECAST_ECHOES (FORECAST_STEPS * 2)

/* Regressions through the origin for every kind of level (kept, seen) and of last sample (echoed,
 * heard): sums of products and of squares. */
struct persistence {
	double kept[FORECAST_KINDS];
	double seen[FORECAST_KINDS];
	double echoed[FORECAST_ECHOES];
	double heard[FORECAST_ECHOES];
};

/* Called after a sample `x` (bytes/s): evaluates the forecast on trial, and makes the new one for
 * `outlook` seconds. `price` is the value of a slot, in unweighted bytes/s of this SA: nothing is
 * learned from levels far below it. */
void policy_forecast(struct persistence *persistence, struct rate *rate,
		     const struct policy_parameters *parameters, const struct pace *pace, double x,
		     double outlook, double price);
