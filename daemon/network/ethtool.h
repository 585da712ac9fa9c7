/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ethtool knows about a device: its driver, and whether esp-hw-offload is active.
 *
 * The features come by ethtool netlink (Linux 5.7), which also notifies; the driver by the old
 * ioctl, which has no netlink counterpart. Not from sysfs: what it shows is the network namespace
 * of whoever mounted it, and names would become paths.
 */
#pragma once

#include "network/nic.h"

#include <linux/netlink.h>
#include <netlink/socket.h>

/* Opens a socket that receives the notifications. -ENOENT: the kernel has no ethtool netlink. */
int ethtool_open(int receive_buffer, struct nl_sock **ret_socket, int *ret_family);

/* A request for the features of one device (0: a dump of all). To be freed with nlmsg_free(). */
int ethtool_features_request(int family, int ifindex, struct nl_msg **ret_message);

/*
 * What a message of the family says. Pure. Returns
 *   ETHTOOL_FEATURES         the answer to a request: esp-hw-offload of the device
 *   ETHTOOL_FEATURES_CHANGED a notification: ask again (its bitset has numbers, no names)
 *   ETHTOOL_IGNORE           something else
 * or -EBADMSG. `ret_active` is set with ETHTOOL_FEATURES only.
 */
int ethtool_parse_features(const struct nlmsghdr *message, int family, int *ret_ifindex,
			   bool *ret_active);
#define ETHTOOL_IGNORE 0
#define ETHTOOL_FEATURES 1
#define ETHTOOL_FEATURES_CHANGED 2

/* Driver and bus address by name; "" for what the kernel does not tell. `fd` is a socket of any
 * family: the ioctl needs one that exists, not one that it is about. */
int ethtool_get_driver(int fd, const char *name, char ret_driver[NIC_DRIVER_SIZE],
		       char ret_bus_address[NIC_PCI_SIZE]);

/* Speed of the link in Mbit/s. -ENODATA: the device has none, or does not know it. */
int ethtool_get_speed(int fd, const char *name, uint32_t *ret_speed);
