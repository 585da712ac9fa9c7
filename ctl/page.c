/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "page.h"

#include <string.h>

void page_text(struct page *page, int column, uint32_t style, const char *text)
{
	int width = page->width - column > 8 ? page->width - column : 8;

	do {
		size_t length = frame_line_length(text, width);
		_cleanup_free_ char *line = strndup(text, length);

		if (page->frame && line)
			(void)frame_text(page->frame, page->row, column, width, style, line);
		page->row++;
		text += length;
		while (*text == ' ' || *text == '\n')
			text++;
	} while (*text);
}

void page_named(struct page *page, int indent, const char *name, const char *text)
{
	if (page->frame)
		(void)frame_text(page->frame, page->row, 2, indent - 3, FRAME_DIM, name);
	page_text(page, indent, FRAME_PLAIN, text);
}

int page_make(int (*write)(struct page *page, const void *data), const void *data, int width,
	      bool ascii, struct frame **ret_frame)
{
	struct page page = {.width = width, .ascii = ascii};
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int r = write(&page, data);

	if (r < 0)
		return r;
	r = frame_new(width, page.row > 0 ? page.row : 1, ascii, &frame);
	if (r < 0)
		return r;
	page = (struct page){.frame = frame, .width = width, .ascii = ascii};
	(void)write(&page, data);
	*ret_frame = TAKE_PTR(frame);
	return 0;
}
