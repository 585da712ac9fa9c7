/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nic-text.h"

#include <inttypes.h>
#include <stdio.h>

static int64_t known(int64_t slots)
{
	return slots > 0 ? slots : 0;
}

/* The total, also if a NIC with a shared table has counts by direction. */
static int64_t total_of(const struct capacity_view *view)
{
	return view->total >= 0 ? view->total : known(view->in) + known(view->out);
}

static struct nic_table make_table(const char *name, int64_t used, int64_t foreign,
				   int64_t capacity)
{
	/* `used` counts all SAs of the NIC; here owned and foreign ones are shown separately. */
	return (struct nic_table){
		.name = name,
		.ours = known(used - foreign),
		.foreign = foreign,
		.capacity = capacity,
	};
}

int nic_tables(const struct nic_view *nic, struct nic_table ret_tables[2])
{
	if (nic->capacity.shared) {
		ret_tables[0] = make_table("shared", total_of(&nic->used), total_of(&nic->foreign),
					   nic->capacity.total);
		return 1;
	}
	ret_tables[0] =
		make_table("in", known(nic->used.in), known(nic->foreign.in), nic->capacity.in);
	ret_tables[1] =
		make_table("out", known(nic->used.out), known(nic->foreign.out), nic->capacity.out);
	return 2;
}

char *nic_table_text(const struct nic_table *table, bool brief, char buffer[NIC_TEXT_MAX])
{
	char foreign[32] = "";
	char capacity[32];

	if (table->foreign > 0)
		(void)snprintf(foreign, sizeof(foreign),
			       brief ? "+%" PRId64 : ", %" PRId64 " foreign", table->foreign);
	if (table->capacity >= 0)
		(void)snprintf(capacity, sizeof(capacity), "%s%" PRId64, brief ? "/" : " of ",
			       table->capacity);
	else
		(void)snprintf(capacity, sizeof(capacity), "%s",
			       brief ? "/?" : ", capacity unknown");
	(void)snprintf(buffer, NIC_TEXT_MAX, brief ? "%" PRId64 "%s%s" : "%" PRId64 " ours%s%s",
		       table->ours, foreign, capacity);
	return buffer;
}

const char *nic_hindrance(const struct nic_view *nic)
{
	if (!nic->esp_offload)
		return "no ESP offload";
	if (!nic->allowed)
		return "not allowed";
	if (!nic->trusted)
		return "not trusted";
	return nic->up ? NULL : "down";
}

bool nic_is_worth_showing(const struct nic_view *nic)
{
	struct nic_table tables[2];
	int n = nic_tables(nic, tables);
	int64_t sas = 0;

	for (int i = 0; i < n; i++)
		sas += tables[i].ours + tables[i].foreign;
	return nic->esp_offload || sas > 0;
}
