/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/keys.h"

#include "cleanup.h"
#include "config.h"

#include <string.h>

static const char *const mode_words[] = {
	[CONFIG_MODE_OBSERVE] = "observe",
	[CONFIG_MODE_ENFORCE] = "enforce",
	NULL,
};

static const char *const link_down_words[] = {
	[CONFIG_LINK_DOWN_RESTORE] = "restore",
	[CONFIG_LINK_DOWN_RESTORE_OUTBOUND] = "restore-outbound",
	[CONFIG_LINK_DOWN_LEAVE] = "leave",
	NULL,
};

static const char *const rank_words[] = {
	[CONFIG_RANK_BY_BYTES] = "bytes",
	[CONFIG_RANK_BY_CPU] = "cpu",
	NULL,
};

static void prepare_nic(void *entry, const char *file, unsigned line)
{
	struct config_nic *nic = entry;

	*nic = (struct config_nic){.file = file, .line = line};
}

static void prepare_rule(void *entry, const char *file, unsigned line)
{
	struct config_rule *rule = entry;

	*rule = (struct config_rule){
		.match = {.mark_mask = UINT32_MAX},
		.weight = 1,
		.file = file,
		.line = line,
	};
}

static void prepare_group(void *entry, const char *file, unsigned line)
{
	struct config_group *group = entry;

	*group = (struct config_group){
		.match = {.mark_mask = UINT32_MAX},
		.file = file,
		.line = line,
	};
}

static const struct config_list nic_list = {
	.section = &config_section_nic,
	.entry_size = sizeof(struct config_nic),
	.entries_max = CONFIG_NICS_MAX,
	.count_offset = offsetof(struct config, n_nics) - offsetof(struct config, nics),
	.prepare = prepare_nic,
	.identity = "match",
};

static const struct config_list rule_list = {
	.section = &config_section_rule,
	.entry_size = sizeof(struct config_rule),
	.entries_max = CONFIG_RULES_MAX,
	.count_offset = offsetof(struct config, n_rules) - offsetof(struct config, rules),
	.prepare = prepare_rule,
};

static const struct config_list group_list = {
	.section = &config_section_group,
	.entry_size = sizeof(struct config_group),
	.entries_max = CONFIG_GROUPS_MAX,
	.count_offset = offsetof(struct config, n_groups) - offsetof(struct config, groups),
	.prepare = prepare_group,
	.identity = "name",
};

static void read_version(struct config_reader *reader, const struct config_key *key,
			 const yaml_node_t *node, void *member)
{
	const char *text = config_scalar(reader, key, node, "1");

	(void)member; /* not stored */
	if (text && strcmp(text, "1") != 0) {
		config_wrong(reader, key, node, "1");
		config_remedy(reader->report, "this espoffloadd knows version 1 of the file only");
	}
}

#define MEMBER(name) offsetof(struct config, name)

static const struct config_key file_keys[] = {
	{"version", read_version, .minimum = 1, .maximum = 1, .default_text = "1", .syntax = "1",
	 .about = "The version of the format"},
	{"mode", config_read_word, MEMBER(mode), .words = mode_words, .default_text = "observe",
	 .about = "Only decide and report (observe), or also move SAs (enforce)"},
	{"interval", config_read_time, MEMBER(interval), .minimum = 0.1, .maximum = 60,
	 .default_text = "1s", .about = "The time between two samples of the SAs' byte counters"},
	{"moves-per-second", config_read_double, MEMBER(moves_per_second), 0.1, 1000,
	 .default_text = "4",
	 .about = "How many SAs may be moved into and out of one NIC per second"},
	{"moves-burst", config_read_double, MEMBER(moves_burst), 1, CONFIG_MOVES_BURST_MAX,
	 .about = "How many moves may be made at once after a time without moves; by default "
		  "moves-per-second, rounded up"},
	{"retry-refused", config_read_time, MEMBER(retry_refused), 1, 3600, .default_text = "60s",
	 .about = "The time after which an SA that the driver refused is tried again; it doubles "
		  "with every refusal"},
	{"on-link-down", config_read_word, MEMBER(on_link_down), .words = link_down_words,
	 .default_text = "restore",
	 .about =
		 "Which of the SAs that the kernel deletes with the link of their NIC are put back "
		 "into software: both directions, outbound ones, or none"},
	{"rank-by", config_read_word, MEMBER(rank_by), .words = rank_words, .default_text = "bytes",
	 .about = "Whether slots go to the SAs with the highest rates, or to those that take most "
		  "CPU time in software"},
	{"nics", config_read_list, MEMBER(nics), .list = &nic_list,
	 .about = "Which NICs may hold SAs and get keys; the first entry that matches decides"},
	{"rules", config_read_list, MEMBER(rules), .list = &rule_list,
	 .about = "How SAs are treated; the first entry that matches decides"},
	{"groups", config_read_list, MEMBER(groups), .list = &group_list,
	 .about = "SAs that together have a least and a largest number of slots; an SA belongs to "
		  "the first that matches"},
};

const struct config_section config_section_file = {
	.name = "the configuration",
	.keys = file_keys,
	.n_keys = ELEMENTSOF(file_keys),
	.check = config_check_groups,
};
