// SPDX-License-Identifier: GPL-2.0-or-later
/* What the IKE daemon of the fake kernel installs, and what it does. */
#include "fake-bench.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* A larval SA beside the SA expires: the IKE daemon closes an SA that works. */
static void test_expiry_beside_the_sa(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});
	struct fake_belief *other = bench_install(b, &(struct fake_sa_spec){.peer = 1});

	fake_kernel_config(b->fake)->templates_name_spi = true;
	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	fake_kernel_hold_lookup(b->fake, belief);
	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	fake_kernel_end_lookup(b->fake);
	fake_kernel_advance(b->fake, 30);
	assert_int_equal(fake_ike_wrong_closures(b->fake), 1);
	assert_false(fake_belief_alive(belief));
	assert_false(fake_kernel_view(b->fake, belief)
			     .exists); /* the IKE daemon closed and deleted it */
	assert_true(fake_belief_alive(other));
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_CLOSURES_MAY_HAPPEN, stderr), 0);
}

/* Closing an expired SA is correct. */
static void test_expiry(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.hard_seconds = 9});

	fake_kernel_advance(b->fake, 9);
	assert_false(fake_belief_alive(belief));
	assert_int_equal(fake_ike_wrong_closures(b->fake), 0);
	bench_assert_sound(b);
}

/* A request of the IKE daemon fails that would succeed without the daemon. */
static void test_failing_request(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	bench_add(b, XFRM_MSG_DELSA, belief);
	(void)kernel_transact(b->kernel, &b->batch, NULL, NULL);
	assert_int_equal(fake_ike_update(b->fake, belief, 100, 0), -ESRCH);
	assert_int_equal(fake_ike_errors(b->fake), 1);
	assert_string_equal(fake_ike_failure(b->fake), "an update of SA 0x1000: ESRCH");
	fake_ike_forget(b->fake, belief);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
}

static int update_sa(struct bench *b, struct fake_belief *belief,
		     const struct fake_new_place *place)
{
	int r = fake_ike_move_read(b->fake, belief);

	if (r >= 0)
		r = fake_ike_move_delete(b->fake, belief);
	return r < 0 ? r : fake_ike_move_make(b->fake, belief, place);
}

/* The offload is copied, to the NIC of the new address, and refused with ENCAP up to 6.10. */
static void test_update_sa(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.sequence = 70});
	struct fake_new_place place = {.peer = 5, .ifindex = BENCH_OTHER_NIC};
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};

	fake_kernel_config(b->fake)->encap_refused = true;
	assert_int_equal(fake_kernel_send(b->fake, belief, 3, 100), 3);
	assert_int_equal(update_sa(b, belief, &place), 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
	assert_int_equal(fake_kernel_view(b->fake, belief).sequence_out, 74);
	bench_assert_sound(b);

	bench_remake(b, belief, &offload, true);
	assert_int_equal(update_sa(b, belief, &place), 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, BENCH_OTHER_NIC);
	bench_assert_sound(b);
	fake_kernel_nic(b->fake, BENCH_OTHER_NIC)->untrusted = true;
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
	place.encap = true;
	assert_int_equal(update_sa(b, belief, &place), -EINVAL);
	assert_string_equal(fake_ike_failure(b->fake), "update_sa() of SA 0x1000, NEWSA: EINVAL");
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 2); /* and it is missing */
}

/* charon installs what it read. Packets between its reading and its DELSA count as its own fault;
 * reading a larval SA, or finding no SA, counts as the daemon's. */
static void test_update_sa_between(void **state)
{
	struct bench *b = *state;
	struct fake_new_place place = {.peer = 5};
	struct fake_belief *out = bench_install(b, &(struct fake_sa_spec){});
	struct fake_belief *in = bench_install(b, &(struct fake_sa_spec){.inbound = true});

	assert_int_equal(fake_ike_move_read(b->fake, out), 0);
	assert_int_equal(fake_ike_move_read(b->fake, in), 0);
	assert_int_equal(fake_kernel_send(b->fake, out, 3, 100), 3);
	assert_int_equal(fake_kernel_receive(b->fake, in, 9, 100), 0);
	assert_int_equal(fake_ike_move_delete(b->fake, out), 0);
	assert_int_equal(fake_ike_move_delete(b->fake, in), 0);
	assert_int_equal(fake_ike_move_make(b->fake, out, &place), 0);
	assert_int_equal(fake_ike_move_make(b->fake, in, &place), 0);
	assert_int_equal(fake_kernel_send(b->fake, out, 1, 100), 1);
	assert_int_equal(fake_kernel_receive(b->fake, in, 9, 100), 0);
	bench_assert_sound(b);

	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, out);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(fake_ike_move_read(b->fake, out), -ESRCH);
	assert_string_equal(fake_ike_failure(b->fake), "update_sa() of SA 0x1000, GETSA: ESRCH");
	bench_get(b, in);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, in);
	bench_add_larval(b, 0x1000);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(update_sa(b, in, &place), -EINVAL);
	assert_int_equal(fake_ike_errors(b->fake), 2);
}

/* A packet inside crypto is accepted by the deleted SA, and again by the new one. */
static void test_packet_inside_crypto(void **state)
{
	struct bench *b = *state;
	struct fake_belief *in =
		bench_install(b, &(struct fake_sa_spec){.inbound = true, .sequence = 10});

	/* Two at a time: the second is a replay when it leaves crypto. */
	assert_int_equal(fake_kernel_hold_packet(b->fake, in, 11, 100), 0);
	assert_int_equal(fake_kernel_hold_packet(b->fake, in, 12, 100), -EBUSY);
	assert_int_equal(fake_kernel_receive(b->fake, in, 11, 100), 0);
	assert_int_equal(fake_kernel_end_packet(b->fake), -EALREADY);
	assert_int_equal(fake_kernel_end_packet(b->fake), -ENOENT);

	assert_int_equal(fake_kernel_hold_packet(b->fake, in, 12, 100), 0);
	bench_remake(b, in, NULL, true);
	assert_int_equal(fake_kernel_end_packet(b->fake), 0);
	bench_assert_sound(b);
	assert_int_equal(fake_kernel_late_replays(b->fake, in), 0);
	assert_int_equal(fake_kernel_receive(b->fake, in, 12, 100), 0);
	assert_int_equal(fake_kernel_receive(b->fake, in, 12, 100), -EALREADY);
	assert_int_equal(fake_kernel_late_replays(b->fake, in), 1);
	bench_assert_sound(b);

	/* In the other order, and finished before the SA is deleted. */
	assert_int_equal(fake_kernel_hold_packet(b->fake, in, 13, 100), 0);
	bench_remake(b, in, NULL, true);
	assert_int_equal(fake_kernel_receive(b->fake, in, 13, 100), 0);
	assert_int_equal(fake_kernel_end_packet(b->fake), 0);
	assert_int_equal(fake_kernel_late_replays(b->fake, in), 2);
	assert_int_equal(fake_kernel_hold_packet(b->fake, in, 14, 100), 0);
	kernel_wait_for_lookups(b->kernel);
	bench_remake(b, in, NULL, true);
	assert_int_equal(fake_kernel_receive(b->fake, in, 14, 100), -EALREADY);
	bench_assert_sound(b);

	/* It leaves crypto at the end. */
	assert_int_equal(fake_kernel_hold_packet(b->fake, in, 15, 100), 0);
	assert_int_equal(fake_ike_delete(b->fake, in), 0);
}

/* Rare attributes survive DELSA and NEWSA, and the check notices if they do not. */
static void test_rare_attributes(void **state)
{
	static const struct fake_sa_spec specs[] = {
		{.spi = 1, .label = "one"},
		{.spi = 2, .direction = true, .cpu = 1},
		{.spi = 3, .direction = true, .encap = true, .nat_keepalive = 20},
		{.spi = 4, .coaddr = true, .mode = XFRM_MODE_BEET},
		{.spi = 5, .extra_flags = XFRM_SA_XFLAG_DONT_ENCAP_DSCP},
		{.spi = 6, .set_mark = {.v = 7, .m = 0xff}},
	};
	static const uint16_t types[] = {
		XFRMA_SEC_CTX, XFRM_COMPAT_SA_PCPU,  XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL,
		XFRMA_COADDR,  XFRMA_SA_EXTRA_FLAGS, XFRMA_SET_MARK};
	struct bench *b = *state;

	for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
		struct fake_belief *belief = bench_install(b, &specs[i]);

		bench_remake(b, belief, NULL, true);
		bench_assert_sound(b);
		bench_get(b, belief);
		assert_non_null(bench_find(b, sizeof(struct xfrm_usersa_info), types[i]));
		assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 1);
		assert_int_equal(fake_kernel_view(b->fake, belief).sequence_out, 1);
		assert_int_equal(fake_ike_delete(b->fake, belief), 0);
	}
	assert_int_equal(fake_ike_add(b->fake, &(struct fake_sa_spec){.nat_keepalive = 20},
				      &(struct fake_belief *){NULL}),
			 -EINVAL);
}

/* SAs with equal addresses and different labels: packets of a label use only the SA of their
 * label. */
static void test_labels(void **state)
{
	struct bench *b = *state;
	struct fake_belief *one = bench_install(b, &(struct fake_sa_spec){.spi = 1, .label = "a"});
	struct fake_belief *two = bench_install(b, &(struct fake_sa_spec){.spi = 2, .label = "b"});

	assert_int_equal(fake_kernel_send(b->fake, one, 2, 100), 2);
	assert_int_equal(fake_kernel_send(b->fake, two, 3, 100), 3);
	assert_int_equal(fake_kernel_view(b->fake, one).sequence_out, 2);
	assert_int_equal(fake_kernel_view(b->fake, two).sequence_out, 3);
	assert_int_equal(fake_ike_delete(b->fake, one), 0);
	assert_int_equal(fake_kernel_send(b->fake, one, 2, 100), 0);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
}

/* A CPU without its own SA uses the one for all CPUs, and the kernel sends an ACQUIRE for its
 * own. */
static void test_cpus(void **state)
{
	struct bench *b = *state;
	struct fake_belief *all =
		bench_install(b, &(struct fake_sa_spec){.spi = 1, .direction = true});
	struct fake_belief *second =
		bench_install(b, &(struct fake_sa_spec){.spi = 2, .direction = true, .cpu = 2});

	fake_kernel_config(b->fake)->cpu_acquire = true;
	assert_int_equal(fake_kernel_send(b->fake, second, 2, 100), 2);
	assert_int_equal(fake_kernel_view(b->fake, second).sequence_out, 2);
	assert_int_equal(fake_kernel_acquires(b->fake), 0);
	assert_int_equal(fake_kernel_send(b->fake, all, 1, 100), 1);
	assert_int_equal(fake_kernel_view(b->fake, all).sequence_out, 1);
	assert_int_equal(fake_kernel_acquires(b->fake), 1);
	/* While that is in progress, its packets have to wait; those of the other CPU do not. */
	assert_int_equal(fake_kernel_send(b->fake, all, 1, 100), 0);
	assert_int_equal(fake_kernel_send(b->fake, second, 1, 100), 1);
	assert_int_equal(fake_ike_delete(b->fake, second), 0);
	/* The larval SA is before the SA for all CPUs, and every CPU finds it. */
	assert_int_equal(fake_kernel_send(b->fake, second, 1, 100), 0);
	fake_kernel_advance(b->fake, 30);
	assert_int_equal(fake_kernel_send(b->fake, second, 1, 100), 1);
	assert_int_equal(fake_kernel_view(b->fake, all).sequence_out, 2);
	assert_int_equal(fake_kernel_acquires(b->fake), 2);
}

/* Several policies use one SA; one of them makes its protection optional. */
static void test_several_policies(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.reqid = 5});
	struct xfrm_user_tmpl template;

	fake_kernel_add_policy(b->fake,
			       &(struct fake_policy_spec){.index = 1, .reqid = 5, .spi = 0x1000});
	b->n_messages = 0;
	assert_int_equal(kernel_dump(b->kernel, XFRM_MSG_GETPOLICY, bench_take, b), 0);
	assert_int_equal(b->n_messages, 1);
	memcpy(&template, bench_payload(b, sizeof(struct xfrm_userpolicy_info), XFRMA_TMPL),
	       sizeof(template));
	assert_int_equal(ntohl(template.id.spi), 0x1000);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 0);
	assert_int_equal(fake_kernel_clear_texts(b->fake), 0);
	fake_kernel_add_policy(
		b->fake, &(struct fake_policy_spec){.index = 2, .reqid = 5, .optional = true});
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 100), 0);
	assert_int_equal(fake_kernel_clear_texts(b->fake), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_expiry_beside_the_sa),
		BENCH_TEST(test_expiry),
		BENCH_TEST(test_failing_request),
		BENCH_TEST(test_update_sa),
		BENCH_TEST(test_update_sa_between),
		BENCH_TEST(test_packet_inside_crypto),
		BENCH_TEST(test_rare_attributes),
		BENCH_TEST(test_labels),
		BENCH_TEST(test_cpus),
		BENCH_TEST(test_several_policies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
