/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dry run: what it says comes true, and it has no effect. */
#include "full-nic.h"
#include "plan-text.h"

#include <stdlib.h>

static json_t *planned(struct bench *b, int turns)
{
	return ask_method(b, method_plan, json_pack("{s:i}", "turns", turns));
}

static void check_text(struct bench *b, const char *expected)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	json_t *reply = planned(b, 10);
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(plan_layout(reply, 80, true, &frame), 0);
	frame_write(frame, false, file);
	(void)fclose(file);
	assert_string_equal(text, expected);
	free(text);
	json_decref(reply);
}

static const json_t *move_of(const json_t *plan, size_t i)
{
	return json_array_get(json_object_get(plan, "moves"), i);
}

static const char *text_of(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

/* The third SA is hotter than one in the NIC, and displaces it when the gain pays. */
static const unsigned rising[] = {50, 40, 46};

/* Until a plan foretells moves. The caller frees it. */
static json_t *run_until_moves(struct bench *b, struct fake_belief *const *beliefs)
{
	json_t *plan = planned(b, 10);

	assert_int_equal(json_array_size(json_object_get(plan, "moves")), 0);
	while (json_array_size(json_object_get(plan, "moves")) == 0) {
		run(b, 0.1, beliefs, rising, 3);
		assert_true(b->now < 1200);
		json_decref(plan);
		plan = planned(b, 10);
	}
	return plan;
}

static void test_comes_true(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;
	json_t *plan;
	double at;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	plan = run_until_moves(&b, beliefs);
	assert_int_equal(json_array_size(json_object_get(plan, "moves")), 2);
	assert_string_equal(text_of(move_of(plan, 0), "action"), "evict");
	assert_string_equal(text_of(move_of(plan, 0), "spi"), "0x00001002");
	assert_string_equal(text_of(move_of(plan, 0), "reason"), "colder");
	assert_string_equal(text_of(move_of(plan, 0), "nic"), "eth0");
	assert_string_equal(text_of(move_of(plan, 1), "action"), "promote");
	assert_string_equal(text_of(move_of(plan, 1), "spi"), "0x00001003");
	assert_string_equal(text_of(move_of(plan, 1), "otherSpi"), "0x00001002");
	at = b.now + json_number_value(json_object_get(move_of(plan, 1), "secondsFromNow"));
	json_decref(plan);
	assert_int_equal(fake_kernel_view(b.fake, beliefs[2]).ifindex, 0);
	while (fake_kernel_view(b.fake, beliefs[2]).ifindex == 0) {
		run(&b, 0.1, beliefs, rising, 3);
		assert_true(b.now < at + 0.25);
	}
	assert_int_equal(fake_kernel_view(b.fake, beliefs[1]).ifindex, 0);
	assert_true(b.now > at - 0.15);
	close_bench(&b);
}

/* Two worlds live alike, and only in one of them plans are asked for. */
static void test_no_effect(void **state)
{
	static const unsigned packets[][3] = {{50, 40, 42}, {5, 40, 42}, {50, 0, 45}, {20, 90, 60}};
	struct fake_belief *beliefs[2][3];
	struct bench worlds[2];

	(void)state;
	for (size_t w = 0; w < 2; w++)
		open_full(&worlds[w], beliefs[w], NIC_OF_TWO);
	for (size_t turn = 0; turn < 300; turn++) {
		for (size_t w = 0; w < 2; w++)
			run(&worlds[w], 0.1, beliefs[w], packets[turn / 75], 3);
		json_decref(planned(&worlds[1], 20));
		for (size_t i = 0; i < 3; i++) {
			struct policy_sa_view views[2];

			for (size_t w = 0; w < 2; w++)
				views[w] = describe_view(worlds[w].manager,
							 entry(&worlds[w], beliefs[w][i]));
			assert_memory_equal(&views[0], &views[1], sizeof(views[0]));
		}
		assert_int_equal(worlds[0].manager->promoted, worlds[1].manager->promoted);
	}
	assert_true(worlds[0].manager->evicted > 1);
	for (size_t w = 0; w < 2; w++)
		close_bench(&worlds[w]);
}

/* Each time that the clock is read, a millisecond has passed. */
static double slow_clock(void *userdata)
{
	return ((struct bench *)userdata)->now += 1e-3;
}

/* However many ask, plans are made in a small part of the time only. */
static void test_not_made_too_often(void **state)
{
	struct methods methods = {};
	struct fake_belief *beliefs[3];
	json_t *replies[4] = {};
	const char *error = NULL;
	struct bench b;
	double took;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	methods.manager = b.manager;
	b.manager->environment.clock.monotonic = slow_clock;
	took = b.now;
	assert_int_equal(method_plan(NULL, &methods, &replies[0], &error), 0);
	took = b.now - took;
	assert_int_equal(method_plan(NULL, &methods, &replies[1], &error), 0);
	assert_ptr_equal(replies[0], replies[1]);
	b.now += 15 * took;
	assert_int_equal(method_plan(NULL, &methods, &replies[2], &error), 0);
	assert_ptr_equal(replies[0], replies[2]);
	b.now += 5 * took;
	assert_int_equal(method_plan(NULL, &methods, &replies[3], &error), 0);
	assert_ptr_not_equal(replies[0], replies[3]);
	for (size_t i = 0; i < ELEMENTSOF(replies); i++)
		json_decref(replies[i]);
	plans_release(&methods.plans);
	b.manager->environment.clock.monotonic = bench_monotonic;
	close_bench(&b);
}

static const json_t *plan_again(struct methods *methods, int turns)
{
	json_auto_t *parameters = json_pack("{s:i}", "turns", turns);
	const char *error = NULL;
	json_t *reply = NULL;

	assert_int_equal(method_plan(parameters, methods, &reply, &error), 0);
	json_decref(reply); /* `methods` has it, too */
	return reply;
}

static json_int_t turns_of(const json_t *plan)
{
	return json_integer_value(json_object_get(plan, "turns"));
}

/* Each number of turns has a plan of its own, and only a few are made at a time. */
static void test_other_turns(void **state)
{
	struct methods methods = {};
	struct fake_belief *beliefs[3];
	const json_t *ten, *one, *forty;
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	methods.manager = b.manager;
	b.manager->environment.clock.monotonic = slow_clock;
	ten = plan_again(&methods, 10);
	one = plan_again(&methods, 1);
	forty = plan_again(&methods, 40);
	assert_int_equal(turns_of(ten), 10);
	assert_int_equal(turns_of(one), 1);
	assert_int_equal(turns_of(forty), 40);
	assert_ptr_equal(plan_again(&methods, 10), ten);
	assert_ptr_equal(plan_again(&methods, 1), one);
	assert_ptr_equal(plan_again(&methods, 40), forty);
	assert_ptr_equal(plan_again(&methods, 30), forty);
	assert_ptr_equal(plan_again(&methods, 3), one);
	b.now += 10;
	assert_int_equal(turns_of(plan_again(&methods, 30)), 30);
	plans_release(&methods.plans);
	b.manager->environment.clock.monotonic = bench_monotonic;
	close_bench(&b);
}

static void test_text(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_full(&b, beliefs, NIC_OF_TWO);
	check_text(
		&b,
		"No move in the next 10 turns of 100 ms, if all rates stay as they are.\n"
		"\n"
		"The best SAs outside, and what keeps them out:\n"
		"\n"
		"  0x00001003 (10.0.255.255 -> 10.0.0.13, out) for eth0: 4.0 Mbit/s, number 3\n"
		"    Why: it is colder than every SA it could displace (not-hot-enough).\n"
		"    Its boundary is 16.0 Mbit/s: above that, it is worth more than the coldest\n"
		"    SA that it may displace, 0x00001002 (16.0 Mbit/s). With the least that is\n"
		"    expected of it, it is 12.0 Mbit/s below.\n"
		"    It moves when it carries more than an SA that it may displace and that pays\n"
		"    for the moves, or when a slot becomes free.\n");
	json_decref(run_until_moves(&b, beliefs));
	check_text(
		&b,
		"Moves in the next 10 turns of 100 ms, if all rates stay as they are:\n"
		"  in 900 ms     evict 0x00001002 (10.0.255.255 -> 10.0.0.12, out) out of eth0:\n"
		"                it made room for a hotter SA\n"
		"                16.0 Mbit/s against 18.4 Mbit/s of 0x00001003, to win 16.8 MB\n"
		"                for 2.1 MB\n"
		"  in 900 ms     promote 0x00001003 (10.0.255.255 -> 10.0.0.13, out) into eth0:\n"
		"                it is hotter than the coldest SA in the NIC\n"
		"                18.4 Mbit/s against 16.0 Mbit/s of 0x00001002, to win 16.8 MB\n"
		"                for 2.1 MB\n");
	manager_set_paused(b.manager, true);
	check_text(
		&b,
		"The daemon is paused: SAs only leave NICs that may not hold them.\n"
		"No move in the next 10 turns of 100 ms, if all rates stay as they are.\n"
		"\n"
		"The best SAs outside, and what keeps them out:\n"
		"\n"
		"  0x00001003 (10.0.255.255 -> 10.0.0.13, out) for eth0: 18.4 Mbit/s, number 2\n"
		"    Why: it is hotter than the coldest SA in the NIC, but not by enough to pay\n"
		"    for the move (gain-too-small).\n"
		"    Its boundary is 16.0 Mbit/s: above that, it is worth more than the coldest\n"
		"    SA that it may displace, 0x00001002 (16.0 Mbit/s). With the least that is\n"
		"    expected of it, it is 2.4 Mbit/s above.\n"
		"    A swap of the two would win 16.5 MB; it costs 2.1 MB and pays from 16.8 MB\n"
		"    on.\n"
		"    Nothing is promoted before 'espoffloadctl resume'.\n");
	close_bench(&b);
}

/* Whatever wraps: the frame has the last line in both character sets. */
static void test_last_line(void **state)
{
	json_t *reply =
		json_pack("{s:[], s:[{s:{s:s, s:s, s:s, s:s, s:s}, s:[s]}]}", "moves", "outsiders",
			  "sa", "spi", "0x00000101", "src", "192.0.2.1", "dst", "198.51.100.1",
			  "direction", "out", "candidateNic", "eth0", "sentences", "End.");

	(void)state;
	assert_non_null(reply);
	for (int width = 30; width <= 100; width++)
		for (int ascii = 0; ascii <= 1; ascii++) {
			_cleanup_(frame_freep) struct frame *frame = NULL;
			size_t last;

			assert_int_equal(plan_layout(reply, width, ascii, &frame), 0);
			last = (size_t)(frame->height - 1) * (size_t)width;
			assert_int_equal(frame->cells[last + 4].character, 'E');
		}
	json_decref(reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_comes_true),
		cmocka_unit_test(test_no_effect),
		cmocka_unit_test(test_not_made_too_often),
		cmocka_unit_test(test_other_turns),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_last_line),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
