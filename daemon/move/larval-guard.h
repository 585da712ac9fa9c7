/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Larval SAs that guard outbound moves. While a guard exists, a packet that finds no SA waits or is
 * dropped, and the kernel does not ask the IKE daemon for an SA (xfrm_state_look_at()). A guard has
 * the addresses, reqid and mode of the SA that is moved, and a reserved SPI, which no IKE daemon
 * chooses. A guard that a killed daemon left is found by its SPI at the next start, or expires
 * (net.core.xfrm_acq_expires).
 *
 * The kernel looks up the SA of a packet without a lock. A lookup that began before the guard was
 * made does not see the guard, and must have finished before the SA is deleted. A lookup that began
 * before the SA was back does not see the SA, and must have finished before the guard is deleted.
 * So the daemon waits for lookups (kernel_ops.wait_for_lookups) between making a guard and the
 * move, and between the move and the deletion of the guard. Waiting takes some 10 ms, so several
 * SAs are guarded together, and other work is done meanwhile (migrator.h).
 */
#pragma once

#include "sa/image.h"
#include "xfrm/kernel.h"

/* The most SAs that are guarded together: one exchange makes all their guards. */
#define GUARDED_MAX KERNEL_BATCH_MESSAGES

struct guards {
	struct sa_id guarded[GUARDED_MAX]; /* identities of the SAs */
	size_t n_guarded;
	/* The larval SAs: the guards of these SAs, and other ones that the moves left. */
	struct sa_id larvals[2 * GUARDED_MAX];
	size_t n_larvals;
	bool lost;    /* there may be a larval SA with an unknown SPI */
	bool witness; /* a witness without an SPI may be left (sa_image_write_witness()) */
};

/* All functions that take a batch overwrite it, and leave it empty. */

/* Makes guards for these SAs. The caller waits for lookups afterwards. Returns 0, or the last
 * negative errno if some could not be made: guards_has() shows which SAs are guarded. -ENOSPC:
 * there would be more than GUARDED_MAX, and none is made. */
int guards_add(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n);
/* Reads these SAs and makes guards for them, except for those that must not be moved. */
void guards_add_by_id(struct guards *guards, struct kernel *kernel, struct secret_arena *arena,
		      struct kernel_batch *batch, const struct sa_id *ids, size_t n);
/* Guards expire. If one is gone, no SA counts as guarded any more. */
void guards_forget_expired(struct guards *guards, struct kernel *kernel,
			   struct kernel_batch *batch);
bool guards_has(const struct guards *guards, const struct sa_id *id);
/* Gives a reserved SPI to the larval SA without an SPI that a message of sa_image_write_larval()
 * leaves if the wanted SPI is in use. Only an SA with an SPI can be deleted, which guards_remove()
 * does. */
void guards_take_leftover(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch,
			  const struct sa_image *image);
/* Deletes a larval SA that packets do not find. */
void guards_delete(struct kernel *kernel, struct kernel_batch *batch, const struct sa_id *id);
/* After the moves. */
void guards_remove_witness(struct guards *guards, struct kernel *kernel,
			   struct kernel_batch *batch);
/* Deletes the larval SAs. The caller has waited for lookups since the moves. If `lost` is set and
 * the SAs cannot be read, `lost` stays set for the next call. */
void guards_remove(struct guards *guards, struct kernel *kernel, struct kernel_batch *batch);
/* Waits for lookups, then deletes all guards in the kernel, also those of an earlier run. Not
 * during a move. A negative errno when not all SAs could be read. */
int guards_sweep(struct kernel *kernel, struct kernel_batch *batch);
