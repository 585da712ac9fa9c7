// SPDX-License-Identifier: GPL-2.0-or-later
/* The moves of the manager, and its reaction to changes of NICs and rules. */
#include "manager-bench.h"

static void test_promotes(void **state)
{
	struct bench b;
	struct fake_belief *busy, *idle;

	(void)state;
	open_bench(&b);
	busy = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	idle = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	work(&b, 0.8, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, idle).ifindex, 0);
	assert_int_equal(b.manager->promoted, 1);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

#define NIC_OF_ONE                                                 \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 1}]"

static void receive(struct bench *b, struct fake_belief *busy, double seconds)
{
	double end = manager_now(b->manager) + seconds;

	while (manager_now(b->manager) < end) {
		for (unsigned i = 0; i < 50; i++)
			(void)fake_kernel_receive_next(b->fake, busy, 1000);
		work(b, 0.02, NULL);
	}
}

/* An SPI that the IKE daemon reserves for the successor, or an ACQUIRE, gives a larval SA with the
 * same addresses in several dumps. The larval SA is not the successor. */
static void test_larval_is_no_successor(void **state)
{
	struct fake_belief *predecessor, *successor;
	struct sa_id larval;
	unsigned moves;
	struct bench b;

	(void)state;
	open_bench_with(&b, NIC_OF_ONE);
	predecessor = add(&b, (struct fake_sa_spec){.spi = 0x1001, .inbound = true, .peer = 10});
	receive(&b, predecessor, 0.8);
	assert_int_equal(fake_kernel_view(b.fake, predecessor).ifindex, NIC);

	assert_int_equal(fake_ike_reserve(b.fake, predecessor, 0x2001), 0);
	receive(&b, predecessor, 0.5);
	larval = fake_belief_id(predecessor);
	larval.spi = 0x2001;
	assert_non_null(sa_table_find(b.manager->sas, &larval));
	assert_int_equal(fake_kernel_view(b.fake, predecessor).ifindex, NIC);

	moves = b.manager->promoted;
	assert_int_equal(fake_ike_rekey(b.fake, predecessor, 0x2001, &successor), 0);
	work(&b, 0.25, NULL);
	assert_int_equal(b.manager->promoted, moves + 1);
	assert_int_equal(fake_kernel_view(b.fake, successor).ifindex, NIC);
	close_bench(&b);
}

static void send_both(struct bench *b, struct fake_belief *one, struct fake_belief *other,
		      double seconds)
{
	double end = manager_now(b->manager) + seconds;

	while (manager_now(b->manager) < end) {
		(void)fake_kernel_send(b->fake, one, 50, 1000);
		work(b, 0.02, other);
	}
}

/* The kernel has no memory from the first SA's UPDSA on: the second SA of the plan is not moved,
 * and packets of the first cause no ACQUIRE. */
static void test_one_loss_at_a_time(void **state)
{
	static const struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
						    .type = XFRM_MSG_UPDSA,
						    .onward = true,
						    .error = -ENOMEM};
	struct fake_belief *one, *other;
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	one = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	send_both(&b, one, other, 0.5);
	fake_kernel_restart_counts(b.fake);
	fake_kernel_set_fault(b.fake, &no_memory);
	manager_set_paused(b.manager, false);
	send_both(&b, one, other, 0.3);
	assert_int_equal(executor_owed(b.manager->executor), 1);
	assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_DELSA), 1);
	/* Either SA may be the first. */
	assert_true(fake_kernel_view(b.fake, one).larval != fake_kernel_view(b.fake, other).larval);
	assert_true(fake_kernel_view(b.fake, one).exists != fake_kernel_view(b.fake, other).exists);

	fake_kernel_end_fault(b.fake);
	send_both(&b, one, other, 2.0);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_false(fake_kernel_view(b.fake, one).larval ||
		     fake_kernel_view(b.fake, other).larval);
	assert_int_equal(fake_kernel_count(b.fake, true), 0);
	assert_int_equal(fake_kernel_acquires(b.fake), 0);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The kernel puts the SA into another NIC, and has no memory when it is moved back. */
static void test_lost_on_the_way_back(void **state)
{
	/* The second UPDSA is that of the move back. */
	static const struct fake_fault no_memory = {.kind = FAKE_FAULT_REFUSE,
						    .type = XFRM_MSG_UPDSA,
						    .occurrence = 1,
						    .onward = true,
						    .error = -ENOMEM};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	(void)fake_kernel_add_nic(
		b.fake, &(struct fake_nic){.ifindex = NIC + 1, .name = "eth1", .capacity_in = 33});
	fake_kernel_nic(b.fake, NIC)->lands_on = NIC + 1;
	manager_set_paused(b.manager, true);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.5, belief);
	fake_kernel_set_fault(b.fake, &no_memory);
	manager_set_paused(b.manager, false);
	work(&b, 0.3, belief);
	assert_int_equal(executor_owed(b.manager->executor), 1);
	assert_true(fake_kernel_view(b.fake, belief).larval);

	fake_kernel_end_fault(b.fake);
	work(&b, 2.0, belief);
	assert_int_equal(executor_owed(b.manager->executor), 0);
	assert_true(fake_kernel_view(b.fake, belief).exists);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_int_equal(fake_kernel_acquires(b.fake), 0);
	close_bench(&b);
}

static void test_not_trusted(void **state)
{
	static const char untrusted[] = "mode: enforce\ninterval: 100ms\n"
					"nics: [{match: {name: eth0}, allow: true}]\n";
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	apply(&b, untrusted);
	work(&b, 0.5, belief);
	check_reason(&b, belief, "nic-not-trusted");
	close_bench(&b);
}

#define NIC_OF_FOUR                                                \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4"

static void test_max_rate(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, NIC_OF_FOUR ", max-rate: 1kbit/s}]\n");
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.5, belief);
	check_reason(&b, belief, "rate-ceiling");
	apply(&b, rules);
	work(&b, 0.5, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

/* All SAs carry traffic, each more than the one before it. */
static void work_all(struct bench *b, double seconds, struct fake_belief *const *beliefs, size_t n)
{
	double end = manager_now(b->manager) + seconds;

	while (manager_now(b->manager) < end) {
		for (size_t i = 0; i < n; i++)
			(void)fake_kernel_send(b->fake, beliefs[i], 10 * (unsigned)(i + 1), 1000);
		work(b, 0.02, NULL);
	}
}

static unsigned count_in_nic(struct bench *b, struct fake_belief *const *beliefs, size_t n)
{
	unsigned count = 0;

	for (size_t i = 0; i < n; i++)
		count += fake_kernel_view(b->fake, beliefs[i]).ifindex == NIC;
	return count;
}

static bool explains(struct bench *b, const char *spi, const char *sentence)
{
	json_t *sas = ask_explain(b, spi);
	const json_t *said = json_object_get(json_array_get(sas, 0), "sentences");
	bool found = false;
	size_t i;

	for (i = 0; i < json_array_size(said); i++)
		found = found || strcmp(json_string_value(json_array_get(said, i)), sentence) == 0;
	json_decref(sas);
	return found;
}

static void test_group_ceiling(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_bench_with(&b,
			NIC_OF_FOUR "}]\n"
				    "groups: [{name: branch, match: {reqid: 1}, ceiling: 1}]\n");
	beliefs[0] = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	beliefs[1] = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 1});
	beliefs[2] = add(&b, (struct fake_sa_spec){.spi = 0x1003, .peer = 12, .reqid = 2});
	work_all(&b, 1.0, beliefs, 3);
	assert_int_equal(count_in_nic(&b, beliefs, 2), 1);
	assert_int_equal(count_in_nic(&b, beliefs + 2, 1), 1);
	assert_true(explains(&b, "0x1001",
			     "It belongs to the group 'branch' at test:5: floor 0, ceiling 1."));
	assert_true(explains(&b, "0x1003", "It belongs to no group."));
	/* From here on there is no group, so the other SA can be promoted. */
	apply(&b, rules);
	work_all(&b, 1.0, beliefs, 3);
	assert_int_equal(count_in_nic(&b, beliefs, 3), 3);
	assert_false(explains(&b, "0x1003", "It belongs to no group."));
	/* When the ceiling is set again, one SA is evicted. */
	apply(&b, NIC_OF_FOUR "}]\n"
			      "groups: [{name: branch, match: {reqid: 1}, ceiling: 1}]\n");
	work_all(&b, 1.0, beliefs, 3);
	assert_int_equal(count_in_nic(&b, beliefs, 2), 1);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The first SA is the coldest of five: it has one of the four slots only because of its group. */
static void test_group_floor(void **state)
{
	struct fake_belief *beliefs[5];
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	work_all(&b, 3.0, beliefs, 5);
	assert_int_equal(count_in_nic(&b, beliefs, 1), 0);
	assert_int_equal(count_in_nic(&b, beliefs, 5), 4);
	apply(&b, NIC_OF_FOUR "}]\ngroups: [{name: small, match: {reqid: 1}, floor: 1}]\n");
	work_all(&b, 3.0, beliefs, 5);
	assert_int_equal(count_in_nic(&b, beliefs, 1), 1);
	assert_int_equal(count_in_nic(&b, beliefs, 5), 4);
	assert_true(explains(&b, "0x1001",
			     "It belongs to the group 'small' at test:5: floor 1, no ceiling."));
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The NIC below a VLAN has ESP offload, and the SA's packets leave by the VLAN. */
static void test_vlan(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.nics[1] = (struct nic){.ifindex = OTHER_NIC,
				 .name = "eth0.5",
				 .up = true,
				 .esp_offload_known = true,
				 .is_vlan = true,
				 .lower_ifindex = NIC};
	b.network.n = 2;
	b.network.routed = OTHER_NIC;
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	work_all(&b, 1.0, &belief, 1);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(explains(&b, "0x1001",
			     "It cannot go to eth0.5: it leaves by a VLAN, and Linux gives a NIC "
			     "only the ESP packets that leave by the NIC itself."));
	assert_true(explains(&b, "0x1001", "eth0.5 is a VLAN of eth0."));

	/* A VLAN whose lower device has no offload, or is in another namespace, is handled like any
	 * device. */
	b.nics[1].lower_ifindex = 0;
	work_all(&b, 1.0, &belief, 1);
	manager_network_callbacks.addresses(b.manager);
	pass(&b, 0.2);
	assert_false(explains(&b, "0x1001", "eth0.5 is a VLAN of eth0."));
	assert_true(explains(&b, "0x1001",
			     "It cannot go to eth0.5: the device it leaves by has no ESP offload, "
			     "or it is switched off (ethtool -k: esp-hw-offload)."));
	close_bench(&b);
}

static void test_vrf_unclear(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.network.route_error = -ENOTUNIQ;
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	work_all(&b, 1.0, &belief, 1);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(explains(&b, "0x1001",
			     "It has no NIC to go to: its local address is in more than one VRF, "
			     "so the device it leaves by is not known; a rule with nic: can name "
			     "it."));
	close_bench(&b);
}

/* The device that is added to a VRF may be one without offload that has the SAs' local address. */
static void test_vrf_change_matters(void **state)
{
	struct nic before = {.ifindex = OTHER_NIC, .name = "dummy0", .up = true}, after = before;
	struct bench b;

	(void)state;
	open_bench(&b);
	assert_false(nics_change_matters(b.manager->nics, &before, &after));
	after.up = false;
	assert_false(nics_change_matters(b.manager->nics, &before, &after));
	after.vrf_ifindex = 9;
	assert_true(nics_change_matters(b.manager->nics, &before, &after));
	close_bench(&b);
}

static void test_link_down(void **state)
{
	struct fake_belief *kept, *deleted;
	struct bench b;
	uint64_t sequence;

	(void)state;
	open_bench(&b);
	kept = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	deleted = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	work(&b, 0.6, kept);
	work(&b, 0.6, deleted);
	assert_int_equal(fake_kernel_view(b.fake, kept).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, deleted).ifindex, NIC);
	(void)fake_kernel_send(b.fake, kept, 1000, 100);
	sequence = fake_kernel_last_sequence(b.fake, kept);
	assert_int_equal(fake_ike_delete(b.fake, deleted), 0);
	go_down(&b);
	assert_true(fake_kernel_view(b.fake, kept).exists);
	assert_int_equal(fake_kernel_view(b.fake, kept).ifindex, 0);
	assert_true(fake_kernel_view(b.fake, kept).sequence_out > sequence);
	assert_false(fake_kernel_view(b.fake, deleted).exists);
	(void)fake_kernel_send(b.fake, kept, 10, 100);
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

static void test_evacuate(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.6, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_int_equal(manager_evacuate(b.manager, "eth1"), -ENODEV);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	work(&b, 0.5, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	manager_end_evacuations(b.manager);
	work(&b, 3.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The daemon's own MIGRATE_STATE must not cause a new dump, which would delay the next move. */
static void test_kernel_evicts(void **state)
{
	struct fake_belief *one, *other;
	struct bench b;

	(void)state;
	open_bench_on(&b, rules, FAKE_MIGRATE_EVICT_ONLY);
	one = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	work(&b, 0.5, one);
	work(&b, 0.5, other);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, NIC);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	work(&b, 0.5, NULL);
	assert_int_equal(b.manager->evicted, 2);
	assert_int_equal(b.manager->resyncs, 0);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, 0);
	close_bench(&b);
}

/* The configuration says 4; the NIC has one slot. */
static void test_capacity_is_learned(void **state)
{
	struct fake_belief *first, *second;
	struct policy_table_view view;
	struct bench b;

	(void)state;
	open_bench(&b);
	fake_kernel_nic(b.fake, NIC)->capacity_in = 1;
	first = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.5, first);
	second = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	work(&b, 0.5, second);
	assert_int_equal(fake_kernel_view(b.fake, first).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, second).ifindex, 0);
	assert_int_equal(b.manager->refused, 1);
	policy_table_get(b.manager->policy, nics_get(b.manager->nics, NIC)->out, &view);
	assert_int_equal(view.capacity, 1);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* Wherever the loss is noticed, the daemon resynchronizes without waiting for the next sample. */
static void test_events_lost_during_a_move(void **state)
{
	struct bench b;

	(void)state;
	open_bench_with(&b, "mode: enforce\ninterval: 10s\n"
			    "nics: [{match: {name: eth0}, allow: true, trusted: true}]\n");
	(void)add(&b, (struct fake_sa_spec){.peer = 10});
	pass(&b, 1.0);
	fake_kernel_overrun(b.fake);
	assert_int_equal(tracker_drain_events(b.manager->tracker), -ENOBUFS);
	assert_true(b.manager->tracker->stale);
	pass(&b, 0.2);
	assert_false(b.manager->tracker->stale);
	assert_int_equal(b.manager->resyncs, 1);
	close_bench(&b);
}

/* Events arrive faster than they are read. */
static unsigned storm; /* events that are still to come */

static int receive_storm(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	(void)kernel;
	(void)handler;
	(void)userdata;
	assert_true(storm > 0);
	storm--;
	return 1;
}

static void begin_storm(struct bench *b, struct kernel_ops *ops, const struct kernel_ops **ret_calm)
{
	struct kernel *kernel = b->manager->environment.kernel;

	*ret_calm = kernel->ops;
	*ops = *kernel->ops;
	ops->receive_events = receive_storm;
	kernel->ops = ops;
	storm = 100000;
}

static void test_storm_before_a_move(void **state)
{
	const struct kernel_ops *calm;
	struct fake_belief *belief;
	struct kernel_ops stormy;
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.5, belief);
	manager_set_paused(b.manager, false);
	begin_storm(&b, &stormy, &calm);
	plan_moves(&b);
	b.manager->environment.kernel->ops = calm;
	assert_true(storm < 100000);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(b.manager->tracker->stale);
	work(&b, 20.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

/* The IKE daemon deleted one of the two SAs, and the daemon learns this only after the storm. */
static void test_storm_before_a_restore(void **state)
{
	struct fake_belief *kept, *deleted;
	const struct kernel_ops *calm;
	struct kernel_ops stormy;
	struct bench b;

	(void)state;
	open_bench(&b);
	kept = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	deleted = promoted(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	begin_storm(&b, &stormy, &calm);
	assert_int_equal(fake_ike_delete(b.fake, deleted), 0);
	fall(&b);
	b.nics[0].up = false;
	(void)shadows_restore_lost(b.manager->shadows, NIC);
	b.manager->environment.kernel->ops = calm;
	assert_false(fake_kernel_view(b.fake, kept).exists);
	assert_true(is_due(&b, MANAGER_LOST));
	pass(&b, 0.01);
	assert_true(fake_kernel_view(b.fake, kept).exists);
	pass(&b, 1.0);
	assert_false(fake_kernel_view(b.fake, deleted).exists);
	close_bench(&b);
}

static const struct action *last_action(const struct manager *m)
{
	assert_non_null(reporter_action(m->reporter, 0));
	return reporter_action(m->reporter, 0);
}

/* The reason of the last such action, "": none. */
static const char *find_action(const struct manager *m, const char *what)
{
	const struct action *action;

	for (size_t i = 0; (action = reporter_action(m->reporter, i)); i++)
		if (strcmp(action->what, what) == 0)
			return action->reason;
	return "";
}

static void send_some(struct bench *b, struct fake_belief *belief, unsigned packets)
{
	(void)fake_kernel_send(b->fake, belief, packets, 1000);
	work(b, 0.1, NULL);
}

/* In the NIC the SA carries a small part of its rate in software, and back in software it carries
 * `after`. This counts against the NIC only if the NIC was the cause and the SA was stopped. */
static void check_slower(unsigned in_nic, unsigned after, const char *verdict, unsigned strikes)
{
	struct fake_belief *belief;
	struct bench b;

	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	for (unsigned i = 0; fake_kernel_view(b.fake, belief).ifindex == 0; i++) {
		assert_true(i < 20);
		send_some(&b, belief, 250);
	}
	for (unsigned i = 0; fake_kernel_view(b.fake, belief).ifindex == NIC; i++) {
		assert_true(i < 100);
		send_some(&b, belief, in_nic);
	}
	assert_string_equal(last_action(b.manager)->reason, "doubted");
	/* There is no verdict before the SA was sampled in software. */
	assert_int_equal(nics_get(b.manager->nics, NIC)->trust.strikes, 0);
	for (unsigned i = 0; strcmp(find_action(b.manager, "compared"), verdict) != 0; i++) {
		assert_true(i < 200);
		send_some(&b, belief, after);
	}
	assert_int_equal(nics_get(b.manager->nics, NIC)->trust.strikes, strikes);
	assert_int_equal(nics_get(b.manager->nics, NIC)->candidacy, CANDIDACY_OK);
	close_bench(&b);
}

static void test_slower_is_undone(void **state)
{
	(void)state;
	check_slower(1, 250, "stopped", 1);
	check_slower(80, 250, "slower", 0);
	check_slower(1, 1, "cleared", 0);
}

static void test_trust_is_lost(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++) {
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
		work(&b, 0.5, beliefs[i]);
		assert_int_equal(fake_kernel_view(b.fake, beliefs[i]).ifindex, NIC);
	}
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		fake_kernel_add_integrity_failures(b.fake, beliefs[i], 20);
	work(&b, 3.0, NULL);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		assert_int_equal(fake_kernel_view(b.fake, beliefs[i]).ifindex, 0);
	assert_int_equal(nics_get(b.manager->nics, NIC)->candidacy, CANDIDACY_NIC_DISTRUSTED);
	close_bench(&b);
}

/* With 'on-reject: retry' a refused SA is tried again after retry-refused, even if nothing else
 * happens. */
static void test_refused_is_tried_again(void **state)
{
	struct fake_belief *belief;
	struct fake_nic *nic;
	struct bench b;

	(void)state;
	open_bench(&b);
	apply(&b, "mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"
		  "nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n"
		  "rules: [{on-reject: retry}]\n");
	nic = fake_kernel_nic(b.fake, NIC);
	nic->fail_adds = 1;
	nic->fail_error = -EINVAL;
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 50, belief);
	assert_int_equal(b.manager->refused, 1);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	work(&b, 15, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_storm_before_a_move),
		cmocka_unit_test(test_storm_before_a_restore),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_vrf_unclear),
		cmocka_unit_test(test_vrf_change_matters),
		cmocka_unit_test(test_promotes),
		cmocka_unit_test(test_larval_is_no_successor),
		cmocka_unit_test(test_one_loss_at_a_time),
		cmocka_unit_test(test_lost_on_the_way_back),
		cmocka_unit_test(test_not_trusted),
		cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_evacuate),
		cmocka_unit_test(test_events_lost_during_a_move),
		cmocka_unit_test(test_kernel_evicts),
		cmocka_unit_test(test_capacity_is_learned),
		cmocka_unit_test(test_slower_is_undone),
		cmocka_unit_test(test_trust_is_lost),
		cmocka_unit_test(test_max_rate),
		cmocka_unit_test(test_group_ceiling),
		cmocka_unit_test(test_group_floor),
		cmocka_unit_test(test_refused_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
