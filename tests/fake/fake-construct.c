// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From a NEWSA or UPDSA message to a state: verify_newsa_info() and xfrm_state_construct() of
 * xfrm_user.c, attribute by attribute.
 */
#include "fake-internal.h"

#include <errno.h>
#include <string.h>

int fake_request_error(struct fake_request *request, int error, const char *text)
{
	(void)snprintf(request->text, sizeof(request->text), "%s", text);
	return error;
}

const void *fake_payload(const struct fake_request *request, uint16_t type)
{
	const struct nlattr *attribute = request->attributes[type];

	return attribute ? (const uint8_t *)attribute + NLA_HDRLEN : NULL;
}

uint32_t fake_payload_u32(const struct fake_request *request, uint16_t type)
{
	const void *payload = fake_payload(request, type);
	uint32_t value = 0;

	if (payload)
		memcpy(&value, payload, sizeof(value));
	return value;
}

static size_t payload_size(const struct fake_request *request, uint16_t type)
{
	const struct nlattr *attribute = request->attributes[type];

	return attribute ? (size_t)(attribute->nla_len - NLA_HDRLEN) : 0;
}

static uint8_t payload_direction(const struct fake_request *request)
{
	const uint8_t *direction = fake_payload(request, XFRM_COMPAT_SA_DIR);

	return direction ? *direction : 0;
}

/* verify_replay(), the part about the bitmap */
static int verify_esn(struct fake_request *request, const struct xfrm_usersa_info *info)
{
	const struct xfrm_replay_state_esn *esn = fake_payload(request, XFRMA_REPLAY_ESN_VAL);
	size_t size = payload_size(request, XFRMA_REPLAY_ESN_VAL);

	if (!esn) {
		if (info->flags & XFRM_STATE_ESN)
			return fake_request_error(request, -EINVAL,
						  "Missing required attribute for ESN");
		return 0;
	}
	if (esn->bmp_len > XFRMA_REPLAY_ESN_MAX / 32)
		return fake_request_error(request, -EINVAL, "ESN bitmap length must be <= 128");
	if (size < fake_esn_size(esn) && size != sizeof(*esn))
		return fake_request_error(
			request, -EINVAL,
			"ESN attribute is too short to fit the full bitmap length");
	if (info->replay_window != 0)
		return fake_request_error(request, -EINVAL,
					  "ESN not compatible with legacy replay_window");
	if (payload_direction(request) == XFRM_COMPAT_SA_DIR_OUT &&
	    (esn->replay_window || esn->seq || esn->seq_hi || esn->bmp_len))
		return fake_request_error(request, -EINVAL,
					  "Replay window should be 0 for output SA");
	if (payload_direction(request) == XFRM_COMPAT_SA_DIR_IN && (esn->oseq || esn->oseq_hi))
		return fake_request_error(request, -EINVAL,
					  "Replay oseq and oseq_hi should be 0 for input SA");
	/* xfrm_init_replay() */
	if (esn->replay_window > esn->bmp_len * 32)
		return fake_request_error(
			request, -EINVAL,
			"ESN replay window is too large for the chosen bitmap size");
	if ((info->flags & XFRM_STATE_ESN) && esn->replay_window == 0 &&
	    payload_direction(request) != XFRM_COMPAT_SA_DIR_OUT)
		return fake_request_error(request, -EINVAL, "ESN replay window must be > 0");
	return 0;
}

static int verify_direction(struct fake_request *request, const struct xfrm_usersa_info *info)
{
	const struct xfrm_replay_state *replay = fake_payload(request, XFRMA_REPLAY_VAL);
	uint32_t extra = fake_payload_u32(request, XFRMA_SA_EXTRA_FLAGS);

	switch (payload_direction(request)) {
	case XFRM_COMPAT_SA_DIR_OUT:
		if (info->flags & (XFRM_STATE_DECAP_DSCP | XFRM_STATE_ICMP | XFRM_STATE_WILDRECV))
			return fake_request_error(request, -EINVAL,
						  "Flag should not be set for output SA");
		if (info->replay_window != 0)
			return fake_request_error(request, -EINVAL,
						  "Replay window should be 0 for output SA");
		if (replay && (replay->seq || replay->bitmap))
			return fake_request_error(
				request, -EINVAL,
				"Replay seq and bitmap should be 0 for output SA");
		if (request->attributes[XFRMA_MTIMER_THRESH])
			return fake_request_error(
				request, -EINVAL,
				"MTIMER_THRESH attribute should not be set on output SA");
		return 0;
	case XFRM_COMPAT_SA_DIR_IN:
		if ((info->flags & XFRM_STATE_NOPMTUDISC) ||
		    (extra & (XFRM_SA_XFLAG_DONT_ENCAP_DSCP | XFRM_SA_XFLAG_OSEQ_MAY_WRAP)))
			return fake_request_error(request, -EINVAL,
						  "Flag should not be set for input SA");
		return 0;
	default:
		if (request->attributes[XFRM_COMPAT_SA_PCPU])
			return fake_request_error(request, -EINVAL,
						  "SA_PCPU only supported with SA_DIR");
		return 0;
	}
}

static int verify_algorithms(struct fake_request *request)
{
	bool aead = request->attributes[XFRMA_ALG_AEAD];
	bool crypt = request->attributes[XFRMA_ALG_CRYPT];
	bool auth =
		request->attributes[XFRMA_ALG_AUTH] || request->attributes[XFRMA_ALG_AUTH_TRUNC];
	const struct xfrm_algo_aead *a = fake_payload(request, XFRMA_ALG_AEAD);
	const struct xfrm_algo *c = fake_payload(request, XFRMA_ALG_CRYPT);

	if (!aead && !crypt && !auth)
		return fake_request_error(request, -EINVAL,
					  "Missing required attribute for ESP: at least one of "
					  "AUTH, AUTH_TRUNC, CRYPT, AEAD");
	if (aead && (crypt || auth))
		return fake_request_error(request, -EINVAL,
					  "Invalid attribute combination for ESP: AEAD can't be "
					  "used with AUTH, AUTH_TRUNC, CRYPT");
	if ((a && payload_size(request, XFRMA_ALG_AEAD) < sizeof(*a) + (a->alg_key_len + 7) / 8) ||
	    (c && payload_size(request, XFRMA_ALG_CRYPT) < sizeof(*c) + (c->alg_key_len + 7) / 8))
		return fake_request_error(request, -EINVAL, "Invalid algorithm attribute length");
	if (a && strncmp(a->alg_name, "rfc", 3) != 0) /* xfrm_aead_get_byname() */
		return fake_request_error(request, -ENOSYS, "Requested AEAD algorithm not found");
	if (a && (a->alg_key_len < 160 || a->alg_key_len > 288)) /* crypto_aead_setkey() */
		return fake_request_error(
			request, -EINVAL,
			"Kernel was unable to initialize cryptographic operations");
	return 0;
}

/* __xfrm_init_state() */
static int verify_keepalive(struct fake_request *request)
{
	if (fake_payload_u32(request, XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL) == 0)
		return 0;
	if (payload_direction(request) != XFRM_COMPAT_SA_DIR_OUT)
		return fake_request_error(request, -EINVAL,
					  "NAT keepalive is only supported for outbound SAs");
	if (!request->attributes[XFRMA_ENCAP])
		return fake_request_error(request, -EINVAL,
					  "NAT keepalive is only supported for UDP encapsulation");
	return 0;
}

static int verify(struct fake_request *request, const struct xfrm_usersa_info *info)
{
	int r;

	if (info->family != AF_INET && info->family != AF_INET6)
		return fake_request_error(request, -EINVAL, "Invalid address family");
	if (info->id.proto != IPPROTO_ESP)
		return fake_request_error(request, -EINVAL, "Unsupported protocol");
	if (info->mode > XFRM_MODE_BEET)
		return fake_request_error(request, -EINVAL, "Unsupported mode");
	r = verify_algorithms(request);
	if (r < 0)
		return r;
	r = verify_esn(request, info);
	if (r < 0)
		return r;
	r = verify_keepalive(request);
	if (r < 0)
		return r;
	if (request->attributes[XFRMA_MTIMER_THRESH] && !request->attributes[XFRMA_ENCAP])
		return fake_request_error(
			request, -EINVAL,
			"MTIMER_THRESH attribute can only be set on ENCAP states");
	return verify_direction(request, info);
}

/* attach_auth(): ALG_AUTH says no truncation, so the algorithm's own applies. */
static void attach_auth(struct fake_request *request, struct fake_sa *sa)
{
	const struct xfrm_algo *plain = fake_payload(request, XFRMA_ALG_AUTH);
	size_t key_size = (plain->alg_key_len + 7) / 8;
	struct xfrm_algo_auth *auth = fake_allocate(sizeof(*auth) + key_size);

	memcpy(auth->alg_name, plain->alg_name, sizeof(auth->alg_name));
	auth->alg_key_len = plain->alg_key_len;
	auth->alg_trunc_len = strstr(plain->alg_name, "sha1") ? 96 : 128;
	memcpy(auth->alg_key, plain->alg_key, key_size);
	fake_attribute_set(sa, XFRMA_ALG_AUTH_TRUNC, auth, sizeof(*auth) + key_size);
	free(auth);
}

/* Numbers that copy_to_user_state_extra() emits only if they are not zero. */
static bool zero_is_absent(uint16_t type)
{
	return type == XFRMA_SA_EXTRA_FLAGS || type == XFRMA_TFCPAD || type == XFRMA_IF_ID ||
	       type == XFRMA_MTIMER_THRESH || type == XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL;
}

static bool is_interpreted(uint16_t type)
{
	return type == XFRMA_UNSPEC || (type >= XFRMA_TMPL && type <= XFRMA_POLICY) ||
	       (type >= XFRMA_LTIME_VAL && type <= XFRMA_SRCADDR) || type == XFRMA_LASTUSED ||
	       type == XFRMA_MARK || type == XFRMA_REPLAY_ESN_VAL || type == XFRMA_PROTO ||
	       type == XFRMA_ADDRESS_FILTER || type == XFRMA_PAD || type == XFRMA_OFFLOAD_DEV ||
	       type == XFRMA_POLICY_TYPE || type == XFRMA_MIGRATE || type == XFRMA_KMADDRESS ||
	       type == XFRMA_ALG_AUTH;
}

static void copy_attributes(struct fake_request *request, struct fake_sa *sa)
{
	for (uint16_t i = 0; i < FAKE_ATTRIBUTES && i <= request->k->config.attribute_max; i++) {
		if (!request->attributes[i] || is_interpreted(i))
			continue;
		if (zero_is_absent(i) && fake_payload_u32(request, i) == 0)
			continue;
		fake_attribute_set(sa, i, fake_payload(request, i), payload_size(request, i));
	}
	if (request->attributes[XFRMA_ALG_AUTH] && !request->attributes[XFRMA_ALG_AUTH_TRUNC])
		attach_auth(request, sa);
	/* xfrm_smark_init() */
	if (sa->attributes[XFRMA_SET_MARK].data && !sa->attributes[XFRMA_SET_MARK_MASK].data)
		fake_attribute_set(sa, XFRMA_SET_MARK_MASK, &(uint32_t){UINT32_MAX}, 4);
	if (!sa->attributes[XFRMA_SET_MARK].data)
		fake_attribute_clear(sa, XFRMA_SET_MARK_MASK);
}

/* xfrm_alloc_replay_state_esn(): the header alone is enough, the bitmap is then empty. */
static void copy_esn(struct fake_request *request, struct fake_sa *sa)
{
	const struct xfrm_replay_state_esn *esn = fake_payload(request, XFRMA_REPLAY_ESN_VAL);
	size_t size = payload_size(request, XFRMA_REPLAY_ESN_VAL);

	if (!esn)
		return;
	sa->esn = fake_allocate(fake_esn_size(esn));
	memcpy(sa->esn, esn, size >= fake_esn_size(esn) ? fake_esn_size(esn) : sizeof(*esn));
}

/* xfrm_update_ae_params() */
void fake_update_aevent(struct fake_request *request, struct fake_sa *sa, bool update_esn)
{
	const void *lifetime = fake_payload(request, XFRMA_LTIME_VAL);
	const struct xfrm_replay_state *replay = fake_payload(request, XFRMA_REPLAY_VAL);
	const struct xfrm_replay_state_esn *esn = fake_payload(request, XFRMA_REPLAY_ESN_VAL);

	if (esn && update_esn && sa->esn)
		memcpy(sa->esn, esn, fake_esn_size(esn));
	if (replay)
		sa->replay = *replay;
	if (lifetime)
		memcpy(&sa->info.curlft, lifetime, sizeof(sa->info.curlft)); /* aligned to 4 */
	if (request->attributes[XFRMA_ETIMER_THRESH])
		sa->replay_maxage = fake_payload_u32(request, XFRMA_ETIMER_THRESH);
	if (request->attributes[XFRMA_REPLAY_THRESH])
		sa->replay_maxdiff = fake_payload_u32(request, XFRMA_REPLAY_THRESH);
}

/* copy_from_user_state(): the struct's curlft and stats are ignored. */
static void copy_info(struct fake_kernel *k, struct fake_sa *sa,
		      const struct xfrm_usersa_info *info)
{
	sa->info = *info;
	sa->info.curlft = (struct xfrm_lifetime_cur){.add_time = (uint64_t)k->now};
	sa->info.stats = (struct xfrm_stats){};
	if (sa->info.replay_window > 32)
		sa->info.replay_window = 32;
	if (!sa->info.sel.family && !(info->flags & XFRM_STATE_AF_UNSPEC))
		sa->info.sel.family = info->family;
}

int fake_construct(struct fake_request *request, struct fake_sa **ret_sa)
{
	const struct xfrm_usersa_info *info = NLMSG_DATA(request->message);
	const struct xfrm_mark *mark = fake_payload(request, XFRMA_MARK);
	const struct xfrm_user_offload *offload = fake_payload(request, XFRMA_OFFLOAD_DEV);
	struct fake_kernel *k = request->k;
	struct fake_sa *sa;
	int r = verify(request, info);

	if (r < 0)
		return r;
	sa = fake_allocate(sizeof(*sa));
	sa->creator = request->port;
	copy_info(k, sa, info);
	copy_attributes(request, sa);
	copy_esn(request, sa);
	if (mark)
		sa->mark = *mark;
	sa->replay_maxdiff = k->config.aevent_rseqth;
	sa->replay_maxage = k->config.aevent_etime * FAKE_HZ / 10;
	fake_update_aevent(request, sa, false);
	if (offload) {
		r = fake_offload_add(request, sa, offload);
		if (r < 0) {
			fake_sa_free(sa);
			return r;
		}
	}
	*ret_sa = sa;
	return 0;
}
