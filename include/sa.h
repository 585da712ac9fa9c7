/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The identity and description of a security association (SA), without keys.
 *
 * These are plain values, without ownership. Addresses are in network order, all other values (also
 * the SPI) in host order.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum sa_direction {
	SA_DIRECTION_UNKNOWN,
	SA_DIRECTION_IN,
	SA_DIRECTION_OUT,
};

/* An IPv4 address has the first four bytes; the rest is zero, so that memcmp() can compare. */
struct sa_address {
	uint8_t bytes[16];
};

/* The kernel's key of an SA: destination, SPI, protocol, family and mark (xfrm_state_lookup()).
 * Zero it before filling it, so that it can be compared and hashed as bytes. */
struct sa_id {
	struct sa_address destination;
	uint32_t spi;
	uint32_t mark_value;
	uint32_t mark_mask;
	uint16_t family;  /* AF_INET or AF_INET6 */
	uint8_t protocol; /* IPPROTO_ESP and so on */
	uint8_t padding;
};

/* The properties that rules match on, and that define the lineage of an SA over its rekeys. */
struct sa_description {
	struct sa_id id;
	struct sa_address source;
	uint32_t reqid;
	uint32_t if_id;
	uint32_t cpu;   /* 1 + the only CPU that uses it (XFRMA_SA_PCPU), 0: any */
	uint32_t label; /* a hash of its security context (XFRMA_SEC_CTX), 0: none */
	uint8_t mode;   /* XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL, ... of linux/xfrm.h */
	enum sa_direction direction : 8;
};
