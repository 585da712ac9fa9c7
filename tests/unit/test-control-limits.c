// SPDX-License-Identifier: GPL-2.0-or-later
/* Clients that request much, read slowly, or never disconnect. */
#include "control-fixture.h"

static void test_large_reply(void **state)
{
	struct fixture *fixture = *state;
	json_t *reply, *list;
	int fd;

	fixture->large = 8u * 1024u * 1024u;
	start(fixture);
	fd = dial(fixture);
	for (unsigned i = 0; i < 2; i++) {
		reply = call(fixture, fd, "{\"method\":\"io.espoffload.GetLarge\"}");
		assert_int_equal(json_unpack(reply, "{s:{s:o!}!}", "parameters", "list", &list), 0);
		assert_int_equal(json_array_size(list), fixture->large / 64);
		for (size_t j = 0; j < json_array_size(list); j++)
			assert_int_equal(
				strtoul(json_string_value(json_array_get(list, j)), NULL, 10), j);
		json_decref(reply);
	}
	close(fd);
}

static void test_slow_reader(void **state)
{
	struct fixture *fixture = *state;
	int slow, other;
	char byte;

	fixture->large = 1024u * 1024u;
	fixture->settings.pending_max = 512u * 1024u;
	fixture->settings.reply_usec =
		3000 * 1000; /* long enough for the rest of the test on any machine */
	fixture->settings.reply_bytes_per_second = 100u * 1024u * 1024u;
	start(fixture);
	slow = dial(fixture);
	other = dial(fixture);
	ask(slow, "{\"method\":\"io.espoffload.GetLarge\"}");
	ask(slow, "{\"method\":\"io.espoffload.Pause\"}");
	run(fixture, 10);
	assert_int_equal(fixture->paused, 0); /* not before the first reply is read */

	/* The other client has to wait, and is served after the slow one is disconnected. */
	ask(other, "{\"method\":\"io.espoffload.Echo\"}");
	run(fixture, 10);
	assert_int_equal(recv(other, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	expect(fixture, other, "{\"parameters\":{}}");
	assert_true(is_cut_off(slow));
	assert_false(is_cut_off(other));
	close(slow);
	close(other);
}

static void test_trickling_reader(void **state)
{
	struct fixture *fixture = *state;
	unsigned turns = 0;
	char byte;
	int fd;

	fixture->large = 1024u * 1024u;
	fixture->settings.reply_usec = 300 * 1000;
	fixture->settings.reply_bytes_per_second = 100u * 1024u * 1024u;
	start(fixture);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.GetLarge\"}");
	run(fixture, 5);
	while (!is_cut_off(fd) && turns++ < TURNS_MAX) {
		assert_int_equal(recv(fd, &byte, 1, 0), 1);
		turn(fixture);
	}
	assert_true(is_cut_off(fd));
	close(fd);
}

static void test_too_many_of_one_user(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	fixture->settings.clients_per_user_max = 0;
	start(fixture);
	fd = dial(fixture);
	if (geteuid() != 0) {
		expect_hangup(fixture, fd);
		return;
	}
	/* Root can always connect. */
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	close(fd);
}

static void test_idle(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	fixture->settings.idle_usec = 300 * 1000;
	start(fixture);
	fd = dial(fixture);
	run(fixture, 3);
	assert_false(is_cut_off(fd));
	/* A partial request does not count as a request. */
	for (unsigned i = 0; i < TURNS_MAX && !is_cut_off(fd); i++) {
		(void)send(fd, "x", 1, MSG_NOSIGNAL);
		turn(fixture);
		(void)usleep(1000);
	}
	assert_true(is_cut_off(fd));
	close(fd);
}

static void test_too_many(void **state)
{
	struct fixture *fixture = *state;
	int fds[4];
	int fd;

	fixture->settings.clients_max = ELEMENTSOF(fds);
	start(fixture);
	for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
		fds[i] = dial(fixture);
		ask(fds[i], "{\"method\":\"io.espoffload.Echo\"}");
		expect(fixture, fds[i], "{\"parameters\":{}}");
	}
	expect_hangup(fixture, dial(fixture));
	close(fds[0]);
	run(fixture, 3);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	close(fd);
	for (size_t i = 1; i < ELEMENTSOF(fds); i++)
		close(fds[i]);
}

/* The kernel reports the effective user of the client. */
static int dial_as(struct fixture *fixture, uid_t uid)
{
	int fd;

	assert_int_equal(chmod(fixture->directory, 0755), 0);
	assert_int_equal(chmod(fixture->path, 0666), 0);
	assert_int_equal(seteuid(uid), 0);
	fd = dial(fixture);
	assert_int_equal(seteuid(0), 0);
	return fd;
}

#define READERS 2
#define CONNECTIONS 32

/* Two users with read access take all connections that they get, and do not use them. */
static void test_root_gets_in(void **state)
{
	struct fixture *fixture = *state;
	int idle[READERS * CONNECTIONS];
	unsigned connected = 0;
	int fd;

	if (geteuid() != 0)
		skip();
	start(fixture);
	for (size_t i = 0; i < ELEMENTSOF(idle); i++) {
		idle[i] = dial_as(fixture, (uid_t)(1000 + i % READERS));
		run(fixture, 1);
	}
	run(fixture, 10);
	for (size_t i = 0; i < ELEMENTSOF(idle); i++)
		connected += !is_cut_off(idle[i]);
	assert_true(connected >= READERS);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	ask(fd, "{\"method\":\"io.espoffload.Pause\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->paused, 1);
	close(fd);
	for (size_t i = 0; i < ELEMENTSOF(idle); i++)
		close(idle[i]);
}

/* The reserve holds for any number of users. */
static void test_reserved_for_root(void **state)
{
	struct fixture *fixture = *state;
	int fds[4], fd;

	if (geteuid() != 0)
		skip();
	fixture->settings.clients_max = ELEMENTSOF(fds);
	fixture->settings.clients_root = 1;
	start(fixture);
	for (size_t i = 0; i < ELEMENTSOF(fds) - 1; i++) {
		fds[i] = dial_as(fixture, (uid_t)(1000 + i));
		ask(fds[i], "{\"method\":\"io.espoffload.Echo\"}");
		expect(fixture, fds[i], "{\"parameters\":{}}");
	}
	expect_hangup(fixture, dial_as(fixture, 2000));
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fd, "{\"parameters\":{}}");
	/* All are taken now. */
	expect_hangup(fixture, dial(fixture));
	/* Root's connections do not count as those of others when one of the others is closed. */
	close(fds[0]);
	run(fixture, 3);
	fds[0] = dial_as(fixture, 2000);
	ask(fds[0], "{\"method\":\"io.espoffload.Echo\"}");
	expect(fixture, fds[0], "{\"parameters\":{}}");
	close(fd);
	for (size_t i = 0; i < ELEMENTSOF(fds) - 1; i++)
		close(fds[i]);
}

/* A reader with an unread reply that is larger than the limit for all unread replies. */
static int dial_slow(struct fixture *fixture, uid_t uid)
{
	int fd;

	fixture->large = 2u * 1024u * 1024u;
	fixture->settings.pending_max = 512u * 1024u;
	start(fixture);
	fd = dial_as(fixture, uid);
	ask(fd, "{\"method\":\"io.espoffload.GetLarge\"}");
	run(fixture, 10);
	return fd;
}

static void test_root_does_not_wait_for_readers(void **state)
{
	struct fixture *fixture = *state;
	int slow, root, reader;
	char byte;

	if (geteuid() != 0)
		skip();
	slow = dial_slow(fixture, 1000);
	root = dial(fixture);
	reader = dial_as(fixture, 1001);
	ask(reader, "{\"method\":\"io.espoffload.Echo\"}");
	ask(root, "{\"method\":\"io.espoffload.Echo\"}");
	run(fixture, 10);
	assert_int_equal(recv(root, &byte, 1, MSG_PEEK), 1);
	expect(fixture, root, "{\"parameters\":{}}");
	/* The other reader waits. */
	assert_int_equal(recv(reader, &byte, 1, 0), -1);
	assert_int_equal(errno, EAGAIN);
	close(slow);
	expect(fixture, reader, "{\"parameters\":{}}");
	close(root);
	close(reader);
}

static void test_changes_do_not_wait(void **state)
{
	struct fixture *fixture = *state;
	int slow, other;

	if (geteuid() != 0)
		skip();
	slow = dial_slow(fixture, 0);
	other = dial(fixture);
	ask(other, "{\"method\":\"io.espoffload.Pause\"}");
	run(fixture, 10);
	assert_int_equal(fixture->paused, 1);
	expect(fixture, other, "{\"parameters\":{}}");
	close(slow);
	close(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_large_reply),
		TEST(test_slow_reader),
		TEST(test_trickling_reader),
		TEST(test_too_many_of_one_user),
		TEST(test_idle),
		TEST(test_too_many),
		TEST(test_root_gets_in),
		TEST(test_reserved_for_root),
		TEST(test_root_does_not_wait_for_readers),
		TEST(test_changes_do_not_wait),
	};

	return cmocka_run_group_tests_name("control-limits", tests, NULL, NULL);
}
