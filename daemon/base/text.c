/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "text.h"

#include "cleanup.h"

#include <string.h>

size_t text_decode(const char *text, size_t size, uint32_t *ret_code)
{
	static const uint32_t minimum[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *bytes = (const unsigned char *)text;
	uint32_t code;
	size_t length;

	if (size == 0)
		return 0;
	if (bytes[0] < 0x80)
		length = 1, code = bytes[0];
	else if ((bytes[0] & 0xe0) == 0xc0)
		length = 2, code = bytes[0] & 0x1f;
	else if ((bytes[0] & 0xf0) == 0xe0)
		length = 3, code = bytes[0] & 0x0f;
	else if ((bytes[0] & 0xf8) == 0xf0)
		length = 4, code = bytes[0] & 0x07;
	else
		return 0;
	if (length > size)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	if (code < minimum[length] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return length;
}

struct range {
	uint32_t first;
	uint32_t last;
};

static bool in_ranges(const struct range *ranges, size_t n, uint32_t code)
{
	for (size_t i = 0; i < n; i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}

bool text_is_printable(uint32_t code)
{
	static const struct range hidden[] = {
		{0x00, 0x1f},        {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},
		{0x200b, 0x200f},    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xd800, 0xf8ff},
		{0xfdd0, 0xfdef},    {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xfffe, 0xffff},
		{0xe0000, 0x10ffff},
	};

	return !in_ranges(hidden, ELEMENTSOF(hidden), code);
}

unsigned text_width(uint32_t code)
{
	/* Not all of Unicode's tables, but the blocks of written languages. */
	static const struct range combining[] = {
		{0x300, 0x36f}, {0x483, 0x489}, {0x591, 0x5bd}, {0x20d0, 0x20f0}, {0xfe00, 0xfe0f},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};

	if (in_ranges(combining, ELEMENTSOF(combining), code))
		return 0;
	return in_ranges(wide, ELEMENTSOF(wide), code) ? 2 : 1;
}

/* The text to show for the character at `text`. Returns how many bytes of `text` this character
 * has. */
static size_t shown_as(const char *text, size_t size, const char **ret_shown, size_t *ret_length)
{
	uint32_t code;
	size_t length = text_decode(text, size, &code);

	*ret_shown = text;
	*ret_length = length;
	if (length > 0 && text_is_printable(code))
		return length;
	*ret_shown = length > 0 && (code == '\t' || code == '\n' || code == '\r') ? " " : "?";
	*ret_length = 1;
	return length > 0 ? length : 1;
}

char *text_neutralise(char *buffer, size_t size, const char *text, size_t length)
{
	size_t used = 0;
	size_t cut = 0; /* the last place where "..." would still fit */

	for (size_t at = 0; at < length;) {
		const char *shown;
		size_t n;

		at += shown_as(text + at, length - at, &shown, &n);
		if (used + n >= size) {
			memcpy(buffer + cut, "...", sizeof("..."));
			return buffer;
		}
		memcpy(buffer + used, shown, n);
		used += n;
		if (used + sizeof("...") <= size)
			cut = used;
	}
	buffer[used] = '\0';
	return buffer;
}
