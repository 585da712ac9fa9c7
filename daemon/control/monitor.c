// SPDX-License-Identifier: GPL-2.0-or-later
/* Monitor: events as they happen, with the members that `history` has of the journal. */
#include "control/describe.h"
#include "control/methods.h"

#include "event-entry.h"
#include "report/event-log.h"

#include <errno.h>

/* Events of a slice, which takes some 100 us. */
#define SLICE 16
/* Of the time, which has microseconds. */
#define TIME_DIGITS 16

struct monitor {
	struct event_reader *reader;
	struct event_filter filter;
};

static void monitor_free(void *data)
{
	struct monitor *monitor = data;

	event_reader_free(monitor->reader);
	free(monitor);
}

static void monitor_freep(struct monitor **monitor)
{
	if (*monitor)
		monitor_free(*monitor);
}

/* Sets *ret_error if they are not valid. */
static int read_filter(const json_t *parameters, struct event_filter *filter, json_t **ret_reply,
		       const char **ret_error)
{
	const char *spi = json_string_value(json_object_get(parameters, "spi"));
	const char *peer = json_string_value(json_object_get(parameters, "peer"));

	filter->by_spi = spi != NULL;
	if (spi && describe_parse_spi(spi, &filter->spi) < 0)
		return control_refuse_parameter("spi", ret_reply, ret_error);
	if (peer && config_parse_prefix(peer, &filter->peer) < 0)
		return control_refuse_value(
			"peer", peer, "an address or a prefix, as 192.0.2.0/24 or 2001:db8::1",
			ret_reply, ret_error);
	return 0;
}

static int monitor_begin(json_t *parameters, void *userdata, void **ret_list, json_t **ret_reply,
			 const char **ret_error)
{
	struct methods *methods = userdata;
	_cleanup_(monitor_freep) struct monitor *monitor = calloc(1, sizeof(*monitor));
	int r;

	if (!monitor)
		return -ENOMEM;
	r = read_filter(parameters, &monitor->filter, ret_reply, ret_error);
	if (r < 0 || *ret_error)
		return r;
	r = event_reader_new(methods->events, &monitor->reader);
	if (r == -EUSERS) {
		*ret_error = "TooManyMonitors";
		*ret_reply = json_pack("{s:i}", "most", EVENT_READERS_MAX);
		return *ret_reply ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_list = TAKE_PTR(monitor);
	return 0;
}

/* It stands in the place of the events that were lost. */
static json_t *lost_json(double time, uint64_t lost)
{
	return json_pack("{s:f, s:s, s:o, s:I}", "time", time, "action", "lost", "text",
			 json_sprintf("%llu events were read too late and are lost",
				      (unsigned long long)lost),
			 "lost", (json_int_t)lost);
}

static int add_event(const struct monitor *monitor, const struct logged_event *event, json_t *rows)
{
	json_t *object;
	int r = event_entry_read(logged_event_field, (void *)event, event->time, &monitor->filter,
				 &object);

	if (r < 0 || !object)
		return r;
	return json_array_append_new(rows, object) < 0 ? -ENOMEM : 0;
}

static int monitor_next(void *data, json_t *rows)
{
	struct monitor *monitor = data;

	for (unsigned i = 0; i < SLICE; i++) {
		uint64_t lost = 0;
		const struct logged_event *event = event_reader_next(monitor->reader, &lost);
		int r;

		if (!event)
			return 0;
		if (lost > 0 && json_array_append_new(rows, lost_json(event->time, lost)) < 0)
			return -ENOMEM;
		r = add_event(monitor, event, rows);
		if (r < 0)
			return r;
	}
	return 1;
}

static json_t *monitor_rest(void *data)
{
	(void)data;
	return json_object();
}

const struct control_list list_of_events = {
	.member = "events",
	.follows = true,
	.json_flags = JSON_REAL_PRECISION(TIME_DIGITS),
	.begin = monitor_begin,
	.next = monitor_next,
	.rest = monitor_rest,
	.free = monitor_free,
};
