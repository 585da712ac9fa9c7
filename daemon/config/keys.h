/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of all keys of a configuration file. */
#pragma once

#include "config/schema.h"
#include "policy.h"

/* The top level of the file, read into a struct config. */
extern const struct config_section config_section_file;
/* Entries of `nics` (struct config_nic), of `rules` (struct config_rule) and of `groups` (struct
 * config_group). */
extern const struct config_section config_section_nic;
extern const struct config_section config_section_rule;
extern const struct config_section config_section_group;
/* `match` of rules and of groups (struct config_match). */
extern const struct config_section config_section_rule_match;
extern const struct config_section config_section_group_match;

/* The `check` of the file: the names of groups must be unique. */
void config_check_groups(struct config_reader *reader, const yaml_node_t *mapping, void *structure);

#define CONFIG_NICS_MAX 1024
/* Every new SA is compared with every rule. */
#define CONFIG_RULES_MAX 8192
#define CONFIG_GROUPS_MAX POLICY_GROUPS_MAX

#define CONFIG_MOVES_BURST_MAX 100000 /* more than the slots of any NIC */
#define CONFIG_CAPACITY_MAX 1048576   /* slots of the largest NICs, by their vendors */
/* 10 Tbit/s: more than any NIC has, but low enough to detect a wrong unit. */
#define CONFIG_RATE_MAX 1.25e12
