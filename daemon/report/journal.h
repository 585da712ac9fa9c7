/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon tells: to the journal with a MESSAGE_ID and structured fields, or, run by hand,
 * as plain lines to a terminal.
 *
 * Whatever a driver, a peer or a configuration wrote is made safe to show (text.h) and cut to
 * length here, so callers pass it as it is. Keys never come near this interface. Each kind of event
 * has a budget; what exceeds it is counted and the count told with the next one that fits.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

enum journal_kind {
	JOURNAL_PLAIN, /* no MESSAGE_ID: what only somebody who debugs reads */
	JOURNAL_STARTED,
	JOURNAL_STOPPING,
	JOURNAL_PROMOTED,
	JOURNAL_EVICTED,
	JOURNAL_REFUSED,     /* the driver refused an SA, which stays in software */
	JOURNAL_MOVE_FAILED, /* for another reason; the SA is where it was */
	JOURNAL_NIC_USABLE,
	JOURNAL_NIC_LOST,
	JOURNAL_CAPACITY_LEARNED,
	JOURNAL_RESYNCHRONISED, /* notifications were lost, everything was read again */
	JOURNAL_CONFIGURATION_LOADED,
	JOURNAL_CONFIGURATION_REJECTED,
	JOURNAL_PAUSED,
	JOURNAL_RESUMED,
	JOURNAL_EVACUATED,       /* a NIC is emptied and kept empty */
	JOURNAL_ORDERS_LOST,     /* whether it is to pause is not known, so it does */
	JOURNAL_HANDS_OFF,       /* an SA that is never moved; once per SA and reason */
	JOURNAL_FOREIGN_OFFLOAD, /* somebody else offloaded an SA */
	JOURNAL_ADOPTED,         /* an SA of ours came back under another identity */
	JOURNAL_FOREIGN_NIC,     /* a NIC holds SAs that somebody else offloaded; once a day */
	JOURNAL_SLOWED,          /* a NIC slows an SA down, which is back in software */
	JOURNAL_TRUST_LOST,
	JOURNAL_RESTORED,      /* SAs brought back after their NIC went down */
	JOURNAL_POLICIES_LOST, /* in packet offload, with their NIC: clear text may leave */
	JOURNAL_DEGRADED,
	_JOURNAL_KIND_MAX,
};

/* What is NULL, unknown or 0 is not told. Strings are the caller's. */
struct journal_event {
	enum journal_kind kind;
	int priority; /* of syslog(3); 0: the kind's own */
	const char *spi;
	const char *source;
	const char *destination;
	const char *direction;
	const char *nic;
	const char *rule;        /* "path:line" */
	const char *reason;      /* kebab-case name */
	const char *driver_text; /* extended ack; hostile */
	bool rate_known;
	double rate; /* bytes/s */
	int error;   /* errno, of either sign */
};

struct journal;

/* Where to tell: stderr when it is a terminal or there is no journal, else NULL: the journal. */
FILE *journal_default_output(void);

/* `output` stays the caller's. What is less urgent than `max_priority` (LOG_INFO, LOG_DEBUG) is
 * dropped. */
int journal_new(FILE *output, int max_priority, struct journal **ret_journal);
struct journal *journal_free(struct journal *journal); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct journal *, journal_free);

/* The format is the MESSAGE=, a sentence without a full stop. Lines may follow it. */
void journal_event(struct journal *journal, const struct journal_event *event, const char *format,
		   ...) _printf_(3, 4);
/* The same without fields and MESSAGE_ID. */
void journal_log(struct journal *journal, int priority, const char *format, ...) _printf_(3, 4);

/* Tells how many were suppressed in budgets that are over. Call it now and then. */
void journal_flush(struct journal *journal);

/* The parts that decide and compose, apart from what sends. */

#define JOURNAL_FIELDS_MAX 16
#define JOURNAL_MESSAGE_MAX 16384
#define JOURNAL_VALUE_MAX 256

struct journal_record {
	int n_fields;
	struct iovec fields[JOURNAL_FIELDS_MAX]; /* NAME=value, into `text` */
	size_t used;
	char text[JOURNAL_MESSAGE_MAX + JOURNAL_FIELDS_MAX * (JOURNAL_VALUE_MAX + 32)];
};

void journal_compose(struct journal_record *record, const struct journal_event *event,
		     const char *message, uint64_t suppressed);

struct journal_budget {
	double window_start; /* s, monotonic */
	unsigned told;
	uint64_t suppressed;
};

/* Whether one more may be told now. If so, sets `ret_suppressed` to how many were not since the
 * last one that was. A `burst` of 0 means no limit. */
bool journal_budget_take(struct journal_budget *budget, unsigned burst, double now,
			 uint64_t *ret_suppressed);
