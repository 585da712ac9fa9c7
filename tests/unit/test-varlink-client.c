/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client with replies that are truncated, garbled, late, or no replies at all. */
#include "varlink-client.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cmocka.h>

static int parse(const char *text, struct varlink_reply *ret_reply)
{
	return varlink_reply_parse(text, strlen(text), ret_reply);
}

static void test_good_replies(void **state)
{
	struct varlink_reply reply;

	assert_int_equal(parse("{\"parameters\": {\"a\": 1}}", &reply), 0);
	assert_null(reply.error);
	assert_int_equal(json_integer_value(json_object_get(reply.parameters, "a")), 1);
	varlink_reply_done(&reply);

	assert_int_equal(parse("{}", &reply), 0);
	assert_true(json_is_object(reply.parameters));
	varlink_reply_done(&reply);

	assert_int_equal(
		parse("{\"error\": \"io.espoffload.NoSuchSA\", \"parameters\": null}", &reply), 0);
	assert_string_equal(reply.error, "io.espoffload.NoSuchSA");
	varlink_reply_done(&reply);
}

static void test_garbled_replies(void **state)
{
	static const char *const garbled[] = {
		"",
		" ",
		"hello",
		"[]",
		"1",
		"null",
		"{",
		"{\"parameters\": {}} trailing",
		"{\"parameters\": []}",
		"{\"parameters\": \"x\"}",
		"{\"parameters\": {\"a\": 1, \"a\": 2}}",
		"{\"parameters\": {\"a\": \"\\ud800\"}}",
		"{\"parameters\": {\"a\": \"\xff\"}}",
		"{\"parameters\": {\"a\": 1e999}}",
		"{\"parameters\": {}, \"continues\": 1}",
		"{\"parameters\": {}, \"continues\": null}",
		"{\"error\": 1}",
		"{\"error\": null}",
		"{\"error\": \"\"}",
		"{\"error\": \"a\\u001b[31m\"}",
		"{\"error\": \"a b\"}",
	};

	for (size_t i = 0; i < ELEMENTSOF(garbled); i++) {
		struct varlink_reply reply = {};

		if (parse(garbled[i], &reply) != -EBADMSG)
			fail_msg("accepted: %s", garbled[i]);
		assert_null(reply.parameters); /* outputs are untouched on failure */
	}
}

static void test_deep_nesting(void **state)
{
	struct varlink_reply reply;
	char text[100001];

	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_int_equal(parse(text, &reply), -EBADMSG);
}

/* A server that answers the first message of its only client with fixed bytes. */
struct server {
	char path[64];
	int fd;
	const char *answer;
	size_t size;
	bool hang; /* keep the connection open after the answer */
	pthread_t thread;
};

static void *serve(void *userdata)
{
	struct server *server = userdata;
	_cleanup_close_ int fd = accept(server->fd, NULL, NULL);
	char buffer[512];

	if (fd < 0 || read(fd, buffer, sizeof(buffer)) <= 0)
		return NULL;
	/* In pieces, so that a reply comes in more than one read. */
	for (size_t i = 0; i < server->size; i += 7) {
		size_t n = server->size - i < 7 ? server->size - i : 7;

		if (send(fd, server->answer + i, n, MSG_NOSIGNAL) != (ssize_t)n)
			return NULL;
	}
	/* Until the client disconnects. */
	while (server->hang && read(fd, buffer, sizeof(buffer)) > 0)
		continue;
	return NULL;
}

typedef int (*conversation)(struct varlink_client *client, void *userdata);

static int call_server(const char *answer, size_t size, bool hang, conversation converse,
		       void *userdata)
{
	struct server server = {.answer = answer, .size = size, .hang = hang};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct varlink_client *client = NULL;
	char directory[] = "/tmp/test-varlink-XXXXXX";
	int r;

	assert_non_null(mkdtemp(directory));
	(void)snprintf(server.path, sizeof(server.path), "%s/socket", directory);
	memcpy(address.sun_path, server.path, sizeof(server.path));
	server.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(server.fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server.fd, 1), 0);
	assert_int_equal(pthread_create(&server.thread, NULL, serve, &server), 0);

	assert_int_equal(varlink_client_connect(server.path, &client), 0);
	r = converse(client, userdata);
	(void)varlink_client_free(client);
	(void)pthread_join(server.thread, NULL);
	(void)close(server.fd);
	(void)unlink(server.path);
	(void)rmdir(directory);
	return r;
}

static int call_once(struct varlink_client *client, void *userdata)
{
	return varlink_client_call(client, "io.espoffload.GetStatus", NULL, 0.3, userdata);
}

static int call(const char *answer, size_t size, bool hang, struct varlink_reply *ret_reply)
{
	return call_server(answer, size, hang, call_once, ret_reply);
}

/* With the NUL that ends a string literal. */
#define CALL(text, hang, reply) call(text, sizeof(text), hang, reply)

static void test_calls(void **state)
{
	struct varlink_reply reply = {};

	assert_int_equal(CALL("{\"parameters\":{\"mode\":\"enforce\"}}", true, &reply), 0);
	assert_string_equal(json_string_value(json_object_get(reply.parameters, "mode")),
			    "enforce");
	varlink_reply_done(&reply);

	reply = (struct varlink_reply){};
	assert_int_equal(CALL("{}\0{}", true, &reply), -EBADMSG);
	assert_int_equal(CALL("hello", true, &reply), -EBADMSG);
	/* The request had no `more`. */
	assert_int_equal(CALL("{\"parameters\":{},\"continues\":true}", true, &reply), -EBADMSG);
	assert_int_equal(call("", 0, true, &reply), -ETIMEDOUT);
	assert_int_equal(call("{\"param", 7, true, &reply), -ETIMEDOUT);
	assert_int_equal(call("{\"param", 7, false, &reply), -ECONNRESET);
	assert_int_equal(call("", 0, false, &reply), -ECONNRESET);
	assert_null(reply.parameters);
}

/* Adds the member "a" of the replies; an error counts 1000. */
static int add_replies(struct varlink_client *client, void *userdata)
{
	int r = varlink_client_send_more(client, "io.espoffload.ListSAs", NULL);
	bool continues = r >= 0;

	while (continues) {
		_cleanup_(varlink_reply_done) struct varlink_reply reply = {};

		r = varlink_client_wait(client, 0.3, &reply);
		if (r < 0)
			return r;
		continues = reply.continues;
		*(int *)userdata += (int)json_integer_value(json_object_get(reply.parameters, "a"));
		if (reply.error)
			*(int *)userdata += 1000;
	}
	return r;
}

static void test_several_replies(void **state)
{
	static const struct {
		const char *name, *answer;
		size_t size;
		int r, sum;
	} cases[] = {
/* With its NUL, unless that would be a separate reply. */
#define CASE(name, answer, r, sum) {name, answer, sizeof(answer) - ((r) == -ECONNRESET), r, sum}
#define MORE(a) "{\"parameters\":{\"a\":" #a "},\"continues\":true}\0"
		CASE("one", "{\"parameters\":{\"a\":1}}", 0, 1),
		CASE("three", MORE(1) MORE(2) "{\"parameters\":{\"a\":4}}", 0, 7),
		CASE("error", MORE(1) "{\"error\":\"a.b\"}", 0, 1001),
		CASE("an error is the last", MORE(1) "{\"error\":\"a.b\",\"continues\":true}", 0,
		     1001),
		CASE("garbled", MORE(1) "x", -EBADMSG, 1),
		CASE("end", MORE(1) MORE(2), -ECONNRESET, 3),
	};

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		int sum = 0;
		int r = call_server(cases[i].answer, cases[i].size, cases[i].r != -ECONNRESET,
				    add_replies, &sum);

		if (r != cases[i].r || sum != cases[i].sum)
			fail_msg("%s: %d, %d", cases[i].name, r, sum);
	}
}

static void test_connect(void **state)
{
	struct varlink_client *client = NULL;
	char path[200];

	assert_int_equal(varlink_client_connect("/nonexistent/socket", &client), -ENOENT);
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(varlink_client_connect(path, &client), -ENAMETOOLONG);
	assert_null(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_replies), cmocka_unit_test(test_garbled_replies),
		cmocka_unit_test(test_deep_nesting), cmocka_unit_test(test_calls),
		cmocka_unit_test(test_connect),      cmocka_unit_test(test_several_replies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
