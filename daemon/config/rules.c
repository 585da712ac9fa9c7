/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `rules`: the treatment of SAs. */
#include "cleanup.h"
#include "config.h"
#include "config/keys.h"
#include "config/names.h"

static const char *const offload_words[] = {
	[CONFIG_OFFLOAD_AUTO] = "auto",
	[CONFIG_OFFLOAD_ALWAYS] = "always",
	[CONFIG_OFFLOAD_NEVER] = "never",
	NULL,
};

static void check_rule(struct config_reader *reader, const yaml_node_t *mapping, void *structure)
{
	const struct config_rule *rule = structure;
	struct config_place place;

	if (rule->offload == CONFIG_OFFLOAD_AUTO || rule->min_rate <= 0)
		return;
	place = config_place(config_find(reader, mapping, "min-rate"));
	config_error(reader->report, &place, "'min-rate' has no effect with 'offload: %s'",
		     offload_words[rule->offload]);
	config_remedy(reader->report, "remove 'min-rate', or write 'offload: auto'");
}

#define MEMBER(name) offsetof(struct config_rule, name)

static const struct config_key rule_keys[] = {
	{"match", config_read_mapping, MEMBER(match), .section = &config_section_rule_match},
	{"offload", config_read_word, MEMBER(offload), .words = offload_words},
	{"weight", config_read_double, MEMBER(weight), 0.001, 1000},
	{"min-rate", config_read_rate, MEMBER(min_rate), 0, CONFIG_RATE_MAX},
	{"nic", config_read_interface, MEMBER(nic)},
};

const struct config_section config_section_rule = {
	.name = "an entry of 'rules'",
	.keys = rule_keys,
	.n_keys = ELEMENTSOF(rule_keys),
	.check = check_rule,
};
