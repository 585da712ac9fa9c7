/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tables of all keys: what a configuration file can say. */
#pragma once

#include "config-schema.h"

/* Of the file's top level, read into a struct config. */
extern const struct config_section config_section_file;
/* Of an entry of `nics`, a struct config_nic, and of `rules`, a struct config_rule. */
extern const struct config_section config_section_nic;
extern const struct config_section config_section_rule;

#define CONFIG_NICS_MAX 1024
/* Every new SA is compared with every rule. */
#define CONFIG_RULES_MAX 8192
