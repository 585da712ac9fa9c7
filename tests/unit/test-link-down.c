// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon does with SAs that the kernel deletes together with their NIC. */
#include "failing.h"
#include "manager-bench.h"

#include <linux/xfrm.h>

/* The program is linked with --wrap of these. */
FAILING(void *, calloc, NULL, (size_t n, size_t size), (n, size))

void *__real_reallocarray(void *pointer, size_t n, size_t size);
void *__wrap_reallocarray(void *pointer, size_t n, size_t size);

static size_t no_array_of; /* arrays with elements of this size fail, SIZE_MAX: of any size */

void *__wrap_reallocarray(void *pointer, size_t n, size_t size)
{
	return no_array_of == SIZE_MAX || size == no_array_of
		       ? NULL
		       : __real_reallocarray(pointer, n, size);
}

static void check_back(struct bench *b, struct fake_belief *belief)
{
	struct fake_view view = fake_kernel_view(b->fake, belief);

	assert_true(view.exists);
	assert_false(view.larval);
	assert_int_equal(view.ifindex, 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 10, 100), 10);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
}

/* A packet found no SA, and the policy's template names the SPI: the kernel's larval SA has the
 * identity of the lost one. */
static void test_larval_in_its_place(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fall(&b);
	assert_int_equal(fake_ike_reserve(b.fake, belief, 0x1001), 0);
	tell_link(&b, false);
	pass(&b, 1.0);
	check_back(&b, belief);
	close_bench(&b);
}

/* The same, but a dump shows it before the link message arrives. */
static void test_larval_in_a_dump(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fall(&b);
	assert_int_equal(fake_ike_reserve(b.fake, belief, 0x1001), 0);
	manager_tick(b.manager);
	tell_link(&b, false);
	pass(&b, 1.0);
	check_back(&b, belief);
	close_bench(&b);
}

/* If the SA were restored, the kernel would find it instead of the one in packet offload
 * (daemon/sa/table.h), which was added after its promotion. A partner that was lost with the same
 * NIC is no reason. */
static void check_packet_partner(int ifindex)
{
	struct fake_belief *belief, *packet;
	struct bench b;

	open_bench(&b);
	(void)fake_kernel_add_nic(
		b.fake, &(struct fake_nic){.ifindex = NIC + 1, .name = "eth1", .capacity_in = 33});
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	packet = add(
		&b,
		(struct fake_sa_spec){
			.spi = 0x1002, .peer = 10, .reqid = 1, .ifindex = ifindex, .packet = true});
	pass(&b, 0.2);
	go_down(&b);
	pass(&b, 1.0);
	assert_int_equal(fake_kernel_view(b.fake, belief).exists, ifindex == NIC);
	assert_int_equal(fake_kernel_view(b.fake, packet).exists, ifindex != NIC);
	close_bench(&b);
}

static void test_packet_partner(void **state)
{
	(void)state;
	check_packet_partner(NIC + 1);
	check_packet_partner(NIC);
}

/* ---- Policies in packet offload ---- */

static unsigned count_lines(struct bench *b, const char *part, const char *other)
{
	char line[1024];
	unsigned n = 0;

	(void)fflush(b->log);
	rewind(b->log);
	while (fgets(line, sizeof(line), b->log))
		n += strstr(line, "CLEAR TEXT") && strstr(line, part) && strstr(line, other);
	return n;
}

static unsigned count_alarms(struct bench *b)
{
	return count_lines(b, "eth0", "2 IPsec");
}

static void open_with_policies(struct bench *b)
{
	char path[80];

	open_bench(b);
	snprintf(path, sizeof(path), "%s/log", b->directory);
	assert_non_null(freopen(path, "we+", b->log));
	(void)unlink(path);
	for (uint32_t index = 1; index <= 3; index++)
		fake_kernel_add_policy(b->fake,
				       &(struct fake_policy_spec){.index = index,
								  .inbound = index == 1,
								  .ifindex = index < 3 ? NIC : 0});
	pass(b, 0.3);
	assert_int_equal(b->manager->tracker->spd.n_offloaded, 2);
}

static void test_policies_go_with_the_nic(void **state)
{
	struct bench b;

	(void)state;
	open_with_policies(&b);
	go_down(&b);
	pass(&b, 0.3);
	assert_int_equal(count_alarms(&b), 1);
	pass(&b, 1.0);
	assert_int_equal(count_alarms(&b), 1);
	close_bench(&b);
}

/* The NIC was down and up again before the daemon noticed. */
static void test_policies_go_unseen(void **state)
{
	struct bench b;

	(void)state;
	open_with_policies(&b);
	fall(&b);
	pass(&b, 0.3);
	assert_int_equal(count_alarms(&b), 1);
	close_bench(&b);
}

/* Each NIC is reported once. One that is gone has no name. */
static void test_policies_of_two_nics(void **state)
{
	struct bench b;

	(void)state;
	open_with_policies(&b);
	(void)fake_kernel_add_nic(
		b.fake, &(struct fake_nic){.ifindex = NIC + 1, .name = "eth1", .capacity_in = 33});
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 11, .ifindex = NIC + 1});
	pass(&b, 0.3);
	assert_int_equal(b.manager->tracker->spd.n_offloaded, 3);
	(void)fake_kernel_link_down(b.fake, NIC + 1);
	pass(&b, 0.3);
	assert_int_equal(count_alarms(&b), 0);
	assert_int_equal(count_lines(&b, "1 IPsec policy", "NIC ?"), 1);
	fall(&b);
	pass(&b, 0.3);
	assert_int_equal(count_alarms(&b), 1);
	assert_int_equal(count_lines(&b, "1 IPsec policy", "NIC ?"), 1);
	assert_int_equal(count_lines(&b, "IPsec", ""), 2);
	close_bench(&b);
}

/* Events were lost, but the NIC is down: this is the cause. */
static void test_policies_go_among_lost_events(void **state)
{
	struct bench b;

	(void)state;
	open_with_policies(&b);
	b.nics[0].up = false;
	fall(&b);
	fake_kernel_overrun(b.fake);
	pass(&b, 0.5);
	assert_int_equal(count_alarms(&b), 1);
	close_bench(&b);
}

/* Deleted by the IKE daemon; if events were lost, the cause is unknown. */
static void test_policies_are_deleted(void **state)
{
	struct bench b;

	(void)state;
	open_with_policies(&b);
	fake_kernel_delete_policy(b.fake, 1);
	pass(&b, 0.3);
	fake_kernel_delete_policy(b.fake, 2);
	manager_tick(b.manager); /* before the event is read */
	assert_int_equal(b.manager->tracker->spd.n_offloaded, 0);
	assert_int_equal(count_lines(&b, "IPsec", ""), 0);
	close_bench(&b);

	open_with_policies(&b);
	fake_kernel_delete_policy(b.fake, 1);
	fake_kernel_delete_policy(b.fake, 2);
	fake_kernel_overrun(b.fake);
	pass(&b, 0.5);
	assert_int_equal(b.manager->tracker->spd.n_offloaded, 0);
	assert_int_equal(count_lines(&b, "IPsec", ""), 0);
	close_bench(&b);
}

/* Idle at the sample, then at line rate until the NIC goes down. */
static void test_idle_then_fast(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	pass(&b, 1.0);
	(void)fake_kernel_send(b.fake, belief, 100000, 100);
	b.now += 0.01;
	go_down(&b);
	assert_true(fake_kernel_view(b.fake, belief).sequence_out >=
		    fake_kernel_last_sequence(b.fake, belief));
	check_back(&b, belief);
	close_bench(&b);
}

/* The same, but a planned move finds it: the NIC goes down before the move. */
static void test_larval_in_a_move(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fall(&b);
	assert_int_equal(fake_ike_reserve(b.fake, belief, 0x1001), 0);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	pass(&b, 0.05);
	tell_link(&b, false);
	pass(&b, 1.0);
	check_back(&b, belief);
	close_bench(&b);
}

/* Promoted when it appears, without a rate; the NIC comes up and goes down again. */
static void test_always_and_again(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, ALWAYS);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	pass(&b, 0.3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
		(void)fake_kernel_send(b.fake, belief, 150000, 100);
		b.now += 0.01;
		fall(&b);
		tell_link(&b, false);
		check_back(&b, belief);
		tell_link(&b, true);
		pass(&b, 1.0);
	}
	close_bench(&b);
}

/* If the sequence space is too small, the SA is left to the IKE daemon. */
static void test_sequence_space(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	b.manager->config->interval = 100;
	b.now += 60;
	go_down(&b);
	assert_false(fake_kernel_view(b.fake, belief).exists);
	assert_null(entry(&b, belief));
	assert_int_equal(told(&b, "0 back in software after 0.0 ms, 1 not"), 1);
	fake_ike_forget(b.fake, belief);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

static void test_too_far_to_promote(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .sequence = 3300000000u});
	work(&b, 0.5, belief);
	check_reason(&b, belief, "sequence-space");
	close_bench(&b);
}

/* ---- The NIC goes down in the middle of a promotion ---- */

struct strike {
	struct bench *bench;
	uint16_t type; /* after this message */
	bool reserve;
	bool no_memory; /* so that the result cannot be read back */
	struct fake_belief *belief;
	bool done;
};

static void strike(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct strike *s = userdata;

	(void)step;
	if (s->done || moment != FAKE_AFTER_TRANSACT || fake_kernel_last_message(k) != s->type)
		return;
	s->done = true;
	(void)fake_kernel_link_down(k, NIC);
	if (s->no_memory)
		fake_kernel_set_fault(k, &(struct fake_fault){.kind = FAKE_FAULT_REFUSE,
							      .count = 4,
							      .error = -ENOMEM});
	if (s->reserve)
		(void)fake_ike_reserve(k, s->belief, 0x1001);
}

static void fall_within(struct strike *s)
{
	struct bench b;

	open_bench(&b);
	s->bench = &b;
	s->belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fake_kernel_set_hook(b.fake, strike, s);
	for (unsigned i = 0; i < 100 && !s->done; i++)
		work(&b, 0.02, s->belief);
	assert_true(s->done);
	tell_link(&b, false);
	pass(&b, 1.0);
	check_back(&b, s->belief);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	close_bench(&b);
}

static void test_between_update_and_check(void **state)
{
	struct strike s = {.type = XFRM_MSG_UPDSA};

	(void)state;
	fall_within(&s);
}

static void test_between_update_and_check_larval(void **state)
{
	struct strike s = {.type = XFRM_MSG_UPDSA, .reserve = true};

	(void)state;
	fall_within(&s);
}

static void test_between_update_and_failed_check(void **state)
{
	struct strike s = {.type = XFRM_MSG_UPDSA, .no_memory = true};

	(void)state;
	fall_within(&s);
}

/* The IKE daemon deletes the SA at that moment: it stays deleted. */
static void strike_by_ike(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			  void *userdata)
{
	struct strike *s = userdata;

	(void)step;
	if (s->done || moment != FAKE_AFTER_TRANSACT ||
	    fake_kernel_last_message(k) != XFRM_MSG_UPDSA)
		return;
	s->done = true;
	(void)fake_ike_delete(k, s->belief);
}

static void test_deleted_within(void **state)
{
	struct strike s = {};
	struct bench b;

	(void)state;
	open_bench(&b);
	s.belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fake_kernel_set_hook(b.fake, strike_by_ike, &s);
	for (unsigned i = 0; i < 100 && !s.done; i++)
		work(&b, 0.02, s.belief);
	assert_true(s.done);
	tell_link(&b, false);
	pass(&b, 1.0);
	assert_false(fake_kernel_view(b.fake, s.belief).exists);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	assert_null(entry(&b, s.belief));
	close_bench(&b);
}

/* An SA that is gone does not stay pending in the policy: it can be moved when it is back. */
static void test_gone_is_not_pending(void **state)
{
	struct strike s = {.type = XFRM_MSG_GETSA};
	struct bench b;

	(void)state;
	open_bench(&b);
	s.belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fall(&b);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	pass(&b, 0.05);
	tell_link(&b, false);
	pass(&b, 0.5);
	check_back(&b, s.belief);
	manager_end_evacuations(b.manager);
	tell_link(&b, true);
	work(&b, 30.0, s.belief);
	assert_int_equal(fake_kernel_view(b.fake, s.belief).ifindex, NIC);
	close_bench(&b);
}

/* An event names the SA after its NIC went down, and GETSA does not find it. */
static void test_read_again(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b,
			  (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .hard_seconds = 1000});
	assert_int_equal(fake_ike_update(b.fake, belief, 1000, 0), 0);
	fall(&b);
	settle(&b);
	tell_link(&b, false);
	pass(&b, 0.5);
	check_back(&b, belief);
	close_bench(&b);
}

/* No memory for the restore: the daemon tries again until there is, and moves no other SA. SAs that
 * cannot be recorded as owed keep their shadows. */
static void check_no_memory(bool for_moves)
{
	static const struct fake_fault no_memory = {
		.kind = FAKE_FAULT_REFUSE, .onward = true, .error = -ENOMEM};
	struct fake_belief *beliefs[4], *other;
	size_t in_use, owed;
	struct bench b;
	uint64_t sequence;
	struct sa_id id;

	open_bench(&b);
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	pass(&b, 0.3);
	in_use = secret_arena_in_use(b.arena);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = promoted(
			&b,
			(struct fake_sa_spec){.spi = 0x1010 + i, .peer = 20 + i, .reqid = 3 + i});
	id = fake_belief_id(beliefs[0]);
	sequence = entry(&b, beliefs[0])->shadow->sequence +
		   shadow_numbers_possible(b.now - entry(&b, beliefs[0])->shadow->sampled_at, 0);
	fall(&b);
	fake_kernel_set_fault(b.fake, &no_memory);
	no_array_of = for_moves ? 0 : sizeof(struct move);
	tell_link(&b, false);
	owed = executor_owed(b.manager->executor);
	assert_int_equal(owed == ELEMENTSOF(beliefs), for_moves);
	if (for_moves)
		assert_true(executor_owes(b.manager->executor, &id));
	assert_int_equal(health_holds(b.manager->health, HEALTH_NO_MEMORY), !for_moves);
	assert_false(is_due(&b, MANAGER_LOST));
	pass(&b, 1.5);
	assert_int_equal(executor_owed(b.manager->executor), owed);
	no_array_of = 0;
	fake_kernel_end_fault(b.fake);
	pass(&b, 2.0);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_true(health_is_well(b.manager->health));
	/* Numbers are skipped once, for the time until the SA was owed. */
	if (for_moves)
		assert_int_equal(fake_kernel_view(b.fake, beliefs[0]).sequence_out, sequence);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		check_back(&b, beliefs[i]);
	assert_true(fake_kernel_view(b.fake, other).exists);
	assert_int_equal(secret_arena_in_use(b.arena), in_use);
	close_bench(&b);
}

/* An SA that could not be put back could not be recorded as owed, so none is moved. */
static void test_no_memory_to_move(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	no_array_of = sizeof(struct move);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	work(&b, 1.0, belief);
	no_array_of = 0;
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(health_holds(b.manager->health, HEALTH_NO_MEMORY));
	work(&b, 20.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_true(health_is_well(b.manager->health));
	close_bench(&b);
}

/* With many owed SAs, one wait for lookups serves eight of them, as in moves. */
static void test_many_owed(void **state)
{
	static const struct fake_fault no_memory = {
		.kind = FAKE_FAULT_REFUSE, .onward = true, .error = -ENOMEM};
	struct fake_belief *beliefs[20];
	struct bench b;
	unsigned waits;

	(void)state;
	open_bench_with(&b, with_many_slots);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = promoted(
			&b,
			(struct fake_sa_spec){.spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	fall(&b);
	fake_kernel_set_fault(b.fake, &no_memory);
	tell_link(&b, false);
	/* A stopped SA may have left the NIC. */
	assert_in_range(executor_owed(b.manager->executor), 17, ELEMENTSOF(beliefs));
	fake_kernel_end_fault(b.fake);
	waits = fake_kernel_waits(b.fake);
	executor_restore(b.manager->executor);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_int_equal(fake_kernel_waits(b.fake) - waits, 3);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		check_back(&b, beliefs[i]);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	assert_true(health_is_well(b.manager->health));
	close_bench(&b);
}

/* The kernel refuses some of them again: each is tried once, and none is dropped. Returns how many
 * stay owed. */
static size_t check_some_owed(unsigned first)
{
	struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE, .onward = true, .error = -ENOMEM};
	struct fake_belief *beliefs[20];
	struct bench b;
	size_t n = 0;

	open_bench_with(&b, with_many_slots);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = promoted(
			&b,
			(struct fake_sa_spec){.spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	fall(&b);
	fake_kernel_set_fault(b.fake, &no_memory);
	tell_link(&b, false);
	no_memory.occurrence = first;
	no_memory.count = 30;
	fake_kernel_set_fault(b.fake, &no_memory);
	executor_restore(b.manager->executor);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		struct sa_id id = fake_belief_id(beliefs[i]);

		assert_int_not_equal(executor_owes(b.manager->executor, &id),
				     fake_kernel_view(b.fake, beliefs[i]).exists);
		n += executor_owes(b.manager->executor, &id);
	}
	assert_int_equal(executor_owed(b.manager->executor), n);
	assert_true(n < ELEMENTSOF(beliefs));
	fake_kernel_end_fault(b.fake);
	pass(&b, 2.0);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_int_equal(fake_kernel_send(b.fake, beliefs[i], 10, 100), 10);
	/* The guards whose deletion was refused expire. */
	assert_int_equal(
		fake_kernel_check(b.fake,
				  FAKE_CHECK_COUNTERS_MAY_DIFFER | FAKE_CHECK_LARVALS_MAY_STAY,
				  stderr),
		0);
	close_bench(&b);
	return n;
}

static void test_some_owed(void **state)
{
	size_t n = 0;

	(void)state;
	for (unsigned first = 0; first < 50; first += 7)
		n += check_some_owed(first);
	assert_true(n > 20);
}

static void test_no_memory(void **state)
{
	(void)state;
	check_no_memory(true);
	check_no_memory(false);
}

/* No memory for an attempt itself: the next attempt succeeds. */
static void test_no_memory_for_an_attempt(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned n = 0; n <= 4; n++) {
		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
		fall(&b);
		failing_in = n;
		no_array_of = n == 0 ? SIZE_MAX : 0;
		tell_link(&b, false);
		assert_int_equal(failing_in, 0);
		assert_int_equal(is_due(&b, MANAGER_LOST), n > 0);
		assert_false(fake_kernel_view(b.fake, belief).exists);
		no_array_of = 0;
		pass(&b, n == 0 ? 0.15 : 0.0015);
		check_back(&b, belief);
		close_bench(&b);
	}
}

/* The link message comes some milliseconds before the deletion: the increases of several attempts
 * do not add up. */
static void test_told_before(void **state)
{
	struct fake_belief *belief;
	struct bench b;
	uint64_t sequence;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	/* The next tick is not due yet. */
	pass(&b, 0.03);
	sequence = fake_kernel_last_sequence(b.fake, belief);
	tell_link(&b, false);
	b.now += 0.0005;
	settle(&b);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	pass(&b, 0.01);
	fall(&b);
	pass(&b, 0.04);
	check_back(&b, belief);
	/* 100 Gbit/s are assumed: about 150 ms at 149 million packets/s. */
	assert_true(fake_kernel_view(b.fake, belief).sequence_out < sequence + 30000000);
	close_bench(&b);
}

/* A packet that found no SA is delayed, and inserts its larval SA when the SA is back: before the
 * SA in the chain, so that every request finds the larval one. */
static void test_held_up(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	fake_kernel_config(b.fake)->templates_name_spi = true;
	b.manager->config->on_link_down = CONFIG_LINK_DOWN_RESTORE_OUTBOUND;
	belief = promoted(&b, (struct fake_sa_spec){.peer = 11, .inbound = true});
	fake_ike_forget(b.fake, belief);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fall(&b);
	fake_kernel_hold_lookup(b.fake, belief);
	tell_link(&b, false);
	fake_kernel_end_lookup(b.fake);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	pass(&b, 1.0);
	check_back(&b, belief);
	assert_non_null(entry(&b, belief));
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);
}

/* One of several SAs cannot be put back, and a packet inserts its larval SA beside another one. */
static void test_held_up_after_a_refusal(void **state)
{
	static const struct fake_fault refusal = {
		.kind = FAKE_FAULT_REFUSE, .type = XFRM_MSG_NEWSA, .error = -ENOMEM};
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_bench(&b);
	fake_kernel_config(b.fake)->templates_name_spi = true;
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = promoted(&b, (struct fake_sa_spec){.spi = 0x1001 + i,
								.peer = 10 + i,
								.reqid = 1 + i,
								.inbound = i == 1});
	fall(&b);
	fake_kernel_hold_lookup(b.fake, beliefs[0]);
	fake_kernel_set_fault(b.fake, &refusal);
	tell_link(&b, false);
	assert_int_equal(executor_owed(b.manager->executor), 1);
	assert_false(is_due(&b, MANAGER_LOST));
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	assert_int_equal(told(&b, "2 back in software after 0.0 ms, 0 not"), 1);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_int_equal(entry(&b, beliefs[i])->residence.ifindex, i == 2 ? NIC : 0);
	pass(&b, 0.5);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		assert_true(fake_kernel_view(b.fake, beliefs[i]).exists);
		assert_int_equal(fake_kernel_view(b.fake, beliefs[i]).ifindex, 0);
	}
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

/* The key of an SA that left its NIC is not kept for a restore. */
static void test_shadow_ends_with_the_eviction(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	pass(&b, 0.03);
	assert_true(entry(&b, belief)->shadow);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	pass(&b, 0.03);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_false(entry(&b, belief)->shadow);
	close_bench(&b);
}

/* ---- SAs that are owed ---- */

/* Before the daemon reads the SA to move it back, the IKE daemon adds another with its SPI. */
static void replace(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct strike *s = userdata;
	struct fake_sa_spec other = {.spi = 0x1001, .peer = 10, .reqid = 2};

	(void)step;
	if (s->done || moment != FAKE_BEFORE_TRANSACT ||
	    fake_kernel_last_message(k) != XFRM_MSG_GETSA ||
	    fake_kernel_view(k, s->belief).ifindex != NIC + 1)
		return;
	s->done = true;
	assert_int_equal(fake_ike_delete(k, s->belief), 0);
	assert_int_equal(fake_ike_add(k, &other, &s->belief), 0);
}

/* The kernel put the SA into another NIC, and before it is moved back it is replaced by another SA:
 * its entry is a new one. */
static void test_undo_finds_another(void **state)
{
	struct strike s = {};
	struct bench b;

	(void)state;
	open_bench(&b);
	(void)fake_kernel_add_nic(
		b.fake, &(struct fake_nic){.ifindex = NIC + 1, .name = "eth1", .capacity_in = 33});
	fake_kernel_nic(b.fake, NIC)->lands_on = NIC + 1;
	s.belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	fake_kernel_set_hook(b.fake, replace, &s);
	for (unsigned i = 0; i < 100 && !s.done; i++)
		work(&b, 0.02, s.belief);
	assert_true(s.done);
	assert_non_null(entry(&b, s.belief));
	assert_int_equal(entry(&b, s.belief)->description.reqid, 2);
	close_bench(&b);
}

static void shadow_copy(struct bench *b, const struct sa *sa, struct sa_image *ret_image)
{
	*ret_image = sa->shadow->image;
	ret_image->attributes = secret_alloc(b->arena, sa->shadow->image.size);
	assert_non_null(ret_image->attributes);
	memcpy(ret_image->attributes, sa->shadow->image.attributes, sa->shadow->image.size);
}

/* The SA is owed, and then found in the NIC: its image is not kept. */
static void test_owed_and_in_the_nic(void **state)
{
	struct move move = {.target = {.ifindex = NIC, .direction = SA_DIRECTION_OUT},
			    .keep_image = true,
			    .removed = true};
	struct fake_belief *belief;
	struct bench b;
	size_t in_use;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	pass(&b, 0.3);
	in_use = secret_arena_in_use(b.arena);
	move.id = fake_belief_id(belief);
	shadow_copy(&b, entry(&b, belief), &move.image);
	executor_keep(b.manager->executor, &move);
	pass(&b, 0.5);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_int_equal(secret_arena_in_use(b.arena), in_use);
	close_bench(&b);
}

static void test_numbers_possible(void **state)
{
	(void)state;
	/* 100 Gbit/s, 84 bytes: 148.8 million packets a second. */
	assert_in_range(shadow_numbers_possible(1, 100000), 148809523, 148809524 + 65536);
	/* An unknown speed means 100 Gbit/s; for a slow link the limit is that of the processor. */
	assert_int_equal(shadow_numbers_possible(1, 0), shadow_numbers_possible(1, 100000));
	assert_in_range(shadow_numbers_possible(1, 100), 20000000, 20000000 + 65536);
	assert_int_equal(shadow_numbers_possible(-5, 100), 65536);
	assert_true(shadow_numbers_possible(1e30, 100) >= UINT64_C(1) << 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_larval_in_its_place),
		cmocka_unit_test(test_larval_in_a_dump),
		cmocka_unit_test(test_larval_in_a_move),
		cmocka_unit_test(test_packet_partner),
		cmocka_unit_test(test_policies_go_with_the_nic),
		cmocka_unit_test(test_policies_go_unseen),
		cmocka_unit_test(test_policies_of_two_nics),
		cmocka_unit_test(test_policies_go_among_lost_events),
		cmocka_unit_test(test_policies_are_deleted),
		cmocka_unit_test(test_idle_then_fast),
		cmocka_unit_test(test_always_and_again),
		cmocka_unit_test(test_sequence_space),
		cmocka_unit_test(test_too_far_to_promote),
		cmocka_unit_test(test_between_update_and_check),
		cmocka_unit_test(test_between_update_and_check_larval),
		cmocka_unit_test(test_between_update_and_failed_check),
		cmocka_unit_test(test_deleted_within),
		cmocka_unit_test(test_gone_is_not_pending),
		cmocka_unit_test(test_read_again),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_many_owed),
		cmocka_unit_test(test_some_owed),
		cmocka_unit_test(test_no_memory_to_move),
		cmocka_unit_test(test_told_before),
		cmocka_unit_test(test_no_memory_for_an_attempt),
		cmocka_unit_test(test_held_up),
		cmocka_unit_test(test_held_up_after_a_refusal),
		cmocka_unit_test(test_shadow_ends_with_the_eviction),
		cmocka_unit_test(test_undo_finds_another),
		cmocka_unit_test(test_owed_and_in_the_nic),
		cmocka_unit_test(test_numbers_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
