// SPDX-License-Identifier: GPL-2.0-or-later
/* The queue of moves and the owed SAs, without a kernel: bounds, memory, and its release. */
#include "move/executor.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "counting.h"

struct fixture {
	struct executor *executor;
	struct sa_table sas;
	struct secret_arena *arena;
	struct policy_move cancelled[16];
	unsigned n_cancelled;
	bool no_memory;
	double wait;
};

static void note_cancelled(struct sa *sa, const struct policy_move *planned, void *userdata)
{
	struct fixture *f = userdata;

	assert_int_equal(sa->handle, planned->sa);
	f->cancelled[f->n_cancelled++] = *planned;
}

static void note_owing(double wait, void *userdata)
{
	((struct fixture *)userdata)->wait = wait;
}

static void note_no_memory(bool holds, void *userdata)
{
	((struct fixture *)userdata)->no_memory = holds;
}

static const struct executor_callbacks callbacks = {
	.cancelled = note_cancelled, .owing = note_owing, .no_memory = note_no_memory};

static struct executor_parameters parameters(struct fixture *f)
{
	return (struct executor_parameters){.sas = &f->sas, .callbacks = &callbacks, .userdata = f};
}

static int setup(void **state)
{
	static struct fixture f;
	struct executor_parameters p = parameters(&f);

	f = (struct fixture){};
	live = 0;
	assert_int_equal(secret_arena_new(1 << 16, &f.arena), 0);
	assert_int_equal(sa_table_init(&f.sas), 0);
	for (policy_sa handle = 0; handle < 8; handle++) {
		struct sa_description description = {.id.spi = 0x1000 + handle};
		struct sa_shape shape = {};
		struct sa *sa;

		assert_int_equal(sa_table_add(&f.sas, &description, &shape, &sa), 0);
		assert_int_equal(sa_table_set_handle(&f.sas, sa, handle), 0);
	}
	assert_int_equal(executor_new(&p, &f.executor), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_null(executor_free(f->executor));
	sa_table_release(&f->sas);
	assert_int_equal(secret_arena_in_use(f->arena), 0);
	secret_arena_free(f->arena);
	assert_int_equal(live, 0);
	return 0;
}

static void test_no_memory(void **state)
{
	struct fixture *f = *state;
	struct executor_parameters p = parameters(f);
	struct executor *executor = NULL;

	failing_in = 1;
	assert_int_equal(executor_new(&p, &executor), -ENOMEM);
	assert_null(executor);
	assert_null(executor_free(NULL));
}

static size_t plan(struct fixture *f, size_t n)
{
	struct policy_move moves[8] = {};

	for (size_t i = 0; i < n; i++)
		moves[i].sa = (policy_sa)i;
	return executor_plan(f->executor, moves, n);
}

static void check_taken(struct fixture *f, policy_sa handle)
{
	struct policy_move planned = {};

	assert_true(executor_take(f->executor, &planned));
	assert_int_equal(planned.sa, handle);
}

/* Moves are taken one by one, in order, until the queue is empty. */
static void test_queue(void **state)
{
	struct fixture *f = *state;
	struct policy_move planned = {.sa = 77};

	assert_int_equal(executor_queued(f->executor), 0);
	for (size_t n = 0; n < 8; n++) {
		assert_int_equal(plan(f, n), n);
		assert_int_equal(executor_queued(f->executor), n);
		for (size_t i = 0; i < n; i++) {
			check_taken(f, (policy_sa)i);
			assert_int_equal(executor_queued(f->executor), n - i - 1);
		}
		assert_false(executor_take(f->executor, &planned));
		assert_int_equal(planned.sa, 77);
	}
}

/* If there is no memory, the caller keeps the moves. */
static void test_no_memory_to_queue(void **state)
{
	struct fixture *f = *state;

	failing_in = 1;
	assert_int_equal(plan(f, 3), 0);
	assert_int_equal(executor_queued(f->executor), 0);
	assert_int_equal(plan(f, 3), 3);
	for (size_t n = 2; n <= 5; n++) {
		failing_in = 1;
		assert_int_equal(plan(f, n), n < 3 ? n : 3);
		assert_int_equal(failing_in, n <= 3);
		failing_in = 0;
		for (size_t i = 0; i < (n < 3 ? n : 3); i++)
			check_taken(f, (policy_sa)i);
		assert_int_equal(executor_queued(f->executor), 0);
	}
}

/* Cancelled moves of SAs that are still known are reported, others are dropped. Moves that were
 * made are not reported. */
static void test_cancel(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(plan(f, 6), 6);
	check_taken(f, 0);
	executor_cancel_of(f->executor, 0);
	executor_cancel_of(f->executor, 3);
	sa_table_remove(&f->sas, sa_table_by_handle(&f->sas, 4));
	executor_cancel(f->executor);
	assert_int_equal(f->n_cancelled, 3);
	assert_int_equal(f->cancelled[0].sa, 1);
	assert_int_equal(f->cancelled[1].sa, 2);
	assert_int_equal(f->cancelled[2].sa, 5);
	assert_int_equal(executor_queued(f->executor), 0);
	executor_cancel(f->executor);
	assert_int_equal(f->n_cancelled, 3);

	/* Also the last one; finished moves are not changed. */
	assert_int_equal(plan(f, 3), 3);
	check_taken(f, 0);
	executor_cancel_of(f->executor, 2);
	check_taken(f, 1);
	check_taken(f, POLICY_NONE);
	assert_int_equal(executor_queued(f->executor), 0);
}

static struct move lose(struct fixture *f, uint32_t spi)
{
	return (struct move){
		.id.spi = spi,
		.image = {.arena = f->arena, .attributes = secret_alloc(f->arena, 64), .size = 64}};
}

/* An owed SA is found by its complete identity, and its image belongs to the executor. */
static void test_owed(void **state)
{
	struct fixture *f = *state;
	struct sa_id id = {};

	assert_int_equal(executor_owed(f->executor), 0);
	for (uint32_t i = 0; i < 5; i++) {
		struct move move = lose(f, i);

		f->wait = 0;
		assert_int_equal(executor_reserve(f->executor, 2), 0);
		executor_keep(f->executor, &move);
		assert_null(move.image.attributes);
		assert_true(f->wait == 0.01);
		assert_int_equal(executor_owed(f->executor), i + 1);
	}
	for (id.spi = 0; id.spi < 5; id.spi++)
		assert_true(executor_owes(f->executor, &id));
	assert_false(executor_owes(f->executor, &id));
	id.spi = 1;
	id.mark_value = 1;
	assert_false(executor_owes(f->executor, &id));
}

/* Reserved room is available, and owed SAs stay unchanged if a reservation fails. */
static void test_reserve(void **state)
{
	struct fixture *f = *state;
	struct sa_id id = {.spi = 0x1000};
	struct move move;

	failing_in = 1;
	assert_int_equal(executor_reserve(f->executor, 2), -ENOMEM);
	assert_true(f->no_memory);
	failing_in = 1;
	executor_make_anew(f->executor, &id, 1);
	assert_false(executor_proceed(f->executor));
	assert_false(executor_is_in_group(f->executor));
	assert_int_equal(executor_reserve(f->executor, 2), 0);
	assert_false(f->no_memory);
	failing_in = 1;
	/* That room is already reserved. */
	assert_int_equal(executor_reserve(f->executor, 2), 0);
	assert_int_equal(failing_in, 1);
	failing_in = 0;
	for (uint32_t i = 0; i < 2; i++) {
		move = lose(f, i);
		executor_keep(f->executor, &move);
	}
	failing_in = 1;
	assert_int_equal(executor_reserve(f->executor, 1), -ENOMEM);
	assert_int_equal(executor_owed(f->executor), 2);
	assert_int_equal(executor_reserve(f->executor, 1), 0);
	assert_int_equal(executor_owed(f->executor), 2);
	move = lose(f, 2);
	executor_keep(f->executor, &move);
	for (id.spi = 0; id.spi < 3; id.spi++)
		assert_true(executor_owes(f->executor, &id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_memory_to_queue, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cancel, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reserve, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
