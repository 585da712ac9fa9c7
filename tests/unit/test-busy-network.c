// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages about links, addresses and routes that do not concern the daemon cause no work. */
#include "manager-bench.h"

static struct nic other_nic(int ifindex)
{
	struct nic nic = {.ifindex = ifindex, .up = true, .carrier = true};

	snprintf(nic.name, sizeof(nic.name), "tun%d", ifindex);
	return nic;
}

static bool is_pass_pending(const struct bench *b)
{
	return schedule_is_pending(&b->manager->schedule, MANAGER_RECONFIGURE);
}

/* A device without offload, by which no SA's packets leave. */
static void test_unrelated_links(void **state)
{
	struct nic up, down;
	double tick;
	struct bench b;

	(void)state;
	open_bench(&b);
	work(&b, 0.6, add(&b, (struct fake_sa_spec){.peer = 10}));
	tick = b.manager->schedule.due[MANAGER_TICK];
	for (int i = 0; i < 60; i++) {
		up = other_nic(100 + i);
		down = up;
		down.up = false;
		manager_network_callbacks.link(NULL, &down, b.manager);
		manager_network_callbacks.link(&down, &up, b.manager);
		manager_network_callbacks.link(&up, &down, b.manager);
		manager_network_callbacks.link(&down, NULL, b.manager);
	}
	assert_false(is_pass_pending(&b));
	assert_false(b.manager->tracker->stale);
	assert_true(b.manager->schedule.due[MANAGER_TICK] == tick);
	close_bench(&b);
}

/* The device gets offload: now it concerns the daemon. */
static void test_new_nic(void **state)
{
	struct nic plain = other_nic(100), offloads = plain;
	struct bench b;

	(void)state;
	open_bench(&b);
	offloads.esp_offload_known = offloads.esp_offload = true;
	manager_network_callbacks.link(NULL, &plain, b.manager);
	assert_false(is_pass_pending(&b));
	manager_network_callbacks.link(&plain, &offloads, b.manager);
	assert_true(is_pass_pending(&b));
	close_bench(&b);
}

/* A change of carrier or speed of our NIC moves no SA. Going down causes moves, with SAs in it or
 * without. */
static void test_our_nic(void **state)
{
	struct nic old;
	struct bench b;

	(void)state;
	open_bench(&b);
	pass(&b, 0.5);
	old = b.nics[0];
	b.nics[0].carrier = false;
	b.nics[0].speed = 1000;
	manager_network_callbacks.link(&old, &b.nics[0], b.manager);
	assert_false(is_pass_pending(&b));

	/* It holds no SA, so none can be lost, and nothing is read again. */
	old = b.nics[0];
	b.nics[0].up = false;
	manager_network_callbacks.link(&old, &b.nics[0], b.manager);
	assert_true(is_pass_pending(&b));
	assert_false(b.manager->tracker->stale);
	close_bench(&b);
}

/* A device flaps every 30 ms for 5 s: the sampling interval does not change. */
static void test_flapping(void **state)
{
	uint64_t before;
	struct nic old;
	struct bench b;

	(void)state;
	open_bench(&b);
	work(&b, 0.6, add(&b, (struct fake_sa_spec){.peer = 10}));
	before = b.manager->tracker->generation;
	for (unsigned i = 0; i < 166; i++) {
		old = b.nics[0];
		b.nics[0].up = i % 2;
		manager_network_callbacks.link(&old, &b.nics[0], b.manager);
		pass(&b, 0.03);
	}
	assert_true(b.manager->tracker->generation >= before + 48);
	close_bench(&b);
}

/* If a pass over all SAs takes one second, the next comes after ten seconds at the earliest. */
static void test_passes_are_spaced(void **state)
{
	struct nic_route_changes changes = {.all = true};
	struct bench b;

	(void)state;
	open_bench(&b);
	pass(&b, 0.5);
	manager_network_callbacks.routes(&changes, b.manager);
	assert_true(schedule_next(&b.manager->schedule) <= b.now + 0.1 + 1e-9);
	pass(&b, 0.2);
	assert_false(is_pass_pending(&b));
	b.manager->reconfigured_at = b.now;
	b.manager->reconfigured_for = 1;
	manager_network_callbacks.routes(&changes, b.manager);
	manager_network_callbacks.addresses(b.manager);
	assert_true(b.manager->schedule.due[MANAGER_RECONFIGURE] == b.now + 10);
	pass(&b, 9);
	assert_true(is_pass_pending(&b));
	pass(&b, 1.1);
	assert_false(is_pass_pending(&b));
	close_bench(&b);
}

/* For a larval SA that is not completed, the route is looked up once, not with every dump. */
static void test_larval_is_looked_up_once(void **state)
{
	struct fake_belief *belief;
	unsigned before;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .inbound = true, .peer = 10});
	assert_int_equal(fake_ike_reserve(b.fake, belief, 0x2001), 0);
	pass(&b, 0.5);
	before = b.network.lookups;
	assert_true(before >= 2);
	pass(&b, 0.5);
	assert_int_equal(b.network.lookups, before);
	close_bench(&b);
}

/* An evacuation belongs to the device, also after it is renamed. */
static void test_renamed(void **state)
{
	struct fake_belief *belief;
	struct nic old;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.6, belief);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	work(&b, 0.6, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	old = b.nics[0];
	strcpy(b.nics[0].name, "wan0");
	manager_network_callbacks.link(&old, &b.nics[0], b.manager);
	assert_true(orders_are_to_evacuate(b.manager->orders, "wan0"));
	assert_false(orders_are_to_evacuate(b.manager->orders, "eth0"));
	close_bench(&b);
}

static void check_destination(const json_t *rows, size_t i, const struct sa *sa)
{
	char text[SA_ADDRESS_TEXT_SIZE];

	assert_string_equal(json_string_value(json_object_get(json_array_get(rows, i), "dst")),
			    sa_address_format(sa->description.id.family,
					      &sa->description.id.destination, text));
}

/* SAs with equal SPI and rate are always listed in the same order. */
static void test_ties(void **state)
{
	json_auto_t *parameters = json_object(), *rows = json_array(), *reply = NULL;
	struct methods methods = {};
	struct fake_belief *one, *other;
	const char *error = NULL;
	struct bench b;
	void *list;

	(void)state;
	open_bench(&b);
	methods.manager = b.manager;
	fake_kernel_config(b.fake)->spi_unique_per_protocol = false;
	one = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 11});
	pass(&b, 0.3);
	assert_int_equal(list_of_sas.begin(parameters, &methods, &list, &reply, &error), 0);
	while (list_of_sas.next(list, rows) > 0)
		continue;
	check_destination(rows, 0, entry(&b, one));
	check_destination(rows, 1, entry(&b, other));
	list_of_sas.free(list);
	snapshots_release(&methods.snapshots);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unrelated_links),
		cmocka_unit_test(test_new_nic),
		cmocka_unit_test(test_our_nic),
		cmocka_unit_test(test_flapping),
		cmocka_unit_test(test_passes_are_spaced),
		cmocka_unit_test(test_larval_is_looked_up_once),
		cmocka_unit_test(test_renamed),
		cmocka_unit_test(test_ties),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
