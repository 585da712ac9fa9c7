/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history-text.h"

#include "units.h"
#include "views.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define UNLIMITED_WIDTH 1024
/* With less room, the reason is on the next line. */
#define REASON_WIDTH 40
#define REASON_INDENT 4
#define PEER_WIDTH 12
#define TIME_SIZE 32
#define PLACES_SIZE 48

enum column {
	COLUMN_TIME,
	COLUMN_ACTION,
	COLUMN_SPI,
	COLUMN_DIRECTION,
	COLUMN_PEER,
	COLUMN_PLACES,
	COLUMN_RATE,
	_COLUMN_MAX,
};

static const struct {
	const char *title;
	int most; /* longer content is cut */
} columns[_COLUMN_MAX] = {
	[COLUMN_TIME] = {"TIME", 19}, [COLUMN_ACTION] = {"ACTION", 13},
	[COLUMN_SPI] = {"SPI", 10},   [COLUMN_DIRECTION] = {"DIR", 3},
	[COLUMN_PEER] = {"PEER", 39}, [COLUMN_PLACES] = {"MOVE", 28},
	[COLUMN_RATE] = {"RATE", 12},
};

struct table {
	struct frame *frame;
	bool ascii;
	int width[_COLUMN_MAX];
	int reason; /* its column; 0: on the next line */
	json_int_t suppressed;
};

/* An entry, and the storage its cells point into. */
struct row {
	const char *cells[_COLUMN_MAX];
	const char *reason;
	json_int_t suppressed;
	uint32_t style;
	char time[TIME_SIZE];
	char places[PLACES_SIZE];
	char rate[UNITS_TEXT_MAX];
};

/* The place is text of the journal: cut, so that the other one is still seen. */
static void format_places(const json_t *entry, bool ascii, char places[PLACES_SIZE])
{
	const char *from = json_text_or(entry, "from", NULL);
	const char *to = json_text_or(entry, "to", NULL);
	const char *nic = json_text_or(entry, "nic", "-");

	if (from && to)
		(void)snprintf(places, PLACES_SIZE, "%.15s %s %.15s", from, ascii ? "->" : "\u2192",
			       to);
	else
		(void)snprintf(places, PLACES_SIZE, "%.15s", nic);
}

static void format_time(const json_t *entry, char text[TIME_SIZE])
{
	time_t seconds = (time_t)json_number_value(json_object_get(entry, "time"));
	struct tm tm;

	if (!localtime_r(&seconds, &tm) || strftime(text, TIME_SIZE, "%F %T", &tm) == 0)
		(void)snprintf(text, TIME_SIZE, "?");
}

static uint32_t style_of(const char *action)
{
	static const struct {
		const char *action;
		uint32_t style;
	} styles[] = {
		{"promoted", FRAME_GREEN}, {"evicted", FRAME_CYAN}, {"refused", FRAME_YELLOW},
		{"fault", FRAME_RED},      {"failed", FRAME_RED},   {"restored", FRAME_YELLOW},
		{"nic-lost", FRAME_RED},
	};

	for (size_t i = 0; i < ELEMENTSOF(styles); i++)
		if (strcmp(styles[i].action, action) == 0)
			return styles[i].style;
	return FRAME_PLAIN;
}

static void read_row(const json_t *entry, bool ascii, struct row *row)
{
	const json_t *rate = json_object_get(entry, "bytesPerSecond");
	const char *direction = json_text_or(entry, "direction", "-");
	bool in = strcmp(direction, "in") == 0;

	format_time(entry, row->time);
	format_places(entry, ascii, row->places);
	(void)units_format_rate(json_is_number(rate) ? json_number_value(rate) : (double)NAN,
				row->rate);
	row->cells[COLUMN_TIME] = row->time;
	row->cells[COLUMN_ACTION] = json_text_or(entry, "action", "?");
	row->cells[COLUMN_SPI] = json_text_or(entry, "spi", "-");
	row->cells[COLUMN_DIRECTION] = direction;
	row->cells[COLUMN_PEER] = json_text_or(entry, in ? "src" : "dst", "-");
	row->cells[COLUMN_PLACES] = row->places;
	row->cells[COLUMN_RATE] = row->rate;
	row->reason = json_text_or(entry, "text", "");
	row->suppressed = json_whole_or(entry, "suppressed", 0);
	row->style = style_of(row->cells[COLUMN_ACTION]);
}

static int used_width(const struct table *table)
{
	int used = 0;

	for (int c = 0; c < _COLUMN_MAX; c++)
		if (table->width[c] > 0)
			used += table->width[c] + 1;
	return used;
}

/* The reason has most of the rates, and an address can be shortened. */
static int narrow(struct table *table, int used)
{
	int excess = used - table->width[COLUMN_RATE] - 1 - table->frame->width;
	int peer = table->width[COLUMN_PEER] - (excess > 0 ? excess : 0);

	table->width[COLUMN_RATE] = 0;
	table->width[COLUMN_PEER] = peer > PEER_WIDTH ? peer : PEER_WIDTH;
	return used_width(table);
}

static void lay_out(struct table *table, const json_t *entries)
{
	const json_t *entry;
	size_t i;
	int used;

	for (int c = 0; c < _COLUMN_MAX; c++)
		table->width[c] = frame_columns(columns[c].title);
	json_array_foreach(entries, i, entry) {
		struct row row;

		read_row(entry, table->ascii, &row);
		for (int c = 0; c < _COLUMN_MAX; c++) {
			int width = frame_columns(row.cells[c]);

			if (width > table->width[c])
				table->width[c] = width < columns[c].most ? width : columns[c].most;
		}
	}
	used = used_width(table);
	if (used > table->frame->width)
		used = narrow(table, used);
	table->reason = table->frame->width - used >= REASON_WIDTH ? used : 0;
}

static void draw_cells(struct table *table, const struct row *row, uint32_t style)
{
	int column = 0;

	for (int c = 0; c < _COLUMN_MAX; c++) {
		uint32_t cell = c == COLUMN_ACTION ? style | row->style : style;

		if (c == COLUMN_RATE)
			(void)frame_text_right(table->frame, 0, column, table->width[c], cell,
					       row->cells[c]);
		else
			(void)frame_text_middle(table->frame, 0, column, table->width[c], cell,
						row->cells[c]);
		if (table->width[c] > 0)
			column += table->width[c] + 1;
	}
}

static void write_line(struct table *table, bool color, FILE *file)
{
	frame_write(table->frame, color, file);
	frame_clear(table->frame, 0, 0, 1, table->frame->width);
}

static void draw_reason(struct table *table, const struct row *row, int column)
{
	int room = table->frame->width - column;

	column = frame_text(table->frame, 0, column, room, FRAME_PLAIN, row->reason);
	/* Of an entry without its own text the message has the number already. */
	if (row->suppressed > 0 && !strstr(row->reason, "similar suppressed"))
		(void)frame_printf(table->frame, 0, column, FRAME_DIM, " (%lld similar suppressed)",
				   (long long)row->suppressed);
}

static void print_row(struct table *table, const json_t *entry, bool color, FILE *file)
{
	struct row row;

	read_row(entry, table->ascii, &row);
	table->suppressed += row.suppressed;
	draw_cells(table, &row, FRAME_PLAIN);
	if (table->reason == 0)
		write_line(table, color, file);
	draw_reason(table, &row, table->reason > 0 ? table->reason : REASON_INDENT);
	write_line(table, color, file);
}

static void print_head(struct table *table, bool color, FILE *file)
{
	struct row row = {.reason = "REASON"};

	for (int c = 0; c < _COLUMN_MAX; c++)
		row.cells[c] = columns[c].title;
	draw_cells(table, &row, FRAME_BOLD);
	if (table->reason > 0)
		(void)frame_text(table->frame, 0, table->reason, REASON_WIDTH, FRAME_BOLD,
				 row.reason);
	write_line(table, color, file);
}

/* A list that is not complete must not look as if it were. */
static void print_missing(const struct table *table, FILE *file)
{
	bool one = table->suppressed == 1;

	if (table->suppressed > 0)
		(void)fprintf(
			file,
			"%lld more event%s, of any SA, %s not in the journal and so missing here: "
			"it takes a limited number of a kind and NIC in a short time.\n",
			(long long)table->suppressed, one ? "" : "s", one ? "is" : "are");
}

int history_print(const json_t *document, int width, bool ascii, bool color, FILE *file)
{
	const json_t *entries = json_object_get(document, "history");
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct table table = {.ascii = ascii};
	const json_t *entry;
	size_t i;
	int r;

	if (!json_is_array(entries))
		return -EBADMSG;
	r = frame_new(width > 0 ? width : UNLIMITED_WIDTH, 1, ascii, &frame);
	if (r < 0)
		return r;
	table.frame = frame;
	lay_out(&table, entries);
	if (json_array_size(entries) > 0)
		print_head(&table, color, file);
	json_array_foreach(entries, i, entry)
		print_row(&table, entry, color, file);
	print_missing(&table, file);
	return 0;
}
