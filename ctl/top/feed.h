/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where live `top` gets its data: asks the daemon again and again without ever waiting for it, so
 * that the keys stay alive, and connects again when the daemon was restarted.
 *
 * One call is awaited at a time: GetStatus, then ListSAs, then, while its pane is open, Explain.
 */
#pragma once

#include "ctl.h"
#include "top/ui.h"
#include "varlink-client.h"

enum top_feed_phase {
	TOP_FEED_RESTING, /* until `due` */
	TOP_FEED_STATUS,
	TOP_FEED_SAS,
	TOP_FEED_EXPLAIN,
};

struct top_feed {
	const struct ctl *ctl;
	struct varlink_client *client; /* NULL: not connected */
	enum top_feed_phase phase;
	double due;      /* next round, or next attempt to connect */
	double deadline; /* of the call that is awaited */
	bool explain;    /* the user waits for an explanation */
};

/* More SAs than anybody scrolls through are not worth a reply of megabytes every second. With more
 * of them, the daemon filters. */
#define TOP_SAS_MAX 1000
json_t *top_list_parameters(const struct top_model *model);

void top_feed_done(struct top_feed *feed);
/* What to wait for: the descriptor (-1: none), its poll(2) events, and seconds. */
int top_feed_fd(const struct top_feed *feed, short *ret_events);
double top_feed_timeout(const struct top_feed *feed, const struct top_ui *ui, double now);
/* Does what can be done now. Troubles go to ui->message. Returns whether there is news to show. */
bool top_feed_run(struct top_feed *feed, struct top_model *model, struct top_ui *ui, double now);
