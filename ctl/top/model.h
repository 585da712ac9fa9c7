/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of `top`: the newest replies of the daemon, and the user's order, filter and
 * selection. No I/O, no clock: the caller passes times, in seconds of one clock.
 *
 * The daemon sorts and filters. The model has the rows of one page. The place of a row is its
 * number among all SAs that match the filter, from 0 on.
 *
 * An SA is selected, not a row, and the page follows it. When the SA is rekeyed, the SA of the same
 * lineage (addresses, reqid, direction, ...) on the page is selected.
 *
 * Or the rows are peers with the sums of their SAs. The daemon adds them up, and the model has
 * those of the first TOP_PEERS peers. One peer may be unfolded: its hottest SAs follow it.
 */
#pragma once

#include "peer-listing.h"
#include "views.h"

enum top_sort {
	TOP_SORT_RATE,
	TOP_SORT_RANK,
	TOP_SORT_PLACE,
	TOP_SORT_DIRECTION,
	TOP_SORT_SPI,
	TOP_SORT_PEER,
	TOP_SORT_SRC,
	TOP_SORT_DST,
	TOP_SORT_NIC,
	_TOP_SORT_MAX,
};

enum top_peer_sort {
	TOP_PEER_SORT_RATE,
	TOP_PEER_SORT_SAS,
	TOP_PEER_SORT_OFFLOADED,
	TOP_PEER_SORT_PEER,
	_TOP_PEER_SORT_MAX,
};

/* Filters by one field. The text filter is in any field. */
enum top_only {
	TOP_ONLY_NIC,
	TOP_ONLY_DIRECTION,
	TOP_ONLY_PLACEMENT,
	TOP_ONLY_PEER,
	_TOP_ONLY_MAX,
};

/* Seconds a row stays highlighted after its SA moved. */
#define TOP_HIGHLIGHT 5.0
#define TOP_FILTER_MAX 64

/* Peers that are shown; the others are summed in one row. */
#define TOP_PEERS 256
/* SAs of the peer that is unfolded. */
#define TOP_UNFOLDED 64

enum top_row_kind {
	TOP_ROW_SA,
	TOP_ROW_PEER,
	TOP_ROW_MORE,   /* how many more SAs the peer above has */
	TOP_ROW_OTHERS, /* the peers that have no row */
};

struct top_row {
	enum top_row_kind kind;
	struct sa_view sa;
	const struct peer_view *peer; /* of the SA, too; NULL if the rows are not of peers */
	int64_t more;
	double changed; /* time when this program last saw the SA's place change, -INFINITY: never
			 */
};

/* Which rows the daemon is asked for. */
struct top_page {
	enum top_sort sort;
	bool reverse;
	char filter[TOP_FILTER_MAX];              /* case-insensitive */
	char only[_TOP_ONLY_MAX][TOP_FILTER_MAX]; /* "": all */
	size_t first;                             /* place of the first row */
	size_t size;                              /* rows; SIZE_MAX: all */

	bool peers; /* rows of peers: `first` and `size` are not asked for */
	enum top_peer_sort peer_sort;
	char unfolded[TOP_FILTER_MAX]; /* this peer; "": none */
	size_t peers_max;              /* 0: TOP_PEERS */
};

struct top_model {
	json_t *status_reply; /* these own the strings of the views */
	json_t *sas_reply;
	struct status_view status;
	bool has_status;

	bool has_rows;
	struct top_row *rows; /* as the daemon sorted them */
	size_t n_rows;
	struct top_row **by_identity; /* those of SAs */
	size_t n_by_identity;
	size_t place; /* of the first row */
	size_t total; /* SAs that match the filter; of peers, all rows */

	json_t *peers_reply;     /* NULL: the rows are not of peers */
	struct peer_view *peers; /* in the order of the reply */
	size_t n_peers;
	struct sums_view all, others;

	struct top_page page;  /* what the user wants to see */
	struct top_page asked; /* what the daemon was asked for last */

	struct sa_view selected; /* strings are owned; spi NULL: no SA is selected */
	char *selected_peer;     /* NULL: no peer is selected */
	size_t cursor;           /* place of the selection */
	bool select;             /* the SA at the cursor, as soon as its row is there */
};

/* An empty model with this order and these filters. */
struct top_model top_model_make(const struct top_page *page);
void top_model_done(struct top_model *model);

/* The parameters for the page, of ListPeers if it has peers, else of ListSAs. NULL without
 * memory. */
json_t *top_model_ask(struct top_model *model);
/* The parameters of ListSAs for the peer that was unfolded then, or NULL. */
json_t *top_model_ask_unfolded(const struct top_model *model);
/* Whether the page that was asked for last is the one that the user wants to see. */
bool top_model_is_current(const struct top_model *model);

/* Sets a new reply of GetStatus or ListSAs, and adds a reference to it. On failure (-EBADMSG,
 * -ENOMEM) the model is not changed. */
int top_model_set_status(struct top_model *model, json_t *reply);
int top_model_set_sas(struct top_model *model, json_t *reply, double now);
/* The same of ListPeers, and of ListSAs for the unfolded peer (NULL: none). */
int top_model_set_peers(struct top_model *model, json_t *peers, json_t *sas, double now);

/* As it is shown. The interface has the same name in lower case. */
const char *top_sort_name(enum top_sort sort);
const char *top_peer_sort_name(enum top_peer_sort sort);
/* The same of the interface and the options. */
const char *top_only_name(enum top_only only);
bool top_page_has_filter(const struct top_page *page);

/* The row at the cursor, or NULL; the same if it is an SA. */
const struct top_row *top_model_row_at_cursor(const struct top_model *model);
const struct sa_view *top_model_sa_at_cursor(const struct top_model *model);
/* Shows peers, or again SAs, and keeps the selection as far as possible. */
void top_model_toggle_peers(struct top_model *model);
/* Moves the selection by rows. */
void top_model_move(struct top_model *model, long rows);
/* Scrolls so that the selection is among `size` rows. */
void top_model_scroll(struct top_model *model, size_t size);
