// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A dump that is read in slices. Between two slices anything may happen to the SAs, and the kernel
 * has prepared the next part before that.
 */
#include "manager-bench.h"

#define SAS 6

/* Rarely a tick, so that the tests read the slices themselves. */
static const char *const rarely =
	"mode: enforce\ninterval: 1min\nmoves-per-second: 1000\n"
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n";

/* `n` SAs are known. From now on dumps show one SA after the other, the newest first: the last of
 * `beliefs` is the first. */
static void open_sliced(struct bench *b, const char *text, struct fake_belief **beliefs, unsigned n)
{
	open_bench_with(b, text);
	for (unsigned i = 0; i < n; i++)
		beliefs[i] = add(b, (struct fake_sa_spec){
					    .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	settle(b);
	assert_int_equal(manager_dump(b->manager), 0);
	b->manager->sampling.few = 0;
	b->manager->sampling.slice = 0;
	fake_kernel_config(b->fake)->dump_part = 1;
}

static void end_dump(struct bench *b)
{
	int r;

	while ((r = manager_continue_dump(b->manager)) > 0)
		;
	assert_int_equal(r, 0);
	assert_false(tracker_is_dumping(b->manager->tracker));
	check_sums(b);
}

static void test_all(void **state)
{
	struct fake_belief *beliefs[SAS];
	unsigned slices = 1, before;
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	for (unsigned i = 0; i < SAS; i++)
		(void)fake_kernel_send(b.fake, beliefs[i], 1 + i, 100);
	before = fake_kernel_dumps(b.fake);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_true(tracker_is_dumping(b.manager->tracker));
	assert_true(is_due(&b, MANAGER_DUMP));
	settle(&b); /* not before a pause */
	/* Only one SA has been read. */
	assert_int_equal(entry(&b, beliefs[SAS - 1])->packets, SAS);
	assert_int_equal(entry(&b, beliefs[SAS - 2])->packets, 0);
	while (manager_continue_dump(b.manager) > 0)
		slices++;
	assert_int_equal(slices, SAS - 1); /* the last one ends the dump */
	for (unsigned i = 0; i < SAS; i++)
		assert_int_equal(entry(&b, beliefs[i])->packets, 1 + i);
	assert_int_equal(fake_kernel_dumps(b.fake) - before, 1);
	check_sums(&b);
	close_bench(&b);
}

/* The loop reads the slices, and ticks pass meanwhile. */
static void test_in_the_loop(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;
	unsigned before;

	(void)state;
	open_sliced(&b, rules, beliefs, SAS);
	work(&b, 1, beliefs[0]);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[0]).ifindex, NIC);
	before = fake_kernel_dumps(b.fake);
	(void)fake_kernel_send(b.fake, beliefs[1], 7, 100);
	work(&b, 0.2, NULL);
	assert_true(fake_kernel_dumps(b.fake) > before);
	assert_false(tracker_is_dumping(b.manager->tracker));
	assert_int_equal(entry(&b, beliefs[1])->packets, 7);
	assert_int_equal(told(&b, "in sync again"), 0);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The IKE daemon deletes an SA that the next part shows. */
static void test_deleted(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_int_equal(fake_ike_delete(b.fake, beliefs[SAS - 2]), 0);
	while (manager_read_events(b.manager) > 0)
		;
	tracker_read_changed(b.manager->tracker);
	assert_null(entry(&b, beliefs[SAS - 2]));
	assert_int_equal(manager_continue_dump(b.manager), 1);
	assert_null(entry(&b, beliefs[SAS - 2]));
	end_dump(&b);
	assert_int_equal(b.manager->sas->n, SAS - 1);

	/* The events are not read before the slice. */
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_int_equal(fake_ike_delete(b.fake, beliefs[SAS - 3]), 0);
	assert_int_equal(manager_continue_dump(b.manager), 1);
	assert_null(entry(&b, beliefs[SAS - 3]));
	end_dump(&b);
	close_bench(&b);
}

/* An SA that was deleted after the dump had shown it is removed by the event. One that was made
 * after the dump began is not missing. */
static void test_made_meanwhile(void **state)
{
	struct fake_belief *beliefs[SAS], *made;
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_int_equal(fake_ike_delete(b.fake, beliefs[SAS - 1]), 0);
	made = add(&b, (struct fake_sa_spec){.spi = 0x2001, .peer = 50, .reqid = 50});
	while (manager_read_events(b.manager) > 0)
		;
	tracker_read_changed(b.manager->tracker);
	end_dump(&b);
	assert_null(entry(&b, beliefs[SAS - 1]));
	assert_non_null(entry(&b, made));
	assert_int_equal(b.manager->sas->n, SAS);
	close_bench(&b);
}

/* The next part shows the SA in software, and meanwhile the daemon moved it into the NIC. */
static void test_moved(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct sa_offload target = {.ifindex = NIC};
	struct move move = {};
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	move.id = fake_belief_id(beliefs[SAS - 2]);
	move.target = target;
	migrator_run(b.manager->migrator, &move);
	assert_int_equal(move.result, MOVE_RESULT_DONE);
	assert_int_equal(ownership_add(b.ownership, &move.id, NIC, move.facts.add_time), 0);
	tracker_handle_facts(b.manager->tracker, &move.facts);
	assert_true(sa_is_resident(entry(&b, beliefs[SAS - 2])));

	assert_int_equal(manager_continue_dump(b.manager), 1);
	assert_true(sa_is_resident(entry(&b, beliefs[SAS - 2])));
	end_dump(&b);
	assert_true(sa_is_resident(entry(&b, beliefs[SAS - 2])));
	assert_int_equal(b.manager->sas->n, SAS);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The counters are those of the time when they are read. */
static void test_counters(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	b.now += 2;
	(void)fake_kernel_send(b.fake, beliefs[SAS - 2], 100, 1000);
	assert_int_equal(manager_continue_dump(b.manager), 1);
	assert_int_equal(entry(&b, beliefs[SAS - 2])->packets, 100);
	end_dump(&b);
	close_bench(&b);
}

/* An SA in a NIC keeps a shadow that is not taken for newer than it is. */
static void test_shadow(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;
	double begun;

	(void)state;
	open_sliced(&b, rules, beliefs, SAS);
	work(&b, 1, beliefs[SAS - 3]);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[SAS - 3]).ifindex, NIC);
	while (tracker_is_dumping(b.manager->tracker))
		(void)manager_continue_dump(b.manager);
	assert_int_equal(manager_begin_dump(b.manager), 1); /* it is the first in the dump now */
	begun = b.now;
	b.now += 1;
	(void)fake_kernel_send(b.fake, beliefs[SAS - 3], 1, 1000);
	assert_true(entry(&b, beliefs[SAS - 3])->shadow->sampled_at <= begun);
	end_dump(&b);
	assert_true(entry(&b, beliefs[SAS - 3])->shadow->sampled_at <= begun);

	/* A part in the middle of a slice was prepared after the beginning of the slice. */
	for (unsigned i = 0; i < 2; i++)
		(void)add(&b,
			  (struct fake_sa_spec){.spi = 0x2001 + i, .peer = 50, .reqid = 50 + i});
	settle(&b);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	b.now += 1;
	b.manager->sampling.slice = 60;
	assert_int_equal(manager_continue_dump(b.manager), 0);
	assert_true(entry(&b, beliefs[SAS - 3])->shadow->sampled_at == b.now);
	close_bench(&b);
}

/* Events are lost during a dump: it cannot make the tracker current, the next one can. */
static void test_lost_events(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	fake_kernel_overrun(b.fake);
	while (manager_read_events(b.manager) > 0)
		;
	assert_true(tracker_is_stale(b.manager->tracker));
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_true(tracker_is_stale(b.manager->tracker));
	fake_kernel_overrun(b.fake);
	while (manager_read_events(b.manager) > 0)
		;
	end_dump(&b);
	assert_true(tracker_is_stale(b.manager->tracker));
	assert_int_equal(manager_begin_dump(b.manager), 1);
	end_dump(&b);
	assert_false(tracker_is_stale(b.manager->tracker));
	close_bench(&b);
}

/* The same in the loop: nothing is moved until the second dump is complete, and the first one is
 * not begun again. */
static void test_lost_events_in_the_loop(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;
	unsigned dumps;

	(void)state;
	open_sliced(&b, rules, beliefs, SAS);
	fake_kernel_overrun(b.fake);
	while (manager_read_events(b.manager) > 0)
		;
	dumps = fake_kernel_dumps(b.fake);
	manager_tick(b.manager);
	assert_true(tracker_is_dumping(b.manager->tracker));
	fake_kernel_overrun(b.fake);
	while (manager_read_events(b.manager) > 0)
		;
	manager_tick(b.manager);
	assert_int_equal(fake_kernel_dumps(b.fake) - dumps, 1);
	work(&b, 0.05, beliefs[0]); /* the first dump ends */
	work(&b, 0.2, beliefs[0]);
	assert_false(tracker_is_stale(b.manager->tracker));
	assert_int_equal(b.manager->resyncs, 1);
	close_bench(&b);
}

/* A dump fails halfway: nothing is removed, and the next tick begins a new one. */
static void test_failure(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	open_sliced(&b, rules, beliefs, SAS);
	fake_kernel_fail_dumps(b.fake, 1, -ENOMEM, true);
	b.now += 1;
	manager_tick(b.manager);
	assert_true(tracker_is_dumping(b.manager->tracker));
	pass(&b, 0.01);
	assert_false(tracker_is_dumping(b.manager->tracker));
	assert_true(tracker_is_stale(b.manager->tracker));
	assert_int_equal(told(&b, "Cannot allocate memory"), 1);
	assert_int_equal(b.manager->sas->n, SAS);
	work(&b, 0.3, NULL);
	assert_false(tracker_is_stale(b.manager->tracker));
	close_bench(&b);
}

/* A reading of all SAs at once ends one that is in progress. */
static void test_begun_again(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	(void)fake_kernel_send(b.fake, beliefs[0], 3, 100);
	fake_kernel_restart_counts(b.fake);
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_GETSA), 0);
	assert_false(tracker_is_dumping(b.manager->tracker));
	assert_int_equal(entry(&b, beliefs[0])->packets, 3);
	check_sums(&b);
	/* The slice that was scheduled has nothing to do. */
	tracker_set_stale(b.manager->tracker);
	assert_true(is_due(&b, MANAGER_DUMP));
	pass(&b, 0.01);
	assert_false(is_due(&b, MANAGER_DUMP));
	assert_true(tracker_is_stale(b.manager->tracker));
	close_bench(&b);
}

/* Entries that the dump did not show are asked for in slices too. */
static void test_missing(void **state)
{
	struct fake_belief *beliefs[3 * KERNEL_BATCH_MESSAGES + 2];
	struct bench b;
	unsigned slices = 0;

	(void)state;
	open_sliced(&b, rarely, beliefs, ELEMENTSOF(beliefs));
	for (unsigned i = 0; i < ELEMENTSOF(beliefs) - 1; i++)
		assert_int_equal(fake_ike_delete(b.fake, beliefs[i]), 0);
	fake_kernel_overrun(b.fake);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_int_equal(b.manager->sas->n, ELEMENTSOF(beliefs) - KERNEL_BATCH_MESSAGES);
	while (manager_continue_dump(b.manager) > 0)
		slices++;
	assert_int_equal(slices, 2);
	assert_int_equal(b.manager->sas->n, 1);
	check_sums(&b);
	close_bench(&b);
}

static int show_early(struct bench *b, const struct sa *sa, bool larval)
{
	struct sa_facts facts = {.description = sa->description,
				 .shape = *sa->shape,
				 .add_time = sa->add_time,
				 .hands_off = larval ? HANDS_OFF_LARVAL : HANDS_OFF_NONE};

	return tracker_observe_early(b->manager->tracker, &facts);
}

/* A larval SA with the identity of an SA is noted in whatever order, and in whatever part, they are
 * shown. GETSA is not used where it could show the larval one. */
static void test_masked(void **state)
{
	struct fake_belief *belief;
	struct tracker *tracker;
	struct sa_id id;
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, &belief, 1);
	tracker = b.manager->tracker;
	tracker->dumping = tracker->reading_all = true;
	/* The larval one first. */
	tracker->generation++;
	tracker->n_shown = 0;
	assert_false(show_early(&b, entry(&b, belief), true));
	assert_int_equal(tracker->n_masked, 0);
	assert_false(show_early(&b, entry(&b, belief), false));
	assert_int_equal(tracker->n_masked, 1);
	assert_int_equal(tracker->n_shown, 1);
	/* The larval one last. The SA is read again later. */
	tracker->n_masked = 0;
	tracker->generation++;
	tracker->n_shown = 0;
	assert_true(show_early(&b, entry(&b, belief), false));
	assert_false(show_early(&b, entry(&b, belief), true));
	assert_int_equal(tracker->n_masked, 0);
	tracker->dumping = false;
	id = fake_belief_id(belief);
	tracker_read_again(tracker, &id, 1);
	assert_int_equal(tracker->n_masked, 1);
	tracker->reading_all = false;
	close_bench(&b);
}

/* The sums of the load are those of a dump that is read at once. */
static void test_load(void **state)
{
	struct fake_belief *beliefs[SAS];
	double all;
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	for (unsigned round = 0; round < 3; round++) {
		b.now += 1;
		for (unsigned i = 0; i < SAS; i++)
			(void)fake_kernel_send(b.fake, beliefs[i], 10, 1000);
		fake_kernel_config(b.fake)->dump_part = 0;
		assert_int_equal(manager_dump(b.manager), 0);
	}
	all = b.manager->load.sums.all;
	assert_true(all > 0);
	b.now += 1;
	for (unsigned i = 0; i < SAS; i++)
		(void)fake_kernel_send(b.fake, beliefs[i], 10, 1000);
	fake_kernel_config(b.fake)->dump_part = 1;
	assert_int_equal(manager_begin_dump(b.manager), 1);
	assert_true(b.manager->load.sums.all == all); /* until the end of the dump */
	end_dump(&b);
	assert_true(b.manager->load.sums.all > 0.99 * all && b.manager->load.sums.all < 1.01 * all);
	close_bench(&b);
}

/* A reload that replaces the policy during a dump. */
static void test_reload(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	open_sliced(&b, rules, beliefs, SAS);
	work(&b, 1, beliefs[0]);
	manager_tick(b.manager);
	apply(&b, "mode: observe\ninterval: 100ms\n"
		  "nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n");
	work(&b, 1, beliefs[0]);
	apply(&b, rules);
	work(&b, 2, beliefs[0]);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[0]).ifindex, NIC);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_in_the_loop),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_made_meanwhile),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_shadow),
		cmocka_unit_test(test_lost_events),
		cmocka_unit_test(test_lost_events_in_the_loop),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_begun_again),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_masked),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
