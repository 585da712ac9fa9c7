// SPDX-License-Identifier: GPL-2.0-or-later
/* Which SA is which: siblings, and SAs of ours that change under the daemon. */
#include "manager-bench.h"
#include "xfrm-compat.h"

/* Two SAs that differ in one attribute; the second is no successor of the first. */
static void check_siblings(uint16_t type, const void *one, const void *other, size_t size)
{
	struct fake_belief *busy, *idle;
	struct policy_sa_view view;
	struct bench b;

	open_bench(&b);
	busy = add(&b,
		   (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1, .direction = true});
	fake_kernel_plant(b.fake, busy, type, one, size);
	work(&b, 0.6, busy);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	idle = add(&b,
		   (struct fake_sa_spec){.spi = 0x1002, .peer = 10, .reqid = 1, .direction = true});
	fake_kernel_plant(b.fake, idle, type, other, size);
	pass(&b, 0.15);
	assert_int_equal(fake_kernel_view(b.fake, idle).ifindex, 0);
	assert_int_equal(fake_kernel_view(b.fake, busy).ifindex, NIC);
	policy_sa_get(b.manager->policy, entry(&b, busy)->handle, b.now, &view);
	assert_true(view.rate_known);
	close_bench(&b);
}

static void test_cpus_are_siblings(void **state)
{
	static const uint32_t one = 0, other = 1;

	(void)state;
	check_siblings(XFRM_COMPAT_SA_PCPU, &one, &other, sizeof(one));
}

static void test_labels_are_siblings(void **state)
{
	static const struct {
		struct xfrm_user_sec_ctx header;
		char text[8];
	} one = {{.len = 16, .exttype = XFRMA_SEC_CTX, .ctx_alg = 1, .ctx_doi = 1, .ctx_len = 8},
		 "a:b:c:0"},
	  other = {{.len = 16, .exttype = XFRMA_SEC_CTX, .ctx_alg = 1, .ctx_doi = 1, .ctx_len = 8},
		   "a:b:c:1"};

	(void)state;
	check_siblings(XFRMA_SEC_CTX, &one, &other, sizeof(one));
}

/* ---- SAs of ours that change ---- */

/* It is ours, and comes back when its NIC goes down. */
static void check_ours(struct bench *b, struct fake_belief *belief)
{
	struct fake_view view;

	assert_non_null(entry(b, belief));
	assert_false(entry(b, belief)->foreign);
	assert_int_equal(entry(b, belief)->ifindex, NIC);
	assert_true(shadow_exists(&entry(b, belief)->shadow));
	go_down(b);
	view = fake_kernel_view(b->fake, belief);
	assert_true(view.exists && !view.larval);
	assert_int_equal(fake_kernel_count(b->fake, false), 1);
	assert_int_equal(fake_kernel_send(b->fake, belief, 10, 100), 10);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
}

static void test_clock_is_stepped(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fake_kernel_set_add_time(b.fake, belief, 12345);
	work(&b, 0.3, belief);
	check_ours(&b, belief);
	close_bench(&b);
}

static void test_if_id_changes(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .if_id = 3});
	assert_int_equal(fake_ike_change_if_id(b.fake, belief, 4), 0);
	work(&b, 0.3, belief);
	assert_int_equal(entry(&b, belief)->description.if_id, 4);
	check_ours(&b, belief);
	close_bench(&b);
}

/* Somebody else's, with the same identity and in the same NIC. */
static void test_made_by_another(void **state)
{
	struct fake_sa_spec spec = {.spi = 0x1001, .peer = 10};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, spec);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	fake_kernel_advance(b.fake, 1);
	spec.ifindex = NIC;
	belief = add(&b, spec);
	work(&b, 0.3, belief);
	assert_true(entry(&b, belief)->foreign);
	close_bench(&b);
}

static void move(struct bench *b, struct fake_belief *belief, struct fake_new_place place)
{
	assert_int_equal(fake_ike_move_read(b->fake, belief), 0);
	assert_int_equal(fake_ike_move_delete(b->fake, belief), 0);
	assert_int_equal(fake_ike_move_make(b->fake, belief, &place), 0);
}

static void test_peer_moves(void **state)
{
	static const struct fake_new_place places[] = {
		{.peer = 11, .ifindex = NIC},
		{.peer = 11, .ifindex = NIC, .reqid = 9},
		{.peer = 10, .ifindex = NIC},
	};

	(void)state;
	for (unsigned inbound = 0; inbound < 2; inbound++)
		for (size_t i = 0; i < ELEMENTSOF(places); i++) {
			struct fake_belief *belief;
			struct bench b;

			open_bench_with(&b, inbound ? ALWAYS : rules);
			belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001,
								    .peer = 10,
								    .reqid = 1,
								    .inbound = inbound});
			move(&b, belief, places[i]);
			settle(&b);
			assert_false(entry(&b, belief)->foreign);
			assert_int_equal(placed_count(b.placed), 1);
			close_bench(&b);
		}
}

/* A dump shows the copy before the event of the deletion is read. */
static void test_copy_before_deletion(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = NIC});
	manager_set_paused(b.manager, true);
	manager_tick(b.manager);
	settle(&b);
	check_ours(&b, belief);
	close_bench(&b);
}

/* Read while it was in the NIC, made anew when it had left. */
static void test_copy_of_evicted(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	assert_int_equal(fake_ike_move_read(b.fake, belief), 0);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	pass(&b, 0.2);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_int_equal(fake_ike_move_delete(b.fake, belief), 0);
	assert_int_equal(fake_ike_move_make(b.fake, belief,
					    &(struct fake_new_place){.peer = 11, .ifindex = NIC}),
			 0);
	pass(&b, 0.2);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	close_bench(&b);
}

/* The copy is in the NIC of the new local address, whatever that is. */
static void test_key_in_untrusted_nic(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned paused = 0; paused < 2; paused++) {
		open_bench(&b);
		add_other_nic(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
		manager_set_paused(b.manager, paused);
		move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = OTHER_NIC});
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, OTHER_NIC);
		pass(&b, 0.05);
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
		assert_int_equal(fake_kernel_send(b.fake, belief, 10, 100), 10);
		close_bench(&b);
	}
}

static void start_again(struct bench *b)
{
	struct manager_environment environment = b->manager->environment;
	struct config *config;

	assert_true(placed_save_if_changed(b->placed) >= 0);
	manager_free(b->manager);
	placed_free(b->placed);
	assert_int_equal(placed_new(b->path, &b->placed), 0);
	assert_true(placed_load(b->placed) >= 0);
	assert_int_equal(config_parse("test", rules, strlen(rules), stderr, &config), 0);
	environment.placed = b->placed;
	assert_int_equal(fake_kernel_open(b->fake, &environment.kernel), 0);
	assert_int_equal(manager_new(&environment, config, &b->manager), 0);
}

static void test_moves_while_nobody_watches(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned later = 0; later < 2; later++) {
		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
		fake_kernel_set_add_time(b.fake, belief, 12345);
		work(&b, 0.3, belief);
		assert_int_equal(fake_ike_move_read(b.fake, belief), 0);
		assert_int_equal(fake_ike_move_delete(b.fake, belief), 0);
		start_again(&b);
		if (later)
			assert_int_equal(manager_start(b.manager), 0);
		assert_int_equal(
			fake_ike_move_make(b.fake, belief,
					   &(struct fake_new_place){.peer = 11, .ifindex = NIC}),
			0);
		if (!later)
			assert_int_equal(manager_start(b.manager), 0);
		settle(&b);
		check_ours(&b, belief);
		close_bench(&b);
	}
}

/* A copy of an SA that lives on is another's doing. */
static void test_original_lives(void **state)
{
	struct fake_belief *belief, *other;
	struct bench b;

	(void)state;
	for (unsigned again = 0; again < 2; again++) {
		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
		other = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 11, .ifindex = NIC});
		fake_kernel_set_add_time(b.fake, other,
					 fake_kernel_view(b.fake, belief).current.add_time);
		if (again) {
			start_again(&b);
			assert_int_equal(manager_start(b.manager), 0);
		}
		pass(&b, 0.5);
		assert_true(entry(&b, other)->foreign);
		assert_false(entry(&b, belief)->foreign);
		close_bench(&b);
	}
}

/* The kernel gave it new addresses, in software, and then its NIC goes down. */
static void test_migrated(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	fake_ike_migrate(b.fake, belief, 11);
	go_down(&b);
	pass(&b, 2.0);
	assert_int_equal(fake_kernel_count(b.fake, false), 1);
	assert_int_equal(entry(&b, belief)->ifindex, 0);
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

/* Linux 7.2 leaves it in its NIC. It is read before that can go down. */
static void test_migrated_in_nic(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_on(&b, rules, FAKE_MIGRATE_WORKS);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	assert_int_equal(fake_ike_migrate_state(b.fake, belief, 11), 0);
	settle(&b);
	check_ours(&b, belief);
	close_bench(&b);
}

/* The same, and the NIC goes down before that: it is left to the IKE daemon. */
static void test_migrated_and_gone(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_on(&b, rules, FAKE_MIGRATE_WORKS);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	assert_int_equal(fake_ike_migrate_state(b.fake, belief, 11), 0);
	go_down(&b);
	pass(&b, 2.0);
	assert_int_equal(fake_kernel_count(b.fake, false), 0);
	close_bench(&b);
}

/* One of two with the same addresses, as during a rekey: the other stays, and comes back. */
static void test_one_of_two_migrated(void **state)
{
	struct fake_belief *belief, *next;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	assert_int_equal(fake_ike_rekey(b.fake, belief, 0x1002, &next), 0);
	work(&b, 0.5, next);
	assert_int_equal(fake_kernel_view(b.fake, next).ifindex, NIC);
	fake_ike_migrate(b.fake, belief, 11);
	settle(&b);
	go_down(&b);
	pass(&b, 2.0);
	assert_int_equal(fake_kernel_count(b.fake, false), 2);
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

/* ---- Tunnels that move ---- */

static void check_stays_out(struct bench *b, struct fake_belief *belief)
{
	pass(b, 0.05);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, 0);
	work(b, 5.0, belief);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, 0);
	assert_int_equal(entry(b, belief)->candidacy, CANDIDACY_PEER_MOVES);
}

/* Out of the NIC and not back, nor its successor, for a day. */
static void test_moving_tunnel_stays_out(void **state)
{
	struct fake_belief *belief, *next;
	struct bench b;

	(void)state;
	open_bench_with(&b, ALWAYS);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = NIC});
	check_stays_out(&b, belief);
	assert_int_equal(fake_ike_rekey(b.fake, belief, 0x1002, &next), 0);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	check_stays_out(&b, next);
	b.manager->config->interval = 600;
	pass(&b, PEER_MOVES_SECONDS + 700);
	assert_int_equal(fake_kernel_view(b.fake, next).ifindex, NIC);
	close_bench(&b);
}

/* Learned from an SA that was in software, and from its port alone. */
static void test_moves_in_software(void **state)
{
	static const struct fake_new_place places[] = {{.peer = 11}, {.peer = 10}};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(places); i++) {
		open_bench(&b);
		manager_set_paused(b.manager, true);
		belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		work(&b, 0.5, belief);
		move(&b, belief, places[i]);
		settle(&b);
		manager_set_paused(b.manager, false);
		check_stays_out(&b, belief);
		close_bench(&b);
	}
}

/* Without a reqid there is nothing to know the tunnel by. A script that deletes an SA and makes one
 * with its SPI in the same second is no peer that moves. */
static void test_does_not_move(void **state)
{
	struct fake_sa_spec specs[] = {{.spi = 0x1001, .peer = 10},
				       {.spi = 0x1001, .peer = 10, .reqid = 1}};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
		open_bench(&b);
		belief = add(&b, specs[i]);
		if (i == 0) {
			(void)fake_kernel_send(b.fake, belief, 10, 100);
			move(&b, belief, (struct fake_new_place){.peer = 11});
		} else {
			assert_int_equal(fake_ike_delete(b.fake, belief), 0);
			specs[i].peer = 11;
			belief = add(&b, specs[i]);
		}
		work(&b, 0.6, belief);
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
		close_bench(&b);
	}
}

/* The peer moves behind NAT, as it did before, and the NIC refuses what charon asks for. */
static void test_nat_costs_no_second_tunnel(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	fake_kernel_nic(b.fake, NIC)->no_encap = true;
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = NIC});
	work(&b, 1.0, belief);
	move(&b, belief, (struct fake_new_place){.peer = 12, .ifindex = NIC, .encap = true});
	assert_int_equal(fake_kernel_send(b.fake, belief, 10, 100), 10);
	assert_int_equal(fake_ike_errors(b.fake), 0);
	close_bench(&b);
}

/* The kernel rewrites the time in the middle of the promotion. */
static void step_clock(struct fake_kernel *k, enum fake_moment moment, unsigned step,
		       void *userdata)
{
	unsigned n = fake_kernel_messages(k);

	(void)step;
	if (moment == FAKE_AFTER_TRANSACT && n > 0 &&
	    fake_kernel_message_type(k, n - 1) == XFRM_MSG_ALLOCSPI &&
	    fake_kernel_view(k, userdata).exists && !fake_kernel_view(k, userdata).larval)
		fake_kernel_set_add_time(k, userdata, 12345);
}

static void test_clock_is_stepped_in_a_move(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	fake_kernel_set_hook(b.fake, step_clock, belief);
	work(&b, 0.6, belief);
	fake_kernel_set_hook(b.fake, NULL, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).current.add_time, 12345);
	check_ours(&b, belief);
	close_bench(&b);
}

/* A copy that its driver handles wrongly, of a tunnel that has no reqid to be remembered by. */
static void test_driver_handles_copy_wrongly(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = NIC, .encap = true});
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	pass(&b, 0.05);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	work(&b, 0.6, belief);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_DRIVER);
	close_bench(&b);
}

/* Nobody watched when the tunnel moved; a copy tells it too. */
static void test_learned_from_copy(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = NIC});
	start_again(&b);
	assert_int_equal(manager_start(b.manager), 0);
	check_stays_out(&b, belief);
	close_bench(&b);
}

/* Out of the NIC before an IKE daemon gives it another address. */
static void test_own_address_goes(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	b.network.no_route = true;
	manager_network_callbacks.addresses(b.manager);
	pass(&b, 0.03);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpus_are_siblings),
		cmocka_unit_test(test_labels_are_siblings),
		cmocka_unit_test(test_clock_is_stepped),
		cmocka_unit_test(test_if_id_changes),
		cmocka_unit_test(test_made_by_another),
		cmocka_unit_test(test_peer_moves),
		cmocka_unit_test(test_copy_before_deletion),
		cmocka_unit_test(test_copy_of_evicted),
		cmocka_unit_test(test_key_in_untrusted_nic),
		cmocka_unit_test(test_moves_while_nobody_watches),
		cmocka_unit_test(test_original_lives),
		cmocka_unit_test(test_migrated),
		cmocka_unit_test(test_migrated_in_nic),
		cmocka_unit_test(test_migrated_and_gone),
		cmocka_unit_test(test_one_of_two_migrated),
		cmocka_unit_test(test_moving_tunnel_stays_out),
		cmocka_unit_test(test_moves_in_software),
		cmocka_unit_test(test_does_not_move),
		cmocka_unit_test(test_nat_costs_no_second_tunnel),
		cmocka_unit_test(test_clock_is_stepped_in_a_move),
		cmocka_unit_test(test_driver_handles_copy_wrongly),
		cmocka_unit_test(test_learned_from_copy),
		cmocka_unit_test(test_own_address_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
