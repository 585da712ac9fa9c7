/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Merges the documents of several files into one, whose nodes still have their file and line. The
 * last file wins: its scalars replace those before, and its list entries come before those of
 * earlier files, because the first entry that matches decides. An entry that has the identity
 * (struct config_list) of an earlier one changes that one key by key, where it is.
 */
#pragma once

#include "config/schema.h"

/* Adds a document, which must be free of errors, to `target`. `target` is new, or was merged
 * before. 0 or -ENOMEM. */
int config_merge(yaml_document_t *target, const struct config_section *section,
		 yaml_document_t *source);
