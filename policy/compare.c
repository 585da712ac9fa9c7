/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Does the NIC slow an SA down?
 *
 * An SA that carries less after its promotion than before gives rise to the question, but no
 * answer: SAs are promoted at their peak, and most fall by themselves. So the answer is asked of
 * software. An SA that is slower in the NIC beyond chance goes back, and only if it then carries
 * more again the NIC is to blame: the SA stays out, with a doubling back-off. If it does not, it
 * may be promoted again, and the NIC is asked more rarely from then on.
 *
 * What slows down everything (an outage, a busy CPU) is no reason to doubt: the SAs that are not
 * compared tell by how much. And at first one SA of a table is doubted at a time; only if the NIC
 * was to blame there may be two for it.
 */
#include "compare.h"

#include "state.h"

#include <math.h>

/* A window: the rate of a shorter time says little. */
#define WINDOW_SECONDS 4.0
#define WINDOW_SAMPLES 4
/* With samples further apart than this a fall has had time for other causes. */
#define INTERVAL_SECONDS_MAX 5.0
/* A difference that is not beyond chance after this long is not waited for. */
#define IN_NIC_SECONDS_MAX 20.0
/* Below this share of what it carried in software it is slower; for less, more is lost by asking
 * than is to be had. And the means must differ by so many of their errors (in mean absolute
 * deviations, 0.8 of a standard deviation), by more if there were few samples in software. */
#define SLOWER_SHARE 0.7
#define ERRORS 4.0
#define ERRORS_AFTER_FEW 6.0
/* Below this it stands still, which needs no statistics, if there was something to expect. */
#define STOPPED_SHARE 0.1
#define STOPPED_BYTES 65536.0
/* Longest wait for doubts of SAs that stand still. */
#define STOPPED_WAIT 60.0
/* The others must carry at least this share of what it did, or they are no measure. */
#define OTHERS_SHARE 0.25
/* Windows in software. TCP that was cut off takes some seconds until it tries again. */
#define RETURNED_WINDOWS 2
#define RETURNED_WINDOWS_STOPPED 5
/* Without an answer by then there is none. */
#define ANSWER_SECONDS 40.0
#define CLEARED_WAITS_MAX 30

static void window_begin(const struct policy *policy, struct comparison *comparison)
{
	comparison->carried = 0;
	comparison->seconds = 0;
	comparison->varied = 0;
	comparison->n = 0;
	comparison->others_carried = policy->others_carried;
	comparison->others_expected = policy->others_expected;
}

void policy_compare_begin(struct policy *policy, struct sa *sa)
{
	const struct rate *rate = &sa->heat.rate;

	sa->comparison = (struct comparison){};
	/* An heir that has carried nothing yet has only been told its rate. */
	if (!sa->known || fmin(rate->mean, rate->expected) <= 0 || sa->inherited > 0)
		return;
	sa->comparison = (struct comparison){
		.stage = COMPARISON_IN_NIC,
		.table = sa->placed,
		.before = fmin(rate->mean, rate->expected),
		.usual = rate->slow,
		.n_before = policy_rate_weight(rate, &policy->pace),
		.deviation = rate->deviation,
	};
	window_begin(policy, &sa->comparison);
}

void policy_compare_evicted(struct policy *policy, struct sa *sa)
{
	struct comparison *comparison = &sa->comparison;

	if (comparison->stage != COMPARISON_DOUBTED || sa->made_worse) {
		*comparison = (struct comparison){};
		return;
	}
	comparison->stage = COMPARISON_RETURNED;
	comparison->windows = 0;
	window_begin(policy, comparison);
	sa->retry_at = policy->now + ANSWER_SECONDS;
}

/* What is to be expected of the SA now, if the NIC does what software did. */
static double expected_rate(const struct policy *policy, const struct comparison *comparison)
{
	double carried = policy->others_carried - comparison->others_carried;
	double expected = policy->others_expected - comparison->others_expected;

	if (expected < OTHERS_SHARE * comparison->before * comparison->seconds)
		return comparison->before;
	return comparison->before * fmin(1, carried / expected);
}

static bool is_stopped(double rate, double expected)
{
	return rate < STOPPED_SHARE * expected;
}

/* Of single samples from their mean, as it is now: half the difference of two is such a deviation,
 * but for the root. */
static double deviation_now(const struct comparison *comparison)
{
	return comparison->n < 2 ? 0 : comparison->varied / (comparison->n - 1) / sqrt(2);
}

/* Beyond chance. */
static bool is_certain(const struct comparison *comparison, double rate, double expected)
{
	double deviation = comparison->deviation, errors = ERRORS;

	if (is_stopped(rate, expected) && expected * comparison->seconds >= STOPPED_BYTES)
		return true;
	if (comparison->n_before < WINDOW_SAMPLES) {
		/* What it was before is a guess then; what it is now is measured. */
		if (comparison->n < 2 * WINDOW_SAMPLES)
			return false;
		errors = ERRORS_AFTER_FEW;
		if (rate > 0)
			deviation = deviation_now(comparison) / rate * comparison->before;
	}
	return expected - rate >
	       errors * deviation * sqrt(1 / comparison->n_before + 1.0 / comparison->n);
}

/* Paid from what was left over, with one on credit. One at a time; as many more as the NIC was to
 * blame for. A NIC that was often not to blame is asked more rarely, but not for long where an SA
 * stands still. A doubt may end without an answer. */
static bool may_doubt(const struct policy *policy, const struct table *table, bool stopped)
{
	double wait = table->cleared > 0 ? policy_wait(policy, table->cleared) : 0;

	if (table->ledger < 0 ||
	    policy->now < table->judged_at + (stopped ? fmin(wait, STOPPED_WAIT) : wait))
		return false;
	return table->doubts > 0 || policy->now >= table->doubted_at + ANSWER_SECONDS;
}

static void judge_in_nic(struct policy *policy, struct sa *sa, double rate)
{
	struct table *table = &policy->tables[sa->placed];
	struct comparison *comparison = &sa->comparison;
	double expected = expected_rate(policy, comparison);
	/* Whoever is back at what it carries in the long run has only had its peak. */
	double usual = fmin(1, comparison->usual / comparison->before) * expected;

	if (rate >= SLOWER_SHARE * usual ||
	    /* Somebody wants it there, so slower will do; dead will not. */
	    (sa->config.pinned && !is_stopped(rate, expected))) {
		*comparison = (struct comparison){};
	} else if (!is_certain(comparison, rate, expected)) {
		if (comparison->seconds >= IN_NIC_SECONDS_MAX)
			*comparison = (struct comparison){};
	} else if (may_doubt(policy, table, is_stopped(rate, expected))) {
		table->ledger -= policy->parameters.payback * policy_cost(table, sa);
		table->doubts -= table->doubts > 0;
		table->doubted_at = policy->now;
		comparison->in_nic = rate;
		comparison->stage = COMPARISON_DOUBTED;
		policy_requeue(policy, sa);
	} else {
		/* When it is its turn, is it slower still? */
		window_begin(policy, comparison);
	}
}

static void blame(struct policy *policy, struct sa *sa)
{
	struct table *table = &policy->tables[sa->comparison.table];

	/* What it has carried since its return pays for doubts, and for nothing else. */
	table->ledger += sa->config.weight * sa->heat.accrued;
	sa->heat.accrued = 0;
	sa->heat.born = policy->now;
	table->doubts += 2;
	table->cleared /= 2;
	table->judged_at = policy->now;
	sa->comparison.stage = COMPARISON_SLOWER;
	sa->heat.trust /= 2;
	sa->made_worse = true;
	policy_sa_back_off(policy, sa);
}

static void clear(struct policy *policy, struct sa *sa)
{
	struct table *table = &policy->tables[sa->comparison.table];

	table->doubts = 1;
	if (table->cleared < CLEARED_WAITS_MAX)
		table->cleared++;
	table->judged_at = policy->now;
	sa->comparison.stage = COMPARISON_CLEARED;
	sa->retry_at = policy->now;
	sa->heat.refusals = 0;
}

static void judge_returned(struct policy *policy, struct sa *sa, double rate)
{
	struct comparison *comparison = &sa->comparison;
	bool stopped = is_stopped(comparison->in_nic, comparison->before);
	unsigned windows = stopped ? RETURNED_WINDOWS_STOPPED : RETURNED_WINDOWS;

	comparison->after = rate;
	if (rate >= (comparison->before + comparison->in_nic) / 2) {
		blame(policy, sa);
	} else if (++comparison->windows >= windows) {
		clear(policy, sa);
	} else {
		window_begin(policy, comparison);
		return;
	}
	policy_requeue(policy, sa);
}

/* How the SAs fare that are not compared, as a measure for those that are. */
static void note_others(struct policy *policy, const struct sa *sa, double carried, double dt)
{
	if (sa->heat.rate.n_slow == 0)
		return;
	policy->others_carried += carried;
	policy->others_expected += sa->heat.rate.slow * dt;
}

void policy_compare_sample(struct policy *policy, struct sa *sa, double carried, double dt)
{
	struct comparison *comparison = &sa->comparison;

	if (comparison->stage != COMPARISON_IN_NIC && comparison->stage != COMPARISON_RETURNED) {
		if (comparison->stage != COMPARISON_DOUBTED)
			note_others(policy, sa, carried, dt);
		return;
	}
	/* Only what was carried wholly in one place. */
	if (dt > INTERVAL_SECONDS_MAX || sa->pending != PENDING_NONE || sa->sampled < sa->moved)
		return;
	if (comparison->n > 0)
		comparison->varied += fabs(carried / dt - comparison->last);
	comparison->last = carried / dt;
	comparison->carried += carried;
	comparison->seconds += dt;
	comparison->n++;
	if (comparison->n < WINDOW_SAMPLES || comparison->seconds < WINDOW_SECONDS)
		return;
	if (comparison->stage == COMPARISON_IN_NIC)
		judge_in_nic(policy, sa, comparison->carried / comparison->seconds);
	else
		judge_returned(policy, sa, comparison->carried / comparison->seconds);
}

bool policy_sa_take_verdict(struct policy *policy, policy_sa handle,
			    struct policy_verdict *ret_verdict)
{
	struct sa *sa;

	if (handle >= policy->n_sas || !policy->sas[handle].used)
		return false;
	sa = &policy->sas[handle];
	if (sa->comparison.stage != COMPARISON_SLOWER && sa->comparison.stage != COMPARISON_CLEARED)
		return false;
	*ret_verdict = (struct policy_verdict){
		.table = sa->comparison.table,
		.slower = sa->comparison.stage == COMPARISON_SLOWER,
		.stopped = is_stopped(sa->comparison.in_nic, sa->comparison.before),
		.before = sa->comparison.before,
		.in_nic = sa->comparison.in_nic,
		.after = sa->comparison.after,
		.wait = fmax(0, sa->retry_at - policy->now),
	};
	sa->comparison = (struct comparison){};
	return true;
}
