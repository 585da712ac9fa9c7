/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * `top` on a terminal: one loop waits for keys, signals, the daemon and the time. Signals are read
 * from a descriptor, so that the terminal is restored in one place, and no resize is lost.
 */
#include "monotonic.h"
#include "top/feed.h"
#include "top/render.h"
#include "top/screen.h"
#include "top/top.h"
#include "varlink-client.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>

/* Longest time between two frames, s, since the highlight of rows ends. */
#define REDRAW_INTERVAL 1.0

struct live {
	const struct ctl *ctl;
	struct top_screen *screen;
	struct top_model model;
	struct top_ui ui;
	struct top_feed feed;
	int signals;
	bool quit;
};

static void draw(struct live *live)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int width;
	int height;

	top_screen_size(live->screen, &width, &height);
	live->ui.now = monotonic_now();
	if (top_render(&live->model, &live->ui, width, height, live->ctl->ascii, &frame) >= 0)
		top_screen_show(live->screen, frame);
}

static void handle_keys(struct live *live)
{
	int key, row, column;

	while (!live->quit && (key = top_screen_key(live->screen, &row, &column)) >= 0) {
		enum top_request request =
			key == TOP_KEY_CLICK ? top_ui_click(&live->ui, &live->model, row, column)
					     : top_ui_key(&live->ui, &live->model, key);

		switch (request) {
		case TOP_REQUEST_NONE:
			break;
		case TOP_REQUEST_EXPLAIN:
			live->feed.explain = true;
			break;
		case TOP_REQUEST_QUIT:
			live->quit = true;
			break;
		}
	}
	top_screen_set_mouse(live->screen, live->ui.mouse);
}

static void handle_signals(struct live *live)
{
	struct signalfd_siginfo info;

	while (read(live->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH)
			top_screen_resize(live->screen);
		else
			live->quit = true;
	}
}

/* Waits for events. Returns whether the terminal still exists. */
static bool wait_for_events(struct live *live, bool *ret_input)
{
	double timeout = top_feed_timeout(&live->feed, &live->model, &live->ui, monotonic_now());
	struct pollfd pollfds[3 + IKE_SOURCES_MAX] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = live->signals, .events = POLLIN},
		{.fd = -1},
	};
	size_t n;

	pollfds[2].fd = top_feed_fd(&live->feed, &pollfds[2].events);
	timeout = fmin(timeout, REDRAW_INTERVAL);
	n = 3 + ike_watch_poll(&live->feed.ike, &pollfds[3]);
	if (poll(pollfds, n, (int)ceil(timeout * 1000)) < 0)
		return errno == EINTR;
	*ret_input = timeout >= REDRAW_INTERVAL || pollfds[0].revents || pollfds[1].revents;
	if (pollfds[1].revents)
		handle_signals(live);
	return !(pollfds[0].revents & (POLLERR | POLLHUP | POLLNVAL));
}

static void run(struct live *live)
{
	bool news = true;

	while (!live->quit) {
		bool input = false;

		if (news)
			draw(live);
		if (!wait_for_events(live, &input))
			return;
		handle_keys(live);
		news = top_feed_run(&live->feed, &live->model, &live->ui, monotonic_now()) || input;
	}
}

static int open_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGWINCH);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGQUIT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int top_run_live(const struct ctl *ctl, const struct top_options *options)
{
	_cleanup_(top_screen_closep) struct top_screen *screen = NULL;
	_cleanup_close_ int signals = -1;
	struct live live = {
		.ctl = ctl,
		.model = top_model_make(&options->page),
		.ui = {.delay = options->delay,
		       .columns = options->columns,
		       .mouse = options->mouse},
		.feed = {.ctl = ctl, .due = monotonic_now(), .ike = {.sources = &ctl->ike}},
	};
	int r;

	/* If the daemon is not reachable, report an error instead of an empty screen. */
	r = varlink_client_connect(ctl->socket, &live.feed.client);
	if (r < 0)
		return ctl_tell_failure(ctl, r);
	signals = open_signals();
	if (signals >= 0)
		r = top_screen_open(ctl->color, &screen);
	if (signals < 0 || r < 0) {
		top_feed_done(&live.feed);
		if (r < 0)
			return top_run_batch(ctl, options);
		ctl_error("cannot receive signals: %s", strerror(errno));
		return CTL_FAILURE;
	}
	top_screen_set_mouse(screen, options->mouse);
	live.screen = screen;
	live.signals = signals;
	run(&live);
	top_feed_done(&live.feed);
	top_ui_done(&live.ui);
	top_model_done(&live.model);
	return CTL_OK;
}
