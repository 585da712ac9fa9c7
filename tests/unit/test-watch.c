// SPDX-License-Identifier: GPL-2.0-or-later
/* When faults of an SA count against its NIC, and when the NIC loses its trust. */
#include "manager-bench.h"
#include "placement/late.h"

#define BOTH                                                                       \
	"mode: enforce\ninterval: 1min\nmoves-per-second: 1000\n"                  \
	"nics: [{match: {name: eth*}, allow: true, trusted: true, capacity: 4}]\n" \
	"rules: [{match: {reqid: 1}, offload: always}, {match: {reqid: 2}, nic: eth1}]\n"

/* From here on only the test samples the SA. */
static struct sa *open_with_sa(struct bench *b, bool inbound)
{
	struct fake_belief *belief;

	open_bench_with(b, BOTH);
	add_other_nic(b);
	belief = add(b, (struct fake_sa_spec){
				.spi = 0x1001, .peer = 10, .reqid = 1, .inbound = inbound});
	pass(b, 0.5);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, NIC);
	return entry(b, belief);
}

static struct placement_nic *nic_of(struct bench *b)
{
	return nics_get(b->manager->nics, NIC);
}

static void set_late(struct bench *b, bool frees_late)
{
	nic_of(b)->driver = nic_driver_find(frees_late ? "mlx5_core" : "netdevsim");
}

static void test_faults(void **state)
{
	static const struct {
		double after;
		uint32_t failures, replays;
		int ifindex;
		const char *fault; /* NULL: none */
		bool ends;         /* the probation ends without a fault */
	} cases[] = {
		{1, 4, 32, NIC, NULL, false},     {1, 5, 0, NIC, "integrity-failures", true},
		{1, 0, 33, NIC, "replays", true}, {10, 5, 33, NIC, "integrity-failures", true},
		{10.001, 5, 33, NIC, NULL, true},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_facts facts = {.integrity_failures = 100,
					 .replayed = 200,
					 .offload_ifindex = cases[i].ifindex};
		struct bench b;
		struct sa *sa;

		sa = open_with_sa(&b, false);
		manager_begin_probation(b.manager, sa, &facts);
		b.now += cases[i].after;
		facts.integrity_failures += cases[i].failures;
		facts.replayed += cases[i].replays;
		manager_check_probation(b.manager, sa, &facts);
		assert_int_equal(!sa->probation, cases[i].ends);
		assert_int_equal(nic_of(&b)->trust.strikes, cases[i].fault != NULL);
		assert_int_equal(nics_get(b.manager->nics, OTHER_NIC)->trust.strikes, 0);
		if (cases[i].fault)
			assert_int_equal(told(&b, cases[i].fault), 1);
		/* A second fault is not counted. */
		facts.integrity_failures += 100;
		if (cases[i].ends)
			manager_check_probation(b.manager, sa, &facts);
		assert_int_equal(nic_of(&b)->trust.strikes, cases[i].fault != NULL);
		assert_int_equal(told(&b, "fares worse"), cases[i].fault != NULL);
		plan_moves(&b);
		assert_int_equal(sa->residence.ifindex, cases[i].fault ? 0 : NIC);
		close_bench(&b);
	}
}

/* Faults found after the SA left the NIC do not count against the NIC. */
static void test_left(void **state)
{
	static const int left_for[] = {0, OTHER_NIC};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(left_for); i++) {
		const struct tracker_change change = {
			.moved = true, .left_ifindex = NIC, .was_resident = true};
		struct sa_facts facts = {.offload_ifindex = left_for[i]};
		struct bench b;
		struct sa *sa;

		sa = open_with_sa(&b, false);
		manager_begin_probation(b.manager, sa, &facts);
		b.now += 1;
		facts.integrity_failures = facts.replayed = 100;
		sa_table_set_residence(b.manager->sas, sa, left_for[i], false);
		manager_tracker_callbacks.sampled(sa, &facts, &change, b.manager);
		assert_true(!sa->probation);
		assert_int_equal(nic_of(&b)->trust.strikes, 0);
		assert_int_equal(nics_get(b.manager->nics, OTHER_NIC)->trust.strikes, 0);
		sa_table_set_residence(b.manager->sas, sa, NIC, false);
		close_bench(&b);
	}
}

/* A fault in software counts against no NIC. A fault of an SA that the policy does not know, or
 * whose NIC is unknown, is still reported. */
static void test_faults_of_nobody(void **state)
{
	static const struct {
		int ifindex;
		bool no_handle;
		unsigned told, strikes;
	} cases[] = {{0, false, 0, 0}, {99, false, 1, 0}, {NIC, true, 1, 1}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_facts facts = {.offload_ifindex = cases[i].ifindex};
		policy_sa handle;
		struct bench b;
		struct sa *sa;

		sa = open_with_sa(&b, false);
		handle = sa->handle;
		manager_begin_probation(b.manager, sa, &facts);
		sa_table_set_residence(b.manager->sas, sa, cases[i].ifindex, false);
		sa->handle = cases[i].no_handle ? POLICY_NONE : handle;
		facts.integrity_failures += 5;
		manager_check_probation(b.manager, sa, &facts);
		assert_int_equal(told(&b, "integrity-failures"), cases[i].told);
		assert_int_equal(nic_of(&b)->trust.strikes, cases[i].strikes);
		sa_table_set_residence(b.manager->sas, sa, NIC, false);
		sa->handle = handle;
		close_bench(&b);
	}
}

/* In a NIC that frees late, failures from the time after the SA left it do not count, even if the
 * SA is in it again. */
static void test_faults_while_the_nic_is_late(void **state)
{
	static const struct {
		double left_ago; /* before it came back */
		double from;
		bool inbound, frees_late;
	} cases[] = {{4, 6, true, true},  {9.5, 0.5, true, true}, {10, 0, true, true},
		     {11, 0, true, true}, {4, 0, false, true},    {4, 0, true, false}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_facts facts = {.offload_ifindex = NIC};
		struct bench b;
		struct sa *sa;
		double begun;

		sa = open_with_sa(&b, cases[i].inbound);
		begun = b.now;
		set_late(&b, cases[i].frees_late);
		nic_of(&b)->left_at = b.now - cases[i].left_ago;
		manager_begin_probation(b.manager, sa, &facts);
		assert_true(sa->probation->from == begun + cases[i].from);
		assert_true(sa->probation->until == begun + cases[i].from + 10);
		if (cases[i].from > 0) {
			facts.integrity_failures = facts.replayed = 100;
			b.now = begun + cases[i].from / 2;
			manager_check_probation(b.manager, sa, &facts);
		}
		b.now = begun + cases[i].from;
		facts.integrity_failures += 4;
		facts.replayed += 32;
		manager_check_probation(b.manager, sa, &facts);
		assert_int_equal(nic_of(&b)->trust.strikes, 0);
		facts.integrity_failures++;
		manager_check_probation(b.manager, sa, &facts);
		assert_int_equal(nic_of(&b)->trust.strikes, 1);
		close_bench(&b);
	}
}

static void harm(struct bench *b, struct sa *sa)
{
	struct sa_facts facts = {.offload_ifindex = NIC};

	manager_begin_probation(b->manager, sa, &facts);
	facts.integrity_failures = 5;
	manager_check_probation(b->manager, sa, &facts);
}

static bool is_distrusted(struct bench *b)
{
	return trust_is_lost(&nic_of(b)->trust, b->now);
}

/* After three faults in ten minutes the NIC loses its trust, for ten minutes, then for twice as
 * long each time, at most a day. */
static void test_trust(void **state)
{
	static const double minutes[] = {10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440};
	struct bench b;
	struct sa *sa;

	(void)state;
	sa = open_with_sa(&b, false);
	for (size_t i = 0; i < ELEMENTSOF(minutes); i++) {
		double until;

		assert_false(is_distrusted(&b));
		harm(&b, sa);
		b.now += 600;
		harm(&b, sa);
		assert_int_equal(nic_of(&b)->trust.strikes, 2);
		b.now += 601;
		harm(&b, sa); /* counts as the first, because the others are too old */
		assert_int_equal(nic_of(&b)->trust.strikes, 1);
		harm(&b, sa);
		assert_int_equal(told(&b, "NIC eth0 failed several SAs"), i);
		assert_false(is_distrusted(&b) || b.manager->reconfigure);
		harm(&b, sa);
		assert_int_equal(nic_of(&b)->trust.strikes, 0);
		assert_int_equal(told(&b, "NIC eth0 failed several SAs"), i + 1);
		assert_true(is_distrusted(&b));
		assert_true(b.manager->reconfigure);
		assert_false(trust_is_lost(&nics_get(b.manager->nics, OTHER_NIC)->trust, b.now));

		until = b.now + 60 * minutes[i];
		manager_expire(b.manager);
		assert_false(b.manager->reconfigure);
		assert_int_equal(nic_of(&b)->candidacy, CANDIDACY_NIC_DISTRUSTED);
		b.now = until - 1;
		manager_expire(b.manager);
		assert_true(is_distrusted(&b));
		assert_int_equal(nic_of(&b)->candidacy, CANDIDACY_NIC_DISTRUSTED);
		b.now = until;
		assert_false(is_distrusted(&b));
		manager_expire(b.manager);
		assert_true(nic_of(&b)->trust.lost_until == 0);
		assert_int_equal(nic_of(&b)->candidacy, CANDIDACY_OK);
		assert_false(b.manager->reconfigure);
		b.now += 1000; /* earlier faults do not count any more */
	}
	close_bench(&b);
}

/* For each NIC. */
static void test_trust_comes_back_to_each(void **state)
{
	struct bench b;

	(void)state;
	(void)open_with_sa(&b, false);
	for (int ifindex = NIC; ifindex <= OTHER_NIC; ifindex++) {
		struct placement_nic *n = nics_get(b.manager->nics, ifindex);

		n->trust.lost_until = b.now + 5;
		manager_reconfigure(b.manager);
		assert_int_equal(n->candidacy, CANDIDACY_NIC_DISTRUSTED);
		b.now += 5;
		manager_expire(b.manager);
		assert_int_equal(n->candidacy, CANDIDACY_OK);
	}
	/* If no wait ends, nothing is reconfigured. */
	b.now += 1;
	manager_expire(b.manager);
	assert_true(b.manager->reconfigured_at < b.now);
	close_bench(&b);
}

/* ---- NICs that free late ---- */

static void test_evictions_that_wait(void **state)
{
	static const struct {
		const char *text;
		bool frees_late, inbound;
		enum policy_action action;
		enum policy_reason reason;
		int ifindex;
		double interval, quiet; /* s */
		bool waits;
	} cases[] = {
		{"it waits", true, true, POLICY_EVICT, POLICY_REASON_COLDER, NIC, 1, 4.9, true},
		{"quiet", true, true, POLICY_EVICT, POLICY_REASON_COLDER, NIC, 1, 5, false},
		{"rarely sampled", true, true, POLICY_EVICT, POLICY_REASON_COLDER, NIC, 4, 7.9,
		 true},
		{"quiet, rarely sampled", true, true, POLICY_EVICT, POLICY_REASON_COLDER, NIC, 4, 8,
		 false},
		{"frees at once", false, true, POLICY_EVICT, POLICY_REASON_COLDER, NIC, 1, 1,
		 false},
		{"outbound", true, false, POLICY_EVICT, POLICY_REASON_COLDER, NIC, 1, 1, false},
		{"a promotion", true, true, POLICY_PROMOTE, POLICY_REASON_COLDER, NIC, 1, 1, false},
		{"not known", true, true, POLICY_EVICT, POLICY_REASON_COLDER, 99, 1, 1, false},
		{"banned", true, true, POLICY_EVICT, POLICY_REASON_BANNED, NIC, 1, 1, false},
		{"no longer allowed", true, true, POLICY_EVICT, POLICY_REASON_NO_LONGER_ALLOWED,
		 NIC, 1, 1, false},
		{"over capacity", true, true, POLICY_EVICT, POLICY_REASON_OVER_CAPACITY, NIC, 1, 1,
		 false},
		{"made worse", true, true, POLICY_EVICT, POLICY_REASON_MADE_WORSE, NIC, 1, 1,
		 false},
		{"doubted", true, true, POLICY_EVICT, POLICY_REASON_DOUBTED, NIC, 1, 1, false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct policy_move planned = {.action = cases[i].action, .reason = cases[i].reason};
		struct bench b;
		struct sa *sa;

		sa = open_with_sa(&b, cases[i].inbound);
		set_late(&b, cases[i].frees_late);
		b.manager->config->interval = cases[i].interval;
		sa_table_set_residence(b.manager->sas, sa, cases[i].ifindex, false);
		b.now = 1000;
		sa->carried_at = b.now - cases[i].quiet;
		if (late_is_to_wait(b.manager->nics, sa, &planned, b.manager->config->interval,
				    manager_now(b.manager)) != cases[i].waits)
			fail_msg("%s", cases[i].text);
		sa_table_set_residence(b.manager->sas, sa, NIC, false);
		close_bench(&b);
	}
}

/* An SA left the NIC, and its slot is not free for some seconds; the NIC still decrypts packets for
 * an inbound SA. */
static void test_slots_that_are_late(void **state)
{
	static const struct {
		int ifindex;
		bool frees_late, late;
	} cases[] = {{NIC, true, true}, {NIC, false, false}, {99, true, false}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct bench b;
		double left;

		(void)open_with_sa(&b, true);
		set_late(&b, cases[i].frees_late);
		/* The NIC was first seen a moment ago. */
		assert_int_equal(late_are_slots(b.manager->nics, NIC, manager_now(b.manager)),
				 cases[i].frees_late);
		b.now += 10;
		assert_false(late_are_slots(b.manager->nics, NIC, manager_now(b.manager)));
		late_note_left(b.manager->nics, cases[i].ifindex, manager_now(b.manager));
		left = b.now;
		assert_int_equal(nic_of(&b)->left_at == left, cases[i].ifindex == NIC);
		b.now = left + 9.9;
		assert_int_equal(late_are_slots(b.manager->nics, NIC, manager_now(b.manager)),
				 cases[i].late);
		assert_false(late_are_slots(b.manager->nics, OTHER_NIC, manager_now(b.manager)));
		assert_false(late_are_slots(b.manager->nics, 99, manager_now(b.manager)));
		b.now = left + 10;
		assert_false(late_are_slots(b.manager->nics, NIC, manager_now(b.manager)));
		/* With another driver only what the daemon itself took out. */
		late_note_evicted(b.manager->nics, cases[i].ifindex, left + 20);
		late_note_evicted(b.manager->nics, 99, left + 20);
		b.now = left + 29.9;
		assert_int_equal(late_are_slots(b.manager->nics, NIC, manager_now(b.manager)),
				 !cases[i].frees_late);
		b.now = left + 30;
		assert_false(late_are_slots(b.manager->nics, NIC, manager_now(b.manager)));
		/* Only of a driver that frees late the NIC decrypts for an SA that has left. */
		nic_of(&b)->left_at = left;
		b.now = left + 1;
		for (unsigned late = 0; late < 2; late++) {
			set_late(&b, late);
			assert_true(late_over_at(b.manager->nics, SA_DIRECTION_IN, NIC, b.now) ==
				    (late ? left + 10 : b.now));
			assert_true(late_over_at(b.manager->nics, SA_DIRECTION_OUT, NIC, b.now) ==
				    b.now);
		}
		close_bench(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_left),
		cmocka_unit_test(test_faults_of_nobody),
		cmocka_unit_test(test_faults_while_the_nic_is_late),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_trust_comes_back_to_each),
		cmocka_unit_test(test_evictions_that_wait),
		cmocka_unit_test(test_slots_that_are_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
