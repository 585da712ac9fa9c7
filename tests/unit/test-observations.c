// SPDX-License-Identifier: GPL-2.0-or-later
/* What the daemon knows of each SA after a dump or an event, and what it passes to the policy. */
#include "manager-bench.h"
#include "xfrm/compat.h"

#include <math.h>

/* The program is linked with --wrap for this one. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

static size_t no_memory_for; /* elements of this size; 0: there is memory for all */

void *__wrap_calloc(size_t n, size_t size)
{
	return size == no_memory_for ? NULL : __real_calloc(n, size);
}

#define NIC_WITH(mode, more)                                        \
	"mode: " mode "\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth*}, allow: true, trusted: true, capacity: 4}]\n" more

/* Between two dumps. */
static const char *const rarely = "mode: enforce\ninterval: 60s\nmoves-per-second: 1000\n"
				  "nics: [{match: {name: eth0}, allow: true, trusted: true, "
				  "capacity: 4}]\n";

static struct policy_sa_view view_of(struct bench *b, struct fake_belief *belief)
{
	struct policy_sa_view view = {};

	assert_non_null(entry(b, belief));
	policy_sa_get(b->manager->policy, entry(b, belief)->handle, b->now, &view);
	return view;
}

/* ---- Successors ---- */

/* A new SA is a successor only if it has the same lineage as the SA before. */
static void test_successors(void **state)
{
	static const struct {
		struct fake_sa_spec spec;
		struct xfrm_mark mark; /* of the predecessor */
		bool succeeds;
	} cases[] = {
		{.spec = {.peer = 10, .reqid = 1}, .succeeds = true},
		{.spec = {.peer = 11, .reqid = 1}},
		{.spec = {.peer = 10, .reqid = 2}},
		{.spec = {.peer = 10, .reqid = 1, .if_id = 1}},
		{.spec = {.peer = 10, .reqid = 1, .mark = {.v = 1, .m = 1}}},
		{.spec = {.peer = 10, .reqid = 1, .mark = {.m = 2}}},
		{.spec = {.peer = 10, .reqid = 1, .mark = {.v = 1, .m = 3}},
		 .mark = {.v = 1, .m = 3},
		 .succeeds = true},
		{.spec = {.peer = 10, .reqid = 1, .mark = {.v = 2, .m = 3}},
		 .mark = {.v = 1, .m = 3}},
		{.spec = {.peer = 10, .reqid = 1, .direction = true}, .succeeds = true},
		{.spec = {.peer = 10, .reqid = 1, .direction = true, .cpu = 2}},
		{.spec = {.peer = 10, .reqid = 1, .label = "a:b:c:0"}},
		{.spec = {.peer = 10, .reqid = 1, .transport = true}},
	};

	(void)state;
	for (unsigned inbound = 0; inbound < 2; inbound++)
		for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
			struct fake_sa_spec spec = cases[i].spec;
			struct fake_belief *next;
			struct bench b;

			open_bench(&b);
			(void)promoted(&b, (struct fake_sa_spec){.inbound = inbound,
								 .spi = 0x1001,
								 .peer = 10,
								 .reqid = 1,
								 .mark = cases[i].mark});
			spec.inbound = inbound;
			spec.spi = 0x1002;
			next = add(&b, spec);
			pass(&b, 0.15);
			assert_int_equal(fake_kernel_view(b.fake, next).ifindex,
					 cases[i].succeeds ? NIC : 0);
			close_bench(&b);
		}
}

/* The same for family, protocol and direction, with facts alone: a successor is planned at once. */
static void test_kin(void **state)
{
	enum { SUCCESSOR, FAMILY, PROTOCOL, DIRECTION, _CASES };

	(void)state;
	for (unsigned i = 0; i < _CASES; i++) {
		struct sa_facts facts = {};
		struct fake_belief *belief;
		size_t n_actions;
		struct bench b;

		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		n_actions = count_actions(&b);
		facts.description = entry(&b, belief)->description;
		facts.shape = *entry(&b, belief)->shape;
		facts.add_time = entry(&b, belief)->add_time;
		facts.description.id.spi++;
		if (i == FAMILY)
			facts.description.id.family = AF_INET6;
		if (i == PROTOCOL)
			facts.description.id.protocol = IPPROTO_AH;
		if (i == DIRECTION)
			facts.description.direction = SA_DIRECTION_IN;
		tracker_handle_facts(b.manager->tracker, &facts);
		assert_int_equal(b.manager->sas->n, 2);
		plan_moves(&b);
		assert_int_equal(count_actions(&b), n_actions + (i == SUCCESSOR));
		close_bench(&b);
	}
}

/* ---- The same identity, another SA ---- */

static void check_description(struct bench *b, struct fake_belief *belief,
			      const struct fake_sa_spec *spec)
{
	const struct sa *sa = entry(b, belief);
	struct fake_view view = fake_kernel_view(b->fake, belief);

	assert_non_null(sa);
	assert_int_equal(sa->description.reqid, spec->reqid);
	assert_int_equal(sa->description.if_id, spec->if_id);
	assert_int_equal(sa->description.cpu, spec->cpu);
	assert_int_equal(sa->description.label != 0, spec->label != NULL);
	assert_int_equal(sa->description.mode,
			 spec->transport ? XFRM_MODE_TRANSPORT : XFRM_MODE_TUNNEL);
	assert_int_equal(sa->description.source.bytes[3], 1 + spec->peer);
	assert_int_equal(sa->shape->esn, spec->esn);
	assert_int_equal(sa->packets, view.current.packets);
	assert_int_equal(sa->bytes, view.current.bytes);
	assert_int_equal(sa->add_time, view.current.add_time);
}

static void test_replaced(void **state)
{
	static const struct fake_sa_spec specs[] = {
		{.peer = 10, .reqid = 1},
		{.peer = 11, .reqid = 1}, /* inbound: its source */
		{.peer = 10, .reqid = 2},
		{.peer = 10, .reqid = 1, .if_id = 3},
		{.peer = 10, .reqid = 1, .cpu = 4},
		{.peer = 10, .reqid = 1, .label = "a:b:c:0"},
		{.peer = 10, .reqid = 1, .transport = true},
		{.peer = 10, .reqid = 1, .esn = true},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
		struct fake_sa_spec spec = {
			.inbound = true, .peer = 10, .reqid = 1, .direction = true, .window = 64};
		struct fake_belief *belief;
		struct bench b;

		open_bench_with(&b, rarely);
		belief = add(&b, spec);
		settle(&b);
		check_description(&b, belief, &spec);
		assert_int_equal(fake_ike_delete(b.fake, belief), 0);
		spec = specs[i];
		spec.inbound = true;
		spec.direction = true;
		spec.window = 64;
		belief = add(&b, spec);
		assert_int_equal(fake_kernel_receive_next(b.fake, belief, 100), 0);
		settle(&b);
		assert_int_equal(b.manager->sas->n, 1);
		check_description(&b, belief, &spec);
		close_bench(&b);
	}
}

/* ---- Why SAs are not moved ---- */

/* Above a number of used outbound numbers an SA without ESN is not promoted; one in a NIC stays. */
static void test_sequence_space(void **state)
{
	static const struct {
		uint64_t sequence;
		bool esn, inbound;
		enum hands_off hands_off;
	} cases[] = {
		{.sequence = 0x90000000},
		{.sequence = 0xbfffffff},
		{.sequence = 0xc0000000, .hands_off = HANDS_OFF_SEQUENCE_SPACE},
		{.sequence = 0xc0000000, .esn = true},
	};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		open_bench_with(&b, rarely);
		belief = add(&b, (struct fake_sa_spec){.peer = 10,
						       .sequence = cases[i].sequence,
						       .esn = cases[i].esn,
						       .window = cases[i].esn ? 64 : 0});
		settle(&b);
		assert_int_equal(entry(&b, belief)->hands_off, cases[i].hands_off);
		close_bench(&b);
	}
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .sequence = 0xbffff000});
	work(&b, 2.0, belief);
	assert_true(fake_kernel_view(b.fake, belief).sequence_out > 0xc0000000);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);
}

/* An optional template of an outbound policy concerns only outbound SAs. */
static void test_optional_inbound(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 1, .optional = true});
	belief = promoted(&b, (struct fake_sa_spec){.inbound = true, .peer = 10, .reqid = 1});
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);
}

/* Known only from an event, and reported once; the policy leaves the SA where it is. */
static void test_soft_expired(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	tell_event(&b, belief, XFRM_MSG_EXPIRE, false);
	settle(&b);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_SOFT_EXPIRED);
	assert_false(entry(&b, belief)->presence.deleted_by_other);
	assert_int_equal(view_of(&b, belief).reason, POLICY_REASON_IMMOVABLE);
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	work(&b, 1.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

/* An SA that this driver would handle wrongly may be usable with another driver. */
static void test_driver(void **state)
{
	struct fake_belief *belief;
	struct bench b;
	double looked;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1, .encap = true});
	work(&b, 0.5, belief);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_DRIVER);
	assert_int_equal(told(&b, "promoted"), 0);
	assert_int_equal(told(&b, "Not touching SA"), 1);
	/* The state stays, without a new lookup at each sample. */
	looked = b.network.lookups;
	work(&b, 1.0, belief);
	assert_true(b.network.lookups == looked);
	/* Other reasons come first. */
	tell_event(&b, belief, XFRM_MSG_EXPIRE, false);
	settle(&b);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_SOFT_EXPIRED);
	close_bench(&b);

	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1, .encap = true});
	work(&b, 0.5, belief);
	strcpy(b.nics[0].driver, "another");
	manager_reconfigure(b.manager);
	work(&b, 1.0, belief);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);

	/* If the SA may not use the NIC anyway, that is the reason. */
	open_bench_with(&b, "mode: enforce\ninterval: 100ms\n"
			    "nics: [{match: {name: eth0}, allow: true, trusted: false}]\n");
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1, .encap = true});
	work(&b, 0.5, belief);
	check_reason(&b, belief, "nic-not-trusted");
	close_bench(&b);
}

/* A bond installs its SAs in the active NIC, so the driver of that NIC counts. */
static void test_driver_of_bond(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned fit = 0; fit < 2; fit++) {
		open_bench(&b);
		add_other_nic(&b);
		strcpy(b.nics[0].driver, "bonding");
		b.nics[0].is_bond = true;
		b.nics[0].bond_active_slave = OTHER_NIC;
		if (fit)
			strcpy(b.nics[1].driver, "another");
		manager_reconfigure(b.manager);
		belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1, .encap = true});
		work(&b, 0.5, belief);
		assert_int_equal(entry(&b, belief)->candidate.candidacy, CANDIDACY_OK);
		assert_int_equal(entry(&b, belief)->hands_off,
				 fit ? HANDS_OFF_NONE : HANDS_OFF_DRIVER);
		close_bench(&b);
	}
}

/* With rx-all, ixgbe does not drop packets that fail their integrity check. */
static void test_rx_all(void **state)
{
	struct fake_belief *in, *out;
	struct nic before, after;
	struct bench b;

	(void)state;
	open_bench(&b);
	strcpy(b.nics[0].driver, "ixgbe");
	manager_reconfigure(b.manager);
	before = after = b.nics[0];
	assert_false(nics_change_matters(b.manager->nics, &before, &after));
	after.rx_all = true;
	assert_true(nics_change_matters(b.manager->nics, &before, &after));
	in = add(&b, (struct fake_sa_spec){.spi = 1, .peer = 10, .reqid = 1, .inbound = true});
	out = add(&b, (struct fake_sa_spec){.spi = 2, .peer = 11, .reqid = 2});
	for (unsigned rx_all = 0; rx_all < 2; rx_all++) {
		b.nics[0].rx_all = rx_all;
		manager_reconfigure(b.manager);
		for (unsigned i = 0; i < 50; i++) {
			(void)fake_kernel_receive_next(b.fake, in, 1000);
			work(&b, 0.02, out);
		}
		assert_int_equal(fake_kernel_view(b.fake, in).ifindex, rx_all ? 0 : NIC);
		assert_int_equal(fake_kernel_view(b.fake, out).ifindex, NIC);
	}
	assert_int_equal(entry(&b, in)->hands_off, HANDS_OFF_DRIVER);
	close_bench(&b);
}

/* The device was removed, and the list of NICs is older. */
static void test_device_gone(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, NIC_WITH("enforce", ""));
	add_other_nic(&b);
	b.network.routed = OTHER_NIC;
	manager_reconfigure(b.manager);
	b.network.n = 1;
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	assert_int_equal(entry(&b, belief)->candidate.ifindex, OTHER_NIC);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);
}

/* The direction becomes known later, or stays known when the local address is removed. */
static void test_direction(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	b.network.direction_unknown = true;
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(&b, 0.5, belief);
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_UNKNOWN);
	b.network.direction_unknown = false;
	work(&b, 1.0, belief);
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_OUT);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	b.network.direction_unknown = true;
	work(&b, 1.0, belief);
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_OUT);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);

	/* The same in software, where the kernel reports no direction. */
	open_bench_with(&b, rarely);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	b.network.direction_unknown = true;
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_OUT);
	assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);
}

/* ---- What is passed to the policy ---- */

/* A rule without `weight` and `offload` changes nothing: same weight, and no pin. */
static void test_rules(void **state)
{
	struct fake_belief *with, *without, *idle;
	struct bench b;

	(void)state;
	open_bench_with(&b, NIC_WITH("enforce", "rules: [{match: {reqid: 1}, nic: eth0}]\n"));
	manager_set_paused(b.manager, true);
	with = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	without = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	idle = add(&b, (struct fake_sa_spec){.spi = 0x1003, .peer = 12, .reqid = 1});
	for (unsigned i = 0; i < 50; i++) {
		(void)fake_kernel_send(b.fake, with, 50, 1000);
		work(&b, 0.02, without);
	}
	assert_true(view_of(&b, with).cost > 0);
	assert_true(view_of(&b, with).cost == view_of(&b, without).cost);
	manager_set_paused(b.manager, false);
	pass(&b, 0.5);
	assert_int_equal(fake_kernel_view(b.fake, with).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, without).ifindex, NIC);
	assert_int_equal(fake_kernel_view(b.fake, idle).ifindex, 0);
	close_bench(&b);
}

/* An SA of the second of two groups. */
static void test_group(void **state)
{
	struct fake_belief *beliefs[2];
	struct bench b;

	(void)state;
	open_bench_with(&b,
			NIC_WITH("enforce", "groups: [{name: one, match: {reqid: 1}, ceiling: 2}, "
					    "{name: two, match: {reqid: 2}, ceiling: 1}]\n"));
	for (unsigned i = 0; i < 2; i++)
		beliefs[i] = add(
			&b, (struct fake_sa_spec){.spi = 0x1001 + i, .peer = 10 + i, .reqid = 2});
	for (unsigned i = 0; i < 50; i++) {
		(void)fake_kernel_send(b.fake, beliefs[0], 50, 1000);
		work(&b, 0.02, beliefs[1]);
	}
	assert_int_equal(b.manager->promoted, 1);
	close_bench(&b);
}

static uint32_t capacity_of(struct bench *b)
{
	struct policy_table_view view;

	policy_table_get(b->manager->policy, nics_get(b->manager->nics, NIC)->out, &view);
	return view.capacity;
}

/* An SA of another program in the NIC: the policy does not move it, and its slot is subtracted from
 * the capacity, from the next plan on. That plan comes before the next dump. */
static void test_foreign(void **state)
{
	struct fake_belief *foreign;
	double moved_at;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	assert_int_equal(capacity_of(&b), 4);
	foreign = add(&b,
		      (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1, .ifindex = NIC});
	pass(&b, 1.0);
	assert_int_equal(capacity_of(&b), 3);
	assert_int_equal(view_of(&b, foreign).reason, POLICY_REASON_IMMOVABLE);
	assert_false(view_of(&b, foreign).resident);
	assert_false(entry(&b, foreign)->virtually_resident);
	assert_int_equal(told(&b, "Not touching SA"), 1);
	/* Its entry does not change. */
	moved_at = entry(&b, foreign)->residence.since;
	b.now += 5;
	assert_int_equal(manager_dump(b.manager), 0);
	assert_true(entry(&b, foreign)->residence.since == moved_at);
	/* The kernel takes it out of the NIC: it is an SA like any other. */
	fake_ike_migrate(b.fake, foreign, 10);
	pass(&b, 1.0);
	assert_false(entry(&b, foreign)->residence.foreign);
	assert_int_equal(entry(&b, foreign)->residence.ifindex, 0);
	assert_int_equal(entry(&b, foreign)->hands_off, HANDS_OFF_NONE);
	assert_int_equal(capacity_of(&b), 4);
	close_bench(&b);

	open_bench_with(&b, rarely);
	foreign = add(&b,
		      (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1, .ifindex = NIC});
	pass(&b, 1.0);
	assert_int_equal(fake_ike_delete(b.fake, foreign), 0);
	pass(&b, 1.0);
	assert_int_equal(capacity_of(&b), 4);
	assert_int_equal(told(&b, "Not touching SA"), 1);
	close_bench(&b);
}

/* Another program puts a known SA into the NIC, in the second in which it was created. */
static void test_becomes_foreign(void **state)
{
	struct fake_sa_spec spec = {.spi = 0x1001, .peer = 10, .reqid = 1};
	struct fake_belief *belief;
	policy_sa handle;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	belief = add(&b, spec);
	pass(&b, 1.0);
	handle = entry(&b, belief)->handle;
	assert_int_equal(capacity_of(&b), 4);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	spec.ifindex = NIC;
	belief = add(&b, spec);
	pass(&b, 1.0);
	assert_int_equal(entry(&b, belief)->handle, handle);
	assert_true(entry(&b, belief)->residence.foreign);
	plan_moves(&b);
	assert_int_equal(capacity_of(&b), 3);
	close_bench(&b);
}

/* An SA with a hands-off reason is reported once; others are not. */
static void test_told(void **state)
{
	static const uint32_t value = 1;
	struct fake_belief *belief, *larval;
	struct sa_id id;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = add(&b, (struct fake_sa_spec){
				 .spi = 0x1001, .peer = 10, .reqid = 1, .set_mark = {7, 0xff}});
	pass(&b, 0.5);
	assert_int_equal(entry(&b, belief)->output_mark, 7);
	assert_int_equal(told(&b, "Not touching SA"), 0);
	larval = add(&b,
		     (struct fake_sa_spec){.inbound = true, .spi = 0x1002, .peer = 11, .reqid = 2});
	assert_int_equal(fake_ike_reserve(b.fake, larval, 0x2002), 0);
	pass(&b, 0.5);
	id = fake_belief_id(larval);
	id.spi = 0x2002;
	assert_non_null(sa_table_find(b.manager->sas, &id));
	assert_int_equal(sa_table_find(b.manager->sas, &id)->handle, POLICY_NONE);
	assert_int_equal(told(&b, "Not touching SA"), 0);
	/* A dump causes no further request, although there is a larval SA. */
	fake_kernel_restart_counts(b.fake);
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1003, .peer = 12, .reqid = 3});
	fake_kernel_plant(b.fake, belief, 60, &value, sizeof(value));
	pass(&b, 0.5);
	assert_int_equal(entry(&b, belief)->unknown_attribute, 60);
	assert_int_equal(told(&b, "Not touching SA"), 1);
	close_bench(&b);
}

/* ---- Events and dumps ---- */

/* Many changed SAs are all read, each once. */
static void test_many_events(void **state)
{
	static const unsigned counts[] = {1, 8, 11, 24, 150, 300};
	static struct fake_belief *beliefs[300];
	struct bench b;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(counts); i++) {
		open_bench_with(&b, rarely);
		fake_kernel_restart_counts(b.fake);
		for (unsigned n = 0; n < counts[i]; n++)
			beliefs[n] =
				add(&b, (struct fake_sa_spec){
						.spi = 0x1001 + n, .peer = 10 + n, .reqid = 1 + n});
		tracker_drain_events(b.manager->tracker);
		assert_int_equal(b.manager->tracker->changes.n, counts[i]);
		tracker_read_changed(b.manager->tracker);
		assert_int_equal(b.manager->tracker->changes.n, 0);
		assert_int_equal(fake_kernel_messages(b.fake, 0), counts[i]);
		assert_int_equal(b.manager->sas->n, counts[i]);
		for (unsigned n = 0; n < counts[i]; n++) {
			assert_non_null(entry(&b, beliefs[n]));
			assert_true(entry(&b, beliefs[n])->residence.since == b.now);
			(void)fake_ike_delete(b.fake, beliefs[n]);
		}
		settle(&b);
		assert_int_equal(b.manager->sas->n, 0);
		assert_false(b.manager->tracker->stale);
		close_bench(&b);
	}
}

/* More changed SAs than can be read one by one. */
static void test_too_many_events(void **state)
{
	struct sa_id id = {.spi = 1};
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	for (id.spi = 1; id.spi <= 4096; id.spi++) {
		tracker_note_changed(b.manager->tracker, &id);
		assert_false(b.manager->tracker->stale);
	}
	tracker_note_changed(b.manager->tracker, &id);
	assert_true(b.manager->tracker->stale);
	assert_int_equal(b.manager->tracker->changes.n, 4096);
	close_bench(&b);
}

/* Deleted without an event: one dump finds them all missing. */
static void test_missing(void **state)
{
	struct fake_belief *beliefs[20];
	struct bench b;

	(void)state;
	open_bench(&b);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(&b, (struct fake_sa_spec){
					     .spi = 0x1001 + i, .peer = 10 + i, .reqid = 1 + i});
	pass(&b, 0.5);
	assert_int_equal(b.manager->sas->n, ELEMENTSOF(beliefs));
	for (unsigned i = 0; i + 1 < ELEMENTSOF(beliefs); i++)
		assert_int_equal(fake_ike_delete(b.fake, beliefs[i]), 0);
	fake_kernel_overrun(b.fake);
	/* If there is no memory for the list, a later dump finds them. */
	no_memory_for = sizeof(struct sa_id);
	assert_int_equal(manager_dump(b.manager), 0);
	no_memory_for = 0;
	assert_int_equal(b.manager->sas->n, ELEMENTSOF(beliefs));
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(b.manager->sas->n, 1);
	close_bench(&b);
}

/* A negative answer of one batch must not be used for an SA at the same index of the next batch
 * that was not requested. */
static void test_not_asked_for(void **state)
{
	struct sa_id ids[KERNEL_BATCH_MESSAGES + 2];
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	settle(&b);
	for (uint32_t i = 0; i < ELEMENTSOF(ids); i++) {
		ids[i] = fake_belief_id(belief);
		if (i + 1 < ELEMENTSOF(ids))
			ids[i].spi = 0x2000 + i;
	}
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	tracker_read_again(b.manager->tracker, ids, ELEMENTSOF(ids) - 1);
	assert_non_null(entry(&b, belief));
	tracker_read_again(b.manager->tracker, ids, ELEMENTSOF(ids));
	assert_null(entry(&b, belief));
	close_bench(&b);
}

static int read_too_short(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct nlmsghdr message = {.nlmsg_len = sizeof(message), .nlmsg_type = XFRM_MSG_NEWSA};

	(void)kernel;
	return handler(&message, false, userdata);
}

/* A message that cannot be parsed gives no SA. */
static void test_unreadable(void **state)
{
	struct kernel_ops ops;
	struct kernel *kernel;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	kernel = b.manager->environment.kernel;
	ops = *kernel->ops;
	ops.dump_read = read_too_short;
	kernel->ops = &ops;
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(b.manager->sas->n, 0);
	close_bench(&b);
}

/* All SAs that a dump does not show are removed after it, whatever their number. */
static void test_very_many_missing(void **state)
{
	static struct fake_belief *beliefs[4096 + 2];
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	for (unsigned i = 0; i < ELEMENTSOF(beliefs); i++)
		beliefs[i] = add(
			&b, (struct fake_sa_spec){.spi = 0x1001 + i, .peer = 10 + i, .reqid = 1});
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(b.manager->sas->n, ELEMENTSOF(beliefs));
	for (unsigned i = 0; i + 1 < ELEMENTSOF(beliefs); i++)
		assert_int_equal(fake_ike_delete(b.fake, beliefs[i]), 0);
	fake_kernel_overrun(b.fake);
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(b.manager->sas->n, 1);
	close_bench(&b);
}

/* An SA in a NIC that the IKE daemon deletes, in any way, is not restored when the NIC goes down,
 * and its key is not kept. */
static void test_deleted(void **state)
{
	(void)state;
	for (unsigned way = 0; way < 4; way++) {
		struct fake_belief *belief;
		struct sa_id id;
		size_t in_use;
		uint64_t add_time;
		struct bench b;

		open_bench(&b);
		in_use = secret_arena_in_use(b.arena);
		belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
		id = fake_belief_id(belief);
		add_time = entry(&b, belief)->add_time;
		assert_true(ownership_contains(b.ownership, &id, NIC, add_time));
		if (way == 0)
			assert_int_equal(fake_ike_delete(b.fake, belief), 0);
		else if (way == 1)
			assert_int_equal(fake_ike_flush(b.fake), 0);
		else if (way == 2)
			assert_int_equal(fake_ike_expire(b.fake, belief), 0);
		else
			tell_event(&b, belief, XFRM_MSG_DELSA, false);
		if (way < 3)
			go_down(&b);
		pass(&b, 2.0);
		if (way < 3) {
			assert_null(entry(&b, belief));
			assert_int_equal(fake_kernel_count(b.fake, false), 0);
			assert_int_equal(secret_arena_in_use(b.arena), in_use);
			assert_false(ownership_contains(b.ownership, &id, NIC, add_time));
		} else {
			assert_false(entry(&b, belief)->presence.deleted_by_other);
		}
		assert_int_equal(b.manager->resyncs, way == 1);
		close_bench(&b);
	}
}

/* An SA read between two dumps: its counters, and the shadow from which it would be restored. The
 * time of the sample is that of the request, as in a dump. */
static void test_sampled(void **state)
{
	struct fake_belief *belief;
	struct sa_id id;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	b.now += 0.033;
	(void)fake_kernel_send(b.fake, belief, 3, 100);
	tell_event(&b, belief, XFRM_MSG_EXPIRE, false);
	settle(&b);
	assert_true(entry(&b, belief)->shadow->sampled_at == b.now);
	assert_true(entry(&b, belief)->carried_at == b.now);
	assert_int_equal(entry(&b, belief)->packets,
			 fake_kernel_view(b.fake, belief).current.packets);
	assert_int_equal(entry(&b, belief)->bytes, fake_kernel_view(b.fake, belief).current.bytes);
	b.now += 0.033;
	assert_int_equal(manager_dump(b.manager), 0);
	assert_true(entry(&b, belief)->shadow->sampled_at == b.now);
	b.now += 0.033;
	id = fake_belief_id(belief);
	tracker_read_again(b.manager->tracker, &id, 1);
	assert_true(entry(&b, belief)->shadow->sampled_at == b.now);
	close_bench(&b);
}

/* The NIC of an SA is looked up once, not with each sample. */
static void test_looked_at_once(void **state)
{
	struct fake_belief *belief, *other;
	unsigned lookups;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 11, .reqid = 2});
	work(&b, 0.5, belief);
	lookups = b.network.lookups;
	work(&b, 1.0, belief);
	assert_int_equal(b.network.lookups, lookups);
	assert_int_equal(entry(&b, other)->hands_off, HANDS_OFF_NONE);
	close_bench(&b);
}

/* The link message may be late each time that an SA is lost with its NIC. */
static void test_missing_twice(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	for (unsigned i = 0; i < 2; i++) {
		fall(&b);
		pass(&b, 0.5);
		/* Until the message comes, the SA is not read again. */
		fake_kernel_restart_counts(b.fake);
		assert_int_equal(manager_dump(b.manager), 0);
		assert_int_equal(fake_kernel_messages(b.fake, 0), 0);
		assert_non_null(entry(&b, belief));
		tell_link(&b, false);
		assert_true(fake_kernel_view(b.fake, belief).exists);
		tell_link(&b, true);
		work(&b, 10.0, belief);
		assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	}
	close_bench(&b);
}

/* A packet's larval SA is in the place of an SA that is gone. */
static void test_larval_in_place(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned dumped = 0; dumped < 2; dumped++) {
		open_bench_with(&b, rarely);
		fake_kernel_config(b.fake)->templates_name_spi = true;
		belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
		settle(&b);
		assert_int_equal(manager_dump(b.manager), 0);
		assert_int_equal(fake_ike_delete(b.fake, belief), 0);
		if (dumped)
			fake_kernel_overrun(b.fake);
		(void)fake_kernel_send(b.fake, belief, 1, 100);
		assert_true(fake_kernel_view(b.fake, belief).larval);
		if (dumped)
			assert_int_equal(manager_dump(b.manager), 0);
		else
			settle(&b);
		assert_int_equal(b.manager->tracker->n_masked, 0);
		assert_int_equal(entry(&b, belief)->hands_off, HANDS_OFF_LARVAL);
		assert_int_equal(entry(&b, belief)->handle, POLICY_NONE);
		close_bench(&b);
	}
}

/* Only a limited number of larval SAs of a dump is recorded. */
static void test_many_larvals(void **state)
{
	struct sa_facts facts = {.hands_off = HANDS_OFF_LARVAL};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	facts.description = entry(&b, belief)->description;
	b.manager->tracker->dumping = b.manager->tracker->reading_all = true;
	for (size_t i = 0; i < ELEMENTSOF(b.manager->tracker->masked) + 2; i++) {
		tracker_handle_facts(b.manager->tracker, &facts);
		assert_int_equal(b.manager->tracker->n_masked,
				 i < ELEMENTSOF(b.manager->tracker->masked)
					 ? i + 1
					 : ELEMENTSOF(b.manager->tracker->masked));
	}
	b.manager->tracker->dumping = b.manager->tracker->reading_all = false;
	close_bench(&b);
}

/* A dump shows the larval SA before the SA with its identity; a later GETSA does not show it any
 * more. */
static void test_larval_before(void **state)
{
	struct sa_facts facts = {}, larval;
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	facts.description = entry(&b, belief)->description;
	facts.shape = *entry(&b, belief)->shape;
	facts.add_time = entry(&b, belief)->add_time;
	larval = facts;
	larval.hands_off = HANDS_OFF_LARVAL;
	b.manager->tracker->generation++;
	b.manager->tracker->dumping = b.manager->tracker->reading_all = true;
	tracker_handle_facts(b.manager->tracker, &larval);
	assert_int_equal(b.manager->tracker->n_masked, 0);
	tracker_handle_facts(b.manager->tracker, &facts);
	assert_int_equal(b.manager->tracker->n_masked, 1);
	b.manager->tracker->dumping = b.manager->tracker->reading_all = false;
	tracker_handle_facts(b.manager->tracker, &facts);
	assert_int_equal(b.manager->tracker->n_masked, 1);
	/* The next one does not show it. */
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(b.manager->tracker->n_masked, 0);
	close_bench(&b);
}

/* The larval SA is in the place of an SA that was lost with its NIC before the link message. */
static void test_larval_of_missing(void **state)
{
	struct fake_belief *belief;
	double sampled_at;
	struct sa_id id;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	fake_kernel_config(b.fake)->templates_name_spi = true;
	fall(&b);
	(void)fake_kernel_send(b.fake, belief, 1, 100);
	assert_true(fake_kernel_view(b.fake, belief).larval);
	id = fake_belief_id(belief);
	assert_true(entry(&b, belief)->presence.missing_since == 0);
	sampled_at = entry(&b, belief)->shadow->sampled_at;
	b.now += 0.01;
	tracker_read_again(b.manager->tracker, &id, 1);
	assert_int_equal(entry(&b, belief)->residence.ifindex, NIC);
	assert_true(entry(&b, belief)->presence.missing_since == b.now);
	/* The shadow is not overwritten with the larval SA. */
	assert_true(entry(&b, belief)->shadow->sampled_at == sampled_at);
	close_bench(&b);
}

/* The first dump reads the policies, and so does a dump after lost events. */
static void test_policies(void **state)
{
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 1, .optional = true});
	manager_free(b.manager);
	start_manager(&b, rarely);
	assert_int_equal(b.manager->tracker->spd.n_optional, 1);
	assert_int_equal(b.manager->tracker->n_masked, 0);
	close_bench(&b);

	open_bench_with(&b, rarely);
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 1, .optional = true});
	fake_kernel_overrun(b.fake);
	settle(&b);
	assert_true(b.manager->tracker->stale);
	pass(&b, 0.2);
	assert_false(b.manager->tracker->stale);
	assert_int_equal(b.manager->tracker->spd.n_optional, 1);
	close_bench(&b);

	/* A policy that becomes optional. */
	open_bench_with(&b, rarely);
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 1});
	settle(&b);
	assert_int_equal(b.manager->tracker->spd.n_optional, 0);
	fake_kernel_add_policy(b.fake, &(struct fake_policy_spec){.index = 1, .optional = true});
	settle(&b);
	assert_int_equal(b.manager->tracker->spd.n_optional, 1);
	close_bench(&b);
}

static void tell_policy_expired(struct bench *b, uint32_t index)
{
	struct xfrm_user_polexpire expiry = {
		.pol.index = index, .pol.dir = XFRM_POLICY_OUT, .hard = true};
	struct nl_msg *message = nlmsg_alloc();

	assert_non_null(message);
	assert_non_null(nlmsg_put(message, 0, 0, XFRM_MSG_POLEXPIRE, 0, 0));
	assert_int_equal(nlmsg_append(message, &expiry, sizeof(expiry), NLMSG_ALIGNTO), 0);
	assert_int_equal(tracker_handle_event(nlmsg_hdr(message), false, b->manager->tracker), 0);
	nlmsg_free(message);
}

/* Policies in packet offload disappear with their NIC, unless they were deleted before. */
static void test_offloaded_policies(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		open_bench_with(&b, rarely);
		belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
		fake_kernel_add_policy(b.fake,
				       &(struct fake_policy_spec){.index = 1, .ifindex = NIC});
		settle(&b);
		assert_int_equal(b.manager->tracker->spd.n_offloaded, 1);
		if (way == 0)
			fake_kernel_delete_policy(b.fake, 1);
		else if (way == 1)
			tell_event(&b, belief, XFRM_MSG_FLUSHPOLICY, false);
		else
			tell_policy_expired(&b, 1);
		settle(&b);
		assert_int_equal(b.manager->tracker->spd.n_offloaded, 0);
		assert_false(b.manager->tracker->stale);
		assert_non_null(entry(&b, belief));
		/* After a flush the next dump shows the remaining SAs. */
		tell_event(&b, belief, XFRM_MSG_FLUSHSA, false);
		assert_true(b.manager->tracker->stale);
		assert_true(entry(&b, belief)->presence.deleted_by_other);
		close_bench(&b);
	}
}

/* If a tunnel moves, this holds at once for its other SAs, too. A move is a deletion and a new
 * copy; each alone is none. */
static void test_tunnel_moves(void **state)
{
	enum { MOVED, DELETED, MADE, _CASES };
	static const struct fake_new_place place = {.peer = 11};

	(void)state;
	for (unsigned i = 0; i < _CASES; i++) {
		struct fake_belief *belief, *other;
		struct bench b;

		open_bench_with(&b, rarely);
		manager_set_paused(b.manager, true);
		belief = add(&b, (struct fake_sa_spec){.spi = 0x1001, .peer = 10, .reqid = 1});
		other = add(&b, (struct fake_sa_spec){
					.inbound = true, .spi = 0x1002, .peer = 10, .reqid = 1});
		(void)fake_kernel_send(b.fake, belief, 10, 100);
		settle(&b);
		assert_int_equal(entry(&b, other)->candidate.candidacy, CANDIDACY_OK);
		assert_int_equal(fake_ike_move_read(b.fake, belief), 0);
		if (i != MADE)
			assert_int_equal(fake_ike_move_delete(b.fake, belief), 0);
		if (i != DELETED)
			assert_int_equal(fake_ike_move_make(b.fake, belief, &place), 0);
		settle(&b);
		assert_int_equal(entry(&b, other)->candidate.candidacy,
				 i == MOVED ? CANDIDACY_PEER_MOVES : CANDIDACY_OK);
		close_bench(&b);
	}
}

/* Events that are too short, or that this daemon caused, change nothing. */
static void test_events_without_news(void **state)
{
	struct nlmsghdr message = {.nlmsg_len = sizeof(message)};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	message.nlmsg_type = XFRM_MSG_NEWSA;
	assert_int_equal(tracker_handle_event(&message, false, b.manager->tracker), 0);
	assert_int_equal(b.manager->tracker->changes.n, 0);
	message.nlmsg_type = XFRM_MSG_MIGRATE;
	assert_int_equal(tracker_handle_event(&message, true, b.manager->tracker), 0);
	assert_false(b.manager->tracker->stale);
	assert_int_equal(tracker_handle_event(&message, false, b.manager->tracker), 0);
	assert_true(b.manager->tracker->stale);
	assert_int_equal(tracker_handle_event(&message, true, b.manager->tracker), 0);
	assert_true(b.manager->tracker->stale);
	assert_int_equal(b.manager->tracker->changes.n, 0);
	assert_non_null(entry(&b, belief));
	close_bench(&b);
}

/* The SAs cannot be read: the next tick tries again. */
static void test_no_kernel(void **state)
{
	struct fake_belief *belief;
	uint64_t generation;
	struct bench b;

	(void)state;
	for (unsigned stale = 0; stale < 2; stale++) {
		open_bench(&b);
		belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
		generation = b.manager->tracker->generation;
		fake_kernel_kill(b.fake);
		b.manager->tracker->stale = stale;
		assert_int_equal(manager_dump(b.manager), -ESHUTDOWN);
		assert_int_equal(b.manager->tracker->generation, generation + !stale);
		assert_non_null(entry(&b, belief));
		assert_false(b.manager->tracker->dumping);
		close_bench(&b);
	}
}

/* At most one sample per second, with any interval. */
static void test_history(void **state)
{
	struct fake_belief *belief;
	const struct sa *sa;
	uint64_t samples;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	samples = b.manager->samples;
	work(&b, 9.9, belief);
	assert_true(b.manager->samples >= samples + 9 && b.manager->samples <= samples + 10);
	sa = entry(&b, belief);
	for (uint64_t i = samples + 2; i <= b.manager->samples; i++)
		assert_true(fabs(sa_history_get(sa->history, i) / 2.5e6 - 1) < 0.2);
	close_bench(&b);
}

/* ---- SAs that are in a NIC when the daemon starts ---- */

static void test_found_in_nic(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	manager_free(b.manager);
	start_manager(&b, rules);
	assert_false(entry(&b, belief)->residence.foreign);
	assert_true(entry(&b, belief)->virtually_resident);
	assert_true(entry(&b, belief)->residence.since == b.now);
	assert_true(view_of(&b, belief).resident);
	assert_int_equal(entry(&b, belief)->candidate.candidacy, CANDIDACY_OK);
	work(&b, 1.0, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	assert_int_equal(told(&b, "Not touching SA"), 0);
	close_bench(&b);
}

/* The same SA after the kernel rewrote its time: the probation continues, and its place does not
 * change. */
static void test_same_state(void **state)
{
	struct fake_belief *belief;
	struct sa_probation probation;
	double moved_at;
	struct bench b;

	(void)state;
	open_bench(&b);
	belief = promoted(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	assert_non_null(entry(&b, belief)->probation);
	probation = *entry(&b, belief)->probation;
	moved_at = entry(&b, belief)->residence.since;
	assert_true(probation.until > 0);
	b.now += 0.05;
	fake_kernel_set_add_time(b.fake, belief, 12345);
	assert_int_equal(manager_dump(b.manager), 0);
	assert_int_equal(entry(&b, belief)->add_time, 12345);
	assert_memory_equal(entry(&b, belief)->probation, &probation, sizeof(probation));
	assert_true(entry(&b, belief)->residence.since == moved_at);
	assert_int_equal(entry(&b, belief)->packets,
			 fake_kernel_view(b.fake, belief).current.packets);
	/* It does not count as a copy of itself: its tunnel has not moved. */
	pass(&b, 0.05);
	assert_int_equal(entry(&b, belief)->candidate.candidacy, CANDIDACY_OK);
	assert_int_equal(told(&b, "made it anew from a copy"), 0);
	/* A new SA with its identity has its own probation and its own place. */
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 2});
	settle(&b);
	assert_null(entry(&b, belief)->probation);
	assert_true(entry(&b, belief)->residence.since == b.now);
	close_bench(&b);
}

/* ---- Without memory ---- */

/* The next dump adds the SA. */
static void test_no_memory_for_entry(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench(&b);
	no_memory_for = sizeof(struct sa);
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	settle(&b);
	assert_null(entry(&b, belief));
	no_memory_for = 0;
	work(&b, 0.5, belief);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	close_bench(&b);
}

/* No room in locked memory: nothing is read, and no entry is removed. */
static void test_no_room_to_read(void **state)
{
	struct fake_belief *belief;
	static void *rest[8192 + 1];
	struct sa_id id;
	size_t n = 0;
	struct bench b;

	(void)state;
	open_bench_with(&b, rarely);
	belief = add(&b, (struct fake_sa_spec){.peer = 10});
	settle(&b);
	id = fake_belief_id(belief);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	while ((rest[n] = secret_alloc(b.arena, 16384)))
		n++;
	tracker_read_again(b.manager->tracker, &id, 1);
	assert_non_null(entry(&b, belief));
	while (n > 0)
		secret_free(b.arena, rest[--n]);
	tracker_read_again(b.manager->tracker, &id, 1);
	assert_null(entry(&b, belief));
	close_bench(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_successors),
		cmocka_unit_test(test_kin),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_sequence_space),
		cmocka_unit_test(test_optional_inbound),
		cmocka_unit_test(test_soft_expired),
		cmocka_unit_test(test_driver),
		cmocka_unit_test(test_driver_of_bond),
		cmocka_unit_test(test_rx_all),
		cmocka_unit_test(test_device_gone),
		cmocka_unit_test(test_direction),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_foreign),
		cmocka_unit_test(test_becomes_foreign),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_many_events),
		cmocka_unit_test(test_too_many_events),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_not_asked_for),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_very_many_missing),
		cmocka_unit_test(test_deleted),
		cmocka_unit_test(test_sampled),
		cmocka_unit_test(test_looked_at_once),
		cmocka_unit_test(test_missing_twice),
		cmocka_unit_test(test_larval_in_place),
		cmocka_unit_test(test_many_larvals),
		cmocka_unit_test(test_larval_before),
		cmocka_unit_test(test_larval_of_missing),
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_offloaded_policies),
		cmocka_unit_test(test_tunnel_moves),
		cmocka_unit_test(test_events_without_news),
		cmocka_unit_test(test_no_kernel),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_found_in_nic),
		cmocka_unit_test(test_same_state),
		cmocka_unit_test(test_no_memory_for_entry),
		cmocka_unit_test(test_no_room_to_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
