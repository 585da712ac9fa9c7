/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exchanges with the kernel about the SA of one move.
 */
#pragma once

#include "migrator.h"

/* What one exchange showed of the SA of a move. */
struct reading {
	struct move *move;
	struct secret_arena *arena;
	struct sa_image *image; /* where to capture; NULL: move->image */
	uint16_t type; /* XFRM_MSG_NEWSA: the reply of GETSA; XFRM_MSG_DELSA: the notification */
	bool capture;  /* capture the image too, not only the facts */
	bool dumped;   /* read from a dump: larval SAs of the same identity do not count as found */
	bool found;
	bool larval;         /* the deleted SA, or another one that was shown, is larval */
	bool larval_is_ours; /* a larval SA that was shown is ours */
	int error;           /* negative errno of capturing, else 0 */
	struct sa_facts facts;
	bool timer_known;
	uint32_t timer;
	uint32_t threshold;
};

/* Sends the batch, and reads what the answers show of the SA. Returns as kernel_transact(). */
int reading_exchange(struct kernel *kernel, struct kernel_batch *batch, struct reading *reading);
/* Reads the SA from a dump, since GETSA shows only the first of several SAs with an identity.
 * Returns as kernel_dump(). */
int reading_dump(struct kernel *kernel, struct reading *reading);
