/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many SAs each NIC holds, kept up to date with every change, so that no one has to count them.
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
	uint32_t foreign_in, foreign_out; /* of these, those that another program offloaded */
};

/* Zeroed: no NIC holds any. */
struct holders {
	struct holder *entries; /* those that hold some */
	size_t n;
	size_t n_held; /* SAs in all of them */
};

void holders_release(struct holders *holders);
/* One SA more. Without memory for a NIC that held none before, it is not counted: the daemon then
 * takes the NIC for emptier than it is, and the driver refuses what does not fit. */
void holders_add(struct holders *holders, int ifindex, enum sa_direction direction, bool foreign);
/* One SA less, of those that were added with the same arguments. */
void holders_remove(struct holders *holders, int ifindex, enum sa_direction direction,
		    bool foreign);
/* All zero but for the ifindex when the NIC holds none. */
struct holder holders_get(const struct holders *holders, int ifindex);
