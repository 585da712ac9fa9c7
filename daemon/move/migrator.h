/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves SAs between software and a NIC. No code outside this folder deletes or makes SAs.
 *
 * A move is a state machine (explained in migrator.c). Most steps are one exchange with the kernel.
 * Outbound SAs need a guard (larval-guard.h). Making and deleting a guard takes some ten
 * milliseconds, so SAs that are moved one after the other are guarded together.
 */
#pragma once

#include "base/clock.h"
#include "larval-guard.h"
#include "move/reinstate.h"
#include "sa/image.h"
#include "xfrm/kernel.h"

struct rescue;

enum move_state {
	MOVE_READ,     /* read the SA and check it */
	MOVE_LOAD,     /* promotion: let the kernel load its module for offloaded SAs */
	MOVE_GUARD,    /* outbound: make a larval SA that packets find meanwhile */
	MOVE_MIGRATE,  /* let the kernel move it (Linux 7.2 and later) */
	MOVE_REMOVE,   /* delete the SA, leaving a larval SA in its place */
	MOVE_INSTALL,  /* make it again where it is wanted */
	MOVE_SOFTWARE, /* the NIC refused: make it again in software */
	MOVE_PROBE,    /* an exchange failed: find out what the kernel has */
	MOVE_VERIFY,   /* read it back */
	MOVE_UNMASK,   /* GETSA shows the larval SA of a packet instead: remove that */
	MOVE_ADVANCE,  /* advance its sequence number: another program replaced the SA */
	MOVE_FINISHED,
};

enum move_result {
	MOVE_RESULT_NONE,
	MOVE_RESULT_DONE,      /* the SA is where it was wanted */
	MOVE_RESULT_REFUSED,   /* the kernel or driver refused (error, text); now in software */
	MOVE_RESULT_SILENT,    /* acknowledged, but the SA is in software */
	MOVE_RESULT_ELSEWHERE, /* it is in another device than requested */
	MOVE_RESULT_GONE,      /* another program deleted it before or during the move */
	MOVE_RESULT_HANDS_OFF, /* not moved: see hands_off */
	MOVE_RESULT_FAILED,    /* not moved: an exchange failed (error, text) */
	MOVE_RESULT_LOST,      /* could not be put back; keep the image for migrator_restore() */
};

struct move {
	/* Set by the caller. */
	struct sa_id id;
	struct sa_offload target; /* ifindex 0: evict */
	/* After a promotion, leave the image to the caller, who wipes it. This applies if the
	 * result is MOVE_RESULT_DONE, or MOVE_RESULT_GONE after the SA was offered to the NIC: the
	 * NIC may have gone down and the SA with it. */
	bool keep_image;
	int expected_ifindex; /* where it should be now, 0: software; if elsewhere, it is foreign */
	/* The target is the present place. A larval SA with the same identity is to be removed
	 * (MOVE_UNMASK). If the larval SA is behind the SA in the chain, the SA is deleted and made
	 * again. */
	bool anew;

	/* The outcome. */
	enum move_state state;
	enum move_result result;
	enum hands_off hands_off;
	int error;                   /* negative errno of the refusal or failure, else 0 */
	char text[KERNEL_TEXT_SIZE]; /* the message of the kernel or driver */
	bool facts_known;
	struct sa_facts facts; /* the SA as last read */

	/* Private to the migrator and its steps. */
	struct sa_image image;
	struct sa_offload place; /* where it is made again: the target, or where it was found */
	uint64_t sequence_floor; /* the last outbound number known to be used */
	bool stored;             /* the rescue slot has this SA */
	bool larval;             /* a larval SA has its SPI */
	bool leftover;           /* there may be a larval SA without an SPI */
	bool held;    /* our larval SA got the SPI, and no UPDSA of ours can have replaced it */
	bool missed;  /* our DELSA deleted the larval SA of a packet, not the SA */
	bool witness; /* the witness has the SPI (remove_sa()) */
	bool acknowledged; /* the kernel acknowledged the request */
	bool offered;      /* the NIC may have the SA, or have had it */
	bool exact;        /* the image has the final sequence numbers, or later ones */
	bool interrupted;  /* the previous run of the daemon began the move and was killed */
	bool removed;      /* we deleted the SA and must put it back */
	unsigned attempts; /* of probing or putting back */
	unsigned installs; /* attempts with the offload */
	bool holds_guards; /* MOVE_RESULT_LOST: guards stay until the SA is back */
};

struct migrator;

struct migrator_parameters {
	/* Defaults of net.core.xfrm_aevent_etime (100 ms units); negative: unknown, not checked. */
	int64_t event_timer_default;
	/* IPv4, IPv6: the kernel may have to load its module for offloaded SAs first. */
	bool no_offload_module[2];
	const struct clock *clock; /* not owned */
};

/* Finds out whether the kernel has MIGRATE_STATE. `rescue` may be NULL. The kernel, the arena and
 * the rescue are not owned. -ENOMEM. */
int migrator_new(struct kernel *kernel, struct secret_arena *arena, struct rescue *rescue,
		 const struct migrator_parameters *parameters, struct migrator **ret_migrator);
struct migrator *migrator_free(struct migrator *migrator); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct migrator *, migrator_free);

/* A group of moves. Its outbound SAs are guarded together, and lookups are waited for twice: before
 * the moves, and before the guards are deleted (larval-guard.h). During both waits every SA is in
 * its place and works, nothing of it is only in the daemon, and the rescue slot is empty. So other
 * work may be done meanwhile. */

/* Begins a group: guards outbound SAs, at most GUARDED_MAX, and begins to wait for lookups. The
 * moves may begin when migrator_is_waiting() returns false. The guards stay until
 * migrator_unguard(). An SA that cannot be guarded (deleted, or hands off) is guarded or refused by
 * its own move. */
void migrator_guard(struct migrator *migrator, const struct sa_id *ids, size_t n);
/* Begins a group without guards: migrator_restore() makes each guard, and they stay until
 * migrator_unguard(). */
void migrator_begin_group(struct migrator *migrator);
/* The moves of the group are made: begins to wait for lookups if there are guards to delete. */
void migrator_end_moves(struct migrator *migrator);
bool migrator_is_waiting(struct migrator *migrator);
/* Ends a group: deletes the guards, and removes larval SAs of packets. Waits itself if
 * migrator_end_moves() was not called or its wait is not over. True: an SA was lost by that
 * (MOVE_RESULT_LOST), and `ret_lost` must be passed to migrator_restore(). */
bool migrator_unguard(struct migrator *migrator, struct move *ret_lost);
/* Makes a move. The caller sets the first part of *move. An outbound SA that is not guarded gets
 * its own guard. Wipes the image, except for MOVE_RESULT_LOST or as keep_image says. */
void migrator_run(struct migrator *migrator, struct move *move);

/* Waits for lookups, then removes the larval SAs of packets that mask these outbound SAs. Returns
 * as migrator_unguard(). */
bool migrator_unmask(struct migrator *migrator, const struct sa_id *ids, size_t n,
		     struct move *ret_lost);
/* Makes SAs again in software that the kernel deleted with their NIC: see reinstate.h. */
void migrator_reinstate(struct migrator *migrator, const struct sa_image *const *images, size_t n,
			enum reinstatement *results);

/* Puts an SA back in software: of a move with the result MOVE_RESULT_LOST, or of a move during
 * which the daemon was killed. For the latter the caller takes the image from the rescue slot and
 * sets `stored`, `interrupted` and `larval`, since a larval SA was left in its place. The caller
 * repeats it while the result is MOVE_RESULT_LOST. */
void migrator_restore(struct migrator *migrator, struct move *move);

/* Deletes the guards that a killed run of the daemon has left. A negative errno when some may be
 * left. */
int migrator_sweep(struct migrator *migrator);

/* How SAs are moved on this kernel, as far as is known yet: "migrate-state" or "re-add". */
const char *migrator_mechanism(const struct migrator *migrator, bool promote);

const char *move_result_name(enum move_result result);
