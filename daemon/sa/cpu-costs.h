/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the SAs' algorithms cost in software, for `rank-by: cpu`.
 *
 * Algorithms are measured when the first SA has them, by a thread of its own, so that the daemon
 * waits for nothing: a driver that never answers keeps this thread only. It has nothing in common
 * with the rest of the daemon but the list of what it measures, and no key of an SA.
 */
#pragma once

#include "base/cipher-cost.h"
#include "cleanup.h"
#include "sa-shape.h"

struct cpu_costs;

/* As cipher_cost_measure(), called by the thread. */
typedef int (*cpu_costs_measure)(const struct cipher *cipher, struct policy_cpu_cost *ret_cost);

/* `measure` NULL: no cost is ever known. -ENOMEM. */
int cpu_costs_new(cpu_costs_measure measure, struct cpu_costs **ret_costs);
struct cpu_costs *cpu_costs_free(struct cpu_costs *costs); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct cpu_costs *, cpu_costs_free);

/* 1 + the index of the algorithm of a shape, which is to be measured if it is new. 0: there are
 * POLICY_CPU_COSTS_MAX others, or it has none. */
uint32_t cpu_costs_find(struct cpu_costs *costs, const struct sa_shape *shape);
/* All algorithms are to be measured again, since drivers have changed. Until then they have the
 * costs that they had. */
void cpu_costs_renew(struct cpu_costs *costs);
/* Takes the results of the thread if it has ended, and begins the next measurement if there is
 * something to measure. Returns whether there were results. */
bool cpu_costs_run(struct cpu_costs *costs);
/* Waits for the end of the thread, if there is one: for tests. */
void cpu_costs_wait(struct cpu_costs *costs);

/* The costs of all algorithms in ns, zeroed where they are not known, for policy_set_cpu_costs().
 */
const struct policy_cpu_cost *cpu_costs_values(const struct cpu_costs *costs, size_t *ret_n);

struct cpu_costs_view {
	const struct cipher *cipher;
	struct policy_cpu_cost cost; /* zeroed: not known */
	bool measured;               /* false: not yet */
	int error;                   /* why it is not known, or 0 */
};
/* `index`: less than the number of cpu_costs_values(). */
struct cpu_costs_view cpu_costs_get(const struct cpu_costs *costs, size_t index);
/* Why no algorithm has a cost: 0: one has, or none was measured yet. */
int cpu_costs_error(const struct cpu_costs *costs);
/* The errors of measurements, in words. */
const char *cpu_costs_error_text(int error);
