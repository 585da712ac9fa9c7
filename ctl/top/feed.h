/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data for live `top`: asks the daemon repeatedly without waiting for replies, so that keys
 * work at all times. It connects again if the daemon was restarted.
 *
 * One call is made at a time: GetStatus, then ListSAs (or ListPeers, and ListSAs for the peer that
 * is unfolded), then Explain while its pane or the graph is open. When the user scrolls, sorts or
 * filters, the rows are asked for at once.
 */
#pragma once

#include "ctl.h"
#include "top/ui.h"
#include "varlink-client.h"

enum top_feed_phase {
	TOP_FEED_RESTING, /* until `due` */
	TOP_FEED_STATUS,
	TOP_FEED_PEERS,
	TOP_FEED_SAS,
	TOP_FEED_EXPLAIN,
};

struct top_feed {
	const struct ctl *ctl;
	struct varlink_client *client; /* NULL: not connected */
	enum top_feed_phase phase;
	json_t *peers;   /* reply, while the SAs of the unfolded one are asked for; NULL: none */
	double due;      /* time of the next round or attempt to connect */
	double deadline; /* of the reply */
	bool explain;    /* the user waits for an explanation */
	bool scrolled;   /* the user waits for other rows */
	struct ike_watch ike;
};

void top_feed_done(struct top_feed *feed);
/* What the caller must wait for: the descriptor (-1: none), its poll(2) events, and a timeout in
 * seconds. */
int top_feed_fd(const struct top_feed *feed, short *ret_events);
double top_feed_timeout(const struct top_feed *feed, const struct top_model *model,
			const struct top_ui *ui, double now);
/* Makes progress without waiting. Writes problems to ui->message. Returns whether there is
 * something new to show. */
bool top_feed_run(struct top_feed *feed, struct top_model *model, struct top_ui *ui, double now);
