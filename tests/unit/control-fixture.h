/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Varlink server on a real socket in a temporary directory, for its tests. Server and clients
 * share one thread: turn() and receive() run the server's event loop.
 */
#pragma once

#include "control/control.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cmocka.h>

#define TURN_USEC 2000
#define TURNS_MAX 20000

static bool allowed;

static inline bool may_change(const struct ucred *peer)
{
	return peer->uid == geteuid() && allowed;
}

/* Open descriptors of this process, which has both ends of each connection. */
static inline unsigned count_descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(directory);
	while (readdir(directory))
		n++;
	closedir(directory);
	return n;
}

/* Whether the server has closed the connection, even if data is unread. */
static inline bool is_cut_off(int fd)
{
	struct pollfd connection = {.fd = fd};

	assert_true(poll(&connection, 1, 0) >= 0);
	return connection.revents & POLLHUP;
}

struct fixture {
	char directory[64];
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	sd_event *event;
	struct control *control;
	struct control_settings settings;
	unsigned paused;      /* calls of Pause */
	unsigned refused;     /* calls of it that were refused */
	size_t large;         /* bytes of the reply to GetLarge */
	size_t rows;          /* of the reply to List */
	size_t row_size;      /* bytes of each, of lists that begin; 0: a number */
	size_t empty;         /* number of slices without rows before the others */
	bool alone;           /* the rows are the only member of the reply to List */
	size_t fails_at;      /* this slice cannot be made; 0: all can */
	unsigned lists;       /* number of existing lists */
	size_t slices;        /* number of slices made, of all lists */
	unsigned descriptors; /* without a connection */
};

static inline int echo(json_t *parameters, void *userdata, json_t **ret_reply,
		       const char **ret_error)
{
	*ret_reply = json_incref(parameters);
	return 0;
}

static inline int pause_all(json_t *parameters, void *userdata, json_t **ret_reply,
			    const char **ret_error)
{
	struct fixture *fixture = userdata;

	fixture->paused++;
	return 0;
}

static inline int explain(json_t *parameters, void *userdata, json_t **ret_reply,
			  const char **ret_error)
{
	*ret_reply = json_pack("{s:O}", "spi", json_object_get(parameters, "spi"));
	*ret_error = "NoSuchSA";
	return 0;
}

static inline int no_device(json_t *parameters, void *userdata, json_t **ret_reply,
			    const char **ret_error)
{
	return -ENODEV;
}

static inline int get_large(json_t *parameters, void *userdata, json_t **ret_reply,
			    const char **ret_error)
{
	const struct fixture *fixture = userdata;
	json_t *list = json_array();

	for (size_t i = 0; i < fixture->large / 64; i++)
		json_array_append_new(list,
				      json_sprintf("%061zu", i)); /* 64 bytes with quotes, comma */
	*ret_reply = json_pack("{s:o}", "list", list);
	return 0;
}

#define ROWS_PER_SLICE 2

/* A reply to List. */
struct rows {
	struct fixture *fixture;
	size_t size; /* of each row; 0: a number */
	size_t next;
	size_t slices;
};

static inline int rows_begin(json_t *parameters, void *userdata, void **ret_list,
			     json_t **ret_reply, const char **ret_error)
{
	struct rows *rows;

	if (json_object_get(parameters, "fail"))
		return -ENODEV;
	if (json_object_get(parameters, "refuse")) {
		*ret_error = "InvalidValue";
		*ret_reply = json_pack("{s:s}", "parameter", "refuse");
		return 0;
	}
	rows = calloc(1, sizeof(*rows));
	assert_non_null(rows);
	rows->fixture = userdata;
	rows->size = rows->fixture->row_size;
	rows->fixture->lists++;
	*ret_list = rows;
	return 0;
}

static inline int rows_next(void *list, json_t *array)
{
	struct rows *rows = list;
	const struct fixture *fixture = rows->fixture;

	rows->fixture->slices++;
	if (++rows->slices == fixture->fails_at)
		return -EIO;
	if (rows->slices <= fixture->empty)
		return 1;
	for (unsigned i = 0; i < ROWS_PER_SLICE && rows->next < fixture->rows; i++)
		json_array_append_new(
			array, rows->size ? json_sprintf("%0*zu", (int)rows->size, rows->next++)
					  : json_integer((json_int_t)rows->next++));
	return rows->next < fixture->rows;
}

static inline json_t *rows_rest(void *list)
{
	const struct rows *rows = list;

	return rows->fixture->alone ? json_object()
				    : json_pack("{s:I}", "total", (json_int_t)rows->next);
}

static inline void rows_free(void *list)
{
	((struct rows *)list)->fixture->lists--;
	free(list);
}

static const struct control_list list_of_rows = {
	.member = "rows",
	.begin = rows_begin,
	.next = rows_next,
	.rest = rows_rest,
	.free = rows_free,
};

static inline json_t *no_rest(void *list)
{
	(void)list;
	return json_object();
}

/* The same rows, and those that are added later. */
static const struct control_list list_of_news = {
	.member = "news",
	.follows = true,
	.begin = rows_begin,
	.next = rows_next,
	.rest = no_rest,
	.free = rows_free,
};

static const struct control_parameter explain_parameters[] = {
	{"spi", CONTROL_TEXT, .required = true},
	{"limit", CONTROL_COUNT},
	{"history", CONTROL_FLAG},
	{},
};

static const struct control_method methods[] = {
	{.name = "Echo", .call = echo},
	{.name = "Explain", .call = explain, .parameters = explain_parameters},
	{.name = "Fail", .call = no_device},
	{.name = "Follow", .list = &list_of_news},
	{.name = "GetLarge", .call = get_large},
	{.name = "List", .list = &list_of_rows},
	{.name = "Pause", .changes = true, .call = pause_all},
};

static inline void note_refused(const char *method, const struct ucred *peer, void *userdata)
{
	struct fixture *fixture = userdata;

	assert_string_equal(method, "Pause");
	assert_int_equal(peer->uid, geteuid());
	assert_int_equal(peer->pid, getpid());
	fixture->refused++;
}

static inline void start(struct fixture *fixture)
{
	assert_int_equal(control_new_with(fixture->event, fixture->path, methods,
					  ELEMENTSOF(methods), fixture, &fixture->settings,
					  &fixture->control),
			 0);
	fixture->descriptors = count_descriptors();
}

static inline int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/test-control-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/socket", fixture->directory);
	assert_true(sd_event_new(&fixture->event) >= 0);
	fixture->settings = control_settings_default;
	fixture->settings.may_change = may_change;
	fixture->settings.refused = note_refused;
	allowed = true;
	*state = fixture;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;

	control_free(fixture->control);
	sd_event_unref(fixture->event);
	(void)unlink(fixture->path);
	assert_int_equal(rmdir(fixture->directory), 0); /* no file is left */
	free(fixture);
	return 0;
}

static inline void turn(struct fixture *fixture)
{
	assert_true(sd_event_run(fixture->event, TURN_USEC) >= 0);
}

static inline void run(struct fixture *fixture, unsigned turns)
{
	while (turns-- > 0)
		turn(fixture);
}

static inline int dial_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static inline int dial(struct fixture *fixture)
{
	int fd = dial_path(fixture->path);

	assert_true(fd >= 0);
	return fd;
}

static inline void put(int fd, const void *data, size_t size)
{
	assert_int_equal(send(fd, data, size, MSG_NOSIGNAL), size);
}

/* Sends `text` with the NUL that ends a message. */
static inline void ask(int fd, const char *text)
{
	put(fd, text, strlen(text) + 1);
}

/* One message, without its NUL; NULL when the server hung up. */
static inline char *receive(struct fixture *fixture, int fd)
{
	size_t size = 4096, used = 0;
	char *text = malloc(size);

	for (unsigned i = 0; i < TURNS_MAX;) {
		/* Peeking finds the NUL; reading byte by byte would be slow. */
		ssize_t n = recv(fd, text + used, size - used, MSG_PEEK);
		char *nul = n > 0 ? memchr(text + used, '\0', (size_t)n) : NULL;

		if (n == 0 || (n < 0 && errno != EAGAIN)) {
			free(text);
			return NULL;
		}
		if (n < 0) {
			i++;
			turn(fixture);
			continue;
		}
		n = nul ? nul - (text + used) + 1 : n;
		assert_int_equal(recv(fd, text + used, (size_t)n, 0), n);
		used += (size_t)n;
		if (nul)
			return text;
		if (used == size) {
			size *= 2;
			text = realloc(text, size);
			assert_non_null(text);
		}
	}
	fail_msg("no reply");
	return NULL;
}

static inline void expect(struct fixture *fixture, int fd, const char *expected)
{
	char *text = receive(fixture, fd);

	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static inline void expect_hangup(struct fixture *fixture, int fd)
{
	char *text = receive(fixture, fd);

	if (text)
		fail_msg("a reply instead of a hangup: %s", text);
	close(fd);
}

static inline json_t *call(struct fixture *fixture, int fd, const char *request)
{
	char *text;
	json_t *reply;

	ask(fd, request);
	text = receive(fixture, fd);
	assert_non_null(text);
	reply = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(reply);
	free(text);
	return reply;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
