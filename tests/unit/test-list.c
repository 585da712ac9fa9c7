// SPDX-License-Identifier: GPL-2.0-or-later
/* ListSAs: order, limit and offset, filter. */
#include "manager-bench.h"

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
	json_t *request = json_loads(parameters, 0, NULL);
	void *list = NULL;

	assert_non_null(request);
	methods.manager = b->manager;
	assert_int_equal(list_of_sas.begin(request, &methods, &list), 0);
	json_decref(request);
	return list;
}

static size_t total_of(void *list)
{
	json_t *rest = list_of_sas.rest(list);
	size_t total = (size_t)json_integer_value(json_object_get(rest, "total"));

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
	rankings_release(&methods.rankings);
	assert_int_equal(methods.rankings.bytes, 0);
	return rows;
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
	rankings_release(&methods.rankings);
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
	rankings_release(&methods.rankings);
	json_decref(rows);
	close_bench(&b);
}

/* Each reading of the clock takes a millisecond. */
static double slow_monotonic(void *userdata)
{
	struct bench *b = userdata;

	return b->now += 0.001;
}

/* Many readers at once share a ranking, and a later one gets a new one. */
static void test_shared_ranking(void **state)
{
	void *lists[3];
	struct bench b;
	size_t one;

	(void)state;
	open_with_sas(&b);
	b.manager->environment.clock.monotonic = slow_monotonic;
	lists[0] = begin(&b, "{}");
	one = methods.rankings.bytes;
	lists[1] = begin(&b, "{}");
	assert_int_equal(methods.rankings.bytes, one);
	b.now += 0.1;
	lists[2] = begin(&b, "{}");
	assert_int_equal(methods.rankings.bytes, 2 * one);
	list_of_sas.free(lists[0]);
	assert_int_equal(methods.rankings.bytes, 2 * one);
	list_of_sas.free(lists[1]);
	assert_int_equal(methods.rankings.bytes, one);
	list_of_sas.free(lists[2]);
	rankings_release(&methods.rankings);
	assert_int_equal(methods.rankings.bytes, 0);
	close_bench(&b);
}

/* The number of rankings for readers that began at different times is limited. */
static void test_rankings_are_limited(void **state)
{
	struct ranking *rankings[8];
	struct rankings all = {};
	struct bench b;
	size_t limit;

	(void)state;
	open_with_sas(&b);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rankings_get(&all, b.manager, &rankings[i]), 0);
	assert_ptr_not_equal(rankings[2], rankings[3]);
	limit = all.bytes;
	all.bytes += 64u * 1024u * 1024u;
	for (unsigned i = 4; i < 8; i++) {
		assert_int_equal(rankings_get(&all, b.manager, &rankings[i]), 0);
		assert_ptr_equal(rankings[i], rankings[3]);
	}
	all.bytes -= 64u * 1024u * 1024u;
	assert_int_equal(all.bytes, limit);
	for (unsigned i = 0; i < 8; i++)
		ranking_unref(rankings[i]);
	rankings_release(&all);
	assert_int_equal(all.bytes, 0);
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
		cmocka_unit_test(test_shared_ranking),
		cmocka_unit_test(test_rankings_are_limited),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
