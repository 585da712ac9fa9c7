/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history-entry.h"
#include "spi.h"

#include "cleanup.h"
#include "message-id.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The daemon writes at most 256 bytes. */
#define VALUE_MAX 512
#define SPI_SIZE 11 /* "0x" and 8 digits */

/* The kinds of entries that belong to actions on SAs. The action is that of entries without
 * ESPOFFLOAD_ACTION: how many were suppressed, and those of older versions. */
static const struct {
	const char *match;
	const char *action;
} kinds[] = {
	{"MESSAGE_ID=" MESSAGE_ID_PROMOTED, "promoted"},
	{"MESSAGE_ID=" MESSAGE_ID_EVICTED, "evicted"},
	{"MESSAGE_ID=" MESSAGE_ID_REFUSED, "refused"},
	{"MESSAGE_ID=" MESSAGE_ID_MOVE_FAILED, "failed"},
	{"MESSAGE_ID=" MESSAGE_ID_RESTORED, "restored"},
	{"MESSAGE_ID=" MESSAGE_ID_ADOPTED, "adopted"},
	{"MESSAGE_ID=" MESSAGE_ID_SLOWED, "compared"},
	{"MESSAGE_ID=" MESSAGE_ID_NIC_LOST, "nic-lost"},
	/* Without a MESSAGE_ID, or with one that others have too. */
	{"ESPOFFLOAD_ACTION=would-promote"},
	{"ESPOFFLOAD_ACTION=would-evict"},
	{"ESPOFFLOAD_ACTION=hands-off"},
	{"ESPOFFLOAD_ACTION=gone"},
	{"ESPOFFLOAD_ACTION=compared"},
};

const char *history_match(size_t i)
{
	return i < ELEMENTSOF(kinds) ? kinds[i].match : NULL;
}

int history_filter_parse(const char *text, struct history_filter *ret_filter)
{
	struct history_filter filter = {};

	filter.by_spi = spi_parse(text, &filter.spi) >= 0;
	if (!filter.by_spi && config_parse_prefix(text, &filter.peer) < 0)
		return -EINVAL;
	*ret_filter = filter;
	return 0;
}

/* An entry that is read. */
struct reading {
	history_field_t field;
	void *userdata;
	json_t *object;
	char buffer[VALUE_MAX];
};

/* The value of a field, safe to display, or NULL. It is valid until the next call. */
static const char *text_of(struct reading *reading, const char *name)
{
	const char *value;
	size_t size;

	if (!reading->field(reading->userdata, name, &value, &size) || size == 0)
		return NULL;
	return text_neutralise(reading->buffer, sizeof(reading->buffer), value, size);
}

static int add_text(struct reading *reading, const char *key, const char *name)
{
	const char *text = text_of(reading, name);

	return json_object_set_new(reading->object, key, text ? json_string(text) : json_null());
}

/* A whole number, or null if the field is none. */
static int add_number(struct reading *reading, const char *key, const char *name)
{
	const char *text = text_of(reading, name);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	bool valid = digits > 0 && digits <= 18 && !text[digits]; /* below 2^63 */

	return json_object_set_new(reading->object, key,
				   valid ? json_integer(strtoll(text, NULL, 10)) : json_null());
}

static int add_action(struct reading *reading)
{
	const char *action = text_of(reading, "ESPOFFLOAD_ACTION");
	const char *id;

	if (action)
		return json_object_set_new(reading->object, "action", json_string(action));
	id = text_of(reading, "MESSAGE_ID");
	for (size_t i = 0; id && i < ELEMENTSOF(kinds); i++)
		if (kinds[i].action && strcmp(kinds[i].match + strlen("MESSAGE_ID="), id) == 0)
			action = kinds[i].action;
	return json_object_set_new(reading->object, "action", json_string(action ? action : "?"));
}

/* The reason as a sentence; entries without one have it in their message. */
static int add_reason(struct reading *reading)
{
	int r = add_text(reading, "text", "ESPOFFLOAD_TEXT");

	if (r == 0 && json_is_null(json_object_get(reading->object, "text")))
		r = add_text(reading, "text", "MESSAGE");
	return r;
}

static bool has_spi(struct reading *reading, uint32_t wanted)
{
	const char *text = text_of(reading, "ESPOFFLOAD_SPI");
	uint32_t spi;

	return text && strlen(text) < SPI_SIZE && spi_parse(text, &spi) >= 0 && spi == wanted;
}

static bool has_address(struct reading *reading, const char *name,
			const struct config_prefix *wanted)
{
	const char *text = text_of(reading, name);
	struct config_prefix address;

	return text && config_parse_prefix(text, &address) >= 0 &&
	       config_match_prefix(wanted, address.family, &address.address);
}

/* The peer is the source of an inbound SA and the destination of an outbound one. */
static bool has_peer(struct reading *reading, const struct config_prefix *wanted)
{
	const char *direction = text_of(reading, "ESPOFFLOAD_DIRECTION");
	bool in = direction && strcmp(direction, "in") == 0;
	bool out = direction && strcmp(direction, "out") == 0;

	return (!in && has_address(reading, "ESPOFFLOAD_DST", wanted)) ||
	       (!out && has_address(reading, "ESPOFFLOAD_SRC", wanted));
}

static bool is_wanted(struct reading *reading, const struct history_filter *filter)
{
	return (!filter->by_spi || has_spi(reading, filter->spi)) &&
	       (!filter->peer.set || has_peer(reading, &filter->peer));
}

static int add_fields(struct reading *reading, double time)
{
	static const struct {
		const char *key;
		const char *name;
	} texts[] = {
		{"spi", "ESPOFFLOAD_SPI"},
		{"src", "ESPOFFLOAD_SRC"},
		{"dst", "ESPOFFLOAD_DST"},
		{"direction", "ESPOFFLOAD_DIRECTION"},
		{"nic", "ESPOFFLOAD_NIC"},
		{"from", "ESPOFFLOAD_FROM"},
		{"to", "ESPOFFLOAD_TO"},
		{"reason", "ESPOFFLOAD_REASON"},
		{"driverText", "ESPOFFLOAD_DRIVER_TEXT"},
		{"rule", "ESPOFFLOAD_RULE"},
	};
	static const struct {
		const char *key;
		const char *name;
	} numbers[] = {
		{"bytesPerSecond", "ESPOFFLOAD_RATE"},
		{"otherBytesPerSecond", "ESPOFFLOAD_OTHER_RATE"},
		{"errno", "ERRNO"},
		{"suppressed", "ESPOFFLOAD_SUPPRESSED"},
	};
	int r = json_object_set_new(reading->object, "time", json_real(time));

	if (r == 0)
		r = add_action(reading);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(texts); i++)
		r = add_text(reading, texts[i].key, texts[i].name);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(numbers); i++)
		r = add_number(reading, numbers[i].key, numbers[i].name);
	return r == 0 ? add_reason(reading) : r;
}

int history_entry_read(history_field_t field, void *userdata, double time,
		       const struct history_filter *filter, json_t **ret_object)
{
	struct reading reading = {.field = field, .userdata = userdata};

	*ret_object = NULL;
	if (!is_wanted(&reading, filter))
		return 0;
	reading.object = json_object();
	if (!reading.object || add_fields(&reading, time) < 0) {
		json_decref(reading.object);
		return -ENOMEM;
	}
	*ret_object = reading.object;
	return 0;
}
