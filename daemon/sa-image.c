// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Reading and writing SAs as netlink attributes. What GETSA emits and NEWSA honours, attribute by
 * attribute, is in xfrm_user.c of the kernel: copy_to_user_state_extra() and
 * xfrm_state_construct(). The rule here: copy everything verbatim, except
 *   - XFRMA_LASTUSED and the XFRMA_PAD before it: ignored by NEWSA,
 *   - XFRMA_OFFLOAD_DEV: the very thing that changes,
 *   - XFRMA_ALG_AUTH beside XFRMA_ALG_AUTH_TRUNC: the same key twice, the latter wins,
 * and add XFRMA_LTIME_VAL, since NEWSA ignores the counters and times in the struct. An attribute
 * that this code does not know makes the SA untouchable: its meaning might not survive.
 */
#include "sa-image.h"
#include "xfrm-compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

/* Below this much sequence space the IKE daemon is about to rekey; leave the SA to it. */
#define SEQUENCE_RESERVE (UINT64_C(1) << 24)
/* A move takes milliseconds; near the end of an SA's life it is not worth any risk. */
#define HARD_LIMIT_SECONDS 30
#define IMAGE_ATTRIBUTES_MAX (12u * 1024u)

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

static struct sa_address address_read(uint16_t family, const xfrm_address_t *address)
{
	struct sa_address result = {};

	memcpy(result.bytes, address, family == AF_INET ? 4 : 16);
	return result;
}

static xfrm_address_t address_write(const struct sa_address *address)
{
	xfrm_address_t result;

	memcpy(&result, address->bytes, sizeof(result));
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
	memcpy(destination, source, SA_SHAPE_ALGORITHM_MAX - 1);
	destination[SA_SHAPE_ALGORITHM_MAX - 1] = '\0';
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
	facts->input_sequence = (uint64_t)esn->seq_hi << 32 | esn->seq;
}

static uint32_t get_u32(const struct nlattr *attribute)
{
	return nla_len(attribute) >= 4 ? nla_get_u32(attribute) : 0;
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
			facts->input_sequence = replay->seq;
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

/* Where a message's attributes begin. */
static size_t attributes_offset(const struct nlmsghdr *message)
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
	d->id.destination = address_read(info->family, &info->id.daddr);
	d->id.spi = ntohl(info->id.spi);
	d->id.protocol = info->id.proto;
	d->source = address_read(info->family, &info->saddr);
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
	nlmsg_for_each_attr(attribute, m, (int)attributes_offset(message), remaining)
	{
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

static bool attribute_is_copied(int type, bool has_auth_trunc)
{
	switch (type) {
	case XFRMA_SA:
	case XFRMA_LASTUSED:
	case XFRMA_PAD:
	case XFRMA_OFFLOAD_DEV:
		return false;
	case XFRMA_ALG_AUTH:
		return !has_auth_trunc;
	default:
		return true;
	}
}

int sa_image_capture(struct sa_image *image, struct secret_arena *arena,
		     const struct nlmsghdr *message)
{
	struct nlmsghdr *m = (struct nlmsghdr *)message;
	struct xfrm_usersa_info info;
	size_t offset = attributes_offset(message);
	bool has_auth_trunc;
	struct nlattr *attribute;
	uint8_t *copy;
	size_t used = 0;
	int remaining;

	if (!kernel_message_sa(message, &info))
		return -EBADMSG;
	if ((size_t)nlmsg_attrlen(m, (int)offset) > IMAGE_ATTRIBUTES_MAX)
		return -E2BIG;

	copy = secret_alloc(arena, (size_t)nlmsg_attrlen(m, (int)offset));
	if (!copy)
		return -ENOMEM;
	has_auth_trunc = nlmsg_find_attr(m, (int)offset, XFRMA_ALG_AUTH_TRUNC) != NULL;
	nlmsg_for_each_attr(attribute, m, (int)offset, remaining)
	{
		size_t size = (size_t)nla_total_size(nla_len(attribute));

		if (!attribute_is_copied(nla_type(attribute), has_auth_trunc))
			continue;
		memcpy(copy + used, attribute, (size_t)attribute->nla_len);
		used += size;
	}

	sa_image_wipe(image);
	image->arena = arena;
	image->info = info;
	image->attributes = copy;
	image->size = used;
	return 0;
}

void sa_image_wipe(struct sa_image *image)
{
	if (image->attributes)
		secret_free(image->arena, image->attributes);
	*image = (struct sa_image){};
}

static const struct nlattr *image_find(const struct sa_image *image, int type)
{
	return nla_find((struct nlattr *)image->attributes, (int)image->size, type);
}

struct sa_id sa_image_id(const struct sa_image *image)
{
	const struct nlattr *mark = image_find(image, XFRMA_MARK);
	struct sa_id id = {
		.destination = address_read(image->info.family, &image->info.id.daddr),
		.spi = ntohl(image->info.id.spi),
		.family = image->info.family,
		.protocol = image->info.id.proto,
	};

	if (mark && (size_t)nla_len(mark) >= sizeof(struct xfrm_mark)) {
		id.mark_value = ((const struct xfrm_mark *)nla_data(mark))->v;
		id.mark_mask = ((const struct xfrm_mark *)nla_data(mark))->m;
	}
	return id;
}

static void copy_attribute(const struct sa_image *image, struct kernel_batch *batch, uint16_t type)
{
	const struct nlattr *attribute = image_find(image, type);

	if (attribute)
		kernel_batch_attribute(batch, type, nla_data(attribute),
				       (size_t)nla_len(attribute));
}

static void write_offload(struct kernel_batch *batch, const struct sa_offload *offload)
{
	struct xfrm_user_offload value = {
		.ifindex = offload->ifindex,
		.flags = offload->direction == SA_DIRECTION_IN ? XFRM_OFFLOAD_INBOUND : 0,
	};

	if (offload->ifindex != 0)
		kernel_batch_attribute(batch, XFRMA_OFFLOAD_DEV, &value, sizeof(value));
}

void sa_image_write(const struct sa_image *image, struct kernel_batch *batch, uint16_t type,
		    const struct sa_offload *offload)
{
	struct nlattr *attribute;
	int remaining;

	kernel_batch_add(batch, type, 0, &image->info, sizeof(image->info));
	nla_for_each_attr(attribute, (struct nlattr *)image->attributes, (int)image->size,
			  remaining)
		kernel_batch_attribute(batch, (uint16_t)nla_type(attribute), nla_data(attribute),
				       (size_t)nla_len(attribute));
	kernel_batch_attribute(batch, XFRMA_LTIME_VAL, &image->info.curlft,
			       sizeof(image->info.curlft));
	if (image->replay_threshold != 0)
		kernel_batch_attribute(batch, XFRMA_REPLAY_THRESH, &image->replay_threshold,
				       sizeof(image->replay_threshold));
	write_offload(batch, offload);
}

void sa_image_write_migrate(const struct sa_image *image, struct kernel_batch *batch,
			    const struct sa_offload *offload)
{
	const struct nlattr *mark = image_find(image, XFRMA_MARK);
	const struct xfrm_usersa_info *info = &image->info;
	struct xfrm_compat_migrate_state request = {
		.id =
			{
				.daddr = info->id.daddr,
				.spi = info->id.spi,
				.family = info->family,
				.proto = info->id.proto,
			},
		.new_daddr = info->id.daddr,
		.new_saddr = info->saddr,
		.new_sel = info->sel,
		.new_reqid = info->reqid,
		.new_family = info->family,
		.flags = offload->ifindex == 0 ? XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD : 0,
	};

	if (mark && (size_t)nla_len(mark) >= sizeof(request.old_mark))
		memcpy(&request.old_mark, nla_data(mark), sizeof(request.old_mark));
	kernel_batch_add(batch, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request));
	write_offload(batch, offload);
}

void sa_image_write_migrate_probe(struct kernel_batch *batch)
{
	/* An SPI of the range that nobody may negotiate (RFC 4303, 2.1). */
	struct xfrm_compat_migrate_state request = {
		.id = {.spi = htonl(1), .family = AF_INET, .proto = IPPROTO_ESP},
		.new_sel.family = AF_INET,
		.new_family = AF_INET,
		.flags = XFRM_COMPAT_MIGRATE_STATE_CLEAR_OFFLOAD,
	};

	kernel_batch_add(batch, XFRM_COMPAT_MSG_MIGRATE_STATE, 0, &request, sizeof(request));
}

void sa_image_write_larval(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			   uint32_t max)
{
	struct xfrm_userspi_info request = {.info = image->info, .min = min, .max = max};

	/* A sequence number of the key manager would make the kernel look for its own larval SA. */
	request.info.seq = 0;
	kernel_batch_add(batch, XFRM_MSG_ALLOCSPI, 0, &request, sizeof(request));
	copy_attribute(image, batch, XFRMA_MARK);
	copy_attribute(image, batch, XFRMA_IF_ID);
	copy_attribute(image, batch, XFRM_COMPAT_SA_DIR);
	copy_attribute(image, batch, XFRM_COMPAT_SA_PCPU);
}

static struct xfrm_usersa_id usersa_id(const struct sa_id *id)
{
	return (struct xfrm_usersa_id){
		.daddr = address_write(&id->destination),
		.spi = htonl(id->spi),
		.family = id->family,
		.proto = id->protocol,
	};
}

static void write_mark(const struct sa_id *id, struct kernel_batch *batch)
{
	struct xfrm_mark mark = {.v = id->mark_value, .m = id->mark_mask};

	if (mark.v != 0 || mark.m != 0)
		kernel_batch_attribute(batch, XFRMA_MARK, &mark, sizeof(mark));
}

void sa_id_write(const struct sa_id *id, struct kernel_batch *batch, uint16_t type)
{
	struct xfrm_usersa_id request = usersa_id(id);

	kernel_batch_add(batch, type, 0, &request, sizeof(request));
	write_mark(id, batch);
}

void sa_id_write_get_thresholds(const struct sa_id *id, struct kernel_batch *batch)
{
	struct xfrm_aevent_id request = {
		.sa_id = usersa_id(id),
		.flags = XFRM_AE_RTHR | XFRM_AE_ETHR,
	};

	kernel_batch_add(batch, XFRM_MSG_GETAE, 0, &request, sizeof(request));
	write_mark(id, batch);
}

uint64_t sa_image_output_sequence(const struct sa_image *image)
{
	const struct nlattr *attribute = image_find(image, XFRMA_REPLAY_ESN_VAL);

	if (attribute && (size_t)nla_len(attribute) >= sizeof(struct xfrm_replay_state_esn)) {
		const struct xfrm_replay_state_esn *esn = nla_data(attribute);

		return (uint64_t)esn->oseq_hi << 32 | esn->oseq;
	}
	attribute = image_find(image, XFRMA_REPLAY_VAL);
	if (attribute && (size_t)nla_len(attribute) >= sizeof(struct xfrm_replay_state))
		return ((const struct xfrm_replay_state *)nla_data(attribute))->oseq;
	return 0;
}

void sa_image_advance(struct sa_image *image, uint64_t by)
{
	uint64_t maximum = image->info.flags & XFRM_STATE_ESN ? UINT64_MAX : UINT32_MAX;
	uint64_t sequence = sa_image_output_sequence(image);
	struct nlattr *attribute = (struct nlattr *)image_find(image, XFRMA_REPLAY_ESN_VAL);

	sequence = by > maximum - sequence ? maximum : sequence + by;
	if (attribute && (size_t)nla_len(attribute) >= sizeof(struct xfrm_replay_state_esn)) {
		struct xfrm_replay_state_esn *esn = nla_data(attribute);

		esn->oseq = (uint32_t)sequence;
		esn->oseq_hi = (uint32_t)(sequence >> 32);
		return;
	}
	attribute = (struct nlattr *)image_find(image, XFRMA_REPLAY_VAL);
	if (attribute && (size_t)nla_len(attribute) >= sizeof(struct xfrm_replay_state))
		((struct xfrm_replay_state *)nla_data(attribute))->oseq = (uint32_t)sequence;
}

void sa_image_write_sequence(const struct sa_image *image, struct kernel_batch *batch)
{
	struct xfrm_aevent_id request = {
		.sa_id =
			{
				.daddr = image->info.id.daddr,
				.spi = image->info.id.spi,
				.family = image->info.family,
				.proto = image->info.id.proto,
			},
		.saddr = image->info.saddr,
		.reqid = image->info.reqid,
		.flags = XFRM_AE_RVAL,
	};

	/* NLM_F_REPLACE is demanded by xfrm_new_ae(). */
	kernel_batch_add(batch, XFRM_MSG_NEWAE, NLM_F_REPLACE, &request, sizeof(request));
	copy_attribute(image, batch, XFRMA_MARK);
	copy_attribute(image, batch, XFRMA_REPLAY_VAL);
	copy_attribute(image, batch, XFRMA_REPLAY_ESN_VAL);
}
