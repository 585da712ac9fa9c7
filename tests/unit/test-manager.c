// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The manager with everything it owns, on the fake kernel and a network of one NIC: what it moves,
 * what it does not touch and why, and what it does when a NIC fails.
 */
#include "control.h"
#include "fake-kernel.h"
#include "journal.h"
#include "manager.h"
#include "methods.h"
#include "placed.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define NIC 7

struct test_network {
	struct network network;
	struct nic nic;
	bool present;
	bool direction_unknown;
};

static struct test_network *test_network(struct network *network)
{
	return (struct test_network *)network;
}

static size_t network_count(struct network *network)
{
	return test_network(network)->present;
}

static const struct nic *network_at(struct network *network, size_t index)
{
	(void)index;
	return &test_network(network)->nic;
}

static const struct nic *network_get(struct network *network, int ifindex)
{
	struct test_network *n = test_network(network);

	return n->present && ifindex == NIC ? &n->nic : NULL;
}

static const struct nic *network_find(struct network *network, const char *name)
{
	struct test_network *n = test_network(network);

	return n->present && strcmp(name, n->nic.name) == 0 ? &n->nic : NULL;
}

/* The address of the fake kernel that its SAs begin or end at. */
static bool network_address_is_local(struct network *network, uint16_t family,
				     const struct sa_address *address)
{
	static const uint8_t gateway[] = {10, 0, 255, 255};

	(void)family;
	if (test_network(network)->direction_unknown)
		return false;
	return memcmp(address->bytes, gateway, sizeof(gateway)) == 0;
}

static int network_route(struct network *network, const struct sa_description *sa, uint32_t mark,
			 int *ret_ifindex)
{
	(void)sa;
	(void)mark;
	if (!test_network(network)->present)
		return -ENETUNREACH;
	*ret_ifindex = NIC;
	return 0;
}

static struct network *network_release(struct network *network)
{
	(void)network;
	return NULL;
}

static const struct network_ops test_network_ops = {
	.count = network_count,
	.at = network_at,
	.get = network_get,
	.find = network_find,
	.address_is_local = network_address_is_local,
	.route_for_sa = network_route,
	.free = network_release,
};

struct bench {
	sd_event *event;
	struct secret_arena *arena;
	struct fake_kernel *fake;
	struct journal *journal;
	struct placed *placed;
	struct test_network network;
	struct manager *manager;
	FILE *log;
	char directory[32];
	char path[64];
};

static const char *const rules = "mode: enforce\n"
				 "interval: 100ms\n"
				 "moves-per-second: 1000\n"
				 "nics:\n"
				 "  - match: {name: eth0}\n"
				 "    allow: true\n"
				 "    trusted: true\n"
				 "    capacity: 4\n";

static uint64_t model_clock(void *userdata)
{
	return (uint64_t)fake_kernel_now(userdata);
}

static void open_bench_with(struct bench *b, const char *text)
{
	struct manager_environment environment = {.event_timer_default = 10,
						  .kernel_release = "6.12.1",
						  .config_path = "/nonexistent"};
	struct config *config;

	*b = (struct bench){.log = fopen("/dev/null", "we")};
	assert_non_null(b->log);
	assert_int_equal(sd_event_new(&b->event), 0);
	assert_int_equal(secret_arena_new(4u << 20, &b->arena), 0);
	assert_int_equal(fake_kernel_new(&b->fake), 0);
	assert_int_equal(journal_new(b->log, 7, &b->journal), 0);
	strcpy(b->directory, "/tmp/test-manager-XXXXXX");
	assert_non_null(mkdtemp(b->directory));
	snprintf(b->path, sizeof(b->path), "%s/placed", b->directory);
	assert_int_equal(placed_new(b->path, &b->placed), 0);
	(void)fake_kernel_add_nic(
		b->fake, &(struct fake_nic){.ifindex = NIC, .name = "eth0", .capacity_in = 33});
	b->network = (struct test_network){
		.network.ops = &test_network_ops,
		.present = true,
		.nic = {.ifindex = NIC,
			.name = "eth0",
			.driver = "netdevsim",
			.up = true,
			.carrier = true,
			.esp_offload_known = true,
			.esp_offload = true},
	};
	assert_int_equal(config_parse("test", text, strlen(text), stderr, &config), 0);
	environment.event = b->event;
	environment.arena = b->arena;
	environment.journal = b->journal;
	environment.placed = b->placed;
	environment.clock = model_clock;
	environment.clock_userdata = b->fake;
	assert_int_equal(fake_kernel_open(b->fake, &environment.kernel), 0);
	environment.network = &b->network.network;
	/* The event loop has a time from its first turn on. */
	(void)sd_event_run(b->event, 0);
	assert_int_equal(manager_new(&environment, config, &b->manager), 0);
	assert_int_equal(manager_start(b->manager), 0);
}

static void open_bench(struct bench *b)
{
	open_bench_with(b, rules);
}

static void close_bench(struct bench *b)
{
	manager_free(b->manager);
	placed_free(b->placed);
	journal_free(b->journal);
	fake_kernel_free(b->fake);
	secret_arena_free(b->arena);
	sd_event_unref(b->event);
	(void)fclose(b->log);
	(void)unlink(b->path);
	(void)rmdir(b->directory);
}

static struct fake_belief *add(struct bench *b, struct fake_sa_spec spec)
{
	struct fake_belief *belief;

	assert_int_equal(fake_ike_add(b->fake, &spec, &belief), 0);
	return belief;
}

static struct sa *entry(struct bench *b, const struct fake_belief *belief)
{
	struct sa_id id = fake_belief_id(belief);

	return sa_table_find(&b->manager->sas, &id);
}

static void work(struct bench *b, double seconds, struct fake_belief *busy)
{
	double end;

	(void)sd_event_run(b->event, 0);
	end = manager_now(b->manager) + seconds;
	while (manager_now(b->manager) < end) {
		if (busy)
			(void)fake_kernel_send(b->fake, busy, 50, 1000);
		(void)sd_event_run(b->event, 20000);
	}
}

static void check_reason(struct bench *b, const struct fake_belief *belief, const char *reason)
{
	const struct sa *sa = entry(b, belief);
	struct policy_sa_view view = {};
	struct explanation e;

	assert_non_null(sa);
	policy_sa_get(b->manager->policy, sa->handle, manager_now(b->manager), &view);
	methods_explain(b->manager, sa, &view, &e);
	assert_string_equal(e.reason, reason);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, sa->foreign ? NIC : 0);
	assert_int_equal(b->manager->promoted + b->manager->evicted, 0);
}

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

/* Each of these is busy and would be promoted at once. */
static void test_hands_off(void **state)
{
	static const uint32_t padding = 64;
	static const struct {
		const char *reason;
		struct fake_sa_spec spec;
		uint16_t plant;
	} cases[] = {
		{"foreign", {.ifindex = NIC}, 0},
		{"unknown-attribute", {}, 60},
		{"tfc-padding", {}, XFRMA_TFCPAD},
		{"soft-expired", {.soft_seconds = 100, .hard_seconds = 100000}, 0},
		{"near-limit", {.hard_seconds = 110}, 0},
		{"sequence-space", {.sequence = 0xfff00000}, 0},
		{"driver", {.encap = true}, 0},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_sa_spec spec = cases[i].spec;
		struct fake_belief *belief;
		struct bench b;

		open_bench(&b);
		spec.peer = 10;
		spec.reqid = 1;
		belief = add(&b, spec);
		if (cases[i].plant)
			fake_kernel_plant(b.fake, belief, cases[i].plant, &padding,
					  sizeof(padding));
		fake_kernel_advance(b.fake, spec.hard_seconds ? 101 : 0);
		work(&b, 0.5, belief);
		check_reason(&b, belief, cases[i].reason);
		close_bench(&b);
	}
}

static void test_redacted_key(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	fake_kernel_config(b.fake)->redact = true;
	work(&b, 0.5, belief);
	check_reason(&b, belief, "redacted-key");
	close_bench(&b);
}

static void test_direction_unknown(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.network.direction_unknown = true;
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.5, belief);
	check_reason(&b, belief, "direction-unknown");
	close_bench(&b);
}

static void test_shared_spi(void **state)
{
	struct fake_belief *one, *other;
	struct bench b;

	(void)state;
	open_bench(&b);
	one = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 11, .reqid = 2});
	work(&b, 0.5, one);
	check_reason(&b, one, "shared-spi");
	check_reason(&b, other, "shared-spi");
	close_bench(&b);
}

static void test_optional_template(void **state)
{
	struct fake_belief *belief;
	struct spd_template any = {.family = AF_INET, .protocol = IPPROTO_ESP};
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	b.manager->spd.optional = malloc(sizeof(any));
	assert_non_null(b.manager->spd.optional);
	b.manager->spd.optional[0] = any;
	b.manager->spd.n_optional = 1;
	work(&b, 0.5, belief);
	check_reason(&b, belief, "optional-template");
	close_bench(&b);
}

static void apply(struct bench *b, const char *text)
{
	struct config *config;

	assert_int_equal(config_parse("test", text, strlen(text), stderr, &config), 0);
	manager_apply_config(b->manager, config);
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

/* All carry traffic, each more than the one before it. */
static void work_all(struct bench *b, double seconds, struct fake_belief *const *beliefs, size_t n)
{
	double end;

	(void)sd_event_run(b->event, 0);
	end = manager_now(b->manager) + seconds;
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
	json_t *parameters = json_pack("{s:s}", "spi", spi), *reply = NULL, *said;
	const char *error = NULL;
	bool found = false;
	size_t i;

	assert_int_equal(method_explain(parameters, b->manager, &reply, &error), 0);
	assert_null(error);
	said = json_object_get(json_array_get(json_object_get(reply, "sas"), 0), "sentences");
	for (i = 0; i < json_array_size(said); i++)
		found = found || strcmp(json_string_value(json_array_get(said, i)), sentence) == 0;
	json_decref(reply);
	json_decref(parameters);
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
	/* From here on no group: nothing keeps the other one out. */
	apply(&b, rules);
	work_all(&b, 1.0, beliefs, 3);
	assert_int_equal(count_in_nic(&b, beliefs, 3), 3);
	assert_false(explains(&b, "0x1003", "It belongs to no group."));
	/* And a ceiling that comes back takes one out again. */
	apply(&b, NIC_OF_FOUR "}]\n"
			      "groups: [{name: branch, match: {reqid: 1}, ceiling: 1}]\n");
	work_all(&b, 1.0, beliefs, 3);
	assert_int_equal(count_in_nic(&b, beliefs, 2), 1);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
}

/* The first is the coldest of five: in one of the four slots for its group alone. */
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

static void link_down(struct bench *b)
{
	struct nic old = b->network.nic;

	b->network.nic.up = false;
	(void)fake_kernel_link_down(b->fake, NIC);
	manager_network_callbacks.link(&old, &b->network.nic, b->manager);
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
	link_down(&b);
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
	policy_table_get(b.manager->policy, manager_nic(b.manager, NIC)->out, &view);
	assert_int_equal(view.capacity, 1);
	assert_int_equal(fake_kernel_check(b.fake, 0, stderr), 0);
	close_bench(&b);
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
	assert_int_equal(manager_nic(b.manager, NIC)->candidacy, CANDIDACY_NIC_DISTRUSTED);
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_promotes),      cmocka_unit_test(test_hands_off),
		cmocka_unit_test(test_redacted_key),  cmocka_unit_test(test_direction_unknown),
		cmocka_unit_test(test_shared_spi),    cmocka_unit_test(test_optional_template),
		cmocka_unit_test(test_not_trusted),   cmocka_unit_test(test_link_down),
		cmocka_unit_test(test_evacuate),      cmocka_unit_test(test_capacity_is_learned),
		cmocka_unit_test(test_trust_is_lost), cmocka_unit_test(test_max_rate),
		cmocka_unit_test(test_group_ceiling), cmocka_unit_test(test_group_floor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
