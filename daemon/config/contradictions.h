/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Warnings about a valid file with settings that have no effect. */
#pragma once

#include "config.h"
#include "config/schema.h"

/* Called for a file without errors. */
void config_warn_contradictions(struct config_reader *reader, const yaml_node_t *root,
				const struct config *config);
