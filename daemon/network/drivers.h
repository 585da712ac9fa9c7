/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known about drivers with ESP offload: how many SAs they hold, and which SAs they accept
 * but handle wrongly. No I/O.
 *
 * No kernel interface shows the size of a NIC's SADB. So the sizes are in a table by driver name.
 * The configuration overrides it, and a smaller size is learned when the table is full.
 */
#pragma once

#include "sa-shape.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nic_directions {
	NIC_DIRECTION_IN = 1 << 0,
	NIC_DIRECTION_OUT = 1 << 1,
	NIC_DIRECTION_BOTH = NIC_DIRECTION_IN | NIC_DIRECTION_OUT,
};

struct nic_driver {
	const char *name;   /* as ETHTOOL_GDRVINFO shows it */
	const char *source; /* where it was read: a file below the kernel's drivers/net/ */
	enum nic_directions directions;
	bool has_table; /* false: there is no table (the key is sent with each packet) */
	bool shared;    /* both directions share `in` slots, `out` is unused */
	uint32_t in;    /* slots; 0: unknown, it depends on the device */
	uint32_t out;
	int full[2];     /* negative errno, beside -ENOSPC, for a full table; 0: none */
	bool frees_late; /* a slot is freed with the last reference to the SA, maybe never */
	/* Packets that wait in the queue of the NIC name their SA by the number of its slot, which
	 * the driver clears or gives to another SA as soon as the SA is deleted. */
	bool sends_by_slot;
	const char *unsafe; /* why it gets no SA at all (static); NULL: it can get some */
};

/* The driver's entry (static), or NULL: the driver is not known to have ESP offload. */
const struct nic_driver *nic_driver_find(const char *driver);
/* All entries, in the order of the table; NULL after the last. */
const struct nic_driver *nic_driver_at(size_t index);

/* Whether the error of an addition means that the table is full. `driver` may be NULL. */
bool nic_driver_is_full(const struct nic_driver *driver, int error);

/* The settings of a device on which it depends whether its driver handles an SA correctly. */
struct nic_setting {
	const char *driver;
	bool in_bond; /* the SA is added to a bond, of which this is the active slave */
	bool rx_all;  /* ethtool's rx-all is on */
};

/*
 * Returns 0, or -EOPNOTSUPP if the driver would accept an SA of this shape and handle it wrongly.
 * `ret_reason` is then a static text. SAs that a driver refuses by itself are not checked here: the
 * driver's message is more exact, and newer versions may accept more.
 */
int nic_driver_check(const struct nic_setting *nic, const struct sa_shape *shape,
		     const char **ret_reason);

/* Reads the numbers of a kernel's release: "6.12.37+deb13-amd64" has three. Returns how many it
 * read, at most `n`. */
unsigned kernel_release_parse(const char *release, unsigned long *ret_numbers, unsigned n);

/*
 * Whether SAs can be offloaded safely to a bond with a kernel of this release (uname -r). The
 * configuration must allow it too.
 */
bool nic_bond_allowed(const char *release);
