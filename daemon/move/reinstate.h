/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes SAs again in software that the kernel deleted because their NIC went down.
 */
#pragma once

#include "sa/image.h"

enum reinstatement {
	REINSTATED,
	REINSTATE_ALIVE,  /* a real SA has its identity: not deleted (yet), or made again */
	REINSTATE_FAILED, /* the kernel refused (no memory) or did not answer */
};

/*
 * results[i] belongs to images[i]. For a packet that finds no SA the kernel inserts a larval SA
 * (ACQUIRE). If the policy's template contains the SPI, as charon's do, the larval SA has the
 * identity of the SA itself (xfrm_state_find()), and NEWSA returns EEXIST. GETSA shows whether the
 * SA is larval, and UPDSA replaces a larval one. Overwrites the batch, and leaves it empty.
 */
void reinstate(struct kernel *kernel, struct kernel_batch *batch,
	       const struct sa_image *const *images, size_t n, enum reinstatement *results);
