/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The graph of `top`: the rate of the selected SA in the last minute, with its moves. */
#include "sa-listing.h"
#include "top/render.h"
#include "units.h"

#include <math.h>
#include <string.h>

#define LABEL_WIDTH 13
#define CELL_LEVELS 8
/* Below this many lines the table has only one row, that of the selected SA. */
#define HALF_MIN 14
#define TABLE_MIN 2
#define HEIGHT_MAX 16
/* Lines of the title, the moves and the time. */
#define OTHER_LINES 3

int top_graph_height(int lines)
{
	int half = lines / 2 < HEIGHT_MAX ? lines / 2 : HEIGHT_MAX;
	int rest = lines > TABLE_MIN ? lines - TABLE_MIN : 0;

	return lines < HALF_MIN ? rest : half;
}

/* A part of the frame, in cells. */
struct plot {
	struct frame *frame;
	int row, column;
	int height, width;
	double seconds; /* that the width stands for */
};

static uint32_t bar_character(const struct plot *plot, int level)
{
	if (level >= CELL_LEVELS)
		return plot->frame->ascii ? '#' : 0x2588;
	if (plot->frame->ascii)
		return level > CELL_LEVELS / 2 ? ':' : '.';
	return 0x2580 + (uint32_t)level;
}

static void draw_bar(const struct plot *plot, int x, int level, uint32_t style)
{
	uint32_t nothing = plot->frame->ascii ? '_' : 0x2581;

	for (int y = 0; y < plot->height; y++) {
		int here = level - (plot->height - 1 - y) * CELL_LEVELS;

		if (here > 0)
			frame_put(plot->frame, plot->row + y, plot->column + x, style,
				  bar_character(plot, here));
	}
	if (level == 0)
		frame_put(plot->frame, plot->row + plot->height - 1, plot->column + x, FRAME_DIM,
			  nothing);
}

static void draw_bars(const struct plot *plot, const struct sa_view *sa)
{
	_cleanup_free_ int *levels = calloc((size_t)plot->width, sizeof(*levels));

	if (!levels)
		return;
	sparkline(sa->history, sa->n_history, plot->width, plot->height * CELL_LEVELS, levels);
	for (int x = 0; x < plot->width; x++)
		draw_bar(plot, x, levels[x], sa_place_style(sa->place));
}

static void draw_rate(const struct plot *plot, int y, double rate)
{
	char text[UNITS_TEXT_MAX];

	(void)frame_text_right(plot->frame, plot->row + y, 0, LABEL_WIDTH - 1, FRAME_PLAIN,
			       units_format_rate(rate, text));
}

static void draw_scale(const struct plot *plot, const struct sa_view *sa)
{
	double largest = 0;

	for (size_t i = 0; i < sa->n_history; i++)
		if (sa->history[i] > largest)
			largest = sa->history[i];
	draw_rate(plot, 0, largest);
	if (plot->height > 1)
		draw_rate(plot, plot->height - 1, 0);
}

/* Of the time, below the line of the moves. */
static void draw_axis(const struct plot *plot)
{
	int row = plot->row + plot->height + 1;
	char text[UNITS_TEXT_MAX];

	(void)frame_printf(plot->frame, row, plot->column, FRAME_DIM, "%s ago",
			   units_format_time(plot->seconds, text));
	(void)frame_text_right(plot->frame, row, plot->column, plot->width, FRAME_DIM, "now");
}

static void draw_move(const struct plot *plot, const struct action_view *action)
{
	bool ascii = plot->frame->ascii;
	bool in = strstr(action->action, "promote") != NULL;
	bool out = strstr(action->action, "evict") != NULL;
	uint32_t mark = in ? (ascii ? '^' : 0x25b2) : out ? (ascii ? 'v' : 0x25bc) : '!';
	double share = action->seconds_ago / plot->seconds;
	int x = plot->width - 1 - (int)floor(fmin(share, 1) * plot->width);

	if (!(share >= 0) || x < 0)
		return;
	frame_put(plot->frame, plot->row + plot->height, plot->column + x,
		  FRAME_BOLD | (in || out ? FRAME_PLAIN : FRAME_YELLOW), mark);
	/* A line to the top, as far as there is no bar. */
	for (int y = 0; y < plot->height; y++) {
		int cell = (plot->row + y) * plot->frame->width + plot->column + x;

		if (cell < plot->frame->width * plot->frame->height &&
		    plot->frame->cells[cell].character == ' ')
			frame_put(plot->frame, plot->row + y, plot->column + x, FRAME_DIM,
				  ascii ? '|' : 0x2502);
	}
}

/* The explanation of this SA in the newest reply, or NULL: it may be about another one still. */
static const json_t *find_explanation(const struct top_ui *ui, const struct sa_view *sa)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(ui->explain, "sas"), i, entry) {
		struct sa_view explained;

		if (sa_view_read(json_object_get(entry, "sa"), &explained) >= 0 &&
		    sa_view_compare_identity(&explained, sa) == 0)
			return entry;
	}
	return NULL;
}

/* The newest moves come first, and are drawn over older ones. */
static void draw_moves(const struct plot *plot, const struct top_ui *ui, const struct sa_view *sa)
{
	const json_t *history = json_object_get(find_explanation(ui, sa), "history");

	(void)frame_text_right(plot->frame, plot->row + plot->height, 0, LABEL_WIDTH - 1, FRAME_DIM,
			       "moves");
	for (size_t i = json_array_size(history); i > 0; i--) {
		struct action_view action;

		if (action_view_read(json_array_get(history, i - 1), &action) >= 0)
			draw_move(plot, &action);
	}
}

static void draw_title(struct frame *frame, int row, const struct sa_view *sa)
{
	const char *legend = frame->ascii ? "^ into a NIC, v out of it, ! not moved"
					  : "\u25b2 into a NIC, \u25bc out of it, ! not moved";
	int width = frame_columns(legend);
	int x = 0;

	frame_clear(frame, row, 0, 1, frame->width);
	if (sa)
		x = frame_printf(frame, row, 0, FRAME_PLAIN, "Rate of %s %s", sa->spi,
				 sa->direction);
	else
		x = frame_printf(frame, row, 0, FRAME_PLAIN, "Rate");
	x = frame_printf(frame, row, x, FRAME_PLAIN, " (g: back)");
	if (x + 1 + width <= frame->width)
		(void)frame_text(frame, row, frame->width - width, width, FRAME_PLAIN, legend);
	frame_add_style(frame, row, 0, frame->width, FRAME_REVERSE);
}

void top_draw_graph(struct frame *frame, int row, int height, const struct top_model *model,
		    const struct top_ui *ui)
{
	const struct sa_view *selected = top_model_sa_at_cursor(model);
	struct plot plot = {
		.frame = frame,
		.row = row + 1,
		.column = LABEL_WIDTH,
		.height = height - OTHER_LINES,
		.width = frame->width - LABEL_WIDTH,
		.seconds = CONTROL_HISTORY_SAMPLES * model->status.interval,
	};

	if (height < 1)
		return;
	frame_clear(frame, row, 0, height, frame->width);
	draw_title(frame, row, selected);
	if (!selected || plot.height < 1 || plot.width < 1)
		return;
	draw_bars(&plot, selected);
	draw_scale(&plot, selected);
	draw_moves(&plot, ui, selected);
	draw_axis(&plot);
}
