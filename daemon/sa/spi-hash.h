/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hash of the SPI and protocol only. So SAs that share an SPI have one hash
 * (shares_spi of struct sa), and so have an SA and its copy with another destination
 * (ownership_find_same()).
 */
#pragma once

#include "hash.h"
#include "sa.h"

static inline uint64_t spi_hash(const struct hash_seed *seed, const struct sa_id *id)
{
	const uint32_t key[] = {id->spi, id->protocol};

	return hash_bytes(seed, key, sizeof(key));
}
