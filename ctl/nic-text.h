/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The occupancy of a NIC's table as text, for `status` and `top`. */
#pragma once

#include "views.h"

#define NIC_TEXT_MAX 96

/* One table: the shared one, or one direction's half. Slots; capacity -1: unknown. */
struct nic_table {
	const char *name; /* "in", "out", or "shared" */
	int64_t ours;
	int64_t foreign;
	int64_t capacity;
};

/* Returns how many tables the NIC has, 1 or 2. */
int nic_tables(const struct nic_view *nic, struct nic_table ret_tables[2]);
/* "31 ours, 2 foreign of 33", shorter "31+2/33". */
char *nic_table_text(const struct nic_table *table, bool brief, char buffer[NIC_TEXT_MAX]);
/* Whether the NIC can offload, or holds SAs. */
bool nic_is_worth_showing(const struct nic_view *nic);
/* Why no SA is moved to this NIC ("not trusted"), or NULL. */
const char *nic_hindrance(const struct nic_view *nic);
