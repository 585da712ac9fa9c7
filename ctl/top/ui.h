/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of the user interface of `top`, and the effect of keys. No I/O: keys are values of this
 * header, and actions that need I/O are returned as a request.
 */
#pragma once

#include "peer-listing.h"
#include "sa-listing.h"
#include "top/model.h"

#include <jansson.h>

enum top_pane {
	TOP_PANE_TABLE,
	TOP_PANE_HELP,
	TOP_PANE_EXPLAIN,
	TOP_PANE_COLUMNS,
};

enum top_request {
	TOP_REQUEST_NONE,
	TOP_REQUEST_EXPLAIN, /* ask the daemon about the selected SA */
	TOP_REQUEST_QUIT,
};

/* Keys that are not characters. */
enum top_key {
	TOP_KEY_UP = 0x110000, /* beyond Unicode */
	TOP_KEY_DOWN,
	TOP_KEY_PAGE_UP,
	TOP_KEY_PAGE_DOWN,
	TOP_KEY_HOME,
	TOP_KEY_END,
	TOP_KEY_ENTER,
	TOP_KEY_ESCAPE,
	TOP_KEY_BACKSPACE,
	TOP_KEY_DELETE,
	TOP_KEY_LEFT,
	TOP_KEY_RIGHT,
	TOP_KEY_F1,
	TOP_KEY_F2,
	TOP_KEY_F3,
	TOP_KEY_F4,
	TOP_KEY_F5,
	TOP_KEY_F6,
	TOP_KEY_F7,
	TOP_KEY_F8,
	TOP_KEY_F9,
	TOP_KEY_F10,
	TOP_KEY_WHEEL_UP,
	TOP_KEY_WHEEL_DOWN,
	TOP_KEY_CLICK, /* for top_ui_click() */
};

/* Where the table was in the last frame. */
struct top_table {
	int head;        /* line of the titles */
	size_t first, n; /* the rows below: the place of the first, and their number */
	bool peers;      /* what the rows are, and the columns: */
	struct sa_listing sas_listing;
	struct peer_listing peers_listing;
};

struct top_ui {
	enum top_pane pane;
	bool graph;        /* of the selected SA, below the table */
	bool frozen;       /* new data is shown only where the user scrolls, sorts or filters */
	bool batch;        /* no keys, no selection: plain frames */
	double delay;      /* seconds between frames */
	double now;        /* of the frame to be drawn */
	char message[128]; /* problem with the daemon; "": none */

	bool editing; /* keys edit the filter */
	size_t edit_cursor;
	char filter_before[TOP_FILTER_MAX]; /* what Esc restores */

	json_t *explain;        /* newest reply for the pane; NULL: none yet */
	char explain_note[128]; /* why there is no reply */
	uint32_t columns;       /* chosen (sa-listing.h); 0: the usual ones */
	uint32_t shown;         /* columns of the last frame */
	size_t column;          /* at the cursor of the list of columns */
	size_t scroll;          /* of the pane */
	bool mouse;             /* the terminal is to report it */

	/* Set by the renderer: */
	size_t page; /* rows of the table or the pane */
	int height;  /* of the last frame */
	struct top_table table;
};

#define TOP_DELAY_MIN 0.1
#define TOP_DELAY_MAX 60.0

void top_ui_done(struct top_ui *ui);
/* Whether an explanation of the selected SA is shown, or its moves. */
bool top_ui_wants_explanation(const struct top_ui *ui);
enum top_request top_ui_key(struct top_ui *ui, struct top_model *model, int key);
/* A click into a cell of the last frame: selects a row, or sorts by a column. */
enum top_request top_ui_click(struct top_ui *ui, struct top_model *model, int row, int column);

/* The column by which the rows are sorted. */
enum sa_column top_sort_column(enum top_sort sort);
enum peer_column top_peer_sort_column(enum top_peer_sort sort);
