/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "varlink-client.h"

#include "control-interface.h"
#include "monotonic.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

/* Most bytes that one _process() reads, so that a large reply does not block the caller's loop. */
#define READ_BURST (4ul * 1024 * 1024)
#define READ_SIZE (64ul * 1024)
/* Longer than any error name: an interface name and a member (varlink.org). */
#define ERROR_NAME_MAX 255

struct varlink_client {
	int fd;
	bool awaiting; /* a call was sent whose last reply has not come */
	bool more;     /* of that call, several replies may come */
	char *out;
	size_t out_size;
	size_t out_done;
	char *in;
	size_t in_size;
	size_t in_allocated;
	size_t in_scanned; /* bytes of `in` known to hold no NUL */
};

int varlink_client_connect(const char *path, struct varlink_client **ret_client)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct varlink_client *client;
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);

	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* A UNIX socket connects at once, or returns EAGAIN if the daemon's backlog is full. */
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;

	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->fd = TAKE_FD(fd);
	*ret_client = client;
	return 0;
}

struct varlink_client *varlink_client_free(struct varlink_client *client)
{
	if (!client)
		return NULL;
	closep(&client->fd);
	free(client->out);
	free(client->in);
	free(client);
	return NULL;
}

int varlink_client_fd(const struct varlink_client *client)
{
	return client->fd;
}

short varlink_client_events(const struct varlink_client *client)
{
	return client->out ? POLLIN | POLLOUT : POLLIN;
}

static int send_call(struct varlink_client *client, const char *method, json_t *parameters,
		     bool more)
{
	json_t *request;

	if (client->awaiting) {
		json_decref(parameters);
		return -EBUSY;
	}
	if (!parameters)
		parameters = json_object();
	request = json_pack("{s:s, s:o, s:o*}", "method", method, "parameters", parameters, "more",
			    more ? json_true() : NULL);
	if (!request)
		return -ENOMEM;
	client->out = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (!client->out)
		return -ENOMEM;
	client->out_size = strlen(client->out) + 1;
	client->out_done = 0;
	client->awaiting = true;
	client->more = more;
	return 0;
}

int varlink_client_send(struct varlink_client *client, const char *method, json_t *parameters)
{
	return send_call(client, method, parameters, false);
}

int varlink_client_send_more(struct varlink_client *client, const char *method, json_t *parameters)
{
	return send_call(client, method, parameters, true);
}

static int flush_out(struct varlink_client *client)
{
	while (client->out) {
		ssize_t n = send(client->fd, client->out + client->out_done,
				 client->out_size - client->out_done, MSG_NOSIGNAL);

		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		client->out_done += (size_t)n;
		if (client->out_done == client->out_size) {
			free(client->out);
			client->out = NULL;
		}
	}
	return 0;
}

static int make_room(struct varlink_client *client)
{
	size_t allocated = client->in_allocated ? client->in_allocated * 2 : READ_SIZE * 2;
	char *in;

	if (client->in_allocated - client->in_size >= READ_SIZE)
		return 0;
	if (client->in_size > CONTROL_REPLY_MAX)
		return -EMSGSIZE;
	in = realloc(client->in, allocated);
	if (!in)
		return -ENOMEM;
	client->in = in;
	client->in_allocated = allocated;
	return 0;
}

/* The end of the reply, or NULL if it is not received yet. */
static const char *find_end(struct varlink_client *client)
{
	const char *end;

	if (client->in_size == client->in_scanned)
		return NULL;
	end = memchr(client->in + client->in_scanned, '\0', client->in_size - client->in_scanned);
	if (!end)
		client->in_scanned = client->in_size;
	return end;
}

static int handle_reply(struct varlink_client *client, const char *end,
			struct varlink_reply *ret_reply)
{
	_cleanup_(varlink_reply_done) struct varlink_reply reply = {};
	size_t size = (size_t)(end - client->in);
	int r = client->awaiting ? varlink_reply_parse(client->in, size, &reply) : -EBADMSG;

	if (r < 0)
		return r;
	client->in_size -= size + 1;
	client->in_scanned = 0;
	/* Only one call is outstanding at a time, so more bytes are not a reply. */
	if (reply.continues ? !client->more : client->in_size > 0)
		return -EBADMSG;
	memmove(client->in, end + 1, client->in_size);
	client->awaiting = reply.continues;
	*ret_reply = reply;
	reply = (struct varlink_reply){};
	return 1;
}

int varlink_client_process(struct varlink_client *client, struct varlink_reply *ret_reply)
{
	const char *end = find_end(client); /* came together with the reply before */
	int r = end ? 0 : flush_out(client);

	if (end)
		return handle_reply(client, end, ret_reply);
	for (size_t burst = 0; r >= 0 && burst < READ_BURST;) {
		ssize_t n;

		r = make_room(client);
		if (r < 0)
			break;
		n = read(client->fd, client->in + client->in_size, READ_SIZE);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		if (n == 0)
			return -ECONNRESET;
		if (!client->awaiting)
			return -EBADMSG;
		client->in_size += (size_t)n;
		burst += (size_t)n;
		end = find_end(client);
		if (end)
			return handle_reply(client, end, ret_reply);
		if (client->in_size > CONTROL_REPLY_MAX)
			return -EMSGSIZE;
	}
	return r;
}

int varlink_client_wait(struct varlink_client *client, double timeout,
			struct varlink_reply *ret_reply)
{
	double deadline = monotonic_now() + timeout;

	for (;;) {
		struct pollfd pollfd;
		double left;
		int r;

		r = varlink_client_process(client, ret_reply);
		if (r != 0)
			return r < 0 ? r : 0;
		left = deadline - monotonic_now();
		if (left <= 0)
			return -ETIMEDOUT;
		pollfd.fd = client->fd;
		pollfd.events = varlink_client_events(client);
		if (poll(&pollfd, 1, (int)ceil(left * 1000)) < 0 && errno != EINTR)
			return -errno;
	}
}

int varlink_client_call(struct varlink_client *client, const char *method, json_t *parameters,
			double timeout, struct varlink_reply *ret_reply)
{
	int r = varlink_client_send(client, method, parameters);

	return r < 0 ? r : varlink_client_wait(client, timeout, ret_reply);
}

/* "io.espoffload.NoSuchSA": only letters, digits, dots and hyphens, so that it is safe to
 * display. */
static bool error_name_valid(const char *name)
{
	size_t length = strlen(name);

	return length > 0 && length <= ERROR_NAME_MAX &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") ==
		       length;
}

static int read_reply(const json_t *object, struct varlink_reply *ret_reply)
{
	json_t *error = json_object_get(object, "error");
	json_t *parameters = json_object_get(object, "parameters");
	json_t *continues = json_object_get(object, "continues");
	char *name = NULL;

	if (!json_is_object(object) || (continues && !json_is_boolean(continues)))
		return -EBADMSG;
	if (parameters && !json_is_object(parameters) && !json_is_null(parameters))
		return -EBADMSG;
	if (error) {
		if (!json_is_string(error) || !error_name_valid(json_string_value(error)))
			return -EBADMSG;
		name = strdup(json_string_value(error));
		if (!name)
			return -ENOMEM;
	}
	parameters = json_is_object(parameters) ? json_incref(parameters) : json_object();
	if (!parameters) {
		free(name);
		return -ENOMEM;
	}
	*ret_reply = (struct varlink_reply){
		.error = name,
		.parameters = parameters,
		.continues = !name && json_is_true(continues),
	};
	return 0;
}

int varlink_reply_parse(const char *text, size_t size, struct varlink_reply *ret_reply)
{
	json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
	int r;

	if (!object)
		return -EBADMSG;
	r = read_reply(object, ret_reply);
	json_decref(object);
	return r;
}
