// SPDX-License-Identifier: GPL-2.0-or-later
/* Implements struct network with the NIC watch and route lookups of this network namespace. */
#include "network/network.h"
#include "network/route.h"

#include <errno.h>

/* The most nested VLANs that are followed. */
#define VLANS_MAX 8

struct watched_network {
	struct network network;
	struct nic_watch *watch;
	struct route_resolver *resolver;
	struct nic_watch_callbacks callbacks;
	void *userdata;
};

static struct watched_network *watched(struct network *network)
{
	return (struct watched_network *)network;
}

static size_t watched_count(struct network *network)
{
	return nic_watch_count(watched(network)->watch);
}

static const struct nic *watched_at(struct network *network, size_t index)
{
	return nic_watch_at(watched(network)->watch, index);
}

static const struct nic *watched_get(struct network *network, int ifindex)
{
	return nic_watch_get(watched(network)->watch, ifindex);
}

static const struct nic *watched_find(struct network *network, const char *name)
{
	return nic_watch_find(watched(network)->watch, name);
}

static bool watched_address_is_local(struct network *network, uint16_t family,
				     const struct sa_address *address)
{
	return nic_watch_address_is_local(watched(network)->watch, family, address->bytes);
}

static int watched_route_for_sa(struct network *network, const struct sa_description *sa,
				uint32_t mark, int *ret_ifindex)
{
	struct watched_network *w = watched(network);
	const struct sa_address *local =
		sa->direction == SA_DIRECTION_IN ? &sa->id.destination : &sa->source;
	int vrf, r;

	r = nic_watch_vrf_of_address(w->watch, sa->id.family, local->bytes, &vrf);
	if (r < 0)
		return r;
	return route_for_sa(w->resolver, sa, mark, vrf, ret_ifindex);
}

static struct network *watched_free(struct network *network)
{
	struct watched_network *w = watched(network);

	nic_watch_free(w->watch);
	route_free(w->resolver);
	free(w);
	return NULL;
}

static const struct network_ops watched_ops = {
	.count = watched_count,
	.at = watched_at,
	.get = watched_get,
	.find = watched_find,
	.address_is_local = watched_address_is_local,
	.route_for_sa = watched_route_for_sa,
	.free = watched_free,
};

/* The callbacks of the NIC watch. Each forgets outdated routes before it calls the callback of the
 * owner, which looks them up again. */

static void on_link(const struct nic *before, const struct nic *after, void *userdata)
{
	struct watched_network *w = userdata;

	/* When a device goes up or down, its next hops become usable or unusable without a message
	 * about their routes (fib_sync_up(), fib_sync_down_dev()), and a multipath route then uses
	 * other next hops. With ignore_routes_with_linkdown the carrier has the same effect. */
	if (!before || !after || before->up != after->up || before->carrier != after->carrier)
		route_expire(w->resolver);
	if (w->callbacks.link)
		w->callbacks.link(before, after, w->userdata);
}

static void on_addresses(void *userdata)
{
	struct watched_network *w = userdata;

	route_invalidate(w->resolver);
	if (w->callbacks.addresses)
		w->callbacks.addresses(w->userdata);
}

/* Changes that do not affect the peer of any SA are not passed on. */
static void on_routes(const struct nic_route_changes *changes, void *userdata)
{
	struct watched_network *w = userdata;

	if (route_expire_changes(w->resolver, changes) && w->callbacks.routes)
		w->callbacks.routes(changes, w->userdata);
}

static void on_resynced(void *userdata)
{
	struct watched_network *w = userdata;

	route_invalidate(w->resolver);
	if (w->callbacks.resynced)
		w->callbacks.resynced(w->userdata);
}

static void on_failed(int error, void *userdata)
{
	struct watched_network *w = userdata;

	if (w->callbacks.failed)
		w->callbacks.failed(error, w->userdata);
}

int network_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		struct network **ret_network)
{
	static const struct nic_watch_callbacks forward = {
		.link = on_link,
		.addresses = on_addresses,
		.routes = on_routes,
		.resynced = on_resynced,
		.failed = on_failed,
	};
	struct watched_network *w = calloc(1, sizeof(*w));
	_cleanup_(network_freep) struct network *network = NULL;
	int r;

	if (!w)
		return -ENOMEM;
	w->network.ops = &watched_ops;
	w->callbacks = *callbacks;
	w->userdata = userdata;
	network = &w->network;

	r = route_new(&w->resolver);
	if (r < 0)
		return r;
	r = nic_watch_new(event, &forward, w, &w->watch);
	if (r < 0)
		return r;
	*ret_network = TAKE_PTR(network);
	return 0;
}

const char *network_name(struct network *network, int ifindex)
{
	const struct nic *nic = ifindex ? network_get(network, ifindex) : NULL;

	return nic ? nic->name : "";
}

bool network_is_up(struct network *network, int ifindex)
{
	const struct nic *nic = network_get(network, ifindex);

	return nic && nic->up;
}

const struct nic *network_below_vlan(struct network *network, int ifindex)
{
	const struct nic *nic = network_get(network, ifindex);

	if (!nic || !nic->is_vlan)
		return NULL;
	for (unsigned i = 0; nic && nic->is_vlan && i < VLANS_MAX; i++)
		nic = network_get(network, nic->lower_ifindex);
	return nic;
}
