/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exchanges with the kernel about the SA of one move.
 */
#pragma once

#include "migrator.h"

/* What one exchange told about the SA of a move. */
struct reading {
	struct move *move;
	struct secret_arena *arena;
	struct sa_image *image; /* where to; NULL: the move's */
	uint16_t type; /* XFRM_MSG_NEWSA: the reply of GETSA; XFRM_MSG_DELSA: the notification */
	bool capture;  /* keep the image, not only the facts */
	bool dumped;   /* shown with larval SAs of the same identity, which do not count */
	bool found;
	bool larval;         /* what was deleted, or was shown too, is a larval SA */
	bool larval_is_ours; /* one that was shown is */
	int error;           /* of capturing */
	struct sa_facts facts;
	bool timer_known;
	uint32_t timer;
	uint32_t threshold;
};

/* Sends the batch, and reads what comes of the SA. Returns as kernel_transact(). */
int reading_exchange(struct kernel *kernel, struct kernel_batch *batch, struct reading *reading);
/* Reads the SA from a dump of all, since GETSA shows only the first of several with an identity. */
int reading_dump(struct kernel *kernel, struct reading *reading);
