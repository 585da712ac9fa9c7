// SPDX-License-Identifier: GPL-2.0-or-later
/* Orders of the operator: pause, evacuation and stop, and loading them at the start. */
#include "manager/manager.h"

#include <errno.h>

/* How often MANAGER_STOP checks whether an SA is still owed. The executor tries on its own
 * schedule. */
#define STOP_LOOK_SECONDS 0.02

static void save(struct manager *m)
{
	manager_set_health(m, HEALTH_ORDERS, orders_save(m->orders) < 0);
}

void manager_load_orders(struct manager *m)
{
	int r = orders_load(m->orders);

	manager_set_health(m, HEALTH_ORDERS_LOST, r < 0);
	for (size_t i = 0; i < orders_n_evacuated(m->orders); i++)
		report_evacuated(m->reporter, orders_evacuated(m->orders, i), true);
	if (r < 0) {
		report_orders_lost(m->reporter, m->environment.orders_path, r);
		save(m);
	} else if (orders_are_paused(m->orders)) {
		report_still_paused(m->reporter);
	}
}

void manager_set_paused(struct manager *m, bool paused)
{
	manager_set_health(m, HEALTH_ORDERS_LOST, false);
	if (orders_are_paused(m->orders) == paused)
		return;
	orders_set_paused(m->orders, paused);
	save(m);
	if (paused)
		executor_cancel(m->executor);
	else
		manager_plan_soon(m);
	report_paused(m->reporter, paused);
}

int manager_evacuate(struct manager *m, const char *name)
{
	int r;

	if (!network_find(m->network, name))
		return -ENODEV;
	if (orders_are_to_evacuate(m->orders, name))
		return 0;
	r = orders_evacuate(m->orders, name);
	if (r < 0)
		return r;
	save(m);
	report_evacuated(m->reporter, name, true);
	manager_reconfigure(m);
	return 0;
}

int manager_end_evacuation(struct manager *m, const char *name)
{
	if (!orders_end_evacuation(m->orders, name))
		return -ENOENT;
	save(m);
	report_evacuated(m->reporter, name, false);
	manager_reconfigure(m);
	return 0;
}

void manager_rename_evacuation(struct manager *m, const char *before, const char *after)
{
	if (!orders_are_to_evacuate(m->orders, before))
		return;
	/* The new name is added first, so that after a failure the old one still holds. */
	if (orders_evacuate(m->orders, after) >= 0)
		(void)orders_end_evacuation(m->orders, before);
	save(m);
}

void manager_end_evacuations(struct manager *m)
{
	if (!orders_end_evacuations(m->orders))
		return;
	save(m);
	manager_reconfigure(m);
}

bool manager_owes(const struct manager *m)
{
	return executor_owed(m->executor) > 0 || shadows_restoring(m->shadows) > 0;
}

void manager_stop_if_settled(struct manager *m)
{
	if (manager_owes(m) && manager_now(m) < m->stop.at_last) {
		schedule_in(&m->schedule, MANAGER_STOP, STOP_LOOK_SECONDS);
		return;
	}
	m->stop.done(m->stop.userdata);
}

void manager_stop(struct manager *m, void (*done)(void *userdata), void *userdata)
{
	m->stop = (struct stop){
		.done = done,
		.userdata = userdata,
		.at_last = manager_now(m) + MANAGER_STOP_SECONDS,
	};
	executor_cancel(m->executor);
	executor_end_group(m->executor);
	if (manager_owes(m))
		report_stopping(m->reporter, true, MANAGER_STOP_SECONDS);
	manager_stop_if_settled(m);
}
