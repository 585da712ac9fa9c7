// SPDX-License-Identifier: GPL-2.0-or-later
/* Of very many SAs, the NICs of those that carry nothing are not looked up. */
#include "manager-bench.h"

static void open_many(struct bench *b, const char *text)
{
	open_bench_with(b, text);
	b->manager->sampling.few = 0;
}

static void check_idle(struct bench *b, const struct fake_belief *belief)
{
	const struct sa *sa = entry(b, belief);

	assert_int_equal(sa->candidate.candidacy, CANDIDACY_IDLE);
	assert_int_equal(sa->candidate.ifindex, 0);
	check_reason(b, belief, "idle");
}

static void test_not_looked_up(void **state)
{
	struct fake_belief *made, *dumped;
	struct bench b;

	(void)state;
	open_many(&b, rules);
	made = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	dumped = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	(void)fake_kernel_send(b.fake, dumped, 5, 1000);
	work(&b, 1, NULL);
	manager_reconfigure(b.manager);
	check_idle(&b, made);
	check_idle(&b, dumped);
	assert_int_equal(b.network.lookups, 0);
	/* What an SA had carried when it was seen first may have been carried just before. */
	assert_true(entry(&b, made)->carried_at == 0);
	assert_true(entry(&b, dumped)->carried_at >= 1000);
	close_bench(&b);
}

/* It is promoted as early as if it had been looked up before. */
static void test_begins_to_carry(void **state)
{
	double took[2];

	(void)state;
	for (unsigned few = 0; few < 2; few++) {
		struct fake_belief *belief;
		struct bench b;
		double begun;

		open_many(&b, rules);
		b.manager->sampling.few = few;
		belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
		work(&b, 1, NULL);
		begun = b.now;
		while (fake_kernel_view(b.fake, belief).ifindex != NIC && b.now < begun + 5)
			work(&b, 0.02, belief);
		took[few] = b.now - begun;
		close_bench(&b);
	}
	assert_true(took[0] < 1);
	assert_float_equal(took[0], took[1], 1e-6);
}

/* It carried something while there were few SAs. */
static void test_became_many(void **state)
{
	struct fake_belief *busy, *idle;
	struct bench b;

	(void)state;
	open_bench(&b);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	idle = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	b.manager->sampling.few = 2;
	manager_set_paused(b.manager, true);
	work(&b, 0.5, busy);
	assert_int_equal(entry(&b, idle)->candidate.ifindex, NIC);
	b.manager->sampling.few = 1;
	manager_reconfigure(b.manager);
	check_idle(&b, idle);
	assert_int_equal(entry(&b, busy)->candidate.ifindex, NIC);
	close_bench(&b);
}

static void test_pinned(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_many(&b, ALWAYS);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(&b, 0.5, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

static void test_banned(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_many(&b, "mode: enforce\ninterval: 100ms\n"
		      "nics: [{match: {name: eth0}, allow: true, trusted: true}]\n"
		      "rules: [{match: {reqid: 1}, offload: never}]\n");
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(&b, 0.5, NULL);
	check_reason(&b, belief, "banned");
	close_bench(&b);
}

/* The successor of an SA in the NIC is promoted before it carries anything, also if its predecessor
 * was deleted shortly before. */
static void test_successor(void **state)
{
	(void)state;
	for (unsigned gone = 0; gone < 2; gone++) {
		struct fake_belief *old, *new;
		struct bench b;

		open_many(&b, rules);
		old = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		if (gone)
			(void)fake_ike_delete(b.fake, old);
		pass(&b, 0.5);
		new = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 10, .reqid = 1});
		pass(&b, 0.5);
		assert_int_equal(fake_kernel_view(b.fake, new).ifindex, NIC);
		close_bench(&b);
	}
}

static void test_successor_is_late(void **state)
{
	struct fake_belief *old, *new;
	struct bench b;

	(void)state;
	open_many(&b, rules);
	old = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	(void)fake_ike_delete(b.fake, old);
	pass(&b, 61);
	new = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 10, .reqid = 1});
	pass(&b, 0.5);
	assert_int_equal(entry(&b, new)->candidate.candidacy, CANDIDACY_IDLE);
	close_bench(&b);
}

/* Who asks for one SA is told by which NIC it leaves. */
static void test_explained(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_many(&b, rules);
	b.nics[0].esp_offload = false;
	manager_reconfigure(b.manager);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.5, NULL);
	check_idle(&b, belief);
	json_decref(ask_explain(&b, "0x1001"));
	assert_int_equal(entry(&b, belief)->candidate.ifindex, NIC);
	check_reason(&b, belief, "nic-no-offload");
	close_bench(&b);
}

/* An SA that is in a NIC when the daemon starts is looked up, so that it can leave if it may not
 * stay. */
static void test_resident(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_many(&b, rules);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	entry(&b, belief)->candidate.wanted = false;
	manager_reconfigure(b.manager);
	assert_int_equal(entry(&b, belief)->candidate.candidacy, CANDIDACY_OK);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_not_looked_up),
		cmocka_unit_test(test_begins_to_carry),
		cmocka_unit_test(test_became_many),
		cmocka_unit_test(test_pinned),
		cmocka_unit_test(test_banned),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_successor_is_late),
		cmocka_unit_test(test_explained),
		cmocka_unit_test(test_resident),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
