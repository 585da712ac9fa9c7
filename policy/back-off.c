/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long an SA waits before it may be promoted again. */
#include "state.h"

#include <math.h>

/* Most doublings of the wait after a refusal: from 60 s, six reach an hour. */
#define REFUSALS_MAX 30

double policy_wait(const struct policy *policy, uint32_t times)
{
	double wait = policy->parameters.refused_wait * exp2(times - 1.0);

	return fmin(wait, fmax(WAIT_SECONDS_MAX, policy->parameters.refused_wait));
}

void policy_set_refused_wait(struct policy *policy, double seconds)
{
	policy->parameters.refused_wait = seconds;
}

void policy_sa_back_off(struct policy *policy, struct sa *sa)
{
	uint32_t refusals = sa_heat(sa)->refusals;

	if (refusals < REFUSALS_MAX)
		refusals++;
	sa->retry_at = policy->now + policy_wait(policy, refusals);
	/* A pinned SA may be idle. Without memory its next wait is not longer than this one. */
	if (!sa->heat)
		policy_heat_new(policy, sa, policy->now);
	if (sa->heat)
		sa->heat->refusals = refusals;
}
