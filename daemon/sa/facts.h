/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The facts of an SA: all that is known of it except its key, so they may be kept in any memory.
 */
#pragma once

#include "sa-shape.h"
#include "sa.h"
#include "xfrm/kernel.h"

#include <linux/xfrm.h>

/* Why an SA must not be moved. Ordered: if several apply, the first is reported. */
enum hands_off {
	HANDS_OFF_NONE,
	HANDS_OFF_NOT_ESP,
	HANDS_OFF_LARVAL,
	HANDS_OFF_UNKNOWN_ATTRIBUTE,
	HANDS_OFF_REDACTED_KEY,
	HANDS_OFF_PACKET_MODE,
	HANDS_OFF_MODE,
	HANDS_OFF_TFC,
	HANDS_OFF_SELECTOR,
	HANDS_OFF_TOO_LARGE,
	/* The following do not depend on the SA alone: the caller finds them. */
	HANDS_OFF_FOREIGN,
	HANDS_OFF_DIRECTION_UNKNOWN,
	HANDS_OFF_SHARED_SPI,
	HANDS_OFF_PACKET_PARTNER,
	HANDS_OFF_SOFT_EXPIRED,
	HANDS_OFF_NEAR_LIMIT,
	HANDS_OFF_SEQUENCE_SPACE,
	HANDS_OFF_OPTIONAL_TEMPLATE,
	HANDS_OFF_THRESHOLDS,
	HANDS_OFF_DRIVER,
	_HANDS_OFF_MAX,
};

const char *hands_off_name(enum hands_off reason); /* "packet-mode" */
const char *hands_off_text(enum hands_off reason); /* a sentence */
bool hands_off_is_lasting(enum hands_off reason);  /* as candidacy_is_lasting() */

struct sa_facts {
	struct sa_description description; /* direction as the kernel shows it, or unknown */
	struct sa_shape shape;
	enum hands_off hands_off;    /* of the SA alone */
	uint16_t unknown_attribute;  /* of HANDS_OFF_UNKNOWN_ATTRIBUTE; 0: cut message */
	uint64_t bytes, packets;     /* struct xfrm_lifetime_cur */
	uint64_t add_time, use_time; /* s, CLOCK_REALTIME */
	struct xfrm_lifetime_cfg limits;
	uint64_t output_sequence;    /* last used outbound (with the high half for ESN) */
	uint32_t integrity_failures; /* since the kernel's state was made */
	uint32_t replayed;
	uint32_t output_mark;
	int offload_ifindex; /* 0: in software */
	uint8_t offload_flags;
};

/* Keeps the reason that comes first. */
static inline void sa_facts_set_hands_off(struct sa_facts *facts, enum hands_off reason)
{
	if (facts->hands_off == HANDS_OFF_NONE || reason < facts->hands_off)
		facts->hands_off = reason;
}

/* Reads an SA from any message that kernel_message_sa() understands. -EBADMSG: it contains none. */
int sa_facts_read(const struct nlmsghdr *message, struct sa_facts *ret_facts);

/* Checks the SA's lifetime limits and its sequence space. `now`: s, CLOCK_REALTIME. */
enum hands_off sa_facts_check_limits(const struct sa_facts *facts, uint64_t now);

/* The part of it that depends on the time. */
enum hands_off sa_facts_check_ages(uint64_t add_time, uint64_t use_time,
				   const struct xfrm_lifetime_cfg *limits, uint64_t now);

/* The offset of a message's attributes behind the netlink header, in bytes. */
size_t sa_facts_attributes_offset(const struct nlmsghdr *message);

struct sa_address sa_address_read(uint16_t family, const xfrm_address_t *address);
#define SA_ADDRESS_TEXT_SIZE 46
/* Reads the address at *text, which `end` must follow. Moves *text behind `end`. */
bool sa_address_parse(const char **text, char end, uint16_t *ret_family,
		      struct sa_address *ret_address);
const char *sa_address_format(uint16_t family, const struct sa_address *address,
			      char buffer[SA_ADDRESS_TEXT_SIZE]);
