/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

struct policy;
struct table;

/* Appends the moves of one table to the plan. */
void policy_decide(struct policy *policy, struct table *table);
