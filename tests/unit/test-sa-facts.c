// SPDX-License-Identifier: GPL-2.0-or-later
/* The facts in an SA's message, and the reasons for hands off in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cleanup.h"
#include "sa/facts.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

static void free_message(struct nl_msg **message)
{
	nlmsg_free(*message);
}

/* An SA as GETSA shows it, with the changes of each case. */
struct sketch {
	uint8_t protocol; /* 0: ESP */
	uint32_t spi;     /* host order */
	uint8_t mode;
	bool keyless;
	uint8_t offload_flags;
	int ifindex;
};

static struct nl_msg *message_of(const struct sketch *s)
{
	struct nl_msg *message = nlmsg_alloc_simple(XFRM_MSG_NEWSA, 0);
	struct xfrm_usersa_info info = {
		.id = {.spi = htonl(s->spi), .proto = s->protocol ? s->protocol : IPPROTO_ESP},
		.family = AF_INET,
		.mode = s->mode,
	};
	struct xfrm_user_offload offload = {.ifindex = s->ifindex, .flags = s->offload_flags};
	_Alignas(struct xfrm_algo_aead) uint8_t aead[sizeof(struct xfrm_algo_aead) + 20] = {};
	struct xfrm_algo_aead *algorithm = (struct xfrm_algo_aead *)aead;

	assert_non_null(message);
	strcpy(algorithm->alg_name, "rfc4106(gcm(aes))");
	algorithm->alg_key_len = 160;
	algorithm->alg_icv_len = 128;
	algorithm->alg_key[0] = 1;
	assert_int_equal(nlmsg_append(message, &info, sizeof(info), NLMSG_ALIGNTO), 0);
	if (!s->keyless)
		assert_int_equal(nla_put(message, XFRMA_ALG_AEAD, sizeof(aead), aead), 0);
	if (s->ifindex)
		assert_int_equal(nla_put(message, XFRMA_OFFLOAD_DEV, sizeof(offload), &offload), 0);
	return message;
}

static void test_reasons(void **state)
{
	static const struct {
		struct sketch sketch;
		enum hands_off reason;
	} cases[] = {
		{{.spi = 0x1000}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .mode = XFRM_MODE_TUNNEL}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .mode = XFRM_MODE_BEET}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .ifindex = 3}, HANDS_OFF_NONE},
		{{.spi = 0x1000, .protocol = IPPROTO_AH}, HANDS_OFF_NOT_ESP},
		{{.spi = 0x1000, .protocol = IPPROTO_COMP, .keyless = true}, HANDS_OFF_NOT_ESP},
		{{.spi = 0x1000, .keyless = true}, HANDS_OFF_LARVAL},
		{{.spi = 0, .keyless = true}, HANDS_OFF_LARVAL},
		{{.spi = 0}, HANDS_OFF_SELECTOR},
		{{.spi = 0x1000, .mode = XFRM_MODE_ROUTEOPTIMIZATION}, HANDS_OFF_MODE},
		{{.spi = 0x1000, .mode = 5 /* XFRM_MODE_IPTFS, 6.14 */}, HANDS_OFF_MODE},
		{{.spi = 0x1000, .ifindex = 3, .offload_flags = XFRM_COMPAT_OFFLOAD_PACKET},
		 HANDS_OFF_PACKET_MODE},
	};

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		_cleanup_(free_message) struct nl_msg *message = message_of(&cases[i].sketch);
		struct sa_facts facts;

		assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
		assert_string_equal(hands_off_name(facts.hands_off),
				    hands_off_name(cases[i].reason));
	}
}

static void test_key_that_the_kernel_hides(void **state)
{
	_cleanup_(free_message) struct nl_msg *message =
		message_of(&(struct sketch){.spi = 0x1000});
	struct nlattr *aead = nlmsg_find_attr(nlmsg_hdr(message), sizeof(struct xfrm_usersa_info),
					      XFRMA_ALG_AEAD);
	struct sa_facts facts;

	(void)state;
	memset((uint8_t *)nla_data(aead) + sizeof(struct xfrm_algo_aead), 0, 20);
	assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_REDACTED_KEY);
}

/* ---- every attribute, and every limit, at its boundaries ---- */

struct attribute {
	uint16_t type;
	const void *data;
	size_t size;
};

static struct xfrm_usersa_info make_info(void)
{
	return (struct xfrm_usersa_info){
		.id = {.daddr.a4 = htonl(0xc0000201), .spi = htonl(0x1000), .proto = IPPROTO_ESP},
		.saddr.a4 = htonl(0xc0000202),
		.family = AF_INET,
		.mode = XFRM_MODE_TUNNEL,
	};
}

static int read_sa(uint16_t type, const void *fixed, size_t size,
		   const struct attribute *attributes, size_t n, struct sa_facts *ret_facts)
{
	_cleanup_(free_message) struct nl_msg *message = nlmsg_alloc_simple(type, 0);

	assert_non_null(message);
	assert_int_equal(nlmsg_append(message, (void *)fixed, size, NLMSG_ALIGNTO), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(nla_put(message, attributes[i].type, (int)attributes[i].size,
					 attributes[i].data),
				 0);
	memset(ret_facts, 0xee, sizeof(*ret_facts));
	return sa_facts_read(nlmsg_hdr(message), ret_facts);
}

/* An SA with one attribute; without algorithms it is larval, and most other reasons take precedence
 * over that. */
static struct sa_facts read_one(uint16_t type, const void *data, size_t size)
{
	struct xfrm_usersa_info info = make_info();
	struct attribute attribute = {type, data, size};
	struct sa_facts facts;

	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), &attribute, size > 0, &facts),
			 0);
	return facts;
}

#define KEY_BYTES 5
#define NAME_64 "0123456789012345678901234567890123456789012345678901234567890123"

/* The three kinds of algorithms begin with the same members: name, length of the key in bits. */
static void check_algorithm(uint16_t type, size_t fixed, size_t icv_offset, size_t name_offset)
{
	static const uint32_t lengths[] = {0, 1, 8, 33, 40};
	_Alignas(8) uint8_t data[256] = {};
	struct sa_facts facts;
	uint32_t icv = 96;

	for (size_t i = 0; i < ELEMENTSOF(lengths); i++) {
		size_t bytes = lengths[i] == 0 ? 0 : lengths[i] <= 8 ? 1 : KEY_BYTES;

		memset(data, 0, sizeof(data));
		memcpy(data, NAME_64, 64);
		memcpy(data + 64, &lengths[i], 4);
		if (icv_offset)
			memcpy(data + icv_offset, &icv, 4);

		/* A key of zeros is a hidden key, unless its length is zero. */
		facts = read_one(type, data, fixed + bytes);
		assert_int_equal(facts.hands_off,
				 bytes == 0 ? HANDS_OFF_NONE : HANDS_OFF_REDACTED_KEY);
		/* The name is terminated, even if the kernel's is not. */
		assert_int_equal(strlen((const char *)&facts.shape + name_offset),
				 SA_SHAPE_ALGORITHM_MAX - 1);
		assert_int_equal(facts.shape.icv_bits, icv_offset ? icv : 0);
		assert_int_equal(strlen(facts.shape.aead) + strlen(facts.shape.cipher) +
					 strlen(facts.shape.authenticator),
				 SA_SHAPE_ALGORITHM_MAX - 1);
		if (type != XFRMA_ALG_AUTH_TRUNC)
			assert_int_equal(facts.shape.key_bits, lengths[i]);
		if (bytes == 0)
			continue;
		/* A key that is not hidden: only its last byte is not zero. */
		data[fixed + bytes - 1] = 1;
		facts = read_one(type, data, fixed + bytes);
		assert_int_equal(facts.hands_off, HANDS_OFF_NONE);
		/* A key that is longer than its attribute. */
		data[fixed + bytes - 1] = bytes > 1 ? 0 : 1;
		data[fixed] = 1;
		facts = read_one(type, data, fixed + bytes - 1);
		assert_int_equal(facts.hands_off, HANDS_OFF_REDACTED_KEY);
		/* A byte after the key does not count. */
		data[fixed] = data[fixed + bytes - 1] = 0;
		data[fixed + bytes] = 1;
		facts = read_one(type, data, fixed + bytes + 1);
		assert_int_equal(facts.hands_off, HANDS_OFF_REDACTED_KEY);
	}
	/* A truncated algorithm counts as none. */
	facts = read_one(type, data, fixed - 1);
	assert_int_equal(facts.hands_off, HANDS_OFF_LARVAL);
	assert_int_equal(((const char *)&facts.shape)[name_offset], 0);
}

static void test_algorithms(void **state)
{
	(void)state;
	check_algorithm(XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead),
			offsetof(struct xfrm_algo_aead, alg_icv_len),
			offsetof(struct sa_shape, aead));
	check_algorithm(XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth),
			offsetof(struct xfrm_algo_auth, alg_trunc_len),
			offsetof(struct sa_shape, authenticator));
	check_algorithm(XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo), 0,
			offsetof(struct sa_shape, cipher));
}

static void test_names_of_one_letter(void **state)
{
	struct xfrm_algo cipher = {.alg_name = "c"};
	struct xfrm_algo_auth auth = {.alg_name = "a"};
	struct xfrm_algo_aead aead = {.alg_name = "b"};

	(void)state;
	assert_int_equal(read_one(XFRMA_ALG_CRYPT, &cipher, sizeof(cipher)).hands_off, 0);
	assert_int_equal(read_one(XFRMA_ALG_AUTH_TRUNC, &auth, sizeof(auth)).hands_off, 0);
	assert_int_equal(read_one(XFRMA_ALG_AEAD, &aead, sizeof(aead)).hands_off, 0);
}

static void test_replay(void **state)
{
	static const struct xfrm_replay_state replay = {.oseq = 5, .seq = 6, .bitmap = 7};
	static const struct xfrm_replay_state_esn esn = {
		.oseq = 0x10000001, .oseq_hi = 2, .seq = 0x20000003, .seq_hi = 4};
	struct sa_facts facts;

	(void)state;
	facts = read_one(XFRMA_REPLAY_VAL, &replay, sizeof(replay));
	assert_int_equal(facts.output_sequence, 5);
	facts = read_one(XFRMA_REPLAY_VAL, &replay, sizeof(replay) - 1);
	assert_int_equal(facts.output_sequence, 0);
	facts = read_one(XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn));
	assert_true(facts.output_sequence == UINT64_C(0x210000001));
	facts = read_one(XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn) - 1);
	assert_int_equal(facts.output_sequence, 0);
}

static void test_attributes(void **state)
{
	static const struct xfrm_mark mark = {.v = 3, .m = 7};
	static const struct xfrm_user_offload in = {.ifindex = 4, .flags = XFRM_OFFLOAD_INBOUND},
					      out = {.ifindex = 5, .flags = 0};
	static const uint32_t zero, one = 1, two = 2;
	static const uint8_t dir_in = XFRM_COMPAT_SA_DIR_IN, dir_out = XFRM_COMPAT_SA_DIR_OUT;
	static const struct xfrm_encap_tmpl encap;
	struct sa_facts facts;

	(void)state;
	facts = read_one(XFRMA_MARK, &mark, sizeof(mark));
	assert_int_equal(facts.description.id.mark_value, 3);
	assert_int_equal(facts.description.id.mark_mask, 7);
	assert_int_equal(facts.description.if_id, 0);
	assert_int_equal(read_one(XFRMA_MARK, &mark, 4).description.id.mark_value, 0);

	facts = read_one(XFRMA_IF_ID, &one, 4);
	assert_int_equal(facts.description.if_id, 1);
	assert_true(facts.shape.if_id);
	assert_int_equal(facts.output_mark, 0);
	assert_false(read_one(XFRMA_IF_ID, &zero, 4).shape.if_id);
	assert_int_equal(read_one(XFRMA_IF_ID, &one, 3).description.if_id, 0);

	facts = read_one(XFRMA_SET_MARK, &two, 4);
	assert_int_equal(facts.output_mark, 2);
	assert_false(facts.shape.encap);
	facts = read_one(XFRMA_ENCAP, &encap, sizeof(encap));
	assert_true(facts.shape.encap);
	assert_false(facts.shape.tfc);

	facts = read_one(XFRMA_TFCPAD, &one, 4);
	assert_true(facts.shape.tfc);
	assert_int_equal(facts.output_sequence, 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_LARVAL);
	assert_false(read_one(XFRMA_TFCPAD, &zero, 4).shape.tfc);

	facts = read_one(XFRMA_OFFLOAD_DEV, &in, sizeof(in));
	assert_int_equal(facts.offload_ifindex, 4);
	assert_int_equal(facts.offload_flags, XFRM_OFFLOAD_INBOUND);
	assert_int_equal(facts.description.direction, SA_DIRECTION_IN);
	assert_int_equal(facts.shape.direction, SA_DIRECTION_IN);
	facts = read_one(XFRMA_OFFLOAD_DEV, &out, sizeof(out));
	assert_int_equal(facts.offload_ifindex, 5);
	assert_int_equal(facts.description.direction, SA_DIRECTION_OUT);
	facts = read_one(XFRMA_OFFLOAD_DEV, &out, sizeof(out) - 1);
	assert_int_equal(facts.offload_ifindex, 0);
	assert_int_equal(facts.description.direction, SA_DIRECTION_UNKNOWN);

	assert_int_equal(read_one(XFRM_COMPAT_SA_DIR, &dir_in, 1).shape.direction, SA_DIRECTION_IN);
	assert_int_equal(read_one(XFRM_COMPAT_SA_DIR, &dir_out, 1).shape.direction,
			 SA_DIRECTION_OUT);
}

/* Each attribute changes its own facts, and no others. */
static void test_nothing_else(void **state)
{
	static const uint32_t words[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	static const struct {
		uint16_t type;
		size_t size;
		struct sa_facts facts;
	} cases[] = {
		{XFRMA_MARK, 8, {.description.id = {.mark_value = 1, .mark_mask = 2}}},
		{XFRMA_IF_ID, 4, {.description.if_id = 1, .shape.if_id = true}},
		{XFRM_COMPAT_SA_PCPU, 4, {.description.cpu = 2}},
		{XFRMA_SET_MARK, 4, {.output_mark = 1}},
		{XFRMA_ENCAP, 24, {.shape.encap = true}},
		{XFRMA_TFCPAD, 4, {.shape.tfc = true}},
		{XFRMA_REPLAY_VAL, 12, {.output_sequence = 1}},
		{XFRMA_REPLAY_ESN_VAL, 24, {.output_sequence = UINT64_C(4) << 32 | 2}},
		{XFRM_COMPAT_SA_DIR,
		 1,
		 {.description.direction = SA_DIRECTION_IN, .shape.direction = SA_DIRECTION_IN}},
		{XFRMA_OFFLOAD_DEV,
		 8,
		 {.offload_ifindex = 1,
		  .offload_flags = 2,
		  .description.direction = SA_DIRECTION_IN,
		  .shape.direction = SA_DIRECTION_IN}},
		{XFRMA_COADDR, 16, {}},
	};
	static const uint8_t labels[][8 + 4] = {
		{9, 9, 9, 9, 1, 2, 3, 4}, {8, 8, 8, 8, 1, 2, 3, 4}, {8, 8, 8, 8, 1, 2, 3, 4, 5}};
	static const uint8_t zero_hash[] = {0, 0, 0, 0, 0xcc, 0x24, 0x31, 0xc4};
	struct sa_facts facts;

	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct sa_facts expected = read_one(XFRMA_PAD, words, 0);
		const struct sa_facts *f = &cases[i].facts;

		facts = read_one(cases[i].type, words, cases[i].size);
		expected.description.id.mark_value = f->description.id.mark_value;
		expected.description.id.mark_mask = f->description.id.mark_mask;
		expected.description.if_id = f->description.if_id;
		expected.description.cpu = f->description.cpu;
		expected.description.direction = f->description.direction;
		expected.shape.direction = f->shape.direction;
		expected.shape.if_id = f->shape.if_id;
		expected.shape.encap = f->shape.encap;
		expected.shape.tfc = f->shape.tfc;
		expected.output_mark = f->output_mark;
		expected.output_sequence = f->output_sequence;
		expected.offload_ifindex = f->offload_ifindex;
		expected.offload_flags = f->offload_flags;
		assert_memory_equal(&facts, &expected, sizeof(facts));
	}

	/* A label is represented by its hash (FNV-1a), which is not 0; lengths are not part of
	 * it. */
	assert_int_equal(read_one(XFRMA_SEC_CTX, labels[0], 8).description.label, 0x5734a87d);
	assert_int_equal(read_one(XFRMA_SEC_CTX, labels[1], 8).description.label, 0x5734a87d);
	assert_int_not_equal(read_one(XFRMA_SEC_CTX, labels[2], 9).description.label, 0x5734a87d);
	assert_int_equal(read_one(XFRMA_SEC_CTX, zero_hash, 8).description.label, 1);
	assert_int_equal(read_one(XFRMA_SEC_CTX, labels[0], 4).description.label, 0);
	facts = read_one(XFRMA_SEC_CTX, labels[0], 8);
	assert_int_equal(facts.description.cpu, 0);
}

static const uint8_t zeros[sizeof(struct xfrm_usersa_info) + 8];

/* All attributes that a kernel may show, by type: types and sizes are user-space ABI. */
static const struct {
	uint16_t type;
	size_t size;
	bool variable;
} known[] = {
	{1, 68, true},  {2, 68, true}, {4, 24},        {6, 224},       {8, 8, true}, {10, 12},
	{14, 16},       {15, 8},       {18, 72, true}, {20, 72, true}, {21, 8},      {22, 4},
	{23, 24, true}, {24, 4},       {27, 0},        {28, 8},        {29, 4},      {30, 4},
	{31, 4},        {32, 4},       {33, 1},        {34, 4},        {35, 4},
};

/* An SA with an attribute of zeros and a key is moved or not. */
static void assert_known(uint16_t type, size_t size, bool is_known)
{
	const struct xfrm_usersa_info info = make_info();
	struct xfrm_algo_aead key = {.alg_name = "a"};
	struct attribute attributes[] = {{type, zeros, size}, {XFRMA_ALG_AEAD, &key, sizeof(key)}};
	struct sa_facts facts;

	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), attributes,
				 ELEMENTSOF(attributes), &facts),
			 0);
	assert_int_equal(facts.unknown_attribute, is_known ? 0 : type);
	assert_int_equal(facts.hands_off, is_known ? HANDS_OFF_NONE : HANDS_OFF_UNKNOWN_ATTRIBUTE);
}

static void test_known_attributes(void **state)
{
	uint16_t next = 0;

	(void)state;
	for (uint16_t type = 1; type < 64; type++) {
		bool is_known = next < ELEMENTSOF(known) && known[next].type == type;

		assert_known(type, is_known ? known[next].size : 8, is_known);
		next += is_known;
	}
}

static void test_sizes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ELEMENTSOF(known); i++) {
		if (known[i].size > 0)
			assert_known(known[i].type, known[i].size - 1, false);
		assert_known(known[i].type, known[i].size + 1, known[i].variable);
	}
}

/* A longer attribute is read too: the slot that the SA occupies is counted. */
static void test_longer_offload(void **state)
{
	const struct xfrm_user_offload offload[2] = {{.ifindex = 4}};
	struct sa_facts facts;

	(void)state;
	facts = read_one(XFRMA_OFFLOAD_DEV, offload, sizeof(offload));
	assert_int_equal(facts.unknown_attribute, XFRMA_OFFLOAD_DEV);
	assert_int_equal(facts.offload_ifindex, 4);
}

/* The end of an attribute of 8 bytes is missing. */
static void test_cut_message(void **state)
{
	_cleanup_(free_message) struct nl_msg *message =
		message_of(&(struct sketch){.spi = 0x1000});
	struct sa_facts facts;

	(void)state;
	assert_int_equal(nla_put_u32(message, XFRMA_IF_ID, 1), 0);
	assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_NONE);
	for (uint32_t left = 7; left > 0; left--) {
		nlmsg_hdr(message)->nlmsg_len--;
		assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
		assert_int_equal(facts.hands_off, HANDS_OFF_UNKNOWN_ATTRIBUTE);
		assert_int_equal(facts.unknown_attribute, 0);
	}
	nlmsg_hdr(message)->nlmsg_len--;
	assert_int_equal(sa_facts_read(nlmsg_hdr(message), &facts), 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_NONE);
}

static void test_info(void **state)
{
	static const struct xfrm_lifetime_cfg limits = {.hard_byte_limit = 11};
	struct xfrm_usersa_info info = make_info();
	struct xfrm_user_expire expire;
	struct sa_facts facts;
	struct xfrm_usersa_id id = {.spi = htonl(0x1000)};
	struct attribute whole = {XFRMA_SA, &info, sizeof(info)};
	struct attribute deletion[] = {whole, {XFRMA_IF_ID, &info.reqid, 4}};

	(void)state;
	info.flags = XFRM_STATE_ESN;
	info.reqid = 9;
	info.mode = XFRM_MODE_BEET;
	info.lft = limits;
	info.curlft = (struct xfrm_lifetime_cur){1, 2, 3, 4};
	info.stats = (struct xfrm_stats){.replay = 5, .integrity_failed = 6};
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), NULL, 0, &facts), 0);
	assert_int_equal(facts.description.id.spi, 0x1000);
	assert_int_equal(facts.description.id.family, AF_INET);
	assert_int_equal(facts.description.id.protocol, IPPROTO_ESP);
	assert_memory_equal(facts.description.id.destination.bytes, &info.id.daddr, 4);
	assert_memory_equal(facts.description.source.bytes, &info.saddr, 4);
	assert_int_equal(facts.description.reqid, 9);
	assert_int_equal(facts.description.mode, XFRM_MODE_BEET);
	assert_int_equal(facts.shape.family, AF_INET);
	assert_int_equal(facts.shape.protocol, IPPROTO_ESP);
	assert_int_equal(facts.shape.mode, XFRM_MODE_BEET);
	assert_true(facts.shape.esn);
	assert_int_equal(facts.bytes, 1);
	assert_int_equal(facts.packets, 2);
	assert_int_equal(facts.add_time, 3);
	assert_int_equal(facts.use_time, 4);
	assert_int_equal(facts.limits.hard_byte_limit, 11);
	assert_int_equal(facts.replayed, 5);
	assert_int_equal(facts.integrity_failures, 6);

	/* A notification of its deletion, and of its expiry. */
	assert_int_equal(read_sa(XFRM_MSG_DELSA, &id, sizeof(id), deletion, 2, &facts), 0);
	assert_int_equal(facts.description.reqid, 9);
	assert_int_equal(facts.description.if_id, 9);
	assert_int_equal(facts.unknown_attribute, 0);
	assert_int_equal(read_sa(XFRM_MSG_DELSA, &id, sizeof(id), NULL, 0, &facts), -EBADMSG);
	memset(&expire, 0, sizeof(expire));
	expire.state = info;
	whole = (struct attribute){XFRMA_IF_ID, &info.reqid, 4};
	assert_int_equal(read_sa(XFRM_MSG_EXPIRE, &expire, sizeof(expire), &whole, 1, &facts), 0);
	assert_int_equal(facts.description.if_id, 9);
	assert_int_equal(facts.unknown_attribute, 0);

	/* Not an SA, or of a family that has no ESP. */
	assert_int_equal(read_sa(XFRM_MSG_NEWPOLICY, &info, sizeof(info), NULL, 0, &facts),
			 -EBADMSG);
	info.family = AF_UNIX;
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), NULL, 0, &facts), -EBADMSG);
	info.family = AF_INET6;
	memset(&info.id.daddr, 0x77, sizeof(info.id.daddr));
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), NULL, 0, &facts), 0);
	assert_memory_equal(facts.description.id.destination.bytes, &info.id.daddr, 16);
	/* The rest of an IPv4 address is not copied. */
	info.family = AF_INET;
	info.flags = XFRM_STATE_AF_UNSPEC;
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), NULL, 0, &facts), 0);
	for (size_t i = 0; i < 16; i++)
		assert_int_equal(facts.description.id.destination.bytes[i], i < 4 ? 0x77 : 0);
	assert_false(facts.shape.esn);
}

/* Without their data the kernel's attributes mean something else. */
static void test_empty_attributes(void **state)
{
	const struct xfrm_usersa_info info = make_info();
	const struct attribute attributes[] = {{XFRMA_ENCAP, NULL, 0}, {XFRMA_SEC_CTX, NULL, 0}};
	struct sa_facts facts;

	(void)state;
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), attributes,
				 ELEMENTSOF(attributes), &facts),
			 0);
	assert_int_equal(facts.unknown_attribute, XFRMA_SEC_CTX);
	assert_false(facts.shape.encap);
	assert_int_equal(facts.description.label, 0);
}

static void test_padding(void **state)
{
	const struct xfrm_usersa_info info = make_info();
	static const uint32_t value = 1;
	struct xfrm_algo_aead key = {.alg_name = "a"};
	const struct attribute attributes[] = {{XFRMA_ALG_AEAD, &key, sizeof(key)},
					       {XFRMA_TFCPAD, &value, 4}};
	struct sa_facts facts;

	(void)state;
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), attributes,
				 ELEMENTSOF(attributes), &facts),
			 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_TFC);
}

/* Of several reasons the first of the list is reported, in whatever order they are found. */
static void test_first_reason(void **state)
{
	static const uint32_t value = 1;
	struct xfrm_usersa_info info = make_info();
	struct attribute attributes[] = {{XFRMA_TFCPAD, &value, 4}, {60, zeros, 8}};
	struct sa_facts facts;

	(void)state;
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), attributes, 2, &facts), 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_LARVAL);
	info.id.proto = IPPROTO_AH;
	assert_int_equal(read_sa(XFRM_MSG_NEWSA, &info, sizeof(info), attributes, 2, &facts), 0);
	assert_int_equal(facts.hands_off, HANDS_OFF_NOT_ESP);
}

#define NOW 1000000

static void check_limits(const struct sa_facts *facts, enum hands_off expected)
{
	assert_string_equal(hands_off_name(sa_facts_check_limits(facts, NOW)),
			    hands_off_name(expected));
}

/* `value` is the last value without effect for the limit of that name; and values that mean no
 * limit. */
#define CHECK_LIMIT(member, limit, field, value, step, reason)         \
	do {                                                           \
		struct sa_facts f_ = {.add_time = NOW, .use_time = 0}; \
		f_.limits.member = (limit);                            \
		f_.field = (value);                                    \
		check_limits(&f_, HANDS_OFF_NONE);                     \
		f_.field = (__typeof__(f_.field))(f_.field + (step));  \
		check_limits(&f_, reason);                             \
		f_.limits.member = 0;                                  \
		check_limits(&f_, HANDS_OFF_NONE);                     \
		f_.limits.member = XFRM_INF;                           \
		f_.field = UINT64_MAX;                                 \
		if ((step) > 0)                                        \
			check_limits(&f_, HANDS_OFF_NONE);             \
	} while (0)

static void test_limits(void **state)
{
	struct sa_facts facts = {.add_time = NOW + 100, .use_time = NOW + 100};

	(void)state;
	CHECK_LIMIT(soft_add_expires_seconds, 100, add_time, NOW - 99, -1, HANDS_OFF_SOFT_EXPIRED);
	CHECK_LIMIT(soft_use_expires_seconds, 100, use_time, NOW - 99, -1, HANDS_OFF_SOFT_EXPIRED);
	CHECK_LIMIT(soft_byte_limit, 100, bytes, 99, 1, HANDS_OFF_SOFT_EXPIRED);
	CHECK_LIMIT(soft_packet_limit, 100, packets, 99, 1, HANDS_OFF_SOFT_EXPIRED);
	CHECK_LIMIT(hard_add_expires_seconds, 100, add_time, NOW - 69, -1, HANDS_OFF_NEAR_LIMIT);
	CHECK_LIMIT(hard_use_expires_seconds, 100, use_time, NOW - 69, -1, HANDS_OFF_NEAR_LIMIT);
	CHECK_LIMIT(hard_byte_limit, 1600, bytes, 1499, 1, HANDS_OFF_NEAR_LIMIT);
	CHECK_LIMIT(hard_packet_limit, 1600, packets, 1499, 1, HANDS_OFF_NEAR_LIMIT);
	CHECK_LIMIT(hard_byte_limit, 1, bytes, 0, 1, HANDS_OFF_NEAR_LIMIT);

	/* An SA that was never used has no time since its use; one with a time in the future has
	 * age 0. */
	facts.limits.soft_use_expires_seconds = facts.limits.soft_add_expires_seconds = 1;
	check_limits(&facts, HANDS_OFF_NONE);
	facts.use_time = 0;
	check_limits(&facts, HANDS_OFF_NONE);
	facts.limits.hard_use_expires_seconds = 20;
	check_limits(&facts, HANDS_OFF_NONE);
	facts.use_time = 1;
	facts.limits.soft_use_expires_seconds = 0;
	check_limits(&facts, HANDS_OFF_NEAR_LIMIT);

	facts = (struct sa_facts){.add_time = NOW, .output_sequence = UINT32_MAX - (1 << 24)};
	check_limits(&facts, HANDS_OFF_NONE);
	facts.output_sequence++;
	check_limits(&facts, HANDS_OFF_SEQUENCE_SPACE);
	facts.shape.esn = true;
	check_limits(&facts, HANDS_OFF_NONE);
}

static void test_texts(void **state)
{
	struct sa_address address = {.bytes = {192, 0, 2, 1}};
	char buffer[SA_ADDRESS_TEXT_SIZE];

	(void)state;
	assert_string_equal(sa_address_format(AF_INET, &address, buffer), "192.0.2.1");
	assert_string_equal(sa_address_format(0, &address, buffer), "?");
	for (enum hands_off reason = 0; reason < _HANDS_OFF_MAX; reason++) {
		assert_non_null(hands_off_name(reason));
		assert_non_null(hands_off_text(reason));
		for (enum hands_off other = 0; other < reason; other++)
			assert_string_not_equal(hands_off_name(reason), hands_off_name(other));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_key_that_the_kernel_hides),
		cmocka_unit_test(test_algorithms),
		cmocka_unit_test(test_names_of_one_letter),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_known_attributes),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_longer_offload),
		cmocka_unit_test(test_cut_message),
		cmocka_unit_test(test_nothing_else),
		cmocka_unit_test(test_info),
		cmocka_unit_test(test_empty_attributes),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_first_reason),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
