/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Facts about network devices, from the same code as in the daemon. No privilege is needed. */
#include "doctor/facts.h"

#include "network/nic.h"

#include <stdlib.h>
#include <string.h>

/* 0 if it is not a PF. */
static unsigned long read_vfs(const char *name)
{
	char path[64], line[16] = "";
	_cleanup_fclose_ FILE *file = NULL;

	(void)snprintf(path, sizeof(path), "/sys/class/net/%s/device/sriov_numvfs", name);
	file = fopen(path, "re");
	return file && fgets(line, sizeof(line), file) ? strtoul(line, NULL, 10) : 0;
}

static void read_nic(const struct nic_watch *watch, const struct nic *nic, struct nic_fact *fact)
{
	const struct nic *slave = nic_watch_get(watch, nic->bond_active_slave);
	const struct nic *lower = nic_watch_get(watch, nic->lower_ifindex);

	*fact = (struct nic_fact){
		.up = nic->up,
		.is_bond = nic->is_bond,
		.esp_offload_known = nic->esp_offload_known,
		.esp_offload = nic->esp_offload,
		.esp_offload_changeable = nic->esp_offload_changeable,
		.rx_all = nic->rx_all,
		.vfs = read_vfs(nic->name),
	};
	(void)snprintf(fact->name, sizeof(fact->name), "%s", nic->name);
	(void)snprintf(fact->driver, sizeof(fact->driver), "%s", nic->driver);
	if (slave)
		(void)snprintf(fact->slave_driver, sizeof(fact->slave_driver), "%s", slave->driver);
	if (nic->is_vlan && lower)
		(void)snprintf(fact->lower, sizeof(fact->lower), "%s", lower->name);
}

void facts_read_nics(struct facts *facts)
{
	static const struct nic_watch_callbacks none = {};
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(nic_watch_freep) struct nic_watch *watch = NULL;
	int r = sd_event_new(&event);

	if (r >= 0)
		r = nic_watch_new(event, &none, NULL, &watch);
	if (r < 0) {
		facts_unseen(facts, "network devices", strerror(-r));
		return;
	}
	for (size_t i = 0; i < nic_watch_count(watch) && facts->n_nics < FACT_NICS_MAX; i++)
		read_nic(watch, nic_watch_at(watch, i), &facts->nics[facts->n_nics++]);
	facts->nics_known = true;
}
