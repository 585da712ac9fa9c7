/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shape of an SA: everything that makes a driver take or refuse it, and nothing that is
 * secret or unique to it. Two SAs of the same shape get the same answer from the same NIC, so what
 * a driver said once is remembered by shape.
 *
 * A plain value. Zero it before filling it, so that memcmp() compares it whole.
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
	uint32_t key_bits; /* alg_key_len of the AEAD or cipher: with rfc4106's 32 bits of salt */
	uint32_t icv_bits; /* alg_icv_len of the AEAD, alg_trunc_len of the authenticator */
	bool esn;
	bool encap; /* UDP or TCP encapsulation, whatever its ports */
	bool tfc;   /* TFC padding */
	bool if_id; /* bound to an xfrm interface: refused inbound from Linux 6.16 on */
};
