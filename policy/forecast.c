/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rate that is expected of an SA in the next seconds. It is between its present level and its
 * long-run average:
 *
 *     expected = slow + share * (level - slow) + echo * (last sample - level)
 *
 * The share that lasts is not a parameter but is learned. After noise the rate returns to the
 * average (a share near 0), after a route change it does not (near 1), and a burst of flows lasts
 * longer if it has already lasted long. So levels are divided into kinds, by their age, the size of
 * the step from the average, and its direction. For each kind the share is learned from all SAs of
 * a table together. Every SA has one forecast on trial at a time. At the end of its `outlook` the
 * carried bytes are compared with the expected ones. Each kind has a regression through the origin,
 * in which older trials count less.
 *
 * The last sample is handled in the same way: how much of its deviation from the level continues in
 * the next seconds (the echo) is learned, by its size. This matters where moves are so cheap that
 * short outlooks pay.
 *
 * So an SA that becomes silent is not the coldest at once: if silences are usually short, traffic
 * is expected again. And a single high sample causes no move if such samples do not last.
 */
#include "forecast.h"

#include "policy.h"

#include <math.h>

/* Sizes of steps, |level - slow| / (level + slow): a factor of 2.3 and one of 9. */
#define STEP_LARGE 0.4
#define STEP_VERY_LARGE 0.8
/* Nothing is learned from a smaller step. */
#define STEP_MIN 0.05
/* Each trial of a kind reduces the weight of the earlier ones by this share. */
#define FADE 0.001
/* Initially levels are assumed to last, with the weight of this many clear trials. */
#define PRIOR_TRIALS 1.0
/* Limits of the share of one trial, however much the SA carried meanwhile. */
#define SHARE_MIN (-1.0)
#define SHARE_MAX 2.0
/* Nothing is learned from levels below this share of the price, which are not relevant. */
#define RELEVANT_SHARE 0.5
/* s. The echo of a single sample ends soon: in an outlook longer than this it counts less, because
 * a move for it would be undone. */
#define ECHO_SECONDS 3.0
/* An average below this counts as zero: bytes/s, and a share of the price. */
#define NOTHING 1000.0
#define NOTHING_SHARE 0.01

static double step_of(double level, double slow)
{
	return fabs(level - slow) / (level + slow + 1);
}

static uint32_t kind_of(const struct rate *rate, double dt)
{
	double age = rate->age / fmax(1, dt), step = step_of(rate->mean, rate->slow);
	uint32_t kind = 0;

	while (kind < FORECAST_AGES - 1 && age >= 1.5) {
		age /= 2;
		kind++;
	}
	if (step > STEP_LARGE)
		kind += step > STEP_VERY_LARGE ? 2 * FORECAST_AGES : FORECAST_AGES;
	return rate->mean >= rate->slow ? kind : kind + FORECAST_AGES * FORECAST_STEPS;
}

static uint32_t echo_of(const struct rate *rate)
{
	double step = step_of(rate->last, rate->mean);
	uint32_t echo = step > STEP_LARGE ? step > STEP_VERY_LARGE ? 2 : 1 : 0;

	return rate->last >= rate->mean ? echo : echo + FORECAST_STEPS;
}

static double share_of(double sum, double weights, double prior)
{
	return fmin(fmax((sum + PRIOR_TRIALS * prior) / (weights + PRIOR_TRIALS), 0), 1);
}

static double kept_share(const struct persistence *persistence, uint32_t kind)
{
	return share_of(persistence->kept[kind], persistence->seen[kind], 1);
}

static double echo_share(const struct persistence *persistence, uint32_t echo)
{
	return share_of(persistence->echoed[echo], persistence->heard[echo], 0);
}

/* Adds one observation: `share` of a step lasted. `step`: the step as a share of the size of the
 * level. */
static void learn(double *sum, double *weights, double share, double step)
{
	double weight = step * step;

	share = fmin(fmax(share, SHARE_MIN), SHARE_MAX);
	*sum = (1 - FADE) * *sum + weight * share;
	*weights = (1 - FADE) * *weights + weight;
}

static void trial_judge(struct persistence *persistence, const struct trial *trial, double price)
{
	double carried = trial->sum / (trial->outlook - trial->left);
	double size = trial->level + trial->slow, step = trial->level - trial->slow;
	double deviation = trial->last - trial->level, rest;

	if (size <= RELEVANT_SHARE * price)
		return;
	rest = carried - trial->slow - kept_share(persistence, trial->kind) * step;
	if (fabs(deviation) >= STEP_MIN * size)
		learn(&persistence->echoed[trial->echo], &persistence->heard[trial->echo],
		      rest / deviation, deviation / (size + fabs(deviation)));
	rest = carried - trial->slow - echo_share(persistence, trial->echo) * deviation;
	if (fabs(step) >= STEP_MIN * size)
		learn(&persistence->kept[trial->kind], &persistence->seen[trial->kind], rest / step,
		      step / size);
}

static void trial_update(struct persistence *persistence, struct rate *rate, double outlook,
			 double x, double dt, double price)
{
	struct trial *trial = &rate->trial;

	if (trial->left > 0) {
		trial->left -= dt;
		trial->sum += x * dt;
		if (trial->left > dt / 2)
			return;
		trial_judge(persistence, trial, price);
		trial->left = 0;
	} else if (rate->mean + rate->slow > 0) {
		*trial = (struct trial){
			.left = outlook,
			.outlook = outlook,
			.slow = rate->slow,
			.level = rate->mean,
			.last = rate->last,
			.kind = kind_of(rate, dt),
			.echo = echo_of(rate),
		};
	}
}

static double echo_part(double outlook)
{
	return fmin(1, ECHO_SECONDS / fmax(outlook, 1));
}

void policy_forecast(struct persistence *persistence, struct rate *rate,
		     const struct policy_parameters *parameters, const struct pace *pace, double x,
		     double outlook, double price)
{
	double share, echo, half_band;

	/* So that a silent SA becomes idle and needs no more computation. */
	if (rate->mean <= 0 && rate->slow < fmax(NOTHING, NOTHING_SHARE * price))
		rate->slow = 0;
	trial_update(persistence, rate, fmax(outlook, pace->dt), x, pace->dt, price);
	share = kept_share(persistence, kind_of(rate, pace->dt));
	echo = echo_part(outlook) * echo_share(persistence, echo_of(rate));
	half_band = share * parameters->band_deviations * policy_rate_error(rate, pace);
	rate->expected =
		rate->slow + share * (rate->mean - rate->slow) + echo * (rate->last - rate->mean);
	rate->expected = fmax(0, rate->expected);
	rate->low = fmax(0, rate->expected - half_band);
	rate->high = rate->expected + half_band;
}
