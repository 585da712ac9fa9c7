/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is assumed of a table whose driver was not measured: docs/policy.md. */
#include "policy.h"

/* With a fixed number of bytes a gateway with little traffic would never move an SA. So the cost is
 * at most the bytes that an average SA in the NIC carries in a fraction of a second. On a gateway
 * with 5 GB/s in 128 slots both are 4 MiB. */
#define MIGRATION_BYTES_MAX (4.0 * 1024.0 * 1024.0)
#define MIGRATION_BYTES_SECONDS 0.15
/* Slots kept free for the overlap of a rekey, at most one in RESERVE_SHARE of the table. */
#define RESERVE_SLOTS 4
#define RESERVE_SHARE 64

uint32_t policy_assumed_reserve(uint32_t capacity)
{
	uint32_t reserve = capacity / RESERVE_SHARE;

	return reserve < RESERVE_SLOTS ? reserve : RESERVE_SLOTS;
}

double policy_assumed_migration_bytes(uint32_t capacity, double rate, size_t n)
{
	double slots = n < capacity ? (double)n : (double)capacity;
	double bytes = slots > 0 ? rate / slots * MIGRATION_BYTES_SECONDS : 0;

	return bytes < MIGRATION_BYTES_MAX ? bytes : MIGRATION_BYTES_MAX;
}
