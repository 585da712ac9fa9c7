/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small text files below /run that outlive the daemon, but not the machine.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* The whole file, NUL-terminated; the text is the caller's. Follows no link and does not wait for a
 * pipe. -ENOENT: there is none, -EBADMSG: not a regular file, -EFBIG: larger than `max`. */
int state_file_read(const char *path, size_t max, char **ret_text, size_t *ret_size);

/* The old file stays until the new one is complete: it is written beside it as PATH.new. */
int state_file_write(const char *path, void (*write)(FILE *file, const void *userdata),
		     const void *userdata);
