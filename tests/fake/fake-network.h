/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of a test: NICs that the test owns and changes, and one way out of the machine. The
 * test itself tells the manager of changes.
 */
#pragma once

#include "network/network.h"

struct fake_network {
	struct network network;
	struct nic *nics; /* in the order of ifindex; not owned */
	size_t n;         /* of them are there */
	int routed;       /* ifindex of the device that all SAs leave by, unless there is no NIC */
	int route_error;  /* negative errno of all lookups; 0: none */
	bool direction_unknown; /* no address is local */
	unsigned lookups;
};

/* For those that change one of them. */
extern const struct network_ops fake_network_ops;

/* All leave by the first NIC. Belongs to the caller, also after network_free(). */
void fake_network_init(struct fake_network *network, struct nic *nics, size_t n);
