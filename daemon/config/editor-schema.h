/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The JSON Schema (draft 7, which editors know) of a configuration file, made from the tables of
 * its keys. It accepts what the reader accepts, and refuses unknown keys, wrong types, words and
 * numbers out of their range. What a schema cannot say is for `espoffloadctl check-config`: the
 * range of a value with a unit, keys that depend on others, and how a value is written.
 */
#pragma once

#include <jansson.h>

/* NULL without memory. */
json_t *config_editor_schema(void);
