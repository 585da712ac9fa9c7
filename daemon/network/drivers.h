/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known about drivers with ESP offload: how many SAs they hold, and which SAs they take
 * but would handle wrongly. Pure.
 *
 * No kernel interface tells the size of a NIC's SADB, so it is a table by driver name; the
 * configuration overrides it, and ENOSPC teaches the rest.
 */
#pragma once

#include "sa-shape.h"

#include <stdbool.h>
#include <stdint.h>

enum nic_directions {
	NIC_DIRECTION_IN = 1 << 0,
	NIC_DIRECTION_OUT = 1 << 1,
	NIC_DIRECTION_BOTH = NIC_DIRECTION_IN | NIC_DIRECTION_OUT,
};

struct nic_driver {
	const char *name; /* as ETHTOOL_GDRVINFO tells it */
	enum nic_directions directions;
	bool has_table; /* false: there are no slots to ration (a key travels with each packet) */
	bool shared;    /* both directions share `in` slots, `out` is unused */
	uint32_t in;    /* slots; 0: no constant in the driver, the device decides */
	uint32_t out;
	bool frees_late; /* a slot is freed when the last reference to the SA goes, maybe never */
};

/* The driver's entry, or NULL: a driver that is not known to have ESP offload. */
const struct nic_driver *nic_driver_find(const char *driver);

/*
 * Returns 0, or -EOPNOTSUPP when the driver would accept an SA of this shape and handle it
 * wrongly, with the reason for people. What a driver refuses by itself is left to it: its own text
 * is the better reason, and newer versions may do more. For a bond, ask about its active slave.
 */
int nic_driver_check(const char *driver, const struct sa_shape *shape, const char **ret_reason);

/*
 * May SAs be offloaded to a bond on a kernel of this release (uname -r)? Even where it is true it
 * is for the operator to ask for it.
 */
bool nic_bond_allowed(const char *release);
