/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Warnings: a file that is valid, and yet cannot do what it says. */
#pragma once

#include "config.h"
#include "config/schema.h"

/* Of a file without errors. */
void config_warn_contradictions(struct config_reader *reader, const yaml_node_t *root,
				const struct config *config);
