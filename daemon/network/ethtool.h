/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What ethtool shows of a device: its driver, its speed, and whether esp-hw-offload is active.
 *
 * The features are read by ethtool netlink (Linux 5.7), which also sends notifications. The driver
 * is read by the older ioctl, since netlink has no request for it. sysfs is not used: it shows the
 * network namespace of the process that mounted it, and device names would become part of paths.
 */
#pragma once

#include "network/nic.h"

#include <linux/netlink.h>
#include <netlink/socket.h>

/* Opens a socket that receives the notifications; the caller frees it. `receive_buffer`: bytes.
 * -ENOENT: the kernel has no ethtool netlink. */
int ethtool_open(int receive_buffer, struct nl_sock **ret_socket, int *ret_family);

/* Builds a request for the features of one device (0: a dump of all). The caller frees it with
 * nlmsg_free(). */
int ethtool_features_request(int family, int ifindex, struct nl_msg **ret_message);

/*
 * Reads a message of the family. No I/O. Returns
 *   ETHTOOL_FEATURES         the answer to a request: the features of the device
 *   ETHTOOL_FEATURES_CHANGED a notification: ask again (its bitset has numbers, no names)
 *   ETHTOOL_IGNORE           something else
 * or -EBADMSG. `ret_offload` is set with ETHTOOL_FEATURES only.
 */
struct ethtool_offload {
	bool active;
	bool changeable; /* by ethtool -K */
	bool rx_all;     /* frames with errors are received too */
};
int ethtool_parse_features(const struct nlmsghdr *message, int family, int *ret_ifindex,
			   struct ethtool_offload *ret_offload);
#define ETHTOOL_IGNORE 0
#define ETHTOOL_FEATURES 1
#define ETHTOOL_FEATURES_CHANGED 2

/* Driver and bus address of a device, by its name; "" for what the kernel does not show. `fd`: any
 * socket, of any family. A negative errno of the ioctl. */
int ethtool_get_driver(int fd, const char *name, char ret_driver[NIC_DRIVER_SIZE],
		       char ret_bus_address[NIC_PCI_SIZE]);

/* Speed of the link in Mbit/s. -ENODATA: the device has none, or does not know it. */
int ethtool_get_speed(int fd, const char *name, uint32_t *ret_speed);
