/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame: a grid of styled character cells.
 *
 * espoffloadctl draws all tables into a frame first. A frame is shown by curses, as plain text, or
 * compared with the golden frames of the tests. Text from the daemon is UTF-8 and not trusted:
 * control characters, and characters that do not take exactly one column, become '?'. So no reply
 * can move the cursor or shift the columns. Drawing outside of the frame is clipped.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum frame_color {
	FRAME_PLAIN,
	FRAME_RED,
	FRAME_GREEN,
	FRAME_YELLOW,
	FRAME_BLUE,
	FRAME_CYAN,
	_FRAME_COLOR_MAX,
};

/* Attributes, combined with a color by OR. */
#define FRAME_COLOR_MASK 0x0fu
#define FRAME_BOLD 0x10u
#define FRAME_DIM 0x20u
#define FRAME_REVERSE 0x40u
#define FRAME_UNDERLINE 0x80u

struct frame_cell {
	uint32_t character; /* Unicode */
	uint32_t style;     /* enum frame_color, FRAME_ attributes */
};

struct frame {
	int width;
	int height;
	bool ascii; /* characters outside of ASCII become '?' */
	struct frame_cell cells[];
};

int frame_new(int width, int height, bool ascii, struct frame **ret_frame);
struct frame *frame_free(struct frame *frame);
DEFINE_CLEANUP(struct frame *, frame_free);

/* Columns that `text` takes in a frame. */
int frame_columns(const char *text);
/* Returns the next character of UTF-8 text and advances *text; 0 at the end. Invalid bytes become
 * '?'. */
uint32_t frame_next_character(const char **text);

/* "→", or "->" without Unicode. */
const char *frame_arrow(bool ascii);

/* Bytes of `text` that fit into `width` columns, cut at a blank if there is one. */
size_t frame_line_length(const char *text, int width);

void frame_put(struct frame *frame, int row, int column, uint32_t style, uint32_t character);

/* Writes text. If it needs more than `width` columns, cuts it with an ellipsis. Returns the column
 * after the text. */
int frame_text(struct frame *frame, int row, int column, int width, uint32_t style,
	       const char *text);
/* Cuts in the middle, since the ends of an IPv6 address are more significant. */
int frame_text_middle(struct frame *frame, int row, int column, int width, uint32_t style,
		      const char *text);
/* Right-aligned in `width` columns; returns the column after them. */
int frame_text_right(struct frame *frame, int row, int column, int width, uint32_t style,
		     const char *text);
/* Writes formatted text, up to the right edge. Returns the column after it. */
int frame_printf(struct frame *frame, int row, int column, uint32_t style, const char *format, ...)
	_printf_(5, 6);

/* Adds attributes to the cells of a row from `column` on, `width` of them. */
void frame_add_style(struct frame *frame, int row, int column, int width, uint32_t attributes);
/* Blanks a rectangle. */
void frame_clear(struct frame *frame, int row, int column, int height, int width);

/* Writes a row as UTF-8 without trailing blanks and without a newline. */
void frame_write_row(const struct frame *frame, int row, bool color, FILE *file);
/* Writes all rows, each with a newline. */
void frame_write(const struct frame *frame, bool color, FILE *file);
