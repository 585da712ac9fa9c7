// SPDX-License-Identifier: GPL-2.0-or-later
/* The tracker with a kernel that the test controls: memory, failed dumps, and their counters. */
#include "sa/tracker-internal.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "counting.h"

struct scripted {
	struct kernel kernel;
	struct clock clock;
	int begin, sas, policies; /* the results of a dump of them */
	int events;               /* the result of reading events */
	unsigned more;            /* number of calls before that that return 1 */
	unsigned readings;
	unsigned parts; /* of the dump, after its first one; each takes a second */
	double now;
};

static int scripted_dump(struct kernel *kernel, uint16_t type, kernel_handler handler,
			 void *userdata)
{
	const struct scripted *s = (const struct scripted *)kernel;

	(void)handler;
	(void)userdata;
	assert_int_equal(type, XFRM_MSG_GETPOLICY);
	return s->policies;
}

static int scripted_begin(struct kernel *kernel)
{
	return ((struct scripted *)kernel)->begin;
}

static int scripted_read(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct scripted *s = (struct scripted *)kernel;

	(void)handler;
	(void)userdata;
	s->now += 1;
	if (s->parts == 0)
		return s->sas;
	s->parts--;
	return 1;
}

static int scripted_events(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	(void)handler;
	(void)userdata;
	((struct scripted *)kernel)->readings++;
	if (((struct scripted *)kernel)->more == 0)
		return ((struct scripted *)kernel)->events;
	((struct scripted *)kernel)->more--;
	return 1;
}

static const struct kernel_ops ops = {
	.dump = scripted_dump,
	.dump_begin = scripted_begin,
	.dump_read = scripted_read,
	.receive_events = scripted_events,
};

static double monotonic(void *userdata)
{
	return ((const struct scripted *)userdata)->now;
}

static uint64_t realtime(void *userdata)
{
	(void)userdata;
	return 1700000000;
}

static unsigned outdated;

static void note_outdated(void *userdata)
{
	(void)userdata;
	outdated++;
}

static unsigned changed;

static void note_changed(void *userdata)
{
	(void)userdata;
	changed++;
}

static const struct tracker_callbacks callbacks = {.outdated = note_outdated,
						   .changed = note_changed};

static int open_tracker(struct scripted *s, struct tracker **ret_tracker)
{
	const struct tracker_parameters parameters = {
		.clock = &s->clock, .kernel = &s->kernel, .callbacks = &callbacks};

	*s = (struct scripted){
		.kernel.ops = &ops,
		.clock = {.monotonic = monotonic, .realtime = realtime, .userdata = s},
		.now = 1000};
	outdated = changed = 0;
	return tracker_new(&parameters, ret_tracker);
}

/* Without memory there is no tracker; a tracker frees all its memory. */
static void test_memory(void **state)
{
	struct tracker *tracker = NULL;
	struct scripted s;
	unsigned n = 1;

	(void)state;
	assert_null(tracker_free(NULL));
	live = 0;
	for (;; n++) {
		failing_in = n;
		if (open_tracker(&s, &tracker) == 0)
			break;
		assert_int_equal(failing_in, 0);
		assert_null(tracker);
		assert_int_equal(live, 0);
	}
	failing_in = 0;
	assert_true(n > 2);
	/* Added only by this test. */
	tracker_note_changed(tracker, &(struct sa_id){.spi = 1});
	tracker->spd.offloaded = calloc(1, sizeof(*tracker->spd.offloaded));
	assert_int_equal(tracker->changes.n, 1);
	assert_null(tracker_free(tracker));
	assert_int_equal(live, 0);
}

/* The kernel dropped events: during a dump of the SAs, of the policies, or at another time. */
static void test_overruns(void **state)
{
	static const struct {
		int begin, sas, policies;
		unsigned overruns;
		int result;
	} dumps[] = {{0, 0, 0, 0, 0},
		     {0, -ENOBUFS, 0, 1, -ENOBUFS},
		     {-ENOBUFS, 0, 0, 1, -ENOBUFS},
		     {0, 0, -ENOBUFS, 1, -ENOBUFS},
		     {0, -EINTR, 0, 0, -EINTR},
		     {-EINTR, 0, 0, 0, -EINTR},
		     {0, 0, -EINTR, 0, -EINTR}};
	struct tracker *tracker;
	struct scripted s;

	(void)state;
	for (size_t i = 0; i < sizeof(dumps) / sizeof(*dumps); i++) {
		assert_int_equal(open_tracker(&s, &tracker), 0);
		assert_int_equal(tracker_overruns(tracker), 0);
		s.begin = dumps[i].begin;
		s.sas = dumps[i].sas;
		s.policies = dumps[i].policies;
		assert_int_equal(tracker_dump(tracker), dumps[i].result);
		assert_int_equal(tracker_overruns(tracker), dumps[i].overruns);
		assert_false(tracker_is_stale(tracker));
		s.begin = s.sas = s.policies = 0;
		s.events = -ENOBUFS;
		assert_int_equal(tracker_read_events(tracker), -ENOBUFS);
		assert_int_equal(tracker_overruns(tracker), dumps[i].overruns + 1);
		assert_true(tracker_is_stale(tracker));
		assert_int_equal(outdated, 1);
		/* It is reported once. */
		assert_int_equal(tracker_drain_events(tracker), -ENOBUFS);
		assert_int_equal(tracker_overruns(tracker), dumps[i].overruns + 2);
		assert_int_equal(outdated, 1);
		assert_int_equal(tracker_dump(tracker), 0);
		assert_false(tracker_is_stale(tracker));
		tracker_free(tracker);
	}
}

/* More events than a limited number of rounds reads must not keep the daemon from its event
 * loop. */
static void test_events(void **state)
{
	static const struct {
		unsigned more;
		int events;
		unsigned rounds; /* calls of tracker_drain_events() */
		bool stale, stale_when_read;
		unsigned overruns;
		int result;
	} cases[] = {{0, 0, 1, false, false, 0, 0},     {2, 0, 3, false, false, 0, 0},
		     {63, 0, 64, false, false, 0, 0},   {64, 0, 64, true, false, 0, 1},
		     {1000, 0, 64, true, false, 0, 1},  {0, -ENOBUFS, 1, true, true, 1, -ENOBUFS},
		     {0, -EIO, 1, true, true, 0, -EIO}, {3, -EIO, 4, true, false, 0, -EIO}};
	struct tracker *tracker;
	struct scripted s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(open_tracker(&s, &tracker), 0);
		s.more = cases[i].more;
		s.events = cases[i].events;
		assert_int_equal(tracker_drain_events(tracker), cases[i].result);
		assert_int_equal(s.readings, cases[i].rounds);
		assert_int_equal(tracker_is_stale(tracker), cases[i].stale);
		assert_int_equal(tracker_overruns(tracker), cases[i].overruns);
		assert_int_equal(outdated, cases[i].stale);
		assert_int_equal(changed, 0);
		tracker_free(tracker);

		assert_int_equal(open_tracker(&s, &tracker), 0);
		s.more = cases[i].more;
		s.events = cases[i].events;
		tracker_note_changed(tracker, &(struct sa_id){.spi = 1});
		assert_int_equal(tracker_read_events(tracker),
				 cases[i].more > 0 ? 1 : cases[i].result);
		assert_int_equal(s.readings, 1);
		assert_int_equal(tracker_is_stale(tracker), cases[i].stale_when_read);
		assert_int_equal(outdated, cases[i].stale_when_read);
		assert_int_equal(changed, 1);
		tracker_free(tracker);
	}
}

/* The clock is read after the first part of a slice, and after each eighth one from there. */
static void test_slices(void **state)
{
	static const struct {
		double seconds;
		unsigned parts;
		double sampled_at; /* of an SA in the part after these */
	} cases[] = {{0, 1, 1001}, {0.5, 1, 1001},  {1, 1, 1001},     {1.5, 9, 1009},
		     {9, 9, 1009}, {9.5, 17, 1017}, {17.5, 25, 1025}, {INFINITY, 31, 1025}};
	struct tracker *tracker;
	struct scripted s;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(open_tracker(&s, &tracker), 0);
		s.parts = 30;
		assert_int_equal(tracker_begin_dump(tracker), 0);
		assert_int_equal(tracker_continue_dump(tracker, cases[i].seconds),
				 cases[i].parts < 31);
		assert_true(s.now == 1000 + cases[i].parts);
		assert_true(tracker->sampled_at == cases[i].sampled_at);
		tracker_free(tracker);
	}
}

/* They are returned once. */
static void test_masked(void **state)
{
	struct sa_id ids[TRACKER_MASKED_MAX] = {};
	struct tracker *tracker;
	struct scripted s;

	(void)state;
	assert_int_equal(open_tracker(&s, &tracker), 0);
	assert_int_equal(tracker_take_masked(tracker, ids), 0);
	tracker->masked[0].spi = 5;
	tracker->masked[1].spi = 6;
	tracker->n_masked = 2;
	assert_int_equal(tracker_take_masked(tracker, ids), 2);
	assert_int_equal(ids[0].spi, 5);
	assert_int_equal(ids[1].spi, 6);
	assert_int_equal(ids[2].spi, 0);
	assert_int_equal(tracker_take_masked(tracker, ids), 0);
	tracker_free(tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_memory), cmocka_unit_test(test_overruns),
		cmocka_unit_test(test_events), cmocka_unit_test(test_slices),
		cmocka_unit_test(test_masked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
