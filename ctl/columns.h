/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Columns of a table, with a space between two of them. `widths` has the width of each of the `n`
 * columns; 0: not shown.
 */
#pragma once

#include "frame.h"

#include <stdint.h>

struct table_column {
	const char *title;
	int least;
	int most;     /* longer content is cut */
	int priority; /* 0: always shown; then smaller numbers first */
	bool right;
	const char *name; /* for the user who chooses columns, as `help`; NULL: nobody does */
	const char *help;
};

/* The width of all that are shown. */
int columns_width(const int *widths, int n);
/* The column at `x`, or -1. */
int columns_at(const int *widths, int n, int x);
/* Shows columns of the set (a bit for each) with their least width, as far as they fit. */
void columns_choose(const struct table_column *columns, int *widths, int n, uint32_t set,
		    int available);
/* Widens a column that is shown to `wanted` or `most`, as far as there is width left. */
void columns_widen(const struct table_column *columns, int *widths, int n, int column, int wanted,
		   int available);
/* Draws a text that has the width of the column. */
void column_draw(const struct table_column *column, struct frame *frame, int row, int x, int width,
		 uint32_t style, const char *text);
