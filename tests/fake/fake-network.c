// SPDX-License-Identifier: GPL-2.0-or-later
#include "fake-network.h"

#include <errno.h>
#include <string.h>

static struct fake_network *fake(struct network *network)
{
	return (struct fake_network *)network;
}

static size_t fake_count(struct network *network)
{
	return fake(network)->n;
}

static const struct nic *fake_at(struct network *network, size_t index)
{
	return &fake(network)->nics[index];
}

static int compare_index(const void *key, const void *element)
{
	const int *ifindex = key;
	const struct nic *nic = element;

	return (*ifindex > nic->ifindex) - (*ifindex < nic->ifindex);
}

static const struct nic *fake_get(struct network *network, int ifindex)
{
	return bsearch(&ifindex, fake(network)->nics, fake(network)->n, sizeof(struct nic),
		       compare_index);
}

static const struct nic *fake_find(struct network *network, const char *name)
{
	for (size_t i = 0; i < fake(network)->n; i++)
		if (strcmp(fake(network)->nics[i].name, name) == 0)
			return &fake(network)->nics[i];
	return NULL;
}

/* The local address of the fake kernel's SAs. */
static bool fake_address_is_local(struct network *network, uint16_t family,
				  const struct sa_address *address)
{
	static const uint8_t gateway[] = {10, 0, 255, 255};

	(void)family;
	return !fake(network)->direction_unknown &&
	       memcmp(address->bytes, gateway, sizeof(gateway)) == 0;
}

static int fake_route(struct network *network, const struct sa_description *sa, uint32_t mark,
		      int *ret_ifindex)
{
	struct fake_network *n = fake(network);

	(void)sa;
	(void)mark;
	n->lookups++;
	if (n->route_error < 0)
		return n->route_error;
	if (n->n == 0)
		return -ENETUNREACH;
	*ret_ifindex = n->routed;
	return 0;
}

static struct network *fake_release(struct network *network)
{
	(void)network;
	return NULL;
}

const struct network_ops fake_network_ops = {
	.count = fake_count,
	.at = fake_at,
	.get = fake_get,
	.find = fake_find,
	.address_is_local = fake_address_is_local,
	.route_for_sa = fake_route,
	.free = fake_release,
};

void fake_network_init(struct fake_network *network, struct nic *nics, size_t n)
{
	*network = (struct fake_network){
		.network.ops = &fake_network_ops,
		.nics = nics,
		.n = n,
		.routed = nics[0].ifindex,
	};
}
