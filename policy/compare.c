/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds out whether the NIC slows an SA down.
 *
 * If an SA carries less after its promotion than before, the NIC may be the cause, or the traffic:
 * SAs are promoted at their peak, and most decrease by themselves. So an SA whose rate in the NIC
 * is significantly lower goes back to software for a comparison. Only if it then carries more
 * again, the NIC is the cause, and the SA stays out with a doubling back-off. Otherwise the SA may
 * be promoted again, and SAs in this NIC are doubted more rarely from then on.
 *
 * A cause that slows down all SAs (an outage, a busy CPU) is no reason to doubt: the SAs that are
 * not compared show how much is due to that. At first only one SA of a table is doubted at a time.
 * Each verdict that the NIC is the cause allows two more.
 */
#include "compare.h"

#include "state.h"

#include <math.h>
#include <stdlib.h>

/* Least length of a window: the rate over a shorter time varies too much. */
#define WINDOW_SECONDS 4.0
#define WINDOW_SAMPLES 4
/* Samples further apart than this are not compared, since a decrease may have other causes. */
#define INTERVAL_SECONDS_MAX 5.0
/* The comparison ends after this time if the difference is still not significant. */
#define IN_NIC_SECONDS_MAX 20.0
/* An SA is slower if it carries less than this share of its rate in software. For smaller
 * differences the comparison costs more than it can win. The means must also differ by this many of
 * their errors (in mean absolute deviations, 0.8 of a standard deviation), by more if there were
 * few samples in software. */
#define SLOWER_SHARE 0.7
#define ERRORS 4.0
#define ERRORS_AFTER_FEW 6.0
/* Below this share the SA has stopped. That needs no statistics if at least STOPPED_BYTES were
 * expected. */
#define STOPPED_SHARE 0.1
#define STOPPED_BYTES 65536.0
/* Longest wait, s, for a doubt of an SA that has stopped. */
#define STOPPED_WAIT 60.0
/* The other SAs are used for comparison only if they carry at least this share of the SA's rate. */
#define OTHERS_SHARE 0.25
/* Windows in software. A TCP connection that was interrupted retransmits only after some
 * seconds. */
#define RETURNED_WINDOWS 2
#define RETURNED_WINDOWS_STOPPED 5
/* s after which a doubt without a verdict ends. */
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

void policy_compare_end(struct sa *sa)
{
	if (!sa->heat)
		return;
	free(sa->heat->comparison);
	sa->heat->comparison = NULL;
}

void policy_compare_begin(struct policy *policy, struct sa *sa)
{
	const struct rate *rate = &sa_heat(sa)->rate;
	struct comparison *comparison;

	policy_compare_end(sa);
	/* The rate of a successor without traffic is only inherited, not measured. */
	if (!sa->known || fmin(rate->mean, rate->expected) <= 0 || sa->heat->inherited > 0)
		return;
	comparison = malloc(sizeof(*comparison));
	if (!comparison)
		return;
	*comparison = (struct comparison){
		.stage = COMPARISON_IN_NIC,
		.table = sa->placed,
		.before = fmin(rate->mean, rate->expected),
		.usual = rate->slow,
		.n_before = policy_rate_weight(rate, &policy->pace),
		.deviation = rate->deviation,
	};
	window_begin(policy, comparison);
	sa->heat->comparison = comparison;
}

void policy_compare_evicted(struct policy *policy, struct sa *sa)
{
	struct comparison *comparison;

	if (sa_comparison_stage(sa) != COMPARISON_DOUBTED || sa->made_worse) {
		policy_compare_end(sa);
		return;
	}
	comparison = sa->heat->comparison;
	comparison->stage = COMPARISON_RETURNED;
	comparison->windows = 0;
	window_begin(policy, comparison);
	sa->retry_at = policy->now + ANSWER_SECONDS;
}

/* The rate that is expected of the SA now if the NIC is as fast as software. */
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

/* The present deviation of single samples from their mean. The mean difference of two successive
 * samples is sqrt(2) times as large. */
static double deviation_now(const struct comparison *comparison)
{
	return comparison->n < 2 ? 0 : comparison->varied / (comparison->n - 1) / sqrt(2);
}

/* Whether the difference is statistically significant. */
static bool is_certain(const struct comparison *comparison, double rate, double expected)
{
	double deviation = comparison->deviation, errors = ERRORS;

	if (is_stopped(rate, expected) && expected * comparison->seconds >= STOPPED_BYTES)
		return true;
	if (comparison->n_before < WINDOW_SAMPLES) {
		/* With few samples before, the present deviation is measured and used. */
		if (comparison->n < 2 * WINDOW_SAMPLES)
			return false;
		errors = ERRORS_AFTER_FEW;
		if (rate > 0)
			deviation = deviation_now(comparison) / rate * comparison->before;
	}
	return expected - rate >
	       errors * deviation * sqrt(1 / comparison->n_before + 1.0 / comparison->n);
}

/* Whether another SA of the table may be doubted. A doubt is paid from the ledger, which it may
 * overdraw once. The number of simultaneous doubts is limited by table->doubts. After verdicts that
 * the NIC is not the cause, doubts must wait longer, but at most STOPPED_WAIT for an SA that has
 * stopped. A doubt may end without a verdict. */
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
	struct comparison *comparison = sa->heat->comparison;
	double expected = expected_rate(policy, comparison);
	/* An SA that carries its long-run average again has only passed its peak. */
	double usual = fmin(1, comparison->usual / comparison->before) * expected;

	if (rate >= SLOWER_SHARE * usual ||
	    /* A rule pins the SA, so it may be slower, but must not stop. */
	    (sa->config.pinned && !is_stopped(rate, expected))) {
		policy_compare_end(sa);
	} else if (!table->lag_known && !is_stopped(rate, expected)) {
		/* The driver may not show all of its traffic yet. */
		window_begin(policy, comparison);
	} else if (!is_certain(comparison, rate, expected)) {
		if (comparison->seconds >= IN_NIC_SECONDS_MAX)
			policy_compare_end(sa);
	} else if (may_doubt(policy, table, is_stopped(rate, expected))) {
		table->ledger -= policy->parameters.payback * policy_cost(table, sa);
		table->doubts -= table->doubts > 0;
		table->doubted_at = policy->now;
		comparison->in_nic = rate;
		comparison->stage = COMPARISON_DOUBTED;
		policy_requeue(policy, sa);
	} else {
		/* Measure again, so that the rate is recent when it may be doubted. */
		window_begin(policy, comparison);
	}
}

static void blame(struct policy *policy, struct sa *sa)
{
	struct table *table = &policy->tables[sa->heat->comparison->table];

	/* The bytes that it carried since its return pay for doubts only, not for a promotion. */
	table->ledger += sa_weight(sa) * sa->heat->accrued;
	sa->heat->accrued = 0;
	sa->heat->born = policy->now;
	table->doubts += 2;
	table->cleared /= 2;
	table->judged_at = policy->now;
	sa->heat->comparison->stage = COMPARISON_SLOWER;
	sa->heat->trust /= 2;
	sa->made_worse = true;
	policy_sa_back_off(policy, sa);
}

static void clear(struct policy *policy, struct sa *sa)
{
	struct table *table = &policy->tables[sa->heat->comparison->table];

	table->doubts = 1;
	if (table->cleared < CLEARED_WAITS_MAX)
		table->cleared++;
	table->judged_at = policy->now;
	sa->heat->comparison->stage = COMPARISON_CLEARED;
	sa->retry_at = policy->now;
	sa->heat->refusals = 0;
}

static void judge_returned(struct policy *policy, struct sa *sa, double rate)
{
	struct comparison *comparison = sa->heat->comparison;
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

/* Sums up the SAs that are not compared, as a reference for those that are. */
static void note_others(struct policy *policy, const struct sa *sa, double carried, double dt)
{
	if (sa_heat(sa)->rate.n_slow == 0)
		return;
	policy->others_carried += carried;
	policy->others_expected += sa_heat(sa)->rate.slow * dt;
}

void policy_compare_sample(struct policy *policy, struct sa *sa, double carried)
{
	enum comparison_stage stage = sa_comparison_stage(sa);
	struct comparison *comparison;
	double since, dt;

	if (stage != COMPARISON_IN_NIC && stage != COMPARISON_RETURNED) {
		if (stage != COMPARISON_DOUBTED)
			note_others(policy, sa, carried, policy->now - sa->sampled);
		return;
	}
	comparison = sa->heat->comparison;
	since = fmax(comparison->counted, sa->sampled);
	dt = policy->now - since;
	comparison->counted = policy->now;
	/* Only samples that lie completely in one place. */
	if (dt > INTERVAL_SECONDS_MAX || sa->pending != PENDING_NONE || since < sa->moved)
		return;
	if (comparison->n > 0)
		comparison->varied += fabs(carried / dt - comparison->last);
	comparison->last = carried / dt;
	comparison->carried += carried;
	comparison->seconds += dt;
	comparison->n++;
	if (comparison->n < WINDOW_SAMPLES || comparison->seconds < WINDOW_SECONDS)
		return;
	if (stage == COMPARISON_IN_NIC)
		judge_in_nic(policy, sa, comparison->carried / comparison->seconds);
	else
		judge_returned(policy, sa, comparison->carried / comparison->seconds);
}

bool policy_sa_take_verdict(struct policy *policy, policy_sa handle,
			    struct policy_verdict *ret_verdict)
{
	const struct comparison *comparison;
	struct sa *sa;

	if (handle >= policy->n_sas || !policy->sas[handle].used)
		return false;
	sa = &policy->sas[handle];
	comparison = sa_heat(sa)->comparison;
	if (!comparison ||
	    (comparison->stage != COMPARISON_SLOWER && comparison->stage != COMPARISON_CLEARED))
		return false;
	*ret_verdict = (struct policy_verdict){
		.table = comparison->table,
		.slower = comparison->stage == COMPARISON_SLOWER,
		.stopped = is_stopped(comparison->in_nic, comparison->before),
		.before = comparison->before,
		.in_nic = comparison->in_nic,
		.after = comparison->after,
		.wait = fmax(0, sa->retry_at - policy->now),
	};
	policy_compare_end(sa);
	return true;
}
