/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "show-text.h"

#include "explain-text.h"
#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define INDENT 22

__attribute__((format(printf, 3, 4))) static void add(struct page *page, const char *name,
						      const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	page_named(page, INDENT, name, text);
}

static void add_if(struct page *page, const char *name, const char *value)
{
	if (value && value[0])
		page_named(page, INDENT, name, value);
}

static void add_group(struct page *page, const char *name)
{
	page->row++;
	page_text(page, 0, FRAME_BOLD, name);
}

/* A number of the reply; nothing if it is null. */
static void add_amount(struct page *page, const char *name, const json_t *object, const char *key,
		       char *(*format)(double value, char buffer[UNITS_TEXT_MAX]))
{
	const json_t *value = json_object_get(object, key);
	char text[UNITS_TEXT_MAX];

	if (json_is_number(value))
		add(page, name, "%s", format(json_number_value(value), text));
}

static void add_identity(struct page *page, const json_t *object, const struct sa_view *sa)
{
	add_group(page, "Identity");
	add(page, "SPI", "%s", sa->spi);
	add_if(page, "connection", sa->connection);
	add(page, "source", "%s", sa->src);
	add(page, "destination", "%s", sa->dst);
	add(page, "direction", "%s", sa->direction);
	add(page, "protocol", "%s, %s mode", sa->protocol, sa->mode);
	add(page, "reqid", "%lld", (long long)sa->reqid);
	if (sa->if_id)
		add(page, "if_id", "%lld", (long long)sa->if_id);
	add_if(page, "mark", sa->mark);
	add_if(page, "algorithm", json_text_or(object, "algorithm", NULL));
	add_if(page, "driver in software", json_text_or(object, "softwareDriver", NULL));
}

static void add_traffic(struct page *page, const json_t *object, const json_t *numbers,
			const struct sa_view *sa)
{
	char bytes[UNITS_TEXT_MAX];

	add_group(page, "Traffic");
	add_amount(page, "rate", object, "bytesPerSecond", units_format_rate);
	if (isnan(sa->rate))
		add(page, "rate", "not known");
	if (sa->rank > 0)
		add(page, "rank", "%lld of %lld", (long long)sa->rank,
		    (long long)json_whole_or(numbers, "sas", 0));
	add_amount(page, "at least, next", numbers, "leastBytesPerSecond", units_format_rate);
	add_amount(page, "at most, next", numbers, "mostBytesPerSecond", units_format_rate);
	add(page, "carried", "%s in %lld packets", units_format_bytes((double)sa->bytes, bytes),
	    (long long)sa->packets);
}

static void add_place(struct page *page, const json_t *object, const struct sa_view *sa)
{
	char time[UNITS_TEXT_MAX];

	add_group(page, "Place");
	add(page, "place", "%s", sa->nic ? sa->nic : "software");
	add(page, "for", "at least %s", units_format_time(sa->in_place, time));
	add_if(page, "leaves by", sa->candidate);
	add(page, "state", "%s", sa->state);
	add(page, "why", "%s (%s)", sa->text, sa->reason);
	add(page, "rule", "%s", sa->rule ? sa->rule : "none");
	add_if(page, "order", json_text_or(object, "order", NULL));
}

static void add_boundary(struct page *page, const json_t *boundary)
{
	const json_t *other = json_object_get(boundary, "otherBytesPerSecond");
	char rate[UNITS_TEXT_MAX];

	if (!json_is_object(boundary))
		return;
	add_amount(page, "boundary", boundary, "bytesPerSecond", units_format_rate);
	add(page, "compared with", "%s, %s", json_text_or(boundary, "otherSpi", "?"),
	    units_format_rate(json_number_value(other), rate));
}

static void add_decision(struct page *page, const json_t *numbers)
{
	const json_t *slots = json_object_get(numbers, "slots");

	add_group(page, "Next move");
	if (json_is_object(slots))
		add(page, "slots", "%lld of %lld in use in %s, %lld kept free",
		    (long long)json_whole_or(slots, "used", 0),
		    (long long)json_whole_or(slots, "capacity", 0), json_text_or(slots, "nic", "?"),
		    (long long)json_whole_or(slots, "reserve", 0));
	add_boundary(page, json_object_get(numbers, "boundary"));
	add_amount(page, "it would win", numbers, "gainBytes", units_format_bytes);
	add_amount(page, "it pays from", numbers, "neededBytes", units_format_bytes);
	add_amount(page, "it costs", numbers, "costBytes", units_format_bytes);
	add_amount(page, "possible in", numbers, "movesIn", units_format_time);
	if (json_number_value(json_object_get(numbers, "probation")) > 0)
		add_amount(page, "on probation for", numbers, "probation", units_format_time);
	add_if(page, "what has to change", json_text_or(numbers, "change", NULL));
}

static int add_sas(struct page *page, const void *data)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((const json_t *)data, i, entry) {
		const json_t *object = json_object_get(entry, "sa");
		const json_t *numbers = json_object_get(entry, "numbers");
		struct sa_view sa;
		int r = sa_view_read(object, &sa);

		if (r < 0)
			return r;
		if (i > 0)
			page->row++;
		explain_add_title(page, &sa);
		add_identity(page, object, &sa);
		add_traffic(page, object, numbers, &sa);
		add_place(page, object, &sa);
		add_decision(page, numbers);
		if (json_array_size(json_object_get(entry, "details")) > 0)
			add_group(page, "Policy");
		explain_add_details(page, json_object_get(entry, "details"));
		explain_add_history(page, json_object_get(entry, "history"));
	}
	return 0;
}

int show_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame)
{
	const json_t *sas = json_object_get(reply, "sas");

	return json_is_array(sas) ? page_make(add_sas, sas, width, ascii, ret_frame) : -EBADMSG;
}
