// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake-bench.h"

#include <arpa/inet.h>
#include <string.h>

int bench_open(void **state)
{
	struct fake_nic nic = {.ifindex = BENCH_NIC, .name = "nic", .capacity_in = 4};
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(secret_arena_new(1 << 20, &b->arena), 0);
	assert_int_equal(fake_kernel_new(&b->fake), 0);
	assert_int_equal(fake_kernel_open(b->fake, &b->kernel), 0);
	assert_int_equal(kernel_batch_init(&b->batch, b->arena), 0);
	b->nic = fake_kernel_add_nic(b->fake, &nic);
	nic = (struct fake_nic){.ifindex = BENCH_OTHER_NIC, .name = "other", .capacity_in = 4};
	fake_kernel_add_nic(b->fake, &nic);
	*state = b;
	return 0;
}

int bench_close(void **state)
{
	struct bench *b = *state;

	kernel_batch_release(&b->batch);
	kernel_free(b->kernel);
	fake_kernel_free(b->fake);
	secret_arena_free(b->arena);
	free(b);
	return 0;
}

int bench_take(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct bench *b = userdata;

	b->own = own;
	b->types[b->n_messages++ % ELEMENTSOF(b->types)] = message->nlmsg_type;
	if (b->n_messages > 1)
		return 0;
	assert_true(message->nlmsg_len <= sizeof(b->first));
	memcpy(b->first, message, message->nlmsg_len);
	return 0;
}

int bench_transact(struct bench *b)
{
	b->n_messages = 0;
	return kernel_transact(b->kernel, &b->batch, bench_take, b);
}

const struct nlattr *bench_find(const struct bench *b, size_t fixed, uint16_t type)
{
	const struct nlmsghdr *message = (const void *)b->first;
	size_t offset = NLMSG_SPACE(fixed);

	while (offset + NLA_HDRLEN <= message->nlmsg_len) {
		const struct nlattr *attribute = (const void *)(b->first + offset);

		if (attribute->nla_type == type)
			return attribute;
		offset += NLA_ALIGN(attribute->nla_len);
	}
	return NULL;
}

const void *bench_payload(const struct bench *b, size_t fixed, uint16_t type)
{
	const struct nlattr *attribute = bench_find(b, fixed, type);

	return attribute ? (const uint8_t *)attribute + NLA_HDRLEN : NULL;
}

struct xfrm_usersa_id bench_id(const struct fake_belief *belief)
{
	struct sa_id id = fake_belief_id(belief);
	struct xfrm_usersa_id request = {
		.spi = htonl(id.spi), .family = id.family, .proto = id.protocol};

	memcpy(&request.daddr, id.destination.bytes, sizeof(request.daddr));
	return request;
}

void bench_add(struct bench *b, uint16_t type, const struct fake_belief *belief)
{
	struct xfrm_usersa_id id = bench_id(belief);

	kernel_batch_add(&b->batch, type, 0, &id, sizeof(id));
}

void bench_get(struct bench *b, const struct fake_belief *belief)
{
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_GETSA, belief);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(b->n_messages, 1);
}

/* Adds a message that installs the SA of `first` (a GETSA reply or DELSA notification) again. */
void bench_add_copy(struct bench *b, uint16_t type, const struct xfrm_user_offload *offload,
		    bool with_lifetime)
{
	const struct nlmsghdr *message = (const void *)b->first;
	bool note = message->nlmsg_type == XFRM_MSG_DELSA;
	size_t fixed = note ? sizeof(struct xfrm_usersa_id) : sizeof(struct xfrm_usersa_info);
	struct xfrm_usersa_info info;
	size_t offset = NLMSG_SPACE(fixed);

	memcpy(&info, note ? bench_payload(b, fixed, XFRMA_SA) : NLMSG_DATA(message), sizeof(info));
	kernel_batch_add(&b->batch, type, 0, &info, sizeof(info));
	while (offset + NLA_HDRLEN <= message->nlmsg_len) {
		const struct nlattr *attribute = (const void *)(b->first + offset);

		if (attribute->nla_type != XFRMA_SA && attribute->nla_type != XFRMA_ALG_AUTH &&
		    attribute->nla_type != XFRMA_LASTUSED && attribute->nla_type != XFRMA_PAD &&
		    attribute->nla_type != XFRMA_OFFLOAD_DEV)
			kernel_batch_attribute(&b->batch, attribute->nla_type, attribute + 1,
					       attribute->nla_len - NLA_HDRLEN);
		offset += NLA_ALIGN(attribute->nla_len);
	}
	if (with_lifetime)
		kernel_batch_attribute(&b->batch, XFRMA_LTIME_VAL, &info.curlft,
				       sizeof(info.curlft));
	if (offload)
		kernel_batch_attribute(&b->batch, XFRMA_OFFLOAD_DEV, offload, sizeof(*offload));
}

void bench_add_larval(struct bench *b, uint32_t spi)
{
	const struct nlmsghdr *message = (const void *)b->first;
	struct xfrm_userspi_info p = {.min = spi, .max = spi};

	memcpy(&p.info, NLMSG_DATA(message), sizeof(p.info));
	p.info.seq = 0;
	kernel_batch_add(&b->batch, XFRM_MSG_ALLOCSPI, 0, &p, sizeof(p));
}

/* DELSA, then NEWSA from its notification. */
void bench_remake(struct bench *b, const struct fake_belief *belief,
		  const struct xfrm_user_offload *offload, bool with_lifetime)
{
	kernel_batch_clear(&b->batch);
	bench_add(b, XFRM_MSG_DELSA, belief);
	assert_int_equal(bench_transact(b), 0);
	assert_int_equal(b->batch.answers[0].error, 0);
	assert_int_equal(b->n_messages, 1);
	assert_int_equal(b->types[0], XFRM_MSG_DELSA);
	kernel_batch_clear(&b->batch);
	bench_add_copy(b, XFRM_MSG_NEWSA, offload, with_lifetime);
	assert_int_equal(bench_transact(b), 0);
}

struct fake_belief *bench_install(struct bench *b, const struct fake_sa_spec *spec)
{
	struct fake_belief *belief = NULL;

	assert_int_equal(fake_ike_add(b->fake, spec, &belief), 0);
	return belief;
}

void bench_assert_sound(struct bench *b)
{
	assert_int_equal(fake_kernel_check(b->fake, 0, stderr), 0);
}
