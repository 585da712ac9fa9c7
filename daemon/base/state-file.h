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

/* Renames a file that cannot be read to PATH.damaged. If that fails, the next write replaces it. */
void state_file_set_aside(const char *path);

/*
 * The length of the beginning of the text, "NAME VERSION ", in bytes. -EBADMSG: the text does not
 * begin so, or contains a NUL before its end; -ENOTSUP: it has another version.
 */
int state_file_read_version(const char *text, size_t size, const char *name, unsigned version);

/* Why a state file cannot be read, for a negative errno of these functions. */
const char *state_file_error(int error);

/* Reads a number at *text, decimal or hexadecimal with 0x, which `end` must follow. Moves *text
 * behind `end`. strtoull() would accept spaces, signs and overflow. */
bool state_file_read_number(const char **text, char end, uint64_t max, uint64_t *ret_value);
