/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local addresses: a hash set, for there may be many, and every new SA asks. Pure.
 *
 * An address may be on several devices; it is local as long as it is on one of them. Whether the
 * device is up does not matter here: the direction of an SA does not change with it.
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

/* Returns 1 if it was not there, else 0. */
int nic_addresses_add(struct nic_addresses *addresses, const struct nic_address *address);
/* Returns 1 if it was there, else 0. */
int nic_addresses_remove(struct nic_addresses *addresses, const struct nic_address *address);
bool nic_addresses_contain(const struct nic_addresses *addresses, int family, const void *bytes);
/* The devices that have an address, one after the other: false, there are no more. Begins with
 * *cursor 0. */
bool nic_addresses_next_device(const struct nic_addresses *addresses, int family, const void *bytes,
			       size_t *cursor, int *ret_ifindex);

/* Reading everything anew: after begin(), addresses that are not added again are stale.
 * remove_stale() returns how many it removed. */
void nic_addresses_begin(struct nic_addresses *addresses);
size_t nic_addresses_remove_stale(struct nic_addresses *addresses);

/* Returns NIC_ADDRESS_ADDED, NIC_ADDRESS_REMOVED, NIC_ADDRESS_IGNORE for a message that is about
 * something else, -EBADMSG or -ENOMEM. */
int nic_parse_address(const struct nlmsghdr *message, struct nic_address *ret_address);
#define NIC_ADDRESS_IGNORE 0
#define NIC_ADDRESS_ADDED 1
#define NIC_ADDRESS_REMOVED 2
