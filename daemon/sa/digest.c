// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two universal hash functions. NH (as in UMAC, RFC 4418) over the words of struct
 * xfrm_usersa_info: a factor is added to each, two are multiplied, and the products are summed up
 * modulo 2^64. Then a multilinear one over this sum and the words of the attributes. SipHash takes
 * several times as long, which matters: all SAs of all dumps come here.
 */
#include "sa/digest.h"
#include "sa/attributes.h"

#include <linux/xfrm.h>
#include <stddef.h>

/* The last part of the selector makes the words whole. */
#define INFO_OFFSET (sizeof(struct xfrm_usersa_info) - SA_DIGEST_WORDS * WORD)
#define ATTRIBUTES_OFFSET (NLMSG_HDRLEN + sizeof(struct xfrm_usersa_info))
#define WORD sizeof(uint32_t)

_Static_assert(INFO_OFFSET <= offsetof(struct xfrm_usersa_info, id), "not all of it");
_Static_assert(SA_DIGEST_WORDS % 2 == 0, "pairs");

void sa_digest_init(struct sa_digest_factors *ret_factors, const struct hash_seed *seed)
{
	for (uint64_t i = 0; i < sizeof(*ret_factors) / sizeof(i); i++) {
		uint64_t factor = hash_bytes(seed, &i, sizeof(i));

		memcpy((uint8_t *)ret_factors + i * sizeof(factor), &factor, sizeof(factor));
	}
}

void sa_digest_renew(struct sa_digest_factors *factors)
{
	factors->age += UINT64_C(1) << 32;
}

static uint64_t sum_of_info(const uint32_t *factors, const uint8_t *data)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < SA_DIGEST_WORDS; i += 2) {
		uint32_t words[2];

		memcpy(words, data + i * WORD, sizeof(words));
		sum += (uint64_t)(words[0] + factors[i]) * (words[1] + factors[i + 1]);
	}
	return sum;
}

uint32_t sa_digest(const struct sa_digest_factors *factors, const struct nlmsghdr *message)
{
	const uint8_t *data = (const uint8_t *)message, *end = data + message->nlmsg_len;
	const uint64_t *factor = factors->attributes;
	uint64_t sum = factors->age;
	uint64_t info;

	if (message->nlmsg_len < ATTRIBUTES_OFFSET || message->nlmsg_len % WORD != 0 ||
	    message->nlmsg_len > ATTRIBUTES_OFFSET + WORD * SA_DIGEST_ATTRIBUTE_WORDS)
		return 0;
	info = sum_of_info(factors->words, data + NLMSG_HDRLEN + INFO_OFFSET);
	sum += factors->sums[0] * message->nlmsg_len;
	sum += factors->sums[1] * (uint32_t)info + factors->sums[2] * (uint32_t)(info >> 32);
	for (data += ATTRIBUTES_OFFSET; data < end;) {
		const struct nlattr *attribute = (const struct nlattr *)data;
		const struct sa_attribute *known = sa_attribute_find(attribute->nla_type);
		const uint8_t *next = data + NLA_ALIGN(attribute->nla_len);

		/* One that is not known may be a key, too. */
		if (!known || attribute->nla_len < NLA_HDRLEN || next > end)
			return 0;
		/* Of a key, only the length. */
		for (const uint8_t *stop = known->key ? data + WORD : next; data < stop;
		     data += WORD) {
			uint32_t word;

			memcpy(&word, data, WORD);
			sum += *factor++ * word;
		}
		data = next;
	}
	sum >>= 32;
	return sum != 0 ? (uint32_t)sum : 1;
}
