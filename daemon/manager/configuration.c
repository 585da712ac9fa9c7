// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Applies a configuration, and makes the policy for it. One on trial is applied like any other, and
 * so is the one before it when that comes back.
 */
#include "manager/manager.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* SAs refer to their group by its index in the configuration, so they must be configured again
 * after this. */
static int set_groups(struct manager *m)
{
	struct policy_group_config groups[POLICY_GROUPS_MAX];

	for (size_t i = 0; i < m->config->n_groups; i++)
		groups[i] = (struct policy_group_config){
			.floor = m->config->groups[i].floor,
			.ceiling = m->config->groups[i].ceiling,
		};
	return policy_set_groups(m->policy, groups, m->config->n_groups, manager_now(m));
}

static int configure_policy(struct manager *m)
{
	policy_set_refused_wait(m->policy, m->config->retry_refused);
	return set_groups(m);
}

int manager_new_policy(struct manager *m)
{
	struct policy_parameters parameters = policy_parameters_default();
	int r;

	r = hash_seed_random(&parameters.lineage_seed);
	if (r >= 0)
		r = policy_new(&parameters, &m->policy);
	nics_set_policy(m->nics, m->policy);
	if (r >= 0)
		manager_set_cpu_costs(m);
	return r < 0 ? r : configure_policy(m);
}

static void drop_policy(struct manager *m)
{
	struct sa *sa;

	executor_cancel(m->executor);
	m->policy = policy_free(m->policy);
	nics_set_policy(m->nics, NULL);
	sampling_forget(&m->sampling, m->sas);
	TAILQ_FOREACH(sa, &m->sas->all, list)
		sa->handle = POLICY_NONE;
	if (m->sas->by_handle)
		memset(m->sas->by_handle, 0, m->sas->n_by_handle * sizeof(*m->sas->by_handle));
}

/* Takes the configuration. Returns the one before, to which nothing points any more. */
static struct config *replace_config(struct manager *m, struct config *config)
{
	struct config *before = m->config;
	bool mode_changed = config->mode != before->mode;

	m->config = config;
	shadows_set_mode(m->shadows, config->on_link_down);
	/* NICs point to entries of the configuration before, which may be freed. So do SAs, until
	 * manager_reconfigure(). */
	nics_set_config(m->nics, config);
	/* In observe mode the residents of the policy are not really in NICs. */
	if (mode_changed)
		drop_policy(m);
	manager_set_health(m, HEALTH_POLICY,
			   (mode_changed ? manager_new_policy(m) : configure_policy(m)) < 0);
	manager_reconfigure(m);
	return before;
}

void manager_apply_config(struct manager *m, struct config *config)
{
	config_free(replace_config(m, config));
}

bool manager_is_on_trial(const struct manager *m)
{
	return m->trial.before;
}

double manager_trial_left(const struct manager *m)
{
	return fmax(0, m->trial.ends_at - manager_now(m));
}

/* Takes the configuration before. */
static void begin_trial(struct manager *m, struct config *before, double seconds)
{
	m->trial = (struct trial){
		.before = before,
		.seconds = seconds,
		.ends_at = manager_now(m) + seconds,
		.until = clock_realtime(&m->environment.clock) + (uint64_t)ceil(seconds),
	};
	schedule_at(&m->schedule, MANAGER_TRIAL, m->trial.ends_at);
}

int manager_confirm(struct manager *m)
{
	if (!manager_is_on_trial(m))
		return -ENOENT;
	schedule_cancel(&m->schedule, MANAGER_TRIAL);
	m->trial.before = config_free(m->trial.before);
	report_confirmed(m->reporter, m->config);
	return 0;
}

void manager_end_trial(struct manager *m)
{
	struct config *tried = replace_config(m, TAKE_PTR(m->trial.before));

	report_reverted(m->reporter, tried, m->trial.seconds);
	config_free(tried);
}

/* Takes the configuration. */
static void put_in_force(struct manager *m, struct config *config, double seconds)
{
	struct config *before = replace_config(m, config);

	if (seconds > 0)
		begin_trial(m, before, seconds);
	else
		config_free(before);
}

/* After a second reload it would not be clear which configuration comes back, so it is refused. */
static int refuse_reload(struct manager *m)
{
	report_reload_refused(m->reporter, config_source_name(&m->environment.config_source),
			      manager_trial_left(m));
	return -EBUSY;
}

int manager_reload(struct manager *m, double seconds, char **ret_messages)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *messages = NULL;
	int r, printed;

	if (manager_is_on_trial(m))
		return refuse_reload(m);
	r = config_load_source(&m->environment.config_source, &report, &config);
	printed = config_report_text(&report, &messages);
	if (printed < 0)
		return printed;
	if (r >= 0)
		put_in_force(m, TAKE_PTR(config), seconds);
	report_reload(m->reporter, config_source_name(&m->environment.config_source), m->config, r,
		      messages, seconds);
	if (ret_messages)
		*ret_messages = TAKE_PTR(messages);
	return r;
}
