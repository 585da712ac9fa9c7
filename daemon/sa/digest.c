// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Two universal hash functions, one after the other. NH (as in UMAC, RFC 4418) over pairs of words:
 * a factor is added to each word, the two are multiplied, and the products are summed up modulo
 * 2^128. Then a multilinear one to 32 bits. It takes a third of the time of SipHash, and this
 * matters: each SA of each dump has some 400 bytes.
 */
#include "sa/digest.h"
#include "sa/attributes.h"

#include "cleanup.h"

#include <linux/xfrm.h>

#define PAIR (2 * sizeof(uint64_t))

__extension__ typedef unsigned __int128 uint128;

void sa_digest_init(struct sa_digest_factors *ret_factors, const struct hash_seed *seed)
{
	uint64_t n = 0;

	*ret_factors = (struct sa_digest_factors){};
	for (size_t i = 0; i < SA_DIGEST_WORDS; i++, n++)
		ret_factors->words[i] = hash_bytes(seed, &n, sizeof(n));
	for (size_t i = 0; i < ELEMENTSOF(ret_factors->last); i++, n++)
		ret_factors->last[i] = hash_bytes(seed, &n, sizeof(n));
}

void sa_digest_renew(struct sa_digest_factors *factors)
{
	factors->age++;
}

struct digest {
	const uint64_t *factors, *factors_end;
	uint128 sum;
	uint32_t keys, hidden;
};

static uint128 product(const uint64_t *factors, const uint8_t *data)
{
	uint64_t words[2];

	memcpy(words, data, PAIR);
	return (uint128)(words[0] + factors[0]) * (words[1] + factors[1]);
}

/* Returns false when there are not enough factors. */
static bool add(struct digest *digest, const uint8_t *data, size_t size)
{
	const uint64_t *factors = digest->factors;
	uint8_t rest[PAIR] = {};
	uint128 sum = digest->sum;

	if (size / PAIR >= (size_t)(digest->factors_end - factors) / 2)
		return false;
	for (; size >= PAIR; size -= PAIR, data += PAIR, factors += 2)
		sum += product(factors, data);
	memcpy(rest, data, size);
	digest->sum = sum + product(factors, rest);
	digest->factors = factors + 2;
	return true;
}

static uint32_t finish(const struct sa_digest_factors *factors, const struct digest *digest,
		       uint32_t size)
{
	/* Messages of different sizes, or with keys of other sizes, have other numbers of words. */
	const uint32_t words[ELEMENTSOF(factors->last)] = {
		size,
		(uint32_t)(digest->factors - factors->words) << 16 | digest->keys,
		digest->hidden,
		(uint32_t)digest->sum,
		(uint32_t)(digest->sum >> 32),
		(uint32_t)(digest->sum >> 64),
		(uint32_t)(digest->sum >> 96),
	};
	uint64_t sum = factors->age << 32;
	uint32_t result;

	for (size_t i = 0; i < ELEMENTSOF(words); i++)
		sum += factors->last[i] * words[i];
	result = (uint32_t)(sum >> 32);
	return result != 0 ? result : 1;
}

uint32_t sa_digest(const struct sa_digest_factors *factors, const struct nlmsghdr *message)
{
	const uint8_t *from = (const uint8_t *)message + NLMSG_HDRLEN; /* not added yet */
	const uint8_t *end = (const uint8_t *)message + message->nlmsg_len;
	const uint8_t *next = from + sizeof(struct xfrm_usersa_info);
	struct digest digest = {.factors = factors->words,
				.factors_end = factors->words + SA_DIGEST_WORDS};

	while (end - next >= NLA_HDRLEN) {
		const struct nlattr *attribute = (const struct nlattr *)next;
		const struct sa_attribute *known = sa_attribute_find(attribute->nla_type);
		const uint8_t *data = next + NLA_HDRLEN;

		/* One that is not known may be a key, too. */
		if (!known || attribute->nla_len < NLA_HDRLEN + known->size ||
		    NLA_ALIGN(attribute->nla_len) > end - next)
			return 0;
		next += NLA_ALIGN(attribute->nla_len);
		if (!known->key)
			continue;
		if (!add(&digest, from, (size_t)(data - from) + known->size))
			return 0;
		digest.keys++;
		digest.hidden = digest.hidden << 1 |
				sa_attribute_hides_key(known, data,
						       attribute->nla_len - (size_t)NLA_HDRLEN);
		from = next;
	}
	if (next != end || !add(&digest, from, (size_t)(end - from)))
		return 0;
	return finish(factors, &digest, message->nlmsg_len);
}
