/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "columns.h"

#define PRIORITY_MAX 8

int columns_width(const int *widths, int n)
{
	int width = -1;

	for (int i = 0; i < n; i++)
		if (widths[i] > 0)
			width += widths[i] + 1;
	return width > 0 ? width : 0;
}

int columns_at(const int *widths, int n, int x)
{
	int begin = 0;

	for (int i = 0; i < n; i++) {
		if (widths[i] == 0)
			continue;
		if (x >= begin && x < begin + widths[i])
			return i;
		begin += widths[i] + 1;
	}
	return -1;
}

void columns_choose(const struct table_column *columns, int *widths, int n, uint32_t set,
		    int available)
{
	for (int priority = 0; priority <= PRIORITY_MAX; priority++) {
		for (int i = 0; i < n; i++) {
			if (columns[i].priority != priority || (priority > 0 && !(set & (1u << i))))
				continue;
			widths[i] = columns[i].least;
			if (priority > 0 && columns_width(widths, n) > available)
				widths[i] = 0;
		}
	}
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

void columns_widen(const struct table_column *columns, int *widths, int n, int column, int wanted,
		   int available)
{
	int left = available - columns_width(widths, n);
	int more = smaller(wanted, columns[column].most) - widths[column];

	if (widths[column] > 0 && left > 0 && more > 0)
		widths[column] += smaller(left, more);
}

void column_draw(const struct table_column *column, struct frame *frame, int row, int x, int width,
		 uint32_t style, const char *text)
{
	if (column->right)
		(void)frame_text_right(frame, row, x, width, style, text);
	else
		(void)frame_text(frame, row, x, width, style, text);
}
