// SPDX-License-Identifier: GPL-2.0-or-later
/* Waits for lookups, in a thread and without. The system calls are those of the test (linked with
 * --wrap), which decides when membarrier() returns. */
#include "xfrm/lookups.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct {
	int gate; /* each wait takes 1 from it */
	unsigned waits, sleeps;
	bool unsupported, no_thread, no_descriptor;
	int processors;
} world;

long __wrap_syscall(long number, long command, long flags, long cpu);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
			   struct timespec *left);
int __wrap_get_nprocs(void);
int __real_eventfd(unsigned value, int flags);
int __wrap_eventfd(unsigned value, int flags);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *userdata);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *userdata);

long __wrap_syscall(long number, long command, long flags, long cpu)
{
	eventfd_t value;

	if (number != SYS_membarrier || command != MEMBARRIER_CMD_GLOBAL || flags != 0 || cpu != 0)
		abort();
	if (world.unsupported)
		return -1;
	if (eventfd_read(world.gate, &value) < 0)
		abort();
	world.waits++;
	return 0;
}

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
			   struct timespec *left)
{
	if (clock != CLOCK_MONOTONIC || flags != 0 || time->tv_sec != 0 ||
	    time->tv_nsec != 20000000 || left)
		abort();
	world.sleeps++;
	return 0;
}

int __wrap_get_nprocs(void)
{
	return world.processors;
}

int __wrap_eventfd(unsigned value, int flags)
{
	errno = EMFILE;
	return world.no_descriptor ? -1 : __real_eventfd(value, flags);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
			  void *userdata)
{
	return world.no_thread ? EAGAIN : __real_pthread_create(thread, attributes, run, userdata);
}

static void open_gate(void)
{
	assert_int_equal(eventfd_write(world.gate, 1), 0);
}

static bool is_readable(const struct lookups *lookups, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = lookups->fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

static void open_world(struct lookups *lookups)
{
	world.waits = world.sleeps = 0;
	world.unsupported = world.no_thread = world.no_descriptor = false;
	world.processors = 2;
	world.gate = __real_eventfd(0, EFD_SEMAPHORE | EFD_CLOEXEC);
	assert_true(world.gate >= 0);
	assert_int_equal(lookups_init(lookups), 0);
	assert_false(lookups_are_awaited(lookups));
}

static void close_world(struct lookups *lookups)
{
	lookups_release(lookups);
	assert_int_equal(lookups->fd, -1);
	lookups_release(lookups);
	(void)close(world.gate);
}

static void test_begin(void **state)
{
	struct lookups lookups;

	(void)state;
	open_world(&lookups);
	for (unsigned i = 1; i <= 3; i++) {
		lookups_begin(&lookups);
		assert_true(lookups_are_awaited(&lookups));
		assert_false(is_readable(&lookups, 0));
		open_gate();
		assert_true(is_readable(&lookups, -1));
		assert_false(lookups_are_awaited(&lookups));
		assert_int_equal(world.waits, i);
		assert_false(is_readable(&lookups, 0));
		assert_false(lookups_are_awaited(&lookups));
	}
	assert_int_equal(world.sleeps, 0);
	close_world(&lookups);
}

/* A wait that began before does not count. */
static void test_replaced(void **state)
{
	struct lookups lookups;

	(void)state;
	open_world(&lookups);
	lookups_begin(&lookups);
	open_gate();
	lookups_begin(&lookups);
	assert_int_equal(world.waits, 1);
	assert_true(lookups_are_awaited(&lookups));
	assert_false(is_readable(&lookups, 0));
	open_gate();
	assert_true(is_readable(&lookups, -1));
	assert_false(lookups_are_awaited(&lookups));
	assert_int_equal(world.waits, 2);
	close_world(&lookups);
}

static void test_released(void **state)
{
	struct lookups lookups;

	(void)state;
	open_world(&lookups);
	lookups_begin(&lookups);
	open_gate();
	close_world(&lookups);
	assert_int_equal(world.waits, 1);
}

/* Without a thread it is waited at once. */
static void test_no_thread(void **state)
{
	struct lookups lookups;

	(void)state;
	open_world(&lookups);
	world.no_thread = true;
	open_gate();
	lookups_begin(&lookups);
	assert_int_equal(world.waits, 1);
	assert_false(lookups_are_awaited(&lookups));
	close_world(&lookups);
}

static void test_no_descriptor(void **state)
{
	struct lookups lookups;

	(void)state;
	world.no_descriptor = true;
	assert_int_equal(lookups_init(&lookups), -EMFILE);
	lookups_release(&lookups);
	world.no_descriptor = false;
}

/* membarrier() waits only with several CPUs, and not with nohz_full. */
static void test_without_grace_period(void **state)
{
	struct lookups lookups;

	(void)state;
	open_world(&lookups);
	open_gate();
	lookups_wait();
	assert_int_equal(world.waits, 1);
	assert_int_equal(world.sleeps, 0);
	open_gate();
	world.processors = 1;
	lookups_wait();
	assert_int_equal(world.waits, 2);
	assert_int_equal(world.sleeps, 1);
	world.processors = 2;
	world.unsupported = true;
	lookups_wait();
	assert_int_equal(world.sleeps, 2);
	lookups_begin(&lookups);
	assert_true(is_readable(&lookups, -1));
	assert_false(lookups_are_awaited(&lookups));
	assert_int_equal(world.sleeps, 3);
	close_world(&lookups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begin),         cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_released),      cmocka_unit_test(test_no_thread),
		cmocka_unit_test(test_no_descriptor), cmocka_unit_test(test_without_grace_period),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
