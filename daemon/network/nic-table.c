// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/nic-table.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	struct nic nic;
	uint64_t epoch; /* of the last dump that showed it */
};

/* Sorted by ifindex. New devices mostly have the highest ifindex, so they are inserted at the
 * end. */
struct nic_table {
	struct entry *entries;
	size_t count;
	size_t in_vrfs;
	size_t allocated;
	uint64_t generation;
	uint64_t epoch;
};

int nic_table_new(struct nic_table **ret_table)
{
	struct nic_table *table = calloc(1, sizeof(*table));

	if (!table)
		return -ENOMEM;
	*ret_table = table;
	return 0;
}

struct nic_table *nic_table_free(struct nic_table *table)
{
	if (!table)
		return NULL;
	free(table->entries);
	free(table);
	return NULL;
}

/* The position of the first entry whose ifindex is not smaller. */
static size_t position(const struct nic_table *table, int ifindex)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->entries[middle].nic.ifindex < ifindex)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct entry *find(const struct nic_table *table, int ifindex)
{
	size_t at = position(table, ifindex);

	if (at < table->count && table->entries[at].nic.ifindex == ifindex)
		return &table->entries[at];
	return NULL;
}

const struct nic *nic_table_get(const struct nic_table *table, int ifindex)
{
	struct entry *entry = find(table, ifindex);

	return entry ? &entry->nic : NULL;
}

const struct nic *nic_table_find(const struct nic_table *table, const char *name)
{
	for (size_t i = 0; i < table->count; i++)
		if (strcmp(table->entries[i].nic.name, name) == 0)
			return &table->entries[i].nic;
	return NULL;
}

size_t nic_table_count(const struct nic_table *table)
{
	return table->count;
}

bool nic_table_has_vrf(const struct nic_table *table)
{
	return table->in_vrfs > 0;
}

const struct nic *nic_table_at(const struct nic_table *table, size_t index)
{
	return index < table->count ? &table->entries[index].nic : NULL;
}

/* Compares everything except the generation. */
static bool same(const struct nic *a, const struct nic *b)
{
	return a->ifindex == b->ifindex && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->driver, b->driver) == 0 && strcmp(a->pci, b->pci) == 0 &&
	       strcmp(a->mac, b->mac) == 0 && a->up == b->up && a->carrier == b->carrier &&
	       a->speed == b->speed && a->esp_offload_known == b->esp_offload_known &&
	       a->esp_offload == b->esp_offload &&
	       a->esp_offload_changeable == b->esp_offload_changeable && a->rx_all == b->rx_all &&
	       a->is_bond == b->is_bond && a->bond_active_slave == b->bond_active_slave &&
	       a->is_vlan == b->is_vlan && a->lower_ifindex == b->lower_ifindex &&
	       a->vrf_ifindex == b->vrf_ifindex;
}

static int insert(struct nic_table *table, const struct nic *nic)
{
	size_t at = position(table, nic->ifindex);
	struct entry *entry;

	if (table->count == table->allocated) {
		size_t allocated = table->allocated ? table->allocated * 2 : 16;
		struct entry *entries = reallocarray(table->entries, allocated, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		table->entries = entries;
		table->allocated = allocated;
	}

	entry = &table->entries[at];
	memmove(entry + 1, entry, (table->count - at) * sizeof(*entry));
	table->count++;
	table->in_vrfs += nic->vrf_ifindex != 0;
	entry->nic = *nic;
	entry->nic.generation = ++table->generation;
	entry->epoch = table->epoch;
	return NIC_TABLE_ADDED;
}

int nic_table_set(struct nic_table *table, const struct nic *nic, struct nic *ret_old)
{
	struct entry *entry = find(table, nic->ifindex);

	if (!entry)
		return insert(table, nic);

	entry->epoch = table->epoch;
	if (same(&entry->nic, nic))
		return 0;

	*ret_old = entry->nic;
	table->in_vrfs -= entry->nic.vrf_ifindex != 0;
	table->in_vrfs += nic->vrf_ifindex != 0;
	entry->nic = *nic;
	entry->nic.generation = ++table->generation;
	return NIC_TABLE_CHANGED;
}

static int remove_at(struct nic_table *table, size_t at, struct nic *ret_old)
{
	struct entry *entry = &table->entries[at];

	*ret_old = entry->nic;
	table->count--;
	table->in_vrfs -= entry->nic.vrf_ifindex != 0;
	memmove(entry, entry + 1, (table->count - at) * sizeof(*entry));
	return 1;
}

int nic_table_remove(struct nic_table *table, int ifindex, struct nic *ret_old)
{
	if (!find(table, ifindex))
		return 0;
	return remove_at(table, position(table, ifindex), ret_old);
}

void nic_table_begin(struct nic_table *table)
{
	table->epoch++;
}

int nic_table_remove_stale(struct nic_table *table, struct nic *ret_old)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->entries[i].epoch != table->epoch)
			return remove_at(table, i, ret_old);
	return 0;
}

static bool is_string(const struct nlattr *attribute, const char *text)
{
	return attribute && strcmp(nla_get_string(attribute), text) == 0;
}

/* Bond, VLAN and VRF: IFLA_LINKINFO has the kind of the device, attributes of this kind, and the
 * kind of its master device. */
static int parse_kind(struct nlattr *linkinfo, struct nlattr *const *link, struct nic *nic)
{
	static const struct nla_policy info_policy[IFLA_INFO_MAX + 1] = {
		[IFLA_INFO_KIND] = {.type = NLA_STRING},
		[IFLA_INFO_DATA] = {.type = NLA_NESTED},
		[IFLA_INFO_SLAVE_KIND] = {.type = NLA_STRING},
	};
	static const struct nla_policy bond_policy[IFLA_BOND_MAX + 1] = {
		[IFLA_BOND_ACTIVE_SLAVE] = {.type = NLA_U32},
	};
	struct nlattr *info[IFLA_INFO_MAX + 1], *bond[IFLA_BOND_MAX + 1];

	if (nla_parse_nested(info, IFLA_INFO_MAX, linkinfo, info_policy) < 0)
		return -EBADMSG;
	nic->is_bond = is_string(info[IFLA_INFO_KIND], "bond");
	nic->is_vlan = is_string(info[IFLA_INFO_KIND], "vlan");
	if (is_string(info[IFLA_INFO_KIND], "vrf"))
		nic->vrf_ifindex = nic->ifindex;
	else if (is_string(info[IFLA_INFO_SLAVE_KIND], "vrf") && link[IFLA_MASTER])
		nic->vrf_ifindex = (int)nla_get_u32(link[IFLA_MASTER]);

	if (nic->is_bond && info[IFLA_INFO_DATA]) {
		if (nla_parse_nested(bond, IFLA_BOND_MAX, info[IFLA_INFO_DATA], bond_policy) < 0)
			return -EBADMSG;
		/* Absent while there is no active slave, and in modes without one. */
		if (bond[IFLA_BOND_ACTIVE_SLAVE])
			nic->bond_active_slave = (int)nla_get_u32(bond[IFLA_BOND_ACTIVE_SLAVE]);
	}

	/* IFLA_LINK is the peer of a veth, and the lower device of a VLAN. With IFLA_LINK_NETNSID
	 * it is the ifindex in another namespace. */
	if (nic->is_vlan && link[IFLA_LINK] && !link[IFLA_LINK_NETNSID])
		nic->lower_ifindex = (int)nla_get_u32(link[IFLA_LINK]);
	return 0;
}

static void parse_address(const struct ifinfomsg *header, struct nlattr *address, struct nic *nic)
{
	const uint8_t *a;

	if (header->ifi_type != ARPHRD_ETHER || !address || nla_len(address) != ETH_ALEN)
		return;
	a = nla_data(address);
	(void)snprintf(nic->mac, sizeof(nic->mac), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1],
		       a[2], a[3], a[4], a[5]);
}

int nic_parse_link(const struct nlmsghdr *message, struct nic *ret_nic)
{
	static const struct nla_policy policy[IFLA_MAX + 1] = {
		[IFLA_IFNAME] = {.type = NLA_STRING, .maxlen = IFNAMSIZ},
		[IFLA_LINK] = {.type = NLA_U32},
		[IFLA_MASTER] = {.type = NLA_U32},
		[IFLA_LINKINFO] = {.type = NLA_NESTED},
		[IFLA_PARENT_DEV_NAME] = {.type = NLA_STRING},
	};
	const struct ifinfomsg *header;
	struct nlattr *link[IFLA_MAX + 1];
	struct nic nic = {};

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return NIC_LINK_IGNORE;
	if (nlmsg_parse((struct nlmsghdr *)message, sizeof(*header), link, IFLA_MAX, policy) < 0)
		return -EBADMSG;

	header = nlmsg_data(message);
	/* A bridge sends messages about its ports to the same group, with AF_BRIDGE. RTM_DELLINK
	 * then means that a port left the bridge (br_ifinfo_notify(), net/bridge/br_netlink.c). */
	if (header->ifi_family != AF_UNSPEC)
		return NIC_LINK_IGNORE;
	if (header->ifi_index <= 0)
		return -EBADMSG;

	nic.ifindex = header->ifi_index;
	if (message->nlmsg_type == RTM_DELLINK) {
		*ret_nic = nic;
		return NIC_LINK_REMOVED;
	}

	if (!link[IFLA_IFNAME])
		return -EBADMSG;
	(void)nla_strlcpy(nic.name, link[IFLA_IFNAME], sizeof(nic.name));
	if (link[IFLA_PARENT_DEV_NAME])
		(void)nla_strlcpy(nic.pci, link[IFLA_PARENT_DEV_NAME], sizeof(nic.pci));
	nic.up = header->ifi_flags & IFF_UP;
	nic.carrier = header->ifi_flags & IFF_LOWER_UP;
	parse_address(header, link[IFLA_ADDRESS], &nic);
	if (link[IFLA_LINKINFO] && parse_kind(link[IFLA_LINKINFO], link, &nic) < 0)
		return -EBADMSG;

	*ret_nic = nic;
	return NIC_LINK_SET;
}
