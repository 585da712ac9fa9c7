/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "sa/ownership.h"

static inline bool ownership_count_one(const struct sa_id *id, int ifindex, uint64_t add_time,
				       void *userdata)
{
	++*(size_t *)userdata;
	return true;
}

/* The number of records, including those of SAs that left. */
static inline size_t ownership_count(struct ownership *ownership)
{
	size_t n = 0;

	(void)ownership_leave_unless(ownership, ownership_count_one, &n, 0);
	return n;
}
