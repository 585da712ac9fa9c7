/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "event-entry.h"

#include "cleanup.h"
#include "message-id.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The daemon writes at most 256 bytes. */
#define VALUE_MAX 512
#define SPI_SIZE 11 /* "0x", 8 digits and a NUL */

/* In parentheses: a missing comma is suspected otherwise (clang-tidy). */
#define ID_MATCH(ID) ("MESSAGE_ID=" ID)

/* The entries that tell where SAs are. Some kinds have no MESSAGE_ID, or one that others have
 * too. */
static const char *const history[] = {
	ID_MATCH(MESSAGE_ID_PROMOTED),     ID_MATCH(MESSAGE_ID_EVICTED),
	ID_MATCH(MESSAGE_ID_REFUSED),      ID_MATCH(MESSAGE_ID_MOVE_FAILED),
	ID_MATCH(MESSAGE_ID_RESTORED),     ID_MATCH(MESSAGE_ID_ADOPTED),
	ID_MATCH(MESSAGE_ID_SLOWED),       ID_MATCH(MESSAGE_ID_NIC_LOST),
	"ESPOFFLOAD_ACTION=would-promote", "ESPOFFLOAD_ACTION=would-evict",
	"ESPOFFLOAD_ACTION=hands-off",     "ESPOFFLOAD_ACTION=gone",
	"ESPOFFLOAD_ACTION=compared",
};

const char *event_history_match(size_t i)
{
	return i < ELEMENTSOF(history) ? history[i] : NULL;
}

/* The action of entries without ESPOFFLOAD_ACTION: how many were suppressed, those of older
 * versions, and what is not done with an SA. */
static const struct kind {
	const char *id;
	const char *action;
	bool by_message; /* MESSAGE says more than ESPOFFLOAD_TEXT */
} kinds[] = {
	{MESSAGE_ID_PROMOTED, "promoted"},
	{MESSAGE_ID_EVICTED, "evicted"},
	{MESSAGE_ID_REFUSED, "refused"},
	{MESSAGE_ID_MOVE_FAILED, "failed"},
	{MESSAGE_ID_RESTORED, "restored"},
	{MESSAGE_ID_ADOPTED, "adopted"},
	{MESSAGE_ID_SLOWED, "compared"},
	{MESSAGE_ID_NIC_LOST, "nic-lost"},
	{MESSAGE_ID_STARTED, "started"},
	{MESSAGE_ID_STOPPING, "stopping"},
	{MESSAGE_ID_NIC_USABLE, "nic-usable"},
	{MESSAGE_ID_CAPACITY_LEARNED, "capacity"},
	{MESSAGE_ID_RESYNCHRONISED, "resynced"},
	{MESSAGE_ID_CONFIGURATION_LOADED, "loaded"},
	{MESSAGE_ID_CONFIGURATION_REJECTED, "not-loaded"},
	{MESSAGE_ID_CONFIGURATION_ON_TRIAL, "on-trial"},
	{MESSAGE_ID_CONFIGURATION_REVERTED, "reverted"},
	{MESSAGE_ID_PAUSED, "paused"},
	{MESSAGE_ID_RESUMED, "resumed"},
	{MESSAGE_ID_EVACUATED, "evacuated"},
	{MESSAGE_ID_SA_ORDER, "order", .by_message = true},
	{MESSAGE_ID_SA_ORDER_ENDED, "order-ended", .by_message = true},
	{MESSAGE_ID_ORDERS_LOST, "orders-lost"},
	{MESSAGE_ID_HANDS_OFF, "hands-off"},
	{MESSAGE_ID_FOREIGN_OFFLOAD, "foreign"},
	{MESSAGE_ID_FOREIGN_NIC, "foreign"},
	{MESSAGE_ID_TRUST_LOST, "trust-lost"},
	{MESSAGE_ID_POLICIES_LOST, "policies-lost"},
	{MESSAGE_ID_PLANNED, "planned"},
	{MESSAGE_ID_GONE, "gone"},
	{MESSAGE_ID_CLEARED, "compared"},
	{MESSAGE_ID_RECOVERED, "recovered"},
	{MESSAGE_ID_DENIED, "denied"},
	{MESSAGE_ID_DEGRADED, "degraded"},
};

/* An entry that is read. */
struct reading {
	event_field_t field;
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

static const struct kind *kind_of(struct reading *reading)
{
	const char *id = text_of(reading, "MESSAGE_ID");

	for (size_t i = 0; id && i < ELEMENTSOF(kinds); i++)
		if (strcmp(kinds[i].id, id) == 0)
			return &kinds[i];
	return NULL;
}

static int add_action(struct reading *reading, const struct kind *kind)
{
	const char *action = text_of(reading, "ESPOFFLOAD_ACTION");

	if (!action)
		action = kind ? kind->action : "?";
	return json_object_set_new(reading->object, "action", json_string(action));
}

/* The reason as a sentence; entries without one have it in their message. */
static int add_reason(struct reading *reading, const struct kind *kind)
{
	bool by_message = kind && kind->by_message;
	int r = add_text(reading, "text", by_message ? "MESSAGE" : "ESPOFFLOAD_TEXT");

	if (r == 0 && json_is_null(json_object_get(reading->object, "text")))
		r = add_text(reading, "text", "MESSAGE");
	return r;
}

static bool has_spi(struct reading *reading, uint32_t wanted)
{
	const char *text = text_of(reading, "ESPOFFLOAD_SPI");
	char spi[SPI_SIZE];

	(void)snprintf(spi, sizeof(spi), "0x%08x", wanted);
	return text && strcmp(text, spi) == 0;
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

static bool is_wanted(struct reading *reading, const struct event_filter *filter)
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
	const struct kind *kind = kind_of(reading);
	int r = json_object_set_new(reading->object, "time", json_real(time));

	if (r == 0)
		r = add_action(reading, kind);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(texts); i++)
		r = add_text(reading, texts[i].key, texts[i].name);
	for (size_t i = 0; r == 0 && i < ELEMENTSOF(numbers); i++)
		r = add_number(reading, numbers[i].key, numbers[i].name);
	return r == 0 ? add_reason(reading, kind) : r;
}

int event_entry_read(event_field_t field, void *userdata, double time,
		     const struct event_filter *filter, json_t **ret_object)
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
