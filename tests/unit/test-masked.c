// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Larval SAs beside an SA with the same identity, from packets whose template names the SPI: the
 * next dump shows them, and they are deleted at any position in the chain.
 */
#include "manager-bench.h"

/* A packet that found no SA between the deletion and the larval SA that takes its place. */
struct packet {
	struct bench *bench;
	struct fake_belief *belief;
	bool held;
	bool late; /* only after the SA is back */
};

/* The packet's larval SA is inserted after ours: UPDSA then replaces that one, and ours stays
 * behind it. */
static void insert_before_update(struct fake_kernel *k, enum fake_moment moment, unsigned step,
				 void *userdata)
{
	struct packet *packet = userdata;

	(void)step;
	if (!packet->held && moment == FAKE_BEFORE_MESSAGE &&
	    fake_kernel_last_message(k) == XFRM_MSG_DELSA) {
		fake_kernel_hold_lookup(k, packet->belief);
		packet->held = true;
	} else if (packet->held && !packet->late && moment == FAKE_AFTER_TRANSACT) {
		fake_kernel_end_lookup(k);
	}
}

static struct fake_belief *open_with_packet(struct bench *b, struct packet *packet, bool late)
{
	struct fake_belief *belief;

	open_bench(b);
	fake_kernel_config(b->fake)->templates_name_spi = true;
	manager_set_paused(b->manager, true);
	belief = add(b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(b, 0.5, belief);
	*packet = (struct packet){.bench = b, .belief = belief, .late = late};
	fake_kernel_restart_counts(b->fake);
	fake_kernel_set_hook(b->fake, insert_before_update, packet);
	manager_set_paused(b->manager, false);
	return belief;
}

static void check_alone_after(struct bench *b, struct fake_belief *belief, int ifindex,
			      unsigned acquires)
{
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	assert_true(fake_kernel_view(b->fake, belief).exists);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, ifindex);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
	assert_int_equal(fake_kernel_skipped(b->fake, belief), 0);
	assert_int_equal(fake_kernel_acquires(b->fake), acquires);
	assert_int_equal(fake_kernel_check(b->fake, 0, stderr), 0);
}

static void check_alone(struct bench *b, struct fake_belief *belief, int ifindex)
{
	check_alone_after(b, belief, ifindex, 1);
}

static void test_behind(void **state)
{
	struct fake_belief *belief;
	struct packet packet;
	struct bench b;

	(void)state;
	belief = open_with_packet(&b, &packet, false);
	work(&b, 0.06, belief);
	assert_true(packet.held);
	assert_int_equal(b.manager->promoted, 1);
	/* Our larval SA, which no request can reach. */
	assert_int_equal(fake_kernel_count(b.fake, true), 1);
	assert_true(fake_kernel_view(b.fake, belief).exists);

	fake_kernel_set_hook(b.fake, NULL, NULL);
	work(&b, 0.3, belief);
	check_alone(&b, belief, NIC);
	assert_int_equal(b.manager->promoted, 1);
	close_bench(&b);
}

/* A request for the SA finds the larval one. */
static void test_before(void **state)
{
	struct fake_belief *belief;
	struct packet packet;
	policy_sa handle;
	struct bench b;

	(void)state;
	belief = open_with_packet(&b, &packet, true);
	/* Longer than the daemon waits. */
	fake_kernel_config(b.fake)->broken_wait = 2;
	work(&b, 0.3, belief);
	assert_true(packet.held);
	assert_int_equal(b.manager->promoted, 1);
	handle = entry(&b, belief)->handle;
	fake_kernel_set_hook(b.fake, NULL, NULL);
	fake_kernel_end_lookup(b.fake);
	assert_true(fake_kernel_view(b.fake, belief).larval);

	work(&b, 0.3, belief);
	check_alone(&b, belief, NIC);
	/* It was not taken for another SA. */
	assert_int_equal(entry(&b, belief)->handle, handle);
	assert_int_equal(b.manager->promoted, 1);
	close_bench(&b);
}

/* Several SAs are installed again, and their guards are made and deleted together. */
static void test_together(void **state)
{
	struct fake_belief *beliefs[10];
	int places[ELEMENTSOF(beliefs)];
	struct bench b;
	unsigned waits;

	(void)state;
	open_bench_with(&b, with_many_slots);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = promoted(
			&b, (struct fake_sa_spec){.spi = 0x1001 + i, .peer = 10 + i, .reqid = i});
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		b.manager->tracker->masked[b.manager->tracker->n_masked++] =
			fake_belief_id(beliefs[i]);
		/* A stopped SA may have left the NIC. */
		places[i] = fake_kernel_view(b.fake, beliefs[i]).ifindex;
	}
	waits = fake_kernel_waits(b.fake);
	unmask(&b);
	assert_int_equal(b.manager->tracker->n_masked, 0);
	assert_int_equal(fake_kernel_waits(b.fake) - waits, 4);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		check_alone_after(&b, beliefs[i], places[i], 0);
	close_bench(&b);
}

/* The numbers are increased, because the notification of the deletion is lost. Then the NIC goes
 * down. */
static void test_made_anew_and_down(void **state)
{
	static const struct fake_fault lose = {.kind = FAKE_FAULT_LOSE_NOTE, .onward = true};
	struct fake_belief *belief;
	struct bench b;
	uint64_t last;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	manager_tick(b.manager);
	b.manager->tracker->masked[b.manager->tracker->n_masked++] = fake_belief_id(belief);
	fake_kernel_set_fault(b.fake, &lose);
	unmask(&b);
	fake_kernel_end_fault(b.fake);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_int_equal(fake_kernel_send(b.fake, belief, 50, 100), 50);
	last = fake_kernel_last_sequence(b.fake, belief);
	assert_true(last > UINT64_C(1) << 20);

	fall(&b);
	tell_link(&b, false);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(fake_kernel_view(b.fake, belief).sequence_out >= last);
	close_bench(&b);
}

static void note_stopped(void *userdata)
{
	*(bool *)userdata = true;
}

/* A daemon that stops does not change it. */
static void test_stopping(void **state)
{
	struct fake_belief *belief;
	bool stopped = false;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	b.manager->tracker->masked[b.manager->tracker->n_masked++] = fake_belief_id(belief);
	manager_stop(b.manager, note_stopped, &stopped);
	assert_true(stopped);
	fake_kernel_restart_counts(b.fake);
	unmask(&b);
	assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
	close_bench(&b);
}

/* During a pause the larval SA is left to the IKE daemon. */
static void test_observed(void **state)
{
	struct fake_belief *belief;
	struct packet packet;
	struct bench b;

	(void)state;
	belief = open_with_packet(&b, &packet, false);
	work(&b, 0.06, belief);
	fake_kernel_set_hook(b.fake, NULL, NULL);
	manager_set_paused(b.manager, true);
	work(&b, 0.3, belief);
	assert_int_equal(fake_kernel_count(b.fake, true), 1);
	close_bench(&b);
}

/* An SA in the NIC with a larval one behind it, which the last dump showed. */
static struct fake_belief *open_masked(struct bench *b)
{
	struct fake_belief *belief;
	struct packet packet;

	belief = open_with_packet(b, &packet, false);
	work(b, 0.06, belief);
	fake_kernel_set_hook(b->fake, NULL, NULL);
	assert_int_equal(fake_kernel_count(b->fake, true), 1);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, NIC);
	tracker_drain_events(b->manager->tracker);
	tracker_read_changed(b->manager->tracker);
	(void)fake_kernel_send(b->fake, belief, 3, 100);
	b->manager->tracker->masked[0] = fake_belief_id(belief);
	b->manager->tracker->n_masked = 1;
	fake_kernel_restart_counts(b->fake);
	return belief;
}

/* When the daemon installs SAs again, and which ones. */
static void test_when(void **state)
{
	enum { NOW, OBSERVE, PAUSED, STALE, OWING, UNKNOWN, INBOUND, FOREIGN, _CASES };

	(void)state;
	for (unsigned i = 0; i < _CASES; i++) {
		struct fake_belief *belief;
		struct manager *m;
		struct bench b;

		belief = open_masked(&b);
		m = b.manager;
		if (i == OBSERVE)
			m->config->mode = CONFIG_MODE_OBSERVE;
		if (i == PAUSED)
			manager_set_paused(m, true);
		m->tracker->stale = i == STALE;
		if (i == OWING) {
			assert_int_equal(executor_reserve(m->executor, 1), 0);
			executor_keep(m->executor, &(struct move){.id = {.spi = 0x9999}});
		}
		if (i == UNKNOWN)
			m->tracker->masked[0].spi++;
		if (i == INBOUND)
			entry(&b, belief)->description.direction = SA_DIRECTION_IN;
		sa_table_set_residence(m->sas, entry(&b, belief), NIC, i == FOREIGN);
		unmask(&b);
		assert_int_equal(fake_kernel_count(b.fake, true), i != NOW);
		if (i == NOW) {
			assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
			assert_int_equal(entry(&b, belief)->packets,
					 fake_kernel_view(b.fake, belief).current.packets);
			check_alone(&b, belief, NIC);
		} else {
			assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
		}
		close_bench(&b);
	}
}

/* An SA that is not owned, or not known, is never installed again. */
static void test_not_ours(void **state)
{
	struct fake_belief *belief;
	struct sa_id ids[2];
	struct bench b;

	(void)state;
	belief = open_masked(&b);
	ids[0] = ids[1] = fake_belief_id(belief);
	ids[0].spi++;
	sa_table_set_residence(b.manager->sas, entry(&b, belief), NIC, true);
	executor_make_anew(b.manager->executor, ids, 2);
	make_moves(&b);
	assert_int_equal(fake_kernel_count(b.fake, true), 1);
	sa_table_set_residence(b.manager->sas, entry(&b, belief), NIC, false);
	executor_make_anew(b.manager->executor, ids, 2);
	make_moves(&b);
	check_alone(&b, belief, NIC);
	close_bench(&b);
}

/* A socket's policy makes the protection optional: while the SA is absent packets would leave in
 * clear text. */
static void test_optional(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_masked(&b);
	b.now += 1;
	fake_kernel_add_policy(b.fake,
			       &(struct fake_policy_spec){
				       .index = 1, .socket = true, .optional = true, .reqid = 1});
	unmask(&b);
	assert_int_equal(fake_kernel_count(b.fake, true), 1);
	assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_UPDSA), 0);

	fake_kernel_delete_policy(b.fake, 1);
	work(&b, 30.0, belief);
	check_alone(&b, belief, NIC);
	close_bench(&b);
}

/* Lack of memory from any message on: the SA exists or is owed, and in the end it exists. */
static void test_interrupted(void **state)
{
	bool was_owed = false;

	(void)state;
	for (unsigned message = 0; message < 24; message++) {
		struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
					       .occurrence = message,
					       .onward = true,
					       .error = -ENOMEM};
		struct fake_belief *belief;
		struct fake_view view;
		struct bench b;

		belief = open_masked(&b);
		fake_kernel_set_fault(b.fake, &no_memory);
		unmask(&b);
		view = fake_kernel_view(b.fake, belief);
		assert_int_equal(executor_owed(b.manager->executor), !view.exists || view.larval);
		was_owed = was_owed || executor_owed(b.manager->executor) > 0;
		fake_kernel_end_fault(b.fake);
		work(&b, 40.0, belief);
		assert_int_equal(executor_owed(b.manager->executor), 0);
		assert_true(fake_kernel_view(b.fake, belief).exists);
		assert_int_equal(fake_kernel_count(b.fake, false), 1);
		close_bench(&b);
	}
	assert_true(was_owed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_behind),   cmocka_unit_test(test_before),
		cmocka_unit_test(test_together), cmocka_unit_test(test_made_anew_and_down),
		cmocka_unit_test(test_stopping), cmocka_unit_test(test_observed),
		cmocka_unit_test(test_when),     cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_optional), cmocka_unit_test(test_not_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
