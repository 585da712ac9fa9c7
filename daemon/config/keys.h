/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of all keys: what a configuration file can say. */
#pragma once

#include "config/schema.h"
#include "policy.h"

/* Of the file's top level, read into a struct config. */
extern const struct config_section config_section_file;
/* Of an entry of `nics`, a struct config_nic, of `rules`, a struct config_rule, and of `groups`, a
 * struct config_group. */
extern const struct config_section config_section_nic;
extern const struct config_section config_section_rule;
extern const struct config_section config_section_group;
/* Of `match` of the last two, a struct config_match. */
extern const struct config_section config_section_rule_match;
extern const struct config_section config_section_group_match;

/* The `check` of the file: what no group can know alone. */
void config_check_groups(struct config_reader *reader, const yaml_node_t *mapping, void *structure);

#define CONFIG_NICS_MAX 1024
/* Every new SA is compared with every rule. */
#define CONFIG_RULES_MAX 8192
#define CONFIG_GROUPS_MAX POLICY_GROUPS_MAX

#define CONFIG_MOVES_BURST_MAX 100000 /* more than a table of any NIC needs to fill it at once */
#define CONFIG_CAPACITY_MAX 1048576   /* what the largest NICs claim to hold */
/* 10 Tbit/s: more than any NIC, less than a slip of the unit. */
#define CONFIG_RATE_MAX 1.25e12
