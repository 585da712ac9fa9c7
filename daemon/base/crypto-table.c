/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/crypto-table.h"

#include <ctype.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#define LINE_SIZE 512

struct reader {
	struct crypto_entry entry; /* that is being read */
	bool internal;             /* a part of others, which a user of the API cannot get */
};

void crypto_table_done(struct crypto_table *table)
{
	free(table->entries);
	*table = (struct crypto_table){};
}

static struct crypto_entry *find(const struct crypto_table *table, const char *name)
{
	for (size_t i = 0; i < table->n; i++)
		if (strcmp(table->entries[i].name, name) == 0)
			return &table->entries[i];
	return NULL;
}

const struct crypto_entry *crypto_table_find(const struct crypto_table *table, const char *name)
{
	return find(table, name);
}

static int add(struct crypto_table *table, const struct crypto_entry *entry)
{
	struct crypto_entry *known = find(table, entry->name);
	struct crypto_entry *more;

	if (known) {
		if (entry->priority > known->priority)
			*known = *entry;
		return 0;
	}
	more = reallocarray(table->entries, table->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	table->entries = more;
	table->entries[table->n++] = *entry;
	return 0;
}

/* Adds the entry, which is complete. */
static int finish(struct crypto_table *table, struct reader *reader)
{
	int r = reader->entry.name[0] && !reader->internal ? add(table, &reader->entry) : 0;

	*reader = (struct reader){};
	return r;
}

static void copy_name(char name[CRYPTO_NAME_SIZE], const char *value)
{
	(void)snprintf(name, CRYPTO_NAME_SIZE, "%.*s", CRYPTO_NAME_SIZE - 1, value);
	for (char *c = name; *c; c++)
		if (!isgraph((unsigned char)*c))
			*c = '?';
}

/* "name         : cbc(aes)". An empty line ends an entry. */
static int read_line(struct crypto_table *table, struct reader *reader, const char *line)
{
	char key[LINE_SIZE], value[LINE_SIZE];

	if (sscanf(line, "%511s : %511s", key, value) != 2)
		return finish(table, reader);
	if (strcmp(key, "name") == 0)
		copy_name(reader->entry.name, value);
	else if (strcmp(key, "driver") == 0)
		copy_name(reader->entry.driver, value);
	else if (strcmp(key, "priority") == 0)
		reader->entry.priority = strtol(value, NULL, 10);
	else if (strcmp(key, "internal") == 0)
		reader->internal = strcmp(value, "yes") == 0;
	return 0;
}

int crypto_table_read(struct crypto_table *table, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	struct reader reader = {};
	char line[LINE_SIZE];
	int r = file ? 0 : -errno;

	crypto_table_done(table);
	while (r >= 0 && fgets(line, sizeof(line), file))
		r = read_line(table, &reader, line);
	if (r >= 0)
		r = finish(table, &reader);
	if (r < 0)
		crypto_table_done(table);
	return r;
}

/* The length of the driver that begins at `driver`: up to its closing parenthesis, or to the end of
 * its name. */
static size_t component_length(const char *driver)
{
	size_t length = strcspn(driver, "(),");
	unsigned depth = 0;

	if (driver[length] != '(')
		return length;
	for (; driver[length]; length++) {
		depth += driver[length] == '(';
		depth -= driver[length] == ')';
		if (depth == 0)
			return length + 1;
	}
	return length;
}

bool crypto_driver_matches(const char *driver, const char *pattern)
{
	const char *begin = driver;

	while (*begin) {
		char component[CRYPTO_NAME_SIZE];

		(void)snprintf(component, sizeof(component), "%.*s", (int)component_length(begin),
			       begin);
		if (component[0] && fnmatch(pattern, component, 0) == 0)
			return true;
		begin += strcspn(begin, "(),");
		begin += *begin != '\0';
	}
	return false;
}
