// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/address.h"

#include "hash-table.h"
#include "hash.h"
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
	struct hash_link link; /* by address without device */
	struct nic_address address;
	uint64_t epoch;
};

struct nic_addresses {
	struct hash_table table;
	struct hash_seed seed;
	uint64_t epoch;
};

int nic_addresses_new(struct nic_addresses **ret_addresses)
{
	_cleanup_free_ struct nic_addresses *addresses = calloc(1, sizeof(*addresses));
	int r = addresses ? hash_seed_random(&addresses->seed) : -ENOMEM;

	if (r < 0)
		return r;
	*ret_addresses = TAKE_PTR(addresses);
	return 0;
}

struct nic_addresses *nic_addresses_free(struct nic_addresses *addresses)
{
	struct entry *entry;

	if (!addresses)
		return NULL;
	HASH_TABLE_FOREACH(entry, &addresses->table, link)
		free(entry);
	hash_table_release(&addresses->table);
	free(addresses);
	return NULL;
}

static uint64_t hash_of(const struct nic_addresses *addresses, const struct nic_address *address)
{
	uint8_t key[sizeof(address->bytes) + sizeof(address->family)];

	memcpy(key, address->bytes, sizeof(address->bytes));
	memcpy(key + sizeof(address->bytes), &address->family, sizeof(address->family));
	return hash_bytes(&addresses->seed, key, sizeof(key));
}

static bool same_but_device(const struct nic_address *a, const struct nic_address *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

static struct entry *find(const struct nic_addresses *addresses, const struct nic_address *address)
{
	struct entry *entry;

	HASH_TABLE_FOREACH_EQUAL(entry, &addresses->table, hash_of(addresses, address), link)
		if (entry->address.ifindex == address->ifindex &&
		    same_but_device(&entry->address, address))
			return entry;
	return NULL;
}

int nic_addresses_add(struct nic_addresses *addresses, const struct nic_address *address)
{
	struct entry *entry = find(addresses, address);
	bool added = !entry;

	if (added) {
		entry = malloc(sizeof(*entry));
		if (!entry)
			return -ENOMEM;
		entry->address = *address;
		hash_table_add(&addresses->table, &entry->link, hash_of(addresses, address));
	}
	entry->epoch = addresses->epoch;
	return added;
}

static void drop(struct nic_addresses *addresses, struct entry *entry)
{
	hash_table_remove(&addresses->table, &entry->link);
	free(entry);
}

int nic_addresses_remove(struct nic_addresses *addresses, const struct nic_address *address)
{
	struct entry *entry = find(addresses, address);

	if (!entry)
		return 0;
	drop(addresses, entry);
	return 1;
}

bool nic_addresses_next_device(const struct nic_addresses *addresses, int family, const void *bytes,
			       const void **cursor, int *ret_ifindex)
{
	struct nic_address address = {.family = (uint16_t)family};
	const struct hash_link *link;

	if (family != AF_INET && family != AF_INET6)
		return false;
	memcpy(address.bytes, bytes, family == AF_INET ? 4 : 16);
	link = *cursor ? hash_link_next(*cursor)
		       : hash_table_first(&addresses->table, hash_of(addresses, &address));
	for (; link; link = hash_link_next(link)) {
		const struct entry *entry = HASH_TABLE_ELEMENT(link, const struct entry *, link);

		if (same_but_device(&entry->address, &address)) {
			*cursor = link;
			*ret_ifindex = entry->address.ifindex;
			return true;
		}
	}
	return false;
}

bool nic_addresses_contain(const struct nic_addresses *addresses, int family, const void *bytes)
{
	const void *cursor = NULL;
	int ifindex;

	return nic_addresses_next_device(addresses, family, bytes, &cursor, &ifindex);
}

void nic_addresses_begin(struct nic_addresses *addresses)
{
	addresses->epoch++;
}

size_t nic_addresses_remove_stale(struct nic_addresses *addresses)
{
	size_t before = addresses->table.n;
	struct entry *entry;

	HASH_TABLE_FOREACH(entry, &addresses->table, link)
		if (entry->epoch != addresses->epoch)
			drop(addresses, entry);
	return before - addresses->table.n;
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
