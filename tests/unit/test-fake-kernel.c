// SPDX-License-Identifier: GPL-2.0-or-later
/* The fake kernel answers requests as Linux does (the functions are named in tests/fake/). */
#include "fake-bench.h"
#include "xfrm/compat.h"

#include <errno.h>
#include <string.h>

/* Every shape comes back byte for byte, as in the kernel (xfrm_state_construct(),
 * copy_to_user_state_extra()). */
static void test_round_trip(void **state)
{
	static const struct fake_sa_spec specs[] = {
		{.spi = 1},
		{.spi = 2, .inbound = true, .window = 8, .sequence = 77},
		{.spi = 3, .inbound = true, .window = 128, .sequence = 5000},
		{.spi = 4, .esn = true, .sequence = UINT64_C(0x1fffffff0)},
		{.spi = 5, .esn = true, .inbound = true, .window = 64, .sequence = 1ull << 33},
		{.spi = 6, .cbc_sha256 = true, .transport = true, .encap = true},
		{.spi = 7, .family = AF_INET6, .mark = {7, 0xff}, .if_id = 9, .km_seq = 12},
		{.spi = 8, .direction = true, .esn = true, .hard_seconds = 3600},
		{.spi = 9, .direction = true, .inbound = true, .by_update = true},
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ELEMENTSOF(specs); i++) {
		struct fake_belief *belief = bench_install(b, &specs[i]);
		uint8_t before[sizeof(b->first)];
		uint32_t size;

		if (specs[i].mark.m != 0)
			continue; /* bench_add() names no mark */
		fake_kernel_advance(b->fake, 5);
		fake_kernel_set_last_used(b->fake, belief, 1);
		bench_get(b, belief);
		size = ((struct nlmsghdr *)b->first)->nlmsg_len;
		memcpy(before, b->first, size);
		bench_remake(b, belief, NULL, true);
		assert_int_equal(b->batch.answers[0].error, 0);
		fake_kernel_set_last_used(b->fake, belief, 1);
		bench_get(b, belief);
		assert_int_equal(((struct nlmsghdr *)b->first)->nlmsg_len, size);
		assert_memory_equal(b->first + NLMSG_HDRLEN, before + NLMSG_HDRLEN,
				    size - NLMSG_HDRLEN);
	}
	bench_assert_sound(b);
}

static void test_note_is_exact(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.sequence = 1000});
	const struct xfrm_replay_state *replay;
	struct xfrm_usersa_info info;

	assert_int_equal(fake_kernel_send(b->fake, belief, 3, 100), 3);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(bench_transact(b), 0);
	assert_true(b->own);
	replay = bench_payload(b, sizeof(struct xfrm_usersa_id), XFRMA_REPLAY_VAL);
	memcpy(&info, bench_payload(b, sizeof(struct xfrm_usersa_id), XFRMA_SA), sizeof(info));
	assert_int_equal(replay->oseq, 1003);
	assert_int_equal(info.curlft.packets, 3);
	assert_int_equal(info.curlft.bytes, 300);
	assert_non_null(bench_find(b, sizeof(struct xfrm_usersa_id), XFRMA_ALG_AEAD));
}

/* The software message after the offloading one is the fallback: it fails with EEXIST if the first
 * succeeded. */
static void test_fallback_batch(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};

	for (unsigned full = 0; full < 2; full++) {
		b->nic->capacity_in = full ? 0 : 4;
		bench_get(b, belief);
		kernel_batch_clear(&b->batch);
		bench_add(b, XFRM_MSG_DELSA, belief);
		bench_add_copy(b, XFRM_MSG_NEWSA, &offload, true);
		bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
		assert_int_equal(bench_transact(b), 0);
		assert_int_equal(b->batch.answers[0].error, 0);
		assert_int_equal(b->batch.answers[1].error, full ? -ENOSPC : 0);
		assert_int_equal(b->batch.answers[2].error, full ? 0 : -EEXIST);
		assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, full ? 0 : BENCH_NIC);
		bench_assert_sound(b);
	}
	assert_string_equal(b->batch.answers[1].text, "No space for SA in Tx table!");
}

static void test_larval_in_place(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.spi = 0x1234});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};
	struct fake_view view;

	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	bench_add_larval(b, 0x1234);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[1].error, 0);
	view = fake_kernel_view(b->fake, belief);
	assert_true(view.larval);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 2); /* missing, and a larval */

	/* An acquire is in progress: the packet is lost, and no ACQUIRE is sent. */
	assert_int_equal(fake_kernel_send(b->fake, belief, 2, 100), 0);
	assert_int_equal(fake_kernel_lost(b->fake), 2);
	assert_int_equal(fake_kernel_acquires(b->fake), 0);

	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_UPDSA, &offload, true);
	b->nic->capacity_in = 0;
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, -ENOSPC);
	assert_true(fake_kernel_view(b->fake, belief).larval);
	b->nic->capacity_in = 1;
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, BENCH_NIC);
	assert_int_equal(fake_kernel_count(b->fake, true), 0);
	bench_assert_sound(b);
}

static void test_larval_expires(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.spi = 0x1234});

	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	bench_add_larval(b, 0x1234);
	assert_int_equal(bench_transact(b), 0);
	fake_kernel_advance(b->fake, 29);
	assert_true(fake_kernel_view(b->fake, belief).larval);
	fake_kernel_advance(b->fake, 1);
	assert_false(fake_kernel_view(b->fake, belief).larval);
	/* The IKE daemon got a hard EXPIRE: it has closed the SA. */
	assert_int_equal(fake_ike_wrong_closures(b->fake), 1);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
	assert_int_equal(fake_kernel_check(b->fake, FAKE_CHECK_CLOSURES_MAY_HAPPEN, stderr), 0);
	b->n_messages = 0;
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), 0);
	assert_int_equal(b->types[b->n_messages - 1], XFRM_MSG_EXPIRE);
}

static void test_acquire_without_larval(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});

	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 3, 100), 0);
	assert_int_equal(fake_kernel_acquires(b->fake),
			 1); /* the larval SA prevents further ACQUIREs */
	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_NEWSA, NULL, true);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(fake_kernel_count(b->fake, true), 0); /* consumed by xfrm_state_add() */
	bench_assert_sound(b);
}

static void test_spi_uniqueness(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.spi = 5});

	(void)bench_install(b, &(struct fake_sa_spec){.spi = 5, .peer = 1});
	for (unsigned unique = 0; unique < 2; unique++) {
		fake_kernel_config(b->fake)->spi_unique_per_protocol = unique;
		bench_get(b, belief);
		kernel_batch_clear(&b->batch);
		bench_add(b, XFRM_MSG_DELSA, belief);
		bench_add_larval(b, 5);
		assert_int_equal(bench_transact(b), 0);
		assert_int_equal(b->batch.answers[1].error, unique ? -ENOENT : 0);
		/* The failed request leaves a larval SA without an SPI, which NEWSA replaces. */
		assert_int_equal(fake_kernel_count(b->fake, true), 1);
		kernel_batch_clear(&b->batch);
		bench_add_copy(b, unique ? XFRM_MSG_NEWSA : XFRM_MSG_UPDSA, NULL, true);
		assert_int_equal(bench_transact(b), 0);
		assert_int_equal(b->batch.answers[0].error, 0);
		bench_assert_sound(b);
	}
}

static void test_update_of_valid(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.encap = true});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};

	assert_int_equal(fake_kernel_send(b->fake, belief, 2, 100), 2);
	assert_int_equal(fake_ike_update(b->fake, belief, 1000, 4501), 0);
	bench_assert_sound(b); /* counters and sequence numbers are unchanged */
	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_UPDSA, &offload, true);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, 0); /* offload ignored */
	assert_int_equal(b->nic->used_out, 0);

	/* Kernels before 6.1.170 and 6.12.85 leak the slot. */
	fake_kernel_config(b->fake)->updsa_leaks_slot = true;
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->nic->used_out, 1);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
}

static void test_direction_rules(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief =
		bench_install(b, &(struct fake_sa_spec){.direction = true, .sequence = 4});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC, .flags = XFRM_OFFLOAD_INBOUND};

	bench_get(b, belief);
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	kernel_batch_attribute(&b->batch, XFRM_COMPAT_SA_DIR, &(uint8_t){2}, 1);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, -EINVAL);
	assert_string_equal(b->batch.answers[0].text, "Invalid attribute SA_DIR");
	bench_remake(b, belief, &offload, true);
	assert_int_equal(b->batch.answers[0].error, -EINVAL);
	assert_string_equal(b->batch.answers[0].text, "Mismatched SA and offload direction");

	/* A larval without the direction is not replaced by an SA with one. */
	kernel_batch_clear(&b->batch);
	{
		struct xfrm_userspi_info p = {.min = 0x1000, .max = 0x1000};

		memcpy(&p.info, bench_payload(b, sizeof(struct xfrm_usersa_id), XFRMA_SA),
		       sizeof(p.info));
		kernel_batch_add(&b->batch, XFRM_MSG_ALLOCSPI, 0, &p, sizeof(p));
	}
	bench_add_copy(b, XFRM_MSG_UPDSA, NULL, true);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(b->batch.answers[1].error, -ESRCH);
}

static void test_offload_answers(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.esn = true});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};

	b->nic->no_esn = true;
	bench_remake(b, belief, &offload, true);
	assert_int_equal(b->batch.answers[0].error, -EINVAL);
	b->nic->no_esn = false;
	b->nic->unsupported = true;
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, 0);
	b->nic->unsupported = false;
	b->nic->fail_adds = 1;
	b->nic->fail_error = -EBUSY;
	bench_remake(b, belief, &offload, true);
	assert_int_equal(b->batch.answers[0].error, -EBUSY);
	assert_string_equal(b->batch.answers[0].text, "Device failed to offload this state");

	/* With an unknown ifindex the SA goes into the NIC of the route; the check notices that. */
	fake_kernel_set_route(b->fake, BENCH_OTHER_NIC);
	kernel_batch_clear(&b->batch);
	offload.ifindex = 9999;
	bench_add_copy(b, XFRM_MSG_NEWSA, &offload, true);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).ifindex, BENCH_OTHER_NIC);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
}

static void test_late_slots(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};

	b->nic->capacity_in = 1;
	b->nic->late_free = true;
	bench_remake(b, belief, &offload, true);
	assert_int_equal(b->batch.answers[0].error, 0);
	bench_remake(b, belief, &offload, true);
	assert_int_equal(b->batch.answers[0].error, -ENOSPC);
	fake_kernel_gc(b->fake);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	bench_assert_sound(b);
}

static void test_link_down(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.ifindex = BENCH_NIC});

	b->n_messages = 0;
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), 0);
	b->n_messages = 0;
	b->nic->hw_esp_off = true;
	assert_int_equal(fake_kernel_link_down(b->fake, BENCH_NIC), 0);
	b->nic->hw_esp_off = false;
	assert_int_equal(fake_kernel_link_down(b->fake, BENCH_NIC), 1);
	assert_int_equal(kernel_receive_events(b->kernel, bench_take, b), 0);
	assert_int_equal(b->n_messages, 0);
	assert_false(fake_kernel_view(b->fake, belief).exists);
	assert_int_equal(fake_kernel_check(b->fake, 0, NULL), 1);
}

static void test_redaction(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.cbc_sha256 = true});
	const struct xfrm_algo_auth *auth;

	fake_kernel_config(b->fake)->redact = true;
	bench_get(b, belief);
	auth = bench_payload(b, sizeof(struct xfrm_usersa_info), XFRMA_ALG_AUTH_TRUNC);
	assert_int_equal(auth->alg_key_len, 256);
	assert_int_equal(auth->alg_key[0], 0);
	assert_non_null(bench_find(b, sizeof(struct xfrm_usersa_info), XFRMA_ALG_AUTH));
	/* Making an SA from that breaks the tunnel, and the check notices that. */
	bench_remake(b, belief, NULL, true);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_true(fake_kernel_check(b->fake, 0, NULL) > 0);
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 1), 0);
}

static void test_mark_shadows(void **state)
{
	struct bench *b = *state;
	struct fake_belief *marked = bench_install(
		b, &(struct fake_sa_spec){.mark = {.v = 5, .m = 0xff}, .sequence = 5});
	struct fake_belief *any = NULL;

	/* NEWSA of the SA that matches every mark is not refused because of the marked one (mark 0
	 * is not 5) ... */
	assert_int_equal(fake_ike_add(b->fake, &(struct fake_sa_spec){.sequence = 9}, &any), 0);
	/* ... and then requests for the marked SA find it: the newer one matches every mark. */
	assert_int_equal(fake_ike_delete(b->fake, marked), 0);
	assert_false(fake_kernel_view(b->fake, any).exists);
	assert_int_equal(fake_kernel_view(b->fake, marked).sequence_out, 5);
}

static void test_migrate_state(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief = bench_install(b, &(struct fake_sa_spec){.ifindex = BENCH_NIC});
	struct xfrm_user_offload offload = {.ifindex = BENCH_NIC};
	struct {
		struct xfrm_usersa_id id;
		xfrm_address_t daddr, saddr;
		struct xfrm_mark mark;
		struct xfrm_selector selector;
		uint32_t reqid, flags;
		uint16_t family, reserved;
	} p = {.id = bench_id(belief), .flags = 1, .family = AF_INET};
	struct xfrm_usersa_info info;

	_Static_assert(sizeof(p) == 132, "struct xfrm_user_migrate_state");
	assert_int_equal(fake_kernel_send(b->fake, belief, 7, 10), 7);
	bench_get(b, belief);
	memcpy(&info, NLMSG_DATA((struct nlmsghdr *)b->first), sizeof(info));
	p.daddr = info.id.daddr;
	p.saddr = info.saddr;
	p.selector = info.sel;
	for (enum fake_migrate_state s = FAKE_MIGRATE_ABSENT; s <= FAKE_MIGRATE_WORKS; s++) {
		fake_kernel_config(b->fake)->migrate_state = s;
		kernel_batch_clear(&b->batch);
		p.flags = 1;
		kernel_batch_add(&b->batch, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &p, sizeof(p));
		p.flags = 0;
		kernel_batch_add(&b->batch, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &p, sizeof(p));
		kernel_batch_attribute(&b->batch, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
		assert_int_equal(bench_transact(b), 0);
		assert_int_equal(b->batch.answers[0].error, s == FAKE_MIGRATE_ABSENT ? -EINVAL : 0);
		assert_int_equal(b->batch.answers[1].error, s == FAKE_MIGRATE_WORKS ? 0 : -EINVAL);
		assert_int_equal(fake_kernel_view(b->fake, belief).ifindex,
				 s == FAKE_MIGRATE_EVICT_ONLY ? 0 : BENCH_NIC);
		bench_assert_sound(b);
	}
	assert_int_equal(fake_kernel_send(b->fake, belief, 1, 10), 1);
	bench_assert_sound(b);
}

static void test_aevent(void **state)
{
	struct bench *b = *state;
	struct fake_belief *belief =
		bench_install(b, &(struct fake_sa_spec){.replay_threshold = 9});
	struct xfrm_aevent_id p = {.sa_id = bench_id(belief), .flags = XFRM_AE_RTHR | XFRM_AE_ETHR};
	struct xfrm_replay_state replay = {.oseq = 500};

	kernel_batch_add(&b->batch, XFRM_MSG_GETAE, 0, &p, sizeof(p));
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(*(const uint32_t *)bench_payload(b, sizeof(p), XFRMA_REPLAY_THRESH), 9);
	assert_int_equal(*(const uint32_t *)bench_payload(b, sizeof(p), XFRMA_ETIMER_THRESH), 10);
	assert_non_null(bench_payload(b, sizeof(p), XFRMA_LTIME_VAL));
	assert_null(bench_payload(b, sizeof(p), XFRMA_ALG_AEAD));

	kernel_batch_clear(&b->batch);
	kernel_batch_add(&b->batch, XFRM_MSG_NEWAE, 0, &p, sizeof(p));
	kernel_batch_attribute(&b->batch, XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	kernel_batch_add(&b->batch, XFRM_MSG_NEWAE, NLM_F_REPLACE, &p, sizeof(p));
	kernel_batch_attribute(&b->batch, XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, -EINVAL);
	assert_int_equal(b->batch.answers[1].error, 0);
	assert_int_equal(fake_kernel_view(b->fake, belief).sequence_out, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BENCH_TEST(test_round_trip),      BENCH_TEST(test_note_is_exact),
		BENCH_TEST(test_fallback_batch),  BENCH_TEST(test_larval_in_place),
		BENCH_TEST(test_larval_expires),  BENCH_TEST(test_acquire_without_larval),
		BENCH_TEST(test_spi_uniqueness),  BENCH_TEST(test_update_of_valid),
		BENCH_TEST(test_direction_rules), BENCH_TEST(test_offload_answers),
		BENCH_TEST(test_late_slots),      BENCH_TEST(test_link_down),
		BENCH_TEST(test_redaction),       BENCH_TEST(test_mark_shadows),
		BENCH_TEST(test_migrate_state),   BENCH_TEST(test_aevent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
