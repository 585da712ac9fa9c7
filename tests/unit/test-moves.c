// SPDX-License-Identifier: GPL-2.0-or-later
/* The effects of a move: recorded refusals, counters, messages. */
#include "manager-bench.h"

#include <sys/stat.h>

static const char *const quick_retry = "mode: enforce\n"
				       "interval: 100ms\n"
				       "moves-per-second: 1000\n"
				       "retry-refused: 10s\n"
				       "nics:\n"
				       "  - match: {name: eth0}\n"
				       "    allow: true\n"
				       "    trusted: true\n"
				       "    capacity: 4\n"
				       "rules: [{on-reject: retry}]\n";

static bool is_refused(struct bench *b, struct fake_belief *belief, const char **ret_text)
{
	assert_int_equal(entry(b, belief)->candidate.ifindex, NIC);
	return nics_have_refused(b->manager->nics, entry(b, belief), ret_text);
}

/* The driver refuses the next SAs with this error. */
static struct fake_nic *refuse(struct bench *b, int error, unsigned n)
{
	struct fake_nic *nic = fake_kernel_nic(b->fake, NIC);

	nic->fail_error = error;
	nic->fail_adds = n;
	return nic;
}

/* The driver's error text, and the time until the next attempt, which doubles. */
static void test_refused(void **state)
{
	struct fake_belief *belief, *other;
	const char *text = NULL;
	struct fake_nic *nic;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	nic = refuse(&b, -EINVAL, 1000);
	nic->fail_text = "not this one";
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	assert_int_equal(b.manager->refused, 1);
	assert_int_equal(b.manager->promoted, 0);
	assert_int_equal(b.manager->failed, 0);
	assert_true(is_refused(&b, belief, &text));
	assert_string_equal(text, "not this one");
	assert_true(is_refused(&b, belief, NULL));
	assert_string_equal(entry(&b, belief)->refusal, "not this one");

	/* The refusal does not hold for another NIC or another shape. */
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2, .esn = true});
	pass(&b, 0.3);
	assert_false(is_refused(&b, other, NULL));
	assert_false(refusals_hold(nics_refusals(b.manager->nics), NIC + 1,
				   entry(&b, belief)->shape, false, manager_now(b.manager), NULL));
	assert_int_equal(fake_ike_delete(b.fake, other), 0);

	/* After 10, 20 and 40 seconds. */
	work(&b, 8.0, belief);
	assert_int_equal(b.manager->refused, 1);
	work(&b, 3.0, belief);
	assert_int_equal(b.manager->refused, 2);
	work(&b, 17.0, belief);
	assert_int_equal(b.manager->refused, 2);
	work(&b, 5.0, belief);
	assert_int_equal(b.manager->refused, 3);
	nic->fail_adds = 0;
	work(&b, 35.0, belief);
	assert_int_equal(b.manager->refused, 3);
	assert_int_equal(b.manager->promoted, 0);
	work(&b, 8.0, belief);
	assert_int_equal(b.manager->promoted, 1);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_false(is_refused(&b, belief, NULL));
	assert_null(entry(&b, belief)->refusal);
	close_bench(&b);
}

/* Each carries something for 25 times 100 ms. */
static void work_in_turn(struct bench *b, struct fake_belief *const *beliefs, size_t n)
{
	for (unsigned i = 0; i < 25; i++)
		for (size_t j = 0; j < n; j++)
			work(b, 0.1, beliefs[j]);
}

/* The driver refuses one SA. The others of its shape are known already, and a plan may have them.
 */
static void test_refused_shape(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	(void)refuse(&b, -EINVAL, 1);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	work_in_turn(&b, beliefs, ELEMENTSOF(beliefs));
	assert_int_equal(b.manager->refused, 1);
	assert_int_equal(b.manager->promoted, 0);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_int_equal(entry(&b, beliefs[i])->candidate.candidacy,
				 CANDIDACY_REFUSED_SHAPE);
	work_in_turn(&b, beliefs, ELEMENTSOF(beliefs));
	assert_int_equal(b.manager->refused, 1);
	assert_int_equal(b.manager->promoted, ELEMENTSOF(beliefs));
	close_bench(&b);
}

/* Whether the driver was asked once more, and refused. */
static void check_asked(struct bench *b, struct fake_belief *belief, unsigned *refused, bool asked)
{
	*refused += asked;
	work(b, 7.0, belief);
	assert_int_equal(b->manager->refused, *refused);
	assert_int_equal(entry(b, belief)->candidate.candidacy, CANDIDACY_REFUSED_SHAPE);
}

/* By default the driver is not asked again, neither after hours nor for the SA's successor, until
 * the configuration is loaded again or the NIC changes. Then it is asked at once, and once. */
static void test_refused_for_good(void **state)
{
	struct fake_belief *belief, *successor;
	struct fake_nic *nic;
	unsigned refused = 0;
	struct bench b;

	(void)state;
	open_bench(&b);
	nic = refuse(&b, -EINVAL, 1000);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	check_asked(&b, belief, &refused, true);
	b.now += 5 * 3600.0;
	check_asked(&b, belief, &refused, false);
	assert_int_equal(fake_ike_rekey(b.fake, belief, 0x2001, &successor), 0);
	check_asked(&b, successor, &refused, false);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);

	apply(&b, rules);
	check_asked(&b, successor, &refused, true);
	tell_link(&b, false);
	tell_link(&b, true);
	check_asked(&b, successor, &refused, true);
	/* A change of another NIC does not count. */
	add_other_nic(&b);
	tell_link_of(&b, &b.nics[1], false);
	check_asked(&b, successor, &refused, false);
	b.now += 5 * 3600.0;
	check_asked(&b, successor, &refused, false);

	nic->fail_adds = 0;
	apply(&b, rules);
	work(&b, 7.0, successor);
	assert_int_equal(fake_kernel_view(b.fake, successor).ifindex, NIC);
	assert_null(entry(&b, successor)->refusal);
	close_bench(&b);
}

/* Each SA is treated by its own rule: the second one is offered again, and shows that the NIC takes
 * the shape by now. */
static void test_refused_by_rule(void **state)
{
	struct fake_belief *beliefs[2];
	struct bench b;

	(void)state;
	open_bench_with(
		&b, "mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\nretry-refused: 10s\n"
		    "nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"
		    "rules: [{match: {reqid: 2}, on-reject: retry}]\n");
	(void)refuse(&b, -EINVAL, 2);
	for (unsigned i = 0; i < 2; i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	work_in_turn(&b, beliefs, 1);
	work_in_turn(&b, beliefs, 2);
	assert_int_equal(b.manager->refused, 1);
	b.now += 8;
	work_in_turn(&b, beliefs, 2);
	assert_int_equal(b.manager->refused, 2);
	assert_int_equal(b.manager->promoted, 0);
	assert_true(is_refused(&b, beliefs[0], NULL));
	assert_true(is_refused(&b, beliefs[1], NULL));
	b.now += 20;
	assert_true(is_refused(&b, beliefs[0], NULL));
	assert_false(is_refused(&b, beliefs[1], NULL));
	work(&b, 7.0, beliefs[1]);
	work(&b, 7.0, beliefs[0]);
	assert_int_equal(b.manager->refused, 2);
	assert_int_equal(b.manager->promoted, 2);
	close_bench(&b);
}

#define ALARM                                                                      \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"                 \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n" \
	"rules: [{match: {reqid: 1}, on-reject: alarm}, {match: {reqid: 3}, on-reject: retry}]\n"

static bool is_alarmed(const struct bench *b)
{
	assert_int_equal(health_holds(b->manager->health, HEALTH_REFUSED),
			 b->manager->n_alarms > 0);
	return b->manager->n_alarms > 0;
}

/* The daemon is degraded as long as there is a refused SA of such a rule. */
static void test_alarm(void **state)
{
	struct fake_belief *others[2], *beliefs[2];
	struct fake_nic *nic;
	struct bench b;

	(void)state;
	open_bench_with(&b, ALARM);
	nic = refuse(&b, -EINVAL, 1000);
	for (unsigned i = 0; i < 2; i++)
		others[i] = add(&b, (struct fake_sa_spec){
					    .spi = 0x1001 + i, .peer = 10 + i, .reqid = 2 + i});
	work_in_turn(&b, others, 2);
	assert_int_equal(b.manager->refused, 1);
	assert_false(is_alarmed(&b));

	/* The NIC is known to refuse them. */
	for (unsigned i = 0; i < 2; i++)
		beliefs[i] = add(
			&b, (struct fake_sa_spec){.spi = 0x2001 + i, .peer = 20 + i, .reqid = 1});
	work_in_turn(&b, beliefs, 2);
	assert_int_equal(b.manager->refused, 1);
	assert_int_equal(b.manager->n_alarms, 2);
	assert_true(is_alarmed(&b));
	assert_int_equal(told(&b, "Degraded: a NIC refused SAs of rules with 'on-reject: alarm'"),
			 1);
	assert_int_equal(fake_ike_delete(b.fake, beliefs[0]), 0);
	pass(&b, 1.0);
	assert_int_equal(b.manager->n_alarms, 1);
	assert_true(is_alarmed(&b));
	assert_int_equal(fake_ike_delete(b.fake, beliefs[1]), 0);
	pass(&b, 1.0);
	assert_false(is_alarmed(&b));
	assert_int_equal(told(&b, "No longer degraded: a NIC refused"), 1);

	/* The first of its shape, after a reload. */
	apply(&b, ALARM);
	beliefs[0] = add(&b, (struct fake_sa_spec){.spi = 0x3001, .peer = 20, .reqid = 1});
	work_in_turn(&b, beliefs, 1);
	assert_true(is_alarmed(&b));
	nic->fail_adds = 0;
	tell_link(&b, false);
	tell_link(&b, true);
	work(&b, 7.0, beliefs[0]);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[0]).ifindex, NIC);
	assert_false(is_alarmed(&b));
	close_bench(&b);
}

/* A temporary error is not a refusal of the shape. */
static void check_error(int error, bool shape_is_refused)
{
	struct fake_belief *belief;
	struct fake_nic *nic;
	struct bench b;

	open_bench_with(&b, quick_retry);
	nic = refuse(&b, error, 1);
	nic->fail_text = "";
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	for (unsigned i = 0; b.manager->refused == 0; i++) {
		assert_true(i < 50);
		work(&b, 0.1, belief);
	}
	assert_int_equal(is_refused(&b, belief, NULL), shape_is_refused);
	assert_string_equal(entry(&b, belief)->refusal, strerror(-error));
	close_bench(&b);
}

static void test_errors(void **state)
{
	(void)state;
	check_error(-EINVAL, true);
	check_error(-EBUSY, false);
	check_error(-ENOMEM, false);
}

/* The kernel acknowledges, but leaves the SA in software. */
static void test_silent(void **state)
{
	static const char text[] = "the kernel accepted the offload and left the SA in software "
				   "without a word";
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	fake_kernel_nic(b.fake, NIC)->unsupported = true;
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	assert_int_equal(b.manager->refused, 1);
	assert_true(is_refused(&b, belief, NULL));
	assert_string_equal(entry(&b, belief)->refusal, text);
	close_bench(&b);
}

/* The SA is in another NIC: it is moved back at once. */
static void test_elsewhere(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	(void)fake_kernel_add_nic(
		b.fake,
		&(struct fake_nic){.ifindex = OTHER_NIC, .name = "eth1", .capacity_in = 33});
	fake_kernel_nic(b.fake, NIC)->lands_on = OTHER_NIC;
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	for (unsigned i = 0; b.manager->refused == 0; i++) {
		assert_true(i < 50);
		work(&b, 0.1, belief);
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	}
	assert_int_equal(entry(&b, belief)->residence.ifindex, 0);
	assert_int_equal(b.manager->promoted, 0);
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

/* An SA that cannot be recorded is not promoted. */
static void test_ownership_cannot_be_written(void **state)
{
	struct fake_belief *belief;
	char temporary[80];
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	snprintf(temporary, sizeof(temporary), "%s.new", b.path);
	assert_int_equal(mkdir(temporary, 0700), 0);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_int_equal(b.manager->promoted, 0);
	assert_true(health_holds(b.manager->health, HEALTH_OWNERSHIP));
	assert_int_equal(rmdir(temporary), 0);
	work(&b, 10.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_false(health_holds(b.manager->health, HEALTH_OWNERSHIP));
	assert_int_equal(b.manager->promoted, 1);
	assert_int_equal(b.manager->evicted, 0);
	close_bench(&b);
}

/* Runs until the SA is tried again and refused; returns the time of the refusal. */
static double offer(struct bench *b, struct fake_belief *belief, uint64_t refused)
{
	for (unsigned i = 0; b->manager->refused < refused; i++) {
		assert_true(i < 1000);
		work(b, 0.1, belief);
	}
	return reporter_action(b->manager->reporter, 0)->time;
}

/* The wait doubles, up to an hour, and ends at the exact time. Only then are the SAs of the shape
 * considered again, once. */
static void check_waits(const char *retry, const double *waits, size_t n)
{
	struct fake_belief *belief;
	char text[512];
	struct bench b;

	snprintf(text, sizeof(text),
		 "mode: enforce\ninterval: 60s\nmoves-per-second: 1000\nretry-refused: %s\n"
		 "nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"
		 "rules: [{offload: always, on-reject: retry}]\n",
		 retry);
	open_bench_with(&b, text);
	(void)refuse(&b, -EINVAL, 1000);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	for (size_t i = 0; i < n; i++) {
		double at = offer(&b, belief, i + 1), end = at + waits[i];

		assert_true(end - 0.01 > b.now);
		b.now = end - 0.01;
		assert_true(is_refused(&b, belief, NULL));
		assert_false(nics_expire(b.manager->nics));
		b.now = end;
		assert_false(is_refused(&b, belief, NULL));
		assert_true(nics_expire(b.manager->nics));
		assert_false(nics_expire(b.manager->nics));
		manager_reconfigure(b.manager);
	}
	close_bench(&b);
}

static void test_waits(void **state)
{
	static const double least[] = {1, 2, 4}, seconds[] = {10, 20, 40};
	static const double minutes[] = {1500, 3000, 3600, 3600};

	(void)state;
	check_waits("1s", least, ELEMENTSOF(least));
	check_waits("10s", seconds, ELEMENTSOF(seconds));
	check_waits("25min", minutes, ELEMENTSOF(minutes));
}

/* A busy NIC says nothing about the shape, so only the policy makes the SA wait. */
static void test_waits_after_a_reload(void **state)
{
	struct policy_sa_view view = {};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	apply(&b, rules);
	(void)refuse(&b, -EBUSY, 1);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	(void)offer(&b, belief, 1);
	policy_sa_get(b.manager->policy, entry(&b, belief)->handle, b.now, &view);
	assert_true(view.retry_in > 50 && view.retry_in <= 60);
	close_bench(&b);
}

/* The next refusal counts as the first, with the first wait. */
static void check_forgotten(struct bench *b, struct fake_belief *belief)
{
	struct refusals *refusals = nics_refusals(b->manager->nics);
	const struct sa_shape *shape = entry(b, belief)->shape;

	assert_true(refusals_add(refusals, NIC, shape, 1.0, "", b->now));
	assert_true(refusals_hold(refusals, NIC, shape, true, b->now + 0.9, NULL));
	assert_false(refusals_hold(refusals, NIC, shape, true, b->now + 1.0, NULL));
	refusals_remove(refusals, NIC, shape);
}

/* Three shapes: the record of a shape that is accepted at last is removed, the others stay. */
static void test_refused_shapes(void **state)
{
	struct fake_belief *beliefs[3];
	double at[3];
	struct bench b;

	(void)state;
	for (unsigned taken = 0; taken < 3; taken++) {
		struct fake_sa_spec specs[] = {{.peer = 10},
					       {.peer = 11, .esn = true, .window = 64},
					       {.peer = 12, .transport = true}};
		struct fake_nic *nic;

		open_bench_with(&b, quick_retry);
		nic = refuse(&b, -EINVAL, 3);
		for (unsigned i = 0; i < 3; i++) {
			specs[i].spi = 0x1001 + i;
			specs[i].reqid = 1 + i;
			beliefs[i] = add(&b, specs[i]);
			at[i] = offer(&b, beliefs[i], i + 1);
		}
		/* Each wait ends at its own time. */
		for (unsigned i = 0; i < 3; i++) {
			b.now = at[i] + 9.999;
			assert_false(nics_expire(b.manager->nics));
			b.now = at[i] + 10;
			assert_true(nics_expire(b.manager->nics));
		}
		manager_reconfigure(b.manager);
		work(&b, 1.0, beliefs[taken]);
		assert_int_equal(fake_kernel_view(b.fake, beliefs[taken]).ifindex, NIC);
		check_forgotten(&b, beliefs[taken]);
		/* So the next refusal of another shape is its second. */
		nic->fail_adds = 1000;
		for (unsigned i = 0, n = 3; i < 3; i++) {
			if (i == taken)
				continue;
			b.now = offer(&b, beliefs[i], ++n) + 19;
			assert_true(is_refused(&b, beliefs[i], NULL));
			assert_false(is_refused(&b, beliefs[taken], NULL));
		}
		close_bench(&b);
	}
}

static void test_ownership_is_full(void **state)
{
	struct fake_belief *belief;
	struct sa_id id = {.family = AF_INET, .protocol = IPPROTO_ESP};
	struct bench b;

	(void)state;
	open_bench_with(&b, quick_retry);
	for (id.spi = 1; id.spi <= OWNERSHIP_MAX; id.spi++)
		assert_int_equal(ownership_add(b.ownership, &id, NIC, 1), 0);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	tracker_drain_events(b.manager->tracker);
	tracker_read_changed(b.manager->tracker);
	for (unsigned i = 0; i < 4; i++) {
		(void)fake_kernel_send(b.fake, belief, 500, 1000);
		b.now += 0.5;
		tracker_read_again(b.manager->tracker, &entry(&b, belief)->description.id, 1);
	}
	plan_moves(&b);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(health_holds(b.manager->health, HEALTH_OWNERSHIP));
	assert_int_equal(b.manager->promoted, 0);
	close_bench(&b);
}

/* ---- while lookups are waited for ---- */

/* An outbound SA is guarded, and its promotion waits. */
static struct fake_belief *open_waiting(struct bench *b)
{
	struct fake_belief *belief;

	open_bench(b);
	manager_set_paused(b->manager, true);
	belief = add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(b, 1.0, belief);
	manager_set_paused(b->manager, false);
	manager_plan(b->manager);
	assert_true(fake_kernel_is_waiting(b->fake));
	assert_int_equal(fake_kernel_count(b->fake, true), 1);
	return belief;
}

/* The group has ended, and its guards are gone. */
static void check_ended(struct bench *b)
{
	assert_false(fake_kernel_is_waiting(b->fake));
	assert_false(executor_is_in_group(b->manager->executor));
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
}

/* Neither a dump nor anything else that the daemon does meanwhile goes on with the move. The
 * daemon's own larval SAs are not in its table. */
static void do_other_work(struct bench *b, uint64_t promoted)
{
	manager_tick(b->manager);
	do_due_work(b);
	manager_make_moves(b->manager);
	manager_plan(b->manager);
	assert_int_equal(b->manager->sas->n, 1);
	assert_int_equal(b->manager->promoted, promoted);
	assert_true(fake_kernel_is_waiting(b->fake));
	assert_int_equal(fake_kernel_count(b->fake, true), 1);
}

static void test_other_work(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_waiting(&b);
	do_other_work(&b, 0);
	end_wait(&b);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	do_other_work(&b, 1);
	end_wait(&b);
	check_ended(&b);
	assert_int_equal(b.manager->promoted, 1);
	close_bench(&b);
}

/* A plan that cannot be made while moves wait is made right after them, not in the next tick. */
static void test_late_plan(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_waiting(&b);
	schedule_cancel(&b.manager->schedule, MANAGER_PLAN);
	manager_make_moves(b.manager);
	assert_false(is_due(&b, MANAGER_PLAN));
	manager_plan(b.manager);
	manager_make_moves(b.manager);
	assert_false(is_due(&b, MANAGER_PLAN));
	end_wait(&b);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_true(is_due(&b, MANAGER_PLAN));
	settle(&b);
	assert_false(is_due(&b, MANAGER_PLAN));
	make_moves(&b);
	assert_false(is_due(&b, MANAGER_PLAN));
	close_bench(&b);
}

static void note_stopped(void *userdata)
{
	*(bool *)userdata = true;
}

/* A stop leaves no guard. */
static void test_stop(void **state)
{
	(void)state;
	for (unsigned moved = 0; moved < 2; moved++) {
		struct fake_belief *belief;
		bool stopped = false;
		struct bench b;

		belief = open_waiting(&b);
		if (moved)
			end_wait(&b);
		manager_stop(b.manager, note_stopped, &stopped);
		assert_true(stopped);
		assert_int_equal(fake_kernel_count(b.fake, true), 0);
		assert_false(executor_is_in_group(b.manager->executor));
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, moved ? NIC : 0);
		close_bench(&b);
	}
}

/* What the operator or the kernel does while an SA is guarded. */
static void pause_moves(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	manager_set_paused(b->manager, true);
}

static void observe(struct bench *b, struct fake_belief *belief)
{
	static const char text[] = "mode: observe\ninterval: 100ms\n"
				   "nics: [{match: {name: eth0}, allow: true, trusted: true}]\n";

	(void)belief;
	apply(b, text);
}

static void lose_events(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	fake_kernel_overrun(b->fake);
	(void)manager_read_events(b->manager);
}

static void delete_sa(struct bench *b, struct fake_belief *belief)
{
	assert_int_equal(fake_ike_delete(b->fake, belief), 0);
}

static void lose_nic(struct bench *b, struct fake_belief *belief)
{
	(void)belief;
	go_down(b);
}

static const struct {
	const char *text;
	void (*happen)(struct bench *b, struct fake_belief *belief);
} meanwhile[] = {
	{"a pause", pause_moves},         {"the mode changes", observe},
	{"events are lost", lose_events}, {"the SA is deleted", delete_sa},
	{"the NIC goes down", lose_nic},
};

static void test_meanwhile(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(meanwhile); i++) {
		struct fake_belief *belief;
		struct bench b;

		belief = open_waiting(&b);
		meanwhile[i].happen(&b, belief);
		make_moves(&b);
		if (b.manager->promoted != 0)
			fail_msg("%s", meanwhile[i].text);
		check_ended(&b);
		assert_int_equal(fake_kernel_acquires(b.fake), 0);
		close_bench(&b);
	}
}

/* An SA is owed, and no other is moved: its restoration ends the group too. */
static void test_owed(void **state)
{
	struct fake_belief *belief;
	struct move owed = {.larval = true}; /* it was deleted meanwhile */
	struct bench b;

	(void)state;
	belief = open_waiting(&b);
	owed.id = fake_belief_id(belief);
	owed.id.spi++;
	assert_int_equal(executor_reserve(b.manager->executor, 1), 0);
	executor_keep(b.manager->executor, &owed);
	executor_restore(b.manager->executor);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	assert_int_equal(b.manager->promoted, 0);
	make_moves(&b);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	fake_kernel_end_wait(b.fake);
	check_ended(&b);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_shape),
		cmocka_unit_test(test_refused_for_good),
		cmocka_unit_test(test_refused_by_rule),
		cmocka_unit_test(test_alarm),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_waits_after_a_reload),
		cmocka_unit_test(test_refused_shapes),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_ownership_cannot_be_written),
		cmocka_unit_test(test_ownership_is_full),
		cmocka_unit_test(test_other_work),
		cmocka_unit_test(test_late_plan),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_meanwhile),
		cmocka_unit_test(test_owed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
