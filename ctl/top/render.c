/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top/render.h"

#include "sa-listing.h"

#include <errno.h>

/* Lines for NICs at this height, so that the table has most of the screen. */
static int nic_lines(int height)
{
	return height >= 16 ? (height - 12) / 2 : 1;
}

static int sort_column(const struct top_model *model, const struct sa_listing *table)
{
	static const enum sa_column columns[_TOP_SORT_MAX] = {
		[TOP_SORT_RATE] = SA_COLUMN_RATE,   [TOP_SORT_RANK] = SA_COLUMN_RANK,
		[TOP_SORT_PLACE] = SA_COLUMN_PLACE, [TOP_SORT_DIRECTION] = SA_COLUMN_DIRECTION,
		[TOP_SORT_SPI] = SA_COLUMN_SPI,     [TOP_SORT_DST] = SA_COLUMN_DST,
	};
	enum sa_column column = columns[model->sort];

	return table->width[column] > 0 ? (int)column : -1;
}

static struct sa_listing lay_out(const struct top_model *model, int width, size_t first, size_t n)
{
	_cleanup_free_ const struct sa_view **views =
		calloc(n ? n : 1, sizeof(const struct sa_view *));

	for (size_t i = 0; views && i < n; i++)
		views[i] = &model->shown[first + i]->sa;
	return sa_listing_layout(views, views ? n : 0, width, true);
}

static void draw_sas(struct frame *frame, int row, int height, const struct top_model *model,
		     const struct top_ui *ui)
{
	size_t n = model->n_shown - model->first;
	struct sa_listing table;

	if (height < 2)
		return;
	if (n > (size_t)height - 1)
		n = (size_t)height - 1;
	table = lay_out(model, frame->width, model->first, n);
	sa_table_draw_head(&table, frame, row, sort_column(model, &table));
	frame_add_style(frame, row++, 0, frame->width, ui->batch ? 0 : FRAME_REVERSE);
	for (size_t i = 0; i < n; i++, row++) {
		const struct top_row *shown = model->shown[model->first + i];

		sa_table_draw_row(&table, frame, row, &shown->sa);
		if (ui->now - shown->changed < TOP_HIGHLIGHT)
			frame_add_style(frame, row, 0, frame->width, FRAME_BOLD);
		if (!ui->batch && model->first + i == model->cursor)
			frame_add_style(frame, row, 0, frame->width, FRAME_REVERSE);
	}
	if (model->n_rows > 0 && model->n_shown == 0)
		(void)frame_printf(frame, row, 0, FRAME_DIM, "no SA matches '%s'", model->filter);
	else if (model->n_rows == 0 && model->sas_reply)
		(void)frame_printf(frame, row, 0, FRAME_DIM, "the kernel has no SA");
}

static void draw_filter_line(struct frame *frame, int row, const struct top_model *model,
			     const struct top_ui *ui)
{
	int x = frame_printf(frame, row, 0, FRAME_BOLD, "filter: ");

	(void)frame_printf(frame, row, x, FRAME_PLAIN, "%s", model->filter);
	frame_add_style(frame, row, x + (int)ui->edit_cursor, 1, FRAME_REVERSE);
	x = frame_columns(model->filter) + x + 2;
	(void)frame_printf(frame, row, x, FRAME_DIM, "%zu of %zu; Enter: keep, Esc: cancel",
			   model->n_shown, model->n_rows);
}

static void draw_footer(struct frame *frame, int row, const struct top_model *model,
			const struct top_ui *ui)
{
	size_t last = model->first + ui->page;
	char position[64];
	char keys[128];
	int x = 0;

	if (ui->editing) {
		draw_filter_line(frame, row, model, ui);
		return;
	}
	if (ui->message[0]) {
		(void)frame_printf(frame, row, 0, FRAME_RED | FRAME_BOLD | FRAME_REVERSE, " %s ",
				   ui->message);
		return;
	}
	if (last > model->n_shown)
		last = model->n_shown;
	(void)snprintf(position, sizeof(position), " %zu-%zu/%zu",
		       model->n_shown ? model->first + 1 : 0, last, model->total);
	if (model->filter[0])
		x = frame_printf(frame, row, x, FRAME_YELLOW | FRAME_BOLD, "filter: %s (%zu) ",
				 model->filter, model->n_shown);
	(void)snprintf(keys, sizeof(keys),
		       "q quit  ? help  e explain  / find  s by %s%s  r reverse  p freeze  +- %gs",
		       top_sort_name(model->sort), model->reverse ? "(rev)" : "", ui->delay);
	(void)frame_text(frame, row, x, frame->width - x - frame_columns(position), FRAME_DIM,
			 keys);
	(void)frame_text_right(frame, row, frame->width - frame_columns(position),
			       frame_columns(position), FRAME_PLAIN, position);
}

int top_render(struct top_model *model, struct top_ui *ui, int width, int height, bool ascii,
	       struct frame **ret_frame)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int r = frame_new(width, height, ascii, &frame);
	int row;

	if (r < 0)
		return r;
	row = top_draw_header(frame, 0, model, ui, nic_lines(height));
	if (ui->pane == TOP_PANE_HELP) {
		top_draw_help(frame, row, height - row - 1, ui);
	} else if (ui->pane == TOP_PANE_EXPLAIN) {
		top_draw_explain(frame, row, height - row - 1, ui);
	} else {
		ui->page = height - row - 2 > 0 ? (size_t)(height - row - 2) : 0;
		top_model_scroll(model, ui->page);
		draw_sas(frame, row, height - row - 1, model, ui);
	}
	frame_clear(frame, height - 1, 0, 1, width);
	draw_footer(frame, height - 1, model, ui);
	*ret_frame = TAKE_PTR(frame);
	return 0;
}

int top_render_batch(struct top_model *model, struct top_ui *ui, int width, size_t rows, bool ascii,
		     struct frame **ret_frame)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	size_t n = rows && rows < model->n_shown ? rows : model->n_shown;
	int header = top_header_height(model, STATUS_NICS_MAX);
	/* If there is no SA, a line shows that. */
	int table = (int)(n ? n : 1) + 1;
	int r = frame_new(width, header + table, ascii, &frame);
	int row;

	if (r < 0)
		return r;
	model->first = 0;
	row = top_draw_header(frame, 0, model, ui, STATUS_NICS_MAX);
	draw_sas(frame, row, table, model, ui);
	*ret_frame = TAKE_PTR(frame);
	return 0;
}
