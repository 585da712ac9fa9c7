/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The number of SAs in each NIC. It is updated with every change, so that no pass over all SAs is
 * needed.
 */
#pragma once

#include "sa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SAs in one NIC. An SA of unknown direction counts as outbound. */
struct holder {
	int ifindex;
	uint32_t in, out;                 /* all of them */
	uint32_t foreign_in, foreign_out; /* of these, offloaded by other programs */
};

/* Zeroed: no NIC holds any. */
struct holders {
	struct holder *entries; /* of NICs that hold SAs */
	size_t n;
	size_t n_held; /* SAs in all NICs */
};

void holders_release(struct holders *holders);
/* Counts an SA. Without memory for an entry of a NIC the SA is not counted. The daemon then assumes
 * too many free slots, and the driver refuses SAs that do not fit. */
void holders_add(struct holders *holders, int ifindex, enum sa_direction direction, bool foreign);
/* Removes an SA that was added with the same arguments. */
void holders_remove(struct holders *holders, int ifindex, enum sa_direction direction,
		    bool foreign);
/* All counts are zero if the NIC holds none. */
struct holder holders_get(const struct holders *holders, int ifindex);
