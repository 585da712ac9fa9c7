// SPDX-License-Identifier: GPL-2.0-or-later
/* Callbacks of the shadows. */
#include "manager/manager.h"

static int drain_events(void *userdata)
{
	struct manager *m = userdata;

	return tracker_drain_events(m->tracker);
}

static void read_again(const struct sa_id *ids, size_t n, void *userdata)
{
	struct manager *m = userdata;

	tracker_read_again(m->tracker, ids, n);
}

static uint32_t speed_of(int ifindex, void *userdata)
{
	struct manager *m = userdata;
	const struct placement_nic *n = nics_get(m->nics, ifindex);

	return n ? n->speed : 0;
}

static void restored(int ifindex, size_t n, size_t left, double seconds, void *userdata)
{
	struct manager *m = userdata;
	const struct placement_nic *nic = nics_get(m->nics, ifindex);

	report_restored(m->reporter, nic ? nic->name : "", n, left, seconds);
}

static void due(double time, void *userdata)
{
	struct manager *m = userdata;

	schedule_at(&m->schedule, MANAGER_LOST, time);
}

const struct shadows_callbacks manager_shadows_callbacks = {
	.drain_events = drain_events,
	.read_again = read_again,
	.speed = speed_of,
	.restored = restored,
	.due = due,
};
