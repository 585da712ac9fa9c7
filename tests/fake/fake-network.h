/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network of a test: NICs that the test owns and changes, and one outgoing device. The test
 * itself reports changes to the manager.
 */
#pragma once

#include "network/network.h"

struct fake_network {
	struct network network;
	struct nic *nics; /* in the order of ifindex; not owned */
	size_t n;         /* number of existing NICs */
	int routed; /* ifindex of the device by which all packets leave, unless there is no NIC */
	int route_error;        /* negative errno of all lookups; 0: none */
	bool direction_unknown; /* no address is local */
	unsigned lookups;
};

/* For tests that replace one of them. */
extern const struct network_ops fake_network_ops;

/* All packets leave by the first NIC. Belongs to the caller, also after network_free(). */
void fake_network_init(struct fake_network *network, struct nic *nics, size_t n);
