/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shadow of an SA that the daemon put into a NIC. When the NIC goes down the kernel deletes the
 * SA, and the shadow restores it: the image of the last sample, and an upper bound of the sequence
 * numbers used since.
 */
#pragma once

#include "sa/image.h"

struct shadow {
	struct sa_image image;
	double sampled_at; /* s, monotonic; not later than the request for the sample */
	uint64_t sequence; /* last outbound number in that sample */
};

/* *shadow is NULL where there is none, as for most SAs: it is allocated when it is needed. */

/* Replaces the image by that of a GETSA reply. After a failure (-ENOMEM, and as sa_image_capture())
 * the older shadow stays. */
int shadow_capture(struct shadow **shadow, struct secret_arena *arena,
		   const struct nlmsghdr *message, double sampled_at);
/* Takes the image, which is empty afterwards. Without memory it is wiped, and the older shadow
 * stays. */
void shadow_take(struct shadow **shadow, struct sa_image *image, double sampled_at);
void shadow_wipe(struct shadow **shadow);

/*
 * Upper bound of the sequence numbers that an SA can use in `seconds` on a link of `speed` (Mbit/s,
 * 0: unknown). It must not be an estimate of the usual number: a driver that derives its IV from
 * the sequence number (mlx5) must never use one twice.
 */
uint64_t shadow_numbers_possible(double seconds, uint32_t speed);

/* Moves the image's outbound number past all that can have been used since the sample until `now`
 * (s, monotonic). A later call counts from the sample again. -ERANGE: the image must not be used,
 * because the number would exceed the sequence space, or because the peer would misinterpret so
 * large a step (ESN). */
int shadow_advance(struct shadow *shadow, double now, uint32_t speed);
