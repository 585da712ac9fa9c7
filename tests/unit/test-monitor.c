// SPDX-License-Identifier: GPL-2.0-or-later
/* Events as they happen: their log, the method Monitor, and its clients. */
#include "control-fixture.h"
#include "control/methods.h"
#include "message-id.h"
#include "report/event-log.h"

#include <string.h>
#include <syslog.h>

#define MONITOR "{\"method\":\"io.espoffload.Monitor\",\"more\":true}"
#define READY "{\"parameters\":{\"events\":[]},\"continues\":true}"

static bool no_memory; /* for events */
static unsigned mallocs;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	mallocs++;
	return no_memory ? NULL : __real_malloc(size);
}

struct world {
	struct fixture *fixture;
	double now; /* s, monotonic */
	struct clock clock;
	FILE *output;
	char *text; /* what the journal got */
	size_t length;
	struct journal *journal;
	struct event_log *log;
	struct methods methods;
	struct control *control;
};

static double monotonic(void *userdata)
{
	return ((const struct world *)userdata)->now;
}

static double precise(void *userdata)
{
	return 1796000000.123456 + ((const struct world *)userdata)->now;
}

static void wake(void *userdata)
{
	struct world *world = userdata;

	if (world->control)
		control_wake(world->control);
}

static int open_world(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	void *fixture;

	assert_int_equal(setup(&fixture), 0);
	world->fixture = fixture;
	world->clock =
		(struct clock){.monotonic = monotonic, .precise = precise, .userdata = world};
	world->output = open_memstream(&world->text, &world->length);
	assert_int_equal(journal_new(&world->clock, world->output, LOG_INFO, &world->journal), 0);
	assert_int_equal(event_log_new(world->journal, &world->clock, &world->log), 0);
	event_log_on_event(world->log, wake, world);
	world->methods.events = world->log;
	*state = world;
	return 0;
}

static int close_world(void **state)
{
	struct world *world = *state;
	void *fixture = world->fixture;

	control_free(world->control);
	event_log_free(world->log);
	journal_free(world->journal);
	assert_int_equal(fclose(world->output), 0);
	free(world->text);
	assert_int_equal(teardown(&fixture), 0);
	free(world);
	return 0;
}

/* The number of lines that the journal got. */
static unsigned count_lines(struct world *world)
{
	unsigned n = 0;

	assert_int_equal(fflush(world->output), 0);
	for (const char *text = world->text; *text; text++)
		n += *text == '\n';
	return n;
}

static void promote(struct world *world, unsigned spi)
{
	char text[16];
	const struct journal_event event = {
		.kind = JOURNAL_PROMOTED,
		.spi = text,
		.source = "192.0.2.1",
		.destination = "198.51.100.7",
		.direction = "out",
		.nic = "eth0",
		.action = "promoted",
		.from = "software",
		.to = "eth0",
		.rate_known = true,
		.rate = 125000,
		.text = "it is hot",
	};

	(void)snprintf(text, sizeof(text), "0x%08x", spi);
	journal_event(world->journal, &event, "promoted SA %s", text);
}

static void degrade(struct world *world)
{
	const struct journal_event event = {.kind = JOURNAL_DEGRADED, .reason = "owed"};

	journal_event(world->journal, &event, "Degraded: an SA could not be put back yet");
}

/* ---- The log ---- */

static struct event_reader *read_log(struct world *world)
{
	struct event_reader *reader;

	assert_int_equal(event_reader_new(world->log, &reader), 0);
	return reader;
}

static void assert_field(const struct logged_event *event, const char *name, const char *expected)
{
	const char *value = NULL;
	size_t size;

	assert_non_null(event);
	assert_true(logged_event_field((void *)event, name, &value, &size));
	assert_int_equal(size, strlen(expected));
	assert_memory_equal(value, expected, size);
}

/* It has what the journal has, from the time on at which it begins to read. */
static void test_log(void **state)
{
	struct world *world = *state;
	struct event_reader *first, *second;
	const struct logged_event *event;
	const char *value;
	uint64_t lost = 7;
	size_t size;

	promote(world, 1);
	first = read_log(world);
	promote(world, 2);
	second = read_log(world);
	journal_log(world->journal, LOG_INFO, "of no kind");
	world->now = 5;
	degrade(world);
	assert_int_equal(count_lines(world), 4);
	event = event_reader_next(first, &lost);
	assert_field(event, "MESSAGE", "promoted SA 0x00000002");
	assert_field(event, "ESPOFFLOAD_SPI", "0x00000002");
	assert_field(event, "ESPOFFLOAD_RATE", "125000");
	assert_false(logged_event_field((void *)event, "ESPOFFLOAD_RA", &value, &size));
	assert_false(logged_event_field((void *)event, "ESPOFFLOAD_REASON", &value, &size));
	assert_int_equal(lost, 0);
	event = event_reader_next(first, &lost);
	assert_field(event, "MESSAGE_ID", MESSAGE_ID_DEGRADED);
	assert_true(event->time == precise(world));
	assert_null(event_reader_next(first, &lost));
	assert_field(event_reader_next(second, &lost), "MESSAGE_ID", MESSAGE_ID_DEGRADED);
	assert_null(event_reader_next(second, &lost));
	event_reader_free(first);
	promote(world, 3);
	assert_field(event_reader_next(second, &lost), "ESPOFFLOAD_SPI", "0x00000003");
	event_reader_free(second);
	/* Without readers nothing is kept. */
	mallocs = 0;
	promote(world, 4);
	assert_int_equal(mallocs, 0);
	first = read_log(world);
	assert_null(event_reader_next(first, &lost));
	event_reader_free(first);
}

/* What exceeds the budget of the journal is told, and not what it suppressed before. */
static void test_suppressed(void **state)
{
	struct world *world = *state;
	struct event_reader *reader = read_log(world);
	const char *value;
	uint64_t lost;
	size_t size;

	for (unsigned i = 0; i < 250; i++)
		promote(world, i);
	assert_int_equal(count_lines(world), 200);
	world->now += JOURNAL_WINDOW;
	promote(world, 250);
	journal_flush(world->journal);
	assert_int_equal(count_lines(world), 201);
	assert_non_null(strstr(world->text, "promoted SA 0x000000fa (50 similar suppressed)\n"));
	for (unsigned i = 0; i <= 250; i++) {
		char message[64];
		const struct logged_event *event = event_reader_next(reader, &lost);

		(void)snprintf(message, sizeof(message), "promoted SA 0x%08x", i);
		assert_field(event, "MESSAGE", message);
		assert_false(
			logged_event_field((void *)event, "ESPOFFLOAD_SUPPRESSED", &value, &size));
	}
	assert_null(event_reader_next(reader, &lost));
	event_reader_free(reader);
}

/* A reader that does not read loses the oldest. */
static void test_lost(void **state)
{
	struct world *world = *state;
	struct event_reader *reader = read_log(world), *other;
	uint64_t lost;

	for (unsigned i = 0; i < EVENTS_MAX + 10; i++) {
		promote(world, i);
		if (i == 4)
			assert_field(event_reader_next(reader, &lost), "ESPOFFLOAD_SPI",
				     "0x00000000");
	}
	other = read_log(world);
	assert_field(event_reader_next(reader, &lost), "ESPOFFLOAD_SPI", "0x0000000a");
	assert_int_equal(lost, 9);
	assert_field(event_reader_next(reader, &lost), "ESPOFFLOAD_SPI", "0x0000000b");
	assert_int_equal(lost, 0);
	assert_null(event_reader_next(other, &lost));
	event_reader_free(reader);
	event_reader_free(other);
}

/* Large events are fewer. */
static void test_bytes(void **state)
{
	static char message[JOURNAL_MESSAGE_MAX];
	const struct journal_event event = {.kind = JOURNAL_CONFIGURATION_REJECTED};
	struct world *world = *state;
	struct event_reader *reader = read_log(world);
	const struct logged_event *read;
	size_t bytes = 0, n = 0;
	uint64_t lost;

	memset(message, 'x', sizeof(message) - 1);
	for (unsigned i = 0; i < 100; i++)
		journal_event(world->journal, &event, "%s", message);
	for (; (read = event_reader_next(reader, &lost)) != NULL; n++) {
		assert_int_equal(lost, n == 0 ? 100 - EVENTS_BYTES_MAX / read->size : 0);
		bytes += read->size;
	}
	assert_true(bytes <= EVENTS_BYTES_MAX);
	assert_true(bytes > EVENTS_BYTES_MAX - 2 * sizeof(message));
	/* Their bytes are free again. */
	for (unsigned i = 0; i < 2 * EVENTS_MAX; i++)
		promote(world, i);
	assert_non_null(event_reader_next(reader, &lost));
	assert_int_equal(lost, EVENTS_MAX);
	event_reader_free(reader);
}

/* An event for which there is no memory is lost, and no other. */
static void test_no_memory(void **state)
{
	struct world *world = *state;
	struct event_reader *reader = read_log(world);
	uint64_t lost;

	promote(world, 1);
	(void)fflush(world->output);
	no_memory = true;
	promote(world, 2);
	no_memory = false;
	assert_field(event_reader_next(reader, &lost), "ESPOFFLOAD_SPI", "0x00000001");
	assert_int_equal(lost, 0);
	assert_null(event_reader_next(reader, &lost));
	promote(world, 3);
	assert_field(event_reader_next(reader, &lost), "ESPOFFLOAD_SPI", "0x00000003");
	assert_int_equal(lost, 1);
	for (unsigned i = 0; i < EVENTS_MAX; i++)
		promote(world, i);
	event_reader_free(reader);
}

static void test_readers(void **state)
{
	struct event_reader *readers[EVENT_READERS_MAX], *other;
	struct world *world = *state;

	for (unsigned i = 0; i < EVENT_READERS_MAX; i++)
		readers[i] = read_log(world);
	assert_int_equal(event_reader_new(world->log, &other), -EUSERS);
	event_reader_free(readers[3]);
	readers[3] = read_log(world);
	for (unsigned i = 0; i < EVENT_READERS_MAX; i++)
		event_reader_free(readers[i]);
}

/* ---- The method ---- */

static void *begin(struct world *world, const char *parameters, const char *expected_error)
{
	json_auto_t *request = json_loads(parameters, 0, NULL);
	json_auto_t *reply = NULL;
	const char *error = NULL;
	void *list = NULL;

	assert_non_null(request);
	assert_int_equal(list_of_events.begin(request, &world->methods, &list, &reply, &error), 0);
	assert_int_equal(error != NULL, expected_error != NULL);
	if (error)
		assert_string_equal(error, expected_error);
	assert_int_equal(list == NULL, error != NULL);
	return list;
}

/* All that there is now. */
static json_t *take(void *list)
{
	json_t *rows = json_array();

	while (list_of_events.next(list, rows) > 0)
		continue;
	return rows;
}

/* Each kind has a word of its own for what happened, that fits into its column. */
static void test_kinds(void **state)
{
	struct world *world = *state;
	void *list = begin(world, "{}", NULL);
	json_auto_t *rows = NULL;
	const json_t *row;
	size_t i;

	for (enum journal_kind kind = JOURNAL_PLAIN; kind < _JOURNAL_KIND_MAX; kind++) {
		const struct journal_event event = {.kind = kind};

		journal_event(world->journal, &event, "of the kind %d", kind);
	}
	rows = take(list);
	assert_int_equal(json_array_size(rows), _JOURNAL_KIND_MAX - 1);
	json_array_foreach(rows, i, row) {
		const char *action = json_string_value(json_object_get(row, "action"));
		const char *text = json_string_value(json_object_get(row, "text"));

		if (strcmp(action, "?") == 0)
			fail_msg("name the kind %zu in event-entry.c", i + 1);
		assert_in_range(strlen(action), 1, 13);
		assert_int_equal(strtoul(text + strlen("of the kind "), NULL, 10), i + 1);
	}
	list_of_events.free(list);
}

/* Of an order its message says more than its target. */
static void test_orders(void **state)
{
	const struct journal_event given = {
		.kind = JOURNAL_SA_ORDER, .action = "pin", .text = "192.0.2.1"};
	struct world *world = *state;
	void *list = begin(world, "{}", NULL);
	json_auto_t *rows = NULL;
	const json_t *row;

	journal_event(world->journal, &given, "pinned to a NIC: 192.0.2.1, for 2 h");
	rows = take(list);
	row = json_array_get(rows, 0);
	assert_string_equal(json_string_value(json_object_get(row, "action")), "pin");
	assert_string_equal(json_string_value(json_object_get(row, "text")),
			    "pinned to a NIC: 192.0.2.1, for 2 h");
	list_of_events.free(list);
}

static void test_filter(void **state)
{
	static const struct {
		const char *parameters;
		size_t n; /* of three SAs and a condition */
	} cases[] = {
		{"{}", 4},
		{"{\"spi\":null,\"peer\":null}", 4},
		{"{\"spi\":\"0x102\"}", 1},
		{"{\"spi\":\"258\"}", 1},
		{"{\"spi\":\"0x104\"}", 0},
		{"{\"peer\":\"198.51.100.0/24\"}", 3},
		{"{\"peer\":\"192.0.2.1\"}", 0},
		{"{\"spi\":\"0x102\",\"peer\":\"198.51.100.7\"}", 1},
		{"{\"spi\":\"0x102\",\"peer\":\"198.51.100.8\"}", 0},
	};
	struct world *world = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		void *list = begin(world, cases[i].parameters, NULL);
		json_auto_t *rows = NULL;

		for (unsigned spi = 0x101; spi <= 0x103; spi++)
			promote(world, spi);
		degrade(world);
		rows = take(list);
		assert_int_equal(json_array_size(rows), cases[i].n);
		list_of_events.free(list);
	}
	begin(world, "{\"spi\":\"x\"}", "org.varlink.service.InvalidParameter");
	begin(world, "{\"peer\":\"x\"}", "InvalidValue");
}

/* ---- Clients ---- */

static void serve(struct world *world)
{
	struct fixture *fixture = world->fixture;

	fixture->settings.clients_max = EVENT_READERS_MAX + 2;
	fixture->settings.clients_root = 0;
	fixture->settings.clients_per_user_max = fixture->settings.clients_max;
	assert_int_equal(control_new_with(fixture->event, fixture->path, methods_table,
					  methods_count, &world->methods, &fixture->settings,
					  &world->control),
			 0);
}

static int monitor(struct world *world)
{
	int fd = dial(world->fixture);

	ask(fd, MONITOR);
	expect(world->fixture, fd, READY);
	return fd;
}

static void test_client(void **state)
{
	struct world *world = *state;
	int fd;

	serve(world);
	fd = monitor(world);
	promote(world, 0x101);
	expect(world->fixture, fd,
	       "{\"parameters\":{\"events\":[{\"time\":1796000000.123456,\"action\":\"promoted\","
	       "\"spi\":\"0x00000101\",\"src\":\"192.0.2.1\",\"dst\":\"198.51.100.7\","
	       "\"direction\":\"out\",\"nic\":\"eth0\",\"from\":\"software\",\"to\":\"eth0\","
	       "\"reason\":null,\"driverText\":null,\"rule\":null,\"bytesPerSecond\":125000,"
	       "\"otherBytesPerSecond\":null,\"errno\":null,\"suppressed\":null,"
	       "\"text\":\"it is hot\"}]},\"continues\":true}");
	close(fd);
	run(world->fixture, 5);
	promote(world, 0x102);
	run(world->fixture, 5);
}

/* Adds what a reply has. Returns whether another one follows. */
static bool count_events(struct world *world, int fd, uint64_t *events, uint64_t *lost)
{
	_cleanup_free_ char *text = receive(world->fixture, fd);
	json_auto_t *reply = text ? json_loads(text, 0, NULL) : NULL;
	const json_t *row;
	size_t i;

	assert_non_null(reply);
	json_array_foreach(json_object_get(json_object_get(reply, "parameters"), "events"), i,
			   row) {
		json_int_t number = json_integer_value(json_object_get(row, "lost"));

		*lost += (uint64_t)number;
		*events += number == 0;
		assert_string_equal(json_string_value(json_object_get(row, "action")),
				    number ? "lost" : "promoted");
	}
	return json_is_true(json_object_get(reply, "continues"));
}

/* A client that does not read costs no memory and no time, and is told how many events it lost. One
 * that reads gets all. */
static void test_slow_client(void **state)
{
	static const unsigned all = 20 * EVENTS_MAX;
	struct world *world = *state;
	uint64_t slow_events = 0, slow_lost = 0, events = 0, lost = 0;
	int slow, fast;

	serve(world);
	slow = monitor(world);
	fast = monitor(world);
	for (unsigned i = 1; i <= all; i++) {
		promote(world, i);
		if (i % 100 == 0)
			while (events < i)
				(void)count_events(world, fast, &events, &lost);
	}
	while (events < all)
		(void)count_events(world, fast, &events, &lost);
	assert_int_equal(lost, 0);
	while (slow_events + slow_lost < all)
		(void)count_events(world, slow, &slow_events, &slow_lost);
	assert_int_equal(slow_events + slow_lost, all);
	assert_true(slow_lost > all / 2);
	/* The last are not lost. */
	assert_true(slow_events >= EVENTS_MAX);
	close(slow);
	close(fast);
}

static void test_too_many_clients(void **state)
{
	struct world *world = *state;
	int fds[EVENT_READERS_MAX], fd;

	serve(world);
	for (unsigned i = 0; i < EVENT_READERS_MAX; i++)
		fds[i] = monitor(world);
	fd = dial(world->fixture);
	ask(fd, MONITOR);
	expect(world->fixture, fd,
	       "{\"error\":\"io.espoffload.TooManyMonitors\",\"parameters\":{\"most\":64}}");
	/* One that hangs up makes room, for the same connection too. */
	close(fds[7]);
	run(world->fixture, 5);
	ask(fd, MONITOR);
	expect(world->fixture, fd, READY);
	fds[7] = fd;
	promote(world, 1);
	for (unsigned i = 0; i < EVENT_READERS_MAX; i++) {
		uint64_t events = 0, lost = 0;

		assert_true(count_events(world, fds[i], &events, &lost));
		assert_int_equal(events, 1);
		close(fds[i]);
	}
}

/* The last event of a daemon that ends reaches its clients. */
static void test_end(void **state)
{
	struct world *world = *state;
	uint64_t events = 0, lost = 0;
	int fd;

	serve(world);
	fd = monitor(world);
	for (unsigned i = 0; i < 100; i++)
		promote(world, i);
	world->control = control_free(world->control);
	while (count_events(world, fd, &events, &lost))
		continue;
	assert_int_equal(events, 100);
	expect_hangup(world->fixture, fd);
}

#define MONITOR_TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MONITOR_TEST(test_log),         MONITOR_TEST(test_suppressed),
		MONITOR_TEST(test_lost),        MONITOR_TEST(test_bytes),
		MONITOR_TEST(test_no_memory),   MONITOR_TEST(test_readers),
		MONITOR_TEST(test_kinds),       MONITOR_TEST(test_orders),
		MONITOR_TEST(test_filter),      MONITOR_TEST(test_client),
		MONITOR_TEST(test_slow_client), MONITOR_TEST(test_too_many_clients),
		MONITOR_TEST(test_end),
	};

	return cmocka_run_group_tests_name("monitor", tests, NULL, NULL);
}
