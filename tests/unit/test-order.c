// SPDX-License-Identifier: GPL-2.0-or-later
/* Rows by their place and places by their row, in any sequence, compared with a complete sort. */
#include "control/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROWS 20000u

static uint32_t keys[ROWS];

static int compare(uint32_t a, uint32_t b, const void *userdata)
{
	(void)userdata;
	if (keys[a] != keys[b])
		return keys[a] < keys[b] ? -1 : 1;
	return (a > b) - (a < b);
}

static int compare_rows(const void *a, const void *b)
{
	return compare(*(const uint32_t *)a, *(const uint32_t *)b, NULL);
}

static uint32_t random_of(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}

static uint32_t row_at(struct order *order, uint32_t place)
{
	uint32_t row;

	while (order_row(order, place, &row) > 0)
		continue;
	return row;
}

static uint32_t place_of(struct order *order, uint32_t row)
{
	uint32_t place;

	while (order_place(order, row, &place) > 0)
		continue;
	return place;
}

/* Enough random questions to divide the rows into as many segments as there can be. */
static void check_order(uint32_t n)
{
	uint32_t *sorted = calloc(n, sizeof(*sorted)), random = n;
	struct order *order;

	assert_non_null(sorted);
	for (uint32_t i = 0; i < n; i++)
		sorted[i] = i;
	qsort(sorted, n, sizeof(*sorted), compare_rows);
	assert_int_equal(order_new(n, compare, NULL, &order), 0);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t place = random_of(&random) % n;

		if (i % 2)
			assert_int_equal(row_at(order, place), sorted[place]);
		else
			assert_int_equal(place_of(order, sorted[place]), place);
	}
	for (uint32_t i = 0; i < n; i++) {
		assert_int_equal(row_at(order, i), sorted[i]);
		assert_int_equal(place_of(order, sorted[i]), i);
	}
	order_free(order);
	free(sorted);
}

static void test_random_keys(void **state)
{
	uint32_t random = 1;

	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		keys[i] = random_of(&random);
	for (uint32_t n = 1; n < 200; n += 7)
		check_order(n);
	check_order(ROWS);
}

static void test_few_keys(void **state)
{
	uint32_t random = 2;

	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		keys[i] = random_of(&random) % 3;
	check_order(ROWS);
}

/* Already sorted, and the other way round. */
static void test_sorted_keys(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		keys[i] = i;
	check_order(ROWS);
	for (uint32_t i = 0; i < ROWS; i++)
		keys[i] = ROWS - i;
	check_order(ROWS);
}

/* The first page of many rows takes few passes, and no step takes more than one. */
static void test_work(void **state)
{
	uint32_t random = 3, row;
	struct order *order;
	size_t work, all = 0;

	(void)state;
	for (uint32_t i = 0; i < ROWS; i++)
		keys[i] = random_of(&random);
	assert_int_equal(order_new(ROWS, compare, NULL, &order), 0);
	for (uint32_t i = 0; i < 50; i++)
		while ((work = order_row(order, i, &row)) > 0) {
			assert_true(work <= ROWS);
			all += work;
		}
	assert_true(all < 5 * ROWS);
	order_free(order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_keys),
		cmocka_unit_test(test_few_keys),
		cmocka_unit_test(test_sorted_keys),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
