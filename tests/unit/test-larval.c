// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Moves of outbound SAs whose policies name the SPI in their template, as charon's do, while
 * packets are sent: for a packet that finds no SA the kernel inserts a larval SA with the SA's
 * identity and sends an ACQUIRE.
 */
#include "fake-bench.h"
#include "move/migrator.h"
#include "move/rescue.h"
#include "xfrm/compat.h"

#include <errno.h>
#include <string.h>

/* The rescue slot as the daemon finds it when it is started again. */
struct death {
	struct rescue *rescue;
	struct sa_image image;
	struct sa_offload target;
	int loaded;
};

/* An event that happens once: before a message or transaction of the daemon that follows a message
 * of that type, or during one of that type. */
struct happening {
	uint16_t after; /* 0: any */
	enum fake_moment moment;
	bool (*what)(struct bench *b, struct fake_belief *belief); /* false: not yet */
	struct bench *bench;
	struct fake_belief *belief;
	struct death *death;                 /* not NULL: the daemon is killed then */
	const struct happening *after_other; /* not before this one; NULL: any time */
	bool happened;
	struct happening *next;
};

static void die(struct bench *b, struct death *death)
{
	death->loaded = rescue_load(death->rescue, b->arena, &death->image, &death->target);
	fake_kernel_kill(b->fake);
}

static void happen(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	uint16_t last = fake_kernel_last_message(k);

	(void)step;
	for (struct happening *h = userdata; h; h = h->next) {
		if (h->happened || moment != h->moment || !last || (h->after && last != h->after) ||
		    (h->after_other && !h->after_other->happened))
			continue;
		h->happened = true;
		h->happened = h->what(h->bench, h->belief);
		if (h->happened && h->death)
			die(h->bench, h->death);
	}
}

static bool send_packet(struct bench *b, struct fake_belief *belief)
{
	(void)fake_kernel_send(b->fake, belief, 1, 100);
	return true;
}

static bool hold_packet(struct bench *b, struct fake_belief *belief)
{
	fake_kernel_hold_lookup(b->fake, belief);
	return true;
}

static uint64_t clock_of_model(void *userdata)
{
	return (uint64_t)fake_kernel_now(userdata);
}

static struct fake_belief *prepare(struct bench *b, bool evict)
{
	struct fake_belief *belief = bench_install(
		b, &(struct fake_sa_spec){.reqid = 1, .ifindex = evict ? BENCH_NIC : 0});

	fake_kernel_config(b->fake)->templates_name_spi = true;
	fake_kernel_advance(b->fake, 5);
	assert_int_equal(fake_kernel_send(b->fake, belief, 3, 100), 3);
	return belief;
}

static struct move run_with(struct bench *b, struct rescue *rescue, struct fake_belief *belief,
			    bool evict, struct happening *happening)
{
	_cleanup_(migrator_freep) struct migrator *migrator = NULL;
	const struct clock clock = {.realtime = clock_of_model, .userdata = b->fake};
	const struct migrator_parameters parameters = {.event_timer_default = 10, .clock = &clock};
	struct move move = {
		.id = fake_belief_id(belief),
		.target = {.ifindex = evict ? 0 : BENCH_NIC, .direction = SA_DIRECTION_OUT},
		.expected_ifindex = evict ? BENCH_NIC : 0,
	};

	assert_int_equal(migrator_new(b->kernel, b->arena, rescue, &parameters, &migrator), 0);
	fake_kernel_restart_counts(b->fake);
	for (struct happening *h = happening; h; h = h->next) {
		h->bench = b;
		h->belief = belief;
	}
	fake_kernel_set_hook(b->fake, happen, happening);
	migrator_run(migrator, &move);
	fake_kernel_set_hook(b->fake, NULL, NULL);
	fake_kernel_end_lookup(b->fake);
	for (struct happening *h = happening; h; h = h->next)
		assert_true(h->happened);
	return move;
}

static struct move run(struct bench *b, struct fake_belief *belief, bool evict,
		       struct happening *happening)
{
	return run_with(b, NULL, belief, evict, happening);
}

/* The SA is the only one with its identity, and packets continue with the next number. */
static void check_sound(struct bench *b, struct fake_belief *belief, int ifindex)
{
	struct fake_view view = fake_kernel_view(b->fake, belief);

	assert_true(view.exists);
	assert_int_equal(view.ifindex, ifindex);
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
	assert_int_equal(fake_kernel_skipped(b->fake, belief), 0);
	bench_assert_sound(b);
}

/* Between the messages of one buffer: the larval SA of the packet has the SPI, ours gets none. */
static void test_packet_before_the_larval(void **state)
{
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, send_packet};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &packet);

	assert_int_equal(move.result, MOVE_RESULT_DONE);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
	check_sound(b, belief, BENCH_NIC);
}

/* The packet found no SA, and inserts its larval SA when the SA is back. */
static void test_packet_that_comes_late(void **state)
{
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, hold_packet};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &packet);

	assert_int_equal(move.result, MOVE_RESULT_DONE);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
	check_sound(b, belief, BENCH_NIC);
}

/* The same while the kernel moves the SA: it is deleted and not inserted yet. */
static void test_packet_within_migrate_state(void **state)
{
	struct happening packet = {XFRM_COMPAT_MSG_MIGRATE_STATE, FAKE_WITHIN_MESSAGE, hold_packet};
	struct bench *b = *state;
	struct fake_belief *belief;
	struct move move;

	fake_kernel_config(b->fake)->migrate_state = FAKE_MIGRATE_WORKS;
	belief = prepare(b, true);
	move = run(b, belief, true, &packet);
	assert_int_equal(move.result, MOVE_RESULT_DONE);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
	check_sound(b, belief, 0);
}

static bool delete_larval(struct bench *b, struct fake_belief *belief)
{
	/* The guard is already deleted. */
	if (!fake_kernel_view(b->fake, belief).larval || fake_kernel_count(b->fake, true) != 1)
		return false;
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(kernel_transact(b->kernel, &b->batch, NULL, NULL), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	return true;
}

/* The larval SA disappears after it was seen and before it is deleted. So the SA itself is deleted,
 * and put back unchanged. */
static void test_deletion_that_meets_the_sa(void **state)
{
	struct happening gone = {XFRM_MSG_GETSA, FAKE_BEFORE_TRANSACT, delete_larval};
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, hold_packet, .next = &gone};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &packet);

	assert_int_equal(move.result, MOVE_RESULT_DONE);
	check_sound(b, belief, BENCH_NIC);
}

static bool is_real(struct bench *b, const struct fake_belief *belief)
{
	struct fake_view view = fake_kernel_view(b->fake, belief);

	return view.exists && !view.larval;
}

/* After the SA is back, before it is read. */
static bool end_packet(struct bench *b, struct fake_belief *belief)
{
	if (!is_real(b, belief))
		return false;
	fake_kernel_end_lookup(b->fake);
	return fake_kernel_view(b->fake, belief).larval;
}

/* Between the GETSA that shows the larval SA and its deletion. */
static bool delete_larval_in_front(struct bench *b, struct fake_belief *belief)
{
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(kernel_transact(b->kernel, &b->batch, NULL, NULL), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	return true;
}

/* The same in a promotion that the driver refuses: the SA is back in software, not in the NIC. */
static void test_refused_and_deletion_that_meets_the_sa(void **state)
{
	struct happening gone = {XFRM_MSG_GETSA, FAKE_BEFORE_TRANSACT, delete_larval_in_front};
	struct happening arrives = {XFRM_MSG_UPDSA, FAKE_AFTER_TRANSACT, end_packet, .next = &gone};
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, hold_packet,
				   .next = &arrives};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	arrives.after_other = &packet;
	gone.after_other = &arrives;
	b->nic->fail_adds = 1;
	b->nic->fail_error = -EINVAL;
	move = run(b, belief, false, &packet);
	assert_int_equal(move.result, MOVE_RESULT_REFUSED);
	assert_int_equal(move.error, -EINVAL);
	assert_int_equal(move.target.ifindex, BENCH_NIC);
	check_sound(b, belief, 0);
}

static bool is_away(struct bench *b, struct fake_belief *belief)
{
	return !is_real(b, belief);
}

/* Like manager_start(). */
static void restart(struct bench *b, struct fake_belief *belief, struct death *death)
{
	_cleanup_(migrator_freep) struct migrator *migrator = NULL;
	const struct clock clock = {.realtime = clock_of_model, .userdata = b->fake};
	const struct migrator_parameters parameters = {.event_timer_default = 10, .clock = &clock};
	struct move move = {.id = fake_belief_id(belief),
			    .target = death->target,
			    .image = death->image,
			    .stored = true,
			    .larval = true,
			    .interrupted = true,
			    .exact = death->loaded > 0};

	kernel_free(b->kernel);
	assert_int_equal(fake_kernel_open(b->fake, &b->kernel), 0);
	assert_int_equal(migrator_new(b->kernel, b->arena, death->rescue, &parameters, &migrator),
			 0);
	migrator_restore(migrator, &move);
	migrator_sweep(migrator);
	assert_int_equal(rescue_load(death->rescue, b->arena, &death->image, &death->target),
			 -ENOENT);
}

/* The deletion hits the SA, and the daemon dies before the SA is back: during the move, or after
 * it, when the guards are deleted and the slot is empty. */
static void check_death(struct bench *b, bool in_move)
{
	_cleanup_(rescue_closep) struct rescue *rescue = NULL;
	struct death death = {};
	struct happening end = {0, FAKE_AFTER_TRANSACT, is_away, .death = &death};
	struct happening gone = {XFRM_MSG_GETSA, FAKE_BEFORE_TRANSACT,
				 in_move ? delete_larval_in_front : delete_larval, .next = &end};
	struct happening arrives = {XFRM_MSG_UPDSA, FAKE_AFTER_TRANSACT, end_packet, .next = &gone};
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, hold_packet,
				   .next = in_move ? &arrives : &gone};
	struct fake_belief *belief = prepare(b, false);

	assert_int_equal(rescue_open(-1, &rescue), 0);
	death.rescue = rescue;
	arrives.after_other = &packet;
	gone.after_other = in_move ? &arrives : &packet;
	end.after_other = &gone;
	(void)run_with(b, rescue, belief, false, &packet);
	assert_true(death.loaded >= 0);
	/* The dead daemon's code wrote to the slot after its death. */
	rescue_clear(rescue);
	restart(b, belief, &death);
	assert_true(is_real(b, belief));
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
	bench_assert_sound(b);
}

static void test_death_after_deletion_in_move(void **state)
{
	check_death(*state, true);
}

static void test_death_after_deletion_behind_move(void **state)
{
	check_death(*state, false);
}

/* A packet's larval SA has the SPI, so the one that should hold the place has none, and the daemon
 * dies before it gives that one an SPI. */
static void test_death_with_a_larval_without_spi(void **state)
{
	_cleanup_(rescue_closep) struct rescue *rescue = NULL;
	struct death death = {};
	struct happening end = {0, FAKE_AFTER_TRANSACT, is_away, .death = &death};
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, send_packet, .next = &end};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);

	assert_int_equal(rescue_open(-1, &rescue), 0);
	death.rescue = rescue;
	end.after_other = &packet;
	(void)run_with(b, rescue, belief, false, &packet);
	assert_true(death.loaded >= 0);
	rescue_clear(rescue);
	restart(b, belief, &death);
	assert_true(is_real(b, belief));
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	bench_assert_sound(b);
}

static bool expire_and_send(struct bench *b, struct fake_belief *belief)
{
	/* The guard exists: the next GETSA is the second one. */
	if (fake_kernel_count(b->fake, true) != 1)
		return false;
	assert_int_equal(fake_ike_expire(b->fake, belief), 0);
	/* A packet whose template names the SPI: the guard does not match. */
	(void)fake_kernel_send(b->fake, belief, 1, 100);
	assert_true(fake_kernel_view(b->fake, belief).acquired);
	return true;
}

/* The SA expires right before it is deleted, and a packet inserts a larval SA: our DELSA deletes
 * that one. */
static void test_larval_that_is_deleted(void **state)
{
	struct happening expiry = {XFRM_MSG_GETAE, FAKE_BEFORE_TRANSACT, expire_and_send};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &expiry);

	assert_int_equal(move.result, MOVE_RESULT_GONE);
	assert_false(fake_kernel_view(b->fake, belief).exists);
	bench_assert_sound(b);
}

/* ... and another packet does the same before our larval SA exists: a larval SA in the SA's place
 * does not mean that the SA may be put back. */
static void test_larval_that_is_deleted_and_another(void **state)
{
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, send_packet};
	struct happening expiry = {XFRM_MSG_GETAE, FAKE_BEFORE_TRANSACT, expire_and_send,
				   .next = &packet};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &expiry);

	assert_int_equal(move.result, MOVE_RESULT_GONE);
	assert_false(fake_kernel_view(b->fake, belief).exists);
	bench_assert_sound(b);
}

/* ---- The IKE daemon deletes the larval SA that holds the place instead of the SA ---- */

static bool delete_if_away(struct bench *b, struct fake_belief *belief)
{
	struct fake_view view = fake_kernel_view(b->fake, belief);

	if (view.exists || !view.larval)
		return false;
	assert_int_equal(fake_ike_delete(b->fake, belief), 0);
	return true;
}

static bool delete_if_away_and_send(struct bench *b, struct fake_belief *belief)
{
	if (!delete_if_away(b, belief))
		return false;
	(void)fake_kernel_send(b->fake, belief, 1, 100);
	assert_true(fake_kernel_view(b->fake, belief).acquired);
	return true;
}

static void check_gone(struct bench *b, struct fake_belief *belief, const struct move *move)
{
	assert_int_equal(move->result, MOVE_RESULT_GONE);
	assert_false(fake_kernel_view(b->fake, belief).exists);
	bench_assert_sound(b);
}

/* Our UPDSA hits the larval SA of a packet that was sent then. */
static void test_deleted_and_a_packet(void **state)
{
	struct happening deletion = {XFRM_MSG_ALLOCSPI, FAKE_BEFORE_TRANSACT,
				     delete_if_away_and_send};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &deletion);

	check_gone(b, belief, &move);
}

/* ... or of one that is sent between the GETSA and the UPDSA of one buffer. */
static void test_deleted_and_a_packet_in_the_buffer(void **state)
{
	struct happening packet = {XFRM_MSG_GETSA, FAKE_BEFORE_MESSAGE, send_packet};
	struct happening deletion = {XFRM_MSG_ALLOCSPI, FAKE_BEFORE_TRANSACT, delete_if_away,
				     .next = &packet};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	packet.after_other = &deletion;
	move = run(b, belief, false, &deletion);
	check_gone(b, belief, &move);
}

/* ... or of one that is sent after the UPDSA, which found no SA. */
static void test_deleted_and_a_packet_after_the_update(void **state)
{
	struct happening packet = {XFRM_MSG_UPDSA, FAKE_BEFORE_TRANSACT, send_packet};
	struct happening deletion = {XFRM_MSG_ALLOCSPI, FAKE_BEFORE_TRANSACT, delete_if_away,
				     .next = &packet};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	packet.after_other = &deletion;
	move = run(b, belief, false, &deletion);
	check_gone(b, belief, &move);
}

static bool end_lookup(struct bench *b, struct fake_belief *belief)
{
	if (fake_kernel_view(b->fake, belief).exists)
		return false;
	fake_kernel_end_lookup(b->fake);
	assert_true(fake_kernel_view(b->fake, belief).acquired);
	return true;
}

/* Our larval SA was not deleted: it is behind the larval SA of a delayed packet. */
static void test_larval_before_ours(void **state)
{
	struct happening end = {XFRM_MSG_ALLOCSPI, FAKE_BEFORE_TRANSACT, end_lookup};
	struct happening begin = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, hold_packet, .next = &end};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &begin);

	assert_int_equal(move.result, MOVE_RESULT_DONE);
	assert_true(fake_kernel_view(b->fake, belief).exists);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, BENCH_NIC);
}

static bool go_down_and_send(struct bench *b, struct fake_belief *belief)
{
	assert_int_equal(fake_kernel_link_down(b->fake, BENCH_NIC), 1);
	return send_packet(b, belief);
}

/* Our larval SA was replaced by the SA, which was lost with its NIC before the answer: the IKE
 * daemon did not delete it. */
static void test_down_before_the_answer(void **state)
{
	struct happening down = {XFRM_MSG_UPDSA, FAKE_AFTER_TRANSACT, go_down_and_send};
	struct fake_fault fault = {.kind = FAKE_FAULT_LOSE_ANSWER, .type = XFRM_MSG_UPDSA};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	fake_kernel_set_fault(b->fake, &fault);
	move = run(b, belief, false, &down);
	assert_int_equal(fake_kernel_struck(b->fake), XFRM_MSG_UPDSA);
	assert_int_equal(move.result, MOVE_RESULT_REFUSED);
	assert_true(fake_kernel_view(b->fake, belief).exists);
	bench_assert_sound(b);
}

/* The SPI was taken, and the answer was lost: the larval SA that got no SPI is deleted. */
static void test_larval_without_spi_and_answer(void **state)
{
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, send_packet};
	struct fake_fault fault = {
		.kind = FAKE_FAULT_LOSE_ANSWER, .type = XFRM_MSG_ALLOCSPI, .occurrence = 2};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	fake_kernel_set_fault(b->fake, &fault);
	move = run(b, belief, false, &packet);
	assert_int_equal(fake_kernel_struck(b->fake), XFRM_MSG_ALLOCSPI);
	assert_int_equal(move.result, MOVE_RESULT_DONE);
	check_sound(b, belief, BENCH_NIC);
}

/* ---- The IKE daemon deletes an SA and installs it again (charon, for a peer that moves) ---- */

static bool remake(struct bench *b, struct fake_belief *belief)
{
	const struct fake_sa_spec spec = {.reqid = 1, .hard_seconds = 5000};
	struct fake_belief *made;

	(void)fake_ike_delete(b->fake, belief);
	assert_int_equal(fake_ike_add(b->fake, &spec, &made), 0);
	return true;
}

/* Only after the larval SA is in its place. */
static bool remake_if_away(struct bench *b, struct fake_belief *belief)
{
	return !fake_kernel_view(b->fake, belief).exists && remake(b, belief);
}

/* Both after our DELSA and before our UPDSA, which then hits the new SA: in the end it is
 * unchanged. */
static void test_made_anew_before_the_update(void **state)
{
	struct happening anew = {XFRM_MSG_ALLOCSPI, FAKE_BEFORE_TRANSACT, remake_if_away};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move = run(b, belief, false, &anew);

	assert_int_equal(move.result, MOVE_RESULT_FAILED);
	assert_int_equal(fake_kernel_count(b->fake, false), 1);
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	bench_assert_sound(b);
}

/* The SA sent packets and expires, and one more packet finds no SA. */
static bool send_expire_and_send(struct bench *b, struct fake_belief *belief)
{
	assert_int_equal(fake_kernel_send(b->fake, belief, 3, 100), 3);
	assert_int_equal(fake_ike_expire(b->fake, belief), 0);
	(void)fake_kernel_send(b->fake, belief, 1, 100);
	assert_true(fake_kernel_view(b->fake, belief).acquired);
	return true;
}

/* ... and then the new SA disappears too, and the request that restores its limits hits the larval
 * SA of a packet: the SA must not stay, and no number may be used again. */
static void test_made_anew_and_gone_before_it_is_put_back(void **state)
{
	struct happening packet = {XFRM_MSG_UPDSA, FAKE_AFTER_TRANSACT, send_packet};
	struct happening expiry = {XFRM_MSG_UPDSA, FAKE_BEFORE_TRANSACT, send_expire_and_send,
				   .next = &packet};
	struct happening anew = {XFRM_MSG_ALLOCSPI, FAKE_BEFORE_TRANSACT, remake_if_away,
				 .next = &expiry};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	packet.after_other = &expiry;
	move = run(b, belief, false, &anew);
	assert_int_equal(move.result, MOVE_RESULT_GONE);
	assert_int_equal(fake_kernel_count(b->fake, false), 0);
	bench_assert_sound(b);
}

/* The deletion is before our DELSA, which then finds no SA: our larval SA does not block the
 * NEWSA. */
static bool delete_it(struct bench *b, struct fake_belief *belief)
{
	/* The guard exists, so the next request is the deletion. */
	if (fake_kernel_count(b->fake, true) == 0)
		return false;
	assert_int_equal(fake_ike_delete(b->fake, belief), 0);
	return true;
}

static bool make_it(struct bench *b, struct fake_belief *belief)
{
	const struct fake_sa_spec spec = {.reqid = 1, .hard_seconds = 5000};
	struct fake_belief *made;

	(void)belief;
	assert_int_equal(fake_ike_add(b->fake, &spec, &made), 0);
	return true;
}

static void test_made_anew_around_the_deletion(void **state)
{
	struct happening made = {XFRM_MSG_ALLOCSPI, FAKE_AFTER_TRANSACT, make_it};
	struct happening deleted = {XFRM_MSG_GETAE, FAKE_BEFORE_TRANSACT, delete_it, .next = &made};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	made.after_other = &deleted;
	move = run(b, belief, false, &deleted);
	assert_int_equal(move.result, MOVE_RESULT_GONE);
	assert_int_equal(fake_kernel_count(b->fake, false), 1);
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	bench_assert_sound(b);
}

/* A kernel that allows duplicate SPIs always gives the witness its SPI. */
static void test_spi_per_destination(void **state)
{
	struct happening packet = {XFRM_MSG_DELSA, FAKE_BEFORE_MESSAGE, send_packet};
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, false);
	struct move move;

	fake_kernel_config(b->fake)->spi_unique_per_protocol = false;
	move = run(b, belief, false, &packet);
	assert_int_equal(move.result, MOVE_RESULT_DONE);
	check_sound(b, belief, BENCH_NIC);
}

/* The last run of the daemon was killed when the SA was in the NIC already. The SA sent packets and
 * was lost with the NIC, and a packet left a larval SA in its place: the stored image is older than
 * all this. */
static void test_interrupted_and_down(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = prepare(b, true);
	_cleanup_(migrator_freep) struct migrator *migrator = NULL;
	const struct clock clock = {.realtime = clock_of_model, .userdata = b->fake};
	const struct migrator_parameters parameters = {.event_timer_default = 10, .clock = &clock};
	struct move move = {.id = fake_belief_id(belief),
			    .target.direction = SA_DIRECTION_OUT,
			    .result = MOVE_RESULT_LOST,
			    .larval = true,
			    .interrupted = true,
			    .exact = true};

	bench_get(b, belief);
	assert_int_equal(sa_image_capture(&move.image, b->arena, (void *)b->first), 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 37000000, 64), 37000000);
	assert_int_equal(fake_kernel_link_down(b->fake, BENCH_NIC), 1);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 64), 0);
	assert_true(fake_kernel_view(b->fake, belief).larval);
	assert_int_equal(migrator_new(b->kernel, b->arena, NULL, &parameters, &migrator), 0);
	migrator_restore(migrator, &move);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 64), 1);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	/* The increase is made once: a second attempt does not add to it. */
	assert_true(fake_kernel_last_sequence(b->fake, belief) < UINT64_C(1) << 29);
}

/* IPv4 and IPv6 have modules of their own. Without the daemon's request the kernel loads them while
 * the SA is absent. */
static void test_modules_first(void **state)
{
	const struct clock clock = {.realtime = clock_of_model,
				    .userdata = ((struct bench *)*state)->fake};
	struct migrator_parameters parameters = {.event_timer_default = 10, .clock = &clock};
	struct bench *b = *state;

	for (unsigned i = 0; i < 4; i++) {
		struct fake_sa_spec spec = {
			.spi = 0x3000 + i, .peer = i, .family = i % 2 ? AF_INET6 : AF_INET};
		_cleanup_(migrator_freep) struct migrator *migrator = NULL;
		struct move move = {
			.target = {.ifindex = BENCH_NIC, .direction = SA_DIRECTION_OUT}};

		fake_kernel_unload_offload(b->fake);
		parameters.no_offload_module[0] = parameters.no_offload_module[1] = i < 2;
		assert_int_equal(migrator_new(b->kernel, b->arena, NULL, &parameters, &migrator),
				 0);
		move.id = fake_belief_id(bench_install(b, &spec));
		migrator_run(migrator, &move);
		assert_int_equal(move.result, MOVE_RESULT_DONE);
		assert_int_equal(fake_kernel_loaded_while_absent(b->fake), i < 2 ? 0 : i - 1);
	}
}

/* One SA is lost in its move, and its image stays in the slot although another SA comes back. */
static void test_slot_of_another(void **state)
{
	/* From the GETSA before the UPDSA on. */
	static const struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
						    .type = XFRM_MSG_GETSA,
						    .occurrence = 2,
						    .onward = true,
						    .error = -ENOMEM};
	_cleanup_(rescue_closep) struct rescue *rescue = NULL;
	_cleanup_(migrator_freep) struct migrator *migrator = NULL;
	struct bench *b = *state;
	const struct clock clock = {.realtime = clock_of_model, .userdata = b->fake};
	const struct migrator_parameters parameters = {.event_timer_default = 10, .clock = &clock};
	struct fake_belief *one = prepare(b, false);
	struct fake_belief *other = bench_install(
		b,
		&(struct fake_sa_spec){.spi = 0x2000, .peer = 2, .reqid = 2, .ifindex = BENCH_NIC});
	struct move lost = {.id = fake_belief_id(one),
			    .target = {.ifindex = BENCH_NIC, .direction = SA_DIRECTION_OUT}};
	struct move back = {.id = fake_belief_id(other),
			    .target.direction = SA_DIRECTION_OUT,
			    .result = MOVE_RESULT_LOST,
			    .exact = true};
	struct sa_offload target;
	struct sa_image image;

	assert_int_equal(rescue_open(-1, &rescue), 0);
	assert_int_equal(migrator_new(b->kernel, b->arena, rescue, &parameters, &migrator), 0);
	bench_get(b, other);
	assert_int_equal(sa_image_capture(&back.image, b->arena, (void *)b->first), 0);
	assert_int_equal(fake_kernel_link_down(b->fake, BENCH_NIC), 1);
	fake_kernel_set_fault(b->fake, &no_memory);
	migrator_run(migrator, &lost);
	assert_int_equal(lost.result, MOVE_RESULT_LOST);
	fake_kernel_end_fault(b->fake);

	migrator_restore(migrator, &back);
	assert_int_equal(back.result, MOVE_RESULT_DONE);
	assert_true(rescue_load(rescue, b->arena, &image, &target) >= 0);
	assert_int_equal(sa_image_id(&image).spi, fake_belief_id(one).spi);
	sa_image_wipe(&image);
	migrator_restore(migrator, &lost);
	assert_true(is_real(b, one));
	assert_int_equal(rescue_load(rescue, b->arena, &image, &target), -ENOENT);
}

/* An SA that cannot be put back until its guard expires is guarded again. */
static void test_guard_expired(void **state)
{
	struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
				       .type = XFRM_MSG_GETSA,
				       .onward = true,
				       .error = -ENOMEM};
	struct bench *b = *state;
	const struct clock clock = {.realtime = clock_of_model, .userdata = b->fake};
	const struct migrator_parameters parameters = {.event_timer_default = 10, .clock = &clock};
	struct fake_belief *belief = prepare(b, true);
	_cleanup_(migrator_freep) struct migrator *migrator = NULL;
	struct move move = {.id = fake_belief_id(belief),
			    .target.direction = SA_DIRECTION_OUT,
			    .result = MOVE_RESULT_LOST,
			    .exact = true};

	bench_get(b, belief);
	assert_int_equal(sa_image_capture(&move.image, b->arena, (void *)b->first), 0);
	assert_int_equal(fake_kernel_link_down(b->fake, BENCH_NIC), 1);
	assert_int_equal(migrator_new(b->kernel, b->arena, NULL, &parameters, &migrator), 0);
	fake_kernel_restart_counts(b->fake);
	fake_kernel_set_fault(b->fake, &no_memory);
	migrator_restore(migrator, &move);
	assert_int_equal(move.result, MOVE_RESULT_LOST);
	assert_int_equal(fake_kernel_messages(b->fake, XFRM_MSG_ALLOCSPI), 1);
	/* While its guard exists, which the first GETSA finds, it gets no other. */
	no_memory.occurrence = 1;
	fake_kernel_restart_counts(b->fake);
	fake_kernel_set_fault(b->fake, &no_memory);
	migrator_restore(migrator, &move);
	assert_int_equal(move.result, MOVE_RESULT_LOST);
	assert_int_equal(fake_kernel_messages(b->fake, XFRM_MSG_ALLOCSPI), 0);

	fake_kernel_advance(b->fake, 40);
	fake_kernel_restart_counts(b->fake);
	fake_kernel_end_fault(b->fake);
	migrator_restore(migrator, &move);
	assert_int_equal(move.result, MOVE_RESULT_DONE);
	assert_int_equal(fake_kernel_messages(b->fake, XFRM_MSG_ALLOCSPI), 1);
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_packet_before_the_larval),
		BENCH_TEST(test_packet_that_comes_late),
		BENCH_TEST(test_packet_within_migrate_state),
		BENCH_TEST(test_deletion_that_meets_the_sa),
		BENCH_TEST(test_refused_and_deletion_that_meets_the_sa),
		BENCH_TEST(test_death_after_deletion_in_move),
		BENCH_TEST(test_death_after_deletion_behind_move),
		BENCH_TEST(test_death_with_a_larval_without_spi),
		BENCH_TEST(test_larval_that_is_deleted),
		BENCH_TEST(test_larval_that_is_deleted_and_another),
		BENCH_TEST(test_deleted_and_a_packet),
		BENCH_TEST(test_deleted_and_a_packet_in_the_buffer),
		BENCH_TEST(test_deleted_and_a_packet_after_the_update),
		BENCH_TEST(test_larval_before_ours),
		BENCH_TEST(test_down_before_the_answer),
		BENCH_TEST(test_larval_without_spi_and_answer),
		BENCH_TEST(test_made_anew_before_the_update),
		BENCH_TEST(test_made_anew_and_gone_before_it_is_put_back),
		BENCH_TEST(test_made_anew_around_the_deletion),
		BENCH_TEST(test_spi_per_destination),
		BENCH_TEST(test_interrupted_and_down),
		BENCH_TEST(test_modules_first),
		BENCH_TEST(test_slot_of_another),
		BENCH_TEST(test_guard_expired),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
