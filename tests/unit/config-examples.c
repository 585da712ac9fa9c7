// SPDX-License-Identifier: GPL-2.0-or-later
/* Writes each text that a test parses into the directory $CONFIG_EXAMPLES, if it is set. */
#include "config.h"

#include <stdlib.h>
#include <unistd.h>

int __real_config_parse(const char *path, const char *text, size_t size,
			struct config_report *ret_report, struct config **ret_config);
int __wrap_config_parse(const char *path, const char *text, size_t size,
			struct config_report *ret_report, struct config **ret_config);

/* Larger ones are about the size. */
#define SIZE_MAX_KEPT 65536

static void keep(const char *directory, const char *text, size_t size)
{
	char path[256];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/XXXXXX", directory);
	fd = mkstemp(path);
	if (fd < 0 || write(fd, text, size) != (ssize_t)size || close(fd) < 0)
		abort();
}

int __wrap_config_parse(const char *path, const char *text, size_t size,
			struct config_report *ret_report, struct config **ret_config)
{
	const char *directory = getenv("CONFIG_EXAMPLES");

	if (directory && size <= SIZE_MAX_KEPT)
		keep(directory, text, size);
	return __real_config_parse(path, text, size, ret_report, ret_config);
}
