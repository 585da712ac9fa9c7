/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A keyed hash of what an SA is looked up by. Peers choose SPIs, and without the seed they cannot
 * choose where they end up.
 */
#pragma once

#include <stdint.h>

struct spi_hash_seed {
	uint64_t words[2];
};

/* Random; a negative errno. */
int spi_hash_seed(struct spi_hash_seed *ret_seed);
/* SipHash-1-3 of five bytes: the protocol and the SPI. */
uint64_t spi_hash(const struct spi_hash_seed *seed, uint32_t spi, uint8_t protocol);
