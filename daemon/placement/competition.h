/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Configures which table of a NIC an SA competes for. */
#pragma once

#include "placement/nics.h"
#include "sa/cpu-costs.h"
#include "sa/software.h"

/* Nothing of it is owned. */
struct competition {
	const struct config *config;
	struct policy *policy;
	struct nics *nics;
	const struct orders *orders;
	struct sa_table *sas;
	struct software *software;
	struct cpu_costs *cpu_costs; /* NULL: SAs are ranked by bytes */
	size_t few;                  /* with more SAs, the NICs of idle ones are not looked up */
};

/* Finds the SA's order, rule, group and NIC, and configures the SA in the policy: table, weight,
 * hands off. With very many SAs, an idle one that the policy would leave in software in any case
 * gets CANDIDACY_IDLE: a lookup for each would take seconds at the start and after each change of
 * an address, and memory for each of their peers. Without memory the SA gets no handle and stays
 * where it is; the next sample tries again. `now`: s, monotonic. */
void competition_configure(const struct competition *competition, struct sa *sa, double now);
