// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/failed-starts.h"

#include "base/state-file.h"
#include "cleanup.h"

#include <math.h>

#define FILE_MAX 32
#define WAIT_SECOND 0.5
#define COUNT_MAX 1000u

static unsigned read_count(const char *path)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	unsigned long count;

	if (state_file_read(path, FILE_MAX, &text, &size) < 0)
		return 0;
	count = strtoul(text, NULL, 10);
	return count < COUNT_MAX ? (unsigned)count : COUNT_MAX;
}

static void write_count(FILE *file, const void *userdata)
{
	(void)fprintf(file, "%u\n", *(const unsigned *)userdata);
}

double failed_starts_note(const char *path)
{
	unsigned before = read_count(path), count = before + 1;

	/* If it cannot be written, the next failure counts as the first. */
	(void)state_file_write(path, write_count, &count);
	return before == 0 ? 0 : fmin(WAIT_SECOND * exp2(before - 1), FAILED_STARTS_WAIT_MAX);
}

void failed_starts_forget(const char *path)
{
	(void)unlink(path);
}
