// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions that the other files of the manager share. It calls none of those files. */
#include "manager/manager.h"
#include "placement/competition.h"

#include <math.h>

/* Delay of a plan after an event, since events mostly come together (an IKE daemon adds two SAs at
 * once). A new SA whose predecessor was in the NIC is promoted this much later. */
#define PLAN_SOON_SECONDS 0.02
/* Limits the number of dumps during a burst of events. */
#define RESYNC_WAIT_SECONDS 0.1
/* Limits reconfiguring during a burst of changes of links, addresses or routes: the next pass over
 * all SAs begins after this many times the duration of the last one. */
#define RECONFIGURE_SPACING 10.0
#define FOREIGN_REPORT_SECONDS 86400.0

double manager_now(const struct manager *m)
{
	return clock_monotonic(&m->environment.clock);
}

void manager_set_health(struct manager *m, enum health_condition condition, bool holds)
{
	if (health_set(m->health, condition, holds))
		report_health(m->reporter, condition, holds);
}

/* Reports each NIC once, and again after a day if it still holds foreign SAs. */
static void report_foreign_sas(struct manager *m)
{
	double now = manager_now(m);

	for (size_t i = 0; i < nics_count(m->nics); i++) {
		struct placement_nic *n = nics_at(m->nics, i);

		if (n->foreign_in + n->foreign_out == 0 ||
		    (n->foreign_reported_at > 0 &&
		     now - n->foreign_reported_at < FOREIGN_REPORT_SECONDS))
			continue;
		n->foreign_reported_at = now;
		report_foreign(m->reporter, n->name,
			       n->config && n->config->allow && n->config->trusted,
			       n->foreign_in + n->foreign_out);
	}
}

void manager_update_nics(struct manager *m)
{
	nics_update(m->nics, m->sas);
	report_foreign_sas(m);
}

void manager_plan_soon(struct manager *m)
{
	schedule_no_later(&m->schedule, MANAGER_PLAN, manager_now(m) + PLAN_SOON_SECONDS);
}

void manager_tick_soon(struct manager *m)
{
	schedule_no_later(&m->schedule, MANAGER_TICK, manager_now(m) + RESYNC_WAIT_SECONDS);
}

void manager_resync_soon(struct manager *m)
{
	executor_cancel(m->executor);
	manager_tick_soon(m);
}

void manager_set_alarm(struct manager *m, struct sa *sa, bool alarms)
{
	if (sa->candidate.alarms == alarms)
		return;
	sa->candidate.alarms = alarms;
	m->n_alarms += alarms ? 1 : -(size_t)1;
	manager_set_health(m, HEALTH_REFUSED, m->n_alarms > 0);
}

struct cpu_costs *manager_cpu_costs(const struct manager *m)
{
	return m->config->rank_by == CONFIG_RANK_BY_CPU ? m->cpu_costs : NULL;
}

void manager_set_cpu_costs(struct manager *m)
{
	const struct policy_cpu_cost *values;
	size_t n;

	values = cpu_costs_values(m->cpu_costs, &n);
	(void)policy_set_cpu_costs(m->policy, values, n, manager_now(m));
}

void manager_configure_sa(struct manager *m, struct sa *sa)
{
	const struct competition competition = {
		.config = m->config,
		.policy = m->policy,
		.nics = m->nics,
		.orders = m->orders,
		.sas = m->sas,
		.software = m->software,
		.cpu_costs = manager_cpu_costs(m),
		.few = m->sampling.few,
	};

	competition_configure(&competition, sa, manager_now(m));
	manager_set_alarm(m, sa,
			  sa->candidate.candidacy == CANDIDACY_REFUSED_SHAPE &&
				  sa_on_reject(sa) == CONFIG_REJECT_ALARM);
}

void manager_look_up(struct manager *m, struct sa *sa)
{
	sa->candidate.wanted = true;
	if (sa->candidate.candidacy == CANDIDACY_IDLE)
		manager_configure_sa(m, sa);
}

static void configure_all(struct manager *m)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas->all, list)
		manager_configure_sa(m, sa);
}

void manager_reconfigure(struct manager *m)
{
	double begun = manager_now(m);

	schedule_cancel(&m->schedule, MANAGER_RECONFIGURE);
	nics_forget_routes(m->nics);
	tracker_read_in_full(m->tracker);
	manager_update_nics(m);
	configure_all(m);
	manager_plan_soon(m);
	m->reconfigured_at = manager_now(m);
	m->reconfigured_for = m->reconfigured_at - begun;
}

void manager_reconfigure_soon(struct manager *m, double delay)
{
	schedule_no_later(&m->schedule, MANAGER_RECONFIGURE,
			  fmax(manager_now(m) + delay,
			       m->reconfigured_at + RECONFIGURE_SPACING * m->reconfigured_for));
}

static bool rules_need_drivers(const struct manager *m)
{
	for (size_t i = 0; i < m->config->n_rules; i++)
		if (m->config->rules[i].leave_software_driver)
			return true;
	return false;
}

/* If nothing depends on the drivers, their list is read only to be shown. */
static void note_software_drivers(struct manager *m)
{
	bool rules = rules_need_drivers(m);

	if ((!rules && !manager_cpu_costs(m)) || !software_has_changed(m->software, manager_now(m)))
		return;
	m->reconfigure |= rules;
	cpu_costs_renew(m->cpu_costs);
}

static void measure_cpu_costs(struct manager *m)
{
	if (!manager_cpu_costs(m) || !cpu_costs_run(m->cpu_costs))
		return;
	manager_set_cpu_costs(m);
	report_cpu_costs(m->reporter, m->cpu_costs);
}

void manager_reconfigure_if_due(struct manager *m)
{
	if (!m->reconfigure)
		return;
	m->reconfigure = false;
	manager_reconfigure(m);
}

void manager_expire(struct manager *m)
{
	m->reconfigure |= nics_expire(m->nics);
	note_software_drivers(m);
	measure_cpu_costs(m);
	m->reconfigure |= peer_moves_expire(tracker_peer_moves(m->tracker), manager_now(m));
	manager_reconfigure_if_due(m);
}
