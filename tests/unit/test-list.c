// SPDX-License-Identifier: GPL-2.0-or-later
/* ListSAs: order, limit and offset, filter. */
#include "control/ranking.h"
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

/* Returns the rows, and their number before offset and limit. */
static json_t *list(struct bench *b, const char *parameters, size_t *ret_total)
{
	json_t *request = json_loads(parameters, 0, NULL), *reply = NULL, *sas;
	const char *error = NULL;

	assert_non_null(request);
	assert_int_equal(method_list_sas(request, b->manager, &reply, &error), 0);
	assert_null(error);
	sas = json_incref(json_object_get(reply, "sas"));
	*ret_total = (size_t)json_integer_value(json_object_get(reply, "total"));
	json_decref(reply);
	json_decref(request);
	return sas;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_limit_and_offset),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
