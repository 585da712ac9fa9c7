/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether and when an SA may move: what the policy, the NICs and the orders say of it. */
#pragma once

#include "control/describe.h"

struct prospects {
	struct policy_sa_view view;
	struct explanation place;
	const struct sa *other;         /* the SA of view.other, NULL: none */
	bool competes;                  /* for a slot of its candidate */
	const char *nic;                /* whose table it competes for or is in; NULL: none */
	const char *side;               /* "inbound ", "outbound ", or "" if they share slots */
	struct policy_table_view slots; /* if there is a NIC */
	double moves_in;                /* s, as policy_sa_view has it, in view of all components */
	double probation;               /* s left; 0: it is not in probation */
	const char *change;             /* a sentence: what would have to change for it to move */
};

void prospects_of(struct manager *m, const struct sa *sa, struct prospects *ret_prospects);
