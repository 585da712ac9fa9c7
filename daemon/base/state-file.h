/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small text files below /run, which stay when the daemon ends, but not over a reboot.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Reads the whole file, NUL-terminated; the caller frees the text. Does not follow a symbolic link,
 * and does not block on a pipe. -ENOENT: no file, -EBADMSG: not a regular file, -EFBIG: larger than
 * `max` bytes, or another errno of open(2) or read(2). */
int state_file_read(const char *path, size_t max, char **ret_text, size_t *ret_size);

/* Writes the file as PATH.new and then renames it, so the old file stays until the new one is
 * complete. Returns 0 or a negative errno. */
int state_file_write(const char *path, void (*write)(FILE *file, const void *userdata),
		     const void *userdata);

/* Reads a number at *text, decimal or hexadecimal with 0x, which `end` must follow. Moves *text
 * behind `end`. strtoull() would accept spaces, signs and overflow. */
bool state_file_read_number(const char **text, char end, uint64_t max, uint64_t *ret_value);
