// SPDX-License-Identifier: GPL-2.0-or-later
/* Due work, with the test's clock and in an event loop. */
#include "base/schedule.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

enum { FIRST, SECOND, IDLE, N };

struct bench {
	double now;
	struct clock clock;
	struct schedule schedule;
	int runs[N];
	int order[8];
	int n;
};

static double bench_monotonic(void *userdata)
{
	return ((const struct bench *)userdata)->now;
}

static double real_monotonic(void *userdata)
{
	struct timespec now;

	(void)userdata;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void note(struct bench *b, int which)
{
	b->runs[which]++;
	b->order[b->n++] = which;
}

static void run_first(void *userdata)
{
	note(userdata, FIRST);
}

static void run_second(void *userdata)
{
	note(userdata, SECOND);
}

static void run_idle(void *userdata)
{
	note(userdata, IDLE);
}

static const struct schedule_work work[N] = {
	[FIRST] = {.run = run_first},
	[SECOND] = {.run = run_second},
	[IDLE] = {.run = run_idle, .idle = true},
};

static void open_bench(struct bench *b)
{
	*b = (struct bench){.now = 10};
	b->clock = (struct clock){.monotonic = bench_monotonic, .userdata = b};
	schedule_init(&b->schedule, &b->clock, work, N, b);
}

static void test_earliest_first_and_idle_last(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	assert_true(schedule_next(&b.schedule) == INFINITY);
	assert_false(schedule_run_due(&b.schedule));

	schedule_in(&b.schedule, IDLE, 0);
	schedule_in(&b.schedule, FIRST, 2);
	schedule_in(&b.schedule, SECOND, 1);
	b.now = 12;
	while (schedule_run_due(&b.schedule))
		;
	assert_int_equal(b.n, 3);
	assert_int_equal(b.order[0], SECOND);
	assert_int_equal(b.order[1], FIRST);
	assert_int_equal(b.order[2], IDLE);
	assert_false(schedule_is_pending(&b.schedule, FIRST));
}

static void test_not_before_its_time(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	schedule_in(&b.schedule, FIRST, 1);
	b.now = 10.5;
	assert_false(schedule_run_due(&b.schedule));
	schedule_at(&b.schedule, FIRST, 20);
	assert_true(schedule_next(&b.schedule) == 20);
	b.now = 11;
	assert_false(schedule_run_due(&b.schedule));
	schedule_no_later(&b.schedule, FIRST, 25);
	assert_true(schedule_next(&b.schedule) == 20);
	schedule_no_later(&b.schedule, FIRST, 15);
	assert_true(schedule_next(&b.schedule) == 15);
	schedule_cancel(&b.schedule, FIRST);
	schedule_no_later(&b.schedule, FIRST, 40);
	assert_true(schedule_next(&b.schedule) == 40);
	schedule_cancel(&b.schedule, FIRST);
	b.now = 30;
	assert_false(schedule_run_due(&b.schedule));
	assert_int_equal(b.n, 0);
}

static void test_loop(void **state)
{
	sd_event *event;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.clock.monotonic = real_monotonic;
	assert_true(sd_event_new(&event) >= 0);
	schedule_in(&b.schedule, IDLE, 0);
	assert_int_equal(schedule_attach(&b.schedule, event), 0);
	schedule_in(&b.schedule, FIRST, 0);
	while (b.n < 2)
		assert_true(sd_event_run(event, UINT64_MAX) >= 0);
	assert_int_equal(b.order[0], FIRST);
	assert_int_equal(b.order[1], IDLE);
	schedule_release(&b.schedule);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_earliest_first_and_idle_last),
		cmocka_unit_test(test_not_before_its_time),
		cmocka_unit_test(test_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
