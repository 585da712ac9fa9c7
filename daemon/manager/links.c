// SPDX-License-Identifier: GPL-2.0-or-later
/* Callbacks of the NIC watch: changes of links, addresses and routes. */
#include "manager/manager.h"

#include <string.h>

/* Changes of links are handled together after this time. */
#define LINK_DEBOUNCE_SECONDS 0.1

/* Whether the SAs of this NIC may be gone. `after` is NULL if it was removed. */
static bool is_lost(const struct nic *before, const struct nic *after)
{
	return !after || (before->up && !after->up);
}

static void report_link(struct manager *m, const struct nic *before, const struct nic *after)
{
	bool came = after && after->up && after->esp_offload &&
		    (!before || !before->up || !before->esp_offload);

	if (before && is_lost(before, after) &&
	    (before->esp_offload || nics_get(m->nics, before->ifindex)))
		report_nic_lost(m->reporter, before->name, !after);
	else if (came)
		report_nic_usable(m->reporter, after->name);
}

static void on_link(const struct nic *before, const struct nic *after, void *userdata)
{
	struct manager *m = userdata;
	bool matters = nics_change_matters(m->nics, before, after);

	if (before && after && strcmp(before->name, after->name) != 0)
		manager_rename_evacuation(m, before->name, after->name);
	if (!matters)
		return;
	report_link(m, before, after);
	/* It may accept what it refused before. */
	refusals_remove_nic(nics_refusals(m->nics), before ? before->ifindex : after->ifindex);
	m->nics_changed = true;
	if (before && is_lost(before, after) && nics_get(m->nics, before->ifindex)) {
		executor_cancel(m->executor);
		if (shadows_restore_lost(m->shadows, before->ifindex)) {
			/* Then read all SAs. */
			tracker_set_stale(m->tracker);
			manager_resync_soon(m);
		}
	}
	manager_reconfigure_soon(m, LINK_DEBOUNCE_SECONDS);
}

/* The NIC watch debounces these two. */

static void on_addresses(void *userdata)
{
	manager_reconfigure_soon(userdata, 0);
}

static void on_routes(const struct nic_route_changes *changes, void *userdata)
{
	(void)changes;
	manager_reconfigure_soon(userdata, 0);
}

static void on_network_resynced(void *userdata)
{
	struct manager *m = userdata;

	manager_set_health(m, HEALTH_NO_NETWORK, false);
	/* A NIC may have been down and up again while messages were lost. */
	(void)shadows_restore_lost(m->shadows, 0);
	tracker_set_stale(m->tracker);
	m->network_overruns++;
	manager_resync_soon(m);
	manager_reconfigure(m);
}

static void on_network_failed(int error, void *userdata)
{
	(void)error;
	manager_set_health(userdata, HEALTH_NO_NETWORK, true);
}

const struct nic_watch_callbacks manager_network_callbacks = {
	.link = on_link,
	.addresses = on_addresses,
	.routes = on_routes,
	.resynced = on_network_resynced,
	.failed = on_network_failed,
};
