/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct policy;
struct table;

/* Both append moves of one table to the plan. */
/* Only evictions of SAs that must not be in the table. */
void policy_vacate(struct policy *policy, struct table *table);
void policy_decide(struct policy *policy, struct table *table);
