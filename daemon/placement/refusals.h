/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shapes of SAs that a NIC's driver refused. Each is refused for a time, which doubles with
 * every further refusal.
 */
#pragma once

#include "cleanup.h"
#include "sa-shape.h"

#include <stdbool.h>

struct refusals;

int refusals_new(struct refusals **ret_refusals);
struct refusals *refusals_free(struct refusals *refusals); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct refusals *, refusals_free);

/* All times are s, monotonic. A shape is known by its address: sa_table_shape() never frees one. */

/* `wait`: s, the first time. Without room the shape is not remembered, and is offered again. */
void refusals_add(struct refusals *refusals, int ifindex, const struct sa_shape *shape, double wait,
		  const char *text, double now);
void refusals_remove(struct refusals *refusals, int ifindex, const struct sa_shape *shape);
void refusals_clear(struct refusals *refusals);
/* `ret_text` may be NULL; it is set when the shape is refused now, and valid until the next
 * change. */
bool refusals_hold(const struct refusals *refusals, int ifindex, const struct sa_shape *shape,
		   double now, const char **ret_text);
/* Whether the time of one is over since the last call. */
bool refusals_expire(struct refusals *refusals, double now);
