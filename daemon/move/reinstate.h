/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes SAs again, in software, that the kernel deleted by itself (a NIC that went down).
 */
#pragma once

#include "sa/image.h"

enum reinstatement {
	REINSTATED,
	REINSTATE_ALIVE, /* there is a real SA with its identity: not deleted (yet), or made anew */
	REINSTATE_FAILED, /* neither: the kernel refused (no memory), or did not answer */
};

/*
 * results[i] belongs to images[i]. A packet that finds no SA makes the kernel insert a larval SA
 * (ACQUIRE), which bears the identity of the SA itself if the policy's template names the SPI, as
 * charon's do (xfrm_state_find()). NEWSA then answers EEXIST; GETSA tells the larval SA from a real
 * one, and UPDSA replaces it. Overwrites the batch, and leaves it empty.
 */
void reinstate(struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n, enum reinstatement *results);
