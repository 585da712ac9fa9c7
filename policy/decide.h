/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct policy;
struct table;

/* Appends the moves of one table to the plan. */
/* Only evictions of SAs that may not be there. */
void policy_vacate(struct policy *policy, struct table *table);
void policy_decide(struct policy *policy, struct table *table);
