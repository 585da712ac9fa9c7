/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known about drivers with ESP offload: how many SAs they hold, and which SAs they accept
 * but handle wrongly. No I/O.
 *
 * No kernel interface shows the size of a NIC's SADB. So the sizes are in a table by driver name.
 * The configuration overrides it, and a smaller size is learned from ENOSPC.
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
	const char *name; /* as ETHTOOL_GDRVINFO shows it */
	enum nic_directions directions;
	bool has_table; /* false: there is no table (the key is sent with each packet) */
	bool shared;    /* both directions share `in` slots, `out` is unused */
	uint32_t in;    /* slots; 0: unknown, it depends on the device */
	uint32_t out;
	bool frees_late; /* a slot is freed with the last reference to the SA, maybe never */
};

/* The driver's entry (static), or NULL: the driver is not known to have ESP offload. */
const struct nic_driver *nic_driver_find(const char *driver);

/*
 * Returns 0, or -EOPNOTSUPP if the driver would accept an SA of this shape and handle it wrongly.
 * `ret_reason` is then a static text. SAs that a driver refuses by itself are not checked here: the
 * driver's message is more exact, and newer versions may accept more. For a bond, pass the driver
 * of its active slave.
 */
int nic_driver_check(const char *driver, const struct sa_shape *shape, const char **ret_reason);

/* Reads the numbers of a kernel's release: "6.12.37+deb13-amd64" has three. Returns how many it
 * read, at most `n`. */
unsigned kernel_release_parse(const char *release, unsigned long *ret_numbers, unsigned n);

/*
 * Whether SAs can be offloaded safely to a bond with a kernel of this release (uname -r). The
 * configuration must allow it too.
 */
bool nic_bond_allowed(const char *release);
