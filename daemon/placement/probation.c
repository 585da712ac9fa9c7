// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/probation.h"

#include <stdlib.h>

#define PROBATION_SECONDS 10.0
/* More failures than packets that were in transit during the move can cause. */
#define FAILURES_MAX 4
#define REPLAYS_MAX 32

void probation_begin(struct sa *sa, const struct sa_facts *facts, double from)
{
	if (!sa->probation)
		sa->probation = malloc(sizeof(*sa->probation));
	if (!sa->probation)
		return;
	*sa->probation = (struct sa_probation){
		.from = from,
		.until = from + PROBATION_SECONDS,
		.failures = facts->integrity_failures,
		.replayed = facts->replayed,
	};
}

void probation_end(struct sa *sa)
{
	free(sa->probation);
	sa->probation = NULL;
}

static const char *find_fault(const struct sa_probation *probation, const struct sa_facts *facts)
{
	if (facts->integrity_failures > probation->failures + FAILURES_MAX)
		return "integrity-failures";
	if (facts->replayed > probation->replayed + REPLAYS_MAX)
		return "replays";
	return NULL;
}

const char *probation_check(struct sa *sa, const struct sa_facts *facts, double now)
{
	struct sa_probation *probation = sa->probation;
	const char *fault;

	if (!probation)
		return NULL;
	if (sa->residence.ifindex == 0 || now > probation->until) {
		probation_end(sa);
		return NULL;
	}
	if (now < probation->from) {
		probation->failures = facts->integrity_failures;
		probation->replayed = facts->replayed;
		return NULL;
	}
	fault = find_fault(probation, facts);
	if (fault)
		probation_end(sa);
	return fault;
}
