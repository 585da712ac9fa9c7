// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Connections. A client is in one of six states, and update() decides which:
 *
 *   reading   waits for a request; nothing is read from it in other states
 *   queued    has a complete request, which is answered in the next turn of the event loop
 *   waiting   has one, but too many bytes of replies wait to be read by others; root waits for
 *             root only, and a change does not wait
 *   writing   has not yet read the reply to its last request, or the last slice of it
 *   streaming has read all slices of its list so far: the next one is made when no other work waits
 *   following has read all slices, and its list has no more until control_wake()
 *
 * So a client that does not read occupies at most one reply (of a list: one slice) and one buffer
 * of requests. One timer closes the connection of a client that is idle or reads too slowly; one
 * that follows may wait for ever. When a client closes its connection, its request is dropped.
 */
#include "control/control.h"
#include "control/output.h"
#include "control/service.h"
#include "control/socket.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>

#define USEC_PER_SEC UINT64_C(1000000)

#define INPUT_FIRST 1024u
#define INPUT_MAX (CONTROL_REQUEST_MAX + 1u) /* with its NUL */
/* Bytes. After a larger reply, freed memory is returned to the system: glibc would keep it. Lists
 * are made in slices that are smaller. */
#define TRIM_SIZE (4u * 1024u * 1024u)
/* How late timers may be, to save wake-ups. */
#define TIMER_ACCURACY_USEC (USEC_PER_SEC / 4)
/* Pause after accept() failed for lack of descriptors or memory, since it would fail again at
 * once. */
#define ACCEPT_PAUSE_USEC USEC_PER_SEC
/* Connected clients are served before new ones are accepted. */
#define PRIORITY_ACCEPT (SD_EVENT_PRIORITY_NORMAL + 1)
/* Clients that read a list: after the moves, which have SD_EVENT_PRIORITY_IDLE. A slice is sent
 * before further slices are made. Otherwise a slow reader would never get its turn. */
#define PRIORITY_STREAM (SD_EVENT_PRIORITY_IDLE + 1)
#define PRIORITY_SLICE (SD_EVENT_PRIORITY_IDLE + 2)

struct client {
	LIST_ENTRY(client) next;
	TAILQ_ENTRY(client) next_streaming; /* if `streaming` */
	struct control *control;
	int fd;
	struct ucred peer;
	sd_event_source *io;
	sd_event_source *turn;     /* answers one request; enabled when queued */
	sd_event_source *deadline; /* for the next request, or for reading the reply */
	char *input;
	size_t input_size;
	size_t input_used;
	size_t input_scanned; /* there is no NUL before this offset */
	bool end_of_input;    /* the client has shut down its sending side, but may still read */
	bool waiting;
	bool streaming;
	bool following;
	struct control_output output;
	struct control_stream *stream; /* makes what is missing of the reply; NULL: nothing is */
	uint64_t patience_usec;        /* left for the client to read its reply */
	uint64_t written_at;           /* usec, monotonic: since then there is something to read */
};

struct control {
	sd_event *event;
	struct control_service service;
	struct control_settings settings;
	struct control_socket socket;
	sd_event_source *accept;
	sd_event_source *accept_again;
	/* One source for all clients: of several, sd-event runs the oldest again and again. */
	sd_event_source *slice;
	TAILQ_HEAD(, client) streaming; /* each gets a slice in turn */
	LIST_HEAD(, client) clients;
	unsigned n_clients;
};

static bool may_change(const struct ucred *peer)
{
	return peer->uid == 0 || peer->uid == geteuid();
}

const struct control_settings control_settings_default = {
	/* Some users with `top` and a metrics collector use about five. A client that reads a list
	 * costs little more than an idle one. */
	.clients_max = 256,
	.clients_root = 16,
	.clients_per_user_max = 16,
	.idle_usec = 300 * USEC_PER_SEC,
	/* Slow enough for varlinkctl through ssh. */
	.reply_usec = 10 * USEC_PER_SEC,
	.reply_bytes_per_second = 1024 * 1024,
	/* A slice of a list has some 10 kB. */
	.pending_max = 64u * 1024u * 1024u,
	.may_change = may_change,
};

static bool is_root(const struct client *client)
{
	return client->peer.uid == 0;
}

static bool has_room(const struct client *client)
{
	const struct control *control = client->control;
	const struct client *other;
	size_t pending = 0;

	LIST_FOREACH(other, &control->clients, next)
		if (is_root(other) == is_root(client))
			pending += other->output.pending;
	return pending <= control->settings.pending_max;
}

/* Queues waiting clients if there is room for their replies now. */
static void wake_waiting(struct control *control)
{
	struct client *client;

	LIST_FOREACH(client, &control->clients, next)
		if (client->waiting && has_room(client))
			(void)sd_event_source_set_enabled(client->turn, SD_EVENT_ONESHOT);
}

static void client_free(struct client *client)
{
	struct control *control = client->control;

	LIST_REMOVE(client, next);
	if (client->streaming)
		TAILQ_REMOVE(&control->streaming, client, next_streaming);
	control->n_clients--;
	sd_event_source_disable_unref(client->io);
	sd_event_source_disable_unref(client->turn);
	sd_event_source_disable_unref(client->deadline);
	closep(&client->fd);
	free(client->input);
	control_output_clear(&client->output);
	control_stream_free(client->stream);
	free(client);
	wake_waiting(control);
}

/* Each byte is searched once, even if it arrives in small pieces. */
static bool find_request(struct client *client, size_t *ret_size)
{
	const char *nul = NULL;

	if (client->input_scanned < client->input_used)
		nul = memchr(client->input + client->input_scanned, '\0',
			     client->input_used - client->input_scanned);
	if (!nul) {
		client->input_scanned = client->input_used;
		return false;
	}
	client->input_scanned = (size_t)(nul - client->input);
	*ret_size = client->input_scanned;
	return true;
}

static void consume_request(struct client *client, size_t size)
{
	client->input_used -= size + 1;
	client->input_scanned = 0;
	memmove(client->input, client->input + size + 1, client->input_used);
	if (client->input_used == 0 && client->input_size > INPUT_FIRST) {
		free(TAKE_PTR(client->input));
		client->input_size = 0;
	}
}

/* Sets the deadline from now. It is called after a request and after the reply to it, so sending or
 * reading single bytes does not extend it. */
static int set_deadline(struct client *client)
{
	bool waits_for_daemon = client->following && client->output.pending == 0;
	uint64_t usec = client->output.pending > 0 ? client->patience_usec
						   : client->control->settings.idle_usec;
	int r = sd_event_source_set_time_relative(client->deadline, usec);

	if (r >= 0)
		r = sd_event_source_set_enabled(client->deadline,
						waits_for_daemon ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
	return r;
}

/* There is output that the client has not read yet. */
static int begin_writing(struct client *client)
{
	if (client->stream && control_stream_follows(client->stream))
		client->patience_usec = client->control->settings.idle_usec;
	client->patience_usec += client->output.pending * USEC_PER_SEC /
				 client->control->settings.reply_bytes_per_second;
	(void)sd_event_now(client->control->event, CLOCK_MONOTONIC, &client->written_at);
	return set_deadline(client);
}

/* The client has read all output. */
static int end_writing(struct client *client)
{
	uint64_t now = client->written_at, taken;

	(void)sd_event_now(client->control->event, CLOCK_MONOTONIC, &now);
	taken = now - client->written_at;
	client->patience_usec -= taken < client->patience_usec ? taken : client->patience_usec;
	wake_waiting(client->control);
	return set_deadline(client);
}

static void queue_slice(struct client *client)
{
	struct control *control = client->control;

	if (!client->streaming)
		TAILQ_INSERT_TAIL(&control->streaming, client, next_streaming);
	client->streaming = true;
	(void)sd_event_source_set_enabled(control->slice, SD_EVENT_ONESHOT);
}

/* Without events: only a hangup is noticed. */
static void watch(struct client *client, uint32_t events)
{
	(void)sd_event_source_set_io_events(client->io, events);
	(void)sd_event_source_set_enabled(client->io, SD_EVENT_ON);
}

/* Chooses the state of the client. Frees it if it cannot send another request. */
static void update(struct client *client)
{
	size_t size;

	if (client->output.pending > 0) {
		watch(client, EPOLLOUT);
	} else if (client->stream) {
		watch(client, 0);
		if (!client->following)
			queue_slice(client);
	} else if (find_request(client, &size)) {
		/* A client may ask for something and hang up at once. */
		(void)sd_event_source_set_enabled(client->io, SD_EVENT_OFF);
		(void)sd_event_source_set_enabled(client->turn, SD_EVENT_ONESHOT);
	} else if (client->end_of_input || client->input_used == INPUT_MAX) {
		client_free(client);
	} else {
		watch(client, EPOLLIN);
	}
}

/* All that the loop does for a client that reads a list comes after its other work. */
static void set_stream(struct client *client, struct control_stream *stream)
{
	control_stream_free(client->stream);
	client->stream = stream;
	(void)sd_event_source_set_priority(client->io,
					   stream ? PRIORITY_STREAM : SD_EVENT_PRIORITY_NORMAL);
}

static int answer(struct client *client, size_t size)
{
	struct control_stream *stream = NULL;
	struct control_request request;
	int r = control_request_parse(client->input, size, &request);

	if (r < 0)
		return r;
	consume_request(client, size);
	r = control_service_answer(&client->control->service, &request, &client->peer,
				   &client->output, &stream);
	control_request_done(&request);
	if (r < 0)
		return r;
	if (stream)
		set_stream(client, stream);
	if (client->output.pending > TRIM_SIZE)
		(void)malloc_trim(0);
	client->patience_usec = client->control->settings.reply_usec;
	return begin_writing(client);
}

static bool is_change(const struct client *client, size_t size)
{
	struct control_request request;
	bool result;

	if (control_request_parse(client->input, size, &request) < 0)
		return false;
	result = control_service_is_change(&client->control->service, &request, &client->peer);
	control_request_done(&request);
	return result;
}

static int on_turn(sd_event_source *source, void *userdata)
{
	struct client *client = userdata;
	size_t size;

	if (!find_request(client, &size))
		return 0;
	client->waiting = !has_room(client) && !is_change(client, size);
	if (client->waiting) {
		watch(client, 0);
		return 0;
	}
	if (answer(client, size) < 0)
		client_free(client);
	else
		update(client);
	return 0;
}

static int read_input(struct client *client)
{
	ssize_t n;

	if (client->input_used == client->input_size) {
		size_t size = client->input_size ? client->input_size * 2 : INPUT_FIRST;
		char *input;

		if (size > INPUT_MAX)
			size = INPUT_MAX;
		input = realloc(client->input, size);
		if (!input)
			return -ENOMEM;
		client->input = input;
		client->input_size = size;
	}
	n = recv(client->fd, client->input + client->input_used,
		 client->input_size - client->input_used, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->input_used += (size_t)n;
	client->end_of_input = n == 0;
	return 0;
}

static int write_output(struct client *client)
{
	int r = control_output_send(&client->output, client->fd);

	return r <= 0 ? r : end_writing(client);
}

static int make_slice(struct client *client)
{
	int r = control_stream_next(client->stream, &client->output);

	if (r < 0)
		return r;
	client->following = r == CONTROL_STREAM_WAITS;
	if (r == CONTROL_STREAM_ENDED)
		set_stream(client, NULL);
	if (client->output.pending == 0)
		return client->following ? set_deadline(client) : 0;
	r = begin_writing(client);
	return r < 0 ? r : write_output(client);
}

static int on_slice(sd_event_source *source, void *userdata)
{
	struct control *control = userdata;
	struct client *client = TAILQ_FIRST(&control->streaming);

	if (!client)
		return 0;
	TAILQ_REMOVE(&control->streaming, client, next_streaming);
	client->streaming = false;
	if (make_slice(client) < 0)
		client_free(client);
	else
		update(client);
	if (!TAILQ_EMPTY(&control->streaming))
		(void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct client *client = userdata;
	int r;

	if (client->output.pending > 0)
		r = write_output(client);
	else if (client->stream || client->waiting)
		r = events & (EPOLLHUP | EPOLLERR) ? -EPIPE : 0;
	else
		r = read_input(client);
	if (r < 0)
		client_free(client);
	else
		update(client);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
	client_free(userdata);
	return 0;
}

static int client_watch(struct client *client)
{
	sd_event *event = client->control->event;
	int r;

	r = sd_event_add_io(event, &client->io, client->fd, EPOLLIN, on_io, client);
	if (r < 0)
		return r;
	r = sd_event_add_defer(event, &client->turn, on_turn, client);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(client->turn, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(event, &client->deadline, CLOCK_MONOTONIC,
				       client->control->settings.idle_usec, TIMER_ACCURACY_USEC,
				       on_deadline, client);
	return r;
}

static bool is_welcome(const struct control *control, const struct ucred *peer)
{
	const struct control_settings *settings = &control->settings;
	const struct client *client;
	unsigned others = 0, own = 0;

	if (control->n_clients >= settings->clients_max)
		return false;
	if (peer->uid == 0)
		return true;
	LIST_FOREACH(client, &control->clients, next) {
		others += !is_root(client);
		own += client->peer.uid == peer->uid;
	}
	return others + settings->clients_root < settings->clients_max &&
	       own < settings->clients_per_user_max;
}

/* Takes the descriptor, also on failure. */
static void client_new(struct control *control, int fd)
{
	_cleanup_close_ int owned = fd;
	struct client *client;
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
	    !is_welcome(control, &peer))
		return;
	client = calloc(1, sizeof(*client));
	if (!client)
		return;
	client->control = control;
	client->fd = TAKE_FD(owned);
	client->peer = peer;
	control_output_init(&client->output);
	LIST_INSERT_HEAD(&control->clients, client, next);
	control->n_clients++;
	if (client_watch(client) < 0)
		client_free(client);
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct control *control = userdata;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client >= 0) {
		client_new(control, client);
		return 0;
	}
	if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
		return 0;
	(void)sd_event_source_set_enabled(control->accept, SD_EVENT_OFF);
	(void)sd_event_source_set_time_relative(control->accept_again, ACCEPT_PAUSE_USEC);
	(void)sd_event_source_set_enabled(control->accept_again, SD_EVENT_ONESHOT);
	return 0;
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct control *control = userdata;

	(void)sd_event_source_set_enabled(control->accept, SD_EVENT_ON);
	return 0;
}

static int add_slice(struct control *control)
{
	int r = sd_event_add_defer(control->event, &control->slice, on_slice, control);

	if (r < 0)
		return r;
	r = sd_event_source_set_priority(control->slice, PRIORITY_SLICE);
	return r < 0 ? r : sd_event_source_set_enabled(control->slice, SD_EVENT_OFF);
}

static int control_listen(struct control *control, const char *path)
{
	int r = control_socket_open(path, &control->socket);

	if (r < 0)
		return r;
	r = sd_event_add_io(control->event, &control->accept, control->socket.fd, EPOLLIN,
			    on_accept, control);
	if (r < 0)
		return r;
	r = sd_event_source_set_priority(control->accept, PRIORITY_ACCEPT);
	if (r < 0)
		return r;
	r = sd_event_add_time(control->event, &control->accept_again, CLOCK_MONOTONIC, 0,
			      TIMER_ACCURACY_USEC, on_accept_again, control);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(control->accept_again, SD_EVENT_OFF);
}

int control_new_with(sd_event *event, const char *path, const struct control_method *methods,
		     size_t n, void *userdata, const struct control_settings *settings,
		     struct control **ret_control)
{
	_cleanup_(control_freep) struct control *control = calloc(1, sizeof(*control));
	int r;

	if (!control)
		return -ENOMEM;
	control->event = sd_event_ref(event);
	control->settings = *settings;
	control->service = (struct control_service){
		.methods = methods,
		.n_methods = n,
		.userdata = userdata,
		.may_change = settings->may_change,
		.refused = settings->refused,
	};
	control->socket.fd = -1;
	LIST_INIT(&control->clients);
	TAILQ_INIT(&control->streaming);
	r = add_slice(control);
	if (r < 0)
		return r;
	r = control_listen(control, path);
	if (r < 0)
		return r;
	*ret_control = TAKE_PTR(control);
	return 0;
}

int control_new(sd_event *event, const char *path, const struct control_method *methods, size_t n,
		void *userdata, struct control **ret_control)
{
	return control_new_with(event, path, methods, n, userdata, &control_settings_default,
				ret_control);
}

void control_wake(struct control *control)
{
	struct client *client;

	LIST_FOREACH(client, &control->clients, next) {
		if (client->following && client->output.pending == 0)
			queue_slice(client);
		client->following = false;
	}
}

/* What a client that follows has not got yet, as far as its socket accepts it at once. */
static void end_following(struct client *client)
{
	int r = CONTROL_STREAM_MORE;

	control_stream_end(client->stream);
	while (r == CONTROL_STREAM_MORE && client->output.pending == 0) {
		r = control_stream_next(client->stream, &client->output);
		if (r >= 0 && client->output.pending > 0)
			(void)control_output_send(&client->output, client->fd);
	}
}

struct control *control_free(struct control *control)
{
	struct client *client;

	if (!control)
		return NULL;
	LIST_FOREACH(client, &control->clients, next)
		if (client->stream && control_stream_follows(client->stream))
			end_following(client);
	while (!LIST_EMPTY(&control->clients))
		client_free(LIST_FIRST(&control->clients));
	sd_event_source_disable_unref(control->slice);
	sd_event_source_disable_unref(control->accept);
	sd_event_source_disable_unref(control->accept_again);
	control_socket_close(&control->socket);
	sd_event_unref(control->event);
	free(control);
	return NULL;
}
