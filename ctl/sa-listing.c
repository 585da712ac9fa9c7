/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sa-listing.h"

#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* The minimum width for a reason as a sentence. */
#define SENTENCE_WIDTH 36
#define SPARKLINE_LEVELS 8

struct column {
	const char *name;
	const char *title;
	const char *help;
	int least;
	int most;     /* longer content is cut */
	int priority; /* 0: always shown; then smaller numbers first */
};

static const struct column columns[_SA_COLUMN_MAX] = {
	[SA_COLUMN_PLACE] = {"placement", "PLACE", "where the SA is", 9, 11, 0},
	[SA_COLUMN_DIRECTION] = {"direction", "DIR", "inbound or outbound", 3, 3, 2},
	[SA_COLUMN_SPI] = {"spi", "SPI", "its SPI", 8, 10, 0},
	[SA_COLUMN_CONNECTION] = {"connection", "CONNECTION", "its name in the IKE daemon", 10, 40,
				  7},
	[SA_COLUMN_PEER] = {"peer", "PEER", "the remote end", 12, 39, 3},
	[SA_COLUMN_SRC] = {"source", "SOURCE", "the source address", 12, 39, 7},
	[SA_COLUMN_DST] = {"destination", "DESTINATION", "the destination address", 12, 39, 7},
	[SA_COLUMN_RATE] = {"rate", "RATE", "its rate now", 12, 12, 1},
	[SA_COLUMN_HISTORY] = {"history", "LAST MINUTE", "its rate in the last minute", 8,
			       CONTROL_HISTORY_SAMPLES, 4},
	[SA_COLUMN_RANK] = {"rank", "RANK", "its place among all SAs by rate", 4, 7, 5},
	[SA_COLUMN_NIC] = {"nic", "NIC", "the NIC that holds it", 4, 15, 8},
	[SA_COLUMN_CANDIDATE] = {"candidate", "LEAVES BY", "the NIC that it could be in", 4, 15, 8},
	[SA_COLUMN_IN_PLACE] = {"in-place", "IN PLACE", "how long it is where it is", 8, 12, 8},
	[SA_COLUMN_BYTES] = {"bytes", "BYTES", "all bytes that it carried", 9, 9, 8},
	[SA_COLUMN_PACKETS] = {"packets", "PACKETS", "all packets that it carried", 9, 15, 8},
	[SA_COLUMN_REQID] = {"reqid", "REQID", "its reqid", 5, 10, 8},
	[SA_COLUMN_MODE] = {"mode", "MODE", "tunnel, transport or beet", 6, 9, 8},
	[SA_COLUMN_MARK] = {"mark", "MARK", "its mark and the mask", 4, 21, 8},
	[SA_COLUMN_RULE] = {"rule", "RULE", "the rule for it: file and line", 12, 40, 8},
	[SA_COLUMN_REASON] = {"reason", "REASON", "why it is where it is", 14, 200, 6},
};

/* The least width at which both addresses are shown instead of the peer's. */
#define BOTH_ADDRESSES_WIDTH 110

const char *sa_column_name(enum sa_column column)
{
	return columns[column].name;
}

const char *sa_column_help(enum sa_column column)
{
	return columns[column].help;
}

bool sa_column_is_always_shown(enum sa_column column)
{
	return columns[column].priority == 0;
}

static int find_column(const char *name, size_t length, enum sa_column *ret_column)
{
	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++) {
		if (strlen(columns[i].name) == length &&
		    strncmp(columns[i].name, name, length) == 0) {
			*ret_column = i;
			return 0;
		}
	}
	return -EINVAL;
}

int sa_columns_parse(const char *text, uint32_t *ret_set)
{
	uint32_t set = 0;

	for (const char *end = text; *text || end != text; text = *end ? end + 1 : end) {
		enum sa_column column;
		int r;

		end = strchrnul(text, ',');
		r = find_column(text, (size_t)(end - text), &column);
		if (r < 0)
			return r;
		set |= SA_COLUMN_BIT(column);
	}
	*ret_set = set;
	return set ? 0 : -EINVAL;
}

static const char *number_text(int64_t number, int64_t least, char buffer[UNITS_TEXT_MAX])
{
	if (number < least)
		return "-";
	(void)snprintf(buffer, UNITS_TEXT_MAX, "%" PRId64, number);
	return buffer;
}

static const char *or_dash(const char *text)
{
	return text && text[0] ? text : "-";
}

/* The text of a cell, which may be in `buffer`. */
static const char *cell_text(const struct sa_listing *table, enum sa_column column,
			     const struct sa_view *sa, char buffer[UNITS_TEXT_MAX])
{
	switch (column) {
	case SA_COLUMN_PLACE:
		return sa_place_word(sa->place);
	case SA_COLUMN_DIRECTION:
		return sa->direction;
	case SA_COLUMN_SPI:
		return sa->spi;
	case SA_COLUMN_CONNECTION:
		return or_dash(sa->connection);
	case SA_COLUMN_PEER:
		return sa_view_peer(sa);
	case SA_COLUMN_SRC:
		return sa->src;
	case SA_COLUMN_DST:
		return sa->dst;
	case SA_COLUMN_RATE:
		return units_format_rate(sa->rate, buffer);
	case SA_COLUMN_RANK:
		return number_text(sa->rank, 1, buffer);
	case SA_COLUMN_NIC:
		return or_dash(sa->nic);
	case SA_COLUMN_CANDIDATE:
		return or_dash(sa->candidate);
	case SA_COLUMN_IN_PLACE:
		return units_format_time(sa->in_place, buffer);
	case SA_COLUMN_BYTES:
		return units_format_bytes((double)sa->bytes, buffer);
	case SA_COLUMN_PACKETS:
		return number_text(sa->packets, 0, buffer);
	case SA_COLUMN_REQID:
		return number_text(sa->reqid, 0, buffer);
	case SA_COLUMN_MODE:
		return sa->mode;
	case SA_COLUMN_MARK:
		return or_dash(sa->mark);
	case SA_COLUMN_RULE:
		return or_dash(sa->rule);
	case SA_COLUMN_REASON:
		return table->sentences && sa->text[0] ? sa->text : sa->reason;
	case SA_COLUMN_HISTORY:
	case _SA_COLUMN_MAX:
		break;
	}
	return "";
}

/* In a narrow column the place is shortened, and the SPI has no 0x. */
static const char *shortened(enum sa_column column, int width, const char *text)
{
	if (column == SA_COLUMN_SPI && frame_columns(text) > width && strncmp(text, "0x", 2) == 0)
		return text + 2;
	if (column == SA_COLUMN_PLACE && frame_columns(text) > width - 2)
		return "h-off";
	return text;
}

/* The title of a column, shortened if the column is too narrow. */
static const char *title_of(enum sa_column column, int width)
{
	const char *title = columns[column].title;

	return column == SA_COLUMN_HISTORY && frame_columns(title) > width ? "MINUTE" : title;
}

/* The width of the content of a column. */
static int content_width(const struct sa_listing *table, enum sa_column column,
			 const struct sa_view *const *sas, size_t n_sas)
{
	int width = frame_columns(columns[column].title);

	for (size_t i = 0; i < n_sas; i++) {
		char buffer[UNITS_TEXT_MAX];
		int columns_needed = frame_columns(cell_text(table, column, sas[i], buffer));

		if (column == SA_COLUMN_PLACE)
			columns_needed += 2; /* the glyph */
		if (columns_needed > width)
			width = columns_needed;
	}
	if (width < columns[column].least)
		width = columns[column].least;
	return width < columns[column].most ? width : columns[column].most;
}

/* The width of the table. */
static int table_width(const struct sa_listing *table)
{
	int width = -1;

	for (int i = 0; i < _SA_COLUMN_MAX; i++)
		if (table->width[i] > 0)
			width += table->width[i] + 1;
	return width > 0 ? width : 0;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Widens a column up to `most`, as far as there is width left. */
static void widen(struct sa_listing *table, enum sa_column column, int most, int width)
{
	int left = width - table_width(table);

	if (table->width[column] > 0 && left > 0 && most > table->width[column])
		table->width[column] += smaller(left, most - table->width[column]);
}

static bool have_connections(const struct sa_view *const *sas, size_t n_sas)
{
	for (size_t i = 0; i < n_sas; i++)
		if (sas[i]->connection)
			return true;
	return false;
}

uint32_t sa_columns_usual(const struct sa_view *const *sas, size_t n_sas, int width, bool history)
{
	bool both = width == 0 || width >= BOTH_ADDRESSES_WIDTH;
	uint32_t set = SA_COLUMN_BIT(SA_COLUMN_PLACE) | SA_COLUMN_BIT(SA_COLUMN_DIRECTION) |
		       SA_COLUMN_BIT(SA_COLUMN_SPI) | SA_COLUMN_BIT(SA_COLUMN_RATE) |
		       SA_COLUMN_BIT(SA_COLUMN_RANK) | SA_COLUMN_BIT(SA_COLUMN_NIC) |
		       SA_COLUMN_BIT(SA_COLUMN_REASON);

	if (have_connections(sas, n_sas))
		set |= SA_COLUMN_BIT(SA_COLUMN_CONNECTION);
	if (history)
		set |= SA_COLUMN_BIT(SA_COLUMN_HISTORY);
	if (both)
		set |= SA_COLUMN_BIT(SA_COLUMN_SRC) | SA_COLUMN_BIT(SA_COLUMN_DST);
	else
		set |= SA_COLUMN_BIT(SA_COLUMN_PEER);
	return set;
}

static bool is_wanted(enum sa_column column, uint32_t set)
{
	return sa_column_is_always_shown(column) || (set & SA_COLUMN_BIT(column)) != 0;
}

/* Adds columns with their minimum width, the important ones first. */
static void choose_columns(struct sa_listing *table, int width, uint32_t set)
{
	for (int priority = 0; priority <= 8; priority++) {
		for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++) {
			if (columns[i].priority != priority || !is_wanted(i, set))
				continue;
			table->width[i] = columns[i].least;
			if (priority > 0 && table_width(table) > width)
				table->width[i] = 0;
		}
	}
}

struct sa_listing sa_listing_layout(const struct sa_view *const *sas, size_t n_sas, int width,
				    uint32_t set)
{
	static const enum sa_column by_need[] = {
		SA_COLUMN_RANK,      SA_COLUMN_SPI,      SA_COLUMN_CONNECTION, SA_COLUMN_PLACE,
		SA_COLUMN_NIC,       SA_COLUMN_PEER,     SA_COLUMN_SRC,        SA_COLUMN_DST,
		SA_COLUMN_CANDIDATE, SA_COLUMN_IN_PLACE, SA_COLUMN_PACKETS,    SA_COLUMN_REQID,
		SA_COLUMN_MODE,      SA_COLUMN_MARK,     SA_COLUMN_RULE,
	};
	struct sa_listing table = {.sentences = width == 0};
	int available = width > 0 ? width : INT_MAX / 2;
	int reason;

	choose_columns(&table, available, set);
	/* First the width of an IPv4 address, then the width that each column needs. */
	widen(&table, SA_COLUMN_PEER,
	      smaller(15, content_width(&table, SA_COLUMN_PEER, sas, n_sas)), available);
	for (size_t i = 0; i < ELEMENTSOF(by_need); i++)
		widen(&table, by_need[i], content_width(&table, by_need[i], sas, n_sas), available);
	widen(&table, SA_COLUMN_HISTORY, 12 + (available - 80) / 4, available);

	table.sentences =
		available - table_width(&table) + table.width[SA_COLUMN_REASON] >= SENTENCE_WIDTH;
	reason = content_width(&table, SA_COLUMN_REASON, sas, n_sas);
	widen(&table, SA_COLUMN_REASON, reason, available);
	if (width > 0)
		widen(&table, SA_COLUMN_HISTORY, CONTROL_HISTORY_SAMPLES, available);
	return table;
}

struct sa_listing sa_listing_widest(uint32_t set)
{
	struct sa_listing table = {.sentences = true};

	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++)
		if (is_wanted(i, set))
			table.width[i] = columns[i].most;
	return table;
}

static bool right_aligned(enum sa_column column)
{
	return column == SA_COLUMN_RATE || column == SA_COLUMN_RANK ||
	       column == SA_COLUMN_IN_PLACE || column == SA_COLUMN_BYTES ||
	       column == SA_COLUMN_PACKETS || column == SA_COLUMN_REQID;
}

void sa_table_draw_head(const struct sa_listing *table, struct frame *frame, int row, int marked)
{
	int x = 0;

	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++) {
		uint32_t style = FRAME_BOLD | ((int)i == marked ? FRAME_UNDERLINE : 0);

		if (table->width[i] == 0)
			continue;
		if (right_aligned(i))
			(void)frame_text_right(frame, row, x, table->width[i], style,
					       columns[i].title);
		else
			(void)frame_text(frame, row, x, table->width[i], style,
					 title_of(i, table->width[i]));
		x += table->width[i] + 1;
	}
}

void sparkline(const double *samples, size_t n_samples, int width, int levels, int *ret_levels)
{
	double largest = 0;

	for (size_t i = 0; i < n_samples; i++)
		if (samples[i] > largest)
			largest = samples[i];
	for (int cell = 0; cell < width; cell++) {
		/* Each cell is an equal part of the full window, so a new SA begins at the
		 * right. */
		int first = cell * CONTROL_HISTORY_SAMPLES / width;
		int end = (cell + 1) * CONTROL_HISTORY_SAMPLES / width;
		int missing = CONTROL_HISTORY_SAMPLES - (int)n_samples;
		double value = -1;

		for (int i = first; i < end || i == first; i++)
			if (i >= missing && samples[i - missing] > value)
				value = samples[i - missing];
		ret_levels[cell] = value < 0 ? -1 : 0;
		if (value > 0)
			ret_levels[cell] = (int)ceil(fmin(value / largest, 1) * levels);
	}
}

static void draw_history(struct frame *frame, int row, int column, int width,
			 const struct sa_view *sa)
{
	static const char ascii[SPARKLINE_LEVELS + 1] = {'_', '.', ':', '-', '=',
							 '+', '*', '%', '#'};
	int levels[CONTROL_HISTORY_SAMPLES];
	uint32_t style = sa_place_style(sa->place);

	if (width > CONTROL_HISTORY_SAMPLES)
		width = CONTROL_HISTORY_SAMPLES;
	sparkline(sa->history, sa->n_history, width, SPARKLINE_LEVELS, levels);
	for (int i = 0; i < width; i++) {
		uint32_t character = ' ';

		if (levels[i] >= 0)
			character = frame->ascii
					    ? (uint32_t)ascii[levels[i]]
					    : 0x2581 + (uint32_t)(levels[i] ? levels[i] - 1 : 0);
		frame_put(frame, row, column + i, levels[i] > 0 ? style : style | FRAME_DIM,
			  character);
	}
}

static void draw_cell(const struct sa_listing *table, struct frame *frame, int row, int x,
		      enum sa_column column, const struct sa_view *sa)
{
	char buffer[UNITS_TEXT_MAX];
	int width = table->width[column];
	const char *text = shortened(column, width, cell_text(table, column, sa, buffer));

	if (column == SA_COLUMN_PLACE) {
		frame_put(frame, row, x, sa_place_style(sa->place),
			  sa_place_glyph(sa->place, frame->ascii));
		(void)frame_text(frame, row, x + 2, width - 2, sa_place_style(sa->place), text);
	} else if (column == SA_COLUMN_HISTORY) {
		draw_history(frame, row, x, width, sa);
	} else if (column == SA_COLUMN_PEER || column == SA_COLUMN_SRC || column == SA_COLUMN_DST ||
		   column == SA_COLUMN_RULE) {
		(void)frame_text_middle(frame, row, x, width, FRAME_PLAIN, text);
	} else if (right_aligned(column)) {
		(void)frame_text_right(frame, row, x, width, FRAME_PLAIN, text);
	} else {
		(void)frame_text(frame, row, x, width,
				 column == SA_COLUMN_REASON ? FRAME_DIM : FRAME_PLAIN, text);
	}
}

void sa_table_draw_row(const struct sa_listing *table, struct frame *frame, int row,
		       const struct sa_view *sa)
{
	int x = 0;

	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++) {
		if (table->width[i] == 0)
			continue;
		draw_cell(table, frame, row, x, i, sa);
		x += table->width[i] + 1;
	}
}

int sa_listing_column_at(const struct sa_listing *table, int x)
{
	int begin = 0;

	for (int i = 0; i < _SA_COLUMN_MAX; i++) {
		if (table->width[i] == 0)
			continue;
		if (x >= begin && x < begin + table->width[i])
			return i;
		begin += table->width[i] + 1;
	}
	return -1;
}
