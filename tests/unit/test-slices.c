// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A dump that is read in slices. Between two slices anything may happen to the SAs, and the kernel
 * has prepared the next part before that.
 */
#include "fake-internal.h"
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

/* An exchange takes half a second. */
static void wait_before_exchange(struct fake_kernel *k, enum fake_moment moment, unsigned step,
				 void *userdata)
{
	(void)k;
	(void)step;
	if (moment == FAKE_BEFORE_TRANSACT)
		((struct bench *)userdata)->now += 0.5;
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
	/* It is in the third part, and the SA of the second one is read again before that. */
	begun = b.now;
	fake_kernel_set_hook(b.fake, wait_before_exchange, &b);
	assert_int_equal(manager_continue_dump(b.manager), 0);
	assert_true(b.now > begun);
	assert_true(entry(&b, beliefs[SAS - 3])->shadow->sampled_at == begun);
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
	pass(&b, 0.02);
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
	pass(&b, 0.02);
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

/* The larval SA of a packet, with the identity of the newest SA. It is the newest then. */
static void insert_larval(struct bench *b)
{
	struct fake_sa *larval = fake_sa_copy(b->fake->sas);

	assert_non_null(larval);
	larval->state = FAKE_LARVAL;
	fake_attribute_clear(larval, XFRMA_ALG_AEAD);
	fake_insert(b->fake, larval);
}

/* The part after a pause shows an SA and a larval SA with its identity: both, one after the other
 * in any order, or only the second one. They are noted, and the SA is not asked for if GETSA would
 * show the larval one. */
static void test_masked(void **state)
{
	static const struct {
		unsigned part; /* SAs */
		bool larval_first;
		unsigned requests;
	} cases[] = {{1, true, 0}, {2, true, 0}, {1, false, 0}, {2, false, 1}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *beliefs[SAS];
		struct fake_sa *sa;
		struct bench b;
		unsigned n;

		/* Newest first: two parts, and then these two. */
		open_sliced(&b, rarely, beliefs, SAS);
		insert_larval(&b);
		if (!cases[i].larval_first) {
			sa = b.fake->sas->next;
			fake_unlink(b.fake, sa);
			fake_insert(b.fake, sa);
		}
		for (unsigned j = 0; j < cases[i].part; j++)
			(void)add(&b, (struct fake_sa_spec){
					      .spi = 0x2001 + j, .peer = 50 + j, .reqid = 50});
		settle(&b);
		fake_kernel_config(b.fake)->dump_part = cases[i].part;
		assert_int_equal(manager_begin_dump(b.manager), 1);
		n = fake_kernel_messages(b.fake, XFRM_MSG_GETSA);
		b.now += 1;
		assert_int_equal(manager_continue_dump(b.manager), 1);
		if (cases[i].part == 1)
			assert_int_equal(manager_continue_dump(b.manager), 1);
		assert_int_equal(b.manager->tracker->n_masked, 1);
		assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_GETSA) - n,
				 cases[i].requests +
					 (!cases[i].larval_first && cases[i].part == 1));
		assert_int_equal(entry(&b, beliefs[SAS - 1])->hands_off, HANDS_OFF_NONE);
		end_dump(&b);
		assert_int_equal(b.manager->sas->n, SAS + cases[i].part);
		close_bench(&b);
	}
}

/* A larval SA without another SA is known from that part, too. */
static void test_larval(void **state)
{
	struct fake_belief *beliefs[SAS];
	const struct sa *sa;
	struct sa_id id;
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	assert_int_equal(fake_ike_reserve(b.fake, beliefs[0], 0x3001), 0);
	(void)add(&b, (struct fake_sa_spec){.spi = 0x2001, .peer = 50, .reqid = 50});
	assert_int_equal(manager_begin_dump(b.manager), 1);
	fake_kernel_restart_counts(b.fake);
	b.now += 1;
	assert_int_equal(manager_continue_dump(b.manager), 1);
	assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_GETSA), 0);
	id = fake_belief_id(beliefs[0]);
	id.spi = 0x3001;
	sa = sa_table_find(b.manager->sas, &id);
	assert_non_null(sa);
	assert_int_equal(sa->hands_off, HANDS_OFF_LARVAL);
	assert_true(sa->residence.since == b.now);
	end_dump(&b);
	close_bench(&b);
}

/* A dump shows the larval SA of a group of moves that waits. It gets no entry. */
static void test_guard(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct bench b;

	(void)state;
	for (unsigned newer = 0; newer < 2; newer++) {
		struct sa_id id;

		open_sliced(&b, rarely, beliefs, SAS);
		id = fake_belief_id(beliefs[0]);
		migrator_guard(b.manager->migrator, &id, 1);
		assert_int_equal(fake_kernel_larvals_of_daemon(b.fake), 1);
		/* In the first part, or in the one after a pause. */
		for (unsigned i = 0; i < newer; i++)
			(void)add(&b,
				  (struct fake_sa_spec){.spi = 0x2001, .peer = 50, .reqid = 50});
		settle(&b);
		assert_int_equal(manager_begin_dump(b.manager), 1);
		end_dump(&b);
		assert_int_equal(b.manager->sas->n, SAS + newer);
		close_bench(&b);
	}
}

static const struct kernel_ops *real;

/* Before the part: a message of another type, and one that cannot be read. */
static int read_with_odd(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct {
		struct nlmsghdr header;
		struct xfrm_user_expire expire;
	} odd = {.header = {.nlmsg_len = sizeof(odd), .nlmsg_type = XFRM_MSG_EXPIRE}};

	assert_int_equal(handler(&odd.header, true, userdata), 0);
	odd.header.nlmsg_type = XFRM_MSG_NEWSA;
	odd.header.nlmsg_len = sizeof(odd.header);
	assert_int_equal(handler(&odd.header, true, userdata), 0);
	return real->dump_read(kernel, handler, userdata);
}

static void test_odd_messages(void **state)
{
	struct fake_belief *beliefs[SAS];
	struct kernel_ops ops;
	struct kernel *kernel;
	struct bench b;

	(void)state;
	open_sliced(&b, rarely, beliefs, SAS);
	kernel = b.manager->environment.kernel;
	real = kernel->ops;
	ops = *real;
	ops.dump_read = read_with_odd;
	kernel->ops = &ops;
	fake_kernel_restart_counts(b.fake);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	end_dump(&b);
	assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_GETSA), SAS - 1);
	assert_int_equal(b.manager->sas->n, SAS);
	close_bench(&b);
}

/* The sums of the load are those of a dump that is read at once. */
static void test_load(void **state)
{
	struct fake_belief *beliefs[SAS];
	double all, spacing;
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
	b.manager->sampling.took = 0.1;
	assert_true(all > 0);
	b.now += 1;
	for (unsigned i = 0; i < SAS; i++)
		(void)fake_kernel_send(b.fake, beliefs[i], 10, 1000);
	fake_kernel_config(b.fake)->dump_part = 1;
	spacing = sampling_spacing(&b.manager->sampling, b.manager->sas, 0.1);
	assert_int_equal(manager_begin_dump(b.manager), 1);
	/* Until the end of the dump. */
	assert_true(b.manager->load.sums.all == all);
	assert_true(sampling_spacing(&b.manager->sampling, b.manager->sas, 0.1) == spacing);
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
		cmocka_unit_test(test_larval),
		cmocka_unit_test(test_guard),
		cmocka_unit_test(test_odd_messages),
		cmocka_unit_test(test_load),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
