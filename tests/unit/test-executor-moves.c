// SPDX-License-Identifier: GPL-2.0-or-later
/* The executor with a migrator that the test controls (linked with --wrap): the order of steps in a
 * group, and where a group ends. */
#include "move/executor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SAS 12
#define NOW 1234.5 /* s */

struct fixture {
	struct executor *executor;
	struct sa_table sas;
	enum move_result results[64]; /* of the moves, in their order */
	unsigned n_moves;
	bool lost_at_the_end, stale, waiting;
	double now, guarding; /* s; the second is what making guards takes */
	policy_sa refused;    /* by prepare() */
	enum hands_off hands_off;
	double wait;
	char told[2048];
};

static struct fixture fixture;

static void tell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void tell(const char *format, ...)
{
	size_t used = strlen(fixture.told);
	va_list arguments;

	va_start(arguments, format);
	assert_true(vsnprintf(fixture.told + used, sizeof(fixture.told) - used, format, arguments) <
		    (int)(sizeof(fixture.told) - used));
	va_end(arguments);
}

static void check_told(const char *expected)
{
	assert_string_equal(fixture.told, expected);
	fixture.told[0] = 0;
}

/* ---- the migrator ---- */

void __wrap_migrator_guard(struct migrator *migrator, const struct sa_id *ids, size_t n);
void __wrap_migrator_end_moves(struct migrator *migrator);
bool __wrap_migrator_is_waiting(struct migrator *migrator);
bool __wrap_migrator_unguard(struct migrator *migrator, struct move *ret_lost);
void __wrap_migrator_begin_group(struct migrator *migrator);
void __wrap_migrator_run(struct migrator *migrator, struct move *move);
void __wrap_migrator_restore(struct migrator *migrator, struct move *move);

void __wrap_migrator_guard(struct migrator *migrator, const struct sa_id *ids, size_t n)
{
	(void)migrator;
	fixture.now += fixture.guarding;
	tell("guard");
	for (size_t i = 0; i < n; i++)
		tell(" %u", ids[i].spi);
	tell("; ");
}

void __wrap_migrator_end_moves(struct migrator *migrator)
{
	(void)migrator;
	tell("end; ");
}

bool __wrap_migrator_is_waiting(struct migrator *migrator)
{
	(void)migrator;
	return fixture.waiting;
}

bool __wrap_migrator_unguard(struct migrator *migrator, struct move *ret_lost)
{
	(void)migrator;
	tell("unguard; ");
	*ret_lost = (struct move){.id.spi = 99};
	return fixture.lost_at_the_end;
}

void __wrap_migrator_begin_group(struct migrator *migrator)
{
	(void)migrator;
	tell("group; ");
}

void __wrap_migrator_run(struct migrator *migrator, struct move *move)
{
	(void)migrator;
	move->result = fixture.results[fixture.n_moves++];
	tell("%s %u to %d; ", move->anew ? "anew" : "move", move->id.spi, move->target.ifindex);
}

void __wrap_migrator_restore(struct migrator *migrator, struct move *move)
{
	(void)migrator;
	move->result = fixture.results[fixture.n_moves++];
	tell("restore %u; ", move->id.spi);
}

/* ---- the manager ---- */

static bool refresh(void *userdata)
{
	(void)userdata;
	return !fixture.stale;
}

static void refresh_policies(void *userdata)
{
	(void)userdata;
	tell("policies; ");
}

static bool prepare(struct sa *sa, const struct policy_move *planned, struct move *move,
		    void *userdata)
{
	(void)userdata;
	if (planned->sa == fixture.refused)
		return false;
	move->id = sa->description.id;
	move->target.ifindex = planned->action == POLICY_PROMOTE ? 7 : 0;
	return true;
}

static enum hands_off check(const struct sa *sa, void *userdata)
{
	(void)sa;
	(void)userdata;
	return fixture.hands_off;
}

static void done(struct sa *sa, const struct policy_move *planned, struct move *move, double begun,
		 void *userdata)
{
	(void)userdata;
	assert_int_equal(sa->handle, planned->sa);
	assert_true(begun == fixture.now);
	assert_true(move->keep_image);
	tell("%s; ", move_result_name(move->result));
}

static void made_anew(struct move *move, double begun, void *userdata)
{
	(void)userdata;
	assert_true(begun == NOW);
	assert_true(move->keep_image);
	assert_int_equal(move->target.ifindex, move->expected_ifindex);
	tell("%s; ", move_result_name(move->result));
}

static void cancelled(struct sa *sa, const struct policy_move *planned, void *userdata)
{
	(void)planned;
	(void)userdata;
	tell("cancelled %u; ", sa->description.id.spi);
}

static void settled(struct move *move, void *userdata)
{
	(void)userdata;
	tell("settled %u; ", move->id.spi);
}

static void owing(double wait, void *userdata)
{
	(void)userdata;
	fixture.wait = wait;
}

static void no_memory(bool holds, void *userdata)
{
	(void)userdata;
	assert_false(holds);
}

static const struct executor_callbacks callbacks = {
	.refresh = refresh,
	.refresh_policies = refresh_policies,
	.prepare = prepare,
	.check = check,
	.done = done,
	.made_anew = made_anew,
	.cancelled = cancelled,
	.settled = settled,
	.owing = owing,
	.no_memory = no_memory,
};

/* ---- the tests ---- */

static double monotonic(void *userdata)
{
	(void)userdata;
	return fixture.now;
}

/* SAs with an even SPI are outbound. */
static void open_executor(void)
{
	static const struct clock clock = {.monotonic = monotonic};
	const struct executor_parameters parameters = {
		.clock = &clock, .sas = &fixture.sas, .callbacks = &callbacks};

	fixture = (struct fixture){.now = NOW, .wait = -1, .refused = POLICY_NONE};
	for (size_t i = 0; i < sizeof(fixture.results) / sizeof(*fixture.results); i++)
		fixture.results[i] = MOVE_RESULT_DONE;
	assert_int_equal(sa_table_init(&fixture.sas), 0);
	for (unsigned i = 0; i < SAS; i++) {
		struct sa_description description = {
			.id.spi = i, .direction = i % 2 ? SA_DIRECTION_IN : SA_DIRECTION_OUT};
		struct sa_shape shape = {};
		struct sa *sa;

		assert_int_equal(sa_table_add(&fixture.sas, &description, &shape, &sa), 0);
		assert_int_equal(sa_table_set_handle(&fixture.sas, sa, i), 0);
		sa_table_set_residence(&fixture.sas, sa, 7, false);
	}
	assert_int_equal(executor_new(&parameters, &fixture.executor), 0);
}

static void close_executor(void)
{
	executor_free(fixture.executor);
	sa_table_release(&fixture.sas);
}

static void plan(unsigned first, unsigned n)
{
	struct policy_move moves[SAS] = {};

	for (unsigned i = 0; i < n; i++)
		moves[i] = (struct policy_move){
			.sa = first + i, .action = POLICY_PROMOTE, .other = POLICY_NONE};
	assert_int_equal(executor_plan(fixture.executor, moves, n), n);
}

/* Makes the moves of one group. */
static void make_group(void)
{
	do
		assert_true(executor_proceed(fixture.executor));
	while (executor_is_in_group(fixture.executor));
}

/* A group has as many moves as can be guarded; its outbound SAs are guarded together. */
static void test_group(void **state)
{
	(void)state;
	open_executor();
	plan(0, 3);
	make_group();
	check_told("guard 0 2; policies; move 0 to 7; done; move 1 to 7; done; move 2 to 7; done; "
		   "end; unguard; ");
	assert_int_equal(executor_queued(fixture.executor), 0);

	/* Policies are not checked for inbound SAs. */
	plan(3, 1);
	make_group();
	check_told("guard; move 3 to 7; done; end; unguard; ");

	plan(0, SAS);
	make_group();
	assert_int_equal(executor_queued(fixture.executor), SAS - GUARDED_MAX);
	assert_int_equal(fixture.n_moves, 4 + GUARDED_MAX);
	fixture.told[0] = 0;
	make_group();
	check_told("guard 8 10; policies; move 8 to 7; done; move 9 to 7; done; move 10 to 7; "
		   "done; move 11 to 7; done; end; unguard; ");
	assert_int_equal(executor_queued(fixture.executor), 0);
	close_executor();
}

/* After an SA is lost no other is moved, and the caller cancels the rest. */
static void test_loss_ends_group(void **state)
{
	const struct sa_id id = {.spi = 1};

	(void)state;
	open_executor();
	plan(0, 4);
	fixture.results[1] = MOVE_RESULT_LOST;
	make_group();
	check_told("guard 0 2; policies; move 0 to 7; done; move 1 to 7; lost; end; unguard; ");
	assert_int_equal(executor_queued(fixture.executor), 2);
	assert_int_equal(executor_owed(fixture.executor), 1);
	assert_true(executor_owes(fixture.executor, &id));
	assert_true(fixture.wait == 0.01);
	executor_cancel(fixture.executor);
	check_told("cancelled 2; cancelled 3; ");
	close_executor();
}

/* An SA can be lost when the guards are deleted. */
static void test_loss_at_the_end(void **state)
{
	const struct sa_id id = {.spi = 99};

	(void)state;
	open_executor();
	plan(0, 1);
	fixture.lost_at_the_end = true;
	make_group();
	check_told("guard 0; policies; move 0 to 7; done; end; unguard; ");
	assert_true(executor_owes(fixture.executor, &id));
	assert_true(fixture.wait == 0.01);
	close_executor();
}

/* Findings right before a move. */
static void test_before_a_move(void **state)
{
	(void)state;
	open_executor();
	plan(0, 1);
	fixture.stale = true;
	make_group();
	check_told("guard 0; policies; failed; end; unguard; ");
	fixture.stale = false;
	plan(0, 1);
	fixture.hands_off = HANDS_OFF_OPTIONAL_TEMPLATE;
	make_group();
	check_told("guard 0; policies; hands-off; end; unguard; ");
	plan(0, 1);
	fixture.hands_off = HANDS_OFF_LARVAL;
	make_group();
	check_told("guard 0; policies; gone; end; unguard; ");
	close_executor();
}

/* An eviction, followed by the promotion that takes its slot. */
static const struct {
	const char *text;
	enum move_result result;
	bool refuse_prepare, has_slot;
} evictions[] = {
	{"evicted", MOVE_RESULT_DONE, false, true},
	{"gone, and so from its slot", MOVE_RESULT_GONE, false, true},
	{"failed", MOVE_RESULT_FAILED, false, false},
	{"hands off", MOVE_RESULT_HANDS_OFF, false, false},
	{"not to be made", MOVE_RESULT_DONE, true, false},
};

static void test_without_slot(void **state)
{
	const struct policy_move moves[] = {
		{.sa = 1, .action = POLICY_EVICT, .other = 3},
		{.sa = 3, .action = POLICY_PROMOTE, .other = 1},
		{.sa = 5, .action = POLICY_PROMOTE, .other = POLICY_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(evictions) / sizeof(*evictions); i++) {
		char first[64] = "", expected[256];

		open_executor();
		fixture.results[0] = evictions[i].result;
		fixture.refused = evictions[i].refuse_prepare ? 1 : POLICY_NONE;
		assert_int_equal(executor_plan(fixture.executor, moves, 3), 3);
		make_group();
		if (!evictions[i].refuse_prepare)
			snprintf(first, sizeof(first), "move 1 to 0; %s; ",
				 move_result_name(evictions[i].result));
		snprintf(expected, sizeof(expected), "guard; %s%smove 5 to 7; done; end; unguard; ",
			 first, evictions[i].has_slot ? "move 3 to 7; done; " : "cancelled 3; ");
		check_told(expected);
		/* Another plan is not affected. */
		plan(3, 1);
		make_group();
		check_told("guard; move 3 to 7; done; end; unguard; ");
		close_executor();
	}
}

/* An SA that disappeared since it was planned is skipped, also if another SA has its handle now. */
static void test_gone_since(void **state)
{
	(void)state;
	open_executor();
	plan(0, 3);
	sa_table_remove(&fixture.sas, sa_table_by_handle(&fixture.sas, 0));
	executor_cancel_of(fixture.executor, 2);
	make_group();
	check_told("guard; move 1 to 7; done; end; unguard; ");
	close_executor();
}

static void test_made_anew(void **state)
{
	struct sa_id ids[4] = {{.spi = 0}, {.spi = 77}, {.spi = 2}, {.spi = 4}};

	(void)state;
	open_executor();
	sa_table_set_residence(&fixture.sas, sa_table_by_handle(&fixture.sas, 2), 7, true);
	executor_make_anew(fixture.executor, ids, 4);
	make_group();
	check_told(
		"guard 0 77 2 4; policies; anew 0 to 7; done; anew 4 to 7; done; end; unguard; ");

	/* A lost SA ends the group. */
	sa_table_set_residence(&fixture.sas, sa_table_by_handle(&fixture.sas, 2), 7, false);
	fixture.results[fixture.n_moves] = MOVE_RESULT_LOST;
	executor_make_anew(fixture.executor, ids, 4);
	make_group();
	check_told("guard 0 77 2 4; policies; anew 0 to 7; lost; end; unguard; ");
	assert_int_equal(executor_owed(fixture.executor), 1);
	close_executor();
}

static void owe(unsigned n)
{
	assert_int_equal(executor_reserve(fixture.executor, n), 0);
	for (unsigned i = 0; i < n; i++)
		executor_keep(fixture.executor, &(struct move){.id.spi = 100 + i});
}

/* Owed SAs are tried in groups, in order. Those that are not back go to the end, and the wait
 * doubles up to one second. */
static void test_restore(void **state)
{
	static const double waits[] = {0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1, 1};

	(void)state;
	open_executor();
	owe(3);
	fixture.results[1] = MOVE_RESULT_LOST;
	executor_restore(fixture.executor);
	check_told("group; restore 100; restore 101; restore 102; unguard; settled 100; settled "
		   "102; ");
	assert_int_equal(executor_owed(fixture.executor), 1);
	assert_true(fixture.wait == 0.02);
	for (size_t i = 1; i < sizeof(waits) / sizeof(*waits); i++) {
		fixture.results[fixture.n_moves] = MOVE_RESULT_LOST;
		executor_restore(fixture.executor);
		check_told("group; restore 101; unguard; ");
		assert_true(fixture.wait == waits[i]);
	}
	fixture.results[fixture.n_moves] = MOVE_RESULT_GONE;
	executor_restore(fixture.executor);
	check_told("group; restore 101; unguard; settled 101; ");
	assert_int_equal(executor_owed(fixture.executor), 0);
	assert_true(fixture.wait == 0);

	owe(GUARDED_MAX + 2);
	fixture.results[fixture.n_moves] = MOVE_RESULT_LOST;
	executor_restore(fixture.executor);
	check_told(
		"group; restore 100; restore 101; restore 102; restore 103; restore 104; restore "
		"105; restore 106; restore 107; unguard; settled 101; settled 102; settled 103; "
		"settled 104; settled 105; settled 106; settled 107; group; restore 108; restore "
		"109; unguard; settled 108; settled 109; ");
	assert_int_equal(executor_owed(fixture.executor), 1);
	close_executor();
}

/* While lookups are waited for, nothing is done. */
static void test_waiting(void **state)
{
	(void)state;
	open_executor();
	plan(0, 2);
	assert_false(executor_is_in_group(fixture.executor));
	fixture.waiting = true;
	assert_true(executor_proceed(fixture.executor));
	check_told("guard 0; ");
	assert_false(executor_proceed(fixture.executor));
	assert_true(executor_is_in_group(fixture.executor));
	check_told("");
	fixture.waiting = false;
	assert_true(executor_proceed(fixture.executor));
	check_told("policies; move 0 to 7; done; move 1 to 7; done; end; ");
	fixture.waiting = true;
	assert_false(executor_proceed(fixture.executor));
	/* The next group waits until the guards of this one are deleted. */
	plan(2, 1);
	assert_false(executor_proceed(fixture.executor));
	check_told("");
	fixture.waiting = false;
	assert_true(executor_proceed(fixture.executor));
	check_told("unguard; ");
	assert_false(executor_is_in_group(fixture.executor));
	assert_true(executor_proceed(fixture.executor));
	check_told("guard 2; ");
	make_group();
	check_told("policies; move 2 to 7; done; end; unguard; ");
	assert_false(executor_proceed(fixture.executor));
	check_told("");
	close_executor();
}

/* Moves are cancelled while their SAs are guarded: only the guards are left to do. A plan that is
 * made then waits for its own guards. */
static void test_cancelled_while_waiting(void **state)
{
	const struct sa_id id = {.spi = 6};

	(void)state;
	open_executor();
	plan(0, 2);
	assert_true(executor_proceed(fixture.executor));
	executor_make_anew(fixture.executor, &id, 1);
	executor_cancel(fixture.executor);
	check_told("guard 0; cancelled 0; cancelled 1; ");
	assert_true(executor_is_in_group(fixture.executor));
	plan(2, 1);
	make_group();
	check_told("policies; end; unguard; ");
	make_group();
	check_told("guard 2; policies; move 2 to 7; done; end; unguard; ");

	executor_make_anew(fixture.executor, &id, 1);
	assert_true(executor_proceed(fixture.executor));
	executor_cancel(fixture.executor);
	make_group();
	check_told("guard 6; policies; end; unguard; ");
	assert_false(executor_proceed(fixture.executor));
	close_executor();
}

/* Guards expire. Those that were made long ago are made again. */
static void test_old_guards(void **state)
{
	(void)state;
	open_executor();
	plan(0, 1);
	assert_true(executor_proceed(fixture.executor));
	fixture.now = NOW + 10;
	make_group();
	check_told("guard 0; end; unguard; ");
	assert_int_equal(executor_queued(fixture.executor), 1);
	fixture.now = NOW;
	make_group();
	check_told("guard 0; policies; move 0 to 7; done; end; unguard; ");

	/* A slow kernel, and a machine that is so busy that a wait takes long. */
	plan(0, 1);
	fixture.guarding = 20;
	assert_true(executor_proceed(fixture.executor));
	fixture.now += 9.75;
	make_group();
	check_told("guard 0; policies; move 0 to 7; done; end; unguard; ");
	close_executor();
}

/* The daemon stops, or SAs are owed: the guards are deleted at once. What was planned is guarded
 * again. */
static void test_group_is_ended(void **state)
{
	(void)state;
	open_executor();
	executor_end_group(fixture.executor);
	check_told("");
	plan(0, 2);
	fixture.waiting = true;
	assert_true(executor_proceed(fixture.executor));
	executor_end_group(fixture.executor);
	check_told("guard 0; unguard; ");
	assert_false(executor_is_in_group(fixture.executor));
	fixture.waiting = false;
	make_group();
	check_told("guard 0; policies; move 0 to 7; done; move 1 to 7; done; end; unguard; ");

	plan(0, 2);
	assert_true(executor_proceed(fixture.executor));
	owe(1);
	executor_restore(fixture.executor);
	check_told("guard 0; group; restore 100; unguard; settled 100; ");
	assert_false(executor_is_in_group(fixture.executor));

	/* No SA is moved while one is owed. */
	assert_true(executor_proceed(fixture.executor));
	owe(1);
	make_group();
	check_told("guard 0; policies; end; unguard; ");
	assert_int_equal(executor_queued(fixture.executor), 2);
	close_executor();
}

/* SAs that are to be made anew come before the queue, in groups. */
static void test_anew_first(void **state)
{
	struct sa_id ids[MADE_ANEW_MAX + 1] = {};

	(void)state;
	open_executor();
	for (unsigned i = 0; i <= MADE_ANEW_MAX; i++)
		ids[i].spi = 2 * i % SAS;
	plan(1, 1);
	executor_make_anew(fixture.executor, ids + 1, 2);
	executor_make_anew(fixture.executor, ids, MADE_ANEW_MAX + 1);
	make_group();
	check_told("guard 0 2 4 6 8 10 0 2; policies; anew 0 to 7; done; anew 2 to 7; done; "
		   "anew 4 to 7; done; anew 6 to 7; done; anew 8 to 7; done; anew 10 to 7; done; "
		   "anew 0 to 7; done; anew 2 to 7; done; end; unguard; ");
	assert_true(executor_proceed(fixture.executor));
	executor_make_anew(fixture.executor, ids + 1, 1);
	make_group();
	check_told("guard 4 6 8 10 0 2 4 6; policies; anew 4 to 7; done; anew 6 to 7; done; "
		   "anew 8 to 7; done; anew 10 to 7; done; anew 0 to 7; done; anew 2 to 7; done; "
		   "anew 4 to 7; done; anew 6 to 7; done; end; unguard; ");
	make_group();
	check_told("guard; move 1 to 7; done; end; unguard; ");
	assert_false(executor_proceed(fixture.executor));
	close_executor();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_loss_ends_group),
		cmocka_unit_test(test_loss_at_the_end),
		cmocka_unit_test(test_before_a_move),
		cmocka_unit_test(test_without_slot),
		cmocka_unit_test(test_gone_since),
		cmocka_unit_test(test_made_anew),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_cancelled_while_waiting),
		cmocka_unit_test(test_old_guards),
		cmocka_unit_test(test_group_is_ended),
		cmocka_unit_test(test_anew_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
