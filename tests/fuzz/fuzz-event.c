// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as fields of a journal entry: they are read with each filter, and displayed. The first
 * byte is the width; the fields, NAME=value, end with NUL bytes.
 */
#include "event-filter.h"
#include "history-text.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct entry {
	const char *fields;
	size_t size;
};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	return 0;
}

/* Values have no NUL behind them, as those of the journal. */
static bool field_of(void *userdata, const char *name, const char **ret_value, size_t *ret_size)
{
	const struct entry *entry = userdata;
	size_t length = strlen(name), left = entry->size;

	for (const char *field = entry->fields; left > 0;) {
		const char *end = memchr(field, '\0', left);
		size_t size = end ? (size_t)(end - field) : left;

		if (size > length && memcmp(field, name, length) == 0 && field[length] == '=') {
			*ret_value = field + length + 1;
			*ret_size = size - length - 1;
			return true;
		}
		left -= end ? size + 1 : size;
		field += size + 1;
	}
	return false;
}

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* What a terminal gets has no control characters but the ends of lines. */
static void check_text(const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++)
		check((unsigned char)text[i] >= ' ' || text[i] == '\n');
}

static void print(json_t *event, int width)
{
	_cleanup_(history_table_freep) struct history_table *table = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);

	check(file && history_table_new(width, width % 2, false, file, &table) == 0);
	history_table_begin(table, false);
	history_table_add(table, event);
	check(fclose(file) == 0);
	check_text(text, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const filters[] = {NULL, "0x00000101", "198.51.100.0/24", "2001:db8::1"};
	struct entry entry = {.fields = (const char *)data + 1, .size = size - 1};

	if (size < 1)
		return 0;
	for (size_t i = 0; i < ELEMENTSOF(filters); i++) {
		struct event_filter filter = {};
		json_auto_t *event = NULL;
		_cleanup_free_ char *json = NULL;

		check(!filters[i] || event_filter_parse(filters[i], &filter) == 0);
		check(event_entry_read(field_of, &entry, 1796000000, &filter, &event) == 0);
		check(event || filters[i]);
		if (!event)
			continue;
		/* Valid UTF-8, or there would be no JSON. */
		json = json_dumps(event, 0);
		check(json);
		print(event, data[0]);
	}
	return 0;
}
