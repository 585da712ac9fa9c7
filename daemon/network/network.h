/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices, addresses and routes, as a struct of functions with two implementations: network.c
 * (nic_watch and route lookups), and a fake one for the tests.
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
	/* As route_for_sa(), in the VRF of the SA's local address. -ENOTUNIQ: the address is in
	 * several VRFs. */
	int (*route_for_sa)(struct network *network, const struct sa_description *sa, uint32_t mark,
			    int *ret_ifindex);
	struct network *(*free)(struct network *network);
};

struct network {
	const struct network_ops *ops;
};

/* Reads the network and attaches it to the event loop. The callbacks, which are copied, report
 * changes. Errors as nic_watch_new(). */
int network_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		struct network **ret_network);

static inline size_t network_count(struct network *network)
{
	return network->ops->count(network);
}

static inline const struct nic *network_at(struct network *network, size_t index)
{
	return network->ops->at(network, index);
}

static inline const struct nic *network_get(struct network *network, int ifindex)
{
	return network->ops->get(network, ifindex);
}

static inline const struct nic *network_find(struct network *network, const char *name)
{
	return network->ops->find(network, name);
}

static inline bool network_address_is_local(struct network *network, uint16_t family,
					    const struct sa_address *address)
{
	return network->ops->address_is_local(network, family, address);
}

static inline int network_route_for_sa(struct network *network, const struct sa_description *sa,
				       uint32_t mark, int *ret_ifindex)
{
	return network->ops->route_for_sa(network, sa, mark, ret_ifindex);
}

static inline struct network *network_free(struct network *network)
{
	return network ? network->ops->free(network) : NULL;
}
DEFINE_CLEANUP(struct network *, network_free);

const char *network_name(struct network *network, int ifindex); /* "": no such device */
bool network_is_up(struct network *network, int ifindex);       /* false: down, or no such device */
/* The device below a VLAN, or NULL if there is none or `ifindex` is not a VLAN. */
const struct nic *network_below_vlan(struct network *network, int ifindex);
