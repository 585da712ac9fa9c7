/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Larval SAs that cover outbound moves: while there is one, a packet that finds no SA waits or is
 * dropped, and the kernel does not ask the IKE daemon for one (xfrm_state_look_at()). It has the
 * addresses, reqid and mode of the SA that is moved, and an SPI of the reserved ones, which no IKE
 * daemon chooses. One that a killed daemon leaves is found by that at the next start, or expires
 * (net.core.xfrm_acq_expires).
 *
 * A packet looks for its SA without a lock. One that began before the cover was made does not see
 * it, and must have finished before the SA is deleted; and one that began before the SA was back
 * does not see that, and must have finished before the cover is taken away. So between making a
 * cover and moving, and between moving and taking it away, the kernel is asked to wait
 * (kernel_ops.wait_for_lookups), which takes so long that several SAs are covered at once.
 */
#pragma once

#include "sa/image.h"
#include "xfrm/kernel.h"

/* SAs that are covered at once: one exchange makes the covers of all. */
#define COVERED_MAX KERNEL_BATCH_MESSAGES

struct covers {
	struct sa_id covered[COVERED_MAX]; /* the SAs */
	size_t n_covered;
	/* The larval SAs: theirs, and what else was left by their moves. */
	struct sa_id larvals[2 * COVERED_MAX];
	size_t n_larvals;
	bool lost;    /* there is one of unknown SPI */
	bool witness; /* one of sa_image_write_witness() may be left, without an SPI */
};

/* All overwrite the batch, and leave it empty. */

/* Makes covers; the caller waits. Returns 0 or the last negative errno: covers_has() tells which
 * SAs are covered all the same. -ENOSPC: there would be more than COVERED_MAX. */
int covers_add(struct covers *covers, struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n);
/* The same for SAs as the kernel has them, but those that must not be touched. */
void covers_add_by_id(struct covers *covers, struct kernel *kernel, struct secret_arena *arena,
		      struct kernel_batch *batch, const struct sa_id *ids, size_t n);
/* Covers that are held for long expire: SAs whose covers may be gone do not count as covered. */
void covers_forget_expired(struct covers *covers, struct kernel *kernel,
			   struct kernel_batch *batch);
bool covers_has(const struct covers *covers, const struct sa_id *id);
/* Gives an SPI to the larval SA that sa_image_write_larval() leaves if its SPI is taken, since it
 * takes one to delete it. */
void covers_take_leftover(struct covers *covers, struct kernel *kernel, struct kernel_batch *batch,
			  const struct sa_image *image);
/* Deletes a larval SA that no packet looks for. */
void covers_delete(struct kernel *kernel, struct kernel_batch *batch, const struct sa_id *id);
/* Waits, and takes them away. If there is one of unknown SPI and the SAs cannot be read, it stays,
 * and `lost` with it for the next call. */
void covers_remove(struct covers *covers, struct kernel *kernel, struct kernel_batch *batch);
/* The same for whatever covers there are in the kernel: there must be no move under way. A negative
 * errno when not all SAs could be read. */
int covers_sweep(struct kernel *kernel, struct kernel_batch *batch);
