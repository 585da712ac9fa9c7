/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A keyed hash of the SPI and protocol of an SA. Peers choose SPIs. Without the seed they cannot
 * choose SPIs that collide.
 */
#pragma once

#include <stdint.h>

struct spi_hash_seed {
	uint64_t words[2];
};

/* Fills the seed with random bytes. Returns 0 or a negative errno of getrandom(2). */
int spi_hash_seed(struct spi_hash_seed *ret_seed);
/* SipHash-1-3 of five bytes: the protocol and the SPI. */
uint64_t spi_hash(const struct spi_hash_seed *seed, uint32_t spi, uint8_t protocol);
