// SPDX-License-Identifier: GPL-2.0-or-later
/* Lists that are made in slices: their replies, their priority, and clients that do not read. */
#include "control-fixture.h"

#define LIST "{\"method\":\"io.espoffload.List\"}"
#define LIST_MORE "{\"method\":\"io.espoffload.List\",\"more\":true}"
#define ECHO "{\"method\":\"io.espoffload.Echo\"}"
/* More than a socket buffer holds. */
#define LARGE_ROW ((size_t)1024 * 1024)

static void test_replies(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	fixture->rows = 5;
	ask(fd, LIST_MORE);
	ask(fd, ECHO);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1],\"total\":2},\"continues\":true}");
	expect(fixture, fd, "{\"parameters\":{\"rows\":[2,3],\"total\":4},\"continues\":true}");
	expect(fixture, fd, "{\"parameters\":{\"rows\":[4],\"total\":5}}");
	expect(fixture, fd, "{\"parameters\":{}}");
	ask(fd, LIST);
	ask(fd, ECHO);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1,2,3,4],\"total\":5}}");
	expect(fixture, fd, "{\"parameters\":{}}");
	fixture->rows = 0;
	ask(fd, LIST_MORE);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[],\"total\":0}}");
	ask(fd, LIST);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[],\"total\":0}}");
	assert_int_equal(fixture->lists, 0);
	close(fd);
}

/* Slices without rows: there is no reply until a slice has rows. */
static void test_empty_slices(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	fixture->empty = 3;
	fixture->rows = 3;
	ask(fd, LIST_MORE);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1],\"total\":2},\"continues\":true}");
	expect(fixture, fd, "{\"parameters\":{\"rows\":[2],\"total\":3}}");
	ask(fd, LIST);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1,2],\"total\":3}}");
	assert_int_equal(fixture->slices, 2 * (3 + 2));
	close(fd);
}

static void test_rows_alone(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	fixture->alone = true;
	fixture->rows = 3;
	ask(fd, LIST);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1,2]}}");
	ask(fd, LIST_MORE);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1]},\"continues\":true}");
	expect(fixture, fd, "{\"parameters\":{\"rows\":[2]}}");
	close(fd);
}

static void test_oneway(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	fixture->rows = 5;
	ask(fd, "{\"method\":\"io.espoffload.List\",\"oneway\":true}");
	ask(fd, ECHO);
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->slices, 0);
	close(fd);
}

static void test_errors(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.List\",\"more\":true,\"parameters\":{\"fail\":1}}");
	expect(fixture, fd,
	       "{\"error\":\"io.systemd.System\",\"parameters\":{\"origin\":\"linux\","
	       "\"errno\":19,\"message\":\"No such device\"}}");
	ask(fd, "{\"method\":\"io.espoffload.List\",\"more\":true,\"parameters\":{\"refuse\":1}}");
	expect(fixture, fd,
	       "{\"error\":\"io.espoffload.InvalidValue\",\"parameters\":{\"parameter\":"
	       "\"refuse\"}}");
	/* Between two replies there is room for an error. */
	fixture->rows = 5;
	fixture->fails_at = 2;
	ask(fd, LIST_MORE);
	ask(fd, ECHO);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1],\"total\":2},\"continues\":true}");
	expect(fixture, fd,
	       "{\"error\":\"io.systemd.System\",\"parameters\":{\"origin\":\"linux\","
	       "\"errno\":5,\"message\":\"Input/output error\"}}");
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->lists, 0);
	/* Inside a reply there is none. */
	ask(fd, LIST);
	expect_hangup(fixture, fd);
	assert_int_equal(fixture->lists, 0);
	run(fixture, 3);
	assert_int_equal(count_descriptors(), fixture->descriptors);
}

/* A request of another client waits for one slice at most. */
static void test_others_go_first(void **state)
{
	struct fixture *fixture = *state;
	int reader, other;

	start(fixture);
	reader = dial(fixture);
	other = dial(fixture);
	fixture->rows = 1000;
	ask(reader, LIST);
	while (fixture->slices < 5)
		turn(fixture);
	for (unsigned i = 0; i < 20; i++) {
		size_t before = fixture->slices;

		ask(other, ECHO);
		expect(fixture, other, "{\"parameters\":{}}");
		assert_true(fixture->slices <= before + 1);
		run(fixture, 2);
	}
	assert_int_equal(fixture->lists, 1); /* it is not finished yet */
	close(reader);
	close(other);
}

static int on_busy(sd_event_source *source, void *userdata)
{
	(void)source;
	++*(unsigned *)userdata;
	return 0;
}

/* Moves have the lowest priority of the other work, and still run before slices. */
static void test_moves_go_first(void **state)
{
	struct fixture *fixture = *state;
	sd_event_source *busy = NULL;
	unsigned moves = 0;
	int fd;

	start(fixture);
	fd = dial(fixture);
	fixture->rows = 5;
	assert_true(sd_event_add_defer(fixture->event, &busy, on_busy, &moves) >= 0);
	assert_true(sd_event_source_set_priority(busy, SD_EVENT_PRIORITY_IDLE) >= 0);
	assert_true(sd_event_source_set_enabled(busy, SD_EVENT_ON) >= 0);
	ask(fd, LIST_MORE);
	run(fixture, 50);
	assert_true(moves > 40);
	assert_int_equal(fixture->slices, 0);
	assert_true(sd_event_source_set_enabled(busy, SD_EVENT_OFF) >= 0);
	expect(fixture, fd, "{\"parameters\":{\"rows\":[0,1],\"total\":2},\"continues\":true}");
	sd_event_source_unref(busy);
	close(fd);
}

/* Readers get their slices in turn. */
static void test_readers_take_turns(void **state)
{
	struct fixture *fixture = *state;
	int fds[3];
	char byte;

	start(fixture);
	fixture->rows = 1000;
	for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
		fds[i] = dial(fixture);
		ask(fds[i], LIST_MORE);
	}
	while (fixture->slices < 2 * ELEMENTSOF(fds))
		turn(fixture);
	for (size_t i = 0; i < ELEMENTSOF(fds); i++) {
		assert_int_equal(recv(fds[i], &byte, 1, 0), 1);
		close(fds[i]);
	}
}

static void test_slow_reader(void **state)
{
	static const char *const requests[] = {LIST, LIST_MORE};
	struct fixture *fixture = *state;

	start(fixture);
	fixture->rows = 6;
	fixture->row_size = LARGE_ROW;
	for (size_t i = 0; i < ELEMENTSOF(requests); i++) {
		size_t rows = 0;
		int fd = dial(fixture);

		fixture->slices = 0;
		ask(fd, requests[i]);
		run(fixture, 50);
		/* The next slice is not made before this one is read. */
		assert_int_equal(fixture->slices, 1);
		while (rows < fixture->rows) {
			char *text = receive(fixture, fd);
			json_t *reply, *array;

			assert_non_null(text);
			reply = json_loads(text, 0, NULL);
			array = json_object_get(json_object_get(reply, "parameters"), "rows");
			for (size_t j = 0; j < json_array_size(array); j++)
				assert_int_equal(
					strtoul(json_string_value(json_array_get(array, j)), NULL,
						10),
					rows++);
			json_decref(reply);
			free(text);
		}
		assert_int_equal(fixture->slices, fixture->rows / ROWS_PER_SLICE);
		close(fd);
	}
}

/* The slices of fast readers do not end, and what a slow one has not read is sent all the same. */
static void test_slow_reader_beside_fast_ones(void **state)
{
	struct fixture *fixture = *state;
	char part[65536] = "x";
	ssize_t n = 0;
	int slow, fast;

	start(fixture);
	slow = dial(fixture);
	fast = dial(fixture);
	fixture->rows = SIZE_MAX;
	fixture->row_size = LARGE_ROW;
	ask(slow, LIST_MORE);
	while (fixture->slices == 0)
		turn(fixture);
	fixture->row_size = 0;
	ask(fast, LIST);
	while (fixture->slices < 10)
		turn(fixture);
	for (unsigned i = 0; i < TURNS_MAX / 10 && (n <= 0 || part[n - 1] != '\0'); i++) {
		(void)recv(fast, part, sizeof(part), 0);
		turn(fixture);
		n = recv(slow, part, sizeof(part), 0);
	}
	assert_true(n > 0 && part[n - 1] == '\0');
	close(slow);
	close(fast);
}

/* The client disconnects with a slice unread, or before the next one is made. */
static void test_hangup(void **state)
{
	static const size_t sizes[] = {0, LARGE_ROW};
	struct fixture *fixture = *state;

	start(fixture);
	fixture->rows = 100000;
	for (size_t i = 0; i < ELEMENTSOF(sizes); i++) {
		int fd = dial(fixture);
		size_t before;

		fixture->row_size = sizes[i];
		ask(fd, LIST_MORE);
		before = fixture->slices;
		while (fixture->slices == before)
			turn(fixture);
		assert_int_equal(fixture->lists, 1);
		close(fd);
		before = fixture->slices;
		run(fixture, 5);
		assert_int_equal(fixture->lists, 0);
		assert_true(fixture->slices <= before + 1);
		assert_int_equal(count_descriptors(), fixture->descriptors);
	}
}

/* The daemon ends. */
static void test_end(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	fixture->rows = 100000;
	ask(fd, LIST_MORE);
	while (fixture->slices == 0)
		turn(fixture);
	fixture->control = control_free(fixture->control);
	assert_int_equal(fixture->lists, 0);
	close(fd);
}

/* A request that waits for other readers is dropped, too. */
static void test_hangup_while_waiting(void **state)
{
	struct fixture *fixture = *state;
	int slow, waiting;

	fixture->large = 2 * LARGE_ROW;
	fixture->settings.pending_max = LARGE_ROW;
	start(fixture);
	slow = dial(fixture);
	ask(slow, "{\"method\":\"io.espoffload.GetLarge\"}");
	run(fixture, 10);
	waiting = dial(fixture);
	ask(waiting, ECHO);
	run(fixture, 10);
	close(waiting);
	run(fixture, 5);
	assert_int_equal(count_descriptors(), fixture->descriptors + 2);
	close(slow);
}

/* Each slice is read soon, but the whole list is not. */
static void test_trickling_reader(void **state)
{
	struct fixture *fixture = *state;
	unsigned turns = 0;
	char part[65536];
	int fd;

	fixture->rows = SIZE_MAX;
	fixture->row_size = LARGE_ROW / 8;
	fixture->settings.reply_usec = 300 * 1000;
	fixture->settings.reply_bytes_per_second = UINT64_C(1) << 40;
	start(fixture);
	fd = dial(fixture);
	ask(fd, LIST);
	while (!is_cut_off(fd) && turns++ < TURNS_MAX) {
		(void)recv(fd, part, sizeof(part), 0);
		turn(fixture);
	}
	assert_true(is_cut_off(fd));
	close(fd);
}

/* ---- A list that follows what happens ---- */

#define FOLLOW "{\"method\":\"io.espoffload.Follow\",\"more\":true}"

/* What happens: so many rows more. */
static void add_rows(struct fixture *fixture, size_t n)
{
	fixture->rows += n;
	control_wake(fixture->control);
}

static int follow(struct fixture *fixture)
{
	int fd = dial(fixture);

	ask(fd, FOLLOW);
	expect(fixture, fd, "{\"parameters\":{\"news\":[]},\"continues\":true}");
	return fd;
}

static void test_follow(void **state)
{
	struct fixture *fixture = *state;
	size_t slices;
	int fd;

	start(fixture);
	fd = follow(fixture);
	/* It is not asked again before something happens. */
	run(fixture, 5);
	slices = fixture->slices;
	run(fixture, 5);
	assert_int_equal(fixture->slices, slices);
	add_rows(fixture, 3);
	expect(fixture, fd, "{\"parameters\":{\"news\":[0,1]},\"continues\":true}");
	expect(fixture, fd, "{\"parameters\":{\"news\":[2]},\"continues\":true}");
	/* Of what nothing is to be shown nothing is sent. */
	control_wake(fixture->control);
	run(fixture, 5);
	assert_true(fixture->slices > slices);
	add_rows(fixture, 1);
	expect(fixture, fd, "{\"parameters\":{\"news\":[3]},\"continues\":true}");
	close(fd);
	run(fixture, 5);
	assert_int_equal(fixture->lists, 0);
	control_wake(fixture->control);
}

static void test_follow_needs_more(void **state)
{
	struct fixture *fixture = *state;
	int fd;

	start(fixture);
	fd = dial(fixture);
	ask(fd, "{\"method\":\"io.espoffload.Follow\"}");
	expect(fixture, fd, "{\"error\":\"org.varlink.service.ExpectedMore\",\"parameters\":{}}");
	ask(fd, ECHO);
	expect(fixture, fd, "{\"parameters\":{}}");
	assert_int_equal(fixture->slices, 0);
	close(fd);
}

static void expect_large(struct fixture *fixture, int fd)
{
	char *text = receive(fixture, fd);

	assert_non_null(text);
	assert_true(strlen(text) > LARGE_ROW);
	free(text);
}

/* A slice is not made before the client has read the one before, but nothing is forgotten. */
static void test_follow_while_writing(void **state)
{
	struct fixture *fixture = *state;
	size_t slices;
	int fd;

	start(fixture);
	fixture->row_size = LARGE_ROW;
	fd = follow(fixture);
	add_rows(fixture, 1);
	run(fixture, 10);
	slices = fixture->slices;
	for (unsigned i = 0; i < 3; i++) {
		add_rows(fixture, 1);
		run(fixture, 10);
	}
	assert_int_equal(fixture->slices, slices);
	for (unsigned rows = 0; rows < fixture->rows; rows += rows ? ROWS_PER_SLICE : 1)
		expect_large(fixture, fd);
	close(fd);
}

/* It may wait for ever, but must read what it gets. */
static void test_follow_deadline(void **state)
{
	struct fixture *fixture = *state;
	int follower, idle, slow;

	/* Long enough to read one row on any machine. */
	fixture->settings.idle_usec = 2000 * 1000;
	start(fixture);
	fixture->row_size = LARGE_ROW;
	follower = follow(fixture);
	add_rows(fixture, 1);
	run(fixture, 10);
	control_wake(fixture->control); /* while it reads, and then there is nothing */
	expect_large(fixture, follower);
	run(fixture, 3);
	control_wake(fixture->control);
	idle = dial(fixture);
	for (unsigned i = 0; i < TURNS_MAX && !is_cut_off(idle); i++)
		turn(fixture);
	assert_true(is_cut_off(idle));
	close(idle);
	run(fixture, 3);
	assert_false(is_cut_off(follower));
	slow = dial(fixture);
	ask(slow, FOLLOW);
	for (unsigned i = 0; i < TURNS_MAX && !is_cut_off(slow); i++)
		turn(fixture);
	assert_true(is_cut_off(slow));
	assert_false(is_cut_off(follower));
	close(slow);
	close(follower);
}

/* It may read more slowly than others, since it loses what it does not read in time. */
static void test_follow_patience(void **state)
{
	struct fixture *fixture = *state;
	int follower, other;

	fixture->settings.reply_usec = 1000;
	fixture->settings.reply_bytes_per_second = UINT64_C(1) << 40;
	fixture->large = LARGE_ROW;
	start(fixture);
	fixture->row_size = LARGE_ROW;
	follower = follow(fixture);
	add_rows(fixture, 1);
	run(fixture, 10);
	other = dial(fixture);
	ask(other, "{\"method\":\"io.espoffload.GetLarge\"}");
	for (unsigned i = 0; i < TURNS_MAX && !is_cut_off(other); i++)
		turn(fixture);
	assert_true(is_cut_off(other));
	run(fixture, 3);
	assert_false(is_cut_off(follower));
	expect_large(fixture, follower);
	close(other);
	close(follower);
}

/* When the daemon ends it gets the rest, and the last reply has an end. */
static void test_follow_end(void **state)
{
	struct fixture *fixture = *state;
	int fd, busy;

	start(fixture);
	fixture->row_size = LARGE_ROW;
	busy = follow(fixture);
	add_rows(fixture, 1);
	run(fixture, 10); /* it does not read: the daemon does not wait for it */
	fixture->row_size = 0;
	fixture->rows = 0;
	fd = follow(fixture);
	add_rows(fixture, 3);
	fixture->control = control_free(fixture->control);
	assert_int_equal(fixture->lists, 0);
	expect(fixture, fd, "{\"parameters\":{\"news\":[0,1]},\"continues\":true}");
	expect(fixture, fd, "{\"parameters\":{\"news\":[2]}}");
	expect_hangup(fixture, fd);
	close(busy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_replies),
		TEST(test_empty_slices),
		TEST(test_rows_alone),
		TEST(test_oneway),
		TEST(test_errors),
		TEST(test_others_go_first),
		TEST(test_moves_go_first),
		TEST(test_readers_take_turns),
		TEST(test_slow_reader),
		TEST(test_slow_reader_beside_fast_ones),
		TEST(test_hangup),
		TEST(test_end),
		TEST(test_hangup_while_waiting),
		TEST(test_trickling_reader),
		TEST(test_follow),
		TEST(test_follow_needs_more),
		TEST(test_follow_while_writing),
		TEST(test_follow_deadline),
		TEST(test_follow_patience),
		TEST(test_follow_end),
	};

	return cmocka_run_group_tests_name("control-stream", tests, NULL, NULL);
}
