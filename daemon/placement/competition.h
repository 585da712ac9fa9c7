/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An SA enters the competition for the slots of the NIC that it leaves by. */
#pragma once

#include "placement/nics.h"

/* Nothing of it is owned. */
struct competition {
	const struct config *config;
	struct policy *policy;
	struct nics *nics;
	struct sa_table *sas;
};

/* Finds the SA's rule, group and NIC, and tells the policy what follows from them: table, weight,
 * hands off. Without memory it stays where it is, and is tried again with the next sample. `now`:
 * s, monotonic. */
void competition_configure(const struct competition *competition, struct sa *sa, double now);
