// SPDX-License-Identifier: GPL-2.0-or-later
/* The identity of SAs: siblings, and owned SAs that another program changes. */
#include "manager-bench.h"
#include "ownership-count.h"
#include "xfrm/compat.h"

/* Two SAs that differ in one attribute: the second is no successor of the first. */
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

/* ---- Owned SAs that change ---- */

/* The SA is owned, and is restored when its NIC goes down. */
static void check_ours(struct bench *b, struct fake_belief *belief)
{
	struct fake_view view;

	assert_non_null(entry(b, belief));
	assert_false(entry(b, belief)->residence.foreign);
	assert_int_equal(entry(b, belief)->residence.ifindex, NIC);
	assert_true(entry(b, belief)->shadow);
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

/* An SA of another program with the same identity in the same NIC. */
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
	assert_true(entry(&b, belief)->residence.foreign);
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
			while (manager_read_events(b.manager) > 0)
				;
			tracker_read_changed(b.manager->tracker);
			assert_false(entry(&b, belief)->residence.foreign);
			assert_true(entry(&b, belief)->probation->until > b.now);
			assert_int_equal(ownership_count(b.ownership), 1);
			/* The next move of its peer could cost the tunnel. */
			pass(&b, 1);
			assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
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

/* The IKE daemon reads the SA while it is in the NIC, and installs the copy after it left. */
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

/* The copy is in the NIC of the new local address, which may be untrusted. */
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

	assert_true(ownership_save_if_changed(b->ownership) >= 0);
	manager_free(b->manager);
	ownership_free(b->ownership);
	assert_int_equal(ownership_new(b->path, &b->ownership), 0);
	assert_true(ownership_load(b->ownership) >= 0);
	config = config_of(rules);
	assert_non_null(config);
	environment.ownership = b->ownership;
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

/* A copy of an SA that still exists belongs to another program. */
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
		assert_true(entry(&b, other)->residence.foreign);
		assert_false(entry(&b, belief)->residence.foreign);
		close_bench(&b);
	}
}

/* The kernel gave the SA new addresses, in software, and then its NIC goes down. */
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
	assert_int_equal(entry(&b, belief)->residence.ifindex, 0);
	assert_int_equal(fake_kernel_check(b.fake, FAKE_CHECK_COUNTERS_MAY_DIFFER, stderr), 0);
	close_bench(&b);
}

/* Linux 7.2 leaves the SA in its NIC. The daemon reads it before the NIC goes down. */
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

/* The same, but the NIC goes down before the daemon reads the SA: it is left to the IKE daemon. */
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

/* One of two SAs with the same addresses, as during a rekey: the other is unchanged, and is
 * restored. */
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
	assert_int_equal(entry(b, belief)->candidate.candidacy, CANDIDACY_PEER_MOVES);
}

/* The SA leaves the NIC and does not return for a day; neither does its successor. */
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

/* Detected from an SA in software, and from a changed port only. */
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

/* Without a reqid a tunnel cannot be recognized. A script that deletes an SA and adds one with its
 * SPI in the same second is no moving peer. */
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

/* The peer moves behind NAT again, and the NIC refuses charon's copy. */
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

/* The kernel rewrites `add_time` in the middle of the promotion. */
static void step_clock(struct fake_kernel *k, enum fake_moment moment, unsigned step,
		       void *userdata)
{
	(void)step;
	if (moment == FAKE_AFTER_TRANSACT && fake_kernel_last_message(k) == XFRM_MSG_ALLOCSPI &&
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

/* A copy that its driver handles wrongly, of a tunnel without a reqid, so that its moves are not
 * recorded. */
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

/* The daemon was not running when the tunnel moved; the copy shows it. */
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

/* The SA leaves the NIC before an IKE daemon gives it another address. */
static void test_own_address_goes(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	b.network.route_error = -ENETUNREACH;
	manager_network_callbacks.addresses(b.manager);
	pass(&b, 0.03);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	close_bench(&b);
}

/* ---- The compared fields, one by one ---- */

enum difference {
	NOTHING,
	ADD_TIME,
	IF_ID,
	MORE_TRAFFIC,
	FEWER_BYTES,
	FEWER_PACKETS,
	ANOTHER_NIC,
	REQID,
	MODE,
	CPU,
	LABEL,
	SOURCE,
	SHAPE,
	/* of the entry */
	IN_SOFTWARE,
	FOREIGN,
	DELETED,
};

static void differ(enum difference difference, struct sa_table *sas, struct sa *sa,
		   struct sa_facts *facts)
{
	switch (difference) {
	case NOTHING:
		break;
	case ADD_TIME:
		facts->add_time++;
		break;
	case IF_ID:
		facts->description.if_id++;
		facts->shape.if_id = !facts->shape.if_id;
		break;
	case MORE_TRAFFIC:
		facts->bytes++;
		facts->packets++;
		break;
	case FEWER_BYTES:
		facts->bytes--;
		break;
	case FEWER_PACKETS:
		facts->packets--;
		break;
	case ANOTHER_NIC:
		facts->offload_ifindex++;
		break;
	case REQID:
		facts->description.reqid++;
		break;
	case MODE:
		facts->description.mode++;
		break;
	case CPU:
		facts->description.cpu++;
		break;
	case LABEL:
		facts->description.label++;
		break;
	case SOURCE:
		facts->description.source.bytes[3]++;
		break;
	case SHAPE:
		facts->shape.encap = !facts->shape.encap;
		break;
	case IN_SOFTWARE:
		sa_table_set_residence(sas, sa, 0, false);
		facts->offload_ifindex = 0;
		break;
	case FOREIGN:
		sa_table_set_residence(sas, sa, NIC, true);
		break;
	case DELETED:
		sa->presence.deleted_by_other = true;
		break;
	}
}

/* If events were lost, the SA may have been deleted and added again. */
static void test_same_state(void **state)
{
	static const struct {
		enum difference difference;
		bool same, same_if_stale;
	} cases[] = {
		{NOTHING, true, true},       {ADD_TIME, true, false},
		{IF_ID, true, true},         {MORE_TRAFFIC, true, true},
		{FEWER_BYTES, false, false}, {FEWER_PACKETS, false, false},
		{ANOTHER_NIC, false, false}, {REQID, false, false},
		{MODE, false, false},        {CPU, false, false},
		{LABEL, false, false},       {SOURCE, false, false},
		{SHAPE, false, false},       {IN_SOFTWARE, false, false},
		{FOREIGN, false, false},     {DELETED, false, false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *belief;
		struct sa_facts facts = {};
		struct bench b;
		struct sa *sa;

		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		sa = entry(&b, belief);
		facts.description = sa->description;
		facts.shape = *sa->shape;
		facts.add_time = sa->add_time;
		facts.offload_ifindex = sa->residence.ifindex;
		facts.bytes = sa->bytes;
		facts.packets = sa->packets;
		differ(cases[i].difference, b.manager->sas, sa, &facts);
		assert_int_equal(tracker_is_same_state(b.manager->tracker, sa, &facts),
				 cases[i].same);
		b.manager->tracker->stale = true;
		assert_int_equal(tracker_is_same_state(b.manager->tracker, sa, &facts),
				 cases[i].same_if_stale);
		close_bench(&b);
	}
}

static xfrm_address_t address_of(const struct sa_address *address)
{
	xfrm_address_t result = {};

	memcpy(&result, address->bytes, sizeof(address->bytes));
	return result;
}

struct migration {
	struct nlmsghdr header;
	uint8_t rest[512];
};

static void *extend(struct migration *m, size_t size)
{
	void *place = (uint8_t *)m + NLMSG_ALIGN(m->header.nlmsg_len);

	m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + (uint32_t)size;
	return place;
}

static void add_migrate(struct migration *m, uint16_t type, const void *data, size_t size)
{
	struct nlattr *attribute = extend(m, NLA_HDRLEN + size);

	*attribute = (struct nlattr){.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
	memcpy(attribute + 1, data, size);
}

/* If `gone`, the SA must be read again under its old and its new identity, and is not restored
 * until then. */
static void check_gone(struct bench *b, struct fake_belief *belief, uint16_t new_family,
		       const xfrm_address_t *new_destination, bool gone)
{
	struct sa_id id = fake_belief_id(belief);

	assert_int_equal(entry(b, belief)->presence.deleted_by_other, gone);
	assert_int_equal(b->manager->tracker->changes.n, gone ? 2 : 0);
	if (!gone)
		return;
	assert_memory_equal(&b->manager->tracker->changes.ids[0], &id, sizeof(id));
	id.family = new_family;
	id.destination = sa_address_read(new_family, new_destination);
	assert_memory_equal(&b->manager->tracker->changes.ids[1], &id, sizeof(id));
}

/* One field of XFRMA_MIGRATE differs from the SA's. */
static void test_migrate_names_it(void **state)
{
	static const struct {
		const char *text;
		size_t offset; /* of a byte that is changed */
		bool gone;
	} cases[] = {
		{"it", offsetof(struct xfrm_user_migrate, reserved), true},
		{"family", offsetof(struct xfrm_user_migrate, old_family), false},
		{"protocol", offsetof(struct xfrm_user_migrate, proto), false},
		{"mode", offsetof(struct xfrm_user_migrate, mode), false},
		{"reqid", offsetof(struct xfrm_user_migrate, reqid), false},
		{"destination", offsetof(struct xfrm_user_migrate, old_daddr) + 3, false},
		{"source", offsetof(struct xfrm_user_migrate, old_saddr) + 3, false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct migration m = {
			.header = {.nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = XFRM_MSG_MIGRATE}};
		struct xfrm_user_migrate migrate = {.new_daddr.a6 = {1, 2, 3, 4},
						    .new_family = AF_INET6};
		struct fake_belief *belief;
		const struct sa_description *d;
		struct bench b;

		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 7});
		d = &entry(&b, belief)->description;
		migrate.old_daddr = address_of(&d->id.destination);
		migrate.old_saddr = address_of(&d->source);
		migrate.proto = d->id.protocol;
		migrate.mode = d->mode;
		migrate.reqid = d->reqid;
		migrate.old_family = d->id.family;
		((uint8_t *)&migrate)[cases[i].offset] ^= 1;
		(void)extend(&m, sizeof(struct xfrm_userpolicy_id));
		/* Another attribute, or a truncated one, has no effect. */
		add_migrate(&m, XFRMA_KMADDRESS, &migrate, sizeof(migrate));
		add_migrate(&m, XFRMA_MIGRATE, &migrate, sizeof(migrate) - 4);
		tracker_note_migrated(b.manager->tracker, &m.header);
		assert_int_equal(b.manager->tracker->changes.n, 0);
		add_migrate(&m, XFRMA_MIGRATE, &migrate, sizeof(migrate));
		tracker_note_migrated(b.manager->tracker, &m.header);
		check_gone(&b, belief, AF_INET6, &migrate.new_daddr, cases[i].gone);

		/* Reqid 0 matches any; other differences still count. */
		entry(&b, belief)->presence.deleted_by_other = false;
		b.manager->tracker->changes.n = 0;
		migrate.reqid = 0;
		m.header.nlmsg_len = NLMSG_HDRLEN;
		(void)extend(&m, sizeof(struct xfrm_userpolicy_id));
		add_migrate(&m, XFRMA_MIGRATE, &migrate, sizeof(migrate));
		tracker_note_migrated(b.manager->tracker, &m.header);
		check_gone(&b, belief, AF_INET6, &migrate.new_daddr,
			   cases[i].gone || strcmp(cases[i].text, "reqid") == 0);
		close_bench(&b);
	}
}

/* XFRM_MSG_MIGRATE_STATE names the SA, and contains its new properties. */
static void test_migrate_state_names_it(void **state)
{
	static const struct {
		const char *text;
		size_t offset;
		bool gone;
	} cases[] = {
		{"only its reqid", offsetof(struct xfrm_compat_migrate_state, new_reqid), false},
		{"family", offsetof(struct xfrm_compat_migrate_state, new_family), true},
		{"destination", offsetof(struct xfrm_compat_migrate_state, new_daddr) + 3, true},
		{"source", offsetof(struct xfrm_compat_migrate_state, new_saddr) + 3, true},
		{"another SA", offsetof(struct xfrm_compat_migrate_state, id.spi), false},
		{"another mark", offsetof(struct xfrm_compat_migrate_state, old_mark.v), false},
		{"another mask", offsetof(struct xfrm_compat_migrate_state, old_mark.m), false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++)
		for (unsigned cut = 0; cut < 2; cut++) {
			struct migration m = {
				.header = {.nlmsg_len = NLMSG_HDRLEN,
					   .nlmsg_type = XFRM_COMPAT_MSG_MIGRATE_STATE}};
			struct xfrm_compat_migrate_state migrate = {};
			const struct sa_description *d;
			struct fake_belief *belief;
			struct bench b;

			open_bench(&b);
			belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001,
								    .peer = 10,
								    .reqid = 7,
								    .mark = {4, 12}});
			d = &entry(&b, belief)->description;
			migrate.id =
				(struct xfrm_usersa_id){.daddr = address_of(&d->id.destination),
							.spi = htonl(d->id.spi),
							.family = d->id.family,
							.proto = d->id.protocol};
			migrate.old_mark = (struct xfrm_mark){4, 12};
			migrate.new_daddr = migrate.id.daddr;
			migrate.new_saddr = address_of(&d->source);
			migrate.new_family = d->id.family;
			((uint8_t *)&migrate)[cases[i].offset] ^= 1;
			memcpy(extend(&m, sizeof(migrate)), &migrate, sizeof(migrate));
			m.header.nlmsg_len -= cut;
			tracker_note_migrated(b.manager->tracker, &m.header);
			check_gone(&b, belief, migrate.new_family, &migrate.new_daddr,
				   cases[i].gone && !cut);
			close_bench(&b);
		}
}

/* ---- The record of owned SAs ---- */

static bool is_saved(struct bench *b)
{
	return ownership_save_if_changed(b->ownership) == 0;
}

/* The file has a wrong NIC or time: the record counts as that of an SA that left, and the SA in the
 * NIC counts as its copy if the time is equal. With a correct file nothing is read from the
 * kernel. */
static void test_start_with_records(void **state)
{
	static const struct {
		int nic, time; /* difference to the SA's */
		bool foreign;
		unsigned adopted, messages;
	} cases[] = {{0, 0, false, 0, 0}, {1, 0, false, 1, 2}, {0, 1, true, 0, 2}};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *belief, *foreign;
		struct sa_id id;
		uint64_t time;
		struct bench b;

		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		foreign = add(&b, (struct fake_sa_spec){
					  .spi = 0x1002, .peer = 11, .reqid = 2, .ifindex = NIC});
		id = fake_belief_id(belief);
		time = fake_kernel_view(b.fake, belief).current.add_time;
		assert_int_equal(ownership_add(b.ownership, &id, NIC + cases[i].nic,
					       time + (unsigned)cases[i].time),
				 0);
		start_again(&b);
		fake_kernel_restart_counts(b.fake);
		assert_int_equal(manager_start(b.manager), 0);
		assert_int_equal(entry(&b, belief)->residence.foreign, cases[i].foreign);
		assert_true(entry(&b, foreign)->residence.foreign);
		assert_int_equal(told(&b, "made it anew from a copy"), cases[i].adopted);
		assert_int_equal(fake_kernel_messages(b.fake, XFRM_MSG_GETSA), cases[i].messages);
		assert_int_equal(ownership_contains(b.ownership, &id, NIC, time),
				 !cases[i].foreign);
		assert_true(is_saved(&b));
		close_bench(&b);
	}
}

/* A record is kept for some seconds after its SA is gone, also in the file. */
static void test_records_end(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	pass(&b, OWNERSHIP_DEPARTED_SECONDS - 0.2);
	assert_int_equal(ownership_count(b.ownership), 1);
	pass(&b, 0.4);
	assert_int_equal(ownership_count(b.ownership), 0);
	assert_true(is_saved(&b));
	close_bench(&b);
}

/* The events of the copy were lost: dumps show the copy, and that the original is missing. */
static void test_copy_in_dumps(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	move(&b, belief, (struct fake_new_place){.peer = 11, .ifindex = NIC});
	fake_kernel_overrun(b.fake);
	b.manager->reconfigure = true;
	pass(&b, 2.0);
	check_ours(&b, belief);
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
		cmocka_unit_test(test_same_state),
		cmocka_unit_test(test_migrate_names_it),
		cmocka_unit_test(test_migrate_state_names_it),
		cmocka_unit_test(test_start_with_records),
		cmocka_unit_test(test_records_end),
		cmocka_unit_test(test_copy_in_dumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
