/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A keyed hash. Peers choose SPIs and addresses. Without the seed they cannot choose keys that
 * collide.
 */
#pragma once

#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>

struct hash_seed {
	uint64_t words[2];
};

/* Fills the seed with random bytes. Returns 0 or a negative errno of getrandom(2). */
static inline int hash_seed_random(struct hash_seed *ret_seed)
{
	return getrandom(ret_seed, sizeof(*ret_seed), 0) == sizeof(*ret_seed) ? 0 : -errno;
}

static inline uint64_t hash_rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static inline void hash_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = hash_rotate(v[1], 13) ^ v[0];
	v[3] = hash_rotate(v[3], 16) ^ v[2];
	v[0] = hash_rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = hash_rotate(v[1], 17) ^ v[2];
	v[3] = hash_rotate(v[3], 21) ^ v[0];
	v[2] = hash_rotate(v[2], 32);
}

static inline void hash_word(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	hash_round(v);
	v[0] ^= word;
}

/* SipHash-1-3 of the bytes. A struct that is hashed must have no padding, or zeroed padding. */
static inline uint64_t hash_bytes(const struct hash_seed *seed, const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint64_t word;
	uint64_t v[4] = {
		seed->words[0] ^ UINT64_C(0x736f6d6570736575),
		seed->words[1] ^ UINT64_C(0x646f72616e646f6d),
		seed->words[0] ^ UINT64_C(0x6c7967656e657261),
		seed->words[1] ^ UINT64_C(0x7465646279746573),
	};

	for (size_t left = size / sizeof(word); left > 0; left--, bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		hash_word(v, le64toh(word));
	}
	word = 0;
	memcpy(&word, bytes, size % sizeof(word));
	/* SipHash defines that the most significant byte of the last word is the length of the
	 * message. */
	hash_word(v, le64toh(word) | (uint64_t)size << 56);
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		hash_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
