/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What will this SA carry in the next seconds? Something between its present level and its
 * long-run average:
 *
 *     expected = slow + share * (level - slow)
 *
 * The share that lasts is not a parameter, it is what lasted so far. Noise comes back to the
 * average (a share near 0), a changed route does not (near 1), a burst of flows lasts the longer
 * the longer it has lasted. So levels are sorted into kinds - their age, the size of the step from
 * the average, up or down - and for each kind the share is learned from all SAs together: every SA
 * has one forecast on trial at a time, and when its `outlook` is over, what was carried is compared
 * with what was expected. Each kind keeps a regression through the origin, that forgets with the
 * number of trials.
 *
 * An SA that fell silent is thus not at once the coldest of all: if silences here are short, it is
 * expected to come back. And a single high sample is no reason to move if such samples never last.
 */
#include "forecast.h"

#include "policy.h"

#include <math.h>

/* Sizes of steps, |level - slow| / (level + slow): a factor of 2.3 and one of 9. */
#define STEP_LARGE 0.4
#define STEP_VERY_LARGE 0.8
/* A smaller step tells nothing of what lasts. */
#define STEP_MIN 0.05
/* Each trial of a kind lets the earlier ones fade by this share. */
#define FADE 0.001
/* Before anything is learned levels are believed to last, with the weight of so many clear trials.
 */
#define PRIOR_TRIALS 1.0
/* One trial counts for no more than this, however much the SA carried meanwhile. */
#define SHARE_MIN (-1.0)
#define SHARE_MAX 2.0
/* Levels below this share of the price do not matter and do not teach. */
#define RELEVANT_SHARE 0.5
/* An average that is as good as nothing: bytes/s, and as a share of the price. */
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

static void trial_judge(struct persistence *persistence, const struct trial *trial, double seconds,
			double price)
{
	double size = trial->level + trial->slow, step = trial->level - trial->slow;
	double share, weight;

	if (size <= RELEVANT_SHARE * price || step_of(trial->level, trial->slow) < STEP_MIN)
		return;
	share = (trial->sum / seconds - trial->slow) / step;
	share = fmin(fmax(share, SHARE_MIN), SHARE_MAX);
	weight = step / size * (step / size);
	persistence->kept[trial->kind] =
		(1 - FADE) * persistence->kept[trial->kind] + weight * share;
	persistence->seen[trial->kind] = (1 - FADE) * persistence->seen[trial->kind] + weight;
}

static void trial_update(struct persistence *persistence, struct rate *rate, uint32_t kind,
			 double outlook, double x, double dt, double price)
{
	struct trial *trial = &rate->trial;

	if (trial->left > 0) {
		trial->left -= dt;
		trial->sum += x * dt;
		if (trial->left > dt / 2)
			return;
		trial_judge(persistence, trial, outlook - trial->left, price);
		trial->left = 0;
	} else if (rate->mean + rate->slow > 0) {
		*trial = (struct trial){
			.left = outlook,
			.slow = rate->slow,
			.level = rate->mean,
			.kind = kind,
		};
	}
}

void policy_forecast(struct persistence *persistence, struct rate *rate,
		     const struct policy_parameters *parameters, const struct pace *pace, double x,
		     double price)
{
	uint32_t kind = kind_of(rate, pace->dt);
	double share, half_band;

	/* So that an SA that fell silent is no work one day. */
	if (rate->mean <= 0 && rate->slow < fmax(NOTHING, NOTHING_SHARE * price))
		rate->slow = 0;
	trial_update(persistence, rate, kind, fmax(parameters->outlook, pace->dt), x, pace->dt,
		     price);
	share = (persistence->kept[kind] + PRIOR_TRIALS) / (persistence->seen[kind] + PRIOR_TRIALS);
	share = fmin(fmax(share, 0), 1);
	half_band = share * policy_rate_half_band(rate, parameters, pace);
	rate->expected = rate->slow + share * (rate->mean - rate->slow);
	rate->low = fmax(0, rate->expected - half_band);
	rate->high = rate->expected + half_band;
}
