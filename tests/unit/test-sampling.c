// SPDX-License-Identifier: GPL-2.0-or-later
/* If a dump of all SAs takes long, only the SAs that matter are read in the ticks between two
 * dumps. */
#include "manager-bench.h"

#include "placement/sampling.h"

/* A dump takes `takes` seconds, and is read in one slice. */
static struct {
	struct bench *bench;
	const struct kernel_ops *real;
	struct kernel_ops ops;
	double takes;
} slow;

static int slow_read(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	int r = slow.real->dump_read(kernel, handler, userdata);

	slow.bench->now += slow.takes;
	return r;
}

static void open_slow(struct bench *b, const char *text, double takes)
{
	struct kernel *kernel;

	open_bench_with(b, text);
	kernel = b->manager->environment.kernel;
	slow.bench = b;
	slow.real = kernel->ops;
	slow.ops = *kernel->ops;
	slow.ops.dump_read = slow_read;
	slow.takes = takes;
	kernel->ops = &slow.ops;
	b->manager->sampling.few = 0;
}

/* The number of dumps in `seconds`, while the SA is busy. */
static unsigned dumps_in(struct bench *b, double seconds, struct fake_belief *busy)
{
	unsigned before = fake_kernel_dumps(b->fake);

	work(b, seconds, busy);
	return fake_kernel_dumps(b->fake) - before;
}

static struct sa *add_entry(struct sa_table *table, policy_sa handle, int ifindex)
{
	struct sa_description description = {.id.spi = 0x1000 + handle};
	struct sa_shape shape = {};
	struct sa *sa;

	assert_int_equal(sa_table_add(table, &description, &shape, &sa), 0);
	assert_int_equal(sa_table_set_handle(table, sa, handle), 0);
	sa_table_set_residence(table, sa, ifindex, false);
	return sa;
}

/* A busy SA is in the NIC, and a dump has just ended. */
static struct fake_belief *open_after_dump(struct bench *b)
{
	struct fake_belief *busy;

	open_slow(b, rules, 0.1);
	busy = add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(b, 12, busy);
	assert_int_equal(fake_kernel_view(b->fake, busy).ifindex, NIC);
	while (dumps_in(b, 0.1, busy) == 0)
		;
	return busy;
}

static void test_spacing(void **state)
{
	static const struct {
		double takes;
		unsigned min, max; /* dumps in 30 s, of ticks of 100 ms */
		double spacing;
	} cases[] = {{0, 295, 301, 0.1},
		     {0.0015, 285, 301, 0.1},
		     {0.02, 28, 31, 1},
		     {0.1, 5, 7, 5},
		     {1, 3, 4, 10}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct bench b;
		unsigned n;

		open_slow(&b, rules, cases[i].takes);
		(void)add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
		work(&b, 1, NULL);
		n = dumps_in(&b, 30, NULL);
		if (n < cases[i].min || n > cases[i].max)
			fail_msg("%g s: %u dumps", cases[i].takes, n);
		assert_float_equal(sampling_spacing(&b.manager->sampling, b.manager->sas, 0.1),
				   cases[i].spacing, 1e-3);
		close_bench(&b);
	}
}

/* Between two dumps an SA in a NIC is sampled at each tick, with its shadow, and an idle one not at
 * all. */
static void test_residents(void **state)
{
	struct fake_belief *busy, *idle;
	struct bench b;
	double at;

	(void)state;
	open_slow(&b, rules, 0.1);
	idle = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 12, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	while (dumps_in(&b, 0.1, busy) == 0)
		;
	work(&b, 0.3, busy);
	at = b.now;
	assert_int_equal(dumps_in(&b, 2, busy), 0);
	assert_true(entry(&b, busy)->shadow->sampled_at > at + 1.8);
	/* As of the last tick. */
	assert_in_range(fake_kernel_view(b.fake, busy).current.packets, entry(&b, busy)->packets,
			entry(&b, busy)->packets + 300);
	assert_true(entry(&b, busy)->sampled_often);
	assert_false(entry(&b, idle)->sampled_often);
	assert_true(policy_sa_rate(b.manager->policy, entry(&b, busy)->handle).last > 2e6);

	/* The next dump shows the counter of the idle SA, and it is promoted soon. */
	(void)fake_kernel_send(b.fake, idle, 1000, 1000);
	assert_int_equal(dumps_in(&b, 0.3, idle), 0);
	assert_int_equal(entry(&b, idle)->packets, 0);
	work(&b, 6, idle);
	assert_int_equal(fake_kernel_view(b.fake, idle).ifindex, NIC);
	close_bench(&b);
}

/* Between two dumps the daemon notices that an SA was lost with its NIC. */
static void test_missing_resident(void **state)
{
	struct fake_belief *busy;
	struct bench b;

	(void)state;
	busy = open_after_dump(&b);
	fall(&b);
	assert_int_equal(dumps_in(&b, 0.2, NULL), 0);
	assert_true(entry(&b, busy)->presence.missing_since > 0);
	close_bench(&b);
}

/* After events were lost, and with a new policy, the next tick is a dump. */
static void test_at_once(void **state)
{
	struct fake_belief *busy;
	struct bench b;

	(void)state;
	busy = open_after_dump(&b);
	fake_kernel_overrun(b.fake);
	assert_int_equal(dumps_in(&b, 0.6, busy), 1);
	apply(&b, "mode: observe\ninterval: 100ms\n"
		  "nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n");
	assert_int_equal(dumps_in(&b, 0.3, busy), 1);
	assert_true(entry(&b, busy)->sampled_often);

	/* A failed dump is repeated. */
	while (dumps_in(&b, 0.1, busy) == 0)
		;
	fake_kernel_fail_dumps(b.fake, 1, -ENOMEM, true);
	fake_kernel_overrun(b.fake);
	work(&b, 1, busy);
	assert_false(tracker_is_stale(b.manager->tracker));
	close_bench(&b);
}

/* A new SA is sampled a second time at the next tick: it may carry something already. */
static void test_new_ones(void **state)
{
	struct fake_belief *new;
	struct bench b;
	unsigned dumps;

	(void)state;
	(void)open_after_dump(&b);
	new = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	dumps = fake_kernel_dumps(b.fake);
	pass(&b, 0.01);
	assert_int_equal(entry(&b, new)->candidate.candidacy, CANDIDACY_IDLE);
	work(&b, 0.5, new);
	assert_int_equal(fake_kernel_view(b.fake, new).ifindex, NIC);
	assert_int_equal(fake_kernel_dumps(b.fake), dumps);
	close_bench(&b);
}

/* Of few SAs all are read at each tick, however long that takes. */
static void test_few(void **state)
{
	struct bench b;

	(void)state;
	open_slow(&b, rules, 0.05);
	b.manager->sampling.few = 2;
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	work(&b, 2, NULL);
	assert_true(dumps_in(&b, 10, NULL) > 45);
	assert_true(sampling_spacing(&b.manager->sampling, b.manager->sas, 0.1) == 0.1);
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1003, .peer = 12, .reqid = 3});
	work(&b, 2, NULL);
	assert_in_range(dumps_in(&b, 10, NULL), 3, 5);
	close_bench(&b);
}

/* A tick that takes longer than the interval leaves time for idle work. */
static void test_long_tick(void **state)
{
	struct schedule *schedule;
	struct bench b;

	(void)state;
	open_slow(&b, rules, 2);
	b.manager->sampling.few = 100;
	schedule = &b.manager->schedule;
	b.now = schedule->due[MANAGER_TICK];
	assert_true(schedule_run_due(schedule));
	assert_float_equal(schedule->due[MANAGER_TICK] - b.now, 0.1, 1e-3);
	slow.takes = 0.05;
	b.now = schedule->due[MANAGER_TICK];
	assert_true(schedule_run_due(schedule));
	assert_float_equal(schedule->due[MANAGER_TICK] - b.now, 0.05, 1e-3);
	close_bench(&b);
}

/* Events are lost all the time: dumps leave the daemon four fifths of it, and the next dump after
 * that makes it current. */
static void test_resync_pause(void **state)
{
	struct fake_belief *busy;
	unsigned before;
	struct bench b;

	(void)state;
	open_slow(&b, rules, 0.1);
	busy = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(&b, 12, busy);
	before = fake_kernel_dumps(b.fake);
	for (unsigned i = 0; i < 500; i++) {
		fake_kernel_overrun(b.fake);
		work(&b, 0.02, busy);
	}
	assert_in_range(fake_kernel_dumps(b.fake) - before, 15, 21);
	assert_true(entry(&b, busy)->shadow->sampled_at > b.now - 0.3);
	work(&b, 0.6, busy);
	assert_false(tracker_is_stale(b.manager->tracker));
	close_bench(&b);
}

/* However long the interval is, all is known again right after the pause. */
static void test_resync_in_time(void **state)
{
	static const char text[] =
		"mode: enforce\ninterval: 1min\n"
		"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n";
	struct bench b;

	(void)state;
	open_slow(&b, text, 0.1);
	assert_int_equal(manager_dump(b.manager), 0);
	fake_kernel_overrun(b.fake);
	work(&b, 0.3, NULL);
	assert_true(tracker_is_stale(b.manager->tracker));
	work(&b, 0.3, NULL);
	assert_false(tracker_is_stale(b.manager->tracker));
	close_bench(&b);
}

/* With more SAs in NICs than can be read one by one, each tick is a dump. */
static void test_many_residents(void **state)
{
	static struct sampling sampling;
	struct sa_table table;

	(void)state;
	assert_int_equal(sa_table_init(&table), 0);
	for (policy_sa i = 0; i < SAMPLING_RESIDENTS_MAX; i++)
		(void)add_entry(&table, i, NIC);
	sampling_begin_dump(&sampling, 0);
	sampling_note_slice(&sampling, 1);
	sampling_end_dump(&sampling, 1, 1);
	assert_false(sampling_dump_is_due(&sampling, &table, 5, 1));
	(void)add_entry(&table, SAMPLING_RESIDENTS_MAX, NIC);
	assert_true(sampling_dump_is_due(&sampling, &table, 5, 1));
	sa_table_release(&table);
}

static policy_sa add_to_policy(struct policy *policy, unsigned lineage)
{
	const struct policy_sa_config config = {.table = 0, .weight = 1};
	policy_sa handle;

	assert_int_equal(
		policy_sa_add(policy, &config, &lineage, sizeof(lineage), false, 0, &handle), 0);
	return handle;
}

/* Two samples without traffic: the SA no longer matters. */
static void idle(struct policy *policy, policy_sa handle)
{
	policy_sa_observe(policy, handle, 0, 0, 1);
	policy_sa_observe(policy, handle, 0, 0, 2);
	assert_false(policy_sa_matters(policy, handle));
}

/* There is room for residents with any number of outsiders that matter; no SA is listed twice, or
 * after it is gone or no longer matters. */
static void test_bounds(void **state)
{
	struct policy_parameters parameters = policy_parameters_default();
	static struct sa_id ids[SAMPLING_RESIDENTS_MAX + SAMPLING_OUTSIDERS_MAX];
	static struct sampling sampling;
	policy_table only;
	struct policy *policy;
	struct sa_table table;
	policy_sa first = POLICY_NONE, handle;
	unsigned n = 0;
	struct sa *sa = NULL;

	(void)state;
	assert_int_equal(policy_new(&parameters, &policy), 0);
	assert_int_equal(
		policy_table_add(policy, &(struct policy_table_config){.capacity = 8}, &only), 0);
	assert_int_equal(only, 0);
	assert_int_equal(sa_table_init(&table), 0);
	for (unsigned i = 0; i < SAMPLING_OUTSIDERS_MAX + 10; i++) {
		handle = add_to_policy(policy, n++);
		first = i == 0 ? handle : first;
		sa = add_entry(&table, handle, 0);
		sampling_note(&sampling, sa);
		sampling_note(&sampling, sa);
	}
	assert_false(sa->sampled_often);
	assert_int_equal(sampling_list(&sampling, &table, policy, ids), SAMPLING_OUTSIDERS_MAX);
	for (unsigned i = 0; i < SAMPLING_RESIDENTS_MAX + 10; i++) {
		sa = add_entry(&table, add_to_policy(policy, n++), NIC);
		sampling_note(&sampling, sa);
		handle = i == 0 ? sa->handle : handle;
	}
	assert_false(sa->sampled_often);
	assert_int_equal(sampling_list(&sampling, &table, policy, ids), ELEMENTSOF(ids));
	assert_int_equal(ids[0].spi, 0x1000 + handle); /* residents first */

	sa_table_remove(&table, sa_table_by_handle(&table, first));
	sa_table_remove(&table, sa_table_by_handle(&table, first + 1));
	assert_int_equal(sampling_list(&sampling, &table, policy, ids), ELEMENTSOF(ids) - 2);
	/* Another SA gets the handle, and is noted too. */
	for (unsigned i = 0; i < 2; i++) {
		sa = add_entry(&table, first, 0);
		sampling_note(&sampling, sa);
		if (i == 0)
			sa_table_remove(&table, sa);
	}
	assert_int_equal(sampling_list(&sampling, &table, policy, ids), ELEMENTSOF(ids) - 1);

	/* It makes room for one that was not noted before. */
	idle(policy, first);
	assert_int_equal(sampling_list(&sampling, &table, policy, ids), ELEMENTSOF(ids) - 2);
	assert_false(sa->sampled_often);
	sa = sa_table_by_handle(&table, first + SAMPLING_OUTSIDERS_MAX + 1);
	assert_false(sa->sampled_often);
	sampling_note(&sampling, sa);
	assert_true(sa->sampled_often);

	sampling_forget(&sampling, &table);
	TAILQ_FOREACH(sa, &table.all, list)
		assert_false(sa->sampled_often);
	assert_int_equal(sampling_list(&sampling, &table, policy, ids), 0);
	sa_table_release(&table);
	policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spacing),          cmocka_unit_test(test_residents),
		cmocka_unit_test(test_missing_resident), cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_new_ones),         cmocka_unit_test(test_few),
		cmocka_unit_test(test_long_tick),        cmocka_unit_test(test_resync_pause),
		cmocka_unit_test(test_resync_in_time),   cmocka_unit_test(test_many_residents),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
