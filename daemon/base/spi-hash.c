// SPDX-License-Identifier: GPL-2.0-or-later
#include "spi-hash.h"

#include <errno.h>
#include <sys/random.h>

static uint64_t rotate(uint64_t value, unsigned bits)
{
	return value << bits | value >> (64 - bits);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

uint64_t spi_hash(const struct spi_hash_seed *seed, uint32_t spi, uint8_t protocol)
{
	/* SipHash defines that the most significant byte of the last word is the length of the
	 * message. */
	uint64_t word = UINT64_C(5) << 56 | (uint64_t)spi << 8 | protocol;
	uint64_t v[4] = {
		seed->words[0] ^ UINT64_C(0x736f6d6570736575),
		seed->words[1] ^ UINT64_C(0x646f72616e646f6d),
		seed->words[0] ^ UINT64_C(0x6c7967656e657261),
		seed->words[1] ^ UINT64_C(0x7465646279746573),
	};

	v[3] ^= word;
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

int spi_hash_seed(struct spi_hash_seed *ret_seed)
{
	return getrandom(ret_seed, sizeof(*ret_seed), 0) == sizeof(*ret_seed) ? 0 : -errno;
}
