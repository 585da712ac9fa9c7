/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The estimator: the rate of one SA from samples of its counter, see rate.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct policy_parameters;

/* A forecast on trial: what became of it is what persistence is learned from. */
struct trial {
	double left; /* s until it is judged, 0: none */
	double sum;  /* bytes since it was made */
	double outlook;
	double slow;
	double level;
	double last;
	uint32_t kind;
	uint32_t echo;
};

/* All in bytes/s. Zeroed: nothing known yet. */
struct rate {
	double mean;      /* of the present level */
	double deviation; /* mean absolute, of the samples from the mean */
	double slow;      /* mean over all levels */
	double expected;  /* of the next seconds, see forecast.c */
	double low;       /* band around it */
	double high;
	double last;    /* sample */
	double age;     /* s of the level */
	double low_for; /* s that samples have been low enough to doubt the mean */
	uint32_t count; /* samples in the mean since it was restarted */
	uint32_t n_slow;
	uint32_t n_low; /* samples in low_for */
	struct trial trial;
};

/* What one sample weighs in a settled average. The same for all SAs that are sampled together, so
 * it is worked out once and not for each. */
struct pace {
	double dt;    /* s, 0: not worked out yet */
	double level; /* in the mean of a level */
	double slow;
};

void policy_pace(struct pace *pace, const struct policy_parameters *parameters, double dt);

/* One sample: `x` bytes/s over the last pace->dt > 0 seconds. Returns true when the sample began a
 * new level, so that what was known of the old one no longer counts. Leaves the forecast to
 * policy_forecast(). */
bool policy_rate_update(struct rate *rate, const struct policy_parameters *parameters,
			const struct pace *pace, double x);
/* Samples in the mean of the level, the older ones in part. */
double policy_rate_weight(const struct rate *rate, const struct pace *pace);
/* Of the mean of the level: the deviation of one sample, scaled to that of the mean. */
double policy_rate_error(const struct rate *rate, const struct pace *pace);
/* Neither carries anything nor is expected to. */
static inline bool policy_rate_is_idle(const struct rate *rate)
{
	return rate->count > 0 && rate->mean <= 0 && rate->slow <= 0;
}
