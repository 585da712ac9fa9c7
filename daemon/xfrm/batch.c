// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Builds requests in the secret arena. libnl's struct nl_msg is in heap memory, where a key must
 * not be. Its functions for raw messages (nlmsg_*, nla_*) are used where possible.
 */
#include "xfrm/compat.h"
#include "xfrm/kernel.h"

#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

int kernel_batch_init(struct kernel_batch *batch, struct secret_arena *arena)
{
	*batch = (struct kernel_batch){.arena = arena};
	batch->buffer = secret_alloc(arena, KERNEL_BATCH_SIZE);
	return batch->buffer ? 0 : -ENOMEM;
}

void kernel_batch_clear(struct kernel_batch *batch)
{
	explicit_bzero(batch->buffer, batch->used);
	batch->used = 0;
	batch->n = 0;
	batch->overflow = false;
}

void kernel_batch_release(struct kernel_batch *batch)
{
	secret_free(batch->arena, batch->buffer);
	batch->buffer = NULL;
}

static void *batch_reserve(struct kernel_batch *batch, size_t size)
{
	void *p = batch->buffer + batch->used;

	if (batch->overflow || size > KERNEL_BATCH_SIZE - batch->used) {
		batch->overflow = true;
		return NULL;
	}
	memset(p, 0, size);
	batch->used += size;
	return p;
}

void kernel_batch_add(struct kernel_batch *batch, uint16_t type, uint16_t flags, const void *fixed,
		      size_t size)
{
	size_t start = batch->used;
	struct nlmsghdr *header;

	if (batch->n == KERNEL_BATCH_MESSAGES) {
		batch->overflow = true;
		return;
	}
	header = batch_reserve(batch, NLMSG_SPACE(size));
	if (!header)
		return;
	header->nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	header->nlmsg_type = type;
	header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	memcpy(NLMSG_DATA(header), fixed, size);
	batch->last = start;
	batch->n++;
}

void kernel_batch_attribute(struct kernel_batch *batch, uint16_t type, const void *data,
			    size_t size)
{
	struct nlattr *attribute = batch_reserve(batch, (size_t)nla_total_size((int)size));

	if (!attribute)
		return;
	attribute->nla_type = type;
	attribute->nla_len = (uint16_t)nla_attr_size((int)size);
	if (size > 0)
		memcpy(nla_data(attribute), data, size);
	((struct nlmsghdr *)(batch->buffer + batch->last))->nlmsg_len =
		(uint32_t)(batch->used - batch->last);
}

bool kernel_message_sa(const struct nlmsghdr *message, struct xfrm_usersa_info *ret_info)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message; /* libnl's accessors take no const */
	const void *info;
	struct nlattr *attribute;

	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWSA:
	case XFRM_MSG_UPDSA:
		if (!nlmsg_valid_hdr(m, sizeof(*ret_info)))
			return false;
		info = nlmsg_data(m);
		break;
	case XFRM_MSG_EXPIRE: /* begins with the SA */
		if (!nlmsg_valid_hdr(m, sizeof(struct xfrm_user_expire)))
			return false;
		info = nlmsg_data(m);
		break;
	case XFRM_MSG_DELSA:
		if (!nlmsg_valid_hdr(m, sizeof(struct xfrm_usersa_id)))
			return false;
		attribute = nlmsg_find_attr(m, sizeof(struct xfrm_usersa_id), XFRMA_SA);
		if (!attribute || nla_len(attribute) < (int)sizeof(*ret_info))
			return false;
		info = nla_data(attribute);
		break;
	default:
		return false;
	}
	memcpy(ret_info, info, sizeof(*ret_info));
	return true;
}
