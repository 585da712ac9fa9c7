// SPDX-License-Identifier: GPL-2.0-or-later
/* A dump does not read the SAs whose messages are the same as before. Everything that a reading
 * would notice is noticed all the same, also if the event about it was lost. */
#include "manager-bench.h"
#include "sa/digest.h"
#include "xfrm/compat.h"

/* The program is linked with --wrap for this one. */
int __real_sa_facts_read(const struct nlmsghdr *message, struct sa_facts *ret_facts);
int __wrap_sa_facts_read(const struct nlmsghdr *message, struct sa_facts *ret_facts);

static unsigned readings;

int __wrap_sa_facts_read(const struct nlmsghdr *message, struct sa_facts *ret_facts)
{
	readings++;
	return __real_sa_facts_read(message, ret_facts);
}

/* The tick comes once a minute, so that only the test dumps. */
#define RARELY(more)                                                \
	"mode: enforce\ninterval: 60s\nmoves-per-second: 1000\n"    \
	"nics: [{match: {name: eth0}, allow: true, trusted: true, " \
	"capacity: 4}]\n" more

/* Returns how many SAs were read. */
static unsigned dump(struct bench *b)
{
	b->now += 1;
	readings = 0;
	assert_int_equal(manager_dump(b->manager), 0);
	check_sums(b);
	return readings;
}

/* With three idle SAs, the returned one in the middle. */
static struct fake_belief *open_idle(struct bench *b, struct fake_sa_spec spec)
{
	struct fake_belief *belief;

	open_bench_with(b, RARELY());
	(void)add(b, (struct fake_sa_spec){.spi = 0x1001, .peer = 11, .reqid = 11});
	spec.spi = 0x1002;
	spec.peer = 12;
	spec.reqid = 12;
	belief = add(b, spec);
	(void)add(b, (struct fake_sa_spec){.spi = 0x1003, .peer = 13, .reqid = 13});
	settle(b);
	(void)dump(b);
	assert_int_equal(dump(b), 0);
	assert_int_equal(b->manager->sas->n, 3);
	assert_int_equal(entry(b, belief)->hands_off, HANDS_OFF_NONE);
	return belief;
}

static void check_dump(struct bench *b, struct fake_belief *belief, unsigned read,
		       enum hands_off reason)
{
	assert_int_equal(dump(b), read);
	assert_int_equal(entry(b, belief)->hands_off, reason);
}

/* ---- What the message shows ---- */

static void test_message(void **state)
{
	static const uint32_t value = 64;
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	/* Limits: with the counters and sizes of before. */
	belief = open_idle(&b, (struct fake_sa_spec){.hard_seconds = 1000});
	assert_int_equal(fake_ike_update(b.fake, belief, 20, 0), 0);
	check_dump(&b, belief, 1, HANDS_OFF_NEAR_LIMIT);
	assert_int_equal(fake_ike_update(b.fake, belief, 1000, 0), 0);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	assert_int_equal(dump(&b), 0);
	close_bench(&b);

	belief = open_idle(&b, (struct fake_sa_spec){});
	fake_kernel_plant(b.fake, belief, 60, &value, sizeof(value));
	check_dump(&b, belief, 1, HANDS_OFF_UNKNOWN_ATTRIBUTE);
	/* It has no digest. */
	check_dump(&b, belief, 1, HANDS_OFF_UNKNOWN_ATTRIBUTE);
	close_bench(&b);

	/* A reason that is in the message does not have to be found again. */
	belief = open_idle(&b, (struct fake_sa_spec){});
	fake_kernel_plant(b.fake, belief, XFRMA_TFCPAD, &value, sizeof(value));
	check_dump(&b, belief, 1, HANDS_OFF_TFC);
	(void)dump(&b); /* its entry is a new one, and comes into the order of the dump again */
	check_dump(&b, belief, 0, HANDS_OFF_TFC);
	close_bench(&b);

	/* The key is not compared, but an SA is read when it carries something. */
	belief = open_idle(&b, (struct fake_sa_spec){});
	fake_kernel_config(b.fake)->redact = true;
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	assert_int_equal(fake_kernel_send(b.fake, belief, 1, 1000), 1);
	check_dump(&b, belief, 1, HANDS_OFF_REDACTED_KEY);
	close_bench(&b);

	/* Another SA, by the time when it was made. */
	belief = open_idle(&b, (struct fake_sa_spec){});
	fake_kernel_set_add_time(b.fake, belief, 4711);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	assert_int_equal(entry(&b, belief)->add_time, 4711);
	(void)dump(&b);
	assert_int_equal(dump(&b), 0);
	close_bench(&b);

	belief = open_idle(&b, (struct fake_sa_spec){.if_id = 1});
	assert_int_equal(fake_ike_change_if_id(b.fake, belief, 2), 0);
	assert_int_equal(dump(&b), 1);
	assert_int_equal(entry(&b, belief)->description.if_id, 2);
	(void)dump(&b);
	assert_int_equal(dump(&b), 0);
	close_bench(&b);
}

/* The counters, and what the policy gets of an idle SA. */
static void test_counters(void **state)
{
	struct policy_sa_view view;
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	for (unsigned i = 0; i < 10; i++)
		assert_int_equal(dump(&b), 0);
	assert_int_equal(fake_kernel_send(b.fake, belief, 3, 1000), 3);
	assert_int_equal(dump(&b), 1);
	assert_int_equal(entry(&b, belief)->packets, 3);
	assert_true(entry(&b, belief)->carried_at == b.now);
	/* In one second, not in the time since it was read. */
	policy_sa_get(b.manager->policy, entry(&b, belief)->handle, b.now, &view);
	assert_true(view.last_rate == fake_kernel_view(b.fake, belief).current.bytes);
	assert_int_equal(dump(&b), 0);
	policy_sa_get(b.manager->policy, entry(&b, belief)->handle, b.now, &view);
	assert_true(view.rate_known && view.last_rate == 0);
	assert_true(entry(&b, belief)->history != NULL);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(dump(&b), 0);
	assert_null(entry(&b, belief)->history);
	close_bench(&b);
}

/* ---- What it does not show ---- */

static void test_time(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){.soft_seconds = 100, .hard_seconds = 200});
	fake_kernel_advance(b.fake, 99);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	fake_kernel_advance(b.fake, 1);
	check_dump(&b, belief, 1, HANDS_OFF_SOFT_EXPIRED);
	close_bench(&b);

	belief = open_idle(&b, (struct fake_sa_spec){.hard_seconds = 200});
	fake_kernel_advance(b.fake, 169);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	fake_kernel_advance(b.fake, 1);
	check_dump(&b, belief, 1, HANDS_OFF_NEAR_LIMIT);
	/* It can end by a step of the clock. */
	fake_kernel_advance(b.fake, -1);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	close_bench(&b);
}

static void test_event(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	tell_event(&b, belief, XFRM_MSG_EXPIRE, false);
	check_dump(&b, belief, 1, HANDS_OFF_SOFT_EXPIRED);
	close_bench(&b);

	/* The SA is there all the same. */
	belief = open_idle(&b, (struct fake_sa_spec){});
	tell_event(&b, belief, XFRM_MSG_EXPIRE, true);
	assert_true(entry(&b, belief)->presence.deleted_by_other);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	assert_false(entry(&b, belief)->presence.deleted_by_other);
	entry(&b, belief)->presence.missing_since = b.now;
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	assert_true(entry(&b, belief)->presence.missing_since == 0);
	close_bench(&b);

	/* After a loss of events everything is read. */
	belief = open_idle(&b, (struct fake_sa_spec){});
	tracker_set_stale(b.manager->tracker);
	check_dump(&b, belief, 3, HANDS_OFF_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	close_bench(&b);
}

static void test_others(void **state)
{
	struct fake_belief *belief, *other;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1002, .peer = 14, .reqid = 14});
	check_dump(&b, belief, 2, HANDS_OFF_SHARED_SPI);
	check_dump(&b, belief, 2, HANDS_OFF_SHARED_SPI);
	assert_int_equal(fake_ike_delete(b.fake, other), 0);
	(void)dump(&b);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);

	other = add(&b, (struct fake_sa_spec){.spi = 0x1005,
					      .peer = 12,
					      .reqid = 12,
					      .inbound = true,
					      .ifindex = NIC,
					      .packet = true});
	check_dump(&b, belief, 2, HANDS_OFF_PACKET_PARTNER);
	check_dump(&b, belief, 2, HANDS_OFF_PACKET_PARTNER);
	assert_int_equal(fake_ike_delete(b.fake, other), 0);
	(void)dump(&b);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	close_bench(&b);
}

static void test_policies(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	fake_kernel_add_policy(
		b.fake, &(struct fake_policy_spec){.index = 1, .optional = true, .reqid = 12});
	(void)manager_read_events(b.manager);
	check_dump(&b, belief, 1, HANDS_OFF_OPTIONAL_TEMPLATE);
	fake_kernel_delete_policy(b.fake, 1);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	close_bench(&b);
}

static bool peer_is_local;

static bool address_is_local(struct network *network, uint16_t family,
			     const struct sa_address *address)
{
	static const uint8_t gateway[] = {10, 0, 255, 255};
	bool is_gateway = memcmp(address->bytes, gateway, sizeof(gateway)) == 0;

	(void)network;
	(void)family;
	return is_gateway != peer_is_local;
}

/* Of SAs whose direction the kernel does not show. */
static void test_addresses(void **state)
{
	struct network_ops ops = fake_network_ops;
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_OUT);
	ops.address_is_local = address_is_local;
	b.network.network.ops = &ops;
	peer_is_local = true;
	manager_network_callbacks.addresses(b.manager);
	settle(&b);
	check_dump(&b, belief, 3, HANDS_OFF_NONE);
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_IN);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	peer_is_local = false;
	close_bench(&b);

	/* An unknown direction is found by the next dump, whatever else prevents a move. */
	open_bench_with(&b, RARELY());
	b.network.direction_unknown = true;
	belief = add(&b, (struct fake_sa_spec){.peer = 12, .mode = XFRM_MODE_ROUTEOPTIMIZATION});
	settle(&b);
	check_dump(&b, belief, 1, HANDS_OFF_MODE);
	b.network.direction_unknown = false;
	check_dump(&b, belief, 1, HANDS_OFF_MODE);
	assert_int_equal(entry(&b, belief)->description.direction, SA_DIRECTION_OUT);
	close_bench(&b);
}

/* ---- In a NIC ---- */

static void test_in_nic(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	open_bench_with(&b, RARELY("rules: [{match: {reqid: 1}, offload: always}]\n"));
	belief = add(&b, (struct fake_sa_spec){.peer = 10, .reqid = 1});
	work(&b, 1, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, NIC);
	/* Each dump renews its shadow. */
	for (unsigned i = 0; i < 2; i++) {
		check_dump(&b, belief, 1, HANDS_OFF_NONE);
		assert_true(entry(&b, belief)->shadow->sampled_at == b.now);
	}
	/* It is read once after it moved. */
	assert_int_equal(manager_evacuate(b.manager, "eth0"), 0);
	work(&b, 1, NULL);
	assert_int_equal(fake_kernel_view(b.fake, belief).ifindex, 0);
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	assert_null(entry(&b, belief)->shadow);
	close_bench(&b);
}

/* A larval SA with the identity of an SA. */
static void test_larval(void **state)
{
	struct sa_id masked[TRACKER_MASKED_MAX];
	struct fake_belief *belief;
	struct sa_id id;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	id = fake_belief_id(belief);
	/* As if the dump had shown a larval SA before. */
	entry(&b, belief)->presence.masked = b.manager->tracker->generation + 1;
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	assert_int_equal(tracker_take_masked(b.manager->tracker, masked), 1);
	assert_memory_equal(&masked[0], &id, sizeof(id));
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	assert_int_equal(tracker_take_masked(b.manager->tracker, masked), 0);
	close_bench(&b);
}

/* Without memory it has no place in the policy; it gets one when there is memory again. */
static void test_handle(void **state)
{
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	policy_sa_remove(b.manager->policy, entry(&b, belief)->handle, b.now);
	entry(&b, belief)->handle = POLICY_NONE;
	check_dump(&b, belief, 1, HANDS_OFF_NONE);
	assert_int_not_equal(entry(&b, belief)->handle, POLICY_NONE);
	check_dump(&b, belief, 0, HANDS_OFF_NONE);
	close_bench(&b);
}

/* A move found a reason that the dump's message does not show, or another reason was removed. */
static void test_reason_of_move(void **state)
{
	static const struct {
		enum hands_off before, after;
		unsigned read;
	} cases[] = {
		{HANDS_OFF_TOO_LARGE, HANDS_OFF_TOO_LARGE, 0},
		{HANDS_OFF_THRESHOLDS, HANDS_OFF_THRESHOLDS, 1},
		{HANDS_OFF_DRIVER, HANDS_OFF_DRIVER, 0},
		{HANDS_OFF_FOREIGN, HANDS_OFF_NONE, 1},
		{HANDS_OFF_SHARED_SPI, HANDS_OFF_NONE, 1},
		{HANDS_OFF_PACKET_PARTNER, HANDS_OFF_NONE, 1},
		{HANDS_OFF_OPTIONAL_TEMPLATE, HANDS_OFF_NONE, 1},
		{HANDS_OFF_NEAR_LIMIT, HANDS_OFF_NONE, 1},
		{HANDS_OFF_SEQUENCE_SPACE, HANDS_OFF_NONE, 1},
	};
	struct fake_belief *belief;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		entry(&b, belief)->hands_off = cases[i].before;
		check_dump(&b, belief, cases[i].read, cases[i].after);
		entry(&b, belief)->hands_off = HANDS_OFF_NONE;
	}
	close_bench(&b);
}

/* ---- SAs that come and go ---- */

static void test_order(void **state)
{
	struct fake_belief *belief, *other;
	struct bench b;

	(void)state;
	belief = open_idle(&b, (struct fake_sa_spec){});
	other = add(&b, (struct fake_sa_spec){.spi = 0x1004, .peer = 14, .reqid = 14});
	settle(&b);
	(void)dump(&b);
	assert_int_equal(dump(&b), 0);
	assert_int_equal(fake_ike_delete(b.fake, belief), 0);
	assert_int_equal(dump(&b), 1 /* behind the missing one */);
	assert_null(entry(&b, belief));
	assert_non_null(entry(&b, other));
	assert_int_equal(dump(&b), 0);
	assert_int_equal(b.manager->sas->n, 3);
	close_bench(&b);
}

/* ---- The digest ---- */

static const struct hash_seed seed = {{1, 2}};

#define INFO NLMSG_HDRLEN
#define AUTH (NLMSG_HDRLEN + sizeof(struct xfrm_usersa_info))
#define AUTH_SIZE (NLA_HDRLEN + sizeof(struct xfrm_algo_auth) + 32)
#define CRYPT (AUTH + AUTH_SIZE)
#define CRYPT_SIZE (NLA_HDRLEN + sizeof(struct xfrm_algo) + 16)

/* An SA with two keys. Returns the size. */
static size_t make_message(uint8_t message[1024])
{
	struct nl_msg *m = nlmsg_alloc_simple(XFRM_MSG_NEWSA, 0);
	struct xfrm_usersa_info info = {.family = AF_INET, .id.proto = IPPROTO_ESP};
	static const uint8_t crypt[CRYPT_SIZE - NLA_HDRLEN], auth[AUTH_SIZE - NLA_HDRLEN];
	static const struct xfrm_encap_tmpl encap = {.encap_type = 2};
	static const uint8_t direction = XFRM_COMPAT_SA_DIR_IN;
	size_t size;

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &info, sizeof(info), NLMSG_ALIGNTO), 0);
	assert_int_equal(nla_put(m, XFRMA_ALG_AUTH_TRUNC, sizeof(auth), auth), 0);
	assert_int_equal(nla_put(m, XFRMA_ALG_CRYPT, sizeof(crypt), crypt), 0);
	assert_int_equal(nla_put(m, XFRMA_ENCAP, sizeof(encap), &encap), 0);
	assert_int_equal(nla_put(m, XFRM_COMPAT_SA_DIR, sizeof(direction), &direction), 0);
	size = nlmsg_hdr(m)->nlmsg_len;
	assert_true(size < 1024);
	memset(message, 0, 1024);
	memcpy(message, nlmsg_hdr(m), size);
	nlmsg_free(m);
	return size;
}

static uint32_t digest_of(const struct sa_digest_factors *factors, const uint8_t *message)
{
	return sa_digest(factors, (const struct nlmsghdr *)message);
}

static bool is_within(size_t at, size_t from, size_t to)
{
	return at >= from && at < to;
}

/* Whether the digest leaves this byte out: the netlink header but the size, most of the selector,
 * and algorithms. */
static bool is_left_out(size_t at)
{
	return is_within(at, sizeof(uint32_t), INFO + 48) ||
	       is_within(at, AUTH + NLA_HDRLEN, CRYPT) ||
	       is_within(at, CRYPT + NLA_HDRLEN, CRYPT + CRYPT_SIZE);
}

static void test_digest_bits(void **state)
{
	_Alignas(8) uint8_t message[1024];
	size_t size = make_message(message);
	struct sa_digest_factors factors;
	uint32_t digest;

	(void)state;
	assert_true(offsetof(struct xfrm_usersa_info, id) >= 48);
	sa_digest_init(&factors, &seed);
	digest = digest_of(&factors, message);
	assert_int_not_equal(digest, 0);
	for (size_t at = sizeof(uint32_t); at < size; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			message[at] ^= (uint8_t)(1 << bit);
			if (is_left_out(at))
				assert_int_equal(digest_of(&factors, message), digest);
			else
				assert_int_not_equal(digest_of(&factors, message), digest);
			message[at] ^= (uint8_t)(1 << bit);
		}
	assert_int_equal(digest_of(&factors, message), digest);
	/* Each time another one. */
	for (unsigned i = 0; i < 3; i++) {
		sa_digest_renew(&factors);
		assert_int_not_equal(digest_of(&factors, message), digest);
	}
	/* Other factors. */
	sa_digest_init(&factors, &(struct hash_seed){{1, 3}});
	assert_int_not_equal(digest_of(&factors, message), digest);
}

static void test_digest_size(void **state)
{
	_Alignas(8) uint8_t message[2048];
	struct nlmsghdr *header = (struct nlmsghdr *)message;
	struct nlattr *attribute = (struct nlattr *)(message + AUTH);
	struct sa_digest_factors factors;
	size_t size;

	(void)state;
	sa_digest_init(&factors, &seed);
	/* Cut anywhere but between two attributes, it has none. What follows is not read. */
	size = make_message(message);
	for (uint32_t n = NLMSG_HDRLEN; n <= size; n++) {
		uint8_t *cut = malloc(n);
		bool whole = n == AUTH || n == CRYPT || n == CRYPT + CRYPT_SIZE || n == size - 8 ||
			     n == size;

		assert_non_null(cut);
		header->nlmsg_len = n;
		memcpy(cut, message, n);
		assert_int_equal(digest_of(&factors, cut) != 0, whole);
		free(cut);
	}
	/* Shorter than its header, and of a type that is not known. */
	for (int n = 0; n < NLA_HDRLEN; n++) {
		attribute->nla_len = (uint16_t)n;
		assert_int_equal(digest_of(&factors, message), 0);
	}
	(void)make_message(message);
	attribute->nla_type = 60;
	assert_int_equal(digest_of(&factors, message), 0);

	/* As many words as there are factors for, and one more. */
	for (unsigned extra = 0; extra < 2; extra++) {
		memset(message, 0, sizeof(message));
		attribute->nla_type = XFRMA_REPLAY_ESN_VAL;
		attribute->nla_len =
			(uint16_t)(sizeof(uint32_t) * (SA_DIGEST_ATTRIBUTE_WORDS + extra));
		header->nlmsg_len = (uint32_t)AUTH + attribute->nla_len;
		assert_int_equal(digest_of(&factors, message) != 0, !extra);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),        cmocka_unit_test(test_counters),
		cmocka_unit_test(test_time),           cmocka_unit_test(test_event),
		cmocka_unit_test(test_others),         cmocka_unit_test(test_policies),
		cmocka_unit_test(test_addresses),      cmocka_unit_test(test_in_nic),
		cmocka_unit_test(test_larval),         cmocka_unit_test(test_handle),
		cmocka_unit_test(test_reason_of_move), cmocka_unit_test(test_order),
		cmocka_unit_test(test_digest_bits),    cmocka_unit_test(test_digest_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
