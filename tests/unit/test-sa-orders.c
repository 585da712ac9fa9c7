// SPDX-License-Identifier: GPL-2.0-or-later
/* Pins and bans of SAs at run time: what they do, for which SAs, and when they end. */
#include "manager-bench.h"

static const char *last_error;
static json_t *last_reply;

/* Takes the parameters. NULL: no error. */
static const char *call(struct bench *b, const char *method, json_t *parameters)
{
	struct methods methods = {.manager = b->manager};
	unsigned called = 0;

	json_decref(last_reply);
	last_reply = NULL;
	last_error = NULL;
	for (size_t i = 0; i < methods_count; i++) {
		const struct control_method *m = &methods_table[i];

		if (strcmp(m->name, method) != 0)
			continue;
		called++;
		if (strcmp(method, "GetStatus") != 0)
			assert_true(m->changes);
		assert_int_equal(m->call(parameters, &methods, &last_reply, &last_error), 0);
	}
	assert_int_equal(called, 1);
	json_decref(parameters);
	return last_error;
}

static json_t *of_spi(const char *spi)
{
	return json_pack("{s:s}", "spi", spi);
}

static json_t *of_peer(const char *peer)
{
	return json_pack("{s:s}", "peer", peer);
}

static json_t *for_seconds(json_t *parameters, int seconds)
{
	assert_int_equal(json_object_set_new(parameters, "seconds", json_integer(seconds)), 0);
	return parameters;
}

static json_t *persistent(json_t *parameters)
{
	assert_int_equal(json_object_set_new(parameters, "persist", json_true()), 0);
	return parameters;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static size_t n_orders(struct bench *b)
{
	assert_null(call(b, "GetStatus", json_object()));
	return json_array_size(json_object_get(last_reply, "orders"));
}

static void restart(struct bench *b, const char *text)
{
	manager_free(b->manager);
	start_manager(b, text);
}

static int at(struct bench *b, const struct fake_belief *belief)
{
	return fake_kernel_view(b->fake, belief).ifindex;
}

#define TWO_SLOTS                                                  \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: {in: 2, out: 2}}]\n"

/* Three SAs, of which the first two fill the table; the third one is idle. */
static void open_three(struct bench *b, struct fake_belief *beliefs[3], const char *text)
{
	open_bench_with(b, text);
	for (unsigned i = 0; i < 3; i++)
		beliefs[i] = add(b, (struct fake_sa_spec){
					    .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	for (unsigned i = 0; i < 100; i++) {
		carry(b, beliefs[0], false);
		carry(b, beliefs[1], false);
		carry(b, beliefs[1], false);
		pass(b, 0.02);
	}
	assert_int_equal(at(b, beliefs[0]), NIC);
	assert_int_equal(at(b, beliefs[1]), NIC);
	assert_int_equal(at(b, beliefs[2]), 0);
}

static void test_pin_takes_the_slot_of_another(void **state)
{
	struct fake_belief *beliefs[3];
	struct bench b;

	(void)state;
	open_three(&b, beliefs, TWO_SLOTS);
	assert_null(call(&b, "Pin", of_spi("0x1003")));
	assert_int_equal(json_integer_value(json_object_get(last_reply, "sas")), 1);
	assert_true(json_is_false(json_object_get(last_reply, "paused")));
	work(&b, 2.5, beliefs[1]);
	assert_int_equal(at(&b, beliefs[2]), NIC);
	assert_int_equal(at(&b, beliefs[1]), NIC);
	assert_int_equal(at(&b, beliefs[0]), 0);
	/* It stays however busy the others are. */
	work(&b, 30, beliefs[0]);
	assert_int_equal(at(&b, beliefs[2]), NIC);
	assert_int_equal(told(&b, "pinned to a NIC: SA 0x00001003 10."), 1);
	assert_int_equal(told(&b, "promoted SA 0x00001003"), 1);
	assert_true(told(&b, "an order gives it a slot") > 0);

	assert_null(call(&b, "Unpin", of_spi("0x1003")));
	assert_int_equal(json_integer_value(json_object_get(last_reply, "ended")), 1);
	for (unsigned i = 0; i < 500; i++) {
		carry(&b, beliefs[0], false);
		carry(&b, beliefs[1], false);
		pass(&b, 0.02);
	}
	assert_int_equal(at(&b, beliefs[2]), 0);
	assert_int_equal(at(&b, beliefs[0]), NIC);
	assert_int_equal(told(&b, "The pin of SA 0x00001003"), 1);
	close_bench(&b);
}

static void test_ban_evicts(void **state)
{
	struct fake_belief *busy;
	struct bench b;
	json_t *sa;

	(void)state;
	open_bench(&b);
	busy = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	assert_null(call(&b, "Ban", for_seconds(of_spi("0x1001"), 60)));
	work(&b, 0.3, busy);
	assert_int_equal(at(&b, busy), 0);
	assert_int_equal(b.manager->evicted, 1);
	sa = describe_sa(b.manager, entry(&b, busy), 1, false);
	assert_string_equal(text_of(sa, "order"), "ban");
	assert_string_equal(text_of(sa, "reason"), "banned");
	assert_string_equal(text_of(sa, "text"), "an order keeps it in software");
	json_decref(sa);
	work(&b, 59.5, busy);
	assert_int_equal(at(&b, busy), 0);
	assert_int_equal(n_orders(&b), 1);
	/* Its time is over. */
	work(&b, 1.5, busy);
	assert_int_equal(n_orders(&b), 0);
	assert_int_equal(at(&b, busy), NIC);
	assert_int_equal(told(&b, "The ban of SA 0x00001001"), 1);
	assert_int_equal(told(&b, "is over"), 1);
	sa = describe_sa(b.manager, entry(&b, busy), 1, false);
	assert_true(json_is_null(json_object_get(sa, "order")));
	json_decref(sa);
	close_bench(&b);
}

/* Both directions of a tunnel have the same peer. */
static void test_peer(void **state)
{
	struct fake_belief *in, *out, *other;
	char prefix[64], source[SA_ADDRESS_TEXT_SIZE];
	struct bench b;
	const struct sa *sa;

	(void)state;
	open_bench(&b);
	in = promoted(
		&b, (struct fake_sa_spec){.spi = 0x2001, .peer = 10, .reqid = 1, .inbound = true});
	out = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	other = promoted(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	sa = entry(&b, in);
	(void)sa_address_format(AF_INET, &sa->description.source, source);
	assert_null(call(&b, "Ban", of_peer(source)));
	assert_int_equal(json_integer_value(json_object_get(last_reply, "sas")), 2);
	work(&b, 0.5, out);
	assert_int_equal(at(&b, in), 0);
	assert_int_equal(at(&b, out), 0);
	assert_int_equal(at(&b, other), NIC);

	/* A prefix with all of them. The newest order decides. */
	(void)snprintf(prefix, sizeof(prefix), "%s/24", source);
	assert_null(call(&b, "Pin", of_peer(prefix)));
	assert_int_equal(json_integer_value(json_object_get(last_reply, "sas")), 3);
	work(&b, 1, NULL);
	assert_int_equal(at(&b, in), NIC);
	assert_int_equal(at(&b, out), NIC);
	assert_null(call(&b, "Unpin", of_peer(prefix)));
	work(&b, 1, NULL);
	assert_int_equal(at(&b, in), 0);
	/* The own address is not that of a peer. */
	(void)sa_address_format(AF_INET, &sa->description.id.destination, source);
	assert_null(call(&b, "Ban", of_peer(source)));
	assert_int_equal(json_integer_value(json_object_get(last_reply, "sas")), 0);
	close_bench(&b);
}

static void check_rekey(json_t *target, json_t *ending)
{
	struct fake_belief *old, *new;
	struct bench b;

	open_bench(&b);
	old = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	assert_null(call(&b, "Ban", target));
	work(&b, 0.3, old);
	assert_int_equal(at(&b, old), 0);
	assert_int_equal(fake_ike_rekey(b.fake, old, 0x1101, &new), 0);
	work(&b, 0.3, new);
	assert_int_equal(fake_ike_delete(b.fake, old), 0);
	work(&b, 5, new);
	assert_int_equal(at(&b, new), 0);
	/* By the SPI that it has now, or had then. */
	assert_string_equal(call(&b, "Unban", of_spi("0x1102")), "NoSuchOrder");
	assert_null(call(&b, "Unban", ending));
	work(&b, 1, new);
	assert_int_equal(at(&b, new), NIC);
	close_bench(&b);
}

static void test_rekey(void **state)
{
	struct fake_belief *belief;
	char peer[SA_ADDRESS_TEXT_SIZE];
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	pass(&b, 0.2);
	(void)sa_address_format(AF_INET, &entry(&b, belief)->description.id.destination, peer);
	close_bench(&b);
	check_rekey(of_spi("0x1001"), of_spi("0x1101"));
	check_rekey(of_spi("0x1001"), of_spi("0x1001"));
	check_rekey(of_peer(peer), of_peer(peer));
}

/* The order is newer than the rules, in both directions. */
static void test_orders_stand_above_rules(void **state)
{
	static const char never[] = TWO_SLOTS "rules: [{match: {reqid: 1}, offload: never}]\n";
	static const char always[] = TWO_SLOTS "rules: [{match: {reqid: 1}, offload: always}]\n";
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, never);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 0.5, belief);
	assert_int_equal(at(&b, belief), 0);
	assert_null(call(&b, "Pin", of_spi("0x1001")));
	work(&b, 0.5, NULL);
	assert_int_equal(at(&b, belief), NIC);
	/* Also after a reload. */
	apply(&b, never);
	work(&b, 0.5, NULL);
	assert_int_equal(at(&b, belief), NIC);
	apply(&b, always);
	assert_null(call(&b, "Ban", of_spi("0x1001")));
	assert_int_equal(n_orders(&b), 1); /* it replaces the pin */
	work(&b, 0.5, NULL);
	assert_int_equal(at(&b, belief), 0);
	close_bench(&b);
}

/* What keeps an SA from a NIC for safety stands above every order. */
static void test_pin_overrides_no_safety(void **state)
{
	static const char *const forbidden[] = {
		TWO_SLOTS,
		"mode: enforce\ninterval: 100ms\n"
		"nics: [{match: {name: eth0}, allow: true, trusted: false, capacity: 2}]\n",
		"mode: enforce\ninterval: 100ms\n"
		"nics: [{match: {name: eth0}, allow: false, trusted: true, capacity: 2}]\n",
		"mode: observe\ninterval: 100ms\n"
		"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 2}]\n",
	};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned i = 0; i < ELEMENTSOF(forbidden) + 2; i++) {
		bool evacuated = i == ELEMENTSOF(forbidden);
		bool hands_off = i == ELEMENTSOF(forbidden) + 1;

		open_bench_with(&b, forbidden[i < ELEMENTSOF(forbidden) ? i : 0]);
		belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		if (evacuated)
			assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
		pass(&b, 0.2);
		if (hands_off)
			tell_event(&b, belief, XFRM_MSG_EXPIRE, false);
		assert_null(call(&b, "Pin", of_spi("0x1001")));
		work(&b, 2, belief);
		assert_int_equal(at(&b, belief), i == 0 ? NIC : 0);
		assert_int_equal(b.manager->promoted, i == 0);
		close_bench(&b);
	}
}

static void test_restart(void **state)
{
	struct fake_belief *pinned, *banned;
	struct bench b;

	(void)state;
	open_bench(&b);
	pinned = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	banned = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	pass(&b, 0.2);
	assert_null(call(&b, "Pin", of_spi("0x1001")));
	assert_null(call(&b, "Ban", persistent(for_seconds(of_spi("0x1002"), 60))));
	work(&b, 1, banned);
	assert_int_equal(at(&b, pinned), NIC);
	restart(&b, rules);
	assert_int_equal(n_orders(&b), 1);
	assert_int_equal(told(&b, "Still banned from NICs: SA 0x00001002"), 1);
	work(&b, 1, banned);
	assert_int_equal(at(&b, banned), 0);
	/* The time of the order goes on. */
	work(&b, 57.5, banned);
	assert_int_equal(at(&b, banned), 0);
	work(&b, 1.5, banned);
	assert_int_equal(at(&b, banned), NIC);
	restart(&b, rules);
	assert_int_equal(n_orders(&b), 0);
	/* An ended order does not come back either. */
	assert_null(call(&b, "Ban", persistent(of_spi("0x1002"))));
	assert_null(call(&b, "Unban", of_spi("0x1002")));
	restart(&b, rules);
	assert_int_equal(n_orders(&b), 0);
	/* Nor one that a later order, which is not to persist, replaced. */
	assert_null(call(&b, "Ban", persistent(of_spi("0x1002"))));
	assert_null(call(&b, "Pin", of_spi("0x1002")));
	restart(&b, rules);
	assert_int_equal(n_orders(&b), 0);
	close_bench(&b);
}

static void test_errors(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	pass(&b, 0.2);
	assert_non_null(entry(&b, belief));
	assert_string_equal(call(&b, "Pin", of_spi("0x1002")), "NoSuchSA");
	assert_string_equal(call(&b, "Pin", json_pack("{s:s,s:s}", "spi", "0x1001", "dst", "::1")),
			    "NoSuchSA");
	assert_string_equal(call(&b, "Pin", of_spi("x")), "org.varlink.service.InvalidParameter");
	assert_string_equal(call(&b, "Pin", json_object()), "org.varlink.service.InvalidParameter");
	assert_string_equal(call(&b, "Pin", json_pack("{s:s,s:s}", "spi", "1", "peer", "::1")),
			    "org.varlink.service.InvalidParameter");
	assert_string_equal(call(&b, "Ban", json_pack("{s:s,s:s}", "dst", "::1", "peer", "::1")),
			    "org.varlink.service.InvalidParameter");
	assert_string_equal(call(&b, "Ban", of_peer("192.0.2.1/33")), "InvalidValue");
	assert_string_equal(call(&b, "Ban", for_seconds(of_peer("192.0.2.1"), 0)), "InvalidValue");
	assert_string_equal(call(&b, "Ban", for_seconds(of_peer("192.0.2.1"), 31536001)),
			    "InvalidValue");
	assert_string_equal(call(&b, "Unban", of_peer("192.0.2.1")), "NoSuchOrder");
	assert_string_equal(text_of(last_reply, "target"), "192.0.2.1");
	assert_string_equal(call(&b, "Unpin", json_object()), "NoSuchOrder");
	assert_int_equal(n_orders(&b), 0);
	/* A pin is no ban. */
	assert_null(call(&b, "Pin", of_spi("0x1001")));
	assert_string_equal(call(&b, "Unban", of_spi("0x1001")), "NoSuchOrder");
	close_bench(&b);
}

static size_t n_obstacles(const char *reason, json_int_t sas)
{
	const json_t *obstacles = json_object_get(last_reply, "obstacles");
	const json_t *first = json_array_get(obstacles, 0);

	assert_true(json_is_array(obstacles));
	if (first) {
		assert_string_equal(text_of(first, "reason"), reason);
		assert_int_equal(json_integer_value(json_object_get(first, "sas")), sas);
	}
	return json_array_size(obstacles);
}

/* What keeps an SA from where the order wants it is in the reply. */
static void test_obstacles(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b,
		     (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1, .encap = true});
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2, .encap = true});
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1003, .peer = 12, .reqid = 3});
	work(&b, 0.5, belief);
	assert_null(call(&b, "Pin", of_spi("0x1001")));
	assert_int_equal(n_obstacles("driver", 1), 1);
	assert_null(call(&b, "Pin", of_spi("0x1003")));
	assert_int_equal(n_obstacles("", 0), 0);
	assert_null(call(&b, "Pin", of_peer("0.0.0.0/0")));
	assert_int_equal(n_obstacles("driver", 2), 1);
	assert_null(call(&b, "Ban", of_peer("0.0.0.0/0")));
	assert_int_equal(n_obstacles("", 0), 0);
	close_bench(&b);
}

/* An SA that another program offloaded stays in the NIC. */
static void test_obstacle_of_a_ban(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b,
		     (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1, .ifindex = NIC});
	work(&b, 0.5, belief);
	assert_null(call(&b, "Ban", of_spi("0x1001")));
	assert_int_equal(n_obstacles("foreign", 1), 1);
	assert_null(call(&b, "Pin", of_spi("0x1001")));
	assert_int_equal(n_obstacles("", 0), 0);
	close_bench(&b);
}

/* Two SAs have the SPI, and there is room for one order. */
static void test_all_or_none(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	(void)add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 11, .reqid = 2});
	work(&b, 0.5, belief);
	for (unsigned i = 0; i < SA_ORDERS_MAX - 1; i++) {
		char peer[32];

		(void)snprintf(peer, sizeof(peer), "198.51.100.%u", i);
		assert_null(call(&b, "Ban", of_peer(peer)));
	}
	assert_string_equal(call(&b, "Pin", of_spi("0x1001")), "TooManyOrders");
	assert_int_equal(n_orders(&b), SA_ORDERS_MAX - 1);
	assert_null(call(&b, "Unban", of_peer("198.51.100.0")));
	assert_null(call(&b, "Pin", of_spi("0x1001")));
	assert_int_equal(n_orders(&b), SA_ORDERS_MAX);
	/* They replace those that there are. */
	assert_null(call(&b, "Ban", of_spi("0x1001")));
	assert_int_equal(n_orders(&b), SA_ORDERS_MAX);
	close_bench(&b);
}

static void test_number_is_bounded(void **state)
{
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < SA_ORDERS_MAX; i++) {
		char peer[32];

		(void)snprintf(peer, sizeof(peer), "198.51.100.%u", i);
		assert_null(call(&b, "Ban", persistent(of_peer(peer))));
	}
	assert_string_equal(call(&b, "Ban", of_peer("198.51.100.200")), "TooManyOrders");
	/* One that replaces another is none more. */
	assert_null(call(&b, "Pin", persistent(of_peer("198.51.100.3"))));
	restart(&b, rules);
	assert_int_equal(n_orders(&b), SA_ORDERS_MAX);
	assert_null(call(&b, "Unban", json_object()));
	assert_int_equal(json_integer_value(json_object_get(last_reply, "ended")),
			 SA_ORDERS_MAX - 1);
	assert_int_equal(n_orders(&b), 1);
	close_bench(&b);
}

/* It holds for a move that is planned and not made yet. */
static void test_ban_of_what_is_planned(void **state)
{
	struct fake_belief *belief;
	const struct policy_move *moves;
	struct bench b;
	size_t n;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1, belief);
	n = policy_plan(b.manager->policy, b.now, &moves);
	assert_int_equal(executor_plan(b.manager->executor, moves, n), 1);
	assert_null(call(&b, "Ban", of_spi("0x1001")));
	make_moves(&b);
	assert_int_equal(at(&b, belief), 0);
	assert_int_equal(b.manager->promoted, 0);
	close_bench(&b);
}

/* An order is no matter of keys, so it waits during a pause. */
static void test_pause(void **state)
{
	struct fake_belief *busy;
	struct bench b;

	(void)state;
	open_bench(&b);
	busy = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	manager_set_paused(b.manager, true);
	assert_null(call(&b, "Ban", of_spi("0x1001")));
	assert_true(json_is_true(json_object_get(last_reply, "paused")));
	work(&b, 1, busy);
	assert_int_equal(at(&b, busy), NIC);
	manager_set_paused(b.manager, false);
	work(&b, 0.3, busy);
	assert_int_equal(at(&b, busy), 0);
	close_bench(&b);
}

static int release(void **state)
{
	(void)state;
	json_decref(last_reply);
	last_reply = NULL;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pin_takes_the_slot_of_another),
		cmocka_unit_test(test_ban_evicts),
		cmocka_unit_test(test_peer),
		cmocka_unit_test(test_rekey),
		cmocka_unit_test(test_orders_stand_above_rules),
		cmocka_unit_test(test_pin_overrides_no_safety),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_number_is_bounded),
		cmocka_unit_test(test_obstacles),
		cmocka_unit_test(test_obstacle_of_a_ban),
		cmocka_unit_test(test_all_or_none),
		cmocka_unit_test(test_ban_of_what_is_planned),
		cmocka_unit_test(test_pause),
	};

	return cmocka_run_group_tests(tests, NULL, release);
}
