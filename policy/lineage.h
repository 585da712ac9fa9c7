/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lineages: the state that is kept across rekeys, see lineage.c.
 */
#pragma once

#include "heat.h"

#include <stddef.h>

#define LINEAGE_SIZE_MAX 64

struct lineage_id policy_lineage_id(const struct policy *policy, const void *lineage, size_t size);
/* The SA becomes the newest of its lineage, and inherits the heat of the one before it. */
void policy_lineage_join(struct policy *policy, struct sa *sa);
/* No SA has this SA as its predecessor any more. */
void policy_lineage_disown(struct policy *policy, const struct sa *sa);
/* Removes the SA from its lineage. The heat of the last one that has heat is kept for a minute. */
void policy_lineage_leave(struct policy *policy, struct sa *sa);
