/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The estimator: the rate of one SA from samples of its counter, see rate.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct policy_parameters;

/* All in value bytes/s. Zeroed: nothing known yet. */
struct rate {
	double mean;
	double deviation; /* mean absolute, of the samples from the mean */
	double low;       /* the band in which the mean is believed to lie */
	double high;
	double last;    /* sample */
	double low_for; /* s that samples have been low enough to doubt the mean */
	uint32_t count; /* samples in the mean since it was restarted */
	uint32_t n_low; /* samples in low_for */
};

/* One sample: `x` bytes/s over the last `dt` > 0 seconds. Returns true when the sample began a new
 * level, so that what was known of the old one no longer counts. */
bool policy_rate_update(struct rate *rate, const struct policy_parameters *parameters, double x,
			double dt);
