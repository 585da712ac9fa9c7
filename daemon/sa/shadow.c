// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/shadow.h"

#include <errno.h>
#include <stdlib.h>

/* The least that a packet occupies on Ethernet, in bytes: the smallest frame (64), preamble and
 * gap. */
#define WIRE_BYTES_MIN 84.0
/* Assumed where the kernel does not know the speed (Mbit/s). */
#define SPEED_ASSUMED 100000u
/* Lowest rate to assume, in numbers per second. Packets that a queue drops before the wire also use
 * numbers, so the speed of a slow link is no bound. The kernel takes each number under the SA's
 * lock, some 100 ns. */
#define NUMBERS_PER_SECOND_MIN 20e6
/* A receiver infers the upper half of an ESN from the lower half. A step of half the range of the
 * lower half is ambiguous (RFC 4303, A2). */
#define ESN_STEP_MAX (UINT64_C(1) << 31)
/* Always added, even if the clock shows no time since the sample. */
#define NUMBERS_MIN (UINT64_C(1) << 16)

int shadow_capture(struct shadow **shadow, struct secret_arena *arena,
		   const struct nlmsghdr *message, double sampled_at)
{
	struct shadow *s = *shadow ? *shadow : calloc(1, sizeof(*s));
	uint32_t threshold;
	int r;

	if (!s)
		return -ENOMEM;
	/* GETSA does not show the threshold. The move that put the SA into its NIC has read it. */
	threshold = s->image.replay_threshold;
	r = sa_image_capture(&s->image, arena, message);
	if (r < 0) {
		if (!*shadow)
			free(s);
		return r;
	}
	s->image.replay_threshold = threshold;
	s->sampled_at = sampled_at;
	s->sequence = sa_image_output_sequence(&s->image);
	*shadow = s;
	return 0;
}

void shadow_take(struct shadow **shadow, struct sa_image *image, double sampled_at)
{
	struct shadow *s = *shadow ? *shadow : calloc(1, sizeof(*s));

	if (!s) {
		sa_image_wipe(image);
		return;
	}
	sa_image_wipe(&s->image);
	*s = (struct shadow){
		.image = *image,
		.sampled_at = sampled_at,
		.sequence = sa_image_output_sequence(image),
	};
	*image = (struct sa_image){};
	*shadow = s;
}

void shadow_wipe(struct shadow **shadow)
{
	if (!*shadow)
		return;
	sa_image_wipe(&(*shadow)->image);
	free(*shadow);
	*shadow = NULL;
}

uint64_t shadow_numbers_possible(double seconds, uint32_t speed)
{
	double per_second = (speed ? speed : SPEED_ASSUMED) * 1e6 / 8.0 / WIRE_BYTES_MIN;
	double numbers;

	if (per_second < NUMBERS_PER_SECOND_MIN)
		per_second = NUMBERS_PER_SECOND_MIN;
	numbers = seconds > 0 ? per_second * seconds : 0;
	/* 2^48 exceeds the sequence space without ESN and is exact as a double. */
	if (numbers > 0x1p48)
		return UINT64_C(1) << 48;
	return NUMBERS_MIN + (uint64_t)numbers;
}

int shadow_advance(struct shadow *shadow, double now, uint32_t speed)
{
	uint64_t by = shadow_numbers_possible(now - shadow->sampled_at, speed);
	uint64_t wanted = shadow->sequence + by;
	uint64_t current = sa_image_output_sequence(&shadow->image);

	if (by >= ESN_STEP_MAX || wanted < shadow->sequence)
		return -ERANGE;
	if (current < wanted)
		sa_image_advance(&shadow->image, wanted - current);
	/* The last number of the space is never used (xfrm_replay_overflow()). */
	if (sa_image_output_sequence(&shadow->image) < wanted ||
	    sa_image_is_exhausted(&shadow->image))
		return -ERANGE;
	return 0;
}
