/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shape of an SA: all properties that decide whether a driver accepts it, and nothing that is
 * secret or unique to it. A NIC gives the same answer to all SAs of the same shape, so refusals are
 * remembered by shape.
 *
 * A plain value. Zero it before filling it, so that memcmp() can compare it.
 */
#pragma once

#include "sa.h"

#include <stdbool.h>
#include <stdint.h>

#define SA_SHAPE_ALGORITHM_MAX 64 /* sizeof(xfrm_algo_aead.alg_name), linux/xfrm.h */

struct sa_shape {
	enum sa_direction direction;
	uint16_t family;  /* of the outer addresses: AF_INET or AF_INET6 */
	uint8_t protocol; /* IPPROTO_ESP, ... */
	uint8_t mode;     /* XFRM_MODE_TRANSPORT, XFRM_MODE_TUNNEL, ... of linux/xfrm.h */
	/* The kernel's names, "" for none: an SA has an AEAD, or a cipher with an authenticator. */
	char aead[SA_SHAPE_ALGORITHM_MAX];
	char cipher[SA_SHAPE_ALGORITHM_MAX];
	char authenticator[SA_SHAPE_ALGORITHM_MAX];
	uint32_t key_bits; /* alg_key_len of the AEAD or cipher, with 32 bits of salt for rfc4106 */
	uint32_t icv_bits; /* alg_icv_len of the AEAD, alg_trunc_len of the authenticator */
	bool esn;
	bool encap; /* UDP or TCP encapsulation, with any ports */
	bool tfc;   /* TFC padding */
	bool if_id; /* bound to an xfrm interface: inbound refused by Linux 6.16 and later */
};
