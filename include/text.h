/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that others wrote (a configuration, a driver's message) made safe to show: no escape
 * sequences for the terminal, no line breaks into a log, no bidirectional overrides that make a
 * line read otherwise than it is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the UTF-8 character at `text`. Returns its length, or 0 if it is none (then *ret_code is
 * untouched). Overlong forms, surrogates and values above U+10FFFF are none. */
size_t text_decode(const char *text, size_t size, uint32_t *ret_code);

/* False for control, format and bidirectional characters and for noncharacters. */
bool text_is_printable(uint32_t code);

/* Terminal columns of a printable character: 0, 1 or 2. Does not depend on the locale. */
unsigned text_width(uint32_t code);

/* Copies, with '?' for what cannot be shown and a space for white space. What does not fit in
 * `size` bytes (> 3) is cut between characters and ends in "...". Returns `buffer`. */
char *text_neutralise(char *buffer, size_t size, const char *text, size_t length);
