/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network devices, by ifindex, and the parser of link messages. No I/O.
 */
#pragma once

#include "network/nic.h"

#include <linux/netlink.h>

struct nic_table;

int nic_table_new(struct nic_table **ret_table);
struct nic_table *nic_table_free(struct nic_table *table); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct nic_table *, nic_table_free);

/* NULL: none. Pointers are valid until a NIC is set or removed. */
const struct nic *nic_table_get(const struct nic_table *table, int ifindex);
const struct nic *nic_table_find(const struct nic_table *table, const char *name);
size_t nic_table_count(const struct nic_table *table);
bool nic_table_has_vrf(const struct nic_table *table);
const struct nic *nic_table_at(const struct nic_table *table, size_t index);

/* Adds or replaces a NIC. The generation of `nic` is ignored: the table sets a new one when
 * anything differs. Returns NIC_TABLE_ADDED, NIC_TABLE_CHANGED (`ret_old` is then the old state), 0
 * when nothing changed, or -ENOMEM. */
int nic_table_set(struct nic_table *table, const struct nic *nic, struct nic *ret_old);
#define NIC_TABLE_ADDED 1
#define NIC_TABLE_CHANGED 2

/* Returns 1 and the old state, or 0 if there is no such NIC. */
int nic_table_remove(struct nic_table *table, int ifindex, struct nic *ret_old);

/* For a full dump: a NIC that is not set again after nic_table_begin() is stale.
 * nic_table_remove_stale() removes one stale NIC, and returns as nic_table_remove(). */
void nic_table_begin(struct nic_table *table);
int nic_table_remove_stale(struct nic_table *table, struct nic *ret_old);

/*
 * Reads a link message. It does not contain the driver and the ESP feature, which stay unknown.
 * Returns NIC_LINK_SET, NIC_LINK_REMOVED (only the ifindex is set), NIC_LINK_IGNORE for a message
 * of another kind, or -EBADMSG.
 */
int nic_parse_link(const struct nlmsghdr *message, struct nic *ret_nic);
#define NIC_LINK_IGNORE 0
#define NIC_LINK_SET 1
#define NIC_LINK_REMOVED 2
