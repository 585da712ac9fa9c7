/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Estimates the rate of one SA from samples of its counter, see rate.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct policy_parameters;

/* A forecast on trial. Persistence is learned from its result. */
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

/* Rates in bytes/s. Zeroed: nothing is known yet. */
struct rate {
	double mean;      /* of the present level */
	double deviation; /* mean absolute deviation of the samples from the mean */
	double slow;      /* mean over all levels */
	double expected;  /* expected rate of the next seconds, see forecast.c */
	double low;       /* band around it */
	double high;
	double last;    /* sample */
	double age;     /* s, age of the level */
	double low_for; /* s for which samples have been low enough for a drop */
	uint32_t count; /* samples in the mean since it was restarted */
	uint32_t n_slow;
	uint32_t n_low;         /* samples in low_for */
	float packets_per_byte; /* of the present level; 0: not known */
	struct trial trial;
};

/* The weight of one sample in a settled average. It is the same for all SAs that are sampled
 * together, so it is computed once. */
struct pace {
	double dt;    /* s, 0: not computed yet */
	double level; /* in the mean of a level */
	double slow;
};

void policy_pace(struct pace *pace, const struct policy_parameters *parameters, double dt);

/* Adds a sample: `x` bytes/s over the last pace->dt > 0 seconds, in `packets` packets/s (0: not
 * known). Returns true when the sample begins a new level. Does not update the forecast: see
 * policy_forecast(). */
bool policy_rate_update(struct rate *rate, const struct policy_parameters *parameters,
			const struct pace *pace, double x, double packets);
/* The weight of the samples in the mean of the level; older ones count less. */
double policy_rate_weight(const struct rate *rate, const struct pace *pace);
/* The deviation of the mean of the level: that of one sample, scaled. */
double policy_rate_error(const struct rate *rate, const struct pace *pace);
/* Whether the SA carries nothing and is expected to carry nothing. */
static inline bool policy_rate_is_idle(const struct rate *rate)
{
	return rate->count > 0 && rate->mean <= 0 && rate->slow <= 0;
}
