/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/files.h"

#include "config.h"
#include "config/yaml.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define MAIN_FILE "espoffloadd.conf"
#define DROP_INS MAIN_FILE ".d"
#define SUFFIX ".conf"

/* A file in one of them hides the files of the same name in those behind it. */
static const char *const directories[] = {"/etc", "/run", "/usr/lib"};

void config_files_done(struct config_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		free(files->paths[i]);
	free(files->failed);
}

static const char *name_of(const char *path)
{
	return strrchr(path, '/') + 1;
}

/* Takes the path. */
static int fail(struct config_files *files, char *path, int error)
{
	free(files->failed);
	files->failed = path;
	return error;
}

/* Inserts the path by its name, except if there is one of that name. Takes the path. */
static int insert(struct config_files *files, char *path)
{
	size_t i = 0;

	while (i < files->n && strcmp(name_of(files->paths[i]), name_of(path)) < 0)
		i++;
	if (i < files->n && strcmp(name_of(files->paths[i]), name_of(path)) == 0) {
		free(path);
		return 0;
	}
	if (files->n == CONFIG_FILES_MAX - 1) /* one is the main file */
		return fail(files, path, -E2BIG);
	memmove(&files->paths[i + 1], &files->paths[i], (files->n - i) * sizeof(files->paths[0]));
	files->paths[i] = path;
	files->n++;
	return 0;
}

static bool is_drop_in(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > strlen(SUFFIX) &&
	       strcmp(name + length - strlen(SUFFIX), SUFFIX) == 0;
}

static int read_directory(struct config_files *files, DIR *directory, const char *path)
{
	const struct dirent *entry;

	while ((errno = 0, entry = readdir(directory))) {
		char *file;
		int r;

		if (!is_drop_in(entry->d_name))
			continue;
		if (asprintf(&file, "%s/%s", path, entry->d_name) < 0)
			return -ENOMEM;
		r = insert(files, file);
		if (r < 0)
			return r;
	}
	return -errno;
}

static int find_drop_ins(struct config_files *files, const char *root)
{
	for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
		_cleanup_free_ char *path = NULL;
		DIR *directory;
		int r;

		if (asprintf(&path, "%s%s/" DROP_INS, root, directories[i]) < 0)
			return -ENOMEM;
		directory = opendir(path);
		if (!directory && errno == ENOENT)
			continue;
		if (!directory)
			return fail(files, TAKE_PTR(path), -errno);
		r = read_directory(files, directory, path);
		(void)closedir(directory);
		if (r < 0)
			return files->failed ? r : fail(files, TAKE_PTR(path), r);
	}
	return 0;
}

/* The first of the main files. *ret_path NULL: none. */
static int find_main(struct config_files *files, const char *root, char **ret_path)
{
	*ret_path = NULL;
	for (size_t i = 0; i < ELEMENTSOF(directories); i++) {
		struct stat status;
		char *path;

		if (asprintf(&path, "%s%s/" MAIN_FILE, root, directories[i]) < 0)
			return -ENOMEM;
		/* A link to nothing is not the same as no file. */
		if (lstat(path, &status) == 0) {
			*ret_path = path;
			return 0;
		}
		if (errno != ENOENT)
			return fail(files, path, -errno);
		free(path);
	}
	return 0;
}

/* An empty file or a link to /dev/null only hides others. */
static bool is_mask(const char *path)
{
	struct stat status;

	if (stat(path, &status) < 0)
		return false;
	return (S_ISREG(status.st_mode) && status.st_size == 0) ||
	       (S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3));
}

static void remove_masks(struct config_files *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		if (is_mask(files->paths[i]))
			free(files->paths[i]);
		else
			files->paths[n++] = files->paths[i];
	}
	files->n = n;
}

int config_files_find(const char *root, struct config_files *ret_files)
{
	struct config_files *files = ret_files;
	char *path;
	int r;

	*files = (struct config_files){};
	if ((r = find_drop_ins(files, root)) < 0 || (r = find_main(files, root, &path)) < 0)
		return r;
	if (!path && files->n == 0)
		return -ENOENT;
	if (path) {
		memmove(&files->paths[1], &files->paths[0], files->n * sizeof(files->paths[0]));
		files->paths[0] = path;
		files->n++;
	}
	remove_masks(files);
	return 0;
}

int config_file_read(const char *path, char **ret_text, size_t *ret_size)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	size_t size = 0;

	/* Non-blocking: a FIFO instead of the file must not block the daemon. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	text = malloc(CONFIG_SIZE_MAX + 1);
	if (!text)
		return -ENOMEM;
	while (size <= CONFIG_SIZE_MAX) {
		ssize_t n = read(fd, text + size, CONFIG_SIZE_MAX + 1 - size);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		if (n > 0)
			size += (size_t)n;
	}
	*ret_text = TAKE_PTR(text);
	*ret_size = size;
	return 0;
}
