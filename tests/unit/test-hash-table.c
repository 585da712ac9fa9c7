// SPDX-License-Identifier: GPL-2.0-or-later
/* Lookups in a hash table, with and without memory, and removals in a loop over it. */
#include "cleanup.h"
#include "hash-table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>

#include <cmocka.h>

#include "counting.h"

#define N 1000u

_Static_assert(sizeof(struct hash_link) <= 16, "every SA has several");

struct element {
	unsigned key;
	unsigned visits;
	struct hash_link link; /* not the first member */
};

struct fixture {
	struct hash_table table;
	struct element *elements[N];
};

/* Groups of three with the same hash, which share their bucket with other groups. */
static uint64_t hash_of(unsigned key)
{
	return (uint64_t)(key / 3) << 5 | (uint64_t)(key / 3) << 48;
}

static int setup(void **state)
{
	static struct fixture fixture;

	live = 0;
	fixture = (struct fixture){};
	*state = &fixture;
	return 0;
}

static void add(struct fixture *f, unsigned key)
{
	struct element *element = malloc(sizeof(*element));

	*element = (struct element){.key = key};
	f->elements[key] = element;
	hash_table_add(&f->table, &element->link, hash_of(key));
}

static void drop(struct fixture *f, struct element *element)
{
	f->elements[element->key] = NULL;
	hash_table_remove(&f->table, &element->link);
	free(element); /* its memory has no readable pointer any more */
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (unsigned i = 0; i < N; i++)
		if (f->elements[i])
			drop(f, f->elements[i]);
	assert_int_equal(f->table.n, 0);
	hash_table_release(&f->table);
	assert_int_equal(live, 0);
	return 0;
}

/* Each element is found once by its hash, together with those of the same hash and no others; a
 * loop over all finds each once. */
static void check(struct fixture *f)
{
	const struct element *constant;
	struct element *element;
	size_t n = 0;

	for (unsigned key = 0; key < N; key++) {
		unsigned expected = 0, found = 0, first = key / 3 * 3;
		bool itself = false;

		for (unsigned other = first; other < first + 3 && other < N; other++)
			expected += f->elements[other] != NULL;
		HASH_TABLE_FOREACH_EQUAL(constant, &f->table, hash_of(key), link) {
			assert_true(constant->link.hash == hash_of(key));
			assert_int_equal(constant->key / 3, key / 3);
			itself |= constant == f->elements[key];
			found++;
		}
		assert_null(constant);
		assert_int_equal(found, expected);
		assert_int_equal(itself, f->elements[key] != NULL);
		n += f->elements[key] != NULL;
	}
	assert_int_equal(f->table.n, n);
	HASH_TABLE_FOREACH(element, &f->table, link)
		element->visits++;
	assert_null(element);
	for (unsigned key = 0; key < N; key++)
		if (f->elements[key]) {
			assert_int_equal(f->elements[key]->visits, 1);
			f->elements[key]->visits = 0;
		}
}

static void test_grows(void **state)
{
	struct fixture *f = *state;

	check(f);
	for (unsigned key = 0; key < N; key++) {
		add(f, key);
		if (key < 200)
			check(f);
		/* At most one element per bucket on average, and not many more buckets than
		 * that. */
		assert_true(f->table.n <= f->table.mask + 1);
		assert_true(f->table.mask < HASH_TABLE_BUCKETS_MIN ||
			    f->table.mask + 1 < 2 * f->table.n);
		assert_int_equal(f->table.mask & (f->table.mask + 1), 0);
	}
	check(f);
	assert_int_equal(f->table.mask, 1023);
	assert_int_equal(live, N + 1); /* the buckets */
}

static void test_removes(void **state)
{
	struct fixture *f = *state;

	for (unsigned key = 0; key < N; key++)
		add(f, key);
	/* Removes each of a group once, from the front, the middle and the end of its bucket. */
	for (unsigned key = 0; key < N; key += 4)
		drop(f, f->elements[key]);
	check(f);
	for (unsigned key = 0; key < N; key += 4)
		add(f, key);
	check(f);
}

/* In a loop over all, from a table of one bucket and from a large one. */
static void test_removes_in_a_loop(void **state)
{
	struct fixture *f = *state;
	struct element *element;

	for (unsigned n = 1; n <= N; n *= 10) {
		for (unsigned key = 0; key < n; key++)
			add(f, key);
		HASH_TABLE_FOREACH(element, &f->table, link)
			if (element->key % 2)
				drop(f, element);
		check(f);
		assert_int_equal(f->table.n, (n + 1) / 2);
		HASH_TABLE_FOREACH(element, &f->table, link)
			drop(f, element);
		check(f);
	}
}

/* Without memory it finds the same, and it grows later when there is memory. */
static void test_no_memory(void **state)
{
	struct fixture *f = *state;

	for (unsigned key = 0; key < N; key++) {
		/* The first is the element, the second are the buckets. */
		failing_in = key >= 1 && key < 20 ? 2 : key >= 64 && key < 100 ? 2 : 0;
		add(f, key);
		assert_int_equal(failing_in, 0);
		if (key < 20)
			assert_null(f->table.buckets);
		else if (key < 100)
			assert_int_equal(f->table.mask, HASH_TABLE_BUCKETS_MIN - 1);
		if (key < 200)
			check(f);
	}
	assert_true(f->table.n <= f->table.mask + 1);
	check(f);
}

/* After the release the table is in its initial state, whatever it contained. */
static void test_release(void **state)
{
	static const struct hash_table empty;
	struct fixture *f = *state;

	for (unsigned key = 0; key < 100; key++)
		add(f, key);
	hash_table_release(&f->table);
	assert_memory_equal(&f->table, &empty, sizeof(empty));
	assert_int_equal(live, 100);
	for (unsigned key = 0; key < 100; key++)
		hash_table_add(&f->table, &f->elements[key]->link, hash_of(key));
	check(f);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_grows),     TEST(test_removes), TEST(test_removes_in_a_loop),
		TEST(test_no_memory), TEST(test_release),
	};

	return cmocka_run_group_tests_name("hash-table", tests, NULL, NULL);
}
