/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The panes that replace the table of `top`: the help and the explanation of an SA. */
#include "explain-text.h"
#include "sa-listing.h"
#include "top/render.h"

#include <string.h>

static const char *const help_keys[] = {
	"Up Down PgUp PgDn Home End: select an SA; the selection follows the SA",
	"e Enter     explain the selected SA; Enter at a peer: show or hide its SAs",
	"t F5        sums by peer, or again SAs",
	"g           graph of the selected SA's rate in the last minute, with its moves",
	"s S F6      sort by the next or the previous field",
	"r           reverse the order",
	"/ F3 F4     show only SAs with TEXT in any field, while it is typed",
	"n  d        show only SAs in the next NIC; only inbound or outbound ones",
	"o           show only SAs of the selected SA's peer, or of all peers",
	"w           show only SAs where: in NICs, software, moving, refused, ...",
	"Esc         show all SAs",
	"c F2        choose the columns",
	"m           mouse: click a row or a column's title, turn the wheel",
	"p Space + - freeze the display; longer or shorter delay between frames",
	"h ? F1  q   this help; back, quit",
};

static const char *const place_help[_SA_PLACE_MAX] = {
	[SA_PLACE_NIC] = "in the NIC's table: the NIC does its ESP",
	[SA_PLACE_MOVING] = "on its way into the NIC or out of it",
	[SA_PLACE_SOFTWARE] = "in software: the CPU does its ESP",
	[SA_PLACE_REFUSED] = "in software: the driver refused it; explain shows its message",
	[SA_PLACE_FOREIGN] = "offloaded by another program: counted, never moved",
	[SA_PLACE_HANDS_OFF] = "never moved; explain shows why",
};

static void draw_pane_title(struct frame *frame, int row, const char *text)
{
	frame_clear(frame, row, 0, 1, frame->width);
	(void)frame_printf(frame, row, 0, FRAME_PLAIN, "%s", text);
	frame_add_style(frame, row, 0, frame->width, FRAME_REVERSE);
}

/* Copies the visible part of a text. */
static void draw_scrolled(struct frame *frame, int row, int height, const struct frame *text,
			  struct top_ui *ui)
{
	size_t page = height > 0 ? (size_t)height : 0;
	size_t last = (size_t)text->height > page ? (size_t)text->height - page : 0;

	ui->page = page;
	if (ui->scroll > last)
		ui->scroll = last;
	for (int y = 0; y < height; y++) {
		int from = y + (int)ui->scroll;

		frame_clear(frame, row + y, 0, 1, frame->width);
		for (int x = 0; from < text->height && x < text->width; x++) {
			struct frame_cell cell = text->cells[from * text->width + x];

			frame_put(frame, row + y, x, cell.style, cell.character);
		}
	}
}

void top_draw_help(struct frame *frame, int row, int height, struct top_ui *ui)
{
	_cleanup_(frame_freep) struct frame *text = NULL;
	int y = 0;

	draw_pane_title(frame, row, "Help (q or Esc: back)");
	if (frame_new(frame->width, (int)ELEMENTSOF(help_keys) + 1 + _SA_PLACE_MAX, frame->ascii,
		      &text) < 0)
		return;
	for (size_t i = 0; i < ELEMENTSOF(help_keys); i++)
		(void)frame_printf(text, y++, 1, FRAME_PLAIN, "%s", help_keys[i]);
	y++;
	for (enum sa_place i = 0; i < _SA_PLACE_MAX; i++, y++) {
		frame_put(text, y, 1, sa_place_style(i), sa_place_glyph(i, frame->ascii));
		(void)frame_printf(text, y, 3, sa_place_style(i), "%s", sa_place_word(i));
		(void)frame_printf(text, y, 14, FRAME_PLAIN, "%s", place_help[i]);
	}
	draw_scrolled(frame, row + 1, height - 1, text, ui);
}

/* Returns what is to be known of the column apart from its name. */
static const char *column_note(const struct top_ui *ui, enum sa_column column)
{
	if (sa_column_is_always_shown(column))
		return "always shown";
	if (ui->columns & ~ui->shown & SA_COLUMN_BIT(column))
		return "no room for it";
	return "";
}

static void draw_column_choice(struct frame *text, int row, enum sa_column column,
			       const struct top_ui *ui)
{
	uint32_t set = ui->columns ? ui->columns : ui->shown;
	bool chosen = sa_column_is_always_shown(column) || set & SA_COLUMN_BIT(column);

	(void)frame_printf(text, row, 1, FRAME_PLAIN, "[%c] %-12s %s", chosen ? 'x' : ' ',
			   sa_column_name(column), sa_column_help(column));
	(void)frame_printf(text, row, 52, FRAME_YELLOW, "%s", column_note(ui, column));
	if (column == ui->column)
		frame_add_style(text, row, 0, text->width, FRAME_REVERSE);
}

void top_draw_columns(struct frame *frame, int row, int height, struct top_ui *ui)
{
	_cleanup_(frame_freep) struct frame *text = NULL;
	size_t page = height > 1 ? (size_t)height - 1 : 0;

	draw_pane_title(
		frame, row,
		"Columns (Enter or Space: show or hide, u: the usual ones, q or Esc: back)");
	if (frame_new(frame->width, _SA_COLUMN_MAX, frame->ascii, &text) < 0)
		return;
	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++)
		draw_column_choice(text, (int)i, i, ui);
	if (ui->column < ui->scroll)
		ui->scroll = ui->column;
	if (page > 0 && ui->column >= ui->scroll + page)
		ui->scroll = ui->column - page + 1;
	draw_scrolled(frame, row + 1, height - 1, text, ui);
}

void top_draw_explain(struct frame *frame, int row, int height, struct top_ui *ui)
{
	_cleanup_(frame_freep) struct frame *text = NULL;

	draw_pane_title(frame, row, "Explain (q or Esc: back, Up and Down: scroll)");
	frame_clear(frame, row + 1, 0, height - 1, frame->width);
	if (!ui->explain) {
		(void)frame_printf(frame, row + 1, 1, FRAME_PLAIN, "%s",
				   ui->explain_note[0] ? ui->explain_note : "asking espoffloadd");
		return;
	}
	if (explain_layout(ui->explain, frame->width, frame->ascii, &text) < 0) {
		(void)frame_printf(frame, row + 1, 1, FRAME_RED,
				   "the reply of espoffloadd is not understood");
		return;
	}
	draw_scrolled(frame, row + 1, height - 1, text, ui);
}
