// SPDX-License-Identifier: GPL-2.0-or-later
/* Records that are added, removed and read back, and damaged files. */
#include "ownership-count.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "failing.h"

/* The program is linked with --wrap of these. */
FAILING(void *, calloc, NULL, (size_t n, size_t size), (n, size))
FAILING(char *, strdup, NULL, (const char *text), (text))
FAILING(ssize_t, getrandom, -1, (void *buffer, size_t size, unsigned flags), (buffer, size, flags))

static unsigned frees; /* of pointers that are not NULL */

void __real_free(void *pointer);
void __wrap_free(void *pointer);

void __wrap_free(void *pointer)
{
	frees += pointer != NULL;
	__real_free(pointer);
}

struct fixture {
	char directory[32];
	char path[64];
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	strcpy(fixture->directory, "/tmp/test-ownership-file-XXXXXX");
	assert_non_null(mkdtemp(fixture->directory));
	snprintf(fixture->path, sizeof(fixture->path), "%s/placed", fixture->directory);
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	(void)unlink(fixture->path);
	assert_int_equal(rmdir(fixture->directory), 0); /* no temporary file is left */
	free(fixture);
	return 0;
}

static struct sa_id make_id(unsigned n)
{
	struct sa_id id = {
		.spi = 0xc0000000u + n,
		.family = n % 2 ? AF_INET6 : AF_INET,
		.protocol = IPPROTO_ESP,
		.mark_value = n % 3,
		.mark_mask = n % 3 ? UINT32_MAX : 0,
	};

	id.destination.bytes[0] = 32;
	id.destination.bytes[3] = (uint8_t)n;
	return id;
}

static struct ownership *make(const struct fixture *fixture)
{
	struct ownership *ownership = NULL;

	assert_int_equal(ownership_new(fixture->path, &ownership), 0);
	return ownership;
}

static void test_remembers(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = make(fixture);
	struct sa_id id = make_id(1), other = make_id(2), bad = make_id(3);
	struct stat status;

	assert_int_equal(ownership_load(ownership), 0); /* no file */
	assert_int_equal(ownership_save_if_changed(ownership), 0);
	assert_int_equal(stat(fixture->path, &status), -1);

	assert_int_equal(ownership_add(ownership, &id, 3, 1700000000), 0);
	assert_true(ownership_contains(ownership, &id, 3, 1700000000));
	assert_false(ownership_contains(ownership, &id, 4, 1700000000));
	assert_false(ownership_contains(ownership, &id, 3, 1700000001));
	assert_false(ownership_contains(ownership, &other, 3, 1700000000));
	assert_false(ownership_contains(ownership, &other, 0, 0));
	assert_int_equal(ownership_add(ownership, &id, 0, 1), -EINVAL);
	bad.family = 0;
	assert_int_equal(ownership_add(ownership, &bad, 3, 1), -EINVAL);

	assert_int_equal(ownership_save_if_changed(ownership), 1);
	assert_int_equal(ownership_save_if_changed(ownership), 0);
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(ownership_add(ownership, &id, 3, 1700000000), 0); /* no change */
	assert_int_equal(ownership_save_if_changed(ownership), 0);

	assert_int_equal(ownership_add(ownership, &id, 5, 1700000009), 0); /* replaces */
	assert_int_equal(ownership_count(ownership), 1);
	assert_true(ownership_contains(ownership, &id, 5, 1700000009));
	assert_int_equal(ownership_save_if_changed(ownership), 1);
	assert_true(ownership_remove(ownership, &id));
	assert_false(ownership_remove(ownership, &id));
	assert_int_equal(ownership_count(ownership), 0);
	assert_int_equal(ownership_save_if_changed(ownership), 1);
	ownership_free(ownership);
}

static void test_survives(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = make(fixture);

	for (unsigned i = 0; i < 5000; i++) {
		struct sa_id id = make_id(i);

		assert_int_equal(ownership_add(ownership, &id, 1 + (int)(i % 7), UINT64_MAX - i),
				 0);
	}
	assert_int_equal(ownership_save_if_changed(ownership), 1);
	ownership_free(ownership);

	ownership = make(fixture);
	assert_int_equal(ownership_load(ownership), 5000);
	assert_int_equal(ownership_save_if_changed(ownership), 0);
	for (unsigned i = 0; i < 5000; i++) {
		struct sa_id id = make_id(i);

		assert_true(ownership_contains(ownership, &id, 1 + (int)(i % 7), UINT64_MAX - i));
	}
	ownership_free(ownership);
}

/* The record of an SA that left is found by the properties that a copy has too. */
static void test_departed(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = make(fixture);
	struct sa_id id = make_id(0), copy = make_id(0), other = make_id(3), found = {};

	copy.destination.bytes[0]++;
	assert_int_equal(ownership_add(ownership, &id, 3, 1700000000), 0);
	ownership_leave(ownership, &other, 0.5); /* no such record */
	ownership_leave(ownership, &id, 0.5);
	assert_false(ownership_contains(ownership, &id, 3, 1700000000));
	assert_true(ownership_find_same(ownership, &copy, 1700000000, &found));
	assert_memory_equal(&found, &id, sizeof(id));
	assert_false(ownership_find_same(ownership, &copy, 1700000001, &found));
	copy.mark_value = 1;
	assert_false(ownership_find_same(ownership, &copy, 1700000000, &found));
	copy.mark_value = 0;
	copy.mark_mask = 1;
	assert_false(ownership_find_same(ownership, &copy, 1700000000, &found));
	copy.mark_mask = 0;
	copy.spi++;
	assert_false(ownership_find_same(ownership, &copy, 1700000000, &found));

	assert_int_equal(ownership_add(ownership, &id, 3, 1700000000), 0); /* it is back */
	ownership_prune(ownership, 100);
	assert_true(ownership_contains(ownership, &id, 3, 1700000000));
	ownership_leave(ownership, &id, 100);
	ownership_leave(ownership, &id, 105); /* the first time is kept */
	ownership_prune(ownership, 100 + OWNERSHIP_DEPARTED_SECONDS);
	assert_int_equal(ownership_count(ownership), 1);
	ownership_prune(ownership, 100.1 + OWNERSHIP_DEPARTED_SECONDS);
	assert_int_equal(ownership_count(ownership), 0);
	assert_int_equal(ownership_add(ownership, &id, 3, 1700000000), 0);

	/* In the file too. */
	assert_int_equal(ownership_save_if_changed(ownership), 1);
	ownership_free(ownership);
	ownership = make(fixture);
	assert_int_equal(ownership_load(ownership), 1);
	assert_true(ownership_contains(ownership, &id, 3, 1700000000));
	ownership_leave(ownership, &id, 100);
	ownership_prune(ownership, 100 + OWNERSHIP_DEPARTED_SECONDS + 1);
	assert_int_equal(ownership_count(ownership), 0);
	ownership_free(ownership);
}

static int userdata_of_alive;

static bool is_alive(const struct sa_id *id, int ifindex, uint64_t add_time, void *userdata)
{
	assert_ptr_equal(userdata, &userdata_of_alive);
	return ifindex != 4;
}

/* Records that `alive` reports as gone, each once, also soon after boot. */
static void test_departed_unseen(void **state)
{
	struct ownership *ownership = make(*state);
	struct sa_id id, found;

	for (unsigned i = 0; i < 10; i++) {
		id = make_id(i);
		assert_int_equal(ownership_add(ownership, &id, i < 3 ? 4 : 5, 100 + i), 0);
	}
	assert_int_equal(ownership_leave_unless(ownership, is_alive, &userdata_of_alive, 0.5), 3);
	assert_int_equal(ownership_leave_unless(ownership, is_alive, &userdata_of_alive, 0.6), 0);
	ownership_prune(ownership, 0.5 + OWNERSHIP_DEPARTED_SECONDS);
	assert_int_equal(ownership_count(ownership), 10);
	ownership_prune(ownership, 0.55 + OWNERSHIP_DEPARTED_SECONDS);
	assert_int_equal(ownership_count(ownership), 7);
	for (unsigned i = 0; i < 10; i++) {
		id = make_id(i);
		assert_int_equal(ownership_find_same(ownership, &id, 100 + i, &found), i >= 3);
	}
	ownership_free(ownership);
}

/* As many as fit before the table grows: most are not in their first place. */
static void test_find_same_among_many(void **state)
{
	struct ownership *ownership = make(*state);
	struct sa_id id = make_id(0), found;

	for (unsigned i = 0; i < 48; i++) {
		id.spi = 0x1000 + i;
		assert_int_equal(ownership_add(ownership, &id, 3, 77), 0);
	}
	for (unsigned i = 0; i < 200; i++) {
		id.spi = 0x1000 + i;
		assert_int_equal(ownership_find_same(ownership, &id, 77, &found), i < 48);
		if (i < 48)
			assert_memory_equal(&found, &id, sizeof(id));
		id.protocol = IPPROTO_AH;
		assert_false(ownership_find_same(ownership, &id, 77, &found));
		id.protocol = IPPROTO_ESP;
	}
	ownership_free(ownership);
}

/* No memory for an empty set, nor for a larger one. */
static void test_no_memory(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = NULL;
	struct sa_id id;

	for (unsigned n = 1; n <= 3; n++) {
		failing_in = n;
		frees = 0;
		assert_int_equal(ownership_new(fixture->path, &ownership),
				 n < 3 ? -ENOMEM : -FAILING_ERRNO);
		assert_int_equal(failing_in, 0);
		assert_int_equal(frees, n - 1);
		assert_null(ownership);
	}
	assert_null(ownership_free(NULL));
	ownership = make(fixture);
	for (unsigned i = 0; i < 100; i++) {
		id = make_id(i);
		failing_in = 1;
		assert_int_equal(ownership_add(ownership, &id, 3, 1), -ENOMEM);
		assert_int_equal(ownership_count(ownership), i);
		assert_false(ownership_contains(ownership, &id, 3, 1));
		/* The second allocation is that of more buckets: without it the record is still
		 * added. */
		failing_in = 2;
		assert_int_equal(ownership_add(ownership, &id, 3, 1), 0);
		failing_in = 0;
	}
	for (unsigned i = 0; i < 100; i++) {
		id = make_id(i);
		assert_true(ownership_contains(ownership, &id, 3, 1));
	}
	frees = 0;
	ownership_free(ownership);
	assert_int_equal(frees, 100 + 2); /* the path, the set */
}

#define MODEL_IDS 400

static bool keep_even_times(const struct sa_id *id, int ifindex, uint64_t add_time, void *userdata)
{
	return add_time % 2 == 0;
}

/* Compares with a plain array, over additions, removals and prunings in random order. */
static void test_model(void **state)
{
	struct ownership *ownership = make(*state);
	uint64_t model[MODEL_IDS] = {};
	unsigned short random[3] = {1, 2, 3};

	for (unsigned step = 1; step < 60000; step++) {
		unsigned n = (unsigned)nrand48(random) % MODEL_IDS;
		struct sa_id id = make_id(n);
		size_t count = 0;

		if (step % 1000 == 0) {
			ownership_leave_unless(ownership, keep_even_times, NULL, step);
			ownership_prune(ownership, step + OWNERSHIP_DEPARTED_SECONDS + 1);
			for (unsigned i = 0; i < MODEL_IDS; i++)
				model[i] = model[i] % 2 ? 0 : model[i];
		} else if (nrand48(random) % 2) {
			assert_int_equal(ownership_add(ownership, &id, 1, step), 0);
			model[n] = step;
		} else {
			assert_int_equal(ownership_remove(ownership, &id), model[n] != 0);
			model[n] = 0;
		}
		if (step % 100 != 0)
			continue;
		for (unsigned i = 0; i < MODEL_IDS; i++) {
			id = make_id(i);
			assert_int_equal(ownership_contains(ownership, &id, 1, model[i]),
					 model[i] != 0);
			count += model[i] != 0;
		}
		assert_int_equal(ownership_count(ownership), count);
	}
	ownership_free(ownership);
}

static void write_text(const char *path, const char *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

#define HEAD "espoffloadd-placed 1 "

/* The largest and the smallest value of each number; the file is written as it was read. */
static void test_text(void **state)
{
	static const struct {
		const char *read, *written;
		int ifindex;
		uint64_t add_time;
	} cases[] = {
		{"255.255.255.255 0xffffffff 255 0xffffffff/0xffffffff 2147483647 "
		 "18446744073709551615\n",
		 NULL, INT32_MAX, UINT64_MAX},
		{"192.0.2.1 0x00000000 0 0x0/0x0 1 0\n", NULL, 1, 0},
		{"2001:db8::1 0x0a9f0bce 50 0x1/0xabcdef 190 1234567890\n", NULL, 190, 1234567890},
		{"192.0.2.1 16 0x32 15/0x00f 0x1 0x10\n", "192.0.2.1 0x00000010 50 0xf/0xf 1 16\n",
		 1, 16},
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct ownership *ownership = make(fixture);
		char text[256], expected[256];
		ssize_t size;
		int fd;

		snprintf(text, sizeof(text), HEAD "1\n%s", cases[i].read);
		write_text(fixture->path, text, strlen(text));
		assert_int_equal(ownership_load(ownership), 1);
		assert_int_equal(ownership_save_if_changed(ownership), 0);
		for (int n = 0; n < 2; n++) {
			struct sa_id id = {.family = AF_INET, .protocol = 6};

			/* One record more is written, and removed again. */
			if (n == 0)
				assert_int_equal(ownership_add(ownership, &id, 9, 9), 0);
			else
				assert_true(ownership_remove(ownership, &id));
			assert_int_equal(ownership_count(ownership), 2 - n);
		}
		assert_int_equal(ownership_save_if_changed(ownership), 1);
		snprintf(expected, sizeof(expected), HEAD "1\n%s",
			 cases[i].written ? cases[i].written : cases[i].read);
		fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
		size = read(fd, text, sizeof(text) - 1);
		close(fd);
		assert_int_equal(size, strlen(expected));
		text[size] = '\0';
		assert_string_equal(text, expected);
		ownership_free(ownership);
	}
}

/* A file that was not read is kept; users may look at it. */
static void take_aside(const struct fixture *fixture)
{
	char damaged[128];

	(void)snprintf(damaged, sizeof(damaged), "%s.damaged", fixture->path);
	assert_int_equal(access(fixture->path, F_OK), -1);
	assert_int_equal(unlink(damaged), 0);
}

#define GOOD "192.0.2.1 0xc0000001 50 0x0/0x0 3 1700000000\n"

static void test_damaged(void **state)
{
	static const char *const cases[] = {
		"",
		"\n",
		"x",
		HEAD,
		HEAD "1",
		HEAD "\n",
		HEAD "-1\n",
		HEAD "1\n",
		HEAD "0\n" GOOD,
		HEAD "2\n" GOOD,
		HEAD "2\n" GOOD GOOD,
		HEAD "99999999999999999999\n" GOOD,
		HEAD "131073\n" GOOD,
		HEAD "1\n" GOOD "\n",
		HEAD "1\n\n" GOOD,
		HEAD "1\n 192.0.2.1 0xc0000001 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1  0xc0000001 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0/0x0 3 1",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0/0x0 3\n",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0/0x0 3 1 1\n",
		HEAD "1\n192.0.2 0xc0000001 50 0x0/0x0 3 1\n",
		HEAD "1\n2001:db8::g 0xc0000001 50 0x0/0x0 3 1\n",
		HEAD "1\n2001:db8:2001:db8:2001:db8:2001:db8:2001:db8:1 0x1 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0x1c0000001 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0x 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0xg 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0x` 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0xA 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 1x1 50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 1 5a 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 1 5: 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 1 5/ 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 1 50 0x100000000/0x0 3 1\n",
		HEAD "1\n192.0.2.1 1 50 0x0/0x100000000 3 1\n",
		HEAD "1\n192.0.2.1 1 50 0x0/0x0 3 18446744073709551620\n",
		HEAD "1\n192.0.2.1 0xc0000001 256 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0xc0000001 +50 0x0/0x0 3 1\n",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0 3 1\n",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0/0x0 0 1\n",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0/0x0 2147483648 1\n",
		HEAD "1\n192.0.2.1 0xc0000001 50 0x0/0x0 3 18446744073709551616\n",
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct ownership *ownership = make(fixture);

		write_text(fixture->path, cases[i], strlen(cases[i]));
		if (ownership_load(ownership) != -EBADMSG)
			fail_msg("taken for good: %s", cases[i]);
		assert_int_equal(ownership_count(ownership), 0);
		take_aside(fixture);
		/* The next save makes a good file. */
		assert_int_equal(ownership_save_if_changed(ownership), 1);
		assert_int_equal(ownership_load(ownership), 0);
		ownership_free(ownership);
	}
}

/* The records are not read, although they look the same. */
static void test_another_version(void **state)
{
	static const char *const cases[] = {
		"espoffloadd-placed 0 1\n" GOOD,
		"espoffloadd-placed 2 1\n" GOOD,
		"espoffloadd-placed 2 of the future\n",
	};
	const struct fixture *fixture = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct ownership *ownership = make(fixture);

		write_text(fixture->path, cases[i], strlen(cases[i]));
		assert_int_equal(ownership_load(ownership), -ENOTSUP);
		assert_int_equal(ownership_count(ownership), 0);
		take_aside(fixture);
		ownership_free(ownership);
	}
}

/* Every prefix, and every single changed byte: never more records than the file has. */
static void test_damaged_anywhere(void **state)
{
	static const char good[] = HEAD "2\n" GOOD "2001:db8::1 0x2 50 0x1/0xff 3 1700000007\n";
	static const char bytes[] = {0, ' ', '\n', '9', 'f', '/', (char)0xff};
	const struct fixture *fixture = *state;
	size_t size = sizeof(good) - 1;
	char text[sizeof(good)];

	for (size_t i = 0; i < size; i++) {
		struct ownership *ownership = make(fixture);

		write_text(fixture->path, good, i);
		assert_int_equal(ownership_load(ownership), -EBADMSG);
		take_aside(fixture);
		for (size_t j = 0; j < sizeof(bytes); j++) {
			memcpy(text, good, sizeof(good));
			text[i] = bytes[j];
			write_text(fixture->path, text, size);
			int r = ownership_load(ownership);

			assert_true(r == 2 || r == -EBADMSG ||
				    (r == -ENOTSUP && i == strlen("espoffloadd-placed ")));
			assert_int_equal(ownership_count(ownership), r == 2 ? 2 : 0);
			if (r < 0)
				take_aside(fixture);
			ownership_free(ownership);
			ownership = make(fixture);
		}
		ownership_free(ownership);
	}
}

static void test_not_a_file(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = make(fixture);

	assert_int_equal(symlink("/dev/zero", fixture->path), 0);
	assert_int_equal(ownership_load(ownership), -ELOOP);
	take_aside(fixture);
	assert_int_equal(mkfifo(fixture->path, 0600), 0);
	assert_int_equal(ownership_load(ownership),
			 -EBADMSG); /* and the open does not wait for a writer */
	take_aside(fixture);

	write_text(fixture->path, "", 0);
	assert_int_equal(truncate(fixture->path, 1 << 30), 0);
	assert_int_equal(ownership_load(ownership), -EFBIG);
	take_aside(fixture);
	ownership_free(ownership);
}

static void test_save_fails(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = make(fixture);
	struct sa_id id = make_id(1);
	char moved[64];

	snprintf(moved, sizeof(moved), "%s.moved", fixture->directory);
	assert_int_equal(ownership_add(ownership, &id, 3, 1), 0);
	assert_int_equal(rename(fixture->directory, moved), 0);
	assert_int_equal(ownership_save_if_changed(ownership), -ENOENT);
	assert_int_equal(rename(moved, fixture->directory), 0);
	assert_int_equal(ownership_save_if_changed(ownership), 1); /* tried again */
	ownership_free(ownership);
}

static void test_full(void **state)
{
	const struct fixture *fixture = *state;
	struct ownership *ownership = make(fixture);
	struct sa_id id;

	for (unsigned i = 0; i < OWNERSHIP_MAX; i++) {
		id = make_id(i);
		memset(id.destination.bytes, 0xee, id.family == AF_INET ? 4 : 16); /* long */
		assert_int_equal(ownership_add(ownership, &id, INT32_MAX, UINT64_MAX), 0);
	}
	id = make_id(OWNERSHIP_MAX);
	assert_int_equal(ownership_add(ownership, &id, 1, 1), -ENOSPC);
	assert_int_equal(ownership_save_if_changed(ownership), 1);
	ownership_free(ownership);

	ownership = make(fixture);
	assert_int_equal(ownership_load(ownership), OWNERSHIP_MAX);
	ownership_free(ownership);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_remembers),
		TEST(test_survives),
		TEST(test_departed),
		TEST(test_model),
		TEST(test_damaged),
		TEST(test_damaged_anywhere),
		TEST(test_another_version),
		TEST(test_not_a_file),
		TEST(test_save_fails),
		TEST(test_full),
		TEST(test_text),
		TEST(test_departed_unseen),
		TEST(test_find_same_among_many),
		TEST(test_no_memory),
	};

	return cmocka_run_group_tests_name("placed", tests, NULL, NULL);
}
