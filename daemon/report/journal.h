/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Log messages of the daemon: to the journal with a MESSAGE_ID and structured fields, or as plain
 * lines to a terminal if the daemon is started by hand.
 *
 * Texts of drivers, peers and configurations are made safe to display (text.h) and cut to length
 * here, so callers pass them unchanged. Keys must not be passed.
 *
 * Each kind of event has a budget for each NIC, so that a NIC that flaps neither floods the journal
 * nor hides what the others do. Events that exceed it are counted. Their number is reported with
 * the next event within the budget, or by itself when no more came.
 */
#pragma once

#include "base/clock.h"
#include "cleanup.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/uio.h>

enum journal_kind {
	JOURNAL_PLAIN, /* no MESSAGE_ID: only for debugging */
	JOURNAL_STARTED,
	JOURNAL_STOPPING,
	JOURNAL_PROMOTED,
	JOURNAL_EVICTED,
	JOURNAL_REFUSED,     /* the driver refused an SA, which stays in software */
	JOURNAL_MOVE_FAILED, /* failed for another reason; the SA is where it was, or owed */
	JOURNAL_NIC_USABLE,
	JOURNAL_NIC_LOST,
	JOURNAL_CAPACITY_LEARNED,
	JOURNAL_RESYNCHRONISED, /* events were lost, all SAs were read again */
	JOURNAL_CONFIGURATION_LOADED,
	JOURNAL_CONFIGURATION_REJECTED,
	JOURNAL_CONFIGURATION_ON_TRIAL,
	JOURNAL_CONFIGURATION_REVERTED,
	JOURNAL_PAUSED,
	JOURNAL_RESUMED,
	JOURNAL_EVACUATED,       /* a NIC is emptied and kept empty */
	JOURNAL_SA_ORDER,        /* SAs are pinned or banned */
	JOURNAL_SA_ORDER_ENDED,  /* by the operator, or its time is over */
	JOURNAL_ORDERS_LOST,     /* the orders cannot be read, so the daemon is paused */
	JOURNAL_HANDS_OFF,       /* an SA that is never moved; once per SA and reason */
	JOURNAL_FOREIGN_OFFLOAD, /* another program offloaded an SA */
	JOURNAL_ADOPTED,         /* the IKE daemon copied an owned SA */
	JOURNAL_FOREIGN_NIC,     /* a NIC holds SAs of other programs; once a day */
	JOURNAL_SLOWED,          /* a NIC slowed an SA down, which is back in software */
	JOURNAL_TRUST_LOST,
	JOURNAL_RESTORED,      /* SAs restored after their NIC went down */
	JOURNAL_POLICIES_LOST, /* policies in packet offload: clear text may leave */
	JOURNAL_PLANNED,       /* in the mode observe: a move that would be made */
	JOURNAL_GONE,          /* an SA was deleted before it was moved */
	JOURNAL_CLEARED,       /* the comparison showed that a NIC does not slow an SA down */
	JOURNAL_RECOVERED,     /* from what JOURNAL_DEGRADED reported */
	JOURNAL_DENIED,        /* a user may not call a method of the control socket */
	JOURNAL_DEGRADED,
	_JOURNAL_KIND_MAX,
};

/* Fields that are NULL, unknown or 0 are omitted. The caller keeps the strings. */
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
	/* What `espoffloadctl history` shows of an action on SAs. */
	const char *action; /* "promoted", "evicted", "refused", ... */
	const char *from;   /* a NIC or "software"; of the move that was tried if it failed */
	const char *to;
	const char *text; /* why, with the numbers */
	bool other_rate_known;
	double other_rate;  /* bytes/s, of the SA that it was compared with */
	const char *method; /* of the control socket */
	const char *uid;    /* of its caller */
};

struct journal;
struct journal_record;

/* Returns stderr if it is a terminal or there is no journal. Otherwise returns NULL: the
 * journal. */
FILE *journal_default_output(void);

/* `clock` and `output` are not owned; `output` NULL: the journal. Events with a lower priority than
 * `max_priority` (LOG_INFO, LOG_DEBUG) are dropped. -ENOMEM. */
int journal_new(const struct clock *clock, FILE *output, int max_priority,
		struct journal **ret_journal);
struct journal *journal_free(struct journal *journal); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct journal *, journal_free);

/* The format gives MESSAGE=: a sentence without a full stop, which more lines may follow. */
void journal_event(struct journal *journal, const struct journal_event *event, const char *format,
		   ...) _printf_(3, 4);
/* The same without fields and MESSAGE_ID. */
void journal_log(struct journal *journal, int priority, const char *format, ...) _printf_(3, 4);

/* Called with the fields of each event that has a MESSAGE_ID, also of those beyond the budget,
 * which the journal does not get. NULL: nobody is told. */
typedef void (*journal_listener_t)(const struct journal_record *record, void *userdata);
void journal_listen(struct journal *journal, journal_listener_t listener, void *userdata);

/* Reports the numbers of suppressed events where they have ended: where none came for long enough
 * to fill the budget. Call it periodically. */
void journal_flush(struct journal *journal);

/* The parts that do no I/O, for the tests. */

/* s. In any time as long, at most twice the burst is reported. */
#define JOURNAL_WINDOW 30

#define JOURNAL_FIELDS_MAX 22
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

/* A token bucket. All zero: it was never used, and is full. */
struct journal_budget {
	bool used;
	double time; /* s, monotonic: when `tokens` was computed */
	double tokens;
	uint64_t suppressed;
};

/* Whether one more event may be reported at `now` (s, monotonic). If so, sets `ret_suppressed` to
 * the number of suppressed events since the last reported one. `burst` events may come at once, and
 * as many in each further JOURNAL_WINDOW; 0: no limit. */
bool journal_budget_take(struct journal_budget *budget, unsigned burst, double now,
			 uint64_t *ret_suppressed);
bool journal_budget_is_full(const struct journal_budget *budget, unsigned burst, double now);
