/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/pluto.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

static const char *skip_digits(const char *text)
{
	while (isdigit((unsigned char)*text))
		text++;
	return text;
}

/* "000 #12: " of 4.x, "#12: " of 5.x. NULL: another line. */
static const char *skip_serial(const char *line)
{
	const char *text = skip_digits(line);

	text += text > line && *text == ' ';
	if (*text != '#' || skip_digits(text + 1) == text + 1)
		return NULL;
	text = skip_digits(text + 1);
	return strncmp(text, ": ", 2) == 0 ? text + 2 : NULL;
}

/* Copies the name of `"NAME"` or `"NAME"[3]`, an instance for one of many peers. Returns what
 * follows it, or NULL. */
static const char *read_name(const char *text, char name[PLUTO_LINE_MAX])
{
	const char *end = *text == '"' ? strchr(text + 1, '"') : NULL;
	size_t length;

	if (!end)
		return NULL;
	length = (size_t)(end - text) - 1;
	memcpy(name, text + 1, length);
	text = end + 1;
	end = *text == '[' ? skip_digits(text + 1) : NULL;
	if (end && end > text + 1 && *end == ']') {
		memcpy(name + length, text, (size_t)(end + 1 - text));
		length += (size_t)(end + 1 - text);
		text = end + 1;
	}
	name[length] = '\0';
	return text;
}

/* "esp.c0ffee@192.0.2.1", and for IPv6 "esp:c0ffee@2001:db8::1". Other words are no ESP SA. */
static int add_sa(struct ike_names *names, char *word, const char *name)
{
	char *at = strchr(word, '@');

	if ((strncmp(word, "esp.", 4) != 0 && strncmp(word, "esp:", 4) != 0) || !at)
		return 0;
	*at = '\0';
	return ike_names_add(names, word + 4, at + 1, name);
}

static int read_line(struct ike_names *names, char line[PLUTO_LINE_MAX])
{
	char name[PLUTO_LINE_MAX];
	const char *serial = skip_serial(line);
	const char *rest = serial ? read_name(serial, name) : NULL;
	char *words = rest ? line + (rest - line) : NULL, *word;
	int r = 0;

	/* After "Traffic:" there is text of the peer: its user name. */
	while (r >= 0 && words && (word = strsep(&words, " ")) && strcmp(word, "Traffic:") != 0)
		r = add_sa(names, word, name);
	return r;
}

int pluto_read(struct ike_names *names, const char *data, size_t size, size_t *ret_used)
{
	const char *newline;
	int r = 0;

	*ret_used = 0;
	while (r >= 0 && (newline = memchr(data + *ret_used, '\n', size - *ret_used))) {
		size_t length = (size_t)(newline - data) - *ret_used;
		char line[PLUTO_LINE_MAX];

		if (length >= sizeof(line))
			return -EBADMSG;
		memcpy(line, data + *ret_used, length);
		line[length] = '\0';
		*ret_used += length + 1;
		r = read_line(names, line);
	}
	return r < 0 ? r : size - *ret_used < PLUTO_LINE_MAX ? 0 : -EBADMSG;
}
