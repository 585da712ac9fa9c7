/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of `top`: the newest replies of the daemon, and the user's order, filter and
 * selection. No I/O, no clock: the caller passes times, in seconds of one clock.
 *
 * An SA is selected, not a row. When the SA is rekeyed, the SA of the same lineage (addresses,
 * reqid, direction, ...) is selected.
 */
#pragma once

#include "views.h"

enum top_sort {
	TOP_SORT_RATE,
	TOP_SORT_RANK,
	TOP_SORT_PLACE,
	TOP_SORT_DIRECTION,
	TOP_SORT_SPI,
	TOP_SORT_DST,
	_TOP_SORT_MAX,
};

/* Seconds a row stays highlighted after its SA moved. */
#define TOP_HIGHLIGHT 5.0
#define TOP_FILTER_MAX 64

/* An SA, and when this program saw its place change. */
struct top_row {
	struct sa_view sa;
	double changed; /* time of the last change, -INFINITY: none */
};

struct top_model {
	json_t *status_reply; /* these own the strings of the views */
	json_t *sas_reply;
	struct status_view status;
	bool has_status;

	struct top_row *rows; /* ordered by identity */
	size_t n_rows;
	size_t total; /* SAs in the daemon, before its limit */

	struct top_row **shown; /* filtered and sorted */
	size_t n_shown;

	enum top_sort sort;
	bool reverse;
	char filter[TOP_FILTER_MAX]; /* case-insensitive */

	struct sa_view selected; /* strings are owned; spi NULL: nothing is selected */
	size_t cursor;           /* row of the selection in `shown` */
	size_t first;            /* first visible row of `shown` */
};

/* An empty model with this order and filter; `filter` may be NULL. */
struct top_model top_model_make(enum top_sort sort, bool reverse, const char *filter);
void top_model_done(struct top_model *model);

/* Sets a new reply of GetStatus or ListSAs, and adds a reference to it. On failure (-EBADMSG,
 * -ENOMEM) the model is not changed. */
int top_model_set_status(struct top_model *model, json_t *reply);
int top_model_set_sas(struct top_model *model, json_t *reply, double now);

/* Must be called after `sort`, `reverse` or `filter` changed. */
void top_model_arrange(struct top_model *model);
const char *top_sort_name(enum top_sort sort);

/* Moves the selection by rows. */
void top_model_move(struct top_model *model, long rows);
/* Scrolls so that the selection is among the `page` visible rows. */
void top_model_scroll(struct top_model *model, size_t page);
