/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Events as a table: the document of `history`, or one after the other. On a narrow terminal the
 * reason has a line of its own. `width` 0: unlimited.
 */
#pragma once

#include "cleanup.h"

#include "frame.h"

#include <jansson.h>
#include <stdio.h>

/* The newest last. Returns 0, -EBADMSG or -ENOMEM. */
int history_print(const json_t *document, int width, bool ascii, bool color, FILE *file);

/* A table whose entries are not known before. A column gets wider when it must. */
struct history_table;

int history_table_new(int width, bool ascii, bool color, FILE *file,
		      struct history_table **ret_table); /* -ENOMEM */
struct history_table *history_table_free(
	struct history_table *table); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct history_table *, history_table_free);

/* Prints the titles; with `connections` also that of the names, which some entries may have. */
void history_table_begin(struct history_table *table, bool connections);
void history_table_add(struct history_table *table, const json_t *entry);
