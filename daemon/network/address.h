/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local addresses. A hash set, since there may be many and each new SA needs a lookup. No I/O.
 *
 * An address may be on several devices, and is local as long as it is on one of them. Addresses of
 * devices that are down count too: the direction of an SA does not depend on that.
 */
#pragma once

#include "cleanup.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nic_address {
	uint8_t bytes[16]; /* IPv4 in the first four, the rest zero */
	uint16_t family;
	int ifindex;
};

struct nic_addresses;

int nic_addresses_new(struct nic_addresses **ret_addresses);
struct nic_addresses *nic_addresses_free(struct nic_addresses *addresses);
DEFINE_CLEANUP(struct nic_addresses *, nic_addresses_free);

/* Returns 1 if it was not there, else 0, or -ENOMEM. */
int nic_addresses_add(struct nic_addresses *addresses, const struct nic_address *address);
/* Returns 1 if it was there, else 0. */
int nic_addresses_remove(struct nic_addresses *addresses, const struct nic_address *address);
bool nic_addresses_contain(const struct nic_addresses *addresses, int family, const void *bytes);
/* Returns the devices that have an address, one with each call, and false after the last. Set
 * *cursor to NULL before the first call. The set must not change meanwhile. */
bool nic_addresses_next_device(const struct nic_addresses *addresses, int family, const void *bytes,
			       const void **cursor, int *ret_ifindex);

/* For a full dump: addresses that are not added again after nic_addresses_begin() are stale.
 * nic_addresses_remove_stale() returns how many it removed. */
void nic_addresses_begin(struct nic_addresses *addresses);
size_t nic_addresses_remove_stale(struct nic_addresses *addresses);

/* Returns NIC_ADDRESS_ADDED, NIC_ADDRESS_REMOVED, NIC_ADDRESS_IGNORE for a message of another kind,
 * -EBADMSG or -ENOMEM. */
int nic_parse_address(const struct nlmsghdr *message, struct nic_address *ret_address);
#define NIC_ADDRESS_IGNORE 0
#define NIC_ADDRESS_ADDED 1
#define NIC_ADDRESS_REMOVED 2
