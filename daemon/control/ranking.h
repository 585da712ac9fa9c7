/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SAs by their rate, hottest first, as they were when the ranking was made. It holds
 * identities, so an SA may end before its ranking does. Rows are sorted when they are asked for:
 * the first few of 100,000 cost little more than a pass over all.
 */
#pragma once

#include "manager/manager.h"

struct ranking;

/* One pass over all SAs. -ENOMEM. */
int ranking_new(const struct manager *m, struct ranking **ret_ranking);
struct ranking *ranking_free(struct ranking *ranking); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct ranking *, ranking_free);

size_t ranking_size(const struct ranking *ranking);
/* The SA at a place; place 0 is the hottest. */
const struct sa_id *ranking_get(struct ranking *ranking, size_t place);
