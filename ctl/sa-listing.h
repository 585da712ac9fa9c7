/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of SAs that `list` and `top` show: which columns fit a width, and one row of it.
 *
 * Every column has a minimum width and the width of its content. If the width is too small, less
 * important columns are omitted. Remaining width is used to widen columns up to their content, and
 * the rest for the reason.
 */
#pragma once

#include "frame.h"
#include "views.h"

enum sa_column {
	SA_COLUMN_PLACE,
	SA_COLUMN_DIRECTION,
	SA_COLUMN_SPI,
	SA_COLUMN_CONNECTION, /* only when there are names */
	SA_COLUMN_PEER,       /* the remote end; only when source and destination do not fit */
	SA_COLUMN_SRC,
	SA_COLUMN_DST,
	SA_COLUMN_RATE,
	SA_COLUMN_HISTORY,
	SA_COLUMN_RANK,
	SA_COLUMN_NIC,
	SA_COLUMN_CANDIDATE,
	SA_COLUMN_IN_PLACE,
	SA_COLUMN_BYTES,
	SA_COLUMN_PACKETS,
	SA_COLUMN_REQID,
	SA_COLUMN_MODE,
	SA_COLUMN_MARK,
	SA_COLUMN_RULE,
	SA_COLUMN_REASON,
	_SA_COLUMN_MAX,
};

struct sa_listing {
	int width[_SA_COLUMN_MAX]; /* 0: not shown */
	bool sentences;            /* show the reason as a sentence, not its short name */
};

/* A set of columns: one bit for each. */
#define SA_COLUMN_BIT(column) (1u << (column))

/* "in-place", as the user writes it. */
const char *sa_column_name(enum sa_column column);
/* What the column shows, for the user. */
const char *sa_column_help(enum sa_column column);
/* Whether the column is in every set. */
bool sa_column_is_always_shown(enum sa_column column);
/* Parses names with commas between them. -EINVAL. */
int sa_columns_parse(const char *text, uint32_t *ret_set);
/* The usual columns of these rows at this width. */
uint32_t sa_columns_usual(const struct sa_view *const *sas, size_t n_sas, int width, bool history);

/* Of these columns, those that fit. `width` 0: all at full length. */
struct sa_listing sa_listing_layout(const struct sa_view *const *sas, size_t n_sas, int width,
				    uint32_t set);
/* For rows that are not known yet: each column of the set as wide as it gets. */
struct sa_listing sa_listing_widest(uint32_t set);
/* `marked` is underlined: the column the rows are sorted by, or -1. */
void sa_table_draw_head(const struct sa_listing *table, struct frame *frame, int row, int marked);
/* The column at `x`, or -1. */
int sa_listing_column_at(const struct sa_listing *table, int x);
void sa_table_draw_row(const struct sa_listing *table, struct frame *frame, int row,
		       const struct sa_view *sa);
/* The glyph of the place and its word, which is shortened if it does not fit. */
void sa_place_draw(struct frame *frame, int row, int x, int width, enum sa_place place);

/* Computes the level of each of `width` cells: 0 (nothing) to `levels`, or -1 if there is no
 * sample. A cell shows its largest sample, in proportion to the largest of all. The newest sample
 * is at the right. */
void sparkline(const double *samples, size_t n_samples, int width, int levels, int *ret_levels);
