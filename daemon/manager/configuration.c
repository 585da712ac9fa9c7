// SPDX-License-Identifier: GPL-2.0-or-later
/* Applies a configuration, and makes the policy for it. */
#include "manager/manager.h"

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

int manager_new_policy(struct manager *m)
{
	struct policy_parameters parameters = policy_parameters_default();
	int r;

	parameters.refused_wait = m->config->retry_refused;
	r = hash_seed_random(&parameters.lineage_seed);
	if (r >= 0)
		r = policy_new(&parameters, &m->policy);
	nics_set_policy(m->nics, m->policy);
	return r < 0 ? r : set_groups(m);
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

void manager_apply_config(struct manager *m, struct config *config)
{
	bool mode_changed = config->mode != m->config->mode;
	struct sa *sa;

	m->config = (config_free(m->config), config);
	shadows_set_mode(m->shadows, config->on_link_down);
	/* NICs and SAs point to entries of the old configuration, which is freed. */
	nics_set_config(m->nics, config);
	TAILQ_FOREACH(sa, &m->sas->all, list)
		sa->candidate.rule = NULL;
	/* In observe mode the residents of the policy are not really in NICs. */
	if (mode_changed)
		drop_policy(m);
	manager_set_health(m, HEALTH_POLICY,
			   (mode_changed ? manager_new_policy(m) : set_groups(m)) < 0);
	manager_reconfigure(m);
}

int manager_reload(struct manager *m, char **ret_messages)
{
	_cleanup_(config_report_done) struct config_report report = {0};
	_cleanup_(config_freep) struct config *config = NULL;
	_cleanup_free_ char *messages = NULL;
	int r, printed;

	r = config_load_source(&m->environment.config_source, &report, &config);
	printed = config_report_text(&report, &messages);
	if (printed < 0)
		return printed;
	if (r >= 0)
		manager_apply_config(m, TAKE_PTR(config));
	report_reload(m->reporter, config_source_name(&m->environment.config_source), m->config, r,
		      messages);
	if (ret_messages)
		*ret_messages = TAKE_PTR(messages);
	return r;
}
