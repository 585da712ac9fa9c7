/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/selection.h"

#include <errno.h>
#include <string.h>

struct selection {
	const struct config *config;
	const char *nic;
	bool *unused;   /* by rule: its `nic` is not applied to an SA that it matches */
	size_t n_known; /* SAs whose NIC is known */
	size_t n_unknown;
};

int selection_new(const struct config *config, const char *nic, struct selection **ret_selection)
{
	_cleanup_(selection_freep) struct selection *selection = calloc(1, sizeof(*selection));

	if (!selection)
		return -ENOMEM;
	selection->unused = calloc(config->n_rules + 1, sizeof(*selection->unused));
	if (!selection->unused)
		return -ENOMEM;
	selection->config = config;
	selection->nic = nic;
	*ret_selection = TAKE_PTR(selection);
	return 0;
}

struct selection *selection_free(struct selection *selection)
{
	if (!selection)
		return NULL;
	free(selection->unused);
	free(selection);
	return NULL;
}

static bool is_selected(void *userdata, const struct sa_description *sa, const char *nic)
{
	struct selection *selection = userdata;
	const struct config_rule *rule = sa ? config_match_rule(selection->config, sa) : NULL;

	if (rule && rule->nic) {
		nic = rule->nic;
		if (!selection->nic)
			selection->unused[rule - selection->config->rules] = true;
	}
	*(nic ? &selection->n_known : &selection->n_unknown) += 1;
	return !selection->nic || (nic && strcmp(nic, selection->nic) == 0);
}

struct simulate_selection selection_of_trace(struct selection *selection)
{
	return (struct simulate_selection){.select = is_selected, .userdata = selection};
}

static void report_rules(const struct selection *selection, FILE *out)
{
	const struct config *config = selection->config;
	unsigned n = 0;

	for (size_t i = 0; i < config->n_rules; i++) {
		const struct config_rule *rule = &config->rules[i];

		if (selection->unused[i])
			(void)fprintf(out, "%s%s:%u (%s)",
				      n++ ? ", "
					  : "simulate: these rules name a NIC, which is not used, "
					    "since all SAs of the trace compete for one table: ",
				      rule->file, rule->line, rule->nic);
	}
	if (n > 0)
		(void)fputs("; --nic NAME simulates the table of one NIC\n", out);
}

void selection_report(const struct selection *selection, FILE *out)
{
	report_rules(selection, out);
	if (selection->nic && selection->n_unknown > 0)
		(void)fprintf(
			out,
			"simulate: left out are %zu of %zu SAs: neither the trace (column 'nic') "
			"nor a rule names their NIC\n",
			selection->n_unknown, selection->n_unknown + selection->n_known);
}
