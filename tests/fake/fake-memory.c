// SPDX-License-Identifier: GPL-2.0-or-later
/* Growing buffers, netlink messages, and the attributes of an SA. */
#include "fake-internal.h"

#include <linux/netlink.h>
#include <string.h>

void *fake_allocate(size_t size)
{
	/* As bytes, since tests refuse the daemon memory for elements of one size. */
	void *p = calloc(size, 1);

	if (!p)
		abort();
	return p;
}

static void buffer_reserve(struct fake_buffer *b, size_t size)
{
	if (b->used + size <= b->size)
		return;
	b->size = 2 * (b->used + size) + 256;
	b->data = realloc(b->data, b->size);
	if (!b->data)
		abort();
}

void fake_buffer_append(struct fake_buffer *b, const void *data, size_t size)
{
	size_t padded = NLMSG_ALIGN(size);

	buffer_reserve(b, padded);
	memset(b->data + b->used, 0, padded);
	if (size > 0)
		memcpy(b->data + b->used, data, size);
	b->used += padded;
}

void fake_buffer_release(struct fake_buffer *b)
{
	free(b->data);
	*b = (struct fake_buffer){};
}

size_t fake_message_begin(struct fake_buffer *b, uint16_t type, uint16_t flags, uint32_t sequence,
			  uint32_t port, const void *fixed, size_t size)
{
	size_t start = b->used;
	struct nlmsghdr header = {
		.nlmsg_len = (uint32_t)NLMSG_LENGTH(size),
		.nlmsg_type = type,
		.nlmsg_flags = flags,
		.nlmsg_seq = sequence,
		.nlmsg_pid = port,
	};

	fake_buffer_append(b, &header, sizeof(header));
	fake_buffer_append(b, fixed, size);
	return start;
}

void fake_message_add(struct fake_buffer *b, size_t start, uint16_t type, const void *data,
		      size_t size)
{
	struct nlattr header = {.nla_len = (uint16_t)(NLA_HDRLEN + size), .nla_type = type};
	uint32_t length;

	fake_buffer_append(b, &header, sizeof(header));
	fake_buffer_append(b, data, size);
	length = (uint32_t)(b->used - start);
	memcpy(b->data + start + offsetof(struct nlmsghdr, nlmsg_len), &length, sizeof(length));
}

/* Returns the message at an offset and advances the offset; NULL at the end, or if the length is
 * wrong (netlink_rcv_skb() drops the rest, too). */
struct nlmsghdr *fake_message_at(uint8_t *data, size_t used, size_t *offset)
{
	struct nlmsghdr *message;

	if (*offset + sizeof(*message) > used)
		return NULL;
	message = (struct nlmsghdr *)(data + *offset);
	if (message->nlmsg_len < sizeof(*message) || message->nlmsg_len > used - *offset)
		return NULL;
	*offset += NLMSG_ALIGN(message->nlmsg_len);
	return message;
}

void fake_attribute_set(struct fake_sa *sa, uint16_t type, const void *data, size_t size)
{
	struct fake_attribute *attribute = &sa->attributes[type];

	fake_attribute_clear(sa, type);
	attribute->data = fake_allocate(size + 1);
	attribute->size = size;
	if (size > 0)
		memcpy(attribute->data, data, size);
}

void fake_attribute_clear(struct fake_sa *sa, uint16_t type)
{
	free(sa->attributes[type].data);
	sa->attributes[type] = (struct fake_attribute){};
}

uint32_t fake_attribute_u32(const struct fake_sa *sa, uint16_t type)
{
	uint32_t value = 0;

	if (sa->attributes[type].size >= sizeof(value))
		memcpy(&value, sa->attributes[type].data, sizeof(value));
	return value;
}

/* xfrm_replay_state_esn_len() */
bool fake_same_attribute(const struct fake_sa *a, const struct fake_sa *b, uint16_t type)
{
	const struct fake_attribute *x = &a->attributes[type], *y = &b->attributes[type];

	return x->size == y->size && (x->size == 0 || memcmp(x->data, y->data, x->size) == 0);
}

uint32_t fake_cpu_of(const struct fake_sa *sa)
{
	return sa->attributes[XFRM_COMPAT_SA_PCPU].data
		       ? fake_attribute_u32(sa, XFRM_COMPAT_SA_PCPU)
		       : UINT32_MAX;
}

size_t fake_esn_size(const struct xfrm_replay_state_esn *esn)
{
	return sizeof(*esn) + esn->bmp_len * sizeof(esn->bmp[0]);
}

struct fake_sa *fake_sa_copy(const struct fake_sa *sa)
{
	struct fake_sa *copy = fake_allocate(sizeof(*copy));

	*copy = *sa;
	copy->next = NULL;
	copy->held = false;
	if (sa->esn) {
		copy->esn = fake_allocate(fake_esn_size(sa->esn));
		memcpy(copy->esn, sa->esn, fake_esn_size(sa->esn));
	}
	memset(copy->attributes, 0, sizeof(copy->attributes));
	for (uint16_t i = 0; i < FAKE_ATTRIBUTES; i++)
		if (sa->attributes[i].data)
			fake_attribute_set(copy, i, sa->attributes[i].data, sa->attributes[i].size);
	return copy;
}

void fake_sa_free(struct fake_sa *sa)
{
	sa->dead = true;
	if (sa->held)
		return;
	for (uint16_t i = 0; i < FAKE_ATTRIBUTES; i++)
		fake_attribute_clear(sa, i);
	free(sa->esn);
	free(sa);
}
