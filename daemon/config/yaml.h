/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses a file into a YAML document with restrictions: UTF-8 without control characters, of
 * bounded size and depth, one document, no anchors, aliases, tags or directives.
 */
#pragma once

#include "config/report.h"

#include <yaml.h>

#define CONFIG_SIZE_MAX ((size_t)1024 * 1024)

/*
 * Returns 0, -EBADMSG with the errors in `report`, or -ENOMEM. The caller deletes the document with
 * yaml_document_delete(). It has no root if the file contains only comments.
 */
int config_yaml_load(struct config_report *report, const char *text, size_t size,
		     yaml_document_t *ret_document);

struct config_place config_place_of(const yaml_mark_t *start, const yaml_mark_t *end);
