// SPDX-License-Identifier: GPL-2.0-or-later
/* One request: xfrm_user_rcv_msg() and the handlers of xfrm_user.c. */
#include "fake-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ipsec.h>
#include <string.h>

static uint32_t request_mark(const struct fake_request *request, struct xfrm_mark *ret_mark)
{
	const struct xfrm_mark *mark = fake_payload(request, XFRMA_MARK);

	*ret_mark = mark ? *mark : (struct xfrm_mark){};
	return ret_mark->v & ret_mark->m;
}

static struct fake_sa *lookup_id(struct fake_request *request, const struct xfrm_usersa_id *id)
{
	struct xfrm_mark mark;

	return fake_lookup(request->k, request_mark(request, &mark), &id->daddr, id->spi, id->proto,
			   id->family);
}

/* __xfrm_state_locate() */
static struct fake_sa *locate(struct fake_kernel *k, const struct fake_sa *sa)
{
	return fake_lookup(k, sa->mark.v & sa->mark.m, &sa->info.id.daddr, sa->info.id.spi,
			   sa->info.id.proto, sa->info.family);
}

static uint8_t direction_of(const struct fake_sa *sa)
{
	const uint8_t *direction = sa->attributes[XFRM_COMPAT_SA_DIR].data;

	return direction ? *direction : 0;
}

static void discard(struct fake_kernel *k, struct fake_sa *sa)
{
	fake_offload_delete(k, sa);
	fake_sa_free(sa);
}

/* xfrm_state_add(): a larval SA with the same addresses and without an SPI is replaced. */
static int add_state(struct fake_request *request, struct fake_sa *sa)
{
	struct fake_kernel *k = request->k;
	struct fake_sa *larval;

	if (locate(k, sa))
		return -EEXIST;
	larval = fake_find_larval_by_sequence(k, sa->mark.v & sa->mark.m, sa);
	if (!larval)
		larval = fake_find_larval(k, sa);
	fake_insert(k, sa);
	if (larval)
		fake_delete(k, larval);
	return 0;
}

static uint16_t encap_type(const struct fake_sa *sa)
{
	const struct xfrm_encap_tmpl *encap = (const void *)sa->attributes[XFRMA_ENCAP].data;

	return encap ? encap->encap_type : 0;
}

/* xfrm_state_update(): a larval SA is replaced by the new state. Of a valid one only little is
 * changed, and the notification shows the submitted state, which is freed. */
static int update_state(struct fake_request *request, struct fake_sa *sa, bool *ret_kept)
{
	struct fake_kernel *k = request->k;
	struct fake_sa *old = locate(k, sa);

	*ret_kept = false;
	if (!old)
		return -ESRCH;
	if (old->state == FAKE_LARVAL) {
		if (direction_of(sa) != 0 && direction_of(sa) != direction_of(old))
			return -ESRCH;
		fake_insert(k, sa);
		fake_delete(k, old);
		*ret_kept = true;
		return 0;
	}
	if (direction_of(sa) != direction_of(old))
		return -ESRCH;
	if (encap_type(sa) != encap_type(old))
		return -EINVAL;
	fake_update_valid(old, sa);
	return 0;
}

static int handle_add(struct fake_request *request)
{
	struct fake_kernel *k = request->k;
	struct fake_sa *sa = NULL;
	bool kept = true;
	int r = fake_construct(request, &sa);

	if (r < 0)
		return r;
	if (request->message->nlmsg_type == XFRM_MSG_NEWSA)
		r = add_state(request, sa);
	else
		r = update_state(request, sa, &kept);
	if (r < 0) {
		discard(k, sa);
		return r;
	}
	/* xfrm_add_sa() makes the state valid only later, after it was inserted and a larval SA
	 * deleted. */
	if (kept) {
		sa->state = FAKE_VOID;
		fake_moment_within(request);
		sa->state = FAKE_VALID;
	}
	fake_notify_sa(request, sa, request->message->nlmsg_type);
	if (!kept) {
		if (k->config.updsa_leaks_slot)
			sa->ifindex = 0; /* xdo_dev_state_delete() is never called */
		discard(k, sa);
	}
	return 0;
}

/* xfrm_del_sa() */
static int handle_delete(struct fake_request *request)
{
	struct fake_sa *sa = lookup_id(request, NLMSG_DATA(request->message));

	if (!sa)
		return -ESRCH;
	fake_unlink(request->k, sa);
	fake_notify_sa(request, sa, XFRM_MSG_DELSA);
	fake_sa_free(sa);
	return 0;
}

static int handle_get(struct fake_request *request)
{
	struct fake_sa *sa = lookup_id(request, NLMSG_DATA(request->message));

	if (!sa)
		return -ESRCH;
	if (request->answers)
		fake_emit_state(request->k, request->answers, sa, request->message->nlmsg_seq,
				request->port, 0);
	return 0;
}

/* __find_acq_core() with create */
static struct fake_sa *make_larval(struct fake_request *request, const struct fake_sa *like)
{
	struct fake_kernel *k = request->k;
	struct fake_sa *larval = fake_allocate(sizeof(*larval));
	uint8_t bits = like->info.family == AF_INET ? 32 : 128;

	larval->state = FAKE_LARVAL;
	larval->creator = request->port;
	larval->info = like->info;
	larval->info.sel = (struct xfrm_selector){.daddr = like->info.id.daddr,
						  .saddr = like->info.saddr,
						  .prefixlen_d = bits,
						  .prefixlen_s = bits};
	larval->info.lft = (struct xfrm_lifetime_cfg){
		.soft_byte_limit = XFRM_INF,
		.hard_byte_limit = XFRM_INF,
		.soft_packet_limit = XFRM_INF,
		.hard_packet_limit = XFRM_INF,
		.hard_add_expires_seconds = k->config.acq_expires,
	};
	larval->info.curlft = (struct xfrm_lifetime_cur){.add_time = (uint64_t)k->now};
	larval->mark = like->mark;
	if (like->attributes[XFRMA_IF_ID].data)
		fake_attribute_set(larval, XFRMA_IF_ID, like->attributes[XFRMA_IF_ID].data, 4);
	if (like->attributes[XFRM_COMPAT_SA_PCPU].data)
		fake_attribute_set(larval, XFRM_COMPAT_SA_PCPU,
				   like->attributes[XFRM_COMPAT_SA_PCPU].data, 4);
	larval->serial = ++k->serial;
	larval->next = k->sas;
	k->sas = larval;
	return larval;
}

/* xfrm_alloc_spi(): takes the lowest free SPI, the kernel a random one. A larval SA that got no SPI
 * stays: xfrm_alloc_userspi() does not delete it. */
static int alloc_spi(struct fake_request *request, struct fake_sa *larval, uint32_t min,
		     uint32_t max)
{
	if (larval->info.id.spi != 0)
		return 0;
	for (uint64_t spi = min ? min : 1; spi <= max; spi++)
		if (!fake_spi_taken(request->k, larval, htonl((uint32_t)spi))) {
			larval->info.id.spi = htonl((uint32_t)spi);
			return 0;
		}
	return fake_request_error(request, -ENOENT, "No SPI available in the requested range");
}

/* The larval SA of this request, for comparison and for creation. */
static void larval_pattern(const struct fake_request *request, struct fake_sa *pattern)
{
	const struct xfrm_userspi_info *p = NLMSG_DATA(request->message);

	*pattern = (struct fake_sa){
		.info = {
			.id = {.daddr = p->info.id.daddr, .proto = p->info.id.proto},
			.saddr = p->info.saddr,
			.reqid = p->info.reqid,
			.family = p->info.family,
			.mode = p->info.mode,
			.seq = p->info.seq,
		}};
	(void)request_mark(request, &pattern->mark);
	if (fake_payload_u32(request, XFRMA_IF_ID) != 0)
		fake_attribute_set(pattern, XFRMA_IF_ID, fake_payload(request, XFRMA_IF_ID), 4);
	if (request->attributes[XFRM_COMPAT_SA_PCPU])
		fake_attribute_set(pattern, XFRM_COMPAT_SA_PCPU,
				   fake_payload(request, XFRM_COMPAT_SA_PCPU), 4);
}

static void release_pattern(struct fake_sa *pattern)
{
	fake_attribute_clear(pattern, XFRMA_IF_ID);
	fake_attribute_clear(pattern, XFRM_COMPAT_SA_PCPU);
}

/* xfrm_alloc_userspi() */
static int handle_alloc_spi(struct fake_request *request)
{
	const struct xfrm_userspi_info *p = NLMSG_DATA(request->message);
	struct fake_sa pattern, *larval;
	int r;

	if (p->info.id.proto != IPPROTO_ESP)
		return fake_request_error(request, -EINVAL,
					  "Invalid protocol, must be one of AH, ESP, IPCOMP");
	if (p->min > p->max)
		return fake_request_error(request, -EINVAL, "Invalid SPI range: min > max");
	larval_pattern(request, &pattern);
	larval =
		fake_find_larval_by_sequence(request->k, pattern.mark.v & pattern.mark.m, &pattern);
	pattern.info.seq = 0; /* a new larval's km.seq */
	if (!larval)
		larval = fake_find_larval(request->k, &pattern);
	if (!larval)
		larval = make_larval(request, &pattern);
	release_pattern(&pattern);
	r = alloc_spi(request, larval, p->min, p->max);
	if (r < 0)
		return r;
	if (request->attributes[XFRM_COMPAT_SA_DIR])
		fake_attribute_set(larval, XFRM_COMPAT_SA_DIR,
				   fake_payload(request, XFRM_COMPAT_SA_DIR), 1);
	if (request->answers)
		fake_emit_state(request->k, request->answers, larval, request->message->nlmsg_seq,
				request->port, 0);
	return 0;
}

/* xfrm_get_ae() */
static int handle_get_aevent(struct fake_request *request)
{
	const struct xfrm_aevent_id *p = NLMSG_DATA(request->message);
	struct fake_sa *sa = lookup_id(request, &p->sa_id);

	if (!sa)
		return -ESRCH;
	fake_emit_aevent(request, sa, p->flags);
	return 0;
}

/* xfrm_new_ae() */
static int handle_new_aevent(struct fake_request *request)
{
	const struct xfrm_aevent_id *p = NLMSG_DATA(request->message);
	const struct xfrm_replay_state_esn *esn = fake_payload(request, XFRMA_REPLAY_ESN_VAL);
	struct fake_sa *sa;

	if (!esn && !request->attributes[XFRMA_REPLAY_VAL] &&
	    !request->attributes[XFRMA_LTIME_VAL] && !request->attributes[XFRMA_ETIMER_THRESH] &&
	    !request->attributes[XFRMA_REPLAY_THRESH])
		return fake_request_error(request, -EINVAL, "Missing required attribute for AE");
	if (!(request->message->nlmsg_flags & NLM_F_REPLACE))
		return fake_request_error(request, -EINVAL, "NLM_F_REPLACE flag is required");
	sa = lookup_id(request, &p->sa_id);
	if (!sa)
		return -ESRCH;
	if (sa->state != FAKE_VALID)
		return fake_request_error(request, -EINVAL, "SA must be in VALID state");
	if (esn && sa->esn && fake_esn_size(esn) != fake_esn_size(sa->esn))
		return fake_request_error(request, -EINVAL,
					  "New ESN size doesn't match the existing SA's ESN size");
	fake_update_aevent(request, sa, true);
	return 0; /* the notification goes to XFRMNLGRP_AEVENTS, which has no members here */
}

/* xfrm_flush_sa(): one notification for all, or none if there was no SA. */
static int handle_flush(struct fake_request *request)
{
	const struct xfrm_usersa_flush *p = NLMSG_DATA(request->message);
	struct fake_buffer b = {};
	struct fake_sa *next;
	unsigned n = 0;

	for (struct fake_sa *sa = request->k->sas; sa; sa = next) {
		next = sa->next;
		if (p->proto == 0 || p->proto == IPSEC_PROTO_ANY || p->proto == sa->info.id.proto) {
			fake_delete(request->k, sa);
			n++;
		}
	}
	if (n > 0) {
		fake_message_begin(&b, XFRM_MSG_FLUSHSA, 0, request->message->nlmsg_seq,
				   request->message->nlmsg_pid, p, sizeof(*p));
		fake_notify(request, (const struct nlmsghdr *)b.data);
		fake_buffer_release(&b);
	}
	return 0;
}

static int handle_get_information(struct fake_request *request)
{
	uint32_t flags = 0, count = 0;
	size_t start;

	for (const struct fake_sa *sa = request->k->sas; sa; sa = sa->next)
		count++;
	if (request->answers) {
		start = fake_message_begin(request->answers, XFRM_MSG_NEWSADINFO, 0,
					   request->message->nlmsg_seq, request->port, &flags,
					   sizeof(flags));
		fake_message_add(request->answers, start, XFRMA_SAD_CNT, &count, sizeof(count));
	}
	return 0;
}

/* xfrm_get_spdinfo() */
static int handle_get_policy_information(struct fake_request *request)
{
	struct xfrmu_spdinfo counts;
	uint32_t flags = 0;
	size_t start;

	fake_policies_count(request->k, &counts);
	if (request->answers) {
		start = fake_message_begin(request->answers, XFRM_MSG_NEWSPDINFO, 0,
					   request->message->nlmsg_seq, request->port, &flags,
					   sizeof(flags));
		fake_message_add(request->answers, start, XFRMA_SPD_INFO, &counts, sizeof(counts));
	}
	return 0;
}

static const struct {
	uint16_t type;
	size_t size; /* xfrm_msg_min[] */
	int (*handler)(struct fake_request *request);
} handlers[] = {
	{XFRM_MSG_NEWSA, sizeof(struct xfrm_usersa_info), handle_add},
	{XFRM_MSG_UPDSA, sizeof(struct xfrm_usersa_info), handle_add},
	{XFRM_MSG_DELSA, sizeof(struct xfrm_usersa_id), handle_delete},
	{XFRM_MSG_GETSA, sizeof(struct xfrm_usersa_id), handle_get},
	{XFRM_MSG_ALLOCSPI, sizeof(struct xfrm_userspi_info), handle_alloc_spi},
	{XFRM_MSG_GETAE, sizeof(struct xfrm_aevent_id), handle_get_aevent},
	{XFRM_MSG_NEWAE, sizeof(struct xfrm_aevent_id), handle_new_aevent},
	{XFRM_MSG_FLUSHSA, sizeof(struct xfrm_usersa_flush), handle_flush},
	{XFRM_MSG_GETSADINFO, sizeof(uint32_t), handle_get_information},
	{XFRM_MSG_GETSPDINFO, sizeof(uint32_t), handle_get_policy_information},
	{XFRM_COMPAT_MSG_MIGRATE_STATE, sizeof(struct xfrm_compat_migrate_state),
	 fake_migrate_state},
};

/* xfrma_policy[]: the least size of an attribute. */
static size_t least_size(uint16_t type)
{
	switch (type) {
	case XFRMA_SA:
		return sizeof(struct xfrm_usersa_info);
	case XFRMA_ALG_AEAD:
		return sizeof(struct xfrm_algo_aead);
	case XFRMA_ALG_AUTH_TRUNC:
		return sizeof(struct xfrm_algo_auth);
	case XFRMA_ALG_AUTH:
	case XFRMA_ALG_CRYPT:
		return sizeof(struct xfrm_algo);
	case XFRMA_ENCAP:
		return sizeof(struct xfrm_encap_tmpl);
	case XFRMA_LTIME_VAL:
		return sizeof(struct xfrm_lifetime_cur);
	case XFRMA_REPLAY_VAL:
		return sizeof(struct xfrm_replay_state);
	case XFRMA_REPLAY_ESN_VAL:
		return sizeof(struct xfrm_replay_state_esn);
	case XFRMA_MARK:
	case XFRMA_OFFLOAD_DEV:
	case XFRMA_LASTUSED:
		return 8;
	case XFRMA_COADDR:
	case XFRMA_SRCADDR:
		return sizeof(xfrm_address_t);
	case XFRM_COMPAT_SA_DIR:
		return 1;
	case XFRMA_PAD:
	case XFRMA_SEC_CTX:
		return 0;
	default:
		return type <= XFRM_COMPAT_ATTRIBUTE_KNOWN_MAX ? 4 : 0;
	}
}

/* nlmsg_parse_deprecated() */
static int parse(struct fake_request *request, size_t fixed)
{
	const uint8_t *p = (const uint8_t *)request->message + NLMSG_SPACE(fixed);
	const uint8_t *end = (const uint8_t *)request->message + request->message->nlmsg_len;

	while (p + NLA_HDRLEN <= end) {
		const struct nlattr *attribute = (const struct nlattr *)p;
		uint16_t type = attribute->nla_type & NLA_TYPE_MASK;

		if (attribute->nla_len < NLA_HDRLEN || p + attribute->nla_len > end)
			break;
		if (type < FAKE_ATTRIBUTES && type <= request->k->config.attribute_max) {
			if ((size_t)(attribute->nla_len - NLA_HDRLEN) < least_size(type))
				return fake_request_error(request, -ERANGE,
							  "Attribute failed policy validation");
			request->attributes[type] = attribute;
		}
		p += NLA_ALIGN(attribute->nla_len);
	}
	return 0;
}

/* xfrm_reject_unused_attr() */
static bool takes_direction(uint16_t type)
{
	return type == XFRM_MSG_NEWSA || type == XFRM_MSG_UPDSA || type == XFRM_MSG_ALLOCSPI;
}

int fake_process(struct fake_request *request)
{
	uint16_t type = request->message->nlmsg_type;
	int r;

	for (size_t i = 0; i < ELEMENTSOF(handlers); i++) {
		if (handlers[i].type != type)
			continue;
		if (type == XFRM_COMPAT_MSG_MIGRATE_STATE &&
		    request->k->config.migrate_state == FAKE_MIGRATE_ABSENT)
			return -EINVAL;
		if (request->message->nlmsg_len < NLMSG_LENGTH(handlers[i].size))
			return fake_request_error(request, -EINVAL, "Invalid header length");
		r = parse(request, handlers[i].size);
		if (r < 0)
			return r;
		if (request->attributes[XFRM_COMPAT_SA_DIR] && !takes_direction(type))
			return fake_request_error(request, -EINVAL, "Invalid attribute SA_DIR");
		return handlers[i].handler(request);
	}
	return -EINVAL;
}

void fake_refuse(struct fake_request *request)
{
	struct fake_sa pattern, *sa = NULL;

	if (request->message->nlmsg_type == XFRM_MSG_DELSA &&
	    parse(request, sizeof(struct xfrm_usersa_id)) == 0) {
		sa = lookup_id(request, NLMSG_DATA(request->message));
	} else if (request->message->nlmsg_type == XFRM_MSG_ALLOCSPI &&
		   parse(request, sizeof(struct xfrm_userspi_info)) == 0) {
		larval_pattern(request, &pattern);
		sa = fake_find_larval(request->k, &pattern);
		release_pattern(&pattern);
	}
	if (sa && sa->state == FAKE_LARVAL)
		sa->spared++;
}
