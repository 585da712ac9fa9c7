/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The upper part of `top`: the daemon, the traffic, the NICs' tables, the moves. */
#include "nic-text.h"
#include "top/render.h"
#include "units.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define LABEL_WIDTH 9
#define BAR_MIN 5
#define BAR_MAX 48

/* A part of a bar: its share of the whole, and its appearance. */
struct segment {
	double share;
	uint32_t style;
	uint32_t glyph;
	char ascii;
};

/* A share above 0 gets at least one cell, and a share below 1 leaves at least one free, so that 0
 * and 1 can be recognized. */
static int bar_cells(double share, int width, int left)
{
	int cells = (int)lround(fmin(fmax(share, 0), 1) * width);

	if (share > 0 && cells == 0)
		cells = 1;
	if (share < 1 && cells == width && width > 1)
		cells = width - 1;
	return cells < left ? cells : left;
}

static int draw_bar(struct frame *frame, int row, int column, int width,
		    const struct segment *segments, size_t n_segments)
{
	int end = column + width;

	for (size_t i = 0; i < n_segments; i++) {
		const struct segment *segment = &segments[i];
		int cells = bar_cells(segment->share, width, end - column);

		for (int j = 0; j < cells; j++)
			frame_put(frame, row, column++, segment->style,
				  frame->ascii ? (uint32_t)segment->ascii : segment->glyph);
	}
	while (column < end)
		frame_put(frame, row, column++, FRAME_DIM, frame->ascii ? '.' : 0x2591);
	return end;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

static int label(struct frame *frame, int row, const char *text)
{
	(void)frame_text(frame, row, 0, LABEL_WIDTH - 1, FRAME_BOLD, text);
	return LABEL_WIDTH;
}

static int draw_title(struct frame *frame, int row, const struct status_view *status,
		      const struct top_ui *ui)
{
	const char *dot = frame->ascii ? "-" : "\u00b7";
	bool enforce = strcmp(status->mode, "enforce") == 0;
	char text[UNITS_TEXT_MAX];
	int x;

	x = frame_text(frame, row, 0, frame->width, FRAME_BOLD, "espoffloadd");
	if (status->paused)
		x = frame_printf(frame, row, x + 1, FRAME_YELLOW | FRAME_BOLD | FRAME_REVERSE,
				 " PAUSED ");
	if (ui->frozen)
		x = frame_printf(frame, row, x + 1, FRAME_CYAN | FRAME_BOLD | FRAME_REVERSE,
				 " DISPLAY FROZEN ");
	x = frame_printf(frame, row, x + 1, (enforce ? FRAME_GREEN : FRAME_YELLOW) | FRAME_BOLD,
			 enforce ? "%s" : "%s (moves nothing)", status->mode);
	x = frame_printf(frame, row, x, FRAME_PLAIN, " %s %s %s every %s", dot, status->mechanism,
			 dot, units_format_time(status->interval, text));
	x = frame_printf(frame, row, x, FRAME_PLAIN, " %s up %s", dot,
			 units_format_time(status->uptime, text));
	if (status->fips)
		(void)frame_printf(frame, row, x, FRAME_PLAIN, " %s FIPS", dot);
	return row + 1;
}

static int draw_degraded(struct frame *frame, int row, const struct status_view *status)
{
	if (!status->degraded)
		return row;
	(void)frame_printf(frame, row, label(frame, row, "DEGRADED"), FRAME_RED | FRAME_BOLD, "%s",
			   status->degraded);
	return row + 1;
}

static int draw_traffic(struct frame *frame, int row, const struct status_view *status)
{
	double share = 0;
	char rate[UNITS_TEXT_MAX];
	char text[64];
	int x = label(frame, row, "traffic");
	int bar;

	if (status->rate > 0 && status->offloaded_rate > 0)
		share = fmin(status->offloaded_rate / status->rate, 1);
	(void)snprintf(text, sizeof(text), " %.1f %% in NICs, %" PRId64 " of %" PRId64 " SAs",
		       100 * share, status->offloaded, status->sas);
	bar = frame->width - x - 13 - frame_columns(text);
	bar = smaller(bar, BAR_MAX);
	x = frame_text(frame, row, x, frame->width - x, FRAME_PLAIN,
		       units_format_rate(status->rate, rate));
	x = x < LABEL_WIDTH + 13 ? LABEL_WIDTH + 13 : x + 1;
	if (bar >= BAR_MIN)
		x = draw_bar(frame, row, x, bar, &(struct segment){share, FRAME_GREEN, 0x2588, '#'},
			     1);
	(void)frame_printf(frame, row, x, FRAME_PLAIN, "%s", text);
	return row + 1;
}

/* `bar`: length of the bar; below BAR_MIN there is none. */
static int draw_table(struct frame *frame, int row, int x, int bar, bool named, bool brief,
		      const struct nic_table *table)
{
	char text[NIC_TEXT_MAX];

	if (named)
		x = frame_printf(frame, row, x, FRAME_PLAIN, "%-3s ", table->name);
	if (table->capacity > 0 && bar >= BAR_MIN) {
		double capacity = (double)table->capacity;
		struct segment segments[] = {
			{(double)table->ours / capacity, FRAME_GREEN, 0x2588, '#'},
			{(double)table->foreign / capacity, FRAME_CYAN, 0x2593, '+'},
		};

		x = draw_bar(frame, row, x, bar, segments, ELEMENTSOF(segments)) + 1;
	}
	return frame_text(frame, row, x, frame->width - x, FRAME_PLAIN,
			  nic_table_text(table, brief, text));
}

/* The width of the longer text of the tables, so that the bars have the same length. */
static int words_width(const struct nic_table *tables, int n, bool brief)
{
	int width = 0;

	for (int i = 0; i < n; i++) {
		char text[NIC_TEXT_MAX];
		int columns = frame_columns(nic_table_text(&tables[i], brief, text));

		width = columns > width ? columns : width;
	}
	return width;
}

static int draw_nic(struct frame *frame, int row, const struct nic_view *nic)
{
	const char *hindrance = nic_hindrance(nic);
	struct nic_table tables[2];
	int n = nic_tables(nic, tables);
	char rate[UNITS_TEXT_MAX];
	const char *tail = hindrance ? hindrance : units_format_rate(nic->rate, rate);
	int x = label(frame, row, nic->name);
	int tail_width = frame_columns(tail);
	/* The tail has a fixed width, so that the bars of all NICs end in the same column. */
	int width = (frame->width - x - 1 - (tail_width > 12 ? tail_width : 12)) / n;
	int names = n > 1 ? 4 : 0;
	bool brief = width - names - words_width(tables, n, false) - 2 < BAR_MIN;
	int bar = width - names - words_width(tables, n, brief) - 2;

	for (int i = 0; i < n; i++) {
		(void)draw_table(frame, row, x, smaller(bar, BAR_MAX), n > 1, brief, &tables[i]);
		x += width;
	}
	(void)frame_text_right(frame, row, frame->width - tail_width, tail_width,
			       hindrance ? FRAME_YELLOW : FRAME_PLAIN, tail);
	return row + 1;
}

static int count_nics(const struct status_view *status)
{
	int n = 0;

	for (size_t i = 0; i < status->n_nics; i++)
		n += nic_is_worth_showing(&status->nics[i]);
	return n;
}

/* Draws the NICs, first those that can hold SAs. */
static int draw_nics(struct frame *frame, int row, const struct status_view *status, int max_nics)
{
	int n = count_nics(status);
	/* The last of several lines shows how many NICs are omitted; a single line shows a NIC. */
	int shown = n <= max_nics || max_nics < 2 ? smaller(n, max_nics) : max_nics - 1;
	int left = shown;

	for (int hindered = 0; hindered < 2; hindered++) {
		for (size_t i = 0; i < status->n_nics && left > 0; i++) {
			const struct nic_view *nic = &status->nics[i];

			if (!nic_is_worth_showing(nic) || (nic_hindrance(nic) != NULL) != hindered)
				continue;
			row = draw_nic(frame, row, nic);
			left--;
		}
	}
	if (n > shown && max_nics > 1)
		(void)frame_printf(frame, row++, LABEL_WIDTH, FRAME_DIM,
				   "and %d more NICs: see espoffloadctl status", n - shown);
	if (n == 0) {
		(void)frame_printf(frame, row, label(frame, row, "NICs"), FRAME_YELLOW,
				   "none that offloads ESP (ethtool -k NIC | grep esp)");
		row++;
	}
	return row;
}

static int draw_moves(struct frame *frame, int row, const struct status_view *status)
{
	int x = label(frame, row, "moves");

	x = frame_printf(frame, row, x, FRAME_PLAIN, "%" PRId64 " promoted, %" PRId64 " evicted, ",
			 status->promoted, status->evicted);
	x = frame_printf(frame, row, x, status->refused ? FRAME_YELLOW : FRAME_PLAIN,
			 "%" PRId64 " refused", status->refused);
	x = frame_printf(frame, row, x, FRAME_PLAIN, ", ");
	x = frame_printf(frame, row, x, status->failed ? FRAME_RED | FRAME_BOLD : FRAME_PLAIN,
			 "%" PRId64 " failed", status->failed);
	if (status->resyncs > 0)
		(void)frame_printf(frame, row, x, FRAME_PLAIN, "; %" PRId64 " resyncs",
				   status->resyncs);
	return row + 1;
}

static int draw_last_action(struct frame *frame, int row, const struct status_view *status)
{
	const struct action_view *action = &status->action;
	char ago[UNITS_TEXT_MAX];
	int x = label(frame, row, "last");

	if (!status->has_action) {
		(void)frame_printf(frame, row, x, FRAME_DIM, "no SA was moved yet");
		return row + 1;
	}
	x = frame_printf(frame, row, x, FRAME_PLAIN,
			 "%s ago: ", units_format_time(action->seconds_ago, ago));
	(void)frame_printf(frame, row, x, FRAME_PLAIN, "%s",
			   action->text[0] ? action->text : action->action);
	return row + 1;
}

int top_header_height(const struct top_model *model, int max_nics)
{
	int nics = count_nics(&model->status);

	if (!model->has_status)
		return 1;
	if (nics == 0)
		nics = 1;
	return 4 + (model->status.degraded != NULL) + smaller(nics, max_nics);
}

int top_draw_header(struct frame *frame, int row, const struct top_model *model,
		    const struct top_ui *ui, int max_nics)
{
	const struct status_view *status = &model->status;

	if (!model->has_status) {
		(void)frame_text(frame, row, 0, frame->width, FRAME_BOLD, "espoffloadd");
		return row + 1;
	}
	row = draw_title(frame, row, status, ui);
	row = draw_degraded(frame, row, status);
	row = draw_traffic(frame, row, status);
	row = draw_nics(frame, row, status, max_nics);
	row = draw_moves(frame, row, status);
	return draw_last_action(frame, row, status);
}
