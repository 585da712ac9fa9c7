// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/probation.h"

#define PROBATION_SECONDS 10.0
/* More failures than packets that were in transit during the move can cause. */
#define FAILURES_MAX 4
#define REPLAYS_MAX 32

void probation_begin(struct sa *sa, const struct sa_facts *facts, double from)
{
	sa->probation = (struct sa_probation){
		.from = from,
		.until = from + PROBATION_SECONDS,
		.failures = facts->integrity_failures,
		.replayed = facts->replayed,
	};
}

void probation_end(struct sa *sa)
{
	sa->probation = (struct sa_probation){};
}

static const char *find_fault(const struct sa *sa, const struct sa_facts *facts)
{
	if (facts->integrity_failures > sa->probation.failures + FAILURES_MAX)
		return "integrity-failures";
	if (facts->replayed > sa->probation.replayed + REPLAYS_MAX)
		return "replays";
	return NULL;
}

const char *probation_check(struct sa *sa, const struct sa_facts *facts, double now)
{
	const char *fault;

	if (sa->residence.ifindex == 0 || now > sa->probation.until) {
		probation_end(sa);
		return NULL;
	}
	if (now < sa->probation.from) {
		sa->probation.failures = facts->integrity_failures;
		sa->probation.replayed = facts->replayed;
		return NULL;
	}
	fault = find_fault(sa, facts);
	if (fault)
		probation_end(sa);
	return fault;
}
