/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A digest of all that a message shows of an SA, except its keys. The tracker keeps the digest of
 * the message from which it last read the SA: while a dump shows the same, nothing has to be read.
 *
 * Two messages that differ have the same digest with a probability of 2^-32, whoever chose them,
 * since the factors are secret. A digest tells nothing of a key: only whether the kernel hides it
 * is part of the digest.
 */
#pragma once

#include "hash.h"

#include <linux/netlink.h>

/* Words of 64 bits. A message with more has no digest: its SA has a very long replay bitmap. */
#define SA_DIGEST_WORDS 128

struct sa_digest_factors {
	uint64_t words[SA_DIGEST_WORDS];
	uint64_t last[7];
	uint64_t age;
};

void sa_digest_init(struct sa_digest_factors *ret_factors, const struct hash_seed *seed);
/* The digest of each message becomes another one. */
void sa_digest_renew(struct sa_digest_factors *factors);
/* Of a message of type XFRM_MSG_NEWSA. 0: it has no digest. */
uint32_t sa_digest(const struct sa_digest_factors *factors, const struct nlmsghdr *message);
