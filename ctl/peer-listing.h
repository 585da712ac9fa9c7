/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of peers that `list --group peer` and `top` show, and of the SAs of one of them in the
 * same columns.
 */
#pragma once

#include "frame.h"
#include "views.h"

enum peer_column {
	PEER_COLUMN_PEER,
	PEER_COLUMN_SAS,
	PEER_COLUMN_OFFLOADED,
	PEER_COLUMN_RATE,
	PEER_COLUMN_SHARE,
	PEER_COLUMN_IN_NICS,
	PEER_COLUMN_NICS,
	_PEER_COLUMN_MAX,
};

struct peer_listing {
	int width[_PEER_COLUMN_MAX]; /* 0: not shown */
	double all;                  /* rate of which the shares are */
	bool folds;                  /* rows begin with a mark: whether the SAs are shown */
};

/* `width` 0: all at full length. */
struct peer_listing peer_listing_layout(const struct peer_view *peers, size_t n,
					const struct sums_view *all, int width, bool folds);
/* `marked` is underlined, or -1. */
void peer_table_draw_head(const struct peer_listing *table, struct frame *frame, int row,
			  int marked);
void peer_table_draw_row(const struct peer_listing *table, struct frame *frame, int row,
			 const struct peer_view *peer, bool unfolded);
/* An SA below its peer. */
void peer_table_draw_sa(const struct peer_listing *table, struct frame *frame, int row,
			const struct sa_view *sa);
/* The peers that have no row. */
void peer_table_draw_others(const struct peer_listing *table, struct frame *frame, int row,
			    const struct sums_view *others);
/* The column at `x`, or -1. */
int peer_listing_column_at(const struct peer_listing *table, int x);
