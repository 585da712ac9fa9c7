/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `top` as plain frames, or as one JSON object per line. */
#include "control-interface.h"
#include "monotonic.h"
#include "top/render.h"
#include "top/top.h"

#include <errno.h>
#include <string.h>

#define BATCH_WIDTH 100
/* SAs of a frame, unless the user asks for another number. */
#define BATCH_ROWS 1000

/* Gets both replies for one frame. */
static int fetch(const struct ctl *ctl, const struct top_options *options, struct top_model *model,
		 struct ike_watch *ike, json_t **ret_status, json_t **ret_rows)
{
	json_t *status = NULL;
	int r = ctl_call(ctl, CONTROL_INTERFACE ".GetStatus", NULL, &status);

	if (r != CTL_OK)
		return r;
	model->page.size = options->rows ? (size_t)options->rows : BATCH_ROWS;
	model->page.peers_max = model->page.size < BATCH_ROWS ? model->page.size : BATCH_ROWS;
	r = ctl_call(ctl,
		     model->page.peers ? CONTROL_INTERFACE ".ListPeers"
				       : CONTROL_INTERFACE ".ListSAs",
		     top_model_ask(model), ret_rows);
	if (r != CTL_OK) {
		json_decref(status);
		return r;
	}
	ike_watch_wait(ike);
	ike_names_set_all(ike->names, json_object_get(*ret_rows, "sas"), NULL);
	*ret_status = status;
	return CTL_OK;
}

static int print_json(const struct ctl *ctl, const struct top_model *model, json_t *status,
		      json_t *rows)
{
	struct ctl line = *ctl;
	bool peers = model->asked.peers;
	json_t *frame = json_pack("{s:f, s:O, s:O}", "time", clock_seconds(CLOCK_REALTIME),
				  "status", status, peers ? "peers" : "sas",
				  peers ? rows : json_object_get(rows, "sas"));

	if (!frame)
		return -EBADMSG;
	line.json = CTL_JSON_SHORT; /* one line, also on terminals */
	ctl_print_json(&line, frame);
	json_decref(frame);
	return 0;
}

static int print_frame(const struct ctl *ctl, const struct top_options *options,
		       struct top_model *model, json_t *status, json_t *rows)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct top_ui ui = {.batch = true,
			    .columns = options->columns,
			    .delay = options->delay,
			    .now = monotonic_now()};
	int width = ctl->width > 0 ? ctl->width : BATCH_WIDTH;
	int r = top_model_set_status(model, status);

	if (r >= 0)
		r = model->asked.peers ? top_model_set_peers(model, rows, NULL, ui.now)
				       : top_model_set_sas(model, rows, ui.now);
	if (r >= 0)
		r = top_render_batch(model, &ui, width, (size_t)options->rows, ctl->ascii, &frame);
	if (r < 0)
		return r;
	frame_write(frame, ctl->color && !options->batch, stdout);
	return 0;
}

static int run_once(const struct ctl *ctl, const struct top_options *options,
		    struct top_model *model, struct ike_watch *ike, bool first)
{
	json_t *status = NULL;
	json_t *rows = NULL;
	int r = fetch(ctl, options, model, ike, &status, &rows);

	if (r != CTL_OK)
		return r;
	if (!first && ctl->json == CTL_JSON_OFF)
		(void)putchar('\n');
	if (ctl->json != CTL_JSON_OFF)
		r = print_json(ctl, model, status, rows);
	else
		r = print_frame(ctl, options, model, status, rows);
	json_decref(status);
	json_decref(rows);
	return r < 0 ? ctl_tell_failure(ctl, r) : CTL_OK;
}

static void sleep_until(double time)
{
	struct timespec deadline = {.tv_sec = (time_t)time};

	deadline.tv_nsec = (long)((time - (double)deadline.tv_sec) * 1e9);
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &deadline, NULL) == EINTR)
		continue;
}

int top_run_batch(const struct ctl *ctl, const struct top_options *options)
{
	_cleanup_(top_model_done) struct top_model model = top_model_make(&options->page);
	_cleanup_(ike_watch_done) struct ike_watch ike = {.sources = &ctl->ike};
	double next = monotonic_now();
	bool printed = false;

	for (long i = 0; options->iterations == 0 || i < options->iterations; i++) {
		int r;

		if (i > 0)
			sleep_until(next);
		next += options->delay;
		r = run_once(ctl, options, &model, &ike, !printed);
		/* Continue if the daemon is restarted, but not if it was never reachable. */
		if (r != CTL_OK && (!printed || r != CTL_UNREACHABLE))
			return r;
		printed = true;
		if (fflush(stdout) != 0) {
			ctl_error("cannot write: %s", strerror(errno));
			return CTL_FAILURE;
		}
	}
	return CTL_OK;
}
