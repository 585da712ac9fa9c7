// SPDX-License-Identifier: GPL-2.0-or-later
/* The recorded devices, addresses and routes, from messages of the test instead of a kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network/address.h"
#include "network/ethtool.h"
#include "network/netlink.h"
#include "network/nic-table.h"
#include "network/route-cache.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/ethtool_netlink.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/genl/genl.h>
#include <string.h>

#define FAMILY 21 /* of ethtool: any */

static struct nl_msg *link_message(int type, int family, int ifindex, unsigned flags,
				   const char *name)
{
	struct ifinfomsg header = {
		.ifi_family = (unsigned char)family,
		.ifi_type = ARPHRD_ETHER,
		.ifi_index = ifindex,
		.ifi_flags = flags,
	};
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	if (name)
		assert_int_equal(nla_put_string(m, IFLA_IFNAME, name), 0);
	return m;
}

static void test_link(void **state)
{
	static const uint8_t mac[] = {0x02, 0xab, 0, 0x11, 0x22, 0xff};
	_cleanup_(nlmsg_freep) struct nl_msg *m =
		link_message(RTM_NEWLINK, AF_UNSPEC, 7, IFF_UP | IFF_LOWER_UP, "eth0");
	struct nic nic;

	assert_int_equal(nla_put(m, IFLA_ADDRESS, sizeof(mac), mac), 0);
	assert_int_equal(nla_put_string(m, IFLA_PARENT_DEV_NAME, "0000:3b:00.0"), 0);
	/* The peer of a veth: not a lower device. */
	assert_int_equal(nla_put_u32(m, IFLA_LINK, 3), 0);

	assert_int_equal(nic_parse_link(nlmsg_hdr(m), &nic), NIC_LINK_SET);
	assert_int_equal(nic.ifindex, 7);
	assert_string_equal(nic.name, "eth0");
	assert_string_equal(nic.pci, "0000:3b:00.0");
	assert_string_equal(nic.mac, "02:ab:00:11:22:ff");
	assert_string_equal(nic.driver, "");
	assert_true(nic.up && nic.carrier);
	assert_false(nic.is_bond || nic.is_vlan || nic.esp_offload_known || nic.esp_offload);
	assert_int_equal(nic.lower_ifindex, 0);
}

static void put_kind(struct nl_msg *m, const char *kind, int attribute, uint32_t value)
{
	struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO), *data;

	assert_non_null(info);
	assert_int_equal(nla_put_string(m, IFLA_INFO_KIND, kind), 0);
	data = nla_nest_start(m, IFLA_INFO_DATA);
	assert_non_null(data);
	assert_int_equal(nla_put_u32(m, attribute, value), 0);
	nla_nest_end(m, data);
	nla_nest_end(m, info);
}

static void test_bond_and_vlan(void **state)
{
	_cleanup_(nlmsg_freep) struct nl_msg *bond =
		link_message(RTM_NEWLINK, AF_UNSPEC, 8, IFF_UP, "bond0");
	_cleanup_(nlmsg_freep) struct nl_msg *vlan =
		link_message(RTM_NEWLINK, AF_UNSPEC, 9, 0, "eth0.5");
	_cleanup_(nlmsg_freep) struct nl_msg *far =
		link_message(RTM_NEWLINK, AF_UNSPEC, 10, 0, "eth0.6");
	struct nic nic;

	put_kind(bond, "bond", IFLA_BOND_ACTIVE_SLAVE, 7);
	assert_int_equal(nic_parse_link(nlmsg_hdr(bond), &nic), NIC_LINK_SET);
	assert_true(nic.is_bond && nic.up && !nic.carrier);
	assert_int_equal(nic.bond_active_slave, 7);

	assert_int_equal(nla_put_u32(vlan, IFLA_LINK, 7), 0);
	put_kind(vlan, "vlan", IFLA_VLAN_FLAGS, 0);
	assert_int_equal(nic_parse_link(nlmsg_hdr(vlan), &nic), NIC_LINK_SET);
	assert_true(nic.is_vlan && !nic.is_bond);
	assert_int_equal(nic.lower_ifindex, 7);

	/* The lower device is in another namespace, where index 7 is another device. */
	assert_int_equal(nla_put_u32(far, IFLA_LINK, 7), 0);
	assert_int_equal(nla_put_u32(far, IFLA_LINK_NETNSID, 0), 0);
	put_kind(far, "vlan", IFLA_VLAN_FLAGS, 0);
	assert_int_equal(nic_parse_link(nlmsg_hdr(far), &nic), NIC_LINK_SET);
	assert_int_equal(nic.lower_ifindex, 0);
}

/* The kernel's messages about a VRF, a physical NIC in it, a VLAN in it, and a port of a bridge. */
static void test_vrf(void **state)
{
	static const struct {
		const char *kind, *slave_kind;
		int expected;
	} links[] = {
		{"vrf", NULL, 9},    {NULL, "vrf", 4},    {"vlan", "vrf", 4},
		{NULL, "bridge", 0}, {"bridge", NULL, 0},
	};

	for (size_t i = 0; i < ELEMENTSOF(links); i++) {
		_cleanup_(nlmsg_freep) struct nl_msg *m =
			link_message(RTM_NEWLINK, AF_UNSPEC, 9, IFF_UP, "eth0");
		struct nlattr *info = nla_nest_start(m, IFLA_LINKINFO);
		struct nic nic;

		assert_non_null(info);
		if (links[i].kind)
			assert_int_equal(nla_put_string(m, IFLA_INFO_KIND, links[i].kind), 0);
		if (links[i].slave_kind)
			assert_int_equal(
				nla_put_string(m, IFLA_INFO_SLAVE_KIND, links[i].slave_kind), 0);
		nla_nest_end(m, info);
		if (links[i].slave_kind)
			assert_int_equal(nla_put_u32(m, IFLA_MASTER, 4), 0);
		assert_int_equal(nic_parse_link(nlmsg_hdr(m), &nic), NIC_LINK_SET);
		assert_int_equal(nic.vrf_ifindex, links[i].expected);
	}
}

static void test_other_link_messages(void **state)
{
	_cleanup_(nlmsg_freep) struct nl_msg *gone =
		link_message(RTM_DELLINK, AF_UNSPEC, 7, 0, "eth0");
	/* A port left a bridge: the device still exists. */
	_cleanup_(nlmsg_freep) struct nl_msg *bridge =
		link_message(RTM_DELLINK, AF_BRIDGE, 7, 0, "eth0");
	_cleanup_(nlmsg_freep) struct nl_msg *nameless =
		link_message(RTM_NEWLINK, AF_UNSPEC, 7, 0, NULL);
	_cleanup_(nlmsg_freep) struct nl_msg *no_index =
		link_message(RTM_NEWLINK, AF_UNSPEC, 0, 0, "eth0");
	_cleanup_(nlmsg_freep) struct nl_msg *long_name =
		link_message(RTM_NEWLINK, AF_UNSPEC, 7, 0, "a-name-of-more-than-15-bytes");
	_cleanup_(nlmsg_freep) struct nl_msg *empty = nlmsg_alloc_simple(RTM_NEWLINK, 0);
	_cleanup_(nlmsg_freep) struct nl_msg *address = nlmsg_alloc_simple(RTM_NEWADDR, 0);
	struct nic nic = {.ifindex = -1};

	assert_int_equal(nic_parse_link(nlmsg_hdr(bridge), &nic), NIC_LINK_IGNORE);
	assert_int_equal(nic_parse_link(nlmsg_hdr(address), &nic), NIC_LINK_IGNORE);
	assert_int_equal(nic_parse_link(nlmsg_hdr(nameless), &nic), -EBADMSG);
	assert_int_equal(nic_parse_link(nlmsg_hdr(no_index), &nic), -EBADMSG);
	assert_int_equal(nic_parse_link(nlmsg_hdr(long_name), &nic), -EBADMSG);
	assert_int_equal(nic_parse_link(nlmsg_hdr(empty), &nic), -EBADMSG);
	assert_int_equal(nic.ifindex, -1);
	assert_int_equal(nic_parse_link(nlmsg_hdr(gone), &nic), NIC_LINK_REMOVED);
	assert_int_equal(nic.ifindex, 7);
}

static void test_table(void **state)
{
	_cleanup_(nic_table_freep) struct nic_table *table = NULL;
	struct nic nic = {.name = "eth0", .ifindex = 500}, old = {};
	uint64_t generation;

	assert_int_equal(nic_table_new(&table), 0);
	assert_null(nic_table_get(table, 500));
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_ADDED);
	assert_int_equal(nic_table_set(table, &nic, &old), 0);
	generation = nic_table_get(table, 500)->generation;

	nic.up = true;
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_CHANGED);
	assert_false(old.up);
	assert_true(nic_table_get(table, 500)->up);
	assert_true(nic_table_get(table, 500)->generation > generation);

	nic.rx_all = true;
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_CHANGED);
	assert_false(old.rx_all);

	/* A rename, then the old name for another device. */
	strcpy(nic.name, "wan0");
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_CHANGED);
	assert_string_equal(old.name, "eth0");
	assert_null(nic_table_find(table, "eth0"));
	for (int i = 100; i > 0; i--) {
		struct nic other = {.name = "eth0", .ifindex = i};

		assert_int_equal(nic_table_set(table, &other, &old), NIC_TABLE_ADDED);
	}
	assert_int_equal(nic_table_find(table, "wan0")->ifindex, 500);
	assert_int_equal(nic_table_find(table, "eth0")->ifindex, 1);
	assert_int_equal(nic_table_count(table), 101);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(nic_table_at(table, i)->ifindex, (int)i + 1);
	assert_null(nic_table_at(table, 101));

	assert_int_equal(nic_table_remove(table, 50, &old), 1);
	assert_int_equal(old.ifindex, 50);
	assert_int_equal(nic_table_remove(table, 50, &old), 0);
	assert_null(nic_table_get(table, 50));
	assert_int_equal(nic_table_get(table, 51)->ifindex, 51);

	/* Only devices that are read again stay. */
	nic_table_begin(table);
	assert_int_equal(nic_table_set(table, &nic, &old), 0);
	for (unsigned i = 0; i < 99; i++)
		assert_int_equal(nic_table_remove_stale(table, &old), 1);
	assert_int_equal(nic_table_remove_stale(table, &old), 0);
	assert_int_equal(nic_table_count(table), 1);
	assert_string_equal(nic_table_at(table, 0)->name, "wan0");
}

/* The table knows whether any device is in a VRF, after every addition, change and removal. */
static void test_table_knows_vrfs(void **state)
{
	_cleanup_(nic_table_freep) struct nic_table *table = NULL;
	struct nic vrf = {.name = "red", .ifindex = 4, .vrf_ifindex = 4}, old;
	struct nic nic = {.name = "eth0", .ifindex = 5};

	assert_int_equal(nic_table_new(&table), 0);
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_ADDED);
	assert_false(nic_table_has_vrf(table));
	assert_int_equal(nic_table_set(table, &vrf, &old), NIC_TABLE_ADDED);
	assert_true(nic_table_has_vrf(table));
	nic.vrf_ifindex = 4;
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_CHANGED);
	assert_int_equal(nic_table_remove(table, 4, &old), 1);
	assert_true(nic_table_has_vrf(table));
	nic.vrf_ifindex = 0;
	assert_int_equal(nic_table_set(table, &nic, &old), NIC_TABLE_CHANGED);
	assert_int_equal(old.vrf_ifindex, 4);
	assert_false(nic_table_has_vrf(table));
}

static struct nic_address v4(uint32_t host_order, int ifindex)
{
	struct nic_address a = {.family = AF_INET, .ifindex = ifindex};
	uint32_t bytes = htonl(host_order);

	memcpy(a.bytes, &bytes, sizeof(bytes));
	return a;
}

static void test_addresses(void **state)
{
	_cleanup_(nic_addresses_freep) struct nic_addresses *set = NULL;
	struct nic_address a = v4(0x0a000001, 1), b = v4(0x0a000001, 2);
	uint8_t six[16] = {0x0a, 0, 0, 1};

	assert_int_equal(nic_addresses_new(&set), 0);
	assert_false(nic_addresses_contain(set, AF_INET, a.bytes));
	assert_int_equal(nic_addresses_add(set, &a), 1);
	assert_int_equal(nic_addresses_add(set, &a), 0);
	assert_int_equal(nic_addresses_add(set, &b), 1);
	assert_true(nic_addresses_contain(set, AF_INET, a.bytes));
	assert_false(nic_addresses_contain(set, AF_INET6, six));
	assert_false(nic_addresses_contain(set, AF_UNSPEC, six));

	/* Every device with that address, once. */
	{
		const void *cursor = NULL;
		int first = 0, second = 0, third = 0;

		assert_true(nic_addresses_next_device(set, AF_INET, a.bytes, &cursor, &first));
		assert_true(nic_addresses_next_device(set, AF_INET, a.bytes, &cursor, &second));
		assert_false(nic_addresses_next_device(set, AF_INET, a.bytes, &cursor, &third));
		assert_int_equal(first + second, 3);
		assert_int_equal(third, 0);
	}

	/* The address is local while at least one device has it. */
	assert_int_equal(nic_addresses_remove(set, &a), 1);
	assert_int_equal(nic_addresses_remove(set, &a), 0);
	assert_true(nic_addresses_contain(set, AF_INET, a.bytes));
	assert_int_equal(nic_addresses_remove(set, &b), 1);
	assert_false(nic_addresses_contain(set, AF_INET, a.bytes));
}

/* Compares with an array: the result must not depend on the order of additions and removals. */
static void test_addresses_many(void **state)
{
	enum { N = 3000 };
	static bool there[N];
	_cleanup_(nic_addresses_freep) struct nic_addresses *set = NULL;
	uint32_t random = 12345;
	size_t count = 0;

	memset(there, 0, sizeof(there));
	assert_int_equal(nic_addresses_new(&set), 0);
	for (unsigned round = 0; round < 200000; round++) {
		struct nic_address a;
		uint32_t i;

		random = random * 1664525 + 1013904223;
		i = (random >> 8) % N;
		a = v4(0x0a000000 + i / 2, (int)(i % 2) + 1);
		if (random >> 31) {
			assert_int_equal(nic_addresses_add(set, &a), !there[i]);
			count += !there[i];
			there[i] = true;
		} else {
			assert_int_equal(nic_addresses_remove(set, &a), there[i]);
			count -= there[i];
			there[i] = false;
		}
		assert_int_equal(nic_addresses_contain(set, AF_INET, a.bytes),
				 there[i] || there[i ^ 1]);
	}

	nic_addresses_begin(set);
	for (uint32_t i = 0; i < N; i += 3) {
		struct nic_address a = v4(0x0a000000 + i / 2, (int)(i % 2) + 1);

		count -= there[i];
		there[i] = true;
		assert_true(nic_addresses_add(set, &a) >= 0);
	}
	assert_int_equal(nic_addresses_remove_stale(set), count);
	for (uint32_t i = 0; i < N; i++) {
		struct nic_address a = v4(0x0a000000 + i / 2, 0);

		assert_int_equal(nic_addresses_contain(set, AF_INET, a.bytes),
				 i % 3 == 0 || (i ^ 1) % 3 == 0);
	}
	nic_addresses_begin(set);
	assert_int_equal(nic_addresses_remove_stale(set), N / 3);
	assert_int_equal(nic_addresses_remove_stale(set), 0);
}

static struct nl_msg *address_message(int type, int family, int local, int address, int size,
				      const void *bytes)
{
	struct ifaddrmsg header = {.ifa_family = (unsigned char)family, .ifa_index = 4};
	static const uint8_t other[16] = {9, 9, 9, 9};
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	if (local)
		assert_int_equal(nla_put(m, local, size, bytes), 0);
	if (address)
		assert_int_equal(nla_put(m, address, size, other), 0);
	return m;
}

static void test_address_messages(void **state)
{
	static const uint8_t bytes[16] = {1, 2, 3, 4, 5, 6, 7, 8};
	_cleanup_(nlmsg_freep) struct nl_msg *peer =
		address_message(RTM_NEWADDR, AF_INET, IFA_LOCAL, IFA_ADDRESS, 4, bytes);
	_cleanup_(nlmsg_freep) struct nl_msg *six =
		address_message(RTM_DELADDR, AF_INET6, IFA_ADDRESS, 0, 16, bytes);
	_cleanup_(nlmsg_freep) struct nl_msg *none =
		address_message(RTM_NEWADDR, AF_INET6, 0, 0, 16, bytes);
	_cleanup_(nlmsg_freep) struct nl_msg *short_one =
		address_message(RTM_NEWADDR, AF_INET6, IFA_ADDRESS, 0, 4, bytes);
	_cleanup_(nlmsg_freep) struct nl_msg *other =
		address_message(RTM_NEWADDR, AF_PHONET, IFA_LOCAL, 0, 4, bytes);
	struct nic_address a;

	assert_int_equal(nic_parse_address(nlmsg_hdr(peer), &a), NIC_ADDRESS_ADDED);
	assert_int_equal(a.family, AF_INET);
	assert_int_equal(a.ifindex, 4);
	assert_memory_equal(a.bytes, "\1\2\3\4\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(nic_parse_address(nlmsg_hdr(six), &a), NIC_ADDRESS_REMOVED);
	assert_memory_equal(a.bytes, bytes, 16);
	assert_int_equal(nic_parse_address(nlmsg_hdr(none), &a), -EBADMSG);
	assert_int_equal(nic_parse_address(nlmsg_hdr(short_one), &a), -EBADMSG);
	assert_int_equal(nic_parse_address(nlmsg_hdr(other), &a), NIC_ADDRESS_IGNORE);
}

/* As ethnl_put_bitset32() writes it: HW with a mask, ACTIVE without one. */
static void put_bitset(struct nl_msg *m, int attribute, bool nomask, const char *first,
		       bool first_value, const char *second)
{
	const char *const names[] = {first, second};
	struct nlattr *set = nla_nest_start(m, attribute), *bits;

	assert_non_null(set);
	if (nomask)
		assert_int_equal(nla_put_flag(m, ETHTOOL_A_BITSET_NOMASK), 0);
	bits = nla_nest_start(m, ETHTOOL_A_BITSET_BITS);
	assert_non_null(bits);
	for (unsigned i = 0; i < 2; i++) {
		struct nlattr *bit;

		if (!names[i])
			continue;
		bit = nla_nest_start(m, ETHTOOL_A_BITSET_BITS_BIT);
		assert_non_null(bit);
		assert_int_equal(nla_put_u32(m, ETHTOOL_A_BITSET_BIT_INDEX, i), 0);
		assert_int_equal(nla_put_string(m, ETHTOOL_A_BITSET_BIT_NAME, names[i]), 0);
		if (!nomask && i == 0 && first_value)
			assert_int_equal(nla_put_flag(m, ETHTOOL_A_BITSET_BIT_VALUE), 0);
		nla_nest_end(m, bit);
	}
	nla_nest_end_keep_empty(m, bits);
	nla_nest_end(m, set);
}

static struct nl_msg *features_message(int command, int ifindex)
{
	struct nl_msg *m = nlmsg_alloc();
	struct nlattr *header;

	assert_non_null(m);
	assert_non_null(genlmsg_put(m, 0, 0, FAMILY, 0, 0, (uint8_t)command, 1));
	header = nla_nest_start(m, ETHTOOL_A_FEATURES_HEADER);
	assert_non_null(header);
	if (ifindex)
		assert_int_equal(nla_put_u32(m, ETHTOOL_A_HEADER_DEV_INDEX, (uint32_t)ifindex), 0);
	nla_nest_end_keep_empty(m, header);
	return m;
}

static void check_features(bool nomask, const char *first, bool value, const char *second,
			   bool expected)
{
	_cleanup_(nlmsg_freep) struct nl_msg *m =
		features_message(ETHTOOL_MSG_FEATURES_GET_REPLY, 7);
	int ifindex = 0;
	struct ethtool_offload offload = {.active = !expected};

	/* The device supports the feature, but it may be inactive. */
	put_bitset(m, ETHTOOL_A_FEATURES_HW, false, "esp-hw-offload", true, "tx-lockless");
	put_bitset(m, ETHTOOL_A_FEATURES_ACTIVE, nomask, first, value, second);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(m), FAMILY, &ifindex, &offload),
			 ETHTOOL_FEATURES);
	assert_int_equal(ifindex, 7);
	assert_int_equal(offload.active, expected);
	assert_true(offload.changeable);
}

static void check_rx_all(bool on)
{
	_cleanup_(nlmsg_freep) struct nl_msg *m =
		features_message(ETHTOOL_MSG_FEATURES_GET_REPLY, 7);
	struct ethtool_offload offload = {.rx_all = !on};
	int ifindex = 0;

	put_bitset(m, ETHTOOL_A_FEATURES_ACTIVE, true, "esp-hw-offload", false,
		   on ? "rx-all" : "rx-fcs");
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(m), FAMILY, &ifindex, &offload),
			 ETHTOOL_FEATURES);
	assert_true(offload.active);
	assert_int_equal(offload.rx_all, on);
}

static void test_features(void **state)
{
	check_features(true, "esp-hw-offload", false, "tx-lockless", true);
	check_features(true, "tx-lockless", false, "esp-hw-offload", true);
	check_features(true, "tx-lockless", false, "esp-tx-csum-hw-offload", false);
	check_features(true, NULL, false, NULL, false);
	check_features(false, "esp-hw-offload", true, "tx-lockless", true);
	check_features(false, "esp-hw-offload", false, "tx-lockless", false);
	check_rx_all(true);
	check_rx_all(false);
	/* Only the exact name counts. */
	check_features(true, "esp-hw", false, "esp-hw-offload-2", false);
}

static void test_other_ethtool_messages(void **state)
{
	_cleanup_(nlmsg_freep) struct nl_msg *changed =
		features_message(ETHTOOL_MSG_FEATURES_NTF, 7);
	_cleanup_(nlmsg_freep) struct nl_msg *other = features_message(ETHTOOL_MSG_RINGS_NTF, 7);
	_cleanup_(nlmsg_freep) struct nl_msg *no_device =
		features_message(ETHTOOL_MSG_FEATURES_NTF, 0);
	_cleanup_(nlmsg_freep) struct nl_msg *no_bits =
		features_message(ETHTOOL_MSG_FEATURES_GET_REPLY, 7);
	_cleanup_(nlmsg_freep) struct nl_msg *fixed =
		features_message(ETHTOOL_MSG_FEATURES_GET_REPLY, 7);
	_cleanup_(nlmsg_freep) struct nl_msg *empty = nlmsg_alloc_simple(FAMILY, 0);
	struct ethtool_offload offload = {};
	int ifindex = 0;

	put_bitset(fixed, ETHTOOL_A_FEATURES_HW, false, "esp-hw-offload", false, "tx-lockless");
	put_bitset(fixed, ETHTOOL_A_FEATURES_ACTIVE, true, "esp-hw-offload", false, NULL);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(fixed), FAMILY, &ifindex, &offload),
			 ETHTOOL_FEATURES);
	assert_true(offload.active && !offload.changeable);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(changed), FAMILY, &ifindex, &offload),
			 ETHTOOL_FEATURES_CHANGED);
	assert_int_equal(ifindex, 7);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(other), FAMILY, &ifindex, &offload),
			 ETHTOOL_IGNORE);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(changed), FAMILY + 1, &ifindex, &offload),
			 ETHTOOL_IGNORE);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(no_device), FAMILY, &ifindex, &offload),
			 -EBADMSG);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(no_bits), FAMILY, &ifindex, &offload),
			 -EBADMSG);
	assert_int_equal(ethtool_parse_features(nlmsg_hdr(empty), FAMILY, &ifindex, &offload),
			 -EBADMSG);
}

static void test_route_cache(void **state)
{
	enum { MAX = 4096 };
	_cleanup_(route_cache_freep) struct route_cache *cache = NULL;
	struct route_key key = {.family = AF_INET};
	int answer = 0;

	assert_int_equal(route_cache_new(MAX, &cache), 0);
	assert_false(route_cache_get(cache, &key, &answer));
	for (uint32_t i = 0; i < MAX; i++) {
		key.mark = i;
		assert_false(route_cache_get(cache, &key, &answer));
		assert_int_equal(route_cache_put(cache, &key, (int)i - 100), 0);
	}
	assert_int_equal(route_cache_count(cache), MAX);
	for (uint32_t i = 0; i < MAX; i++) {
		key.mark = i;
		assert_true(route_cache_get(cache, &key, &answer));
		assert_int_equal(answer, (int)i - 100);
	}

	/* Every part of the key counts. */
	key.vrf = 1;
	assert_false(route_cache_get(cache, &key, &answer));
	key.vrf = 0;
	assert_true(route_cache_get(cache, &key, &answer));
	key.source.bytes[15] = 1;
	assert_false(route_cache_get(cache, &key, &answer));
	key = (struct route_key){.family = AF_INET6};
	assert_false(route_cache_get(cache, &key, &answer));

	/* When the cache is full it drops entries, and reports that until all needed answers must
	 * be looked up again. */
	assert_true(route_cache_is_complete(cache));
	assert_int_equal(route_cache_put(cache, &key, 5), 0);
	assert_int_equal(route_cache_count(cache), 1);
	assert_true(route_cache_get(cache, &key, &answer));
	assert_false(route_cache_is_complete(cache));
	route_cache_clear(cache);
	assert_true(route_cache_is_complete(cache));
	assert_false(route_cache_get(cache, &key, &answer));
}

static int parse_route(int message_type, int route_type, int oif)
{
	_cleanup_(nlmsg_freep) struct nl_msg *m = nlmsg_alloc_simple(message_type, 0);
	struct rtmsg header = {.rtm_family = AF_INET, .rtm_type = (unsigned char)route_type};

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	if (oif)
		assert_int_equal(nla_put_u32(m, RTA_OIF, (uint32_t)oif), 0);
	return route_parse_answer(nlmsg_hdr(m));
}

static struct nic_prefix prefix_of(const char *address, uint8_t length)
{
	struct nic_prefix prefix = {.family = strchr(address, ':') ? AF_INET6 : AF_INET,
				    .length = length};

	assert_int_equal(inet_pton(prefix.family, address, prefix.address), 1);
	return prefix;
}

static void remember(struct route_cache *cache, const char *destination, int answer)
{
	struct route_key key = {.family = strchr(destination, ':') ? AF_INET6 : AF_INET};

	assert_int_equal(inet_pton((int)key.family, destination, key.destination.bytes), 1);
	assert_int_equal(route_cache_put(cache, &key, answer), 0);
}

static bool remembers(struct route_cache *cache, const char *destination)
{
	struct route_key key = {.family = strchr(destination, ':') ? AF_INET6 : AF_INET};
	int answer;

	assert_int_equal(inet_pton((int)key.family, destination, key.destination.bytes), 1);
	return route_cache_get(cache, &key, &answer);
}

static size_t expire(struct route_cache *cache, const char *address, uint8_t length)
{
	struct nic_prefix prefix = prefix_of(address, length);

	return route_cache_expire_prefixes(cache, &prefix, 1);
}

static void test_route_cache_expires(void **state)
{
	_cleanup_(route_cache_freep) struct route_cache *cache = NULL;
	struct route_key key = {.family = AF_INET, .destination.bytes = {198, 18}};
	struct nic_prefix both[2];
	int answer;

	assert_int_equal(route_cache_new(4096, &cache), 0);
	assert_int_equal(expire(cache, "10.0.0.0", 8), 0);
	remember(cache, "192.0.2.127", 3);
	remember(cache, "192.0.2.128", 3);
	remember(cache, "192.0.3.1", 4);
	remember(cache, "2001:db8::1", 4);
	remember(cache, "2001:db8:8000::1", -ENETUNREACH);
	assert_int_equal(expire(cache, "10.0.0.0", 8), 0);
	assert_int_equal(expire(cache, "192.0.2.0", 25), 1);
	assert_false(remembers(cache, "192.0.2.127"));
	assert_true(remembers(cache, "192.0.2.128"));
	assert_true(remembers(cache, "2001:db8::1"));
	assert_int_equal(expire(cache, "2001:db8:8000::", 33), 1);
	assert_true(remembers(cache, "2001:db8::1"));
	/* A route to a host: tests the second of the two blocks of eight bytes that are compared at
	 * once. */
	assert_int_equal(expire(cache, "2001:db8::2", 128), 0);
	assert_int_equal(expire(cache, "2001:db8::1", 128), 1);
	assert_false(remembers(cache, "2001:db8::1"));

	/* The keys of the lookups are still known. */
	assert_int_equal(route_cache_count(cache), 5);
	assert_int_equal(expire(cache, "192.0.2.127", 32), 1);
	route_cache_expire(cache);
	assert_false(remembers(cache, "192.0.3.1"));
	assert_int_equal(expire(cache, "192.0.3.1", 32), 1);
	remember(cache, "192.0.3.1", 5);
	assert_true(remembers(cache, "192.0.3.1"));
	assert_int_equal(route_cache_count(cache), 5);

	/* A default route affects all destinations of its family. */
	remember(cache, "2001:db8::1", 4);
	assert_int_equal(expire(cache, "0.0.0.0", 0), 3);
	assert_false(remembers(cache, "192.0.3.1"));
	assert_true(remembers(cache, "2001:db8::1"));

	/* An address of this machine affects lookups with this source. */
	key.source.bytes[3] = 9;
	assert_int_equal(route_cache_put(cache, &key, 7), 0);
	both[0] = prefix_of("0.0.0.9", 32);
	assert_int_equal(route_cache_expire_prefixes(cache, both, 1), 0);
	both[0].own = true;
	assert_int_equal(route_cache_expire_prefixes(cache, both, 1), 1);
	assert_false(route_cache_get(cache, &key, &answer));

	both[0] = prefix_of("198.51.100.0", 24);
	both[1] = prefix_of("2001:db8::", 33);
	assert_int_equal(route_cache_expire_prefixes(cache, both, ELEMENTSOF(both)), 1);
	assert_false(remembers(cache, "2001:db8::1"));
}

static void check_change(struct nl_msg *m, int expected, const struct nic_prefix *expected_prefix)
{
	struct nic_prefix prefix = {};

	assert_int_equal(route_parse_change(nlmsg_hdr(m), &prefix), expected);
	if (expected_prefix)
		assert_memory_equal(&prefix, expected_prefix, sizeof(prefix));
	nlmsg_free(m);
}

static struct nl_msg *route_message(int type, const struct nic_prefix *prefix, unsigned flags)
{
	struct rtmsg header = {
		.rtm_family = prefix->family, .rtm_dst_len = prefix->length, .rtm_flags = flags};
	struct nl_msg *m = nlmsg_alloc_simple(type, 0);

	assert_non_null(m);
	assert_int_equal(nlmsg_append(m, &header, sizeof(header), NLMSG_ALIGNTO), 0);
	if (prefix->length > 0)
		assert_int_equal(
			nla_put(m, RTA_DST, prefix->family == AF_INET ? 4 : 16, prefix->address),
			0);
	return m;
}

static void test_route_change(void **state)
{
	struct nic_prefix prefix = prefix_of("203.0.113.64", 26), wrong;

	check_change(route_message(RTM_NEWROUTE, &prefix, 0), ROUTE_CHANGE_PREFIX, &prefix);
	check_change(route_message(RTM_DELROUTE, &prefix, 0), ROUTE_CHANGE_PREFIX, &prefix);
	check_change(route_message(RTM_NEWROUTE, &prefix, RTM_F_CLONED), ROUTE_CHANGE_NONE, NULL);
	check_change(route_message(RTM_NEWRULE, &prefix, 0), ROUTE_CHANGE_ALL, NULL);
	check_change(route_message(RTM_DELNEXTHOP, &prefix, 0), ROUTE_CHANGE_ALL, NULL);
	check_change(route_message(RTM_NEWLINK, &prefix, 0), ROUTE_CHANGE_NONE, NULL);
	prefix = prefix_of("2001:db8::", 32);
	check_change(route_message(RTM_NEWROUTE, &prefix, 0), ROUTE_CHANGE_PREFIX, &prefix);
	prefix = prefix_of("0.0.0.0", 0);
	check_change(route_message(RTM_NEWROUTE, &prefix, 0), ROUTE_CHANGE_PREFIX, &prefix);
	wrong = prefix_of("203.0.113.64", 33);
	check_change(route_message(RTM_NEWROUTE, &wrong, 0), ROUTE_CHANGE_NONE, NULL);
	check_change(nlmsg_alloc_simple(RTM_NEWROUTE, 0), ROUTE_CHANGE_NONE, NULL);
}

static void test_route_answer(void **state)
{
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_UNICAST, 7), 7);
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_MULTICAST, 7), 7);
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_LOCAL, 1), -ELOOP);
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_UNREACHABLE, 1), -EHOSTUNREACH);
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_PROHIBIT, 1), -EACCES);
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_BLACKHOLE, 1), -EINVAL);
	assert_int_equal(parse_route(RTM_NEWROUTE, RTN_UNICAST, 0), -ENETUNREACH);
	assert_int_equal(parse_route(RTM_DELROUTE, RTN_UNICAST, 7), -EBADMSG);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_link),
		cmocka_unit_test(test_bond_and_vlan),
		cmocka_unit_test(test_vrf),
		cmocka_unit_test(test_other_link_messages),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_table_knows_vrfs),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_addresses_many),
		cmocka_unit_test(test_address_messages),
		cmocka_unit_test(test_features),
		cmocka_unit_test(test_other_ethtool_messages),
		cmocka_unit_test(test_route_cache),
		cmocka_unit_test(test_route_cache_expires),
		cmocka_unit_test(test_route_change),
		cmocka_unit_test(test_route_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
