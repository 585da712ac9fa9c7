/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SAs by their rate, hottest first, as they were when the ranking was made. It holds
 * identities, so an SA may end before its ranking does. Rows are sorted when they are asked for:
 * the first few of 100,000 cost little more than a pass over all.
 */
#pragma once

#include "manager/manager.h"

struct ranking;

/* Those in use. All zero: none. */
struct rankings {
	struct ranking *newest; /* NULL: none */
	size_t bytes;           /* of all */
};

/*
 * A ranking of now, or one that is not much older: making them takes a small part of the time,
 * however many ask. While those in use take much memory, the newest has to do. A pass over all SAs.
 * The caller gets a reference. -ENOMEM.
 */
int rankings_get(struct rankings *rankings, const struct manager *m, struct ranking **ret_ranking);
/* When none is in use any more. */
void rankings_release(struct rankings *rankings);

struct ranking *ranking_unref(struct ranking *ranking); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct ranking *, ranking_unref);

size_t ranking_size(const struct ranking *ranking);
/* The SA at a place; place 0 is the hottest. */
const struct sa_id *ranking_get(struct ranking *ranking, size_t place);
