/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Larval SAs that guard outbound moves: while there is one, a packet that finds no SA waits or is
 * dropped, and the kernel does not ask the IKE daemon for one (xfrm_state_look_at()). It has the
 * addresses, reqid and mode of the SA that is moved, and an SPI of the reserved ones, which no IKE
 * daemon chooses. One that a killed daemon leaves is found by that at the next start, or expires
 * (net.core.xfrm_acq_expires).
 *
 * A packet looks for its SA without a lock. One that began before the guard was made does not see
 * it, and must have finished before the SA is deleted; and one that began before the SA was back
 * does not see that, and must have finished before the guard is taken away. So between making a
 * guard and moving, and between moving and taking it away, the kernel is asked to wait
 * (kernel_ops.wait_for_lookups), which takes so long that several SAs are guarded at once.
 */
#pragma once

#include "sa/image.h"
#include "xfrm/kernel.h"

/* SAs that are guarded at once: one exchange makes the guards of all. */
#define GUARDED_MAX KERNEL_BATCH_MESSAGES

struct guards {
	struct sa_id guarded[GUARDED_MAX]; /* the SAs */
	size_t n_guarded;
	/* The larval SAs: theirs, and what else was left by their moves. */
	struct sa_id larvals[2 * GUARDED_MAX];
	size_t n_larvals;
	bool lost;    /* there is one of unknown SPI */
	bool witness; /* one of sa_image_write_witness() may be left, without an SPI */
};

/* All overwrite the batch, and leave it empty. */

/* Makes guards; the caller waits. Returns 0 or the last negative errno: guards_has() tells which
 * SAs are guarded all the same. -ENOSPC: there would be more than GUARDED_MAX. */
int guards_add(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n);
/* The same for SAs as the kernel has them, but those that must not be touched. */
void guards_add_by_id(struct guards *guards, struct kernel *kernel, struct secret_arena *arena,
		      struct kernel_batch *batch, const struct sa_id *ids, size_t n);
/* Guards that are held for long expire: SAs whose guards may be gone do not count as guarded. */
void guards_forget_expired(struct guards *guards, struct kernel *kernel,
			   struct kernel_batch *batch);
bool guards_has(const struct guards *guards, const struct sa_id *id);
/* Gives an SPI to the larval SA that sa_image_write_larval() leaves if its SPI is taken, since it
 * takes one to delete it. */
void guards_take_leftover(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch,
			  const struct sa_image *image);
/* Deletes a larval SA that no packet looks for. */
void guards_delete(struct kernel *kernel, struct kernel_batch *batch, const struct sa_id *id);
/* Waits, and takes them away. If there is one of unknown SPI and the SAs cannot be read, it stays,
 * and `lost` with it for the next call. */
void guards_remove(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch);
/* The same for whatever guards there are in the kernel: there must be no move under way. A negative
 * errno when not all SAs could be read. */
int guards_sweep(struct kernel *kernel, struct kernel_batch *batch);
