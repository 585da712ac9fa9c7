/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An event as an object, from the fields of its journal entry and without I/O: for `history`, which
 * reads the journal, and for Monitor of io.espoffload.varlink, which has the same fields of events
 * as they happen.
 *
 * Fields may be missing, repeated, of any length and have any bytes: an older version of the daemon
 * has fewer of them, and journal files can be damaged. So each value is cut to length, made safe to
 * display, and what is not of the expected form is null.
 */
#pragma once

#include "config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds a field of the entry: its value, which is valid until the next call. Returns whether it
 * exists. */
typedef bool (*event_field_t)(void *userdata, const char *name, const char **ret_value,
			      size_t *ret_size);

/* What is wanted: all of these. With none, every entry. */
struct event_filter {
	bool by_spi;
	uint32_t spi;
	struct config_prefix peer; /* of either end if the direction is not known */
};

/* The matches of the journal that find the entries of `history`: terms of one disjunction. Returns
 * NULL after the last. */
const char *event_history_match(size_t i);

/* `time`: s since 1970. Sets *ret_object to NULL if the entry does not match. 0 or -ENOMEM. */
int event_entry_read(event_field_t field, void *userdata, double time,
		     const struct event_filter *filter, json_t **ret_object);
