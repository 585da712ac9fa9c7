/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Wrapped text on a frame that is as high as the text. The same code writes a page twice: first
 * without a frame, to measure the height, then with a frame of that height.
 */
#pragma once

#include "frame.h"

#include <stdbool.h>

/* Longer lines of text are hard to read. */
#define PAGE_WIDTH 100

struct page {
	struct frame *frame; /* NULL while measuring */
	int width;
	int row;
	bool ascii; /* also while measuring: texts of both passes are the same */
};

/* Writes wrapped text from `column` on. The next text begins in the row after it. */
void page_text(struct page *page, int column, uint32_t style, const char *text);
/* Writes a name at the left, and text from `indent` on. */
void page_named(struct page *page, int indent, const char *name, const char *text);

/* Calls `write` twice with `data`. Returns its negative errno, or -ENOMEM. */
int page_make(int (*write)(struct page *page, const void *data), const void *data, int width,
	      bool ascii, struct frame **ret_frame);
