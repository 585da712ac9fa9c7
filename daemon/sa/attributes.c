// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/attributes.h"

#include "cleanup.h"
#include "xfrm/compat.h"

#include <stddef.h>
#include <string.h>

static bool is_zero(const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void copy_name(char destination[SA_SHAPE_ALGORITHM_MAX], const char *source)
{
	/* The destination is zeroed, so the name stays terminated. */
	memcpy(destination, source, SA_SHAPE_ALGORITHM_MAX - 1);
}

/* Under lockdown=confidentiality keys are shown as zeros of the right length (xfrm_redact()). */
static void check_key(struct sa_facts *facts, const void *key, uint32_t bits, size_t room)
{
	size_t size = (bits + 7) / 8;

	if (size > room || (size > 0 && is_zero(key, size)))
		sa_facts_set_hands_off(facts, HANDS_OFF_REDACTED_KEY);
}

static void read_aead(struct sa_facts *facts, const void *data, size_t size)
{
	const struct xfrm_algo_aead *aead = data;

	copy_name(facts->shape.aead, aead->alg_name);
	facts->shape.key_bits = aead->alg_key_len;
	facts->shape.icv_bits = aead->alg_icv_len;
	check_key(facts, aead->alg_key, aead->alg_key_len, size - sizeof(*aead));
}

static void read_auth_trunc(struct sa_facts *facts, const void *data, size_t size)
{
	const struct xfrm_algo_auth *auth = data;

	copy_name(facts->shape.authenticator, auth->alg_name);
	facts->shape.icv_bits = auth->alg_trunc_len;
	check_key(facts, auth->alg_key, auth->alg_key_len, size - sizeof(*auth));
}

static void read_crypt(struct sa_facts *facts, const void *data, size_t size)
{
	const struct xfrm_algo *cipher = data;

	copy_name(facts->shape.cipher, cipher->alg_name);
	facts->shape.key_bits = cipher->alg_key_len;
	check_key(facts, cipher->alg_key, cipher->alg_key_len, size - sizeof(*cipher));
}

static void read_mark(struct sa_facts *facts, const void *data, size_t size)
{
	const struct xfrm_mark *mark = data;

	facts->description.id.mark_value = mark->v;
	facts->description.id.mark_mask = mark->m;
}

static void read_if_id(struct sa_facts *facts, const void *data, size_t size)
{
	facts->description.if_id = *(const uint32_t *)data;
	facts->shape.if_id = facts->description.if_id != 0;
}

/* FNV-1a over algorithm, domain and text. The fields before them are only lengths. */
static void read_label(struct sa_facts *facts, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t hash = 2166136261;

	for (size_t i = offsetof(struct xfrm_user_sec_ctx, ctx_alg); i < size; i++)
		hash = (hash ^ bytes[i]) * 16777619;
	facts->description.label = hash != 0 ? hash : 1;
}

static void read_cpu(struct sa_facts *facts, const void *data, size_t size)
{
	facts->description.cpu = 1 + *(const uint32_t *)data;
}

static void read_output_mark(struct sa_facts *facts, const void *data, size_t size)
{
	facts->output_mark = *(const uint32_t *)data;
}

static void read_encap(struct sa_facts *facts, const void *data, size_t size)
{
	facts->shape.encap = true;
}

static void read_tfc(struct sa_facts *facts, const void *data, size_t size)
{
	if (*(const uint32_t *)data == 0)
		return;
	facts->shape.tfc = true;
	sa_facts_set_hands_off(facts, HANDS_OFF_TFC);
}

static void read_replay(struct sa_facts *facts, const void *data, size_t size)
{
	facts->output_sequence = ((const struct xfrm_replay_state *)data)->oseq;
}

/* Large windows without ESN have this attribute too, with a high half of zero. */
static void read_replay_esn(struct sa_facts *facts, const void *data, size_t size)
{
	const struct xfrm_replay_state_esn *esn = data;

	facts->output_sequence = (uint64_t)esn->oseq_hi << 32 | esn->oseq;
}

static void read_offload(struct sa_facts *facts, const void *data, size_t size)
{
	const struct xfrm_user_offload *offload = data;

	facts->offload_ifindex = offload->ifindex;
	facts->offload_flags = offload->flags;
	if (offload->flags & XFRM_COMPAT_OFFLOAD_PACKET)
		sa_facts_set_hands_off(facts, HANDS_OFF_PACKET_MODE);
	facts->description.direction =
		offload->flags & XFRM_OFFLOAD_INBOUND ? SA_DIRECTION_IN : SA_DIRECTION_OUT;
}

static void read_direction(struct sa_facts *facts, const void *data, size_t size)
{
	facts->description.direction = *(const uint8_t *)data == XFRM_COMPAT_SA_DIR_IN
					       ? SA_DIRECTION_IN
					       : SA_DIRECTION_OUT;
}

#define COPIED SA_ATTRIBUTE_COPIED
#define DROPPED SA_ATTRIBUTE_DROPPED
#define REPEATED SA_ATTRIBUTE_REPEATED

/* By type. */
static const struct sa_attribute attributes[] = {
	/* The same key as XFRMA_ALG_AUTH_TRUNC, which is used. */
	[XFRMA_ALG_AUTH] = {REPEATED, sizeof(struct xfrm_algo), .variable = true, .key = true},
	[XFRMA_ALG_CRYPT] = {COPIED, sizeof(struct xfrm_algo), read_crypt, .variable = true,
			     .key = true},
	[XFRMA_ENCAP] = {COPIED, sizeof(struct xfrm_encap_tmpl), read_encap},
	/* In DELSA: the struct that other messages begin with. */
	[XFRMA_SA] = {DROPPED, sizeof(struct xfrm_usersa_info)},
	[XFRMA_SEC_CTX] = {COPIED, sizeof(struct xfrm_user_sec_ctx), read_label, .variable = true},
	[XFRMA_REPLAY_VAL] = {COPIED, sizeof(struct xfrm_replay_state), read_replay},
	[XFRMA_COADDR] = {COPIED, sizeof(xfrm_address_t)},
	[XFRMA_LASTUSED] = {DROPPED, sizeof(uint64_t)}, /* NEWSA ignores it */
	[XFRMA_ALG_AEAD] = {COPIED, sizeof(struct xfrm_algo_aead), read_aead, .variable = true,
			    .key = true},
	[XFRMA_ALG_AUTH_TRUNC] = {COPIED, sizeof(struct xfrm_algo_auth), read_auth_trunc,
				  .variable = true, .key = true},
	[XFRMA_MARK] = {COPIED, sizeof(struct xfrm_mark), read_mark},
	[XFRMA_TFCPAD] = {COPIED, sizeof(uint32_t), read_tfc},
	[XFRMA_REPLAY_ESN_VAL] = {COPIED, sizeof(struct xfrm_replay_state_esn), read_replay_esn,
				  .variable = true},
	[XFRMA_SA_EXTRA_FLAGS] = {COPIED, sizeof(uint32_t)},
	[XFRMA_PAD] = {DROPPED}, /* aligns XFRMA_LASTUSED */
	[XFRMA_OFFLOAD_DEV] = {DROPPED, sizeof(struct xfrm_user_offload), read_offload},
	[XFRMA_SET_MARK] = {COPIED, sizeof(uint32_t), read_output_mark},
	[XFRMA_SET_MARK_MASK] = {COPIED, sizeof(uint32_t)},
	[XFRMA_IF_ID] = {COPIED, sizeof(uint32_t), read_if_id},
	[XFRMA_MTIMER_THRESH] = {COPIED, sizeof(uint32_t)},
	[XFRM_COMPAT_SA_DIR] = {COPIED, sizeof(uint8_t), read_direction},
	[XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL] = {COPIED, sizeof(uint32_t)},
	[XFRM_COMPAT_SA_PCPU] = {COPIED, sizeof(uint32_t), read_cpu},
};

const struct sa_attribute *sa_attribute_find(uint16_t type)
{
	if (type >= ELEMENTSOF(attributes) || attributes[type].copy == _SA_ATTRIBUTE_UNKNOWN)
		return NULL;
	return &attributes[type];
}
