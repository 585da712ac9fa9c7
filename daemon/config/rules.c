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

static const char *const reject_words[] = {
	[CONFIG_REJECT_SOFTWARE] = "software",
	[CONFIG_REJECT_RETRY] = "retry",
	[CONFIG_REJECT_ALARM] = "alarm",
	NULL,
};

/* The key does nothing for SAs that are not chosen by their rate. */
static void refuse_key(struct config_reader *reader, const yaml_node_t *mapping, const char *key,
		       enum config_offload offload)
{
	struct config_place place = config_place(config_find(reader, mapping, key));

	config_error(reader->report, &place, "'%s' has no effect with 'offload: %s'", key,
		     offload_words[offload]);
	config_remedy(reader->report, "remove '%s', or write 'offload: auto'", key);
}

static void check_rule(struct config_reader *reader, const yaml_node_t *mapping, void *structure)
{
	const struct config_rule *rule = structure;

	if (rule->offload == CONFIG_OFFLOAD_AUTO)
		return;
	/* No driver is asked. */
	if (rule->offload == CONFIG_OFFLOAD_NEVER && rule->on_reject != CONFIG_REJECT_SOFTWARE)
		refuse_key(reader, mapping, "on-reject", rule->offload);
	if (rule->min_rate > 0)
		refuse_key(reader, mapping, "min-rate", rule->offload);
	if (rule->leave_software_driver)
		refuse_key(reader, mapping, "leave-software-driver", rule->offload);
}

#define MEMBER(name) offsetof(struct config_rule, name)

static const struct config_key rule_keys[] = {
	{"match", config_read_mapping, MEMBER(match), .section = &config_section_rule_match,
	 .about = "The conditions on an SA, all of which must hold; without them every SA matches"},
	{"offload", config_read_word, MEMBER(offload), .words = offload_words,
	 .default_text = "auto",
	 .about =
		 "By its rate, before all others at any rate, or never: then it stays in software"},
	{"weight", config_read_double, MEMBER(weight), 0.001, 1000, .default_text = "1",
	 .about = "The rate is multiplied by this when SAs are compared"},
	{"min-rate", config_read_rate, MEMBER(min_rate), 0, CONFIG_RATE_MAX, .default_text = "0",
	 .about = "Below this rate the SA stays in software even when slots are free"},
	{"nic", config_read_interface, MEMBER(nic),
	 .about = "The interface whose table is used, instead of that of the route to the peer"},
	{"leave-software-driver", config_read_crypto_pattern, MEMBER(leave_software_driver),
	 .about = "SAs stay in software whose cryptography such a driver does there: a pattern for "
		  "the drivers in /proc/crypto, like pcrypt*"},
	{"on-reject", config_read_word, MEMBER(on_reject), .words = reject_words,
	 .default_text = "software",
	 .about = "After the driver refused an SA: do not ask it again, ask later (retry), or do "
		  "not "
		  "ask again and degrade the service (alarm)"},
};

const struct config_section config_section_rule = {
	.name = "an entry of 'rules'",
	.keys = rule_keys,
	.n_keys = ELEMENTSOF(rule_keys),
	.check = check_rule,
};
