// SPDX-License-Identifier: GPL-2.0-or-later
/* The record of tunnels that move: bounds and times. */
#include "sa/peer-moves.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "counting.h"

#define BORN 1700000000

/* The program is linked with --wrap for this one, too. */
FAILING(ssize_t, getrandom, -1, (void *buffer, size_t size, unsigned flags), (buffer, size, flags))

static struct sa_facts make_facts(uint32_t reqid)
{
	return (struct sa_facts){
		.description = {.id = {.spi = 0xc0000000 + reqid,
				       .family = AF_INET,
				       .protocol = IPPROTO_ESP},
				.reqid = reqid},
		.add_time = BORN,
		.packets = 1,
	};
}

static bool move(struct peer_moves *moves, uint32_t reqid, double now)
{
	struct sa_facts facts = make_facts(reqid);

	peer_moves_note_deleted(moves, &facts, now);
	facts.description.id.destination.bytes[0]++;
	return peer_moves_note_made(moves, &facts, BORN + 100, now);
}

static bool knows(const struct peer_moves *moves, uint32_t reqid, double now)
{
	struct sa_facts facts = make_facts(reqid);

	return peer_moves_knows(moves, &facts.description, now);
}

static void test_learns_and_forgets(void **state)
{
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	assert_false(peer_moves_expire(moves, 1));
	assert_true(move(moves, 1, 10));
	assert_false(move(moves, 1, 20)); /* already known; the time is extended */
	assert_true(move(moves, 2, 10));
	assert_false(move(moves, 0, 20)); /* no reqid */
	assert_true(knows(moves, 1, 20));
	assert_false(knows(moves, 0, 20));
	assert_false(knows(moves, 3, 20));

	assert_false(peer_moves_expire(moves, PEER_MOVES_SECONDS + 9));
	assert_true(peer_moves_expire(moves, PEER_MOVES_SECONDS + 15));
	assert_false(knows(moves, 2, PEER_MOVES_SECONDS + 15));
	assert_true(knows(moves, 1, PEER_MOVES_SECONDS + 15));
	assert_false(peer_moves_expire(moves, PEER_MOVES_SECONDS + 19));
	assert_true(peer_moves_expire(moves, PEER_MOVES_SECONDS + 20));
	assert_false(knows(moves, 1, PEER_MOVES_SECONDS + 20));
	assert_true(move(moves, 1, PEER_MOVES_SECONDS + 20));
}

/* The conditions for a copy of a deleted SA. */
static void test_copies(void **state)
{
	static const struct {
		struct sa_id id; /* differences */
		uint64_t add_time, packets, realtime;
		double now;
		bool copy;
	} cases[] = {
		{.packets = 1, .realtime = 100, .copy = true},
		{.packets = 1, .copy = true},
		{.id.spi = 1, .packets = 1, .realtime = 100},
		{.id.protocol = 1, .packets = 1, .realtime = 100},
		{.id.mark_value = 1, .packets = 1, .realtime = 100},
		{.id.mark_mask = 1, .packets = 1, .realtime = 100},
		{.id.destination.bytes = {1}, .packets = 1, .realtime = 100, .copy = true},
		{.add_time = 1, .packets = 1, .realtime = 100},
		/* Too late. */
		{.packets = 1, .realtime = 100, .now = 10, .copy = true},
		{.packets = 1, .realtime = 100, .now = 10.5},
		/* Newly created. */
		{.realtime = 0},
		{.realtime = 1},
		{.realtime = 2, .copy = true},
		{.realtime = 100, .copy = true},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;
		struct sa_facts facts = make_facts(1);
		struct sa_id *id = &facts.description.id;

		assert_int_equal(peer_moves_new(&moves), 0);
		assert_false(peer_moves_note_made(moves, &facts, BORN + 100, 1));
		peer_moves_note_deleted(moves, &facts, 1000);
		id->spi += cases[i].id.spi;
		id->protocol += cases[i].id.protocol;
		id->mark_value += cases[i].id.mark_value;
		id->mark_mask += cases[i].id.mark_mask;
		id->destination = cases[i].id.destination;
		facts.add_time += cases[i].add_time;
		facts.packets = cases[i].packets;
		assert_int_equal(peer_moves_note_made(moves, &facts, BORN + cases[i].realtime,
						      1000 + cases[i].now),
				 cases[i].copy);
		assert_int_equal(knows(moves, 1, 1000), cases[i].copy);
	}
}

/* charon gives the copy a new reqid: from then on both reqids are known, whichever of them is
 * new. */
static void test_new_reqid(void **state)
{
	static const struct sa_facts nothing = {.description.reqid = 7, .packets = 1};
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;
	struct sa_facts facts = make_facts(1);

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	peer_moves_note_deleted(moves, &facts, 1);
	assert_false(peer_moves_note_made(moves, &nothing, BORN + 100, 1));
	facts.description.reqid = 9;
	assert_true(peer_moves_note_made(moves, &facts, BORN + 100, 1));
	assert_true(knows(moves, 1, 1));
	assert_true(knows(moves, 9, 1));
	assert_false(peer_moves_note_made(moves, &facts, BORN + 100, 1));
	facts.description.reqid = 10;
	assert_true(peer_moves_note_made(moves, &facts, BORN + 100, 1));
	assert_true(move(moves, 2, 1));
	facts = make_facts(3);
	peer_moves_note_deleted(moves, &facts, 1);
	facts.description.reqid = 2;
	assert_true(peer_moves_note_made(moves, &facts, BORN + 100, 1));
	assert_true(knows(moves, 3, 1));
}

/* Only a limited number of deletions is recorded, the latest ones. */
static void test_deletions(void **state)
{
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;
	struct sa_facts facts;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	for (uint32_t i = 1; i <= 80; i++) {
		facts = make_facts(i);
		peer_moves_note_deleted(moves, &facts, 1);
	}
	for (uint32_t i = 1; i <= 80; i++) {
		facts = make_facts(i);
		assert_int_equal(peer_moves_note_made(moves, &facts, BORN + 100, 1), i > 80 - 64);
	}
}

/* The properties that identify a tunnel. */
static void test_tunnels(void **state)
{
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;
	struct sa_description tunnel = {
		.id = {.mark_value = 2, .mark_mask = 3}, .reqid = 1, .if_id = 4, .label = 5};
	struct sa_description other;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	assert_true(peer_moves_learn(moves, &tunnel, 1));
	assert_false(peer_moves_learn(moves, &tunnel, 1));
	other = tunnel;
	other.id.spi = 77;
	other.id.destination.bytes[0] = 1;
	other.source.bytes[0] = 1;
	other.direction = SA_DIRECTION_OUT;
	assert_true(peer_moves_knows(moves, &other, 1));
	for (unsigned i = 0; i < 5; i++) {
		uint32_t *const differs[] = {&other.reqid, &other.if_id, &other.id.mark_value,
					     &other.id.mark_mask, &other.label};

		other = tunnel;
		++*differs[i];
		assert_false(peer_moves_knows(moves, &other, 1));
	}
}

static uint32_t nth_reqid(uint32_t n)
{
	return 1 + n % (2 * PEER_MOVES_MAX);
}

/* When the record is full, the oldest tunnels are replaced, some places more than once; the others
 * end at their time. */
static void test_full(void **state)
{
	static const uint32_t n = 2 * PEER_MOVES_MAX + 100;
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	for (uint32_t i = 0; i < n; i++)
		assert_true(move(moves, nth_reqid(i), i));
	for (uint32_t i = 100; i < n; i++)
		assert_int_equal(knows(moves, nth_reqid(i), n - 1), i >= n - PEER_MOVES_MAX);
	/* Replaced entries do not end any more. */
	assert_true(peer_moves_expire(moves, PEER_MOVES_SECONDS + n - 1 - PEER_MOVES_MAX));
	assert_false(peer_moves_expire(moves, PEER_MOVES_SECONDS + n - 1 - PEER_MOVES_MAX));
	for (uint32_t i = n - PEER_MOVES_MAX; i < n; i++) {
		assert_false(peer_moves_expire(moves, PEER_MOVES_SECONDS + i - 0.5));
		assert_true(peer_moves_expire(moves, PEER_MOVES_SECONDS + i));
		assert_false(knows(moves, nth_reqid(i), PEER_MOVES_SECONDS + i));
	}
	assert_false(peer_moves_expire(moves, 2 * PEER_MOVES_SECONDS));
}

/* When all entries have ended, there is nothing left to end. */
static void test_few(void **state)
{
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	assert_true(move(moves, 1, 1));
	assert_true(peer_moves_expire(moves, PEER_MOVES_SECONDS + 1));
	assert_false(peer_moves_expire(moves, 100 * PEER_MOVES_SECONDS));
}

/* A move that is not recorded for lack of memory is recorded the next time; earlier entries
 * stay. */
static void test_no_memory(void **state)
{
	struct peer_moves *moves = NULL;

	(void)state;
	assert_null(peer_moves_free(moves));
	live = 0;
	failing_in = 1;
	assert_int_equal(peer_moves_new(&moves), -ENOMEM);
	assert_null(moves);
	failing_in = 2;
	assert_int_equal(peer_moves_new(&moves), -FAILING_ERRNO);
	assert_null(moves);
	assert_int_equal(live, 0);
	assert_int_equal(peer_moves_new(&moves), 0);
	for (uint32_t i = 1; i <= 100; i++) {
		struct sa_facts facts = make_facts(i);

		failing_in = 1;
		assert_false(peer_moves_learn(moves, &facts.description, 1));
		assert_int_equal(failing_in, 0);
		assert_false(knows(moves, i, 1));
		failing_in = i % 2 ? 2 : 0; /* the second are more buckets */
		assert_true(peer_moves_learn(moves, &facts.description, 1));
	}
	failing_in = 0;
	for (uint32_t i = 1; i <= 100; i++)
		assert_true(knows(moves, i, 1));
	assert_null(peer_moves_free(moves));
	assert_int_equal(live, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns_and_forgets),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_new_reqid),
		cmocka_unit_test(test_deletions),
		cmocka_unit_test(test_tunnels),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_few),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
