// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading SAs: what copy_to_user_state_extra() of the kernel's xfrm_user.c tells, attribute by
 * attribute. One that this code does not know makes the SA untouchable: its meaning might not
 * survive a move.
 */
#include "sa/facts.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <string.h>

/* Below this much sequence space the IKE daemon is about to rekey; leave the SA to it. */
#define SEQUENCE_RESERVE (UINT64_C(1) << 24)
/* A move takes milliseconds; near the end of an SA's life it is not worth any risk. */
#define HARD_LIMIT_SECONDS 30

struct reason {
	const char *name;
	const char *text;
};

static const struct reason reasons[_HANDS_OFF_MAX] = {
	[HANDS_OFF_NONE] = {"none", "nothing speaks against moving it"},
	[HANDS_OFF_NOT_ESP] = {"not-esp", "only ESP can be offloaded"},
	[HANDS_OFF_LARVAL] = {"larval", "the IKE daemon has not completed it yet"},
	[HANDS_OFF_UNKNOWN_ATTRIBUTE] = {"unknown-attribute",
					 "the kernel shows an attribute that this version does not "
					 "know; re-adding the SA could lose it"},
	[HANDS_OFF_REDACTED_KEY] = {"redacted-key", "the kernel hides its key (lockdown); "
						    "re-adding it would install a zero key"},
	[HANDS_OFF_PACKET_MODE] = {"packet-mode", "it is in packet offload: its sequence numbers "
						  "live in the NIC and cannot be carried over"},
	[HANDS_OFF_MODE] = {"mode", "its mode keeps state in the kernel that a move would lose"},
	[HANDS_OFF_TFC] = {"tfc-padding", "TFC padding cannot be offloaded"},
	[HANDS_OFF_SELECTOR] = {"wildcard", "a wildcard SA without an SPI cannot be named"},
	[HANDS_OFF_TOO_LARGE] = {"too-large", "it has more attributes than a move can carry"},
	[HANDS_OFF_FOREIGN] = {"foreign", "somebody else offloaded it; it is counted, not moved"},
	[HANDS_OFF_DIRECTION_UNKNOWN] = {"direction-unknown",
					 "neither the kernel nor the local addresses tell whether "
					 "it is inbound or outbound"},
	[HANDS_OFF_SHARED_SPI] = {"shared-spi", "another SA has the same SPI and protocol: the "
						"kernel could confuse the two"},
	[HANDS_OFF_PACKET_PARTNER] = {"packet-partner",
				      "an SA between the same addresses and with the same reqid is "
				      "in packet offload: when this one moves, the kernel may not "
				      "find that one any more"},
	[HANDS_OFF_SOFT_EXPIRED] = {"soft-expired", "it reached a soft limit: the IKE daemon is "
						    "about to replace it"},
	[HANDS_OFF_NEAR_LIMIT] = {"near-limit", "it is close to the end of its life"},
	[HANDS_OFF_SEQUENCE_SPACE] = {"sequence-space", "its sequence numbers are nearly used up"},
	[HANDS_OFF_OPTIONAL_TEMPLATE] = {"optional-template",
					 "an outbound policy makes its protection optional: during "
					 "a move packets would leave in clear text"},
	[HANDS_OFF_THRESHOLDS] = {"event-thresholds", "it has its own thresholds for replay "
						      "events, which a move could not restore"},
	[HANDS_OFF_DRIVER] = {"driver", "the NIC's driver would accept it and handle it wrongly"},
};

const char *hands_off_name(enum hands_off reason)
{
	return reasons[reason].name;
}

const char *hands_off_text(enum hands_off reason)
{
	return reasons[reason].text;
}

const char *sa_address_format(uint16_t family, const struct sa_address *address,
			      char buffer[SA_ADDRESS_TEXT_SIZE])
{
	if (!inet_ntop(family, address->bytes, buffer, SA_ADDRESS_TEXT_SIZE))
		snprintf(buffer, SA_ADDRESS_TEXT_SIZE, "?");
	return buffer;
}

struct sa_address sa_address_read(uint16_t family, const xfrm_address_t *address)
{
	struct sa_address result = {};

	memcpy(result.bytes, address, family == AF_INET ? 4 : 16);
	return result;
}

static bool is_zero(const void *data, size_t size)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < size; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static void set_hands_off(struct sa_facts *facts, enum hands_off reason)
{
	if (facts->hands_off == HANDS_OFF_NONE || reason < facts->hands_off)
		facts->hands_off = reason;
}

static void copy_name(char destination[SA_SHAPE_ALGORITHM_MAX], const char *source)
{
	/* It ends, since there is nothing in it yet. */
	memcpy(destination, source, SA_SHAPE_ALGORITHM_MAX - 1);
}

/* Under lockdown=confidentiality keys are shown as zeros of the right length (xfrm_redact()). */
static void check_key(struct sa_facts *facts, const void *key, uint32_t bits, size_t room)
{
	size_t size = (bits + 7) / 8;

	if (size > room || (size > 0 && is_zero(key, size)))
		set_hands_off(facts, HANDS_OFF_REDACTED_KEY);
}

static void read_aead(struct sa_facts *facts, const struct nlattr *attribute)
{
	const struct xfrm_algo_aead *aead = nla_data(attribute);
	size_t size = (size_t)nla_len(attribute);

	if (size < sizeof(*aead))
		return;
	copy_name(facts->shape.aead, aead->alg_name);
	facts->shape.key_bits = aead->alg_key_len;
	facts->shape.icv_bits = aead->alg_icv_len;
	check_key(facts, aead->alg_key, aead->alg_key_len, size - sizeof(*aead));
}

static void read_auth_trunc(struct sa_facts *facts, const struct nlattr *attribute)
{
	const struct xfrm_algo_auth *auth = nla_data(attribute);
	size_t size = (size_t)nla_len(attribute);

	if (size < sizeof(*auth))
		return;
	copy_name(facts->shape.authenticator, auth->alg_name);
	facts->shape.icv_bits = auth->alg_trunc_len;
	check_key(facts, auth->alg_key, auth->alg_key_len, size - sizeof(*auth));
}

static void read_crypt(struct sa_facts *facts, const struct nlattr *attribute)
{
	const struct xfrm_algo *cipher = nla_data(attribute);
	size_t size = (size_t)nla_len(attribute);

	if (size < sizeof(*cipher))
		return;
	copy_name(facts->shape.cipher, cipher->alg_name);
	facts->shape.key_bits = cipher->alg_key_len;
	check_key(facts, cipher->alg_key, cipher->alg_key_len, size - sizeof(*cipher));
}

static void read_replay_esn(struct sa_facts *facts, const struct nlattr *attribute)
{
	const struct xfrm_replay_state_esn *esn = nla_data(attribute);

	if ((size_t)nla_len(attribute) < sizeof(*esn))
		return;
	/* Present also for large windows without ESN; the halves are zero then. */
	facts->output_sequence = (uint64_t)esn->oseq_hi << 32 | esn->oseq;
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return nla_len(attribute) >= 4 ? nla_get_u32(attribute) : 0;
}

/* FNV-1a over algorithm, domain and text; the header tells lengths alone. */
static uint32_t hash_label(const struct nlattr *attribute)
{
	const uint8_t *data = nla_data(attribute);
	uint32_t hash = 2166136261;

	for (int i = offsetof(struct xfrm_user_sec_ctx, ctx_alg); i < nla_len(attribute); i++)
		hash = (hash ^ data[i]) * 16777619;
	return hash != 0 ? hash : 1;
}

static void read_attribute(struct sa_facts *facts, const struct nlattr *attribute)
{
	const void *data = nla_data(attribute);
	size_t size = (size_t)nla_len(attribute);

	switch (nla_type(attribute)) {
	case XFRMA_ALG_AEAD:
		read_aead(facts, attribute);
		break;
	case XFRMA_ALG_AUTH_TRUNC:
		read_auth_trunc(facts, attribute);
		break;
	case XFRMA_ALG_CRYPT:
		read_crypt(facts, attribute);
		break;
	case XFRMA_MARK:
		if (size >= sizeof(struct xfrm_mark)) {
			const struct xfrm_mark *mark = data;

			facts->description.id.mark_value = mark->v;
			facts->description.id.mark_mask = mark->m;
		}
		break;
	case XFRMA_IF_ID:
		facts->description.if_id = get_u32(attribute);
		facts->shape.if_id = facts->description.if_id != 0;
		break;
	case XFRMA_SEC_CTX:
		facts->description.label = hash_label(attribute);
		break;
	case XFRM_COMPAT_SA_PCPU:
		facts->description.cpu = 1 + get_u32(attribute);
		break;
	case XFRMA_SET_MARK:
		facts->output_mark = get_u32(attribute);
		break;
	case XFRMA_ENCAP:
		facts->shape.encap = true;
		break;
	case XFRMA_TFCPAD:
		if (get_u32(attribute) != 0) {
			facts->shape.tfc = true;
			set_hands_off(facts, HANDS_OFF_TFC);
		}
		break;
	case XFRMA_REPLAY_VAL:
		if (size >= sizeof(struct xfrm_replay_state)) {
			const struct xfrm_replay_state *replay = data;

			facts->output_sequence = replay->oseq;
		}
		break;
	case XFRMA_REPLAY_ESN_VAL:
		read_replay_esn(facts, attribute);
		break;
	case XFRMA_OFFLOAD_DEV:
		if (size >= sizeof(struct xfrm_user_offload)) {
			const struct xfrm_user_offload *offload = data;

			facts->offload_ifindex = offload->ifindex;
			facts->offload_flags = offload->flags;
			if (offload->flags & XFRM_COMPAT_OFFLOAD_PACKET)
				set_hands_off(facts, HANDS_OFF_PACKET_MODE);
			facts->description.direction = offload->flags & XFRM_OFFLOAD_INBOUND
							       ? SA_DIRECTION_IN
							       : SA_DIRECTION_OUT;
		}
		break;
	case XFRM_COMPAT_SA_DIR:
		if (size >= 1)
			facts->description.direction =
				*(const uint8_t *)data == XFRM_COMPAT_SA_DIR_IN ? SA_DIRECTION_IN
										: SA_DIRECTION_OUT;
		break;
	default:
		break;
	}
}

/* Whether an attribute survives a copy from GETSA to NEWSA. */
static bool attribute_is_known(int type)
{
	switch (type) {
	case XFRMA_SA: /* of a DELSA notification */
	case XFRMA_ALG_AUTH:
	case XFRMA_ALG_CRYPT:
	case XFRMA_ENCAP:
	case XFRMA_SEC_CTX:
	case XFRMA_REPLAY_VAL:
	case XFRMA_COADDR:
	case XFRMA_LASTUSED:
	case XFRMA_ALG_AEAD:
	case XFRMA_ALG_AUTH_TRUNC:
	case XFRMA_MARK:
	case XFRMA_TFCPAD:
	case XFRMA_REPLAY_ESN_VAL:
	case XFRMA_SA_EXTRA_FLAGS:
	case XFRMA_PAD:
	case XFRMA_OFFLOAD_DEV:
	case XFRMA_SET_MARK:
	case XFRMA_SET_MARK_MASK:
	case XFRMA_IF_ID:
	case XFRMA_MTIMER_THRESH:
	case XFRM_COMPAT_SA_DIR:
	case XFRM_COMPAT_NAT_KEEPALIVE_INTERVAL:
	case XFRM_COMPAT_SA_PCPU:
		return true;
	default:
		return false;
	}
}

size_t sa_facts_attributes_offset(const struct nlmsghdr *message)
{
	switch (message->nlmsg_type) {
	case XFRM_MSG_DELSA:
		return sizeof(struct xfrm_usersa_id);
	case XFRM_MSG_EXPIRE:
		return sizeof(struct xfrm_user_expire);
	default:
		return sizeof(struct xfrm_usersa_info);
	}
}

static void facts_from_info(struct sa_facts *facts, const struct xfrm_usersa_info *info)
{
	struct sa_description *d = &facts->description;

	d->id.family = info->family;
	d->id.destination = sa_address_read(info->family, &info->id.daddr);
	d->id.spi = ntohl(info->id.spi);
	d->id.protocol = info->id.proto;
	d->source = sa_address_read(info->family, &info->saddr);
	d->reqid = info->reqid;
	d->mode = info->mode;

	facts->shape.family = info->family;
	facts->shape.protocol = info->id.proto;
	facts->shape.mode = info->mode;
	facts->shape.esn = info->flags & XFRM_STATE_ESN;

	facts->bytes = info->curlft.bytes;
	facts->packets = info->curlft.packets;
	facts->add_time = info->curlft.add_time;
	facts->use_time = info->curlft.use_time;
	facts->limits = info->lft;
	facts->integrity_failures = info->stats.integrity_failed;
	facts->replayed = info->stats.replay;
}

static void check_facts(struct sa_facts *facts)
{
	const struct sa_shape *shape = &facts->shape;

	if (facts->description.id.protocol != IPPROTO_ESP)
		set_hands_off(facts, HANDS_OFF_NOT_ESP);
	if (!shape->aead[0] && !shape->cipher[0] && !shape->authenticator[0])
		set_hands_off(facts, HANDS_OFF_LARVAL);
	if (facts->description.mode != XFRM_MODE_TRANSPORT &&
	    facts->description.mode != XFRM_MODE_TUNNEL &&
	    facts->description.mode != XFRM_MODE_BEET)
		set_hands_off(facts, HANDS_OFF_MODE);
	if (facts->description.id.spi == 0)
		set_hands_off(facts, HANDS_OFF_SELECTOR);
}

int sa_facts_read(const struct nlmsghdr *message, struct sa_facts *ret_facts)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	struct xfrm_usersa_info info;
	struct sa_facts facts = {};
	struct nlattr *attribute;
	int remaining;

	if (!kernel_message_sa(message, &info) ||
	    (info.family != AF_INET && info.family != AF_INET6))
		return -EBADMSG;

	facts_from_info(&facts, &info);
	nlmsg_for_each_attr(attribute, m, (int)sa_facts_attributes_offset(message), remaining) {
		if (attribute_is_known(nla_type(attribute))) {
			read_attribute(&facts, attribute);
		} else {
			set_hands_off(&facts, HANDS_OFF_UNKNOWN_ATTRIBUTE);
			facts.unknown_attribute = (uint16_t)nla_type(attribute);
		}
	}
	facts.shape.direction = facts.description.direction;
	check_facts(&facts);

	*ret_facts = facts;
	return 0;
}

static bool reached(uint64_t value, uint64_t limit)
{
	return limit != 0 && limit != XFRM_INF && value >= limit;
}

/* Within a sixteenth of a limit on bytes or packets. */
static bool nears(uint64_t value, uint64_t limit)
{
	return limit != 0 && limit != XFRM_INF && value >= limit - limit / 16;
}

enum hands_off sa_facts_check_limits(const struct sa_facts *facts, uint64_t now)
{
	const struct xfrm_lifetime_cfg *l = &facts->limits;
	uint64_t age = now > facts->add_time ? now - facts->add_time : 0;
	uint64_t used = facts->use_time != 0 && now > facts->use_time ? now - facts->use_time : 0;

	if (reached(age, l->soft_add_expires_seconds) ||
	    reached(used, l->soft_use_expires_seconds) ||
	    reached(facts->bytes, l->soft_byte_limit) ||
	    reached(facts->packets, l->soft_packet_limit))
		return HANDS_OFF_SOFT_EXPIRED;
	if (reached(age + HARD_LIMIT_SECONDS, l->hard_add_expires_seconds) ||
	    (facts->use_time != 0 &&
	     reached(used + HARD_LIMIT_SECONDS, l->hard_use_expires_seconds)) ||
	    nears(facts->bytes, l->hard_byte_limit) || nears(facts->packets, l->hard_packet_limit))
		return HANDS_OFF_NEAR_LIMIT;
	if (!facts->shape.esn && facts->output_sequence > UINT32_MAX - SEQUENCE_RESERVE)
		return HANDS_OFF_SEQUENCE_SPACE;
	return HANDS_OFF_NONE;
}
