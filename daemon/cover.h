/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A larval SA that covers an outbound move: while it exists, a packet that finds no SA waits or is
 * dropped, and the kernel does not ask the IKE daemon for one (xfrm_state_look_at()). It has the
 * addresses, reqid and mode of the SA that is moved, and an SPI of the reserved ones, which no IKE
 * daemon chooses. One that a killed daemon leaves is found by that at the next start, or expires
 * (net.core.xfrm_acq_expires).
 */
#pragma once

#include "kernel.h"
#include "sa-image.h"

struct cover {
	struct sa_id id; /* SPI 0: none */
	bool lost;       /* there is one whose SPI nobody told */
};

/* Adds the message that makes one, unless there is one. Returns the number of messages. */
unsigned cover_write(const struct cover *cover, const struct sa_image *image,
		     struct kernel_batch *batch);
/* Takes note of it, if the message tells of one: the answer to the above. */
void cover_take(struct cover *cover, const struct nlmsghdr *message);
/* After the exchange: `n` is what cover_write() returned, and was the batch's beginning. */
void cover_note(struct cover *cover, unsigned n, const struct kernel_batch *batch);

/* Both overwrite the batch, and leave it empty. */
void cover_remove(struct cover *cover, struct kernel *kernel, struct kernel_batch *batch);
/* Removes whatever covers there are: there must be no move under way. */
void cover_sweep(struct kernel *kernel, struct kernel_batch *batch);
