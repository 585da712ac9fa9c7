// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A NIC whose driver frees late (mlx5): it still decrypts inbound packets for a deleted SA, and the
 * new SA in software cannot use them.
 */
#include "manager-bench.h"

#define RULES(more)                                                \
	"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n" \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 1}]\n" more

static void open_late(struct bench *b, const char *text)
{
	struct fake_nic *nic;

	open_bench_with(b, text);
	nic = fake_kernel_nic(b->fake, NIC);
	nic->late_free = nic->decrypts_late = true;
	nic->capacity_in = 33;
	snprintf(b->nics[0].driver, sizeof(b->nics[0].driver), "mlx5_core");
	manager_reconfigure(b->manager);
}

/* `n_one` and `n_other` packets every 20 ms. */
static void receive(struct bench *b, struct fake_belief *one, unsigned n_one,
		    struct fake_belief *other, unsigned n_other, double seconds)
{
	for (double end = b->now + seconds; b->now < end; work(b, 0.02, NULL)) {
		for (unsigned i = 0; i < n_one; i++)
			(void)fake_kernel_receive_next(b->fake, one, 1000);
		for (unsigned i = 0; i < n_other; i++)
			(void)fake_kernel_receive_next(b->fake, other, 1000);
	}
}

static struct fake_belief *add_inbound(struct bench *b, uint32_t spi)
{
	return add(b,
		   (struct fake_sa_spec){.spi = spi, .peer = spi, .reqid = spi, .inbound = true});
}

/* An SA that carries packets keeps its slot although another carries more; it leaves when it is
 * quiet. */
static void test_waits_until_quiet(void **state)
{
	struct fake_belief *one, *other;
	struct bench b;

	(void)state;
	open_late(&b, RULES(""));
	one = add_inbound(&b, 1);
	receive(&b, one, 5, one, 0, 1.0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, NIC);
	other = add_inbound(&b, 2);
	receive(&b, one, 5, other, 50, 20.0);
	assert_int_equal(fake_kernel_lost(b.fake), 0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, NIC);

	receive(&b, one, 0, other, 50, 20.0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, 0);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, NIC);
	assert_int_equal(fake_kernel_lost(b.fake), 0);
	close_bench(&b);
}

/* Evictions by the operator do not wait, and in other NICs no eviction waits. */
static void test_does_not_wait(void **state)
{
	struct fake_belief *one, *other;
	struct bench b;

	(void)state;
	open_late(&b, RULES(""));
	one = add_inbound(&b, 1);
	receive(&b, one, 5, one, 0, 1.0);
	apply(&b, RULES("rules: [{match: {reqid: 1}, offload: never}]"));
	receive(&b, one, 5, one, 0, 1.0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, 0);
	close_bench(&b);

	open_bench_with(&b, RULES(""));
	one = add_inbound(&b, 1);
	receive(&b, one, 5, one, 0, 1.0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, NIC);
	other = add_inbound(&b, 2);
	receive(&b, one, 5, other, 50, 20.0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, 0);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, NIC);
	close_bench(&b);
}

static void transmit(struct bench *b, struct fake_belief *one, unsigned n_one,
		     struct fake_belief *other, unsigned n_other, double seconds)
{
	for (double end = b->now + seconds; b->now < end; work(b, 0.02, NULL)) {
		(void)fake_kernel_send(b->fake, one, n_one, 1000);
		(void)fake_kernel_send(b->fake, other, n_other, 1000);
	}
}

/* A busy outbound SA keeps its slot if packets in the queue of the NIC name the slot, until it is
 * quiet. */
static void test_outbound(void **state)
{
	static const struct {
		const char *driver;
		bool waits;
	} cases[] = {
		{"ixgbe", true},      {"nfp", true},      {"mlx5_core", false},
		{"netdevsim", false}, {"unknown", false},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct fake_belief *one, *other;
		struct bench b;

		open_bench_with(&b, RULES(""));
		snprintf(b.nics[0].driver, sizeof(b.nics[0].driver), "%s", cases[i].driver);
		manager_reconfigure(b.manager);
		one = add(&b, (struct fake_sa_spec){.spi = 1, .peer = 1, .reqid = 1});
		transmit(&b, one, 5, one, 0, 1.0);
		assert_int_equal(fake_kernel_view(b.fake, one).ifindex, NIC);
		other = add(&b, (struct fake_sa_spec){.spi = 2, .peer = 2, .reqid = 2});
		transmit(&b, one, 5, other, 50, 20.0);
		assert_int_equal(fake_kernel_view(b.fake, one).ifindex == NIC, cases[i].waits);
		transmit(&b, one, 0, other, 50, 20.0);
		assert_int_equal(fake_kernel_view(b.fake, one).ifindex, 0);
		assert_int_equal(fake_kernel_view(b.fake, other).ifindex, NIC);
		close_bench(&b);
	}
}

/* Packets arrive between the SA's return to software and its read-back. */
static void receive_after_update(struct fake_kernel *k, enum fake_moment moment, unsigned step,
				 void *userdata)
{
	(void)step;
	if (moment == FAKE_AFTER_TRANSACT && fake_kernel_last_message(k) == XFRM_MSG_UPDSA)
		for (unsigned i = 0; i < 10; i++)
			(void)fake_kernel_receive_next(k, userdata, 1000);
}

static const struct placement_nic *nic_of(struct bench *b)
{
	return nics_get(b->manager->nics, NIC);
}

/* Broken packets right after an eviction, also if the SA soon returns to the NIC, do not count
 * against the NIC. */
static void test_no_fault_of_the_nic(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_late(&b, RULES(""));
	belief = add_inbound(&b, 1);
	receive(&b, belief, 5, belief, 0, 1.0);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	fake_kernel_restart_counts(b.fake);
	fake_kernel_set_hook(b.fake, receive_after_update, belief);
	apply(&b, RULES("rules: [{match: {reqid: 1}, offload: never}]"));
	work(&b, 0.1, NULL);
	fake_kernel_set_hook(b.fake, NULL, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_true(fake_kernel_lost(b.fake) >= 10);
	assert_int_equal(nic_of(&b)->trust.strikes, 0);

	apply(&b, RULES("rules: [{match: {reqid: 1}, offload: always}]"));
	work(&b, 2.0, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	receive(&b, belief, 5, belief, 0, 1.0);
	assert_int_equal(nic_of(&b)->trust.strikes, 0);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);

	/* Broken packets long after that do count. */
	fake_kernel_gc(b.fake);
	work(&b, 10.0, NULL);
	fake_kernel_add_integrity_failures(b.fake, belief, 10);
	work(&b, 0.3, NULL);
	assert_int_equal(nic_of(&b)->trust.strikes, 1);
	close_bench(&b);
}

#define ALWAYS_RULES RULES("rules: [{match: {reqid: 1}, offload: always}]")
#define NEVER_RULES RULES("rules: [{match: {reqid: 1}, offload: never}]")

/* Late effects from before the start are over; then the SA is added. */
static struct fake_belief *open_settled(struct bench *b)
{
	open_late(b, ALWAYS_RULES);
	work(b, 20.0, NULL);
	return add_inbound(b, 1);
}

/* The SA is in the NIC, and late packets do not count against the NIC. */
static void check_not_blamed(struct bench *b, struct fake_belief *belief)
{
	receive(b, belief, 5, belief, 0, 1.0);
	assert_true(fake_kernel_lost(b->fake) >= 10);
	assert_int_equal(nic_of(b)->trust.strikes, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, NIC);
}

/* The IKE daemon installs the SA again after it left the NIC: its entry is a new one. */
static void test_made_anew_after_it_left(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_settled(&b);
	work(&b, 1.0, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	apply(&b, NEVER_RULES);
	work(&b, 0.5, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	work(&b, 0.5, NULL);
	belief = add_inbound(&b, 1);
	apply(&b, ALWAYS_RULES);
	work(&b, 0.5, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	check_not_blamed(&b, belief);
	close_bench(&b);
}

/* ... or while it is in the NIC. */
static void test_made_anew_in_the_nic(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_settled(&b);
	work(&b, 1.0, NULL);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	fake_kernel_advance(b.fake, 1);
	belief = add_inbound(&b, 1);
	work(&b, 0.5, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	check_not_blamed(&b, belief);
	close_bench(&b);
}

static void update_in_gap(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			  void *userdata)
{
	(void)step;
	if (moment == FAKE_AFTER_TRANSACT && fake_kernel_messages(k, XFRM_MSG_DELSA) > 0) {
		fake_kernel_set_hook(k, NULL, NULL);
		assert_int_equal(fake_ike_update(k, userdata, 5000, 0), 0);
	}
}

/* A promotion that hits an SA of the IKE daemon moves it out of the NIC again. */
static void test_updated_within_promotion(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_settled(&b);
	fake_kernel_restart_counts(b.fake);
	fake_kernel_set_hook(b.fake, update_in_gap, belief);
	for (unsigned i = 0; i < 100 && fake_kernel_view(b.fake, belief).ifindex != NIC; i++)
		work(&b, 0.1, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	check_not_blamed(&b, belief);
	close_bench(&b);
}

static void move_after_update(struct fake_kernel *k, enum fake_moment moment, unsigned step,
			      void *userdata)
{
	const struct fake_new_place place = {.peer = 77, .ifindex = NIC};

	(void)step;
	if (moment == FAKE_AFTER_TRANSACT && fake_kernel_last_message(k) == XFRM_MSG_UPDSA) {
		fake_kernel_set_hook(k, NULL, NULL);
		assert_int_equal(fake_ike_move_read(k, userdata), 0);
		assert_int_equal(fake_ike_move_delete(k, userdata), 0);
		assert_int_equal(fake_ike_move_make(k, userdata, &place), 0);
	}
}

/* The IKE daemon copies the SA to a new address right after its promotion, and the copy is
 * owned. */
static void test_copied_after_promotion(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_settled(&b);
	fake_kernel_restart_counts(b.fake);
	fake_kernel_set_hook(b.fake, move_after_update, belief);
	tracker_read_changed(b.manager->tracker);
	while (manager_read_events(b.manager) > 0)
		;
	tracker_read_changed(b.manager->tracker);
	plan_moves(&b);
	make_moves(&b);
	assert_true(entry(&b, belief)->probation->from == b.now + 10);
	close_bench(&b);
}

/* The daemon does not know which SAs left the NIC before it started. */
static void test_left_before_the_start(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_settled(&b);
	work(&b, 1.0, NULL);
	apply(&b, NEVER_RULES);
	work(&b, 0.5, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	manager_free(b.manager);
	start_manager(&b, ALWAYS_RULES);
	work(&b, 0.5, NULL);
	check_not_blamed(&b, belief);
	close_bench(&b);
}

/* The slot of an SA that left is not free yet: the capacity is not corrected. */
static void test_slot_not_yet_free(void **state)
{
	struct fake_belief *one, *other;
	struct policy_table_view view;
	struct bench b;

	(void)state;
	open_late(&b, RULES(""));
	fake_kernel_nic(b.fake, NIC)->capacity_in = 1;
	one = add_inbound(&b, 1);
	receive(&b, one, 5, one, 0, 1.0);
	other = add_inbound(&b, 2);
	receive(&b, one, 0, other, 50, 9.0);
	assert_int_equal(fake_kernel_view(b.fake, one).ifindex, 0);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, 0);
	policy_table_get(b.manager->policy, nic_of(&b)->in, &view);
	assert_int_equal(view.capacity, 1);
	assert_true(b.manager->refused > 0);
	assert_int_equal(told(&b, "is full below its capacity"), 0);

	fake_kernel_gc(b.fake);
	receive(&b, one, 0, other, 50, 5.0);
	assert_int_equal(fake_kernel_view(b.fake, other).ifindex, NIC);
	close_bench(&b);
}

/* A refusal for another reason counts as a refusal. */
static void test_refused_soon_after(void **state)
{
	struct fake_belief *one, *other;
	struct policy_sa_view view;
	struct fake_nic *nic;
	struct bench b;

	(void)state;
	open_late(&b, RULES(""));
	nic = fake_kernel_nic(b.fake, NIC);
	one = add_inbound(&b, 1);
	receive(&b, one, 5, one, 0, 1.0);
	other = add_inbound(&b, 2);
	nic->fail_adds = 1;
	nic->fail_error = -EBUSY;
	for (unsigned i = 0; b.manager->refused == 0; i++) {
		assert_true(i < 1000);
		receive(&b, one, 0, other, 50, 0.02);
	}
	policy_sa_get(b.manager->policy, entry(&b, other)->handle, b.now, &view);
	assert_true(view.retry_in > 50);
	close_bench(&b);
}

struct deletion {
	struct fake_belief *belief;
	bool done;
};

static void delete_when_promoted(struct fake_kernel *k, enum fake_moment moment, unsigned step,
				 void *userdata)
{
	struct deletion *deletion = userdata;

	(void)step;
	if (deletion->done || moment != FAKE_BEFORE_TRANSACT ||
	    fake_kernel_last_message(k) != XFRM_MSG_UPDSA)
		return;
	deletion->done = true;
	(void)fake_ike_delete(k, deletion->belief);
}

/* ENOSPC below the capacity makes the table smaller, unless an SA left the NIC shortly before. An
 * accepted or refused SA does not count as one that left; an SA that was in the NIC for a moment
 * does. */
static void test_what_leaves_nothing_behind(void **state)
{
	enum { PROMOTED, REFUSED, GONE, _CASES };
	static const char many[] =
		"mode: enforce\ninterval: 100ms\nmoves-per-second: 1000\n"
		"nics: [{match: {name: eth0}, allow: true, trusted: true, capacity: 4}]\n";

	(void)state;
	for (unsigned i = 0; i < _CASES; i++) {
		struct deletion deletion = {.done = i != GONE};
		struct fake_belief *one, *other;
		struct fake_nic *nic;
		uint64_t refused;
		struct bench b;

		open_late(&b, many);
		pass(&b, 11.0); /* until then an SA may have left it before the start */
		nic = fake_kernel_nic(b.fake, NIC);
		nic->fail_adds = i == REFUSED;
		nic->fail_error = -EBUSY;
		one = deletion.belief = add_inbound(&b, 1);
		fake_kernel_set_hook(b.fake, delete_when_promoted, &deletion);
		for (unsigned n = 0; b.manager->promoted + b.manager->refused == 0 && n < 50; n++)
			receive(&b, one, deletion.done && i == GONE ? 0 : 50, one, 0, 0.02);
		assert_true(deletion.done);
		assert_int_equal(b.manager->promoted, i == PROMOTED);
		assert_int_equal(b.manager->refused, i == REFUSED);
		nic->capacity_in = i == PROMOTED;
		refused = b.manager->refused;
		other = add_inbound(&b, 2);
		for (unsigned n = 0; b.manager->refused == refused; n++) {
			assert_true(n < 100);
			receive(&b, other, 50, other, 0, 0.02);
		}
		assert_int_equal(told(&b, "is full below its capacity"), i != GONE);
		close_bench(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_waits_until_quiet),
		cmocka_unit_test(test_does_not_wait),
		cmocka_unit_test(test_outbound),
		cmocka_unit_test(test_no_fault_of_the_nic),
		cmocka_unit_test(test_made_anew_after_it_left),
		cmocka_unit_test(test_made_anew_in_the_nic),
		cmocka_unit_test(test_updated_within_promotion),
		cmocka_unit_test(test_copied_after_promotion),
		cmocka_unit_test(test_left_before_the_start),
		cmocka_unit_test(test_slot_not_yet_free),
		cmocka_unit_test(test_refused_soon_after),
		cmocka_unit_test(test_what_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
