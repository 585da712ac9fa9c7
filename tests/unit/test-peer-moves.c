// SPDX-License-Identifier: GPL-2.0-or-later
/* Which tunnels are known to move: bounds and times. */
#include "../../daemon/sa/peer-moves.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BORN 1700000000

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
	assert_false(move(moves, 1, 20)); /* known, and for longer */
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

/* What makes an SA a copy of a deleted one. */
static void test_copies(void **state)
{
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;
	struct sa_facts facts = make_facts(1), other;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	assert_false(peer_moves_note_made(moves, &facts, BORN + 100, 1));
	peer_moves_note_deleted(moves, &facts, 1);
	other = facts;
	other.add_time++;
	assert_false(peer_moves_note_made(moves, &other, BORN + 100, 1));
	other = facts;
	other.description.id.spi++;
	assert_false(peer_moves_note_made(moves, &other, BORN + 100, 1));
	other = facts;
	other.description.id.mark_value++;
	assert_false(peer_moves_note_made(moves, &other, BORN + 100, 1));
	assert_false(peer_moves_note_made(moves, &facts, BORN + 100, 12)); /* too late */
	other = facts;
	other.packets = 0;
	assert_false(peer_moves_note_made(moves, &other, BORN + 1, 1)); /* made afresh */
	assert_true(peer_moves_note_made(moves, &other, BORN + 2, 1));
	other.description.reqid = 9; /* charon gave it a new one: both are known */
	assert_true(peer_moves_note_made(moves, &other, BORN + 2, 1));
	assert_true(knows(moves, 1, 1));
	assert_true(knows(moves, 9, 1));
}

static void test_full(void **state)
{
	_cleanup_(peer_moves_freep) struct peer_moves *moves = NULL;

	(void)state;
	assert_int_equal(peer_moves_new(&moves), 0);
	for (uint32_t i = 1; i <= PEER_MOVES_MAX + 100; i++)
		assert_true(move(moves, i, 1));
	for (uint32_t i = 1; i <= PEER_MOVES_MAX + 100; i++)
		assert_int_equal(knows(moves, i, 2), i > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_learns_and_forgets),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
