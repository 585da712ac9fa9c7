/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws `top` into a frame, for curses, batch mode and the tests.
 */
#pragma once

#include "frame.h"
#include "top/ui.h"

/* Draws a frame of this size. Updates the scroll position of the model and the page size of the
 * user interface. */
int top_render(struct top_model *model, struct top_ui *ui, int width, int height, bool ascii,
	       struct frame **ret_frame);
/* Rows of SAs in a frame of this height. */
size_t top_table_rows(const struct top_model *model, const struct top_ui *ui, int height);
/* Draws a frame without keys, with the height for at most `rows` SAs (0: all). */
int top_render_batch(struct top_model *model, struct top_ui *ui, int width, size_t rows, bool ascii,
		     struct frame **ret_frame);

/* Parts. Each draws from `row` on; the header returns the row after it. */
int top_draw_header(struct frame *frame, int row, const struct top_model *model,
		    const struct top_ui *ui, int max_nics);
void top_draw_help(struct frame *frame, int row, int height, struct top_ui *ui);
void top_draw_explain(struct frame *frame, int row, int height, struct top_ui *ui);
void top_draw_columns(struct frame *frame, int row, int height, struct top_ui *ui);
void top_draw_graph(struct frame *frame, int row, int height, const struct top_model *model,
		    const struct top_ui *ui);

/* The height of the graph, if there are `lines` for it and the table. */
int top_graph_height(int lines);
/* The height of the header with at most `max_nics` lines of NICs. */
int top_header_height(const struct top_model *model, int max_nics);
