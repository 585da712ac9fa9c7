/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sentences of `explain`, word by word, for the typical places of an SA. */
#include "full-nic.h"

static json_t *explained(struct bench *b, const char *spi)
{
	json_t *sas = ask_explain(b, spi);
	json_t *entry = json_incref(json_array_get(sas, 0));

	json_decref(sas);
	return entry;
}

static void check(struct bench *b, const char *spi, const char *expected)
{
	json_t *entry = explained(b, spi);
	char text[4096] = "";
	const json_t *sentence;
	size_t i, used = 0;

	json_array_foreach(json_object_get(entry, "sentences"), i, sentence)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s\n",
					 json_string_value(sentence));
	assert_string_equal(text, expected);
	json_decref(entry);
}

/* One of its sentences has this text. */
static void check_part(struct bench *b, const char *spi, const char *expected)
{
	json_t *entry = explained(b, spi);
	const json_t *sentence;
	bool found = false;
	size_t i;

	json_array_foreach(json_object_get(entry, "sentences"), i, sentence)
		found |= strstr(json_string_value(sentence), expected) != NULL;
	assert_true(found);
	json_decref(entry);
}

/* Two of three SAs fill the NIC, and nothing else happens. */
static void check_full(const char *configuration, const char *spi, const char *expected)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	open_full(&b, beliefs, configuration);
	check(&b, spi, expected);
	close_bench(&b);
}

static void test_in_nic(void **state)
{
	(void)state;
	check_full(
		NIC_OF_TWO, "0x1001",
		"It is in the NIC eth0, for at least 20 s.\n"
		"Why: it is hot enough to stay (resident).\n"
		"It carries 20.0 Mbit/s, and is number 1 of 3 SAs by rate.\n"
		"No rule matches it: it is offloaded by its rate.\n"
		"It competes for a slot of eth0.\n"
		"The NIC entry at test:4: allow true, trusted true.\n"
		"eth0 has 2 slots, 2 in use.\n"
		"Its boundary is 4.0 Mbit/s: below that, the best SA outside, 0x00001003 (4.0 "
		"Mbit/s), is worth more. With the most that is expected of it, it is 16.0 Mbit/s "
		"above.\n"
		"20 s ago it was promoted to eth0: a slot is free (20.0 Mbit/s).\n"
		"It leaves when an SA outside is hotter by enough to pay for the moves, or when it "
		"may not be in the NIC any more.\n");
}

/* The kernel did not have it any more, and the IKE daemon made it again. */
static void test_move_of_no_sa(void **state)
{
	static const struct policy_move planned = {.action = POLICY_PROMOTE, .other = POLICY_NONE};
	static const struct move move = {.result = MOVE_RESULT_GONE};
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	report_move(b.manager->reporter, "eth0", entry(&b, beliefs[2]), &planned, &move);
	check_part(&b, "0x1003", "ago a move ended at eth0: the kernel does not have it any more");
	close_bench(&b);
}

/* Its NIC is full. */
static void test_below_boundary(void **state)
{
	(void)state;
	check_full(
		NIC_OF_TWO, "0x1003",
		"It is in software, for at least 20 s.\n"
		"Why: it is colder than every SA it could displace (not-hot-enough).\n"
		"It carries 4.0 Mbit/s, and is number 3 of 3 SAs by rate.\n"
		"No rule matches it: it is offloaded by its rate.\n"
		"It competes for a slot of eth0.\n"
		"The NIC entry at test:4: allow true, trusted true.\n"
		"eth0 has 2 slots, 2 in use.\n"
		"Its boundary is 16.0 Mbit/s: above that, it is worth more than the coldest SA "
		"that it may displace, 0x00001002 (16.0 Mbit/s). With the least that is expected "
		"of it, it is 12.0 Mbit/s below.\n"
		"It moves when it carries more than an SA that it may displace and that pays for "
		"the moves, or when a slot becomes free.\n");
}

/* It is hotter than one in the NIC, but not by enough yet. */
static void test_above_boundary(void **state)
{
	static const unsigned packets[] = {50, 40, 42};
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	run(&b, 6, beliefs, packets, 3);
	check(&b, "0x1003",
	      "It is in software, for at least 26 s.\n"
	      "Why: it is hotter than the coldest SA in the NIC, but not by enough to pay for the "
	      "move (gain-too-small).\n"
	      "It carries 16.8 Mbit/s, and is number 2 of 3 SAs by rate.\n"
	      "No rule matches it: it is offloaded by its rate.\n"
	      "It competes for a slot of eth0.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "eth0 has 2 slots, 2 in use.\n"
	      "Its boundary is 16.0 Mbit/s: above that, it is worth more than the coldest SA that "
	      "it may displace, 0x00001002 (16.0 Mbit/s). With the least that is expected of it, "
	      "it is 794 kbit/s above.\n"
	      "A swap of the two would win 586 kB; it costs 2.0 MB and pays from 16.1 MB on.\n"
	      "If nothing changes, it may move in 2 min 36 s.\n"
	      "It moves when the gain pays for the move: by more traffic, or by this traffic for "
	      "longer.\n");
	close_bench(&b);
}

static void test_excluded_by_rule(void **state)
{
	(void)state;
	check_full(NIC_OF_TWO "rules: [{match: {reqid: 2}, offload: never}]\n", "0x1002",
		   "It is in software, for at least 20 s.\n"
		   "Why: a rule keeps it in software (banned).\n"
		   "It carries 16.0 Mbit/s, and is number 2 of 3 SAs by rate.\n"
		   "The rule at test:5 matches it: offload never.\n"
		   "Its packets leave by eth0.\n"
		   "The NIC entry at test:4: allow true, trusted true.\n"
		   "It may move when its rule no longer says 'offload: never'.\n");
}

static void check_parts(struct bench *b, unsigned first, unsigned last, const char *expected)
{
	for (unsigned i = first; i <= last; i++) {
		char spi[16];

		(void)snprintf(spi, sizeof(spi), "0x%x", i);
		check_part(b, spi, expected);
	}
}

/* With a NIC, which may have two SAs. */
static void apply_mode(struct bench *b, const char *mode, const char *more)
{
	char text[512];

	(void)snprintf(text, sizeof(text), "mode: %s\n%s%s", mode,
		       &NIC_OF_TWO[strlen("mode: enforce\n")], more);
	apply(b, text);
}

/* Wherever an SA is, a reload leaves nothing of its rule. */
static void test_removed_rule(void **state)
{
	static const char *const modes[] = {"enforce", "observe"};
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1004, .peer = 14, .ifindex = NIC});
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1005, .peer = 15, .packet = true});
	pass(&b, 1);
	for (size_t i = 0; i < 4; i++) {
		apply_mode(&b, modes[i / 2], "rules: [{match: {dst: 10.0.0.0/8}, weight: 3}]\n");
		check_parts(&b, 0x1001, 0x1005,
			    "The rule at test:5 matches it: offload auto, weight 3.");
		apply_mode(&b, modes[i % 2], "");
		check_parts(&b, 0x1001, 0x1005, "No rule matches it: it is offloaded by its rate.");
		pass(&b, 1);
	}
	close_bench(&b);
}

static void test_excluded_nic(void **state)
{
	(void)state;
	check_full(
		"mode: enforce\nnics: [{match: {name: eth0}, allow: true}]\n", "0x1001",
		"It is in software, for at least 20 s.\n"
		"Why: this NIC is not trusted with keys (nic-not-trusted).\n"
		"It carries 20.0 Mbit/s, and is number 1 of 3 SAs by rate.\n"
		"In the next seconds 19.9 Mbit/s to 20.1 Mbit/s are expected of it.\n"
		"No rule matches it: it is offloaded by its rate.\n"
		"It cannot go to eth0: this NIC is not trusted with keys.\n"
		"The NIC entry at test:2: allow true, trusted false.\n"
		"It may move when the configuration trusts the NIC with keys (trusted: true).\n");
}

static void test_hands_off(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	tell_event(&b, beliefs[2], XFRM_MSG_EXPIRE, false);
	pass(&b, 0.2);
	check(&b, "0x1003",
	      "It is in software, for at least 20 s.\n"
	      "Why: it reached a soft limit: the IKE daemon is about to replace it "
	      "(soft-expired).\n"
	      "It carries nothing, and is number 3 of 3 SAs by rate.\n"
	      "No rule matches it: it is offloaded by its rate.\n"
	      "Its packets leave by eth0.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "It stays where it is; the SA that replaces it may move.\n");
	close_bench(&b);
}

static void test_in_hold(void **state)
{
	static const unsigned packets[] = {50, 40, 500};
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	while (fake_kernel_view(b.fake, beliefs[1]).ifindex == NIC)
		run(&b, 0.1, beliefs, packets, 3);
	run(&b, 0.1, beliefs, packets, 3);
	check(&b, "0x1002",
	      "It is in software, for at least 200 ms.\n"
	      "Why: it was moved a moment ago (dwelling).\n"
	      "It carries 16.0 Mbit/s, and is number 3 of 3 SAs by rate.\n"
	      "No rule matches it: it is offloaded by its rate.\n"
	      "It competes for a slot of eth0.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "eth0 has 2 slots, 2 in use.\n"
	      "If nothing changes, it may move in 1.8 s.\n"
	      "200 ms ago it was evicted from eth0: it made room for a hotter SA (16.0 Mbit/s "
	      "against 43.2 Mbit/s).\n"
	      "It may move when its hold time after the last move is over.\n");
	/* The one that displaced it. */
	check(&b, "0x1003",
	      "It is in the NIC eth0, for at least 200 ms.\n"
	      "Why: it is hot enough to stay (resident).\n"
	      "It carries 200 Mbit/s, and is number 1 of 3 SAs by rate.\n"
	      "In the next seconds 179 Mbit/s to 221 Mbit/s are expected of it.\n"
	      "No rule matches it: it is offloaded by its rate.\n"
	      "It competes for a slot of eth0.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "eth0 has 2 slots, 2 in use.\n"
	      "It is on probation for 9.8 s more: if its packets fail in the NIC, it goes back to "
	      "software.\n"
	      "200 ms ago it was promoted to eth0: it is hotter than the coldest SA in the NIC "
	      "(43.2 Mbit/s against 16.0 Mbit/s).\n"
	      "It leaves when an SA outside is hotter by enough to pay for the moves, or when it "
	      "may not be in the NIC any more.\n");
	close_bench(&b);
}

/* The second one is of the same shape, and is not offered. */
static void open_refused(struct bench *b, const char *text)
{
	static const unsigned packets[] = {50, 40};
	struct fake_sa_spec spec = {.spi = 0x1001, .peer = 10, .icv_bits = 96};
	struct fake_belief *beliefs[2];

	open_bench_with(b, text);
	fake_kernel_nic(b->fake, NIC)->icv_128_only = true;
	beliefs[0] = add(b, spec);
	run(b, 20, beliefs, packets, 1);
	spec.spi = 0x1002;
	spec.peer = 11;
	beliefs[1] = add(b, spec);
	run(b, 1, beliefs, packets, 2);
}

static void test_refused(void **state)
{
	struct bench b;

	(void)state;
	open_refused(&b, NIC_OF_TWO);
	check(&b, "0x1002",
	      "It is in software, for at least 1.0 s.\n"
	      "Why: the driver refused it: \"Unsupported ICV length\" (refused).\n"
	      "It carries 16.0 Mbit/s, and is number 2 of 2 SAs by rate.\n"
	      "In the next seconds 15.7 Mbit/s to 16.3 Mbit/s are expected of it.\n"
	      "No rule matches it: it is offloaded by its rate.\n"
	      "It cannot go to eth0: the NIC refused an SA of the same kind.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "It is offered to the NIC again after 'espoffloadctl reload', or when the NIC has "
	      "been down and up.\n");
	close_bench(&b);
	open_refused(&b, NIC_OF_TWO "rules: [{on-reject: alarm}]\n");
	check(&b, "0x1001",
	      "It is in software, for at least 21 s.\n"
	      "Why: the driver refused it: \"Unsupported ICV length\" (refused).\n"
	      "It carries 20.0 Mbit/s, and is number 1 of 2 SAs by rate.\n"
	      "The rule at test:5 matches it: offload auto, weight 1, on-reject alarm.\n"
	      "It cannot go to eth0: the NIC refused an SA of the same kind.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "21 s ago it was offered to eth0: the NIC did not accept it, it stays in software: "
	      "Unsupported ICV length.\n"
	      "It is offered to the NIC again after 'espoffloadctl reload', or when the NIC has "
	      "been down and up.\n");
	close_bench(&b);
}

static void test_refused_for_a_time(void **state)
{
	struct bench b;

	(void)state;
	open_refused(&b, NIC_OF_TWO "rules: [{on-reject: retry}]\n");
	check(&b, "0x1001",
	      "It is in software, for at least 21 s.\n"
	      "Why: the driver refused it: \"Unsupported ICV length\" (refused).\n"
	      "It carries 20.0 Mbit/s, and is number 1 of 2 SAs by rate.\n"
	      "The rule at test:5 matches it: offload auto, weight 1, on-reject retry.\n"
	      "It cannot go to eth0: the NIC refused an SA of the same kind.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "If nothing changes, it may move in 39 s.\n"
	      "21 s ago it was offered to eth0: the NIC did not accept it, it stays in software: "
	      "Unsupported ICV length.\n"
	      "It may move when its wait is over.\n");
	check(&b, "0x1002",
	      "It is in software, for at least 1.0 s.\n"
	      "Why: the driver refused it: \"Unsupported ICV length\" (refused).\n"
	      "It carries 16.0 Mbit/s, and is number 2 of 2 SAs by rate.\n"
	      "In the next seconds 15.7 Mbit/s to 16.3 Mbit/s are expected of it.\n"
	      "The rule at test:5 matches it: offload auto, weight 1, on-reject retry.\n"
	      "It cannot go to eth0: the NIC refused an SA of the same kind.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "If nothing changes, it may move in 39 s.\n"
	      "It may move when its wait is over.\n");
	close_bench(&b);
}

/* It was promoted a moment ago. */
static void test_on_probation(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, NIC_OF_TWO);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	work(&b, 0.5, belief);
	check(&b, "0x1001",
	      "It is in the NIC eth0, for at least 1.0 s.\n"
	      "Why: it is hot enough to stay (resident).\n"
	      "It carries 20.0 Mbit/s, and is number 1 of 1 SAs by rate.\n"
	      "In the next seconds 19.7 Mbit/s to 20.3 Mbit/s are expected of it.\n"
	      "No rule matches it: it is offloaded by its rate.\n"
	      "It competes for a slot of eth0.\n"
	      "The NIC entry at test:4: allow true, trusted true.\n"
	      "eth0 has 2 slots, 1 in use.\n"
	      "It is on probation for 9.0 s more: if its packets fail in the NIC, it goes back to "
	      "software.\n"
	      "1.0 s ago it was promoted to eth0: a slot is free (20.0 Mbit/s).\n"
	      "It leaves when an SA outside is hotter by enough to pay for the moves, or when it "
	      "may not be in the NIC any more.\n");
	close_bench(&b);
}

static void test_observed(void **state)
{
	(void)state;
	check_full(
		"interval: 100ms\nnics: [{match: {name: eth0}, allow: true, "
		"trusted: true, capacity: 2}]\n",
		"0x1001",
		"It is in software, for at least 20 s.\n"
		"Why: the daemon only observes. In the NIC, it is hot enough to stay (resident).\n"
		"It carries 20.0 Mbit/s, and is number 1 of 3 SAs by rate.\n"
		"No rule matches it: it is offloaded by its rate.\n"
		"It competes for a slot of eth0.\n"
		"The NIC entry at test:2: allow true, trusted true.\n"
		"eth0 has 2 slots, 2 in use.\n"
		"Its boundary is 4.0 Mbit/s: below that, the best SA outside, 0x00001003 (4.0 "
		"Mbit/s), is worth more. With the most that is expected of it, it is 16.0 Mbit/s "
		"above.\n"
		"20 s ago it would have been promoted to eth0: a slot is free (20.0 Mbit/s).\n"
		"The daemon only observes; it would offload it.\n"
		"The daemon moves SAs only with 'mode: enforce'.\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_nic),
		cmocka_unit_test(test_move_of_no_sa),
		cmocka_unit_test(test_below_boundary),
		cmocka_unit_test(test_above_boundary),
		cmocka_unit_test(test_excluded_by_rule),
		cmocka_unit_test(test_removed_rule),
		cmocka_unit_test(test_excluded_nic),
		cmocka_unit_test(test_hands_off),
		cmocka_unit_test(test_in_hold),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_refused_for_a_time),
		cmocka_unit_test(test_on_probation),
		cmocka_unit_test(test_observed),
	};

	return cmocka_run_group_tests_name("explain", tests, NULL, NULL);
}
