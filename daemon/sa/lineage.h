/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the SAs have in common that replace each other by rekeying. */
#pragma once

#include "sa.h"

/* The part of a description that a rekey does not change: all except the SPI. Without padding,
 * since it is compared as bytes. */
struct sa_lineage {
	struct sa_address source, destination;
	uint32_t reqid, mark_value, mark_mask, if_id, cpu, label;
	uint16_t family;
	uint8_t protocol, mode;
	uint32_t direction;
};

_Static_assert(sizeof(struct sa_lineage) == 64, "policy_sa_add() takes no more");

struct sa_lineage sa_lineage_of(const struct sa_description *d);
