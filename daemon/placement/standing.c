// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/standing.h"

static struct standing of_policy(enum policy_reason reason)
{
	return (struct standing){.kind = STANDING_POLICY, .policy = reason};
}

struct standing standing_of(const struct sa *sa, enum policy_reason reason)
{
	if (sa->residence.foreign || sa->hands_off != HANDS_OFF_NONE)
		return (struct standing){.kind = STANDING_HANDS_OFF, .hands_off = sa->hands_off};
	if (sa->residence.ifindex != 0)
		return of_policy(reason);
	if (sa->candidate.candidacy == CANDIDACY_REFUSED_SHAPE)
		return of_policy(POLICY_REASON_REFUSED);
	/* The rule or order decides, not the NIC. */
	if (sa->candidate.offload == CONFIG_OFFLOAD_NEVER)
		return of_policy(POLICY_REASON_BANNED);
	if (sa->candidate.candidacy != CANDIDACY_OK)
		return (struct standing){.kind = STANDING_CANDIDACY,
					 .candidacy = sa->candidate.candidacy};
	return of_policy(reason);
}

const char *standing_name(struct standing standing)
{
	switch (standing.kind) {
	case STANDING_CANDIDACY:
		return candidacy_name(standing.candidacy);
	case STANDING_HANDS_OFF:
		return hands_off_name(standing.hands_off);
	case STANDING_POLICY:
		break;
	}
	return policy_reason_name(standing.policy);
}

/* The policy is asked only where its answer matters: of 100,000 SAs most are idle. */
static enum policy_reason reason_of(const struct policy *policy, const struct sa *sa, double now)
{
	struct policy_sa_view view = {.reason = POLICY_REASON_NO_TABLE};

	if (sa->hands_off == HANDS_OFF_NONE && sa->candidate.candidacy == CANDIDACY_OK &&
	    sa->handle != POLICY_NONE)
		policy_sa_get(policy, sa->handle, now, &view);
	return view.reason;
}

void standing_count(struct standing_counts *counts, const struct policy *policy,
		    const struct sa *sa, double now)
{
	struct standing standing;

	if (sa->residence.ifindex != 0)
		return;
	standing = standing_of(sa, reason_of(policy, sa, now));
	switch (standing.kind) {
	case STANDING_POLICY:
		counts->policy[standing.policy]++;
		break;
	case STANDING_CANDIDACY:
		counts->candidacy[standing.candidacy]++;
		break;
	case STANDING_HANDS_OFF:
		counts->hands_off[standing.hands_off]++;
		break;
	}
}
