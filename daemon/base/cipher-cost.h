/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an algorithm of ESP costs in software: CPU time by byte and by packet, measured.
 *
 * The kernel runs it for AF_ALG, with a random key that nobody uses. The first measurement loads
 * the modules af_alg, algif_aead, authenc and crypto_null where they are modules. Nothing else in
 * the daemon loads them, so it is made only if the configuration asks for it.
 */
#pragma once

#include "policy.h"

#include <stdbool.h>
#include <stdint.h>

/* An AEAD, or authenc() of an authenticator and a cipher. */
#define CIPHER_NAME_SIZE 64 /* sizeof(sockaddr_alg.salg_name), linux/if_alg.h */
struct cipher {
	char name[CIPHER_NAME_SIZE];
	uint32_t key_bytes; /* of the AEAD with its salt, or of the cipher */
	uint32_t icv_bytes;
	bool authenc;
	uint32_t auth_key_bytes; /* of authenc() */
	bool decrypts;
};

/* In ns. Of the calling thread only: -EOPNOTSUPP if the driver works elsewhere (pcrypt, a crypto
 * accelerator), so that its cost is not known.
 * -EAFNOSUPPORT: there are no sockets of AF_ALG; -ENOENT: the algorithm or algif_aead is missing;
 * -ERANGE: the times were not exact enough. */
int cipher_cost_measure(const struct cipher *cipher, struct policy_cpu_cost *ret_cost);
/* The costs that follow from the times of a packet of 64 bytes and of one of 1,424, ns. -ERANGE:
 * none, since they were measured too inexactly. */
int cipher_cost_of(double small, double large, struct policy_cpu_cost *ret_cost);
