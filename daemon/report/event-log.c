// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/event-log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct event_log {
	struct journal *journal;
	const struct clock *clock;
	void (*on_event)(void *userdata);
	void *userdata;
	unsigned n_readers;
	/* Events have numbers. Those from `first` on are kept, each in the place of its number. An
	 * empty place is that of an event for which there was no memory. */
	uint64_t first, next;
	size_t bytes;
	struct logged_event *ring[EVENTS_MAX];
};

struct event_reader {
	struct event_log *log;
	uint64_t next;
	uint64_t lost; /* since its last event */
};

int event_log_new(struct journal *journal, const struct clock *clock, struct event_log **ret_log)
{
	struct event_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->journal = journal;
	log->clock = clock;
	*ret_log = log;
	return 0;
}

struct event_log *event_log_free(struct event_log *log)
{
	free(log);
	return NULL;
}

void event_log_on_event(struct event_log *log, void (*call)(void *userdata), void *userdata)
{
	log->on_event = call;
	log->userdata = userdata;
}

static struct logged_event **place_of(struct event_log *log, uint64_t number)
{
	return &log->ring[number % EVENTS_MAX];
}

static void drop_first(struct event_log *log)
{
	struct logged_event **place = place_of(log, log->first++);

	if (*place)
		log->bytes -= (*place)->size;
	free(TAKE_PTR(*place));
}

static struct logged_event *copy_record(const struct journal_record *record)
{
	size_t size = 0;
	struct logged_event *event;
	char *to;

	for (int i = 0; i < record->n_fields; i++)
		size += record->fields[i].iov_len + 1;
	event = malloc(sizeof(*event) + size);
	if (!event)
		return NULL;
	event->size = size;
	to = event->fields;
	for (int i = 0; i < record->n_fields; i++) {
		to = mempcpy(to, record->fields[i].iov_base, record->fields[i].iov_len);
		*to++ = '\0';
	}
	return event;
}

static void add(const struct journal_record *record, void *userdata)
{
	struct event_log *log = userdata;
	struct logged_event *event = copy_record(record);

	if (event) {
		event->time = clock_precise(log->clock);
		log->bytes += event->size;
	}
	if (log->next - log->first == EVENTS_MAX)
		drop_first(log);
	*place_of(log, log->next++) = event;
	while (log->bytes > EVENTS_BYTES_MAX)
		drop_first(log);
	if (log->on_event)
		log->on_event(log->userdata);
}

int event_reader_new(struct event_log *log, struct event_reader **ret_reader)
{
	struct event_reader *reader;

	if (log->n_readers == EVENT_READERS_MAX)
		return -EUSERS;
	reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->log = log;
	reader->next = log->next;
	if (log->n_readers++ == 0)
		journal_listen(log->journal, add, log);
	*ret_reader = reader;
	return 0;
}

struct event_reader *event_reader_free(struct event_reader *reader)
{
	struct event_log *log = reader ? reader->log : NULL;

	if (log && --log->n_readers == 0) {
		journal_listen(log->journal, NULL, NULL);
		while (log->first < log->next)
			drop_first(log);
	}
	free(reader);
	return NULL;
}

const struct logged_event *event_reader_next(struct event_reader *reader, uint64_t *ret_lost)
{
	struct event_log *log = reader->log;

	if (reader->next < log->first) {
		reader->lost += log->first - reader->next;
		reader->next = log->first;
	}
	while (reader->next < log->next) {
		const struct logged_event *event = *place_of(log, reader->next++);

		if (event) {
			*ret_lost = reader->lost;
			reader->lost = 0;
			return event;
		}
		reader->lost++;
	}
	return NULL;
}

bool logged_event_field(void *userdata, const char *name, const char **ret_value, size_t *ret_size)
{
	const struct logged_event *event = userdata;
	size_t length = strlen(name);

	for (const char *field = event->fields; field < event->fields + event->size;
	     field += strlen(field) + 1) {
		if (strncmp(field, name, length) == 0 && field[length] == '=') {
			*ret_value = field + length + 1;
			*ret_size = strlen(*ret_value);
			return true;
		}
	}
	return false;
}
