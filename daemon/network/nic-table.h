/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network devices, by ifindex, and how a link message describes one. Pure.
 */
#pragma once

#include "network/nic.h"

#include <linux/netlink.h>

struct nic_table;

int nic_table_new(struct nic_table **ret_table);
struct nic_table *nic_table_free(struct nic_table *table); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct nic_table *, nic_table_free);

/* NULL if there is none. Pointers live until a NIC is set or removed. */
const struct nic *nic_table_get(const struct nic_table *table, int ifindex);
const struct nic *nic_table_find(const struct nic_table *table, const char *name);
size_t nic_table_count(const struct nic_table *table);
bool nic_table_has_vrf(const struct nic_table *table);
const struct nic *nic_table_at(const struct nic_table *table, size_t index);

/* Adds or replaces. The generation of `nic` is ignored: the table gives a new one when anything
 * differs. Returns 1 when it is new, 2 when it changed (what it was is then in `ret_old`), 0 when
 * all is as it was. */
int nic_table_set(struct nic_table *table, const struct nic *nic, struct nic *ret_old);
#define NIC_TABLE_ADDED 1
#define NIC_TABLE_CHANGED 2

/* Returns 1 and what it was, or 0 if there is no such NIC. */
int nic_table_remove(struct nic_table *table, int ifindex, struct nic *ret_old);

/* Reading everything anew: after nic_table_begin(), a NIC that nobody sets is stale.
 * nic_table_remove_stale() removes one of them, as nic_table_remove() does. */
void nic_table_begin(struct nic_table *table);
int nic_table_remove_stale(struct nic_table *table, struct nic *ret_old);

/*
 * What a message tells about a link (the driver and the ESP feature are not in it, they are left
 * unknown). Returns NIC_LINK_SET, NIC_LINK_REMOVED (only the ifindex is set) or NIC_LINK_IGNORE
 * for a message that is about something else, or -EBADMSG.
 */
int nic_parse_link(const struct nlmsghdr *message, struct nic *ret_nic);
#define NIC_LINK_IGNORE 0
#define NIC_LINK_SET 1
#define NIC_LINK_REMOVED 2
