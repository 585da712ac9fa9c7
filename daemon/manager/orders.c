// SPDX-License-Identifier: GPL-2.0-or-later
/* Orders of the operator: pause, evacuation, stop, orders on SAs, and loading them at the start. */
#include "manager/manager.h"

#include <errno.h>
#include <math.h>

/* How often MANAGER_STOP checks whether an SA is still owed. The executor tries on its own
 * schedule. */
#define STOP_LOOK_SECONDS 0.02

static void save(struct manager *m)
{
	manager_set_health(m, HEALTH_ORDERS, orders_save(m->orders) < 0);
}

static void report_order(struct manager *m, const struct sa_order *order, enum report_order what)
{
	char target[SA_ORDER_TEXT_SIZE];
	double left = order->until > 0 ? fmax(0, order->until - manager_now(m)) : INFINITY;

	report_sa_order(m->reporter, sa_order_format(order, target), order->ban, what, left);
}

void manager_load_orders(struct manager *m)
{
	const struct sa_orders *on_sas = orders_on_sas(m->orders);
	int r = orders_load(m->orders);

	manager_set_health(m, HEALTH_ORDERS_LOST, r < 0);
	for (size_t i = 0; i < orders_n_evacuated(m->orders); i++)
		report_evacuated(m->reporter, orders_evacuated(m->orders, i), true);
	for (size_t i = 0; i < on_sas->n; i++)
		report_order(m, &on_sas->entries[i], REPORT_ORDER_STILL);
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

/* Configures the SAs again that one of the orders from `first` on, which `ended` or not, concerns.
 * Returns their number. */
static size_t configure_concerned(struct manager *m, size_t first, bool ended)
{
	const struct sa_orders *orders = orders_on_sas(m->orders);
	size_t n = 0;
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas->all, list)
		for (size_t i = first; i < orders->n; i++) {
			if (orders->entries[i].ended != ended ||
			    !sa_order_concerns(&orders->entries[i], &sa->description))
				continue;
			manager_configure_sa(m, sa);
			n++;
			break;
		}
	manager_plan_soon(m);
	return n;
}

int manager_add_sa_order(struct manager *m, const struct sa_order *order, size_t *ret_n_sas)
{
	struct sa_orders *orders = orders_on_sas(m->orders);
	int r = sa_orders_add(orders, order);

	if (r < 0)
		return r;
	save(m);
	report_order(m, order, REPORT_ORDER_GIVEN);
	*ret_n_sas = configure_concerned(m, orders->n - 1, false);
	return 0;
}

/* Ends the orders that are marked, and configures their SAs again. */
static void end_marked(struct manager *m, enum report_order what)
{
	struct sa_orders *orders = orders_on_sas(m->orders);

	for (size_t i = 0; i < orders->n; i++)
		if (orders->entries[i].ended)
			report_order(m, &orders->entries[i], what);
	(void)configure_concerned(m, 0, true);
	if (sa_orders_remove_ended(orders))
		save(m);
}

size_t manager_end_sa_orders(struct manager *m,
			     bool (*is_meant)(const struct sa_order *order, void *userdata),
			     void *userdata)
{
	struct sa_orders *orders = orders_on_sas(m->orders);
	size_t n = 0;

	for (size_t i = 0; i < orders->n; i++) {
		orders->entries[i].ended = is_meant(&orders->entries[i], userdata);
		n += orders->entries[i].ended;
	}
	if (n > 0)
		end_marked(m, REPORT_ORDER_ENDED);
	return n;
}

void manager_expire_sa_orders(struct manager *m)
{
	struct sa_orders *orders = orders_on_sas(m->orders);
	bool any = false;

	for (size_t i = 0; i < orders->n; i++) {
		struct sa_order *order = &orders->entries[i];

		order->ended = order->until > 0 && manager_now(m) >= order->until;
		any |= order->ended;
	}
	if (any)
		end_marked(m, REPORT_ORDER_EXPIRED);
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
