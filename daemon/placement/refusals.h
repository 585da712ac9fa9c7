/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shapes of SAs that a NIC's driver refused, until the configuration or the NIC changes. An SA
 * of such a shape is not offered again at all, or not for some time, which doubles with every
 * further refusal.
 */
#pragma once

#include "cleanup.h"
#include "sa-shape.h"

#include <stdbool.h>

/* What a refusal says. */
enum refusal_cause {
	REFUSAL_UNSUPPORTED, /* about the SA: EINVAL, EOPNOTSUPP */
	REFUSAL_SILENT,      /* the same, without a word: the kernel left the SA in software */
	REFUSAL_NO_SPACE,
	REFUSAL_TEMPORARY, /* another error: a lack of the moment */
	REFUSAL_ELSEWHERE, /* the SA came into another device */
	_REFUSAL_CAUSE_MAX,
};
const char *refusal_cause_name(enum refusal_cause cause); /* kebab-case, static */

struct refusals;

int refusals_new(struct refusals **ret_refusals);
struct refusals *refusals_free(struct refusals *refusals); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct refusals *, refusals_free);

/* All times are s, monotonic. Shapes are compared by address: sa_table_shape() never frees one. */

/* Notes a refusal. `wait`: s, for the first refusal. `text` is copied. Returns false if there is no
 * room or no memory: the shape is not remembered. */
bool refusals_add(struct refusals *refusals, int ifindex, const struct sa_shape *shape, double wait,
		  const char *text, double now);
/* Returns whether there was one. */
bool refusals_remove(struct refusals *refusals, int ifindex, const struct sa_shape *shape);
void refusals_remove_nic(struct refusals *refusals, int ifindex);
void refusals_clear(struct refusals *refusals);
/* Whether the shape must not be offered now. `retry`: it may be offered when its time is over.
 * `ret_text` may be NULL; it is set when the result is true, and valid until the next change. */
bool refusals_hold(const struct refusals *refusals, int ifindex, const struct sa_shape *shape,
		   bool retry, double now, const char **ret_text);
/* Seconds until the shape may be offered again, 0: its time is over, or it was not refused. */
double refusals_wait(const struct refusals *refusals, int ifindex, const struct sa_shape *shape,
		     double now);
/* Returns whether the time of a refusal has ended since the last call. */
bool refusals_expire(struct refusals *refusals, double now);
