// SPDX-License-Identifier: GPL-2.0-or-later
/* The image of an SA's message, and each message that is written from it, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sa-message.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

#define CAPACITY (256u * 1024u)
#define IMAGE_MAX (12u * 1024u) /* the limit of a move */

struct fixture {
	struct secret_arena *arena;
	struct kernel_batch batch;
	struct sa_image image;
};

static const struct xfrm_mark mark = {.v = 0x12, .m = 0xff};
static const uint32_t if_id = 77, cpu = 3;
static const uint8_t direction_out = XFRM_COMPAT_SA_DIR_OUT;
static const struct xfrm_replay_state replay = {.oseq = 0xfffffff0, .seq = 9, .bitmap = 5};
static const struct xfrm_replay_state_esn esn = {
	.bmp_len = 0, .oseq = 0xfffffff0, .oseq_hi = 6, .seq = 3, .seq_hi = 4};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(secret_arena_new(CAPACITY, &f->arena), 0);
	assert_int_equal(kernel_batch_init(&f->batch, f->arena), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	sa_image_wipe(&f->image);
	kernel_batch_release(&f->batch);
	assert_int_equal(secret_arena_in_use(f->arena), 0);
	secret_arena_free(f->arena);
	free(f);
	return 0;
}

static int capture(struct fixture *f, const struct xfrm_usersa_info *info,
		   const struct attribute *attributes, size_t n)
{
	struct nl_msg *message = make_message(XFRM_MSG_NEWSA, info, sizeof(*info), attributes, n);
	int r = sa_image_capture(&f->image, f->arena, nlmsg_hdr(message));

	nlmsg_free(message);
	return r;
}

/* Attributes in this order, and nothing after them. */
static void check_attributes(struct nlattr *first, int size, const struct attribute *expected,
			     size_t n)
{
	struct nlattr *attribute = first;

	for (size_t i = 0; i < n; i++) {
		assert_true(nla_ok(attribute, size));
		assert_int_equal(nla_type(attribute), expected[i].type);
		assert_int_equal(nla_len(attribute), expected[i].size);
		/* A structure with padding after its members. */
		assert_memory_equal(nla_data(attribute), expected[i].data,
				    expected[i].type == XFRMA_OFFLOAD_DEV
					    ? offsetof(struct xfrm_user_offload, flags) + 1
					    : expected[i].size);
		attribute = nla_next(attribute, &size);
	}
	assert_int_equal(size, 0);
}

/* The batch must contain exactly this message; it is cleared then. */
static void check_message(struct fixture *f, uint16_t type, uint16_t flags, const void *fixed,
			  size_t size, const struct attribute *attributes, size_t n)
{
	struct nlmsghdr *message = (struct nlmsghdr *)f->batch.buffer;

	assert_int_equal(f->batch.n, 1);
	assert_false(f->batch.overflow);
	assert_int_equal(f->batch.used, NLMSG_ALIGN(message->nlmsg_len));
	assert_int_equal(message->nlmsg_type, type);
	assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK | flags);
	assert_memory_equal(nlmsg_data(message), fixed, size);
	check_attributes(nlmsg_attrdata(message, (int)size), nlmsg_attrlen(message, (int)size),
			 attributes, n);
	kernel_batch_clear(&f->batch);
}

/* An attribute of a later kernel. */
#define UNKNOWN 60

static void test_capture(void **state)
{
	static const uint8_t key[5] = {1, 2, 3, 4, 5};
	static const struct attribute attributes[] = {
		VALUE(XFRMA_SA, key),
		VALUE(XFRMA_ALG_AUTH, key),
		VALUE(XFRMA_LASTUSED, key),
		VALUE(XFRMA_PAD, key),
		VALUE(XFRMA_ALG_CRYPT, key),
		VALUE(XFRMA_OFFLOAD_DEV, key),
		VALUE(XFRMA_MARK, mark),
		VALUE(UNKNOWN, key),
		VALUE(XFRMA_ALG_AUTH_TRUNC, key),
	};
	static const struct attribute with_trunc[] = {VALUE(XFRMA_ALG_CRYPT, key),
						      VALUE(XFRMA_MARK, mark), VALUE(UNKNOWN, key),
						      VALUE(XFRMA_ALG_AUTH_TRUNC, key)};
	static const struct attribute without[] = {VALUE(XFRMA_ALG_AUTH, key),
						   VALUE(XFRMA_ALG_CRYPT, key),
						   VALUE(XFRMA_MARK, mark), VALUE(UNKNOWN, key)};
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct nl_msg *message;

	assert_int_equal(capture(f, &info, attributes, ELEMENTSOF(attributes)), 0);
	assert_memory_equal(&f->image.info, &info, sizeof(info));
	assert_ptr_equal(f->image.arena, f->arena);
	check_attributes((struct nlattr *)f->image.attributes, (int)f->image.size, with_trunc,
			 ELEMENTSOF(with_trunc));
	assert_int_equal(capture(f, &info, attributes, ELEMENTSOF(attributes) - 1), 0);
	check_attributes((struct nlattr *)f->image.attributes, (int)f->image.size, without,
			 ELEMENTSOF(without));

	/* A message without an SA does not change the image. */
	message = make_message(XFRM_MSG_NEWPOLICY, &info, sizeof(info), NULL, 0);
	assert_int_equal(sa_image_capture(&f->image, f->arena, nlmsg_hdr(message)), -EBADMSG);
	nlmsg_free(message);
	check_attributes((struct nlattr *)f->image.attributes, (int)f->image.size, without,
			 ELEMENTSOF(without));
}

/* A new image that fits uses the memory of the old one, and no byte of the old one is left. */
static void test_capture_in_place(void **state)
{
	static uint8_t before[65], after[57], larger[4000];
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct secret_arena *other;
	const uint8_t *place;
	size_t in_use;
	bool clean;

	memset(before, 0xff, sizeof(before));
	memset(after, 0x11, sizeof(after));
	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_ALG_CRYPT, before), 1),
			 0);
	in_use = secret_arena_in_use(f->arena);
	place = f->image.attributes;
	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_ALG_CRYPT, before), 1),
			 0);
	assert_ptr_equal(f->image.attributes, place);
	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_ALG_CRYPT, after), 1), 0);
	assert_ptr_equal(f->image.attributes, place);
	assert_int_equal(secret_arena_in_use(f->arena), in_use);
	clean = !memchr(f->image.attributes, 0xff, f->image.size);
	assert_true(clean);
	assert_int_equal(f->image.size, NLA_ALIGN(NLA_HDRLEN + sizeof(after)));
	for (size_t i = NLA_HDRLEN + sizeof(after); i < f->image.size; i++)
		assert_int_equal(f->image.attributes[i], 0);

	/* A new image that does not fit, or that is in another arena, gets new memory. */
	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_ALG_CRYPT, before), 1),
			 0);
	check_attributes((struct nlattr *)f->image.attributes, (int)f->image.size,
			 &(struct attribute)VALUE(XFRMA_ALG_CRYPT, before), 1);
	assert_int_equal(secret_arena_in_use(f->arena), in_use);
	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_ALG_CRYPT, larger), 1),
			 0);
	assert_true(secret_arena_in_use(f->arena) > in_use + 3000);
	assert_int_equal(secret_arena_new(64 * 1024, &other), 0);
	{
		struct secret_arena *first = f->arena;

		f->arena = other;
		assert_int_equal(
			capture(f, &info, &(struct attribute)VALUE(XFRMA_ALG_CRYPT, after), 1), 0);
		assert_true(secret_arena_in_use(other) >= f->image.size);
		sa_image_wipe(&f->image);
		f->arena = first;
	}
	assert_int_equal(secret_arena_in_use(other), 0);
	secret_arena_free(other);
}

static void test_capture_sizes(void **state)
{
	static const uint8_t large[IMAGE_MAX];
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct attribute attribute = {XFRMA_SEC_CTX, large, IMAGE_MAX - NLA_HDRLEN};
	static void *rest[CAPACITY / 1024];
	size_t n = 0;

	assert_int_equal(capture(f, &info, &attribute, 1), 0);
	attribute.size++;
	assert_int_equal(capture(f, &info, &attribute, 1), -E2BIG);
	assert_int_equal(f->image.size, IMAGE_MAX);
	assert_int_equal(capture(f, &info, NULL, 0), 0);
	assert_int_equal(f->image.size, 0);
	sa_image_wipe(&f->image);

	attribute.size--;
	assert_true(sa_image_has_room(f->arena));
	assert_true(sa_image_has_room(f->arena)); /* and it keeps none of it */
	n = secret_arena_in_use(f->arena);
	assert_true(sa_image_has_room(f->arena));
	assert_int_equal(secret_arena_in_use(f->arena), n);
	n = 0;
	while ((rest[n] = secret_alloc(f->arena, 1024)))
		n++;
	assert_false(sa_image_has_room(f->arena));
	assert_int_equal(capture(f, &info, &attribute, 1), -ENOMEM);
	assert_null(f->image.attributes);
	while (n > 0)
		secret_free(f->arena, rest[--n]);
}

static void test_id(void **state)
{
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct sa_id id;

	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_MARK, mark), 1), 0);
	id = sa_image_id(&f->image);
	assert_int_equal(id.spi, MESSAGE_SPI);
	assert_int_equal(id.family, AF_INET);
	assert_int_equal(id.protocol, IPPROTO_ESP);
	assert_int_equal(id.mark_value, 0x12);
	assert_int_equal(id.mark_mask, 0xff);
	assert_memory_equal(id.destination.bytes, &info.id.daddr, 4);

	assert_int_equal(capture(f, &info, &(struct attribute){XFRMA_MARK, &mark, 4}, 1), 0);
	assert_int_equal(sa_image_id(&f->image).mark_value, 0);
	assert_int_equal(capture(f, &info, NULL, 0), 0);
	assert_int_equal(sa_image_id(&f->image).mark_mask, 0);
}

static void test_write(void **state)
{
	static const struct sa_offload software = {}, in = {3, SA_DIRECTION_IN},
				       out = {4, SA_DIRECTION_OUT};
	static const uint32_t threshold = 32;
	static const struct attribute attributes[] = {VALUE(XFRMA_MARK, mark),
						      VALUE(XFRMA_REPLAY_VAL, replay)};
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct xfrm_user_offload offload = {.ifindex = 3, .flags = XFRM_OFFLOAD_INBOUND};
	struct attribute expected[5] = {attributes[0], attributes[1],
					VALUE(XFRMA_LTIME_VAL, info.curlft),
					VALUE(XFRMA_OFFLOAD_DEV, offload)};

	assert_int_equal(capture(f, &info, attributes, 2), 0);
	sa_image_write(&f->image, &f->batch, XFRM_MSG_NEWSA, &software);
	check_message(f, XFRM_MSG_NEWSA, 0, &info, sizeof(info), expected, 3);
	sa_image_write(&f->image, &f->batch, XFRM_MSG_UPDSA, &in);
	check_message(f, XFRM_MSG_UPDSA, 0, &info, sizeof(info), expected, 4);
	offload = (struct xfrm_user_offload){.ifindex = 4};
	sa_image_write(&f->image, &f->batch, XFRM_MSG_UPDSA, &out);
	check_message(f, XFRM_MSG_UPDSA, 0, &info, sizeof(info), expected, 4);

	f->image.replay_threshold = threshold;
	expected[4] = expected[3];
	expected[3] = (struct attribute)VALUE(XFRMA_REPLAY_THRESH, threshold);
	sa_image_write(&f->image, &f->batch, XFRM_MSG_UPDSA, &out);
	check_message(f, XFRM_MSG_UPDSA, 0, &info, sizeof(info), expected, 5);
}

static void test_migrate(void **state)
{
	static const struct sa_offload software = {}, out = {4, SA_DIRECTION_OUT};
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct xfrm_user_offload offload = {.ifindex = 4};
	struct attribute expected = VALUE(XFRMA_OFFLOAD_DEV, offload);
	struct xfrm_compat_migrate_state request = {
		.id = {.daddr = info.id.daddr,
		       .spi = info.id.spi,
		       .family = AF_INET,
		       .proto = IPPROTO_ESP},
		.new_daddr = info.id.daddr,
		.new_saddr = info.saddr,
		.new_sel = info.sel,
		.new_reqid = info.reqid,
		.new_family = AF_INET,
	};

	assert_int_equal(capture(f, &info, NULL, 0), 0);
	sa_image_write_migrate(&f->image, &f->batch, &out);
	check_message(f, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request), &expected, 1);
	assert_int_equal(capture(f, &info, &(struct attribute){XFRMA_MARK, &mark, 4}, 1), 0);
	sa_image_write_migrate(&f->image, &f->batch, &out);
	check_message(f, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request), &expected, 1);

	request.old_mark = mark;
	request.flags = XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD;
	assert_int_equal(capture(f, &info, &(struct attribute)VALUE(XFRMA_MARK, mark), 1), 0);
	sa_image_write_migrate(&f->image, &f->batch, &software);
	check_message(f, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request), NULL, 0);

	request = (struct xfrm_compat_migrate_state){
		.id = {.spi = htonl(1), .family = AF_INET, .proto = IPPROTO_ESP},
		.new_sel.family = AF_INET,
		.new_family = AF_INET,
		.flags = XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD,
	};
	sa_image_write_migrate_probe(&f->batch);
	check_message(f, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request), NULL, 0);
}

static void test_alloc_spi(void **state)
{
	static const struct attribute attributes[] = {
		VALUE(XFRMA_REPLAY_VAL, replay), VALUE(XFRMA_MARK, mark), VALUE(XFRMA_IF_ID, if_id),
		VALUE(XFRM_COMPAT_SA_DIR, direction_out), VALUE(XFRM_COMPAT_SA_PCPU, cpu)};
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct xfrm_userspi_info request = {.info = info, .min = 1, .max = 255};

	request.info.seq = 0;
	assert_int_equal(capture(f, &info, attributes, ELEMENTSOF(attributes)), 0);
	sa_image_write_guard(&f->image, &f->batch, 1, 255);
	check_message(f, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request), attributes + 1,
		      ELEMENTSOF(attributes) - 1);

	/* The reqid of larval SAs differs from the SA's and gives another hash chain; the
	 * conversion works in both directions. */
	for (uint32_t reqid = 0x7ffffff0u; reqid <= 0x80000010u; reqid++) {
		struct nlmsghdr *message = (struct nlmsghdr *)f->batch.buffer;
		struct xfrm_userspi_info *written = nlmsg_data(message);

		f->image.info.reqid = reqid;
		sa_image_write_larval(&f->image, &f->batch, MESSAGE_SPI, MESSAGE_SPI);
		assert_int_not_equal(written->info.reqid, reqid);
		assert_int_not_equal(written->info.reqid & 1, reqid & 1);
		assert_int_equal(written->info.reqid ^ 0x40000001u, reqid);
		request.info.reqid = written->info.reqid;
		request.min = request.max = MESSAGE_SPI;
		check_message(f, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request), attributes + 1,
			      ELEMENTSOF(attributes) - 1);
	}
}

static void test_witness(void **state)
{
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct xfrm_userspi_info request = {
		.info = {.id = {.daddr.a4 = htonl(INADDR_LOOPBACK), .proto = IPPROTO_ESP},
			 .saddr.a4 = htonl(INADDR_LOOPBACK),
			 .reqid = 0x40000001u,
			 .family = AF_INET,
			 .mode = XFRM_MODE_TRANSPORT},
		.min = 5,
		.max = 6,
	};
	struct sa_id id = sa_image_witness_id(77);

	sa_image_write_witness(&f->batch, 5, 6);
	check_message(f, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request), NULL, 0);
	assert_int_equal(capture(f, &info, NULL, 0), 0);
	f->image.info = request.info;
	f->image.info.id.spi = htonl(77);
	assert_int_equal(sa_image_id(&f->image).spi, id.spi);
	assert_int_equal(id.family, AF_INET);
	assert_int_equal(id.protocol, IPPROTO_ESP);
	assert_int_equal(id.destination.bytes[0], 127);
}

static void test_by_id(void **state)
{
	static const struct xfrm_mark marks[] = {{0, 0}, {1, 0}, {0, 1}, {0x12, 0xff}};
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct sa_id id;
	struct xfrm_usersa_id request = {.daddr = info.id.daddr,
					 .spi = info.id.spi,
					 .family = AF_INET,
					 .proto = IPPROTO_ESP};
	struct xfrm_aevent_id thresholds = {.sa_id = request, .flags = XFRM_AE_RTHR | XFRM_AE_ETHR};

	assert_int_equal(capture(f, &info, NULL, 0), 0);
	id = sa_image_id(&f->image);
	for (size_t i = 0; i < ELEMENTSOF(marks); i++) {
		struct attribute expected = VALUE(XFRMA_MARK, marks[i]);

		id.mark_value = marks[i].v;
		id.mark_mask = marks[i].m;
		sa_id_write(&id, &f->batch, XFRM_MSG_GETSA);
		check_message(f, XFRM_MSG_GETSA, 0, &request, sizeof(request), &expected, i > 0);
		sa_id_write_get_thresholds(&id, &f->batch);
		check_message(f, XFRM_MSG_GETAE, 0, &thresholds, sizeof(thresholds), &expected,
			      i > 0);
	}
}

static void test_sequence(void **state)
{
	static const struct {
		struct attribute attribute;
		bool esn;
		uint64_t sequence;
		uint64_t by;
		uint64_t after;
	} cases[] = {
		{VALUE(XFRMA_REPLAY_VAL, replay), false, 0xfffffff0, 1, 0xfffffff1},
		{VALUE(XFRMA_REPLAY_VAL, replay), false, 0xfffffff0, 15, 0xffffffff},
		{VALUE(XFRMA_REPLAY_VAL, replay), false, 0xfffffff0, 16, 0xffffffff},
		{VALUE(XFRMA_REPLAY_VAL, replay), false, 0xfffffff0, UINT64_MAX, 0xffffffff},
		{VALUE(XFRMA_REPLAY_ESN_VAL, esn), true, 0x6fffffff0, 15, 0x6ffffffff},
		{VALUE(XFRMA_REPLAY_ESN_VAL, esn), true, 0x6fffffff0, 16, 0x700000000},
		{VALUE(XFRMA_REPLAY_ESN_VAL, esn), true, 0x6fffffff0, UINT64_MAX, UINT64_MAX},
		{VALUE(XFRMA_REPLAY_ESN_VAL, esn), true, 0x6fffffff0, UINT64_MAX - 0x6fffffff0,
		 UINT64_MAX},
		/* Truncated attributes are ignored. */
		{{XFRMA_REPLAY_VAL, &replay, sizeof(replay) - 1}, false, 0, 1, 0},
		{{XFRMA_REPLAY_ESN_VAL, &esn, sizeof(esn) - 1}, true, 0, 1, 0},
		{{XFRMA_MARK, &mark, sizeof(mark)}, false, 0, 1, 0},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
		struct xfrm_usersa_info info = make_info();
		uint8_t content[64];
		struct nlattr *attribute;

		info.flags = cases[i].esn ? XFRM_STATE_ESN : 0;
		assert_int_equal(capture(f, &info, &cases[i].attribute, 1), 0);
		assert_int_equal(sa_image_output_sequence(&f->image), cases[i].sequence);
		assert_false(sa_image_is_exhausted(&f->image));
		sa_image_advance(&f->image, cases[i].by);
		assert_int_equal(sa_image_output_sequence(&f->image), cases[i].after);
		assert_int_equal(sa_image_is_exhausted(&f->image),
				 cases[i].after == (cases[i].esn ? UINT64_MAX : UINT32_MAX));

		/* Only the numbers changed. */
		attribute = (struct nlattr *)f->image.attributes;
		memcpy(content, cases[i].attribute.data, cases[i].attribute.size);
		if (cases[i].after != 0 && cases[i].esn) {
			((struct xfrm_replay_state_esn *)content)->oseq = (uint32_t)cases[i].after;
			((struct xfrm_replay_state_esn *)content)->oseq_hi =
				(uint32_t)(cases[i].after >> 32);
		} else if (cases[i].after != 0) {
			((struct xfrm_replay_state *)content)->oseq = (uint32_t)cases[i].after;
		}
		assert_memory_equal(nla_data(attribute), content, cases[i].attribute.size);
	}

	/* An image without attributes has no number either. */
	sa_image_wipe(&f->image);
	assert_int_equal(sa_image_output_sequence(&f->image), 0);
	sa_image_advance(&f->image, 1);
	assert_int_equal(sa_image_output_sequence(&f->image), 0);
}

static void test_write_sequence(void **state)
{
	static const struct attribute attributes[] = {
		VALUE(XFRMA_REPLAY_ESN_VAL, esn), VALUE(XFRMA_IF_ID, if_id),
		VALUE(XFRMA_REPLAY_VAL, replay), VALUE(XFRMA_MARK, mark)};
	static const struct attribute expected[] = {VALUE(XFRMA_MARK, mark),
						    VALUE(XFRMA_REPLAY_VAL, replay),
						    VALUE(XFRMA_REPLAY_ESN_VAL, esn)};
	struct fixture *f = *state;
	struct xfrm_usersa_info info = make_info();
	struct xfrm_aevent_id request = {
		.sa_id = {.daddr = info.id.daddr,
			  .spi = info.id.spi,
			  .family = AF_INET,
			  .proto = IPPROTO_ESP},
		.saddr = info.saddr,
		.reqid = info.reqid,
		.flags = XFRM_AE_RVAL,
	};

	assert_int_equal(capture(f, &info, attributes, ELEMENTSOF(attributes)), 0);
	sa_image_write_sequence(&f->image, &f->batch);
	check_message(f, XFRM_MSG_NEWAE, NLM_F_REPLACE, &request, sizeof(request), expected,
		      ELEMENTSOF(expected));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_capture),       TEST(test_capture_in_place),
		TEST(test_capture_sizes), TEST(test_id),
		TEST(test_write),         TEST(test_migrate),
		TEST(test_alloc_spi),     TEST(test_by_id),
		TEST(test_sequence),      TEST(test_write_sequence),
		TEST(test_witness),
	};

	return cmocka_run_group_tests_name("sa-image", tests, NULL, NULL);
}
