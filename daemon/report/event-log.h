/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The last events of the journal, for readers that follow them as they happen.
 *
 * All readers share one ring, and each has only a place in it. So a reader that is slow, or reads
 * no more, costs nothing: what is overwritten before it was read is counted as lost. The ring
 * exists while there are readers. It has events that the journal's budget suppresses, too.
 */
#pragma once

#include "report/journal.h"

/* The most readers, and the most events and bytes that are kept. */
#define EVENT_READERS_MAX 64
#define EVENTS_MAX 1024
#define EVENTS_BYTES_MAX ((size_t)512 * 1024)

struct event_log;
struct event_reader;

struct logged_event {
	double time; /* s since 1970 */
	size_t size;
	char fields[]; /* NAME=value, each with a NUL */
};

/* `journal` and `clock` are not owned. -ENOMEM. */
int event_log_new(struct journal *journal, const struct clock *clock, struct event_log **ret_log);
/* There are no readers any more. Accepts NULL, returns NULL. */
struct event_log *event_log_free(struct event_log *log);
DEFINE_CLEANUP(struct event_log *, event_log_free);

/* Called after each event while there are readers. It must neither read nor log events. */
void event_log_on_event(struct event_log *log, void (*call)(void *userdata), void *userdata);

/* It gets the events from now on. -EUSERS: there are as many as there may be; -ENOMEM. */
int event_reader_new(struct event_log *log, struct event_reader **ret_reader);
struct event_reader *event_reader_free(
	struct event_reader *reader); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct event_reader *, event_reader_free);

/* The next event, valid until one is logged, and how many were lost before it; or NULL: there is
 * none yet. */
const struct logged_event *event_reader_next(struct event_reader *reader, uint64_t *ret_lost);

/* For event_entry_read(); `userdata` is the event. */
bool logged_event_field(void *userdata, const char *name, const char **ret_value, size_t *ret_size);
