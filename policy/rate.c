/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate of an SA: a slow average that is restarted at change points.
 *
 * A long average is stable but late, a short one is fast but noisy. A late average leaves hot
 * traffic in software, and a noisy one causes needless moves. So the mean of all samples since the
 * last change point is kept (a plain average at first, exponential once it is as old as the
 * half-life). A sample that is too far from the mean restarts it:
 *
 *  - further away than `jump_deviations` mean deviations: at once;
 *  - lower by the ratio that would be a jump upwards: when it lasts `drop_confirm` seconds, or at
 *    once when almost nothing is left. (The deviation of bursty traffic is as large as its mean, so
 *    a drop to zero would never be far enough away by the first rule.)
 *
 * The deviation, scaled to that of the mean, is the width of the band. A second, slower average
 * over all levels is the long-run rate of the SA. forecast.c derives the expected rate from both.
 */
#include "rate.h"

#include "policy.h"

#include <math.h>

/* A change smaller than this share of the mean does not restart it, even if the rate was
 * constant. */
#define JUMP_MIN_SHARE 0.05
/* Below this share of the mean almost nothing is left. */
#define GONE_SHARE 0.05
/* Assumed deviation of a new level, as a share of it: at least after a restart, and of the first
 * level. */
#define RESTART_DEVIATION_SHARE 0.15
#define FIRST_DEVIATION_SHARE 0.5
/* Least gain of the deviation, so that it follows when traffic becomes steadier. */
#define DEVIATION_GAIN_MIN 0.02
/* Smaller packets do not exist: an IP header has 20 bytes. Such samples occur where sequence
 * numbers are counted, and some were skipped. */
#define PACKET_BYTES_MIN 20.0

static bool rate_jumps(struct rate *rate, const struct policy_parameters *parameters, double x,
		       double dt)
{
	double threshold =
		parameters->jump_deviations * rate->deviation + JUMP_MIN_SHARE * rate->mean;

	if (rate->count == 0)
		return false;
	if (fabs(x - rate->mean) > threshold)
		return true;
	if (x * (rate->mean + threshold) >= rate->mean * rate->mean) {
		rate->low_for = 0;
		rate->n_low = 0;
		return false;
	}
	rate->low_for += dt;
	rate->n_low++;
	if (x < GONE_SHARE * rate->mean)
		return true;
	/* With long intervals one low sample would last long enough, so a second is required. */
	return rate->low_for >= parameters->drop_confirm &&
	       (rate->n_low >= 2 || dt <= parameters->drop_confirm / 2);
}

void policy_pace(struct pace *pace, const struct policy_parameters *parameters, double dt)
{
	if (pace->dt == dt)
		return;
	pace->dt = dt;
	pace->level = 1 - exp2(-dt / parameters->half_life);
	pace->slow = 1 - exp2(-dt / parameters->slow_half_life);
}

/* The gain of a plain average until it is as old as the half-life. */
static double gain_of(uint32_t count, double settled)
{
	return fmax(1 / (count + 1.0), settled);
}

/* The packets of the level are averaged in the same way as its bytes. After a sample without a
 * plausible number of packets, or without traffic, the packets have the size that they had. */
static void update_packets(struct rate *rate, double gain, double x, double packets)
{
	double before = (1 - gain) * rate->mean * (double)rate->packets_per_byte;
	double bytes = (1 - gain) * rate->mean + gain * x;

	if (packets <= 0 || packets * PACKET_BYTES_MIN > x)
		return;
	if (rate->packets_per_byte <= 0)
		rate->packets_per_byte = (float)(packets / x);
	else
		rate->packets_per_byte = (float)((before + gain * packets) / bytes);
}

bool policy_rate_update(struct rate *rate, const struct policy_parameters *parameters,
			const struct pace *pace, double x, double packets)
{
	double gain = gain_of(rate->count, pace->level);
	bool jump = rate_jumps(rate, parameters, x, pace->dt);

	rate->slow += gain_of(rate->n_slow, pace->slow) * (x - rate->slow);
	if (rate->n_slow < UINT32_MAX)
		rate->n_slow++;
	rate->last = x;
	rate->age = jump ? pace->dt : rate->age + pace->dt;
	update_packets(rate, jump ? 1 : gain, x, packets);
	if (jump) {
		rate->mean = x;
		rate->deviation = fmax(rate->deviation / 2, RESTART_DEVIATION_SHARE * x);
		rate->count = 1;
		rate->low_for = 0;
		rate->n_low = 0;
	} else {
		double error = x - rate->mean;

		rate->mean += gain * error;
		if (rate->count == 0)
			rate->deviation = FIRST_DEVIATION_SHARE * x;
		else
			rate->deviation +=
				fmax(gain, DEVIATION_GAIN_MIN) * (fabs(error) - rate->deviation);
		if (rate->count < UINT32_MAX)
			rate->count++;
	}
	return jump;
}

double policy_rate_weight(const struct rate *rate, const struct pace *pace)
{
	return 1 / gain_of(rate->count, pace->level);
}

double policy_rate_error(const struct rate *rate, const struct pace *pace)
{
	return rate->deviation * sqrt(gain_of(rate->count, pace->level));
}
