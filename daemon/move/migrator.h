/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Moves SAs between software and a NIC. The only code that deletes or makes SAs.
 *
 * A move is a small state machine (migrator.c tells how and why), each step of which is one
 * exchange with the kernel. Outbound SAs need a guard (larval-guard.h), which takes the kernel some
 * ten milliseconds to give and to take away, so those that are moved one after the other are
 * guarded together.
 */
#pragma once

#include "base/clock.h"
#include "larval-guard.h"
#include "move/reinstate.h"
#include "sa/image.h"
#include "xfrm/kernel.h"

struct rescue;

enum move_state {
	MOVE_READ,     /* read the SA as it is now and check it */
	MOVE_GUARD,    /* an outbound one: make a larval SA that packets find meanwhile */
	MOVE_MIGRATE,  /* let the kernel do it (Linux 7.2) */
	MOVE_REMOVE,   /* delete it, leaving a larval SA in its place */
	MOVE_INSTALL,  /* put it back where it is wanted */
	MOVE_SOFTWARE, /* the NIC refused: put it back in software */
	MOVE_PROBE,    /* an exchange failed half way: find out what the kernel has */
	MOVE_VERIFY,   /* read it back */
	MOVE_UNMASK,   /* a larval SA that a packet made is found in its stead: away with that */
	MOVE_ADVANCE,  /* push its sequence number forward: somebody made the SA anew in between */
	MOVE_FINISHED,
};

enum move_result {
	MOVE_RESULT_NONE,
	MOVE_RESULT_DONE,      /* it is where it was wanted */
	MOVE_RESULT_REFUSED,   /* the kernel or driver refused (error, text); it is in software */
	MOVE_RESULT_SILENT,    /* accepted, but the kernel left it in software without a word */
	MOVE_RESULT_ELSEWHERE, /* it sits on another device than asked for */
	MOVE_RESULT_GONE,      /* somebody deleted it, before or while it was moved */
	MOVE_RESULT_HANDS_OFF, /* not touched: see hands_off */
	MOVE_RESULT_FAILED,    /* not touched: the exchange failed (error, text) */
	MOVE_RESULT_LOST,      /* could not be put back; the image is kept for migrator_restore() */
};

struct move {
	/* What is wanted. */
	struct sa_id id;
	struct sa_offload target; /* ifindex 0: evict */
	/* Leave the image of a promotion to the caller, who wipes it: when it is done, or when the
	 * SA is gone after it was offered to the NIC, which may have taken it down. */
	bool keep_image;
	int expected_ifindex; /* where it should be now; elsewhere means that it is foreign */
	/* The target is where it is, and there is a larval SA beside it (MOVE_UNMASK). If that is
	 * behind it in the chain, the SA is deleted and takes the larval one's place. */
	bool anew;

	/* What came of it. */
	enum move_state state;
	enum move_result result;
	enum hands_off hands_off;
	int error;                   /* negative errno of the refusal or failure, else 0 */
	char text[KERNEL_TEXT_SIZE]; /* the kernel's or driver's words */
	bool facts_known;
	struct sa_facts facts; /* the SA as last read */

	/* Private to the migrator. */
	struct sa_image image;
	struct sa_offload place; /* where it is put back: the target, or where it was found */
	uint64_t sequence_floor; /* outbound numbers up to here were used */
	bool stored;             /* the rescue slot has it, and not another one */
	bool larval;             /* a larval SA holds its place */
	bool leftover;           /* there is one without SPI, or may be */
	bool held;               /* ours did, and no SA of ours can have replaced it yet */
	bool missed;             /* our DELSA met another larval SA: we did not delete the SA */
	bool witness;            /* the witness has the SPI (step_remove()) */
	bool acknowledged;       /* the kernel said that it did what is wanted */
	bool offered;            /* the NIC may have it, or have had it */
	bool exact;              /* the image has the final numbers, or numbers past them */
	bool interrupted;        /* the last run of the daemon began it, and was killed */
	bool removed;            /* we deleted it and owe it back */
	unsigned attempts;       /* to find out, or to put it back */
	unsigned installs;       /* with the offload */
	bool holds_guards;       /* lost: guards stay until it is back */
};

struct migrator;

struct migrator_parameters {
	/* Defaults of net.core.xfrm_aevent_etime (100 ms units); negative: unknown, not checked. */
	int64_t event_timer_default;
	const struct clock *clock; /* not owned */
};

/* Asks the kernel what it can. `rescue` may be NULL. Neither it nor the kernel is owned. */
int migrator_new(struct kernel *kernel, struct secret_arena *arena, struct rescue *rescue,
		 const struct migrator_parameters *parameters, struct migrator **ret_migrator);
struct migrator *migrator_free(struct migrator *migrator); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct migrator *, migrator_free);

/* Guards outbound SAs, GUARDED_MAX at most, that are about to be moved; one that cannot be guarded
 * now (it is gone, or must not be touched) is left to its move. */
void migrator_guard(struct migrator *migrator, const struct sa_id *ids, size_t n);
/* The same for SAs that are guarded one by one, by migrator_restore(). */
void migrator_begin_group(struct migrator *migrator);
/* After their moves. True when an SA was lost in the course of it (MOVE_RESULT_LOST), to be tried
 * again by migrator_restore(). */
bool migrator_unguard(struct migrator *migrator, struct move *ret_lost);
/* Makes a move: the part of *move under "What is wanted" is set by the caller. An outbound SA that
 * was not guarded is guarded for itself. Wipes the image, unless keep_image says otherwise or the
 * result is MOVE_RESULT_LOST. */
void migrator_run(struct migrator *migrator, struct move *move);

/* Waits for the packets that are looking for their SA, then takes away the larval SAs that they put
 * before these outbound SAs. As migrator_unguard(), true when an SA was lost in the course of it.
 */
bool migrator_unmask(struct migrator *migrator, const struct sa_id *ids, size_t n,
		     struct move *ret_lost);
/* Makes SAs again, in software, that the kernel deleted by itself: reinstate.h. */
void migrator_reinstate(struct migrator *migrator, const struct sa_image *const *images, size_t n,
			enum reinstatement *results);

/* A move whose SA could not be put back (or that was interrupted by the daemon's death: image from
 * the rescue slot, with `stored` set, and `larval` since one was left in its place) is tried again:
 * in software. The caller repeats it while the result is MOVE_RESULT_LOST. */
void migrator_restore(struct migrator *migrator, struct move *move);

/* Takes away the guarding larval SAs that a run of the daemon which was killed has left. A negative
 * errno when there may be more of them. */
int migrator_sweep(struct migrator *migrator);

/* How SAs are moved on this kernel, as far as is known: "migrate-state" or "re-add". */
const char *migrator_mechanism(const struct migrator *migrator, bool promote);

const char *move_result_name(enum move_result result);
