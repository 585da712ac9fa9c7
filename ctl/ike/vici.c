/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/vici.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* charon uses three levels: the IKE_SA, "child-sas", the CHILD_SA. */
#define DEPTH_MAX 8
#define DEPTH_IKE 1
#define DEPTH_CHILD 3
#define LENGTH_SIZE 4
/* The names of sections and keys have a length of one byte. */
#define WORD_SIZE 256

enum packet {
	PACKET_RESPONSE = 1,
	PACKET_COMMAND_UNKNOWN = 2,
	PACKET_EVENT_CONFIRM = 5,
	PACKET_EVENT_UNKNOWN = 6,
	PACKET_EVENT = 7,
};

enum element {
	ELEMENT_SECTION_START = 1,
	ELEMENT_SECTION_END = 2,
	ELEMENT_KEY_VALUE = 3,
	ELEMENT_LIST_START = 4,
	ELEMENT_LIST_ITEM = 5,
	ELEMENT_LIST_END = 6,
};

const char *vici_request(size_t *ret_size)
{
	/* charon answers packets in their order, so both can be sent at once. With "noblock" it
	 * leaves out an IKE_SA that is in use at this moment, and none of its threads waits. */
	static const char request[] = "\0\0\0\x09\x03\x07list-sa"
				      "\0\0\0\x18\0\x08list-sas\x03\x07noblock\0\x03yes";

	*ret_size = sizeof(request) - 1;
	return request;
}

/* What is not read yet. */
struct rest {
	const char *at;
	size_t size;
};

static int take(struct rest *rest, size_t size, const char **ret_bytes)
{
	if (rest->size < size)
		return -EBADMSG;
	*ret_bytes = rest->at;
	rest->at += size;
	rest->size -= size;
	return 0;
}

/* Takes a big-endian number of 1 to 4 bytes. */
static int take_number(struct rest *rest, size_t size, size_t *ret_number)
{
	const char *bytes;
	size_t number = 0;
	int r = take(rest, size, &bytes);

	if (r < 0)
		return r;
	for (size_t i = 0; i < size; i++)
		number = number << 8 | (unsigned char)bytes[i];
	*ret_number = number;
	return 0;
}

/* Takes bytes after their length. What does not fit in `text` is cut: no value that is used is so
 * long. A NUL in it ends it. */
static int take_text(struct rest *rest, size_t length_size, char *text, size_t size)
{
	const char *bytes;
	size_t length;
	int r = take_number(rest, length_size, &length);

	if (r >= 0)
		r = take(rest, length, &bytes);
	if (r < 0)
		return r;
	if (length >= size)
		length = size - 1;
	memcpy(text, bytes, length);
	text[length] = '\0';
	return 0;
}

/* An event list-sa while it is read. charon writes the addresses of an IKE_SA before its
 * CHILD_SAs. */
struct listing {
	struct ike_names *names;
	size_t depth;
	bool list;
	char ike[WORD_SIZE];
	char local[IKE_ADDRESS_SIZE];
	char remote[IKE_ADDRESS_SIZE];
	char child[WORD_SIZE];
	char protocol[8];
	char spi_in[16];
	char spi_out[16];
};

static void begin_section(struct listing *listing, const char *name)
{
	listing->depth++;
	if (listing->depth == DEPTH_IKE) {
		memcpy(listing->ike, name, WORD_SIZE);
		listing->local[0] = listing->remote[0] = '\0';
	} else if (listing->depth == DEPTH_CHILD) {
		listing->child[0] = listing->protocol[0] = '\0';
		listing->spi_in[0] = listing->spi_out[0] = '\0';
	}
}

/* The CHILD_SA's name alone often repeats: "net" of each connection. */
static int add_child(const struct listing *listing)
{
	char name[2 * WORD_SIZE];
	int r;

	if (strcmp(listing->protocol, "ESP") != 0 || !listing->child[0])
		return 0;
	if (strcmp(listing->ike, listing->child) == 0)
		(void)snprintf(name, sizeof(name), "%s", listing->child);
	else
		(void)snprintf(name, sizeof(name), "%s/%s", listing->ike, listing->child);
	r = ike_names_add(listing->names, listing->spi_in, listing->local, name);
	return r < 0 ? r : ike_names_add(listing->names, listing->spi_out, listing->remote, name);
}

static int end_section(struct listing *listing)
{
	if (listing->depth == 0)
		return -EBADMSG;
	return listing->depth-- == DEPTH_CHILD ? add_child(listing) : 0;
}

/* The storage for a value, or NULL if it is not needed. */
static char *find_value(struct listing *listing, const char *key, size_t *ret_size)
{
	const struct {
		size_t depth;
		const char *key;
		char *value;
		size_t size;
	} values[] = {
		{DEPTH_IKE, "local-host", listing->local, sizeof(listing->local)},
		{DEPTH_IKE, "remote-host", listing->remote, sizeof(listing->remote)},
		{DEPTH_CHILD, "name", listing->child, sizeof(listing->child)},
		{DEPTH_CHILD, "protocol", listing->protocol, sizeof(listing->protocol)},
		{DEPTH_CHILD, "spi-in", listing->spi_in, sizeof(listing->spi_in)},
		{DEPTH_CHILD, "spi-out", listing->spi_out, sizeof(listing->spi_out)},
	};

	for (size_t i = 0; i < ELEMENTSOF(values); i++)
		if (listing->depth == values[i].depth && strcmp(values[i].key, key) == 0) {
			*ret_size = values[i].size;
			return values[i].value;
		}
	return NULL;
}

static int read_value(struct listing *listing, struct rest *rest)
{
	char key[WORD_SIZE], unused[1];
	char *value;
	size_t size;
	int r = take_text(rest, 1, key, sizeof(key));

	if (r < 0)
		return r;
	value = find_value(listing, key, &size);
	return value ? take_text(rest, 2, value, size) : take_text(rest, 2, unused, sizeof(unused));
}

static int read_element(struct listing *listing, struct rest *rest, enum element element)
{
	char word[WORD_SIZE] = "";
	int r;

	/* A list has items only. */
	if (listing->list != (element == ELEMENT_LIST_ITEM || element == ELEMENT_LIST_END))
		return -EBADMSG;
	switch (element) {
	case ELEMENT_SECTION_START:
		r = listing->depth < DEPTH_MAX ? take_text(rest, 1, word, sizeof(word)) : -EBADMSG;
		if (r >= 0)
			begin_section(listing, word);
		return r;
	case ELEMENT_SECTION_END:
		return end_section(listing);
	case ELEMENT_KEY_VALUE:
		return read_value(listing, rest);
	case ELEMENT_LIST_START:
		listing->list = true;
		return take_text(rest, 1, word, sizeof(word));
	case ELEMENT_LIST_ITEM:
		return take_text(rest, 2, word, sizeof(word));
	case ELEMENT_LIST_END:
		listing->list = false;
		return 0;
	}
	return -EBADMSG;
}

static int read_listing(struct ike_names *names, struct rest rest)
{
	struct listing listing = {.names = names};
	size_t element;
	int r = 0;

	while (r >= 0 && rest.size > 0) {
		r = take_number(&rest, 1, &element);
		if (r >= 0)
			r = read_element(&listing, &rest, (enum element)element);
	}
	if (r >= 0 && (listing.depth > 0 || listing.list))
		return -EBADMSG;
	return r;
}

/* Returns 1 if it is the last packet, as vici_read(). */
static int read_packet(struct ike_names *names, struct rest rest)
{
	char event[WORD_SIZE];
	size_t type;
	int r = take_number(&rest, 1, &type);

	if (r < 0)
		return r;
	switch (type) {
	case PACKET_EVENT_CONFIRM:
		return 0;
	case PACKET_EVENT:
		r = take_text(&rest, 1, event, sizeof(event));
		if (r < 0)
			return r;
		return strcmp(event, "list-sa") == 0 ? read_listing(names, rest) : 0;
	case PACKET_RESPONSE:
	case PACKET_COMMAND_UNKNOWN:
	case PACKET_EVENT_UNKNOWN:
		return 1;
	default:
		return -EBADMSG;
	}
}

int vici_read(struct ike_names *names, const char *data, size_t size, size_t *ret_used)
{
	struct rest rest = {.at = data, .size = size};
	int r = 0;

	*ret_used = 0;
	while (r == 0 && rest.size >= LENGTH_SIZE) {
		struct rest packet = rest;
		size_t length;

		(void)take_number(&packet, LENGTH_SIZE, &length);
		if (length > VICI_PACKET_MAX - LENGTH_SIZE)
			return -EBADMSG;
		if (packet.size < length)
			break;
		rest.at = packet.at + length;
		rest.size = packet.size - length;
		packet.size = length;
		r = read_packet(names, packet);
		*ret_used = size - rest.size;
	}
	return r;
}
