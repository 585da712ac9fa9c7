// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel's messages: GETSA replies, notifications, NEWAE. The order of attributes is that of
 * copy_to_user_state_extra(). */
#include "fake-internal.h"

#include <string.h>

static void emit(struct fake_buffer *b, size_t start, const struct fake_sa *sa, uint16_t type)
{
	if (sa->attributes[type].data)
		fake_message_add(b, start, type, sa->attributes[type].data,
				 sa->attributes[type].size);
}

/* copy_to_user_aead() and its siblings: with lockdown, a key of the right length, all zero. */
static void emit_algorithm(struct fake_kernel *k, struct fake_buffer *b, size_t start,
			   const struct fake_sa *sa, uint16_t type, size_t header_size)
{
	const struct fake_attribute *attribute = &sa->attributes[type];
	uint8_t copy[1024] = {};

	if (!attribute->data || attribute->size > sizeof(copy))
		return;
	memcpy(copy, attribute->data, k->config.redact ? header_size : attribute->size);
	fake_message_add(b, start, type, copy, attribute->size);
}

/* copy_to_user_auth() emits both forms. */
static void emit_auth(struct fake_kernel *k, struct fake_buffer *b, size_t start,
		      const struct fake_sa *sa)
{
	const struct xfrm_algo_auth *auth = (const void *)sa->attributes[XFRMA_ALG_AUTH_TRUNC].data;
	_Alignas(struct xfrm_algo) uint8_t copy[512] = {};
	struct xfrm_algo *plain = (struct xfrm_algo *)copy;
	size_t key_size;

	if (!auth)
		return;
	key_size = (auth->alg_key_len + 7) / 8;
	memcpy(plain->alg_name, auth->alg_name, sizeof(plain->alg_name));
	plain->alg_key_len = auth->alg_key_len;
	if (!k->config.redact)
		memcpy(plain->alg_key, auth->alg_key, key_size);
	fake_message_add(b, start, XFRMA_ALG_AUTH, plain, sizeof(*plain) + key_size);
	emit_algorithm(k, b, start, sa, XFRMA_ALG_AUTH_TRUNC, sizeof(*auth));
}

static void emit_mark(struct fake_buffer *b, size_t start, const struct fake_sa *sa)
{
	if (sa->mark.v | sa->mark.m)
		fake_message_add(b, start, XFRMA_MARK, &sa->mark, sizeof(sa->mark));
}

static void emit_replay(struct fake_buffer *b, size_t start, const struct fake_sa *sa)
{
	if (sa->esn)
		fake_message_add(b, start, XFRMA_REPLAY_ESN_VAL, sa->esn, fake_esn_size(sa->esn));
	else
		fake_message_add(b, start, XFRMA_REPLAY_VAL, &sa->replay, sizeof(sa->replay));
}

static void emit_last_used(struct fake_kernel *k, struct fake_buffer *b, size_t start,
			   const struct fake_sa *sa)
{
	if (sa->last_used == 0)
		return;
	if (k->config.pad) /* nla_put_u64_64bit() */
		fake_message_add(b, start, XFRMA_PAD, NULL, 0);
	fake_message_add(b, start, XFRMA_LASTUSED, &sa->last_used, sizeof(sa->last_used));
}

static void emit_offload(struct fake_buffer *b, size_t start, const struct fake_sa *sa)
{
	struct xfrm_user_offload offload = {.ifindex = sa->ifindex, .flags = sa->offload_flags};

	if (sa->ifindex != 0)
		fake_message_add(b, start, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
}

/* copy_to_user_state_extra(); `info_offset` is the position of the struct xfrm_usersa_info. */
void fake_emit_sa(struct fake_kernel *k, struct fake_buffer *b, size_t start, size_t info_offset,
		  const struct fake_sa *sa)
{
	static const uint16_t after_offload[] = {
		XFRMA_IF_ID,         XFRMA_SEC_CTX,      XFRMA_MTIMER_THRESH,
		XFRM_COMPAT_SA_PCPU, XFRM_COMPAT_SA_DIR, XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL};

	memcpy(b->data + info_offset, &sa->info, sizeof(sa->info));
	emit(b, start, sa, XFRMA_SA_EXTRA_FLAGS);
	emit(b, start, sa, XFRMA_COADDR);
	emit_last_used(k, b, start, sa);
	emit_algorithm(k, b, start, sa, XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead));
	emit_auth(k, b, start, sa);
	emit_algorithm(k, b, start, sa, XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo));
	emit(b, start, sa, XFRMA_ENCAP);
	emit(b, start, sa, XFRMA_TFCPAD);
	emit_mark(b, start, sa);
	emit(b, start, sa, XFRMA_SET_MARK);
	emit(b, start, sa, XFRMA_SET_MARK_MASK);
	emit_replay(b, start, sa);
	emit_offload(b, start, sa);
	for (size_t i = 0; i < ELEMENTSOF(after_offload); i++)
		emit(b, start, sa, after_offload[i]);
	for (uint16_t i = XFRM_COMPAT_ATTRIBUTE_KNOWN_MAX + 1; i < FAKE_ATTRIBUTES; i++)
		emit(b, start, sa, i);
}

/* dump_one_state() */
void fake_emit_state(struct fake_kernel *k, struct fake_buffer *b, const struct fake_sa *sa,
		     uint32_t sequence, uint32_t port, uint16_t flags)
{
	size_t start = fake_message_begin(b, XFRM_MSG_NEWSA, flags, sequence, port, &sa->info,
					  sizeof(sa->info));

	fake_emit_sa(k, b, start, start + NLMSG_HDRLEN, sa);
}

/* Queues a notification for every socket's events. The requests socket is in the group while a
 * buffer with a DELSA is processed (daemon/xfrm/netlink.c), so the sender also gets the
 * notification, before its acknowledgement. */
void fake_notify(struct fake_request *request, const struct nlmsghdr *message)
{
	if (request->lose_notes)
		return;
	fake_broadcast(request->k, message);
	if (request->answers)
		fake_buffer_append(request->answers, message, message->nlmsg_len);
}

/* xfrm_notify_sa(): port and sequence are those of the request's header. */
void fake_notify_sa(struct fake_request *request, const struct fake_sa *sa, uint16_t event)
{
	const struct nlmsghdr *from = request->message;
	struct xfrm_usersa_id id = {
		.daddr = sa->info.id.daddr,
		.spi = sa->info.id.spi,
		.family = sa->info.family,
		.proto = sa->info.id.proto,
	};
	struct fake_buffer b = {};
	size_t start;

	if (event == XFRM_MSG_DELSA) {
		start = fake_message_begin(&b, event, 0, from->nlmsg_seq, from->nlmsg_pid, &id,
					   sizeof(id));
		fake_message_add(&b, start, XFRMA_SA, &sa->info, sizeof(sa->info));
		fake_emit_sa(request->k, &b, start, start + NLMSG_SPACE(sizeof(id)) + NLA_HDRLEN,
			     sa);
	} else {
		start = fake_message_begin(&b, event, 0, from->nlmsg_seq, from->nlmsg_pid,
					   &sa->info, sizeof(sa->info));
		fake_emit_sa(request->k, &b, start, start + NLMSG_HDRLEN, sa);
	}
	fake_notify(request, (const struct nlmsghdr *)b.data);
	fake_buffer_release(&b);
}

/* build_aevent() */
void fake_emit_aevent(struct fake_request *request, const struct fake_sa *sa, uint32_t flags)
{
	struct fake_buffer *b = request->answers;
	struct xfrm_aevent_id id = {
		.sa_id = {.daddr = sa->info.id.daddr,
			  .spi = sa->info.id.spi,
			  .family = sa->info.family,
			  .proto = sa->info.id.proto},
		.saddr = sa->info.saddr,
		.flags = flags,
		.reqid = sa->info.reqid,
	};
	size_t start;

	if (!b)
		return;
	start = fake_message_begin(b, XFRM_MSG_NEWAE, 0, request->message->nlmsg_seq,
				   request->message->nlmsg_pid, &id, sizeof(id));
	emit_replay(b, start, sa);
	fake_message_add(b, start, XFRMA_LTIME_VAL, &sa->info.curlft, sizeof(sa->info.curlft));
	if (flags & XFRM_AE_RTHR)
		fake_message_add(b, start, XFRMA_REPLAY_THRESH, &sa->replay_maxdiff, 4);
	if (flags & XFRM_AE_ETHR) /* set in jiffies, read in 100 ms: an error of the kernel */
		fake_message_add(b, start, XFRMA_ETIMER_THRESH,
				 &(uint32_t){sa->replay_maxage * 10 / FAKE_HZ}, 4);
	emit_mark(b, start, sa);
	emit(b, start, sa, XFRMA_IF_ID);
	emit(b, start, sa, XFRM_COMPAT_SA_PCPU);
	emit(b, start, sa, XFRM_COMPAT_SA_DIR);
}

/* build_expire() */
void fake_notify_expire(struct fake_kernel *k, const struct fake_sa *sa, bool hard)
{
	struct xfrm_user_expire expire = {.state = sa->info, .hard = hard};
	struct fake_buffer b = {};
	size_t start = fake_message_begin(&b, XFRM_MSG_EXPIRE, 0, 0, 0, &expire, sizeof(expire));

	emit_mark(&b, start, sa);
	emit(&b, start, sa, XFRMA_IF_ID);
	emit(&b, start, sa, XFRM_COMPAT_SA_DIR);
	fake_broadcast(k, (const struct nlmsghdr *)b.data);
	fake_buffer_release(&b);
}
