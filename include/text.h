/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes text from other sources (a configuration, a driver's message) safe to display: no escape
 * sequences for the terminal, no line breaks in a log, no bidirectional overrides that change how a
 * line is read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the UTF-8 character at `text`. Returns its length in bytes, or 0 if it is not valid;
 * *ret_code is then not changed. Overlong forms, surrogates and values above U+10FFFF are not
 * valid. */
size_t text_decode(const char *text, size_t size, uint32_t *ret_code);

/* False for control, format and bidirectional characters and for noncharacters. */
bool text_is_printable(uint32_t code);

/* Terminal columns of a printable character: 0, 1 or 2. Does not depend on the locale. */
unsigned text_width(uint32_t code);

/* Copies `length` bytes, with '?' for characters that are not printable, and a space for tabs and
 * line breaks. Text that does not fit in `size` bytes (> 3) is cut between characters and ends in
 * "...". Returns `buffer`. */
char *text_neutralise(char *buffer, size_t size, const char *text, size_t length);
