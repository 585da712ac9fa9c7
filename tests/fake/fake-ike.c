// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The IKE daemon. It uses the same requests as the daemon, from another port. The SAs that it
 * expects are recorded as beliefs and compared with the kernel.
 */
#include "fake-internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

bool fake_same_key(const struct fake_sa *a, const struct fake_sa *b)
{
	static const uint16_t types[] = {XFRMA_ALG_AEAD, XFRMA_ALG_CRYPT, XFRMA_ALG_AUTH_TRUNC};

	for (size_t i = 0; i < ELEMENTSOF(types); i++)
		if (!fake_same_attribute(a, b, types[i]))
			return false;
	return true;
}

/* The SA with the identity of the belief, larval or not. */
struct fake_sa *fake_belief_find(struct fake_kernel *k, const struct fake_belief *belief)
{
	const struct fake_sa *like = belief->sa;

	for (struct fake_sa *sa = k->sas; sa; sa = sa->next)
		if (sa->info.family == like->info.family && sa->info.id.spi == like->info.id.spi &&
		    sa->info.id.proto == like->info.id.proto &&
		    fake_same_address(&sa->info.id.daddr, &like->info.id.daddr,
				      like->info.family) &&
		    sa->mark.v == like->mark.v && sa->mark.m == like->mark.m)
			return sa;
	return NULL;
}

struct fake_belief *fake_belief_of_key(struct fake_kernel *k, const struct fake_sa *sa)
{
	for (struct fake_belief *b = k->beliefs; b; b = b->next)
		if (fake_same_key(b->sa, sa))
			return b;
	return NULL;
}

/* ---- Making an SA from its specification ---- */

xfrm_address_t fake_address(uint16_t family, uint32_t last)
{
	xfrm_address_t a = {};

	if (family == AF_INET) {
		a.a4 = htonl(0x0a000000 + last);
	} else {
		a.a6[0] = htonl(0x20010db8);
		a.a6[3] = htonl(last);
	}
	return a;
}

static void set_key(struct fake_kernel *k, struct fake_sa *sa, const struct fake_sa_spec *spec)
{
	unsigned bits = spec->key_bits ? spec->key_bits : spec->cbc_sha256 ? 128 : 160;
	_Alignas(struct xfrm_algo_auth) uint8_t bytes[256] = {};
	struct xfrm_algo_aead *aead = (struct xfrm_algo_aead *)bytes;
	struct xfrm_algo *crypt = (struct xfrm_algo *)bytes;
	struct xfrm_algo_auth *auth = (struct xfrm_algo_auth *)bytes;
	uint32_t unique = ++k->next_spi * 2654435761u;

	if (!spec->cbc_sha256) {
		(void)strcpy(aead->alg_name, "rfc4106(gcm(aes))");
		aead->alg_key_len = bits;
		aead->alg_icv_len = spec->icv_bits ? spec->icv_bits : 128;
		memset(aead->alg_key, 0xa5, bits / 8);
		memcpy(aead->alg_key, &unique, sizeof(unique));
		fake_attribute_set(sa, XFRMA_ALG_AEAD, aead, sizeof(*aead) + bits / 8);
		return;
	}
	(void)strcpy(crypt->alg_name, "cbc(aes)");
	crypt->alg_key_len = bits;
	memset(crypt->alg_key, 0x5a, bits / 8);
	memcpy(crypt->alg_key, &unique, sizeof(unique));
	fake_attribute_set(sa, XFRMA_ALG_CRYPT, crypt, sizeof(*crypt) + bits / 8);
	memset(bytes, 0, sizeof(bytes));
	(void)strcpy(auth->alg_name, "hmac(sha256)");
	auth->alg_key_len = 256;
	auth->alg_trunc_len = spec->icv_bits ? spec->icv_bits : 128;
	memset(auth->alg_key, 0x3c, 32);
	memcpy(auth->alg_key, &unique, sizeof(unique));
	fake_attribute_set(sa, XFRMA_ALG_AUTH_TRUNC, auth, sizeof(*auth) + 32);
}

static void set_replay(struct fake_sa *sa, const struct fake_sa_spec *spec)
{
	uint32_t window = spec->window ? spec->window : spec->inbound ? 32 : 0;
	/* An ESN state without a direction must have a window, outbound too. */
	uint32_t esn_window = window ? window : spec->direction ? 0 : 32;
	uint32_t words = (esn_window + 31) / 32;

	if (!spec->esn && window <= 32) {
		sa->info.replay_window = (uint8_t)window;
		if (spec->inbound) {
			sa->replay.seq = (uint32_t)spec->sequence;
			sa->replay.bitmap = spec->sequence ? 1 : 0;
		} else {
			sa->replay.oseq = (uint32_t)spec->sequence;
		}
		return;
	}
	sa->info.flags |= spec->esn ? XFRM_STATE_ESN : 0;
	sa->esn = fake_allocate(sizeof(*sa->esn) + words * sizeof(uint32_t));
	sa->esn->bmp_len = words;
	sa->esn->replay_window = esn_window;
	if (!spec->inbound) {
		sa->esn->oseq = (uint32_t)spec->sequence;
		sa->esn->oseq_hi = (uint32_t)(spec->sequence >> 32);
	} else if (spec->sequence > 0) {
		uint32_t bit = ((uint32_t)spec->sequence - 1) % esn_window;

		sa->esn->seq = (uint32_t)spec->sequence;
		sa->esn->seq_hi = (uint32_t)(spec->sequence >> 32);
		sa->esn->bmp[bit >> 5] |= 1u << (bit & 31);
	}
}

static void set_info(struct fake_sa *sa, const struct fake_sa_spec *spec)
{
	uint16_t family = spec->family ? spec->family : AF_INET;
	xfrm_address_t here = fake_address(family, 0x10000 - 1);
	xfrm_address_t peer = fake_address(family, 1 + spec->peer);

	sa->info = (struct xfrm_usersa_info){
		.id = {.daddr = spec->inbound ? here : peer,
		       .spi = htonl(spec->spi ? spec->spi : 0x1000),
		       .proto = IPPROTO_ESP},
		.saddr = spec->inbound ? peer : here,
		.lft = {.soft_byte_limit = XFRM_INF,
			.hard_byte_limit = XFRM_INF,
			.soft_packet_limit = XFRM_INF,
			.hard_packet_limit = XFRM_INF,
			.soft_add_expires_seconds = spec->soft_seconds,
			.hard_add_expires_seconds = spec->hard_seconds},
		.seq = spec->km_seq,
		.reqid = spec->reqid,
		.family = family,
		.mode = spec->mode        ? spec->mode
			: spec->transport ? XFRM_MODE_TRANSPORT
					  : XFRM_MODE_TUNNEL,
		.flags = spec->transport ? 0 : XFRM_STATE_AF_UNSPEC,
	};
	if (spec->transport)
		sa->info.sel.family = family;
}

static void set_label(struct fake_sa *sa, const char *label)
{
	_Alignas(struct xfrm_user_sec_ctx) uint8_t bytes[64] = {};
	struct xfrm_user_sec_ctx *context = (struct xfrm_user_sec_ctx *)bytes;
	size_t size = strlen(label) + 1;

	if (sizeof(*context) + size > sizeof(bytes))
		abort();
	context->len = (uint16_t)(sizeof(*context) + size);
	context->exttype = XFRMA_SEC_CTX;
	context->ctx_alg = XFRM_SC_ALG_SELINUX;
	context->ctx_doi = XFRM_SC_DOI_LSM;
	context->ctx_len = (uint16_t)size;
	memcpy(context + 1, label, size);
	fake_attribute_set(sa, XFRMA_SEC_CTX, bytes, sizeof(*context) + size);
}

static void set_u32(struct fake_sa *sa, uint16_t type, uint32_t value)
{
	fake_attribute_set(sa, type, &value, sizeof(value));
}

/* Sets rare attributes. */
static void set_extras(struct fake_sa *sa, const struct fake_sa_spec *spec)
{
	xfrm_address_t coaddr = fake_address(sa->info.family, 0x20000);

	if (spec->nat_keepalive)
		set_u32(sa, XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL, spec->nat_keepalive);
	if (spec->coaddr)
		fake_attribute_set(sa, XFRMA_COADDR, &coaddr, sizeof(coaddr));
	if (spec->label)
		set_label(sa, spec->label);
	if (spec->cpu)
		set_u32(sa, XFRM_COMPAT_SA_PCPU, spec->cpu - 1);
	if (spec->extra_flags)
		set_u32(sa, XFRMA_SA_EXTRA_FLAGS, spec->extra_flags);
	if (spec->set_mark.v | spec->set_mark.m) {
		set_u32(sa, XFRMA_SET_MARK, spec->set_mark.v);
		set_u32(sa, XFRMA_SET_MARK_MASK, spec->set_mark.m);
	}
}

static struct fake_sa *make(struct fake_kernel *k, const struct fake_sa_spec *spec)
{
	struct fake_sa *sa = fake_allocate(sizeof(*sa));
	struct xfrm_encap_tmpl encap = {.encap_type = 2, /* UDP_ENCAP_ESPINUDP */
					.encap_sport = htons(4500),
					.encap_dport = htons(4500)};
	uint8_t direction = spec->inbound ? XFRM_COMPAT_SA_DIR_IN : XFRM_COMPAT_SA_DIR_OUT;

	set_info(sa, spec);
	set_key(k, sa, spec);
	set_replay(sa, spec);
	sa->mark = spec->mark;
	sa->ifindex = spec->ifindex;
	sa->offload_flags = (uint8_t)((spec->inbound ? XFRM_OFFLOAD_INBOUND : 0) |
				      (spec->packet ? XFRM_COMPAT_OFFLOAD_PACKET : 0));
	sa->replay_maxdiff = spec->replay_threshold;
	if (spec->if_id)
		fake_attribute_set(sa, XFRMA_IF_ID, &spec->if_id, sizeof(spec->if_id));
	if (spec->encap)
		fake_attribute_set(sa, XFRMA_ENCAP, &encap, sizeof(encap));
	if (spec->direction)
		fake_attribute_set(sa, XFRM_COMPAT_SA_DIR, &direction, sizeof(direction));
	set_extras(sa, spec);
	return sa;
}

/* ---- Requests ---- */

void fake_ike_failed(struct fake_kernel *k, const char *format, ...)
{
	va_list arguments;

	k->ike_errors++;
	va_start(arguments, format);
	(void)vsnprintf(k->ike_failure, sizeof(k->ike_failure), format, arguments);
	va_end(arguments);
}

static int submit(struct fake_kernel *k, const struct fake_buffer *b)
{
	struct fake_request request = {
		.k = k,
		.message = (const struct nlmsghdr *)b->data,
		.port = FAKE_IKE_PORT,
	};

	return fake_process(&request);
}

int fake_submit_sa(struct fake_kernel *k, uint16_t type, const struct fake_sa *sa, bool lifetime)
{
	struct xfrm_user_offload offload = {.ifindex = sa->ifindex, .flags = sa->offload_flags};
	struct fake_buffer b = {};
	size_t start = fake_message_begin(&b, type, NLM_F_REQUEST | NLM_F_ACK, 1, FAKE_IKE_PORT,
					  &sa->info, sizeof(sa->info));
	int r;

	for (int i = 0; i <= XFRM_COMPAT_ATTRIBUTE_KNOWN_MAX; i++)
		if (sa->attributes[i].data)
			fake_message_add(&b, start, (uint16_t)i, sa->attributes[i].data,
					 sa->attributes[i].size);
	if (sa->mark.v | sa->mark.m)
		fake_message_add(&b, start, XFRMA_MARK, &sa->mark, sizeof(sa->mark));
	if (sa->esn)
		fake_message_add(&b, start, XFRMA_REPLAY_ESN_VAL, sa->esn, fake_esn_size(sa->esn));
	else
		fake_message_add(&b, start, XFRMA_REPLAY_VAL, &sa->replay, sizeof(sa->replay));
	if (sa->replay_maxdiff)
		fake_message_add(&b, start, XFRMA_REPLAY_THRESH, &sa->replay_maxdiff, 4);
	if (sa->ifindex)
		fake_message_add(&b, start, XFRMA_OFFLOAD_DEV, &offload, sizeof(offload));
	if (lifetime)
		fake_message_add(&b, start, XFRMA_LTIME_VAL, &sa->info.curlft,
				 sizeof(sa->info.curlft));
	r = submit(k, &b);
	fake_buffer_release(&b);
	return r;
}

/* IKE daemons reserve an inbound SPI first. */
static int submit_spi(struct fake_kernel *k, const struct fake_sa *sa)
{
	struct xfrm_userspi_info p = {
		.info = sa->info, .min = ntohl(sa->info.id.spi), .max = ntohl(sa->info.id.spi)};
	const struct fake_attribute *direction = &sa->attributes[XFRM_COMPAT_SA_DIR];
	struct fake_buffer b = {};
	size_t start = fake_message_begin(&b, XFRM_MSG_ALLOCSPI, NLM_F_REQUEST, 1, FAKE_IKE_PORT,
					  &p, sizeof(p));
	int r;

	if (sa->mark.v | sa->mark.m)
		fake_message_add(&b, start, XFRMA_MARK, &sa->mark, sizeof(sa->mark));
	if (sa->attributes[XFRMA_IF_ID].data)
		fake_message_add(&b, start, XFRMA_IF_ID, sa->attributes[XFRMA_IF_ID].data, 4);
	if (direction->data)
		fake_message_add(&b, start, XFRM_COMPAT_SA_DIR, direction->data, 1);
	if (sa->attributes[XFRM_COMPAT_SA_PCPU].data)
		fake_message_add(&b, start, XFRM_COMPAT_SA_PCPU,
				 sa->attributes[XFRM_COMPAT_SA_PCPU].data, 4);
	r = submit(k, &b);
	fake_buffer_release(&b);
	return r;
}

static struct fake_belief *believe(struct fake_kernel *k, const struct fake_sa *sa, bool inbound)
{
	struct fake_belief *belief = fake_allocate(sizeof(*belief));

	belief->sa = fake_sa_copy(sa);
	belief->alive = true;
	belief->tolerated = UINT64_MAX;
	belief->inbound = inbound;
	belief->wire.last_sent = fake_sequence_out(sa);
	belief->wire.last_accepted = fake_sequence_in(sa);
	if (belief->wire.last_accepted != 0) {
		belief->wire.accepted = fake_allocate(sizeof(*belief->wire.accepted));
		belief->wire.accepted[0] = belief->wire.last_accepted;
		belief->wire.n_accepted = 1;
	}
	belief->next = k->beliefs;
	k->beliefs = belief;
	return belief;
}

static bool is_reserved(struct fake_kernel *k, const struct fake_sa *sa)
{
	const struct fake_sa *found =
		fake_lookup(k, sa->mark.v & sa->mark.m, &sa->info.id.daddr, sa->info.id.spi,
			    sa->info.id.proto, sa->info.family);

	return found && found->state == FAKE_LARVAL;
}

static int install(struct fake_kernel *k, const struct fake_sa *sa, bool inbound, bool by_update,
		   struct fake_belief **ret_belief)
{
	struct fake_belief wanted = {.sa = (struct fake_sa *)sa};
	struct fake_sa *made;
	int r = 0;

	if (by_update && !is_reserved(k, sa))
		r = submit_spi(k, sa);
	if (r >= 0)
		r = fake_submit_sa(k, by_update ? XFRM_MSG_UPDSA : XFRM_MSG_NEWSA, sa, false);
	if (r < 0)
		return r;
	made = fake_belief_find(k, &wanted);
	if (!made)
		return -ENOENT;
	*ret_belief = believe(k, made, inbound);
	return 0;
}

int fake_ike_add(struct fake_kernel *k, const struct fake_sa_spec *spec,
		 struct fake_belief **ret_belief)
{
	struct fake_sa *sa = make(k, spec);
	int r = install(k, sa, spec->inbound, spec->by_update, ret_belief);

	fake_sa_free(sa);
	return r;
}

int fake_ike_delete(struct fake_kernel *k, struct fake_belief *belief)
{
	struct xfrm_usersa_id id = {
		.daddr = belief->sa->info.id.daddr,
		.spi = belief->sa->info.id.spi,
		.family = belief->sa->info.family,
		.proto = belief->sa->info.id.proto,
	};
	const struct xfrm_mark *mark = &belief->sa->mark;
	struct fake_buffer b = {};
	size_t start = fake_message_begin(&b, XFRM_MSG_DELSA, NLM_F_REQUEST | NLM_F_ACK, 1,
					  FAKE_IKE_PORT, &id, sizeof(id));
	int r;

	if (mark->v | mark->m)
		fake_message_add(&b, start, XFRMA_MARK, mark, sizeof(*mark));
	r = submit(k, &b);
	fake_buffer_release(&b);
	belief->alive = false;
	return r;
}

/* A new copy of a belief's SA as an IKE daemon would send it: without sequence numbers. */
struct fake_sa *fake_template(const struct fake_belief *belief)
{
	struct fake_sa *sa = fake_sa_copy(belief->sa);

	sa->replay = (struct xfrm_replay_state){};
	if (sa->esn) {
		sa->esn->oseq = sa->esn->oseq_hi = sa->esn->seq = sa->esn->seq_hi = 0;
		memset(sa->esn->bmp, 0, sa->esn->bmp_len * sizeof(sa->esn->bmp[0]));
	}
	sa->ifindex = 0;
	return sa;
}

/* From now on the belief is the SA that the IKE daemon made from a larval SA. */
static void believe_anew(struct fake_kernel *k, struct fake_belief *belief)
{
	const struct fake_sa *made = fake_belief_find(k, belief);

	belief->renewed = true;
	if (!made)
		abort();
	fake_sa_free(belief->sa);
	belief->sa = fake_sa_copy(made);
}

int fake_ike_update(struct fake_kernel *k, struct fake_belief *belief, uint64_t hard_seconds,
		    uint16_t encap_sport)
{
	struct fake_sa *sa = fake_template(belief);
	struct xfrm_encap_tmpl *encap = (void *)sa->attributes[XFRMA_ENCAP].data;
	const struct fake_sa *target = fake_belief_find(k, belief);
	bool makes = target && target->state == FAKE_LARVAL;
	int r;

	sa->info.lft.hard_add_expires_seconds = hard_seconds;
	if (encap && encap_sport)
		encap->encap_sport = htons(encap_sport);
	r = fake_submit_sa(k, XFRM_MSG_UPDSA, sa, false);
	if (r >= 0 && makes)
		believe_anew(k, belief);
	else if (r >= 0)
		fake_update_valid(belief->sa, sa);
	else if (belief->alive)
		fake_ike_failed(k, "an update of SA %#x: %s", ntohl(sa->info.id.spi),
				strerrorname_np(-r));
	fake_sa_free(sa);
	return r;
}

int fake_ike_reserve(struct fake_kernel *k, const struct fake_belief *belief, uint32_t spi)
{
	struct fake_sa *sa = fake_template(belief);
	int r;

	sa->info.id.spi = htonl(spi);
	r = submit_spi(k, sa);
	fake_sa_free(sa);
	return r;
}

int fake_ike_rekey(struct fake_kernel *k, const struct fake_belief *belief, uint32_t spi,
		   struct fake_belief **ret_belief)
{
	struct fake_sa *sa = fake_template(belief);
	struct fake_sa_spec key = {.cbc_sha256 = sa->attributes[XFRMA_ALG_CRYPT].data};
	int r;

	sa->info.id.spi = htonl(spi);
	sa->info.seq = 0;
	set_key(k, sa, &key);
	r = install(k, sa, belief->inbound, belief->inbound, ret_belief);
	if (r < 0)
		fake_ike_failed(k, "a rekey to SA %#x: %s", spi, strerrorname_np(-r));
	fake_sa_free(sa);
	return r;
}

int fake_ike_expire(struct fake_kernel *k, struct fake_belief *belief)
{
	struct fake_sa *sa = fake_belief_find(k, belief);

	if (!sa)
		return -ENOENT;
	if (sa->state != FAKE_VALID)
		return -EINVAL;
	fake_expire(k, sa, true);
	return 0;
}

int fake_ike_flush(struct fake_kernel *k)
{
	struct xfrm_usersa_flush p = {.proto = IPPROTO_ESP};
	struct fake_buffer b = {};
	int r;

	fake_message_begin(&b, XFRM_MSG_FLUSHSA, NLM_F_REQUEST | NLM_F_ACK, 1, FAKE_IKE_PORT, &p,
			   sizeof(p));
	r = submit(k, &b);
	fake_buffer_release(&b);
	for (struct fake_belief *belief = k->beliefs; belief; belief = belief->next)
		belief->alive = false;
	return r;
}

void fake_ike_forget(struct fake_kernel *k, struct fake_belief *belief)
{
	(void)k;
	belief->forgotten = true;
}

void fake_kernel_tolerate_replays(struct fake_kernel *k, struct fake_belief *belief, uint64_t above)
{
	(void)k;
	belief->tolerated = above;
}

void fake_ike_close(struct fake_kernel *k)
{
	for (struct fake_belief *b = k->beliefs; b; b = b->next)
		if (b->closing) {
			b->closing = false;
			(void)fake_ike_delete(k, b);
		}
}

unsigned fake_ike_errors(const struct fake_kernel *k)
{
	return k->ike_errors;
}

const char *fake_ike_failure(const struct fake_kernel *k)
{
	return k->ike_failure;
}

unsigned fake_ike_wrong_closures(const struct fake_kernel *k)
{
	return k->wrong_closures;
}
