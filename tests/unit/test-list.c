// SPDX-License-Identifier: GPL-2.0-or-later
/* ListSAs: order, limit and offset, filters. */
#include "manager-bench.h"

#include <arpa/inet.h>

#define SAS 300u
#define BUSY 20u
#define SLOTS 4u /* the capacity in manager-bench.h */

/* The kernel's order of the SAs is independent of their SPIs and their rates. */
static uint32_t spi_of(unsigned i)
{
	return 0x1000 + i * 7 % SAS;
}

static void open_with_sas(struct bench *b)
{
	struct fake_belief *busy[BUSY];

	open_bench(b);
	for (unsigned i = 0; i < SAS; i++) {
		struct fake_belief *belief =
			add(b, (struct fake_sa_spec){.spi = spi_of(i), .peer = i + 1});

		if (i % (SAS / BUSY) == 0)
			busy[i / (SAS / BUSY)] = belief;
	}
	for (unsigned i = 0; i < 10; i++) {
		for (unsigned j = 0; j < BUSY; j++)
			(void)fake_kernel_send(b->fake, busy[j], 1 + j * 7 % BUSY, 1000);
		pass(b, 0.1);
	}
}

static struct methods methods;

static void *begin(struct bench *b, const char *parameters)
{
	json_t *request = json_loads(parameters, 0, NULL), *reply = NULL;
	const char *error = NULL;
	void *list = NULL;

	assert_non_null(request);
	methods.manager = b->manager;
	assert_int_equal(list_of_sas.begin(request, &methods, &list, &reply, &error), 0);
	assert_null(error);
	json_decref(request);
	return list;
}

static size_t offset_of_rows; /* of the last reply */

static size_t total_of(void *list)
{
	json_t *rest = list_of_sas.rest(list);
	size_t total = (size_t)json_integer_value(json_object_get(rest, "total"));

	offset_of_rows = (size_t)json_integer_value(json_object_get(rest, "offset"));
	json_decref(rest);
	return total;
}

/* Returns the rows of all slices, and their number before offset and limit. */
static json_t *list(struct bench *b, const char *parameters, size_t *ret_total)
{
	void *list = begin(b, parameters);
	json_t *rows = json_array();
	size_t before;
	int more;

	do {
		before = json_array_size(rows);
		more = list_of_sas.next(list, rows);
		assert_true(more >= 0);
		assert_true(json_array_size(rows) - before <= 64);
	} while (more);
	*ret_total = total_of(list);
	list_of_sas.free(list);
	snapshots_release(&methods.snapshots);
	assert_int_equal(methods.snapshots.bytes, 0);
	return rows;
}

static const char *text_of(const json_t *rows, size_t i, const char *key)
{
	return json_string_value(json_object_get(json_array_get(rows, i), key));
}

static double number_of(const json_t *rows, size_t i, const char *key)
{
	return json_number_value(json_object_get(json_array_get(rows, i), key));
}

static char *format(const char *text, ...) _printf_(1, 2);

static char *format(const char *text, ...)
{
	va_list arguments;
	char *result;

	va_start(arguments, text);
	if (vasprintf(&result, text, arguments) < 0)
		abort();
	va_end(arguments);
	return result;
}

static void check_rows(const json_t *all, size_t from, size_t n, const json_t *rows)
{
	assert_int_equal(json_array_size(rows), n);
	for (size_t i = 0; i < n; i++)
		assert_true(json_equal(json_array_get(rows, i), json_array_get(all, from + i)));
}

static void test_order(void **state)
{
	struct bench b;
	size_t total;
	json_t *all;

	(void)state;
	open_with_sas(&b);
	all = list(&b, "{}", &total);
	assert_int_equal(total, SAS);
	assert_int_equal(json_array_size(all), SAS);
	for (size_t i = 0; i < SAS; i++) {
		const json_t *row = json_array_get(all, i), *next = json_array_get(all, i + 1);
		double rate = json_number_value(json_object_get(row, "bytesPerSecond"));

		assert_int_equal(json_integer_value(json_object_get(row, "rank")), i + 1);
		assert_int_equal(rate > 0, i < BUSY);
		if (i + 1 < BUSY)
			assert_true(rate >
				    json_number_value(json_object_get(next, "bytesPerSecond")));
		else if (i >= BUSY && next)
			assert_true(strcmp(json_string_value(json_object_get(row, "spi")),
					   json_string_value(json_object_get(next, "spi"))) < 0);
		assert_null(json_object_get(row, "history"));
	}
	json_decref(all);
	close_bench(&b);
}

static void test_limit_and_offset(void **state)
{
	static const struct {
		const char *parameters;
		size_t from, n;
	} cases[] = {
		{"{\"limit\": 0}", 0, 0},
		{"{\"limit\": 5}", 0, 5},
		{"{\"limit\": 5, \"offset\": 0}", 0, 5},
		{"{\"limit\": 33, \"offset\": 7}", 7, 33},
		{"{\"offset\": 290}", 290, 10},
		{"{\"limit\": 20, \"offset\": 290}", 290, 10},
		{"{\"offset\": 300}", 0, 0},
		{"{\"limit\": 9223372036854775807, \"offset\": 9223372036854775807}", 0, 0},
		{"{\"limit\": 9223372036854775807, \"offset\": 1}", 1, 299},
		{"{\"limit\": null, \"offset\": null, \"filter\": null}", 0, 300},
	};
	struct bench b;
	size_t total;
	json_t *all;

	(void)state;
	open_with_sas(&b);
	all = list(&b, "{}", &total);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		json_t *rows = list(&b, cases[i].parameters, &total);

		assert_int_equal(total, SAS);
		check_rows(all, cases[i].from, cases[i].n, rows);
		json_decref(rows);
	}
	json_decref(all);
	close_bench(&b);
}

/* Any text of a row matches; limit and offset count those that match. */
static void test_filter(void **state)
{
	static const struct {
		const char *filter;
		size_t n;
	} cases[] = {
		{"0x0000110", 16},     {"0X0000110A", 1},
		{"ESP", SAS},          {"software", SAS - SLOTS},
		{"eth0", SAS},         {"nowhere", 0},
		{"out", SAS},          {"transport", 0},
		{"tunnel", SAS},       {"settled", SAS},
		{"bytesPerSecond", 0},
	};
	struct bench b;
	json_t *matching, *rows;
	size_t total;

	(void)state;
	open_with_sas(&b);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		char parameters[64];

		(void)snprintf(parameters, sizeof(parameters), "{\"filter\": \"%s\"}",
			       cases[i].filter);
		rows = list(&b, parameters, &total);
		if (total != cases[i].n || json_array_size(rows) != cases[i].n)
			fail_msg("%s: %zu", cases[i].filter, total);
		json_decref(rows);
	}
	matching = list(&b, "{\"filter\": \"0x0000110\"}", &total);
	rows = list(&b, "{\"filter\": \"0x0000110\", \"limit\": 4, \"offset\": 10}", &total);
	assert_int_equal(total, 16);
	check_rows(matching, 10, 4, rows);
	json_decref(rows);
	rows = list(&b, "{\"filter\": \"0x0000110\", \"limit\": 4, \"offset\": 14}", &total);
	assert_int_equal(total, 16);
	check_rows(matching, 14, 2, rows);
	json_decref(rows);
	json_decref(matching);
	close_bench(&b);
}

static void test_history(void **state)
{
	struct bench b;
	size_t total;
	json_t *rows;

	(void)state;
	open_with_sas(&b);
	rows = list(&b, "{\"history\": true, \"limit\": 1}", &total);
	assert_int_equal(json_array_size(json_object_get(json_array_get(rows, 0), "history")),
			 CONTROL_HISTORY_SAMPLES);
	json_decref(rows);
	close_bench(&b);
}

/* A filter that matches nothing gives many slices, none of which reads all SAs. */
static void test_filter_in_slices(void **state)
{
	json_t *rows = json_array();
	struct bench b;
	void *list;

	(void)state;
	open_with_sas(&b);
	list = begin(&b, "{\"filter\": \"nowhere\"}");
	assert_int_equal(list_of_sas.next(list, rows), 1);
	while (list_of_sas.next(list, rows) > 0)
		continue;
	assert_int_equal(json_array_size(rows), 0);
	assert_int_equal(total_of(list), 0);
	list_of_sas.free(list);
	snapshots_release(&methods.snapshots);
	json_decref(rows);
	close_bench(&b);
}

/* SAs that end during the list are skipped, new ones are not in it, and no other is missing. */
static void test_changes_meanwhile(void **state)
{
	json_t *rows = json_array();
	struct fake_belief *gone[2];
	struct bench b;
	void *list;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < 100; i++) {
		struct fake_belief *belief =
			add(&b, (struct fake_sa_spec){.spi = 0x1000 + i, .peer = i + 1});

		if (i == 0 || i == 99)
			gone[i / 99] = belief;
	}
	pass(&b, 0.3);
	list = begin(&b, "{}");
	assert_int_equal(list_of_sas.next(list, rows), 1);
	(void)fake_ike_delete(b.fake, gone[0]);
	(void)fake_ike_delete(b.fake, gone[1]);
	(void)add(&b, (struct fake_sa_spec){.spi = 0x10ff, .peer = 200});
	pass(&b, 0.3);
	assert_int_equal(b.manager->sas->n, 99);
	while (list_of_sas.next(list, rows) > 0)
		continue;
	assert_int_equal(json_array_size(rows), 99);
	for (unsigned i = 0; i < 99; i++) {
		char spi[16];

		(void)snprintf(spi, sizeof(spi), "0x%08x", 0x1000 + i);
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(rows, i), "spi")), spi);
	}
	list_of_sas.free(list);
	snapshots_release(&methods.snapshots);
	json_decref(rows);
	close_bench(&b);
}

/* Each reading of the clock takes a millisecond. */
static double slow_monotonic(void *userdata)
{
	struct bench *b = userdata;

	return b->now += 0.001;
}

/* Reads the rest. */
static void finish(void *list)
{
	json_t *rows = json_array();

	while (list_of_sas.next(list, rows) > 0)
		continue;
	json_decref(rows);
}

/* Many readers at once share a snapshot, and a later one gets a new one. */
static void test_shared_snapshot(void **state)
{
	void *lists[3];
	struct bench b;
	size_t one;

	(void)state;
	open_with_sas(&b);
	b.manager->environment.clock.monotonic = slow_monotonic;
	lists[0] = begin(&b, "{\"limit\": 1}");
	finish(lists[0]);
	one = methods.snapshots.bytes;
	lists[1] = begin(&b, "{\"limit\": 2}");
	finish(lists[1]);
	assert_int_equal(methods.snapshots.bytes, one);
	b.now += 1;
	lists[2] = begin(&b, "{\"limit\": 1}");
	finish(lists[2]);
	assert_int_equal(methods.snapshots.bytes, 2 * one);
	list_of_sas.free(lists[0]);
	assert_int_equal(methods.snapshots.bytes, 2 * one);
	list_of_sas.free(lists[1]);
	assert_int_equal(methods.snapshots.bytes, one);
	list_of_sas.free(lists[2]);
	snapshots_release(&methods.snapshots);
	assert_int_equal(methods.snapshots.bytes, 0);
	close_bench(&b);
}

/* One that is being made is shared too, but not if its reader left it unfinished. */
static void test_unfinished_snapshot(void **state)
{
	struct snapshots all = {};
	struct snapshot *one, *other;
	struct bench b;

	(void)state;
	open_with_sas(&b);
	assert_int_equal(snapshots_get(&all, b.manager, &one), 0);
	assert_true(snapshot_add_rows(one) > 0);
	b.now += 10;
	assert_int_equal(snapshots_get(&all, b.manager, &other), 0);
	assert_ptr_equal(one, other);
	(void)snapshot_unref(other);
	(void)snapshot_unref(one);
	assert_int_equal(snapshots_get(&all, b.manager, &other), 0);
	assert_int_equal(snapshot_size(other), 0);
	while (snapshot_add_rows(other) > 0)
		continue;
	assert_int_equal(snapshot_size(other), SAS);
	(void)snapshot_unref(other);
	snapshots_release(&all);
	close_bench(&b);
}

/* The table of SAs may grow while the snapshot is made. */
static void test_table_grows_meanwhile(void **state)
{
	json_t *rows = json_array();
	struct bench b;
	void *list;
	int more;

	(void)state;
	open_with_sas(&b);
	list = begin(&b, "{\"sort\": \"spi\"}");
	assert_true(snapshot_add_rows(methods.snapshots.newest) > 0);
	for (unsigned i = 0; i < 2 * SAS; i++)
		(void)add(&b, (struct fake_sa_spec){.spi = 0x2000 + i, .peer = i + 1});
	pass(&b, 0.3);
	do
		more = list_of_sas.next(list, rows);
	while (more > 0);
	assert_int_equal(json_array_size(rows), 3 * SAS);
	for (size_t i = 1; i < 3 * SAS; i++)
		assert_true(strcmp(text_of(rows, i - 1, "spi"), text_of(rows, i, "spi")) < 0);
	json_decref(rows);
	list_of_sas.free(list);
	snapshots_release(&methods.snapshots);
	close_bench(&b);
}

/* The number of snapshots for readers that began at different times is limited. */
static void test_snapshots_are_limited(void **state)
{
	struct snapshot *snapshots[8];
	struct snapshots all = {};
	struct bench b;
	size_t limit;

	(void)state;
	open_with_sas(&b);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(snapshots_get(&all, b.manager, &snapshots[i]), 0);
		while (snapshot_add_rows(snapshots[i]) > 0)
			continue;
	}
	assert_ptr_not_equal(snapshots[2], snapshots[3]);
	limit = all.bytes;
	all.bytes += 64u * 1024u * 1024u;
	for (unsigned i = 4; i < 8; i++) {
		assert_int_equal(snapshots_get(&all, b.manager, &snapshots[i]), 0);
		assert_ptr_equal(snapshots[i], snapshots[3]);
	}
	all.bytes -= 64u * 1024u * 1024u;
	assert_int_equal(all.bytes, limit);
	for (unsigned i = 0; i < 8; i++)
		(void)snapshot_unref(snapshots[i]);
	snapshots_release(&all);
	assert_int_equal(all.bytes, 0);
	close_bench(&b);
}

/* ---- Order and fields ---- */

/* SAs of both directions and families, of which some are in the NIC. */
static void open_mixed(struct bench *b)
{
	open_with_sas(b);
	for (unsigned i = 0; i < 40; i++)
		(void)add(b, (struct fake_sa_spec){.spi = 0x5000 + i,
						   .peer = 1000 + i,
						   .inbound = i % 2,
						   .family = i % 4 >= 2 ? AF_INET6 : AF_INET});
	pass(b, 1);
}

static int compare_texts(const json_t *rows, size_t i, const char *key)
{
	return strcmp(text_of(rows, i - 1, key), text_of(rows, i, key));
}

/* The address as 16 bytes, IPv4 before IPv6. */
static int compare_addresses(const char *a, const char *b)
{
	unsigned char bytes[2][17] = {};

	for (int i = 0; i < 2; i++) {
		const char *text = i ? b : a;

		bytes[i][0] = strchr(text, ':') != NULL;
		assert_int_equal(inet_pton(bytes[i][0] ? AF_INET6 : AF_INET, text, &bytes[i][1]),
				 1);
	}
	return memcmp(bytes[0], bytes[1], 17);
}

static const char *peer_of(const json_t *rows, size_t i)
{
	return text_of(rows, i, strcmp(text_of(rows, i, "direction"), "in") == 0 ? "src" : "dst");
}

static int order_of_placement(const json_t *rows, size_t i)
{
	if (strcmp(text_of(rows, i, "state"), "hands-off") == 0)
		return 2;
	return strcmp(text_of(rows, i, "placement"), "software") == 0;
}

/* The order of two neighbours. */
static int compare_rows(const json_t *rows, size_t i, const char *sort)
{
	if (strcmp(sort, "direction") == 0)
		return compare_texts(rows, i, "direction");
	if (strcmp(sort, "placement") == 0)
		return order_of_placement(rows, i - 1) - order_of_placement(rows, i);
	if (strcmp(sort, "nic") == 0) /* "nic" before "software" */
		return compare_texts(rows, i, "placement");
	if (strcmp(sort, "spi") == 0)
		return compare_texts(rows, i, "spi");
	if (strcmp(sort, "source") == 0)
		return compare_addresses(text_of(rows, i - 1, "src"), text_of(rows, i, "src"));
	if (strcmp(sort, "destination") == 0)
		return compare_addresses(text_of(rows, i - 1, "dst"), text_of(rows, i, "dst"));
	if (strcmp(sort, "peer") == 0)
		return compare_addresses(peer_of(rows, i - 1), peer_of(rows, i));
	return number_of(rows, i - 1, "rank") < number_of(rows, i, "rank") ? -1 : 1;
}

/* Each order, with equal rows by rank; reversed it is the same from the other end, and the part of
 * it that is asked for. */
static void test_sort(void **state)
{
	static const char *const sorts[] = {"rate",        "rank", "placement",
					    "direction",   "spi",  "source",
					    "destination", "peer", "nic"};
	struct bench b;
	json_t *rank;
	size_t total;

	(void)state;
	open_mixed(&b);
	rank = list(&b, "{}", &total);
	for (size_t i = 0; i < ELEMENTSOF(sorts); i++) {
		_cleanup_free_ char *all = format("{\"sort\": \"%s\"}", sorts[i]);
		_cleanup_free_ char *reverse =
			format("{\"sort\": \"%s\", \"reverse\": true}", sorts[i]);
		_cleanup_free_ char *part =
			format("{\"sort\": \"%s\", \"reverse\": true, \"offset\": 7, \"limit\": 9}",
			       sorts[i]);
		json_t *rows = list(&b, all, &total), *reversed = list(&b, reverse, &total),
		       *few = list(&b, part, &total);

		assert_int_equal(json_array_size(rows), SAS + 40);
		for (size_t j = 0; j < SAS + 40; j++) {
			int order = j ? compare_rows(rows, j, sorts[i]) : -1;

			if (order > 0 || (order == 0 && number_of(rows, j - 1, "rank") >=
								number_of(rows, j, "rank")))
				fail_msg("%s: row %zu", sorts[i], j);
			/* The rank does not depend on the order. */
			assert_string_equal(
				text_of(rank, (size_t)number_of(rows, j, "rank") - 1, "spi"),
				text_of(rows, j, "spi"));
			assert_string_equal(text_of(reversed, SAS + 39 - j, "spi"),
					    text_of(rows, j, "spi"));
		}
		check_rows(reversed, 7, 9, few);
		json_decref(rows);
		json_decref(reversed);
		json_decref(few);
	}
	json_decref(rank);
	close_bench(&b);
}

/* An SA whose rate is not known yet stands behind those that carry nothing. */
static void test_unknown_rate(void **state)
{
	struct bench b;
	size_t total;
	json_t *rows;

	(void)state;
	open_with_sas(&b);
	pass(&b, 1);
	/* By its identity it would be the first. */
	(void)add(&b, (struct fake_sa_spec){.spi = 0x100, .peer = 2000});
	while (manager_read_events(b.manager) > 0)
		continue;
	tracker_read_changed(b.manager->tracker);
	rows = list(&b, "{}", &total);
	assert_int_equal(total, SAS + 1);
	assert_string_equal(text_of(rows, SAS, "spi"), "0x00000100");
	assert_true(json_is_null(json_object_get(json_array_get(rows, SAS), "bytesPerSecond")));
	assert_true(number_of(rows, SAS - 1, "bytesPerSecond") >= 0);
	json_decref(rows);
	close_bench(&b);
}

/* Explain counts the rank. */
static void test_rank_of_one(void **state)
{
	struct bench b;
	size_t total;
	json_t *all;

	(void)state;
	open_mixed(&b);
	all = list(&b, "{}", &total);
	for (size_t i = 0; i < SAS + 40; i += i < BUSY ? 1 : 23) {
		json_t *sas = ask_explain(&b, text_of(all, i, "spi"));
		const json_t *sa = json_object_get(json_array_get(sas, 0), "sa");

		assert_int_equal(json_integer_value(json_object_get(sa, "rank")), i + 1);
		json_decref(sas);
	}
	json_decref(all);
	close_bench(&b);
}

/* Several SAs with one SPI: the hottest first. */
static void test_rank_of_several(void **state)
{
	json_t *sas, *all, *one;
	struct bench b;
	size_t total;

	(void)state;
	open_bench(&b);
	fake_kernel_config(b.fake)->spi_unique_per_protocol = false;
	for (unsigned i = 0; i < 30; i++) {
		struct fake_belief *belief =
			add(&b, (struct fake_sa_spec){.spi = 0x1000 + (i % 5 == 0), .peer = i + 1});

		for (unsigned j = 0; j < 10; j++)
			(void)fake_kernel_send(b.fake, belief, i * 11 % 30, 1000);
	}
	pass(&b, 1);
	for (unsigned i = 0; i < 3; i++) {
		all = list(&b, "{}", &total);
		json_decref(all);
		pass(&b, 1);
	}
	all = list(&b, "{\"filter\": \"0x00001001\"}", &total);
	sas = ask_explain(&b, "4097");
	assert_int_equal(json_array_size(sas), 6);
	for (size_t i = 0; i < 6; i++) {
		const json_t *sa = json_object_get(json_array_get(sas, i), "sa");

		assert_int_equal(json_integer_value(json_object_get(sa, "rank")),
				 number_of(all, i, "rank"));
		assert_string_equal(json_string_value(json_object_get(sa, "dst")),
				    text_of(all, i, "dst"));
	}
	one = ask_list(&b, &list_of_explanations,
		       json_pack("{s:s, s:s}", "spi", "4097", "dst", text_of(all, 4, "dst")), NULL);
	assert_int_equal(json_array_size(json_object_get(one, "sas")), 1);
	assert_true(
		json_equal(json_array_get(json_object_get(one, "sas"), 0), json_array_get(sas, 4)));
	json_decref(one);
	json_decref(all);
	json_decref(sas);
	close_bench(&b);
}

static bool is_settled_in(const json_t *rows, size_t i, const char *placement)
{
	return strcmp(text_of(rows, i, "placement"), placement) == 0;
}

/* A field, alone and with others. */
static void test_fields(void **state)
{
	struct bench b;
	json_t *rows, *all;
	size_t total, n = 0;

	(void)state;
	open_mixed(&b);
	all = list(&b, "{}", &total);
	for (size_t i = 0; i < SAS + 40; i++)
		n += is_settled_in(all, i, "nic");
	assert_true(n > 0);
	rows = list(&b, "{\"placement\": \"nic\"}", &total);
	assert_int_equal(total, n);
	json_decref(rows);
	rows = list(&b, "{\"nic\": \"eth0\", \"limit\": 2}", &total);
	assert_int_equal(total, n);
	assert_int_equal(json_array_size(rows), 2);
	assert_string_equal(text_of(rows, 1, "nic"), "eth0");
	json_decref(rows);
	rows = list(&b, "{\"nic\": \"eth0\", \"placement\": \"software\"}", &total);
	assert_int_equal(total, 0);
	json_decref(rows);
	rows = list(&b, "{\"placement\": \"software\", \"limit\": 0}", &total);
	assert_int_equal(total, SAS + 40 - n);
	json_decref(rows);
	rows = list(&b, "{\"placement\": \"refused\"}", &total);
	assert_int_equal(total, 0);
	json_decref(rows);
	rows = list(&b, "{\"placement\": \"hands-off\"}", &total);
	assert_int_equal(total, 20);
	json_decref(rows);
	rows = list(&b, "{\"direction\": \"in\"}", &total);
	assert_int_equal(total, 10);
	json_decref(rows);
	rows = list(&b, "{\"direction\": \"in\", \"filter\": \"0x00005001\"}", &total);
	assert_int_equal(total, 1);
	json_decref(rows);
	json_decref(all);
	close_bench(&b);
}

/* The remote end, or either where the direction is not known. An address is a prefix of full
 * length. */
static void test_peer(void **state)
{
	struct bench b;
	size_t total;
	json_t *all;

	(void)state;
	open_mixed(&b);
	all = list(&b, "{}", &total);
	for (size_t i = 0; i < SAS + 40; i += 7) {
		_cleanup_free_ char *one = format("{\"peer\": \"%s\"}", peer_of(all, i));
		json_t *rows;

		if (strcmp(text_of(all, i, "direction"), "unknown") == 0)
			continue;
		rows = list(&b, one, &total);
		assert_int_equal(total, 1);
		assert_string_equal(text_of(rows, 0, "spi"), text_of(all, i, "spi"));
		json_decref(rows);
	}
	json_decref(list(&b, "{\"peer\": \"2001:db8::3eb\"}", &total));
	assert_int_equal(total, 1);
	json_decref(list(&b, "{\"peer\": \"2001:db8::3ec\"}", &total));
	assert_int_equal(total, 1);
	json_decref(list(&b, "{\"peer\": \"10.0.255.255\"}", &total));
	assert_int_equal(total, 0);
	json_decref(list(&b, "{\"peer\": \"0.0.0.0/0\"}", &total));
	assert_int_equal(total, SAS + 20);
	json_decref(list(&b, "{\"peer\": \"::/0\"}", &total));
	assert_int_equal(total, 20);
	json_decref(all);
	close_bench(&b);
}

static void test_bad_values(void **state)
{
	static const struct {
		const char *parameter, *value, *expected;
	} cases[] = {
		{"sort", "age",
		 "rate, rank, placement, direction, spi, peer, source, destination, nic"},
		{"sort", "",
		 "rate, rank, placement, direction, spi, peer, source, destination, nic"},
		{"placement", "cpu", "nic, software, moving, refused, foreign, hands-off"},
		{"direction", "unknown", "in, out"},
		{"nic", "eth9", "eth0"},
		{"peer", "192.0.2.1/33", "an address or a prefix, as 192.0.2.0/24 or 2001:db8::1"},
		{"peer", "", "an address or a prefix, as 192.0.2.0/24 or 2001:db8::1"},
	};
	struct bench b;

	(void)state;
	open_with_sas(&b);
	methods.manager = b.manager;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		json_t *parameters =
			json_pack("{s:s, s:s}", "filter", "x", cases[i].parameter, cases[i].value);
		json_t *reply = NULL, *expected;
		const char *error = NULL;
		void *list = NULL;

		assert_int_equal(list_of_sas.begin(parameters, &methods, &list, &reply, &error), 0);
		assert_null(list);
		assert_string_equal(error, "InvalidValue");
		expected = json_pack("{s:s, s:s, s:s}", "parameter", cases[i].parameter, "value",
				     cases[i].value, "expected", cases[i].expected);
		if (!json_equal(reply, expected))
			fail_msg("%s: %s", cases[i].parameter,
				 json_string_value(json_object_get(reply, "expected")));
		json_decref(expected);
		json_decref(reply);
		json_decref(parameters);
	}
	assert_int_equal(methods.snapshots.bytes, 0);
	close_bench(&b);
}

/* The rows begin where the SA is among them, and the offset is changed as little as possible. */
static void test_follow(void **state)
{
	static const struct {
		const char *more;
		size_t offset, place, from;
	} cases[] = {
		{"", 0, 5, 0},
		{"", 0, 9, 0},
		{"", 0, 10, 1},
		{"", 290, 10, 10},
		{"", 290, 295, 290},
		{", \"reverse\": true", 0, 10, 1},
		{", \"sort\": \"spi\"", 100, 50, 50},
		{", \"sort\": \"spi\", \"reverse\": true", 20, 150, 141},
		{", \"filter\": \"0x0000110\"", 0, 14, 5},
		{", \"filter\": \"0x0000110\", \"reverse\": true", 0, 14, 5},
		{", \"filter\": \"0x0000110\"", 16, 3, 3},
	};
	struct bench b;
	size_t total;

	(void)state;
	open_with_sas(&b);
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_free_ char *whole = format("{\"limit\": 300%s}", cases[i].more);
		json_t *all = list(&b, whole, &total), *rows;
		_cleanup_free_ char *part =
			format("{\"limit\": 10, \"offset\": %zu, \"followSpi\": \"%s\", "
			       "\"followDst\": \"%s\"%s}",
			       cases[i].offset, text_of(all, cases[i].place, "spi"),
			       text_of(all, cases[i].place, "dst"), cases[i].more);

		rows = list(&b, part, &total);
		if (offset_of_rows != cases[i].from)
			fail_msg("case %zu: %zu", i, offset_of_rows);
		check_rows(all, cases[i].from,
			   total - cases[i].from < 10 ? total - cases[i].from : 10, rows);
		json_decref(rows);
		json_decref(all);
	}
	/* One that does not match the filter, and one that is gone. */
	json_decref(list(&b,
			 "{\"limit\": 4, \"offset\": 2, \"filter\": \"0x0000110\", \"followSpi\": "
			 "\"0x00001001\", \"followDst\": \"198.51.100.1\"}",
			 &total));
	assert_int_equal(offset_of_rows, 2);
	json_decref(list(&b,
			 "{\"limit\": 4, \"offset\": 2, \"followSpi\": \"0x7\", \"followDst\": "
			 "\"nowhere\"}",
			 &total));
	assert_int_equal(offset_of_rows, 2);
	close_bench(&b);
}

/* Text behind the number of an SA names no SA. */
static void test_follow_no_number(void **state)
{
	_cleanup_free_ char *part = NULL;
	json_t *all;
	struct bench b;
	size_t total;

	(void)state;
	open_with_sas(&b);
	all = list(&b, "{\"limit\": 300}", &total);
	part = format(
		"{\"limit\": 10, \"offset\": 2, \"followSpi\": \"%s \", \"followDst\": \"%s\"}",
		text_of(all, 50, "spi"), text_of(all, 50, "dst"));
	json_decref(list(&b, part, &total));
	assert_int_equal(offset_of_rows, 2);
	json_decref(all);
	close_bench(&b);
}

/* More than are sorted by themselves: the order of all SAs is walked. */
static void test_many_that_match(void **state)
{
	struct bench b;
	json_t *all, *rows;
	size_t total;

	(void)state;
	open_with_sas(&b);
	for (unsigned i = 0; i < 1500; i++)
		(void)add(&b, (struct fake_sa_spec){.spi = 0x8000 + i, .peer = i + 1});
	pass(&b, 0.3);
	all = list(&b, "{\"sort\": \"spi\", \"filter\": \"0x00008\"}", &total);
	assert_int_equal(total, 1500);
	assert_int_equal(json_array_size(all), 1500);
	for (size_t i = 0; i < 1500; i++) {
		char spi[16];

		(void)snprintf(spi, sizeof(spi), "0x%08zx", 0x8000 + i);
		assert_string_equal(text_of(all, i, "spi"), spi);
	}
	rows = list(&b,
		    "{\"sort\": \"spi\", \"filter\": \"0x00008\", \"offset\": 1000, \"limit\": 40}",
		    &total);
	assert_int_equal(total, 1500);
	check_rows(all, 1000, 40, rows);
	json_decref(rows);
	rows = list(&b,
		    "{\"sort\": \"spi\", \"filter\": \"0x00008\", \"reverse\": true, \"limit\": 1}",
		    &total);
	check_rows(all, 1499, 1, rows);
	json_decref(rows);
	json_decref(all);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_limit_and_offset),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_filter_in_slices),
		cmocka_unit_test(test_changes_meanwhile),
		cmocka_unit_test(test_shared_snapshot),
		cmocka_unit_test(test_unfinished_snapshot),
		cmocka_unit_test(test_table_grows_meanwhile),
		cmocka_unit_test(test_snapshots_are_limited),
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_unknown_rate),
		cmocka_unit_test(test_rank_of_one),
		cmocka_unit_test(test_rank_of_several),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_bad_values),
		cmocka_unit_test(test_follow),
		cmocka_unit_test(test_follow_no_number),
		cmocka_unit_test(test_many_that_match),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
