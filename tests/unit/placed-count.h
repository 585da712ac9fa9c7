/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "sa/placed.h"

static inline bool placed_count_one(const struct sa_id *id, int ifindex, uint64_t add_time,
				    void *userdata)
{
	*(size_t *)userdata += ifindex != 0;
	return true;
}

/* Records, of SAs that went too. */
static inline size_t placed_count(struct placed *placed)
{
	size_t n = 0;

	(void)placed_leave_unless(placed, placed_count_one, &n, 0);
	return n;
}
