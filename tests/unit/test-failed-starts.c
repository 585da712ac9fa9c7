// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/failed-starts.h"

#include "cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_waits_grow(void **state)
{
	char directory[] = "/tmp/test-failed-starts-XXXXXX", path[64];

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/failed-starts", directory);
	assert_true(failed_starts_note(path) == 0);
	assert_true(failed_starts_note(path) == 0.5);
	assert_true(failed_starts_note(path) == 1);
	assert_true(failed_starts_note(path) == 2);
	for (unsigned i = 0; i < 2000; i++)
		assert_true(failed_starts_note(path) <= FAILED_STARTS_WAIT_MAX);
	assert_true(failed_starts_note(path) == FAILED_STARTS_WAIT_MAX);
	failed_starts_forget(path);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_true(failed_starts_note(path) == 0);
	failed_starts_forget(path);
	assert_int_equal(rmdir(directory), 0);
	/* The file cannot be written. */
	assert_true(failed_starts_note(path) == 0);
}

static void test_damaged_file(void **state)
{
	char directory[] = "/tmp/test-failed-starts-XXXXXX", path[64];
	FILE *file;

	(void)state;
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, sizeof(path), "%s/failed-starts", directory);
	file = fopen(path, "we");
	assert_non_null(file);
	(void)fputs("-99999999999999999999 nonsense", file);
	(void)fclose(file);
	assert_true(failed_starts_note(path) <= FAILED_STARTS_WAIT_MAX);
	failed_starts_forget(path);
	assert_int_equal(rmdir(directory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_grow),
		cmocka_unit_test(test_damaged_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
