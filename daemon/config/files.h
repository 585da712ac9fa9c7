/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the main file and the drop-ins by the rules of the UAPI group (Configuration Files
 * Specification): /etc comes before /run, and /run before /usr/lib.
 */
#pragma once

#include "cleanup.h"
#include "config-report.h"

#include <stddef.h>

/* The files in the order in which they are read, or the path that cannot be read. */
struct config_files {
	char *paths[CONFIG_FILES_MAX];
	size_t n;
	char *failed;
};

void config_files_done(struct config_files *files);

/* Returns 0, -ENOENT: there is neither a main file nor a drop-in, -E2BIG: more than
 * CONFIG_FILES_MAX, -ENOMEM, or the errno for `failed`. `root` is the prefix of all paths. */
int config_files_find(const char *root, struct config_files *ret_files);

/* Reads a regular file. Of one that is larger than CONFIG_SIZE_MAX, reads one byte more. */
int config_file_read(const char *path, char **ret_text, size_t *ret_size);
