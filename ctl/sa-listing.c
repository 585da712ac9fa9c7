/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sa-listing.h"

#include "columns.h"
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

/* The minimum width for a reason as a sentence. */
#define SENTENCE_WIDTH 36
#define SPARKLINE_LEVELS 8
#define IPV4_WIDTH 15

static const struct table_column columns[_SA_COLUMN_MAX] = {
	[SA_COLUMN_PLACE] = {"PLACE", 9, 11, 0, false, "placement", "where the SA is"},
	[SA_COLUMN_DIRECTION] = {"DIR", 3, 3, 2, false, "direction", "inbound or outbound"},
	[SA_COLUMN_SPI] = {"SPI", 8, 10, 0, false, "spi", "its SPI"},
	[SA_COLUMN_CONNECTION] = {"CONNECTION", 10, 40, 7, false, "connection",
				  "its name in the IKE daemon"},
	[SA_COLUMN_PEER] = {"PEER", 12, 39, 3, false, "peer", "the remote end"},
	[SA_COLUMN_SRC] = {"SOURCE", 12, 39, 7, false, "source", "the source address"},
	[SA_COLUMN_DST] = {"DESTINATION", 12, 39, 7, false, "destination",
			   "the destination address"},
	[SA_COLUMN_RATE] = {"RATE", 12, 12, 1, true, "rate", "its rate now"},
	[SA_COLUMN_HISTORY] = {"LAST MINUTE", 8, CONTROL_HISTORY_SAMPLES, 4, false, "history",
			       "its rate in the last minute"},
	[SA_COLUMN_RANK] = {"RANK", 4, 7, 5, true, "rank", "its place among all SAs by rate"},
	[SA_COLUMN_NIC] = {"NIC", 4, 15, 8, false, "nic", "the NIC that holds it"},
	[SA_COLUMN_CANDIDATE] = {"LEAVES BY", 4, 15, 8, false, "candidate",
				 "the NIC that it could be in"},
	[SA_COLUMN_IN_PLACE] = {"IN PLACE", 8, 12, 8, true, "in-place",
				"how long it is where it is"},
	[SA_COLUMN_BYTES] = {"BYTES", 9, 9, 8, true, "bytes", "all bytes that it carried"},
	[SA_COLUMN_PACKETS] = {"PACKETS", 9, 15, 8, true, "packets", "all packets that it carried"},
	[SA_COLUMN_REQID] = {"REQID", 5, 10, 8, true, "reqid", "its reqid"},
	[SA_COLUMN_MODE] = {"MODE", 6, 9, 8, false, "mode", "tunnel, transport or beet"},
	[SA_COLUMN_MARK] = {"MARK", 4, 21, 8, false, "mark", "its mark and the mask"},
	[SA_COLUMN_RULE] = {"RULE", 12, 40, 8, false, "rule", "the rule for it: file and line"},
	[SA_COLUMN_REASON] = {"REASON", 14, 200, 6, false, "reason", "why it is where it is"},
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

/* In a narrow column the SPI has no 0x. */
static const char *shortened(enum sa_column column, int width, const char *text)
{
	if (column == SA_COLUMN_SPI && frame_columns(text) > width && strncmp(text, "0x", 2) == 0)
		return text + 2;
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

/* Widens a column up to `wanted`, as far as there is width left. */
static void widen(struct sa_listing *table, enum sa_column column, int wanted, int width)
{
	columns_widen(columns, table->width, _SA_COLUMN_MAX, (int)column, wanted, width);
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
	int peer = content_width(&table, SA_COLUMN_PEER, sas, n_sas), reason;

	columns_choose(columns, table.width, _SA_COLUMN_MAX, set, available);
	/* First the width of an IPv4 address, then the width that each column needs. */
	widen(&table, SA_COLUMN_PEER, peer < IPV4_WIDTH ? peer : IPV4_WIDTH, available);
	for (size_t i = 0; i < ELEMENTSOF(by_need); i++)
		widen(&table, by_need[i], content_width(&table, by_need[i], sas, n_sas), available);
	widen(&table, SA_COLUMN_HISTORY, 12 + (available - 80) / 4, available);

	table.sentences = available - columns_width(table.width, _SA_COLUMN_MAX) +
				  table.width[SA_COLUMN_REASON] >=
			  SENTENCE_WIDTH;
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

void sa_table_draw_head(const struct sa_listing *table, struct frame *frame, int row, int marked)
{
	int x = 0;

	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++) {
		uint32_t style = FRAME_BOLD | ((int)i == marked ? FRAME_UNDERLINE : 0);

		if (table->width[i] == 0)
			continue;
		column_draw(&columns[i], frame, row, x, table->width[i], style,
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

void sa_place_draw(struct frame *frame, int row, int x, int width, enum sa_place place)
{
	uint32_t style = sa_place_style(place);
	const char *word = sa_place_word(place);

	if (frame_columns(word) > width - 2)
		word = "h-off";
	frame_put(frame, row, x, style, sa_place_glyph(place, frame->ascii));
	(void)frame_text(frame, row, x + 2, width - 2, style, word);
}

static void draw_cell(const struct sa_listing *table, struct frame *frame, int row, int x,
		      enum sa_column column, const struct sa_view *sa)
{
	char buffer[UNITS_TEXT_MAX];
	int width = table->width[column];
	const char *text = shortened(column, width, cell_text(table, column, sa, buffer));

	if (column == SA_COLUMN_PLACE) {
		sa_place_draw(frame, row, x, width, sa->place);
	} else if (column == SA_COLUMN_HISTORY) {
		draw_history(frame, row, x, width, sa);
	} else if (column == SA_COLUMN_PEER || column == SA_COLUMN_SRC || column == SA_COLUMN_DST ||
		   column == SA_COLUMN_RULE) {
		(void)frame_text_middle(frame, row, x, width, FRAME_PLAIN, text);
	} else {
		column_draw(&columns[column], frame, row, x, width,
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
	return columns_at(table->width, _SA_COLUMN_MAX, x);
}
