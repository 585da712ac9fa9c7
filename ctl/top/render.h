/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws `top` into a frame: curses shows it, batch mode prints it, the tests compare it.
 */
#pragma once

#include "frame.h"
#include "top/ui.h"

/* A frame of exactly this size. The model's scroll position and the page size of the user
 * interface follow. */
int top_render(struct top_model *model, struct top_ui *ui, int width, int height, bool ascii,
	       struct frame **ret_frame);
/* A frame without keys, as high as it needs to be for `rows` SAs at most (0: all). */
int top_render_batch(struct top_model *model, struct top_ui *ui, int width, size_t rows, bool ascii,
		     struct frame **ret_frame);

/* Parts: each draws from `row` on and returns the row after it. */
int top_draw_header(struct frame *frame, int row, const struct top_model *model,
		    const struct top_ui *ui, int max_nics);
void top_draw_help(struct frame *frame, int row, int height, struct top_ui *ui);
void top_draw_explain(struct frame *frame, int row, int height, struct top_ui *ui);

/* Rows that the header takes with as many lines of NICs. */
int top_header_height(const struct top_model *model, int max_nics);
