/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the manager asks about devices, addresses and routes, as a struct of functions: the real one
 * (network.c: nic_watch and route lookups) and that of the tests.
 */
#pragma once

#include "network/nic.h"
#include "sa.h"

struct network;

struct network_ops {
	size_t (*count)(struct network *network);
	const struct nic *(*at)(struct network *network, size_t index);
	const struct nic *(*get)(struct network *network, int ifindex); /* NULL: none */
	const struct nic *(*find)(struct network *network, const char *name);
	bool (*address_is_local)(struct network *network, uint16_t family,
				 const struct sa_address *address);
	/* As route_for_sa(), in the VRF of the SA's local address. -ENOTUNIQ: that is in several.
	 */
	int (*route_for_sa)(struct network *network, const struct sa_description *sa, uint32_t mark,
			    int *ret_ifindex);
	struct network *(*free)(struct network *network);
};

struct network {
	const struct network_ops *ops;
};

/* Changes are told by the callbacks, whose userdata is `userdata`. */
int network_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		struct network **ret_network);

static inline struct network *network_free(struct network *network)
{
	return network ? network->ops->free(network) : NULL;
}
DEFINE_CLEANUP(struct network *, network_free);
