/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration that results from all files, with the origin of each value. */
#pragma once

#include "config.h"
#include "config/schema.h"

#include <jansson.h>

/* The value of a key as it is in JSON. `text` is valid. */
json_t *config_typed(const struct config_key *key, const char *text);

/* Objects and arrays as in a file. A value is {"value": ..., "origin": "FILE:LINE" or "default"};
 * keys that are absent and have no default are left out. `document` is free of errors, and `config`
 * was read from it. NULL without memory. */
json_t *config_effective(struct config_reader *reader, const yaml_node_t *root,
			 const struct config *config);
