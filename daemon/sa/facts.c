// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/facts.h"
#include "sa/attributes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netlink/msg.h>
#include <string.h>

/* With fewer sequence numbers left than this, the IKE daemon is about to rekey, so the SA is not
 * moved. */
#define SEQUENCE_RESERVE (UINT64_C(1) << 24)
/* A move takes milliseconds; near the end of an SA's life it is not worth any risk. */
#define HARD_LIMIT_SECONDS 30

struct reason {
	const char *name;
	const char *text;
	bool lasting; /* it does not end by itself */
};

static const struct reason reasons[_HANDS_OFF_MAX] = {
	[HANDS_OFF_NONE] = {"none", "nothing prevents moving it"},
	[HANDS_OFF_NOT_ESP] = {"not-esp", "only ESP can be offloaded", true},
	[HANDS_OFF_LARVAL] = {"larval", "the IKE daemon has not completed it yet"},
	[HANDS_OFF_UNKNOWN_ATTRIBUTE] = {"unknown-attribute",
					 "the kernel shows an attribute that this version does not "
					 "know, or not in this size; re-adding the SA could lose "
					 "it",
					 true},
	[HANDS_OFF_REDACTED_KEY] = {"redacted-key",
				    "the kernel hides its key (lockdown); "
				    "re-adding it would install a zero key",
				    true},
	[HANDS_OFF_PACKET_MODE] = {"packet-mode",
				   "it is in packet offload: its sequence numbers "
				   "are in the NIC and cannot be carried over",
				   true},
	[HANDS_OFF_MODE] = {"mode", "its mode keeps state in the kernel that a move would lose",
			    true},
	[HANDS_OFF_TFC] = {"tfc-padding", "TFC padding cannot be offloaded", true},
	[HANDS_OFF_SELECTOR] = {"wildcard", "a wildcard SA without an SPI cannot be named", true},
	[HANDS_OFF_TOO_LARGE] = {"too-large", "it has more attributes than a move can carry", true},
	[HANDS_OFF_FOREIGN] = {"foreign", "somebody else offloaded it; it is counted, not moved"},
	[HANDS_OFF_DIRECTION_UNKNOWN] = {"direction-unknown",
					 "neither the kernel nor the local addresses tell whether "
					 "it is inbound or outbound",
					 true},
	[HANDS_OFF_SHARED_SPI] = {"shared-spi",
				  "another SA has the same SPI and protocol: the "
				  "kernel could confuse the two",
				  true},
	[HANDS_OFF_PACKET_PARTNER] = {"packet-partner",
				      "an SA between the same addresses and with the same reqid is "
				      "in packet offload: when this SA moves, the kernel may not "
				      "find the other one any more",
				      true},
	[HANDS_OFF_SOFT_EXPIRED] = {"soft-expired", "it reached a soft limit: the IKE daemon is "
						    "about to replace it"},
	[HANDS_OFF_NEAR_LIMIT] = {"near-limit", "it is close to the end of its life"},
	[HANDS_OFF_SEQUENCE_SPACE] = {"sequence-space", "its sequence numbers are nearly used up"},
	[HANDS_OFF_OPTIONAL_TEMPLATE] = {"optional-template",
					 "an outbound policy makes its protection optional: during "
					 "a move packets would leave in clear text",
					 true},
	[HANDS_OFF_THRESHOLDS] = {"event-thresholds",
				  "it has its own thresholds for replay "
				  "events, which a move could not restore",
				  true},
	[HANDS_OFF_DRIVER] = {"driver", "the NIC's driver would accept it and handle it wrongly",
			      true},
};

const char *hands_off_name(enum hands_off reason)
{
	return reasons[reason].name;
}

const char *hands_off_text(enum hands_off reason)
{
	return reasons[reason].text;
}

bool hands_off_is_lasting(enum hands_off reason)
{
	return reasons[reason].lasting;
}

const char *sa_address_format(uint16_t family, const struct sa_address *address,
			      char buffer[SA_ADDRESS_TEXT_SIZE])
{
	if (!inet_ntop(family, address->bytes, buffer, SA_ADDRESS_TEXT_SIZE))
		snprintf(buffer, SA_ADDRESS_TEXT_SIZE, "?");
	return buffer;
}

bool sa_address_parse(const char **text, char end, uint16_t *ret_family,
		      struct sa_address *ret_address)
{
	char buffer[SA_ADDRESS_TEXT_SIZE];
	struct sa_address address = {};
	const char *behind = strchr(*text, end);
	size_t size = behind ? (size_t)(behind - *text) : sizeof(buffer);
	uint16_t family;

	if (size >= sizeof(buffer))
		return false;
	memcpy(buffer, *text, size);
	buffer[size] = '\0';
	family = strchr(buffer, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(family, buffer, address.bytes) != 1)
		return false;
	*text = behind + 1;
	*ret_family = family;
	*ret_address = address;
	return true;
}

struct sa_address sa_address_read(uint16_t family, const xfrm_address_t *address)
{
	struct sa_address result = {};

	memcpy(result.bytes, address, family == AF_INET ? 4 : 16);
	return result;
}

static bool has_known_size(const struct sa_attribute *known, size_t size)
{
	return known->variable ? size >= known->size : size == known->size;
}

static void read_attribute(struct sa_facts *facts, const struct nlattr *attribute)
{
	const struct sa_attribute *known = sa_attribute_find((uint16_t)nla_type(attribute));
	size_t size = (size_t)nla_len(attribute);

	if (!known || !has_known_size(known, size)) {
		sa_facts_set_hands_off(facts, HANDS_OFF_UNKNOWN_ATTRIBUTE);
		facts->unknown_attribute = (uint16_t)nla_type(attribute);
	}
	if (known && known->read && size >= known->size)
		known->read(facts, nla_data(attribute), size);
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
		sa_facts_set_hands_off(facts, HANDS_OFF_NOT_ESP);
	if (!shape->aead[0] && !shape->cipher[0] && !shape->authenticator[0])
		sa_facts_set_hands_off(facts, HANDS_OFF_LARVAL);
	if (facts->description.mode != XFRM_MODE_TRANSPORT &&
	    facts->description.mode != XFRM_MODE_TUNNEL &&
	    facts->description.mode != XFRM_MODE_BEET)
		sa_facts_set_hands_off(facts, HANDS_OFF_MODE);
	if (facts->description.id.spi == 0)
		sa_facts_set_hands_off(facts, HANDS_OFF_SELECTOR);
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
	nlmsg_for_each_attr(attribute, m, (int)sa_facts_attributes_offset(message), remaining)
		read_attribute(&facts, attribute);
	/* The rest is no attribute: something is missing. */
	if (remaining > 0)
		sa_facts_set_hands_off(&facts, HANDS_OFF_UNKNOWN_ATTRIBUTE);
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

enum hands_off sa_facts_check_ages(uint64_t add_time, uint64_t use_time,
				   const struct xfrm_lifetime_cfg *limits, uint64_t now)
{
	uint64_t age = now > add_time ? now - add_time : 0;
	uint64_t used = use_time != 0 && now > use_time ? now - use_time : 0;

	if (reached(age, limits->soft_add_expires_seconds) ||
	    reached(used, limits->soft_use_expires_seconds))
		return HANDS_OFF_SOFT_EXPIRED;
	if (reached(age + HARD_LIMIT_SECONDS, limits->hard_add_expires_seconds) ||
	    (use_time != 0 && reached(used + HARD_LIMIT_SECONDS, limits->hard_use_expires_seconds)))
		return HANDS_OFF_NEAR_LIMIT;
	return HANDS_OFF_NONE;
}

enum hands_off sa_facts_check_limits(const struct sa_facts *facts, uint64_t now)
{
	const struct xfrm_lifetime_cfg *l = &facts->limits;
	enum hands_off ages = sa_facts_check_ages(facts->add_time, facts->use_time, l, now);

	if (ages == HANDS_OFF_SOFT_EXPIRED || reached(facts->bytes, l->soft_byte_limit) ||
	    reached(facts->packets, l->soft_packet_limit))
		return HANDS_OFF_SOFT_EXPIRED;
	if (ages == HANDS_OFF_NEAR_LIMIT || nears(facts->bytes, l->hard_byte_limit) ||
	    nears(facts->packets, l->hard_packet_limit))
		return HANDS_OFF_NEAR_LIMIT;
	if (!facts->shape.esn && facts->output_sequence > UINT32_MAX - SEQUENCE_RESERVE)
		return HANDS_OFF_SEQUENCE_SPACE;
	return HANDS_OFF_NONE;
}
