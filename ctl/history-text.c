/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "history-text.h"

#include "columns.h"
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
#define CONNECTION_WIDTH 8
#define TIME_SIZE 32
#define YEAR_10000 253402300800.0 /* s since 1970 */
#define PLACES_SIZE 48

enum column {
	COLUMN_TIME,
	COLUMN_ACTION,
	COLUMN_SPI,
	COLUMN_CONNECTION, /* only when there are names */
	COLUMN_DIRECTION,
	COLUMN_PEER,
	COLUMN_PLACES,
	COLUMN_RATE,
	_COLUMN_MAX,
};

static const struct {
	const char *title;
	int most;  /* longer content is cut */
	int usual; /* most content fits */
} columns[_COLUMN_MAX] = {
	[COLUMN_TIME] = {"TIME", 19, 19},   [COLUMN_ACTION] = {"ACTION", 13, 8},
	[COLUMN_SPI] = {"SPI", 10, 10},     [COLUMN_CONNECTION] = {"CONNECTION", 24, 10},
	[COLUMN_DIRECTION] = {"DIR", 3, 3}, [COLUMN_PEER] = {"PEER", 39, 15},
	[COLUMN_PLACES] = {"MOVE", 28, 17}, [COLUMN_RATE] = {"RATE", 12, 10},
};

struct history_table {
	struct frame *frame;
	bool ascii;
	bool color;
	FILE *file;
	int wanted[_COLUMN_MAX]; /* widths, for all entries so far */
	int width[_COLUMN_MAX];  /* those that the frame has room for */
	int reason;              /* its column; 0: on the next line */
	json_int_t suppressed;   /* of all that were printed */
	bool connections;        /* an entry has a name */
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
		(void)snprintf(places, PLACES_SIZE, "%.15s %s %.15s", from, frame_arrow(ascii), to);
	else
		(void)snprintf(places, PLACES_SIZE, "%.15s", nic);
}

/* The time of a reply can be any number. */
static void format_time(const json_t *entry, char text[TIME_SIZE])
{
	double time = json_number_value(json_object_get(entry, "time"));
	bool valid = time >= 0 && time < YEAR_10000;
	time_t seconds = valid ? (time_t)time : 0;
	struct tm tm;

	if (!valid || !localtime_r(&seconds, &tm) || strftime(text, TIME_SIZE, "%F %T", &tm) == 0)
		(void)snprintf(text, TIME_SIZE, "?");
}

static uint32_t style_of(const char *action)
{
	static const struct {
		const char *action;
		uint32_t style;
	} styles[] = {
		{"promoted", FRAME_GREEN},    {"evicted", FRAME_CYAN},   {"refused", FRAME_YELLOW},
		{"fault", FRAME_RED},         {"failed", FRAME_RED},     {"restored", FRAME_YELLOW},
		{"nic-lost", FRAME_RED},      {"degraded", FRAME_RED},   {"trust-lost", FRAME_RED},
		{"policies-lost", FRAME_RED}, {"not-loaded", FRAME_RED}, {"lost", FRAME_YELLOW},
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
	row->cells[COLUMN_CONNECTION] = json_text_or(entry, "connection", "");
	row->cells[COLUMN_DIRECTION] = direction;
	row->cells[COLUMN_PEER] = json_text_or(entry, in ? "src" : "dst", "-");
	row->cells[COLUMN_PLACES] = row->places;
	row->cells[COLUMN_RATE] = row->rate;
	row->reason = json_text_or(entry, "text", "");
	row->suppressed = json_whole_or(entry, "suppressed", 0);
	row->style = style_of(row->cells[COLUMN_ACTION]);
}

/* With the space before the reason. */
static int used_width(const struct history_table *table)
{
	return columns_width(table->width, _COLUMN_MAX) + 1;
}

static void shorten(struct history_table *table, enum column column, int least)
{
	int excess = used_width(table) - table->frame->width;
	int width = table->width[column] - (excess > 0 ? excess : 0);

	if (table->width[column] > least)
		table->width[column] = width > least ? width : least;
}

/* The reason has most of the rates, and an address and a name can be shortened. */
static int narrow(struct history_table *table)
{
	table->width[COLUMN_RATE] = 0;
	shorten(table, COLUMN_PEER, PEER_WIDTH);
	shorten(table, COLUMN_CONNECTION, CONNECTION_WIDTH);
	if (used_width(table) > table->frame->width)
		table->width[COLUMN_CONNECTION] = 0;
	return used_width(table);
}

/* Makes room for an entry. */
static void widen(struct history_table *table, const json_t *entry)
{
	struct row row;

	read_row(entry, table->ascii, &row);
	table->connections = table->connections || row.cells[COLUMN_CONNECTION][0];
	for (int c = 0; c < _COLUMN_MAX; c++) {
		int width = frame_columns(row.cells[c]);

		if (width > table->wanted[c])
			table->wanted[c] = width < columns[c].most ? width : columns[c].most;
	}
}

static void lay_out(struct history_table *table)
{
	int used;

	memcpy(table->width, table->wanted, sizeof(table->width));
	/* Without a name the column has the width of its title. */
	if (!table->connections)
		table->width[COLUMN_CONNECTION] = 0;
	used = used_width(table);
	if (used > table->frame->width)
		used = narrow(table);
	table->reason = table->frame->width - used >= REASON_WIDTH ? used : 0;
}

static void draw_cells(struct history_table *table, const struct row *row, uint32_t style)
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

static void write_line(struct history_table *table)
{
	frame_write(table->frame, table->color, table->file);
	frame_clear(table->frame, 0, 0, 1, table->frame->width);
}

static void draw_reason(struct history_table *table, const struct row *row, int column)
{
	int room = table->frame->width - column;

	column = frame_text(table->frame, 0, column, room, FRAME_PLAIN, row->reason);
	/* Of an entry without its own text the message has the number already. */
	if (row->suppressed > 0 && !strstr(row->reason, "similar suppressed"))
		(void)frame_printf(table->frame, 0, column, FRAME_DIM, " (%lld similar suppressed)",
				   (long long)row->suppressed);
}

static void print_row(struct history_table *table, const json_t *entry)
{
	struct row row;

	read_row(entry, table->ascii, &row);
	table->suppressed += row.suppressed;
	draw_cells(table, &row, FRAME_PLAIN);
	if (table->reason == 0)
		write_line(table);
	draw_reason(table, &row, table->reason > 0 ? table->reason : REASON_INDENT);
	write_line(table);
}

static void print_head(struct history_table *table)
{
	struct row row = {.reason = "REASON"};

	for (int c = 0; c < _COLUMN_MAX; c++)
		row.cells[c] = columns[c].title;
	draw_cells(table, &row, FRAME_BOLD);
	if (table->reason > 0)
		(void)frame_text(table->frame, 0, table->reason, REASON_WIDTH, FRAME_BOLD,
				 row.reason);
	write_line(table);
}

int history_table_new(int width, bool ascii, bool color, FILE *file,
		      struct history_table **ret_table)
{
	_cleanup_(history_table_freep) struct history_table *table = calloc(1, sizeof(*table));
	int r;

	if (!table)
		return -ENOMEM;
	r = frame_new(width > 0 ? width : UNLIMITED_WIDTH, 1, ascii, &table->frame);
	if (r < 0)
		return r;
	table->ascii = ascii;
	table->color = color;
	table->file = file;
	for (int c = 0; c < _COLUMN_MAX; c++)
		table->wanted[c] = frame_columns(columns[c].title);
	*ret_table = TAKE_PTR(table);
	return 0;
}

struct history_table *history_table_free(struct history_table *table)
{
	if (table)
		frame_free(table->frame);
	free(table);
	return NULL;
}

void history_table_begin(struct history_table *table, bool connections)
{
	table->connections = connections;
	for (int c = 0; c < _COLUMN_MAX; c++)
		table->wanted[c] = columns[c].usual;
	lay_out(table);
	print_head(table);
}

void history_table_add(struct history_table *table, const json_t *entry)
{
	widen(table, entry);
	lay_out(table);
	print_row(table, entry);
}

/* A list that is not complete must not look as if it were. */
static void print_missing(const struct history_table *table)
{
	bool one = table->suppressed == 1;

	if (table->suppressed > 0)
		(void)fprintf(
			table->file,
			"%lld more event%s, of any SA, %s not in the journal and so missing here: "
			"it takes a limited number of a kind and NIC in a short time.\n",
			(long long)table->suppressed, one ? "" : "s", one ? "is" : "are");
}

int history_print(const json_t *document, int width, bool ascii, bool color, FILE *file)
{
	const json_t *entries = json_object_get(document, "history");
	_cleanup_(history_table_freep) struct history_table *table = NULL;
	const json_t *entry;
	size_t i;
	int r;

	if (!json_is_array(entries))
		return -EBADMSG;
	r = history_table_new(width, ascii, color, file, &table);
	if (r < 0)
		return r;
	json_array_foreach(entries, i, entry)
		widen(table, entry);
	lay_out(table);
	if (json_array_size(entries) > 0)
		print_head(table);
	json_array_foreach(entries, i, entry)
		print_row(table, entry);
	print_missing(table);
	return 0;
}
