/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "effective-text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Where comments begin, if the value leaves room. */
#define COMMENT_COLUMN 40

static void print_members(const json_t *object, int indent, bool in_line);

static bool needs_quotes(const char *text)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				    "_./-";

	return text[0] == '-' || text[strspn(text, plain)] != '\0';
}

/* In single quotes only the quote itself is special. */
static int print_quoted(const char *text)
{
	int columns = printf("'");

	for (; *text != '\0'; text++)
		columns += printf(*text == '\'' ? "''" : "%c", *text);
	return columns + printf("'");
}

/* Returns the columns. The text of a value is printable: the reader of its key refuses others. */
static int print_value(const json_t *value)
{
	const char *text = json_string_value(value);

	if (json_is_boolean(value))
		return printf("%s", json_is_true(value) ? "true" : "false");
	if (json_is_number(value))
		return printf("%.15g", json_number_value(value));
	return needs_quotes(text) ? print_quoted(text) : printf("%s", text);
}

static void print_list(const json_t *array, int indent)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		(void)printf("%*s- ", indent, "");
		print_members(json_array_get(array, i), indent + 2, true);
	}
}

static void print_member(const char *name, const json_t *member, int indent)
{
	const json_t *origin = json_object_get(member, "origin");
	int column = indent + printf("%s:", name);

	if (!origin) {
		(void)puts(json_is_array(member) && json_array_size(member) == 0 ? " []" : "");
		if (json_is_array(member))
			print_list(member, indent + 2);
		else
			print_members(member, indent + 2, false);
		return;
	}
	column += printf(" ");
	column += print_value(json_object_get(member, "value"));
	(void)printf("%*s # %s\n", column < COMMENT_COLUMN ? COMMENT_COLUMN - column : 0, "",
		     json_string_value(origin));
}

/* `in_line`: the first member is behind the '-' of its list. */
static void print_members(const json_t *object, int indent, bool in_line)
{
	const char *name;
	json_t *member;

	json_object_foreach((json_t *)object, name, member) {
		(void)printf("%*s", in_line ? 0 : indent, "");
		print_member(name, member, indent);
		in_line = false;
	}
}

void effective_text_print(const json_t *effective)
{
	print_members(effective, 0, false);
}
