/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "peer-listing.h"

#include "columns.h"
#include "sa-listing.h"
#include "units.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#define MARK_WIDTH 2
#define NICS_TEXT_MAX 160

static const struct table_column columns[_PEER_COLUMN_MAX] = {
	[PEER_COLUMN_PEER] = {"PEER", 20, 39, 0, false},
	[PEER_COLUMN_SAS] = {"SAS", 6, 9, 0, true},
	[PEER_COLUMN_OFFLOADED] = {"IN NICS", 9, 9, 2, true},
	[PEER_COLUMN_RATE] = {"RATE", 12, 12, 1, true},
	[PEER_COLUMN_SHARE] = {"SHARE", 7, 7, 3, true},
	[PEER_COLUMN_IN_NICS] = {"BY NICS", 7, 7, 4, true},
	[PEER_COLUMN_NICS] = {"NIC", 8, 80, 5, false},
};

/* "12.3 %", or "-" of nothing. */
static const char *percentage(double part, double whole, char buffer[UNITS_TEXT_MAX])
{
	if (!(part >= 0) || !(whole > 0))
		return "-";
	(void)snprintf(buffer, UNITS_TEXT_MAX, "%.1f %%", 100 * fmin(part / whole, 1));
	return buffer;
}

static const char *count_text(int64_t count, char buffer[UNITS_TEXT_MAX])
{
	(void)snprintf(buffer, UNITS_TEXT_MAX, "%" PRId64, count);
	return buffer;
}

static const char *nics_text(const struct peer_view *peer, char buffer[NICS_TEXT_MAX])
{
	size_t n = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < peer->n_nics && n < NICS_TEXT_MAX; i++)
		n += (size_t)snprintf(buffer + n, NICS_TEXT_MAX - n, "%s%s", i ? " " : "",
				      peer->nics[i]);
	return buffer[0] ? buffer : "-";
}

static const char *sums_text(const struct peer_listing *table, enum peer_column column,
			     const struct sums_view *sums, char buffer[UNITS_TEXT_MAX])
{
	switch (column) {
	case PEER_COLUMN_SAS:
		return count_text(sums->sas, buffer);
	case PEER_COLUMN_OFFLOADED:
		return count_text(sums->offloaded, buffer);
	case PEER_COLUMN_RATE:
		return units_format_rate(sums->rate, buffer);
	case PEER_COLUMN_SHARE:
		return percentage(sums->rate, table->all, buffer);
	case PEER_COLUMN_IN_NICS:
		return percentage(sums->offloaded_rate, sums->rate, buffer);
	case PEER_COLUMN_PEER:
	case PEER_COLUMN_NICS:
	case _PEER_COLUMN_MAX:
		break;
	}
	return "";
}

static void widen(struct peer_listing *table, enum peer_column column, int wanted, int width)
{
	columns_widen(columns, table->width, _PEER_COLUMN_MAX, (int)column, wanted, width);
}

struct peer_listing peer_listing_layout(const struct peer_view *peers, size_t n,
					const struct sums_view *all, int width, bool folds)
{
	struct peer_listing table = {.all = all->rate, .folds = folds};
	int available = width > 0 ? width : INT_MAX / 2;
	int mark = folds ? MARK_WIDTH : 0;

	columns_choose(columns, table.width, _PEER_COLUMN_MAX, UINT32_MAX, available);
	for (size_t i = 0; i < n; i++) {
		char nics[NICS_TEXT_MAX], buffer[UNITS_TEXT_MAX];

		widen(&table, PEER_COLUMN_PEER, frame_columns(peers[i].peer) + mark, available);
		widen(&table, PEER_COLUMN_SAS, frame_columns(count_text(peers[i].sums.sas, buffer)),
		      available);
		widen(&table, PEER_COLUMN_NICS, frame_columns(nics_text(&peers[i], nics)),
		      available);
	}
	return table;
}

static void draw_text(const struct peer_listing *table, struct frame *frame, int row, int x,
		      enum peer_column column, uint32_t style, const char *text)
{
	column_draw(&columns[column], frame, row, x, table->width[column], style, text);
}

void peer_table_draw_head(const struct peer_listing *table, struct frame *frame, int row,
			  int marked)
{
	int x = 0;

	for (enum peer_column i = 0; i < _PEER_COLUMN_MAX; i++) {
		if (table->width[i] == 0)
			continue;
		draw_text(table, frame, row, x, i,
			  FRAME_BOLD | ((int)i == marked ? FRAME_UNDERLINE : 0), columns[i].title);
		x += table->width[i] + 1;
	}
}

static void draw_sums(const struct peer_listing *table, struct frame *frame, int row,
		      const struct sums_view *sums, const char *nics, uint32_t style)
{
	int x = table->width[PEER_COLUMN_PEER] + 1;

	for (enum peer_column i = PEER_COLUMN_PEER + 1; i < _PEER_COLUMN_MAX; i++) {
		char buffer[UNITS_TEXT_MAX];

		if (table->width[i] == 0)
			continue;
		draw_text(table, frame, row, x, i, style,
			  i == PEER_COLUMN_NICS ? nics : sums_text(table, i, sums, buffer));
		x += table->width[i] + 1;
	}
}

void peer_table_draw_row(const struct peer_listing *table, struct frame *frame, int row,
			 const struct peer_view *peer, bool unfolded)
{
	uint32_t mark = frame->ascii ? (unfolded ? '-' : '+') : unfolded ? 0x25be : 0x25b8;
	int indent = table->folds ? MARK_WIDTH : 0;
	char nics[NICS_TEXT_MAX];

	if (table->folds)
		frame_put(frame, row, 0, FRAME_BOLD, mark);
	(void)frame_text_middle(frame, row, indent, table->width[PEER_COLUMN_PEER] - indent,
				FRAME_PLAIN, peer->peer);
	draw_sums(table, frame, row, &peer->sums, nics_text(peer, nics), FRAME_PLAIN);
}

void peer_table_draw_others(const struct peer_listing *table, struct frame *frame, int row,
			    const struct sums_view *others)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%*s%" PRId64 " other%s", table->folds ? MARK_WIDTH : 0,
		       "", others->peers, others->peers == 1 ? "" : "s");
	(void)frame_text(frame, row, 0, table->width[PEER_COLUMN_PEER], FRAME_DIM, text);
	draw_sums(table, frame, row, others, "", FRAME_DIM);
}

void peer_table_draw_sa(const struct peer_listing *table, struct frame *frame, int row,
			const struct sa_view *sa)
{
	const char *texts[_PEER_COLUMN_MAX] = {};
	char rate[UNITS_TEXT_MAX], share[UNITS_TEXT_MAX], name[64];
	int x = 0;

	(void)snprintf(name, sizeof(name), "    %-3s %s", sa->direction, sa->spi);
	texts[PEER_COLUMN_PEER] = name;
	texts[PEER_COLUMN_RATE] = units_format_rate(sa->rate, rate);
	texts[PEER_COLUMN_SHARE] = percentage(sa->rate, table->all, share);
	texts[PEER_COLUMN_NICS] = sa->nic ? sa->nic : sa->reason;
	for (enum peer_column i = 0; i < _PEER_COLUMN_MAX; i++) {
		if (table->width[i] > 0 && texts[i])
			draw_text(table, frame, row, x, i, FRAME_PLAIN, texts[i]);
		if (table->width[i] > 0 && i == PEER_COLUMN_OFFLOADED)
			sa_place_draw(frame, row, x, table->width[i], sa->place);
		x += table->width[i] > 0 ? table->width[i] + 1 : 0;
	}
}

int peer_listing_column_at(const struct peer_listing *table, int x)
{
	return columns_at(table->width, _PEER_COLUMN_MAX, x);
}
