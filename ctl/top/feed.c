/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top/feed.h"

#include "control-interface.h"
#include "top/render.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Seconds between attempts to connect. */
#define RECONNECT_DELAY 0.5

void top_feed_done(struct top_feed *feed)
{
	feed->client = varlink_client_free(feed->client);
	json_decref(feed->peers);
	feed->peers = NULL;
	ike_watch_done(&feed->ike);
}

int top_feed_fd(const struct top_feed *feed, short *ret_events)
{
	if (!feed->client)
		return -1;
	*ret_events = varlink_client_events(feed->client);
	return varlink_client_fd(feed->client);
}

double top_feed_timeout(const struct top_feed *feed, const struct top_model *model,
			const struct top_ui *ui, double now)
{
	double until = feed->phase == TOP_FEED_RESTING ? feed->due : feed->deadline;

	if (feed->client && feed->phase == TOP_FEED_RESTING) {
		if (feed->explain || !top_model_is_current(model))
			return 0;
		if (ui->frozen)
			return INFINITY;
	}
	return fmax(until - now, 0);
}

static json_t *explain_parameters(const struct top_model *model)
{
	return json_pack("{s:s, s:s}", "spi", model->selected.spi, "dst", model->selected.dst);
}

/* Closes the connection after an error, reports it, and schedules another attempt. */
static bool disconnect(struct top_feed *feed, struct top_ui *ui, int error, double now)
{
	const char *what = error == -EBADMSG     ? "the reply of espoffloadd is not understood"
			   : error == -ETIMEDOUT ? "espoffloadd does not answer"
			   : error == -EACCES    ? "no permission to connect to espoffloadd"
						 : "connection to espoffloadd lost";

	top_feed_done(feed);
	feed->phase = TOP_FEED_RESTING;
	feed->due = now + RECONNECT_DELAY;
	(void)snprintf(ui->message, sizeof(ui->message), "%s (%s): reconnecting", what,
		       strerror(-error));
	return true;
}

static int call(struct top_feed *feed, enum top_feed_phase phase, const char *method,
		json_t *parameters, double now)
{
	int r = varlink_client_send(feed->client, method, parameters);

	if (r < 0)
		return r;
	feed->phase = phase;
	feed->deadline = now + CTL_TIMEOUT;
	return 0;
}

static int ask_for_explanation(struct top_feed *feed, const struct top_model *model, double now)
{
	feed->explain = false;
	feed->phase = TOP_FEED_RESTING;
	if (!model->selected.spi) /* its row is not there yet */
		return 0;
	return call(feed, TOP_FEED_EXPLAIN, CONTROL_INTERFACE ".Explain", explain_parameters(model),
		    now);
}

static int ask_for_rows(struct top_feed *feed, struct top_model *model, const struct top_ui *ui,
			double now)
{
	/* The header may have got another height. */
	top_model_scroll(model, top_table_rows(model, ui, ui->height));
	feed->scrolled = !top_model_is_current(model);
	if (model->page.peers)
		return call(feed, TOP_FEED_PEERS, CONTROL_INTERFACE ".ListPeers",
			    top_model_ask(model), now);
	return call(feed, TOP_FEED_SAS, CONTROL_INTERFACE ".ListSAs", top_model_ask(model), now);
}

/* Begins a round. */
static int ask_for_status(struct top_feed *feed, const struct top_ui *ui, double now)
{
	feed->due += ui->delay;
	if (feed->due < now) /* slower than the delay: do not catch up */
		feed->due = now;
	if (feed->due > now + ui->delay)
		feed->due = now + ui->delay;
	return call(feed, TOP_FEED_STATUS, CONTROL_INTERFACE ".GetStatus", NULL, now);
}

static int handle_explanation(struct top_feed *feed, struct top_ui *ui,
			      const struct varlink_reply *reply)
{
	feed->phase = TOP_FEED_RESTING;
	if (!top_ui_wants_explanation(ui))
		return 0;
	ike_names_set_all(feed->ike.names, json_object_get(reply->parameters, "sas"), "sa");
	json_decref(ui->explain);
	ui->explain = reply->error ? NULL : json_incref(reply->parameters);
	if (reply->error)
		(void)snprintf(ui->explain_note, sizeof(ui->explain_note), "%s",
			       strcmp(reply->error, CONTROL_INTERFACE ".NoSuchSA") == 0
				       ? "the SA is gone"
				       : reply->error);
	return 0;
}

/* A filter has a value that the daemon does not know (any more), such as the name of a NIC that was
 * removed. It stays, so that the user sees what is wrong, and matches nothing. */
static int handle_invalid_filter(struct top_feed *feed, struct top_model *model, struct top_ui *ui,
				 const struct varlink_reply *reply, double now)
{
	json_auto_t *none = json_pack("{s:[], s:i, s:[], s:{}, s:{s:i}}", "sas", "total", 0,
				      "peers", "sums", "others", "peers", 0);
	const json_t *parameters = reply->parameters;

	(void)snprintf(ui->message, sizeof(ui->message), "%s is %s, not '%s'",
		       json_text_or(parameters, "parameter", "the filter"),
		       json_text_or(parameters, "expected", "another value"),
		       json_text_or(parameters, "value", ""));
	feed->phase = TOP_FEED_RESTING;
	json_decref(feed->peers);
	feed->peers = NULL;
	if (!none)
		return -ENOMEM;
	return model->asked.peers ? top_model_set_peers(model, none, NULL, now)
				  : top_model_set_sas(model, none, now);
}

/* The rows are complete: gives them to the model. */
static int handle_rows(struct top_feed *feed, struct top_model *model, struct top_ui *ui,
		       json_t *peers, json_t *sas, double now)
{
	int r = 0;

	ike_names_set_all(feed->ike.names, json_object_get(sas, "sas"), NULL);
	if (!ui->frozen || feed->scrolled)
		r = peers ? top_model_set_peers(model, peers, sas, now)
			  : top_model_set_sas(model, sas, now);
	json_decref(feed->peers);
	feed->peers = NULL;
	if (r < 0)
		return r;
	ui->message[0] = '\0';
	if (top_ui_wants_explanation(ui))
		return ask_for_explanation(feed, model, now);
	feed->phase = TOP_FEED_RESTING;
	return 0;
}

static int handle_peers(struct top_feed *feed, struct top_model *model, struct top_ui *ui,
			json_t *reply, double now)
{
	json_t *parameters = top_model_ask_unfolded(model);

	if (!parameters)
		return handle_rows(feed, model, ui, reply, NULL, now);
	feed->peers = json_incref(reply);
	return call(feed, TOP_FEED_SAS, CONTROL_INTERFACE ".ListSAs", parameters, now);
}

static int handle_reply(struct top_feed *feed, struct top_model *model, struct top_ui *ui,
			const struct varlink_reply *reply, double now)
{
	int r;

	if (feed->phase == TOP_FEED_EXPLAIN)
		return handle_explanation(feed, ui, reply);
	if (reply->error && feed->phase != TOP_FEED_STATUS &&
	    strcmp(reply->error, CONTROL_INTERFACE ".InvalidValue") == 0)
		return handle_invalid_filter(feed, model, ui, reply, now);
	if (reply->error)
		return -EREMOTEIO;
	if (feed->phase == TOP_FEED_STATUS) {
		feed->phase = TOP_FEED_RESTING;
		if (ui->frozen)
			return 0;
		r = top_model_set_status(model, reply->parameters);
		if (r < 0)
			return r;
		return ask_for_rows(feed, model, ui, now);
	}
	if (feed->phase == TOP_FEED_PEERS)
		return handle_peers(feed, model, ui, reply->parameters, now);
	return handle_rows(feed, model, ui, feed->peers, reply->parameters, now);
}

/* Starts the call that is due. */
static int start(struct top_feed *feed, struct top_model *model, const struct top_ui *ui,
		 double now)
{
	int r;

	if (!feed->client) {
		if (now < feed->due)
			return 0;
		r = varlink_client_connect(feed->ctl->socket, &feed->client);
		if (r < 0)
			return r;
		feed->phase = TOP_FEED_RESTING;
		feed->due = now;
	}
	if (feed->phase != TOP_FEED_RESTING)
		return 0;
	if (feed->explain)
		return ask_for_explanation(feed, model, now);
	if (!top_model_is_current(model))
		return ask_for_rows(feed, model, ui, now);
	if (now < feed->due || ui->frozen)
		return 0;
	return ask_for_status(feed, ui, now);
}

bool top_feed_run(struct top_feed *feed, struct top_model *model, struct top_ui *ui, double now)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
	bool news = false;
	int r = start(feed, model, ui, now);

	ike_watch_run(&feed->ike, now);
	if (r < 0)
		return disconnect(feed, ui, r, now);
	if (!feed->client)
		return false;
	r = varlink_client_process(feed->client, &reply);
	if (r > 0) {
		enum top_feed_phase phase = feed->phase;

		r = handle_reply(feed, model, ui, &reply, now);
		/* A new status is shown together with its SAs, a peer with its own. */
		news = phase != TOP_FEED_STATUS && feed->phase != TOP_FEED_SAS;
	} else if (r == 0 && feed->phase != TOP_FEED_RESTING && now >= feed->deadline) {
		r = -ETIMEDOUT;
	}
	return r < 0 ? disconnect(feed, ui, r, now) : news;
}
