/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a stream of Varlink requests. Besides the sanitizers this checks: every accepted
 * request is answered with one JSON object and one NUL (a oneway request with nothing), and a
 * method that changes state is never called for a peer without that right.
 */
#include "control/service.h"

#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static int echo(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	check(json_is_object(parameters));
	*ret_reply = json_incref(parameters);
	return 0;
}

/* As many rows as the parameters have members, one a slice. */
struct rows {
	size_t left;
};

static int rows_begin(json_t *parameters, void *userdata, void **ret_list, json_t **ret_reply,
		      const char **ret_error)
{
	struct rows *rows;

	check(json_is_object(parameters));
	if (json_is_string(json_object_get(parameters, "sort"))) {
		*ret_error = "InvalidValue";
		*ret_reply = json_incref(parameters);
		return 0;
	}
	rows = calloc(1, sizeof(*rows));
	check(rows);
	rows->left = json_object_size(parameters);
	*ret_list = rows;
	return 0;
}

static int rows_next(void *list, json_t *array)
{
	struct rows *rows = list;

	if (rows->left == 0)
		return 0;
	json_array_append_new(array, json_integer((json_int_t)rows->left));
	return --rows->left > 0;
}

static json_t *rows_rest(void *list)
{
	(void)list;
	return json_pack("{s:i}", "total", 0);
}

static const struct control_list list_of_rows = {
	.member = "sas",
	.begin = rows_begin,
	.next = rows_next,
	.rest = rows_rest,
	.free = free,
};

/* The same, of which the last one comes when the daemon ends. */
static const struct control_list list_of_news = {
	.member = "events",
	.follows = true,
	.json_flags = JSON_REAL_PRECISION(16),
	.begin = rows_begin,
	.next = rows_next,
	.rest = rows_rest,
	.free = free,
};

static int no_such_sa(json_t *parameters, void *userdata, json_t **ret_reply,
		      const char **ret_error)
{
	*ret_error = "NoSuchSA";
	return echo(parameters, userdata, ret_reply, ret_error);
}

static int fail(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	return -EIO;
}

static int forbidden(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	abort();
}

static bool may_change(const struct ucred *peer)
{
	return false;
}

/* Of each type. */
static const struct control_parameter list_parameters[] = {
	{"limit", CONTROL_COUNT},
	{"offset", CONTROL_COUNT},
	{"filter", CONTROL_TEXT},
	{"history", CONTROL_FLAG},
	{},
};

static const struct control_parameter monitor_parameters[] = {
	{"spi", CONTROL_TEXT},
	{"peer", CONTROL_TEXT},
	{},
};

static const struct control_method methods[] = {
	{.name = "ListSAs", .list = &list_of_rows, .parameters = list_parameters},
	{.name = "Monitor", .list = &list_of_news, .parameters = monitor_parameters},
	{.name = "Echo", .call = echo},
	{.name = "Explain", .call = no_such_sa},
	{.name = "GetStatus", .call = fail},
	{.name = "Pause", .changes = true, .call = forbidden},
};

/* Returns all pending output, as a client would read it. The caller frees it. */
static char *read_all(struct control_output *output, size_t *ret_size)
{
	size_t size = output->pending;
	size_t used = 0;
	char *text = malloc(size + 1);
	int sockets[2];
	int r = 0;

	check(text && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0);
	while (r == 0) {
		ssize_t n;

		r = control_output_send(output, sockets[0]);
		check(r >= 0);
		n = recv(sockets[1], text + used, size + 1 - used, MSG_DONTWAIT);
		check(n > 0);
		used += (size_t)n;
	}
	while (used < size) {
		ssize_t n = recv(sockets[1], text + used, size + 1 - used, MSG_DONTWAIT);

		check(n > 0);
		used += (size_t)n;
	}
	(void)close(sockets[0]);
	(void)close(sockets[1]);
	*ret_size = used;
	return text;
}

/* `continues`: there is another reply after it. */
static void check_reply(struct control_output *output, bool continues)
{
	size_t size = 0;
	_cleanup_free_ char *text = read_all(output, &size);
	json_auto_t *reply = NULL;

	check(size > 0 && memchr(text, '\0', size) == text + size - 1);
	reply = json_loadb(text, size - 1, JSON_REJECT_DUPLICATES, NULL);
	check(json_is_object(json_object_get(reply, "parameters")));
	check(json_is_true(json_object_get(reply, "continues")) == continues);
	check(continues || json_object_size(reply) == 1 ||
	      json_is_string(json_object_get(reply, "error")));
}

static void check_stream(struct control_stream *stream, bool more, struct control_output *output)
{
	int r;

	do {
		r = control_stream_next(stream, output);
		check(r >= 0);
		check(r != CONTROL_STREAM_WAITS || control_stream_follows(stream));
		if (r == CONTROL_STREAM_WAITS)
			control_stream_end(stream);
		if (more && (output->pending > 0 || !control_stream_follows(stream)))
			check_reply(output, r > 0);
	} while (r > 0);
	if (!more)
		check_reply(output, false);
}

static void answer(const char *text, size_t size)
{
	static const struct control_service service = {
		.methods = methods,
		.n_methods = ELEMENTSOF(methods),
		.may_change = may_change,
	};
	static const struct ucred peer = {.uid = 1000, .gid = 1000};
	_cleanup_(control_stream_freep) struct control_stream *stream = NULL;
	struct control_request request;
	struct control_output output;
	int r = control_request_parse(text, size, &request);

	check(r == 0 || r == -EBADMSG);
	if (r < 0)
		return;
	control_output_init(&output);
	check(control_service_answer(&service, &request, &peer, &output, &stream) == 0);
	if (request.oneway)
		check(output.pending == 0 && !stream);
	else if (stream)
		check_stream(stream, request.more, &output);
	else
		check_reply(&output, false);
	check(output.pending == 0);
	control_output_clear(&output);
	control_request_done(&request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = text + size;

	if (size > CONTROL_REQUEST_MAX)
		return 0;
	while (text < end) {
		const char *nul = memchr(text, '\0', (size_t)(end - text));

		if (!nul)
			nul = end;
		answer(text, (size_t)(nul - text));
		text = nul + 1;
	}
	return 0;
}
