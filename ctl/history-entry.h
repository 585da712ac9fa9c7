/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One entry of the journal as an object of `history`, without I/O.
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
typedef bool (*history_field_t)(void *userdata, const char *name, const char **ret_value,
				size_t *ret_size);

/* What is wanted. */
struct history_filter {
	bool by_spi;
	uint32_t spi;
	struct config_prefix peer; /* of either end if the direction is not known */
};

/* "0x00000101", "101", "192.0.2.1", "2001:db8::/32". 0 or -EINVAL. */
int history_filter_parse(const char *text, struct history_filter *ret_filter);

/* The matches of the journal that find the entries of `history`: terms of one disjunction. Returns
 * NULL after the last. */
const char *history_match(size_t i);

/* `time`: s since 1970. Sets *ret_object to NULL if the entry does not match. 0 or -ENOMEM. */
int history_entry_read(history_field_t field, void *userdata, double time,
		       const struct history_filter *filter, json_t **ret_object);
