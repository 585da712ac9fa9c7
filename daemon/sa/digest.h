/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A digest of what a message shows of an SA. The tracker keeps the digest of the message from which
 * it last read the SA: while a dump shows the same, nothing has to be read.
 *
 * Algorithms and keys are not part of it, so a digest tells nothing of a key. UPDSA does not change
 * them. The SA's selector is not read, and is not part of it either. Two messages that differ in
 * another place have the same digest with a probability of 2^-32, whoever chose them, since the
 * factors are secret.
 */
#pragma once

#include "hash.h"

#include <linux/netlink.h>

/* Words of 32 bits of the SA itself, and of its attributes. A message with more of them has no
 * digest: the SA has a very long replay bitmap. */
#define SA_DIGEST_WORDS 44
#define SA_DIGEST_ATTRIBUTE_WORDS 160

struct sa_digest_factors {
	uint32_t words[SA_DIGEST_WORDS];
	uint64_t sums[3];
	uint64_t attributes[SA_DIGEST_ATTRIBUTE_WORDS];
	uint64_t age;
};

void sa_digest_init(struct sa_digest_factors *ret_factors, const struct hash_seed *seed);
/* The digest of each message becomes another one. */
void sa_digest_renew(struct sa_digest_factors *factors);
/* Of a message of type XFRM_MSG_NEWSA. 0: it has no digest. */
uint32_t sa_digest(const struct sa_digest_factors *factors, const struct nlmsghdr *message);
