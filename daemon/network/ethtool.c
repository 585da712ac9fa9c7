// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/ethtool.h"
#include "network/netlink.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/ethtool_netlink.h>
#include <linux/sockios.h>
#include <netlink/attr.h>
#include <netlink/genl/ctrl.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>
#include <sys/ioctl.h>

/* NETIF_F_HW_ESP_BIT and NETIF_F_RXALL_BIT in netdev_features_strings (net/ethtool/common.c). */
#define FEATURE_ESP_OFFLOAD "esp-hw-offload"
#define FEATURE_RX_ALL "rx-all"

int ethtool_open(int receive_buffer, struct nl_sock **ret_socket, int *ret_family)
{
	_cleanup_(nl_socket_freep) struct nl_sock *resolver = NULL, *sock = NULL;
	int family, group, r;

	/* libnl resolves names on blocking sockets only. */
	resolver = nl_socket_alloc();
	if (!resolver)
		return -ENOMEM;
	r = genl_connect(resolver);
	if (r < 0)
		return netlink_errno(r);
	family = genl_ctrl_resolve(resolver, ETHTOOL_GENL_NAME);
	if (family < 0)
		return netlink_errno(family);
	group = genl_ctrl_resolve_grp(resolver, ETHTOOL_GENL_NAME, ETHTOOL_MCGRP_MONITOR_NAME);
	if (group < 0)
		return netlink_errno(group);

	r = netlink_open(NETLINK_GENERIC, receive_buffer, &sock);
	if (r < 0)
		return r;
	r = nl_socket_add_membership(sock, group);
	if (r < 0)
		return netlink_errno(r);

	*ret_socket = TAKE_PTR(sock);
	*ret_family = family;
	return 0;
}

int ethtool_features_request(int family, int ifindex, struct nl_msg **ret_message)
{
	_cleanup_(nlmsg_freep) struct nl_msg *message = nlmsg_alloc();
	struct nlattr *header;

	if (!message)
		return -ENOMEM;
	/* Without ETHTOOL_FLAG_COMPACT_BITSETS the answer has bitsets with names. */
	if (!genlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, family, 0,
			 NLM_F_REQUEST | (ifindex == 0 ? NLM_F_DUMP : 0), ETHTOOL_MSG_FEATURES_GET,
			 ETHTOOL_GENL_VERSION))
		return -ENOMEM;
	header = nla_nest_start(message, ETHTOOL_A_FEATURES_HEADER | NLA_F_NESTED);
	if (!header)
		return -ENOMEM;
	if (ifindex != 0 && nla_put_u32(message, ETHTOOL_A_HEADER_DEV_INDEX, (uint32_t)ifindex) < 0)
		return -ENOMEM;
	/* Not nla_nest_end(), which drops an empty nest: the header is mandatory. */
	nla_nest_end_keep_empty(message, header);

	*ret_message = TAKE_PTR(message);
	return 0;
}

/* Returns 1 if the feature is set in a bitset with names, 0 if not. */
static int bitset_has(struct nlattr *bitset, const char *feature)
{
	static const struct nla_policy bit_policy[ETHTOOL_A_BITSET_BIT_MAX + 1] = {
		[ETHTOOL_A_BITSET_BIT_NAME] = {.type = NLA_STRING},
	};
	struct nlattr *attributes[ETHTOOL_A_BITSET_MAX + 1], *bit[ETHTOOL_A_BITSET_BIT_MAX + 1];
	struct nlattr *item;
	int left;

	if (nla_parse_nested(attributes, ETHTOOL_A_BITSET_MAX, bitset, NULL) < 0 ||
	    !attributes[ETHTOOL_A_BITSET_BITS])
		return -EBADMSG;

	nla_for_each_nested(item, attributes[ETHTOOL_A_BITSET_BITS], left) {
		if (nla_parse_nested(bit, ETHTOOL_A_BITSET_BIT_MAX, item, bit_policy) < 0 ||
		    !bit[ETHTOOL_A_BITSET_BIT_NAME])
			return -EBADMSG;
		if (strcmp(nla_get_string(bit[ETHTOOL_A_BITSET_BIT_NAME]), feature) != 0)
			continue;
		/* A list without a mask contains only bits that are set. A list with a mask
		 * contains all bits, and those that are set have a value. */
		return attributes[ETHTOOL_A_BITSET_NOMASK] || bit[ETHTOOL_A_BITSET_BIT_VALUE];
	}
	return 0;
}

static int read_offload(struct nlattr **attributes, struct ethtool_offload *ret_offload)
{
	int active, rx_all, changeable = 0;

	if (!attributes[ETHTOOL_A_FEATURES_ACTIVE])
		return -EBADMSG;
	active = bitset_has(attributes[ETHTOOL_A_FEATURES_ACTIVE], FEATURE_ESP_OFFLOAD);
	if (active < 0)
		return active;
	rx_all = bitset_has(attributes[ETHTOOL_A_FEATURES_ACTIVE], FEATURE_RX_ALL);
	if (rx_all < 0)
		return rx_all;
	if (attributes[ETHTOOL_A_FEATURES_HW])
		changeable = bitset_has(attributes[ETHTOOL_A_FEATURES_HW], FEATURE_ESP_OFFLOAD);
	if (changeable < 0)
		return changeable;
	*ret_offload = (struct ethtool_offload){
		.active = active,
		.changeable = changeable,
		.rx_all = rx_all,
	};
	return 0;
}

int ethtool_parse_features(const struct nlmsghdr *message, int family, int *ret_ifindex,
			   struct ethtool_offload *ret_offload)
{
	static const struct nla_policy header_policy[ETHTOOL_A_HEADER_MAX + 1] = {
		[ETHTOOL_A_HEADER_DEV_INDEX] = {.type = NLA_U32},
	};
	struct nlattr *attributes[ETHTOOL_A_FEATURES_MAX + 1], *header[ETHTOOL_A_HEADER_MAX + 1];
	const struct genlmsghdr *genl;
	bool notification;
	int r;

	if (message->nlmsg_type != family)
		return ETHTOOL_IGNORE;
	if (!genlmsg_valid_hdr((struct nlmsghdr *)message, 0))
		return -EBADMSG;
	genl = nlmsg_data(message);
	notification = genl->cmd == ETHTOOL_MSG_FEATURES_NTF;
	if (!notification && genl->cmd != ETHTOOL_MSG_FEATURES_GET_REPLY)
		return ETHTOOL_IGNORE;

	if (genlmsg_parse((struct nlmsghdr *)message, 0, attributes, ETHTOOL_A_FEATURES_MAX, NULL) <
		    0 ||
	    !attributes[ETHTOOL_A_FEATURES_HEADER] ||
	    nla_parse_nested(header, ETHTOOL_A_HEADER_MAX, attributes[ETHTOOL_A_FEATURES_HEADER],
			     header_policy) < 0 ||
	    !header[ETHTOOL_A_HEADER_DEV_INDEX])
		return -EBADMSG;

	if (!notification) {
		r = read_offload(attributes, ret_offload);
		if (r < 0)
			return r;
	}
	*ret_ifindex = (int)nla_get_u32(header[ETHTOOL_A_HEADER_DEV_INDEX]);
	return notification ? ETHTOOL_FEATURES_CHANGED : ETHTOOL_FEATURES;
}

int ethtool_get_driver(int fd, const char *name, char ret_driver[NIC_DRIVER_SIZE],
		       char ret_bus_address[NIC_PCI_SIZE])
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	struct ifreq request = {.ifr_data = (char *)&info};

	_Static_assert(sizeof(info.driver) == NIC_DRIVER_SIZE, "as the kernel has it");
	_Static_assert(sizeof(info.bus_info) == NIC_PCI_SIZE, "as the kernel has it");

	(void)strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return -errno;

	info.driver[sizeof(info.driver) - 1] = '\0';
	info.bus_info[sizeof(info.bus_info) - 1] = '\0';
	/* Some virtual devices report "N/A" instead of an empty string. */
	if (strcmp(info.bus_info, "N/A") == 0)
		info.bus_info[0] = '\0';
	memcpy(ret_driver, info.driver, sizeof(info.driver));
	memcpy(ret_bus_address, info.bus_info, sizeof(info.bus_info));
	return 0;
}

int ethtool_get_speed(int fd, const char *name, uint32_t *ret_speed)
{
	/* The structure is followed by three masks of link modes, each of at most 127 words. */
	_cleanup_free_ struct ethtool_link_settings *settings =
		calloc(1, sizeof(*settings) + 3 * 127 * sizeof(uint32_t));
	struct ifreq request = {.ifr_data = (char *)settings};

	if (!settings)
		return -ENOMEM;
	(void)strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	/* The first answer is only the number of words that the kernel needs, as a negative
	 * number. */
	settings->cmd = ETHTOOL_GLINKSETTINGS;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return -errno;
	if (settings->link_mode_masks_nwords >= 0)
		return -ENODATA;
	settings->cmd = ETHTOOL_GLINKSETTINGS;
	settings->link_mode_masks_nwords = (int8_t)-settings->link_mode_masks_nwords;
	if (ioctl(fd, SIOCETHTOOL, &request) < 0)
		return -errno;
	if (settings->speed == 0 || settings->speed == (uint32_t)SPEED_UNKNOWN)
		return -ENODATA;
	*ret_speed = settings->speed;
	return 0;
}
