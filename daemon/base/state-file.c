// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/state-file.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

int state_file_read(const char *path, size_t max, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat status;
	size_t used = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EBADMSG;
	if ((uintmax_t)status.st_size > max)
		return -EFBIG;
	text = malloc((size_t)status.st_size + 1);
	if (!text)
		return -ENOMEM;
	while (used < (size_t)status.st_size) {
		ssize_t n = read(fd, text + used, (size_t)status.st_size - used);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			used += (size_t)n;
	}
	text[used] = '\0';
	*ret_text = TAKE_PTR(text);
	*ret_size = used;
	return 0;
}

bool state_file_read_number(const char **text, char end, uint64_t max, uint64_t *ret_value)
{
	const char *p = *text;
	bool hexadecimal = p[0] == '0' && p[1] == 'x';
	unsigned base = hexadecimal ? 16 : 10;
	const char *start;
	uint64_t value = 0;

	if (hexadecimal)
		p += 2;
	for (start = p; *p != end; p++) {
		unsigned digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned)(*p - '0');
		else if (hexadecimal && *p >= 'a' && *p <= 'f')
			digit = (unsigned)(*p - 'a') + 10;
		else
			return false;
		if (digit > max || value > (max - digit) / base)
			return false;
		value = value * base + digit;
	}
	if (p == start)
		return false;
	*text = p + 1;
	*ret_value = value;
	return true;
}

void state_file_set_aside(const char *path)
{
	_cleanup_free_ char *damaged = NULL;

	if (asprintf(&damaged, "%s.damaged", path) < 0)
		damaged = NULL; /* asprintf() leaves it undefined */
	else
		(void)rename(path, damaged);
}

int state_file_read_version(const char *text, size_t size, const char *name, unsigned version)
{
	const char *p = text;
	uint64_t found;

	if (memchr(p, '\0', size) || strncmp(p, name, strlen(name)) != 0)
		return -EBADMSG;
	p += strlen(name);
	if (*p++ != ' ' || !state_file_read_number(&p, ' ', UINT32_MAX, &found))
		return -EBADMSG;
	if (found != version)
		return -ENOTSUP;
	return (int)(p - text);
}

const char *state_file_error(int error)
{
	switch (error) {
	case -EBADMSG:
		return "it is damaged";
	case -ENOTSUP:
		return "another version of espoffloadd wrote it";
	default:
		return strerror(-error);
	}
}

/* Not synced: the file must outlive the daemon, not a crash of the machine. */
static int write_new(const char *path, void (*write)(FILE *file, const void *userdata),
		     const void *userdata)
{
	_cleanup_fclose_ FILE *file = NULL;
	_cleanup_close_ int fd = -1;

	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	file = fdopen(fd, "w");
	if (!file)
		return -errno;
	(void)TAKE_FD(fd);
	write(file, userdata);
	errno = 0;
	if (fflush(file) != 0 || ferror(file))
		return errno != 0 ? -errno : -EIO;
	return 0;
}

int state_file_write(const char *path, void (*write)(FILE *file, const void *userdata),
		     const void *userdata)
{
	_cleanup_free_ char *temporary = NULL;
	int r;

	if (asprintf(&temporary, "%s.new", path) < 0) {
		temporary = NULL; /* asprintf() leaves it undefined */
		return -ENOMEM;
	}
	r = write_new(temporary, write, userdata);
	if (r >= 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}
