/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why an SA is where it is: of all that is known of it, the reason that decides. */
#pragma once

#include "policy.h"
#include "sa/table.h"

struct standing {
	enum {
		STANDING_POLICY,
		STANDING_CANDIDACY,
		STANDING_HANDS_OFF,
	} kind;
	union {
		enum policy_reason policy;
		enum candidacy candidacy;
		enum hands_off hands_off;
	};
};

/* `reason`: of policy_sa_get(). It matters only if nothing else decides. */
struct standing standing_of(const struct sa *sa, enum policy_reason reason);
const char *standing_name(struct standing standing); /* kebab-case, static */

/* Numbers of SAs in software. */
struct standing_counts {
	uint32_t policy[_POLICY_REASON_MAX];
	uint32_t candidacy[_CANDIDACY_MAX];
	uint32_t hands_off[_HANDS_OFF_MAX];
};

/* Does nothing for an SA in a NIC. */
void standing_count(struct standing_counts *counts, const struct policy *policy,
		    const struct sa *sa, double now);
