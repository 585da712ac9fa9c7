// SPDX-License-Identifier: GPL-2.0-or-later
/* The SAs that are not moved, each with its reason. */
#include "manager-bench.h"

/* The program is linked with --wrap=calloc. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static bool no_large_array; /* large arrays of pointers fail */

void *__wrap_calloc(size_t n, size_t size)
{
	return no_large_array && n >= 1024 && size == sizeof(void *) ? NULL
								     : __real_calloc(n, size);
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
		{"packet-mode", {.ifindex = NIC, .packet = true}, 0},
		{"mode", {.mode = XFRM_MODE_ROUTEOPTIMIZATION}, 0},
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

/* The kernel keeps both directions of a tunnel in one chain, and expects SAs in packet offload
 * there before all others. The partner is added between two dumps, or right before a plan. */
static void test_packet_partner(void **state)
{
	struct fake_belief *belief, *packet, *other;
	struct bench b;

	(void)state;
	open_bench(&b);
	manager_set_paused(b.manager, true);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 10, .reqid = 2});
	work(&b, 0.51, belief);
	packet = add(&b, (struct fake_sa_spec){.spi = 0x1003,
					       .peer = 10,
					       .reqid = 1,
					       .inbound = true,
					       .ifindex = NIC,
					       .packet = true});
	manager_set_paused(b.manager, false);
	work(&b, 0.04, NULL);
	assert_int_equal(b.manager->sas->n, 3);
	check_reason(&b, belief, "packet-partner");
	work(&b, 0.5, belief);
	check_reason(&b, belief, "packet-partner");
	assert_int_equal(entry(&b, other)->hands_off, HANDS_OFF_NONE);
	check_reason(&b, packet, "packet-mode");

	assert_int_equal(fake_ike_delete(b.fake, packet), 0);
	work(&b, 10.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

static void test_optional_template(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 1, .optional = true});
	work(&b, 0.5, belief);
	check_reason(&b, belief, "optional-template");
	close_bench(&b);
}

/* The memory for partners is allocated at the start. */
static void test_packet_partner_without_memory(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	no_large_array = true;
	(void)add(&b,
		  (struct fake_sa_spec){
			  .spi = 0x1003, .peer = 10, .reqid = 1, .ifindex = NIC, .packet = true});
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	work(&b, 1.0, belief);
	no_large_array = false;
	check_reason(&b, belief, "packet-partner");
	close_bench(&b);
}

/* A policy that is added between the plan and the move, and lets packets pass in clear text while
 * the SA is absent. */
struct late_policy {
	struct fake_policy_spec spec;
	struct fake_belief *belief;
	bool added;
};

static void add_late(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	struct late_policy *late = userdata;

	(void)step;
	/* The guard exists, and the moves begin. */
	if (!late->added && moment == FAKE_AFTER_TRANSACT &&
	    fake_kernel_last_message(k) == XFRM_MSG_ALLOCSPI) {
		fake_kernel_add_policy(k, &late->spec);
		late->added = true;
	}
	if (moment == FAKE_BEFORE_TRANSACT && fake_kernel_last_message(k) == XFRM_MSG_ALLOCSPI)
		(void)fake_kernel_send(k, late->belief, 1, 100);
}

static void check_late_policy(struct fake_policy_spec spec)
{
	struct late_policy late = {.spec = spec};
	struct bench b;

	late.spec.optional = true;
	late.spec.reqid = 1;
	open_bench(&b);
	late.belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	fake_kernel_add_policy(
		b.fake, &(struct fake_policy_spec){.index = 1, .socket = true, .bypass = true});
	fake_kernel_set_hook(b.fake, add_late, &late);
	work(&b, 0.5, late.belief);
	assert_true(late.added);
	assert_int_equal(fake_kernel_clear_texts(b.fake), 0);
	check_reason(&b, late.belief, "optional-template");

	/* A deleted policy has no further effect. */
	fake_kernel_delete_policy(b.fake, late.spec.index);
	work(&b, 30.0, late.belief);
	assert_int_equal(fake_kernel_view(b.fake, late.belief).ifindex, NIC);
	close_bench(&b);
}

static void test_late_policy(void **state)
{
	(void)state;
	check_late_policy((struct fake_policy_spec){.index = 2});
	check_late_policy((struct fake_policy_spec){.index = 1, .socket = true});
	check_late_policy((struct fake_policy_spec){.index = 2, .socket = true});
}

/* Each exchange with the kernel takes 10 ms. */
static void pass_time(struct fake_kernel *k, enum fake_moment moment, unsigned step, void *userdata)
{
	(void)k;
	(void)step;
	if (moment == FAKE_BEFORE_TRANSACT)
		((struct bench *)userdata)->now += 0.01;
}

/* Reading policies takes at most a tenth of the time, and if they cannot be read there are no
 * moves. */
static void test_reading_policies(void **state)
{
	struct fake_policy_spec bypass = {.index = 1, .socket = true, .bypass = true};
	struct fake_policy_spec optional = {.index = 2, .socket = true, .optional = true};
	const struct fake_fault fault = {
		.kind = FAKE_FAULT_SEND, .type = XFRM_MSG_GETSPDINFO, .error = -ENOBUFS};
	void *rest[256];
	size_t n = 0;
	double read_at;
	struct manager *m;
	struct bench b;

	(void)state;
	open_bench(&b);
	m = b.manager;
	fake_kernel_set_hook(b.fake, pass_time, &b);
	fake_kernel_add_policy(b.fake, &optional);
	fake_kernel_delete_policy(b.fake, 2);
	fake_kernel_add_policy(b.fake, &bypass);
	tracker_refresh_policies(m->tracker);
	fake_kernel_add_policy(b.fake, &optional);
	tracker_refresh_policies(m->tracker);
	b.now += 0.08;
	tracker_refresh_policies(m->tracker);
	assert_int_equal(m->tracker->spd.n_optional, 0);
	b.now += 0.03;
	tracker_refresh_policies(m->tracker);
	assert_int_equal(m->tracker->spd.n_optional, 1);
	assert_false(m->tracker->stale);

	/* Their number is unknown. */
	fake_kernel_delete_policy(b.fake, 1);
	fake_kernel_delete_policy(b.fake, 2);
	fake_kernel_set_fault(b.fake, &fault);
	b.now += 1;
	tracker_refresh_policies(m->tracker);
	assert_int_equal(m->tracker->spd.n_optional, 0);
	assert_false(m->tracker->stale);

	/* There are none, so nothing is read. */
	read_at = m->tracker->policies_read_at;
	b.now += 1;
	tracker_refresh_policies(m->tracker);
	assert_true(m->tracker->policies_read_at == read_at);
	/* They cannot be counted. */
	while ((rest[n] = secret_alloc(b.arena, KERNEL_BATCH_SIZE)))
		assert_true(++n < ELEMENTSOF(rest));
	tracker_refresh_policies(m->tracker);
	assert_true(m->tracker->policies_read_at > read_at);
	while (n > 0)
		secret_free(b.arena, rest[--n]);

	b.now += 1;
	fake_kernel_kill(b.fake);
	tracker_refresh_policies(m->tracker);
	assert_true(m->tracker->stale);
	close_bench(&b);
}

/* The policy is added before the daemon starts, and only a dump shows it. */
static void test_socket_policy(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	fake_kernel_add_policy(b.fake,
			       &(struct fake_policy_spec){
				       .index = 1, .socket = true, .optional = true, .reqid = 1});
	b.manager->tracker->stale = true;
	work(&b, 0.5, belief);
	check_reason(&b, belief, "optional-template");
	close_bench(&b);
}

/* Too many attributes for one image in the arena: detected at the beginning of the move. */
static void test_too_large(void **state)
{
	static const uint8_t large[13 * 1024];
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	fake_kernel_plant(b.fake, belief, XFRMA_SEC_CTX, large, sizeof(large));
	work(&b, 0.5, belief);
	check_reason(&b, belief, "too-large");
	close_bench(&b);
}

/* No room in the arena at the beginning of the move: this is temporary, unlike an SA that is too
 * large. */
static void test_no_room(void **state)
{
	struct fake_belief *belief;
	static void *rest[8192 + 1];
	size_t n = 0;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	manager_set_paused(b.manager, true);
	work(&b, 0.5, belief);
	/* Blocks of the size of its image. */
	while ((rest[n] = secret_alloc(b.arena, 400)))
		n++;
	assert_true(n < ELEMENTSOF(rest));
	manager_set_paused(b.manager, false);
	work(&b, 0.3, belief);
	assert_true(b.manager->failed > 0);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);

	while (n > 0)
		secret_free(b.arena, rest[--n]);
	work(&b, 30.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

/* Detected at the beginning of the move, because GETSA does not show thresholds. */
static void test_event_thresholds(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	fake_kernel_config(b.fake)->aevent_etime = 50;
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	work(&b, 0.5, belief);
	check_reason(&b, belief, "event-thresholds");
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hands_off),
		cmocka_unit_test(test_redacted_key),
		cmocka_unit_test(test_direction_unknown),
		cmocka_unit_test(test_shared_spi),
		cmocka_unit_test(test_optional_template),
		cmocka_unit_test(test_event_thresholds),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_no_room),
		cmocka_unit_test(test_packet_partner_without_memory),
		cmocka_unit_test(test_packet_partner),
		cmocka_unit_test(test_late_policy),
		cmocka_unit_test(test_socket_policy),
		cmocka_unit_test(test_reading_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
