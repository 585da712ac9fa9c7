/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SA that the daemon put into a NIC is restored from when the kernel deletes it together
 * with the NIC: its image as of the last sample, and a bound on what it can have sent since.
 */
#pragma once

#include "sa/image.h"

struct shadow {
	struct sa_image image; /* no attributes: there is none */
	double sampled_at;     /* s, monotonic: before the kernel was asked for it */
	uint64_t sequence;     /* outbound, in that sample */
};

static inline bool shadow_exists(const struct shadow *shadow)
{
	return shadow->image.attributes;
}

/* From a GETSA reply; after a failure the older shadow stays. */
int shadow_capture(struct shadow *shadow, struct secret_arena *arena,
		   const struct nlmsghdr *message, double sampled_at);
/* Takes the image, which is empty afterwards. */
void shadow_take(struct shadow *shadow, struct sa_image *image, double sampled_at);
void shadow_wipe(struct shadow *shadow);

/*
 * How many sequence numbers an SA can have used in so many seconds on a link of this speed
 * (Mbit/s, 0: unknown), not how many it usually does: a driver that makes its IV of the sequence
 * number (mlx5) must never be given one twice.
 */
uint64_t shadow_numbers_possible(double seconds, uint32_t speed);

/* Moves the image's outbound number past everything that can have been used since the sample. May
 * be repeated later, without adding up. -ERANGE: the sequence space does not hold it, or the peer
 * would misread so large a step (ESN), and the image is not to be used. */
int shadow_advance(struct shadow *shadow, double now, uint32_t speed);
