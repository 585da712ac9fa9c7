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
 * Reads the file that the report began last. Returns 0, -EBADMSG with the errors in `report`, or
 * -ENOMEM. The caller deletes the document with yaml_document_delete(). It has no root if the file
 * contains only comments.
 */
int config_yaml_load(struct config_report *report, yaml_document_t *ret_document);

/* Of a node of such a document, or of one that is merged from several. */
struct config_place config_place(const yaml_node_t *node);
