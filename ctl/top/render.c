/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top/render.h"

#include "sa-listing.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Lines for NICs at this height, so that the table has most of the screen. */
static int nic_lines(int height)
{
	return height >= 16 ? (height - 12) / 2 : 1;
}

static int sort_column(const struct top_model *model, const struct sa_listing *table)
{
	enum sa_column column = top_sort_column(model->page.sort);

	return table->width[column] > 0 ? (int)column : -1;
}

/* The columns of the first `n` rows. */
static struct sa_listing lay_out(const struct top_model *model, struct top_ui *ui, int width,
				 size_t n)
{
	struct sa_listing table;
	uint32_t set;

	_cleanup_free_ const struct sa_view **views =
		calloc(n ? n : 1, sizeof(const struct sa_view *));

	for (size_t i = 0; views && i < n; i++)
		views[i] = &model->rows[i].sa;
	n = views ? n : 0;
	set = ui->columns ? ui->columns : sa_columns_usual(views, n, width, true);
	table = sa_listing_layout(views, n, width, set);
	ui->shown = 0;
	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++)
		ui->shown |= table.width[i] > 0 ? SA_COLUMN_BIT(i) : 0;
	return table;
}

#define FILTER_TEXT_MAX (8 * TOP_FILTER_MAX)

/* "nic eth0, direction in, 198.51.100." */
static const char *filter_text(const struct top_page *page, char buffer[FILTER_TEXT_MAX])
{
	size_t n = 0;

	buffer[0] = '\0';
	for (enum top_only i = 0; i < _TOP_ONLY_MAX; i++)
		if (page->only[i][0])
			n += (size_t)snprintf(buffer + n, FILTER_TEXT_MAX - n, "%s%s %s",
					      n ? ", " : "", top_only_name(i), page->only[i]);
	if (page->filter[0])
		(void)snprintf(buffer + n, FILTER_TEXT_MAX - n, "%s%s", n ? ", " : "",
			       page->filter);
	return buffer;
}

/* Why there are no rows. */
static void draw_nothing(struct frame *frame, int row, const struct top_model *model)
{
	char filter[FILTER_TEXT_MAX];

	if (top_page_has_filter(&model->asked))
		(void)frame_printf(frame, row, 0, FRAME_DIM, "no SA matches the filter: %s",
				   filter_text(&model->asked, filter));
	else
		(void)frame_printf(frame, row, 0, FRAME_DIM, "the kernel has no SA");
}

static int peer_sort_column(const struct top_model *model, const struct peer_listing *table)
{
	enum peer_column column = top_peer_sort_column(model->asked.peer_sort);

	return table->width[column] > 0 ? (int)column : -1;
}

static void draw_peer_row(const struct peer_listing *table, struct frame *frame, int y,
			  const struct top_model *model, const struct top_row *row)
{
	switch (row->kind) {
	case TOP_ROW_PEER:
		peer_table_draw_row(table, frame, y, row->peer,
				    strcmp(row->peer->peer, model->asked.unfolded) == 0);
		break;
	case TOP_ROW_SA:
		peer_table_draw_sa(table, frame, y, &row->sa);
		break;
	case TOP_ROW_MORE:
		(void)frame_printf(frame, y, 4, FRAME_DIM, "and %" PRId64 " more: o shows all",
				   row->more);
		break;
	case TOP_ROW_OTHERS:
		peer_table_draw_others(table, frame, y, &model->others);
		break;
	}
}

/* All rows are there; those from the first of the page on are shown. */
static void draw_peers(struct frame *frame, int row, int height, const struct top_model *model,
		       struct top_ui *ui)
{
	size_t first = ui->batch ? 0 : model->page.first;
	struct peer_listing table;

	if (height < 2)
		return;
	table = peer_listing_layout(model->peers, model->n_peers, &model->all, frame->width,
				    !ui->batch);
	peer_table_draw_head(&table, frame, row, peer_sort_column(model, &table));
	frame_add_style(frame, row, 0, frame->width, ui->batch ? 0 : FRAME_REVERSE);
	for (size_t i = first; i < model->n_rows && i - first < (size_t)height - 1; i++) {
		int y = row + 1 + (int)(i - first);

		draw_peer_row(&table, frame, y, model, &model->rows[i]);
		if (ui->now - model->rows[i].changed < TOP_HIGHLIGHT)
			frame_add_style(frame, y, 0, frame->width, FRAME_BOLD);
		if (!ui->batch && i == model->cursor)
			frame_add_style(frame, y, 0, frame->width, FRAME_REVERSE);
	}
	if (model->n_rows == 0)
		draw_nothing(frame, row + 1, model);
	ui->table = (struct top_table){
		.head = row,
		.first = first,
		.n = model->n_rows - first < (size_t)height - 1 ? model->n_rows - first
								: (size_t)height - 1,
		.peers = true,
		.peers_listing = table,
	};
}

static void draw_sas(struct frame *frame, int row, int height, const struct top_model *model,
		     struct top_ui *ui)
{
	size_t n = model->n_rows;
	struct sa_listing table;

	if (height < 2)
		return;
	if (n > (size_t)height - 1)
		n = (size_t)height - 1;
	table = lay_out(model, ui, frame->width, n);
	ui->table = (struct top_table){
		.head = row, .first = model->place, .n = n, .sas_listing = table};
	sa_table_draw_head(&table, frame, row, sort_column(model, &table));
	frame_add_style(frame, row++, 0, frame->width, ui->batch ? 0 : FRAME_REVERSE);
	for (size_t i = 0; i < n; i++, row++) {
		sa_table_draw_row(&table, frame, row, &model->rows[i].sa);
		if (ui->now - model->rows[i].changed < TOP_HIGHLIGHT)
			frame_add_style(frame, row, 0, frame->width, FRAME_BOLD);
		if (!ui->batch && model->place + i == model->cursor)
			frame_add_style(frame, row, 0, frame->width, FRAME_REVERSE);
	}
	if (model->has_rows && model->total == 0)
		draw_nothing(frame, row, model);
}

static void draw_table(struct frame *frame, int row, int height, const struct top_model *model,
		       struct top_ui *ui)
{
	if (model->peers_reply)
		draw_peers(frame, row, height, model, ui);
	else
		draw_sas(frame, row, height, model, ui);
}

/* SAs that match, whatever the rows are. */
static size_t count_matching(const struct top_model *model)
{
	return model->peers_reply ? (size_t)model->all.sas : model->total;
}

/* The SAs with and without the filter. */
static size_t count_all(const struct top_model *model)
{
	size_t all = model->status.sas > 0 ? (size_t)model->status.sas : 0;
	size_t matching = count_matching(model);

	return top_page_has_filter(&model->asked) && all > matching ? all : matching;
}

static void draw_filter_line(struct frame *frame, int row, const struct top_model *model,
			     const struct top_ui *ui)
{
	int x = frame_printf(frame, row, 0, FRAME_BOLD, "filter: ");

	(void)frame_printf(frame, row, x, FRAME_PLAIN, "%s", model->page.filter);
	frame_add_style(frame, row, x + (int)ui->edit_cursor, 1, FRAME_REVERSE);
	x = frame_columns(model->page.filter) + x + 2;
	(void)frame_printf(frame, row, x, FRAME_DIM, "%zu of %zu; Enter: keep, Esc: cancel",
			   count_matching(model), count_all(model));
}

static void draw_footer(struct frame *frame, int row, const struct top_model *model,
			const struct top_ui *ui)
{
	size_t n = model->n_rows < ui->page ? model->n_rows : ui->page;
	char filter[FILTER_TEXT_MAX];
	char position[64];
	char keys[160];
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
	if (model->peers_reply)
		(void)snprintf(position, sizeof(position), " %" PRId64 " peer%s", model->all.peers,
			       model->all.peers == 1 ? "" : "s");
	else
		(void)snprintf(position, sizeof(position), " %zu-%zu/%zu", n ? model->place + 1 : 0,
			       n ? model->place + n : 0, count_all(model));
	if (top_page_has_filter(&model->page))
		x = frame_printf(frame, row, x, FRAME_YELLOW | FRAME_BOLD, "filter: %s (%zu) ",
				 filter_text(&model->page, filter), count_matching(model));
	(void)snprintf(
		keys, sizeof(keys), "q quit  h help  s by %s%s  %s  p freeze  r reverse  +- %gs",
		model->page.peers ? top_peer_sort_name(model->page.peer_sort)
				  : top_sort_name(model->page.sort),
		model->page.reverse ? "(rev)" : "",
		model->page.peers ? "Enter unfold  t SAs  / n d w o filter"
				  : "e explain  g graph  c columns  / n d w o filter  t peers",
		ui->delay);
	(void)frame_text(frame, row, x, frame->width - x - frame_columns(position), FRAME_DIM,
			 keys);
	(void)frame_text_right(frame, row, frame->width - frame_columns(position),
			       frame_columns(position), FRAME_PLAIN, position);
}

size_t top_table_rows(const struct top_model *model, const struct top_ui *ui, int height)
{
	int lines = height - top_header_height(model, nic_lines(height)) - 1;
	int rows = lines - (ui->graph ? top_graph_height(lines) : 0) - 1;

	return rows > 0 ? (size_t)rows : 0;
}

int top_render(struct top_model *model, struct top_ui *ui, int width, int height, bool ascii,
	       struct frame **ret_frame)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int r = frame_new(width, height, ascii, &frame);
	int row;

	if (r < 0)
		return r;
	ui->height = height;
	row = top_draw_header(frame, 0, model, ui, nic_lines(height));
	if (ui->pane == TOP_PANE_HELP) {
		top_draw_help(frame, 0, height - 1, ui); /* it needs every line */
	} else if (ui->pane == TOP_PANE_COLUMNS) {
		(void)lay_out(model, ui, width, model->n_rows);
		top_draw_columns(frame, 0, height - 1, ui);
	} else if (ui->pane == TOP_PANE_EXPLAIN) {
		top_draw_explain(frame, row, height - row - 1, ui);
	} else {
		int lines = height - row - 1;
		int graph = ui->graph ? top_graph_height(lines) : 0;

		ui->page = top_table_rows(model, ui, height);
		top_model_scroll(model, ui->page);
		draw_table(frame, row, lines - graph, model, ui);
		top_draw_graph(frame, row + lines - graph, graph, model, ui);
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
	size_t n = rows && rows < model->n_rows ? rows : model->n_rows;
	int header = top_header_height(model, STATUS_NICS_MAX);
	/* If there is no SA, a line shows that. */
	int table = (int)(n ? n : 1) + 1;
	int r = frame_new(width, header + table, ascii, &frame);
	int row;

	if (r < 0)
		return r;
	row = top_draw_header(frame, 0, model, ui, STATUS_NICS_MAX);
	draw_table(frame, row, table, model, ui);
	*ret_frame = TAKE_PTR(frame);
	return 0;
}
