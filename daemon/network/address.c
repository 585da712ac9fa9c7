// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/address.h"
#include "network/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/addr.h>
#include <netlink/msg.h>
#include <netlink/route/addr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct entry {
	struct nic_address address; /* family 0: free */
	uint64_t epoch;
};

/* Open addressing with linear probing, at most half full. Hashed by address without device, so
 * that one probe sequence has all devices of an address. */
struct nic_addresses {
	struct entry *entries;
	size_t allocated; /* a power of two */
	size_t count;
	uint64_t epoch;
};

#define INITIAL_ALLOCATED 64u

int nic_addresses_new(struct nic_addresses **ret_addresses)
{
	struct nic_addresses *addresses = calloc(1, sizeof(*addresses));

	if (!addresses)
		return -ENOMEM;
	addresses->allocated = INITIAL_ALLOCATED;
	addresses->entries = calloc(addresses->allocated, sizeof(*addresses->entries));
	if (!addresses->entries) {
		free(addresses);
		return -ENOMEM;
	}
	*ret_addresses = addresses;
	return 0;
}

struct nic_addresses *nic_addresses_free(struct nic_addresses *addresses)
{
	if (!addresses)
		return NULL;
	free(addresses->entries);
	free(addresses);
	return NULL;
}

/* FNV-1a, without a seed: the administrator chooses the addresses, so peers cannot cause
 * collisions. */
static size_t home(const struct nic_addresses *addresses, uint16_t family, const uint8_t bytes[16])
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ family;

	for (size_t i = 0; i < 16; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return (size_t)(hash ^ hash >> 32) & (addresses->allocated - 1);
}

static bool same(const struct nic_address *a, const struct nic_address *b)
{
	return a->family == b->family && a->ifindex == b->ifindex &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/* The slot of the address, or the free slot for it. */
static size_t slot(const struct nic_addresses *addresses, const struct nic_address *address)
{
	size_t at = home(addresses, address->family, address->bytes);

	while (addresses->entries[at].address.family != 0 &&
	       !same(&addresses->entries[at].address, address))
		at = (at + 1) & (addresses->allocated - 1);
	return at;
}

static int grow(struct nic_addresses *addresses)
{
	struct nic_addresses larger = {
		.allocated = addresses->allocated * 2,
		.count = addresses->count,
		.epoch = addresses->epoch,
	};

	larger.entries = calloc(larger.allocated, sizeof(*larger.entries));
	if (!larger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < addresses->allocated; i++) {
		const struct entry *entry = &addresses->entries[i];

		if (entry->address.family != 0)
			larger.entries[slot(&larger, &entry->address)] = *entry;
	}
	free(addresses->entries);
	*addresses = larger;
	return 0;
}

int nic_addresses_add(struct nic_addresses *addresses, const struct nic_address *address)
{
	size_t at = slot(addresses, address);
	bool added = addresses->entries[at].address.family == 0;

	if (added) {
		if (addresses->count + 1 > addresses->allocated / 2) {
			int r = grow(addresses);

			if (r < 0)
				return r;
			at = slot(addresses, address);
		}
		addresses->entries[at].address = *address;
		addresses->count++;
	}
	addresses->entries[at].epoch = addresses->epoch;
	return added;
}

/* Frees a slot and closes the gap, so that every probe sequence stays complete. */
static void vacate(struct nic_addresses *addresses, size_t gap)
{
	size_t mask = addresses->allocated - 1;

	for (size_t at = (gap + 1) & mask; addresses->entries[at].address.family != 0;
	     at = (at + 1) & mask) {
		const struct nic_address *address = &addresses->entries[at].address;
		size_t wanted = home(addresses, address->family, address->bytes);

		/* It may move into the gap unless its home is behind the gap. */
		if (((at - wanted) & mask) >= ((at - gap) & mask)) {
			addresses->entries[gap] = addresses->entries[at];
			gap = at;
		}
	}
	addresses->entries[gap] = (struct entry){};
	addresses->count--;
}

int nic_addresses_remove(struct nic_addresses *addresses, const struct nic_address *address)
{
	size_t at = slot(addresses, address);

	if (addresses->entries[at].address.family == 0)
		return 0;
	vacate(addresses, at);
	return 1;
}

bool nic_addresses_next_device(const struct nic_addresses *addresses, int family, const void *bytes,
			       size_t *cursor, int *ret_ifindex)
{
	struct nic_address address = {.family = (uint16_t)family};
	size_t first;

	if (family != AF_INET && family != AF_INET6)
		return false;
	memcpy(address.bytes, bytes, family == AF_INET ? 4 : 16);

	first = home(addresses, address.family, address.bytes);
	for (;;) {
		size_t at = (first + *cursor) & (addresses->allocated - 1);

		if (addresses->entries[at].address.family == 0)
			return false;
		++*cursor;
		address.ifindex = addresses->entries[at].address.ifindex;
		if (same(&addresses->entries[at].address, &address)) {
			*ret_ifindex = address.ifindex;
			return true;
		}
	}
}

bool nic_addresses_contain(const struct nic_addresses *addresses, int family, const void *bytes)
{
	size_t cursor = 0;
	int ifindex;

	return nic_addresses_next_device(addresses, family, bytes, &cursor, &ifindex);
}

void nic_addresses_begin(struct nic_addresses *addresses)
{
	addresses->epoch++;
}

size_t nic_addresses_remove_stale(struct nic_addresses *addresses)
{
	size_t removed = 0;

	for (size_t i = 0; i < addresses->allocated;) {
		const struct entry *entry = &addresses->entries[i];

		if (entry->address.family != 0 && entry->epoch != addresses->epoch) {
			/* Another entry may have moved into the slot, so the slot is checked again.
			 * An entry that moves from the beginning of the array to its end was
			 * checked before. */
			vacate(addresses, i);
			removed++;
		} else {
			i++;
		}
	}
	return removed;
}

static void on_address(struct nl_object *object, void *userdata)
{
	struct rtnl_addr *parsed = (struct rtnl_addr *)object;
	struct nic_address *address = userdata;
	/* For IPv6 without a peer, whose message has no IFA_LOCAL, this is IFA_ADDRESS. */
	struct nl_addr *local = rtnl_addr_get_local(parsed);
	int family = rtnl_addr_get_family(parsed);
	unsigned int size = family == AF_INET ? 4 : 16;

	if (!local || nl_addr_get_len(local) != size)
		return;
	memcpy(address->bytes, nl_addr_get_binary_addr(local), size);
	address->family = (uint16_t)family;
	address->ifindex = rtnl_addr_get_ifindex(parsed);
}

int nic_parse_address(const struct nlmsghdr *message, struct nic_address *ret_address)
{
	_cleanup_(nlmsg_freep) struct nl_msg *copy = NULL;
	struct nic_address address = {};
	const struct ifaddrmsg *header = nlmsg_data(message);

	if (message->nlmsg_type != RTM_NEWADDR && message->nlmsg_type != RTM_DELADDR)
		return NIC_ADDRESS_IGNORE;
	if (!nlmsg_valid_hdr(message, sizeof(*header)))
		return -EBADMSG;
	if (header->ifa_family != AF_INET && header->ifa_family != AF_INET6)
		return NIC_ADDRESS_IGNORE;

	copy = nlmsg_convert((struct nlmsghdr *)message);
	if (!copy)
		return -ENOMEM;
	nlmsg_set_proto(copy, NETLINK_ROUTE);
	if (nl_msg_parse(copy, on_address, &address) < 0 || address.family == 0)
		return -EBADMSG;
	*ret_address = address;
	return message->nlmsg_type == RTM_NEWADDR ? NIC_ADDRESS_ADDED : NIC_ADDRESS_REMOVED;
}
