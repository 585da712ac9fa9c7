// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/competition.h"

#include "base/crypto-table.h"
#include "sa/lineage.h"

/* Whether the policy may want the SA in a NIC, or it is in one. */
static bool is_wanted(const struct competition *c, const struct sa *sa)
{
	return sa->candidate.wanted || c->sas->n <= c->few || sa->residence.ifindex != 0 ||
	       sa->candidate.offload == CONFIG_OFFLOAD_ALWAYS;
}

/* An order of the operator is newer than the rules, so it decides. */
static void find_rule(const struct competition *c, struct sa *sa)
{
	const struct config_rule *rule = config_match_rule(c->config, &sa->description);
	const struct sa_order *order = orders_find(c->orders, &sa->description);

	sa->candidate.rule = rule;
	sa->candidate.ordered = order != NULL;
	if (order)
		sa->candidate.offload = order->ban ? CONFIG_OFFLOAD_NEVER : CONFIG_OFFLOAD_ALWAYS;
	else
		sa->candidate.offload = rule ? rule->offload : CONFIG_OFFLOAD_AUTO;
}

/* Whether its rule leaves it in software because of who does its cryptography there. */
static bool is_left(const struct competition *c, const struct sa *sa, double now)
{
	const struct config_rule *rule = sa->candidate.rule;
	const char *pattern = rule ? rule->leave_software_driver : NULL;
	const char *driver;

	/* An order decides before the rule. */
	if (!pattern || sa->candidate.offload != CONFIG_OFFLOAD_AUTO)
		return false;
	driver = software_driver(c->software, sa->shape, now);
	return driver && crypto_driver_matches(driver, pattern);
}

/* Also asks for its driver, so that a change of it is noticed. */
static uint32_t find_cpu_cost(const struct competition *c, const struct sa *sa, double now)
{
	if (!c->cpu_costs)
		return 0;
	(void)software_driver(c->software, sa->shape, now);
	return cpu_costs_find(c->cpu_costs, sa->shape);
}

static struct policy_sa_config policy_config(const struct competition *c, struct sa *sa, double now)
{
	const struct config_group *group = config_match_group(c->config, &sa->description);
	const struct config_rule *rule = sa->candidate.rule;
	struct policy_sa_config config = {
		.weight = rule ? rule->weight : 1.0,
		.min_rate = rule ? rule->min_rate : 0.0,
		.pinned = sa->candidate.offload == CONFIG_OFFLOAD_ALWAYS,
		.banned = sa->candidate.offload == CONFIG_OFFLOAD_NEVER,
		.group = group ? 1 + (uint32_t)(group - c->config->groups) : 0,
		.cpu_cost = find_cpu_cost(c, sa, now),
		.table = POLICY_NONE,
	};

	if (is_wanted(c, sa))
		nics_resolve(c->nics, sa, &config.table);
	else
		nics_leave_idle(sa);
	if (sa->candidate.candidacy == CANDIDACY_OK && is_left(c, sa, now)) {
		sa->candidate.candidacy = CANDIDACY_SOFTWARE_DRIVER;
		config.table = POLICY_NONE;
	}
	if (sa->hands_off == HANDS_OFF_NONE || sa->hands_off == HANDS_OFF_DRIVER) {
		const char *reason;
		enum hands_off driver = nics_check_driver(c->nics, sa, &reason);

		sa->hands_off = sa->residence.ifindex == 0 ? driver : HANDS_OFF_NONE;
		/* This can be the case for a copy that the IKE daemon made (tracker_adopt()). */
		if (driver == HANDS_OFF_DRIVER && sa->residence.ifindex != 0)
			config.table = POLICY_NONE;
	}
	/* This includes foreign SAs. Their slots are subtracted from the capacity. */
	config.immovable = sa->hands_off != HANDS_OFF_NONE;
	return config;
}

void competition_configure(const struct competition *c, struct sa *sa, double now)
{
	struct sa_lineage lineage = sa_lineage_of(&sa->description);
	struct policy_sa_config config, wanted;
	policy_sa handle;

	find_rule(c, sa);
	if (sa->handle == POLICY_NONE && c->sas->n > c->few)
		sa->candidate.wanted |=
			policy_sa_would_inherit(c->policy, &lineage, sizeof(lineage), now);
	config = policy_config(c, sa, now);
	if (sa->handle != POLICY_NONE) {
		(void)policy_sa_configure(c->policy, sa->handle, &config, now);
		return;
	}
	/* A larval SA may never be completed. Until then it must not inherit from its
	 * predecessor. */
	if (sa->hands_off == HANDS_OFF_LARVAL)
		return;
	wanted = config;
	/* Add the SA with the table where it is, then configure the table where it may be, so that
	 * the policy knows that it must leave the first. */
	if (sa_is_resident(sa))
		config.table = nics_table_of_residence(c->nics, sa);
	if (policy_sa_add(c->policy, &config, &lineage, sizeof(lineage), sa_is_resident(sa), now,
			  &handle) < 0)
		return; /* without memory; the next sample tries again */
	if (sa_table_set_handle(c->sas, sa, handle) < 0) {
		policy_sa_remove(c->policy, handle, now);
		return;
	}
	if (config.table != wanted.table)
		(void)policy_sa_configure(c->policy, handle, &wanted, now);
	sa->virtually_resident = sa_is_resident(sa);
}
