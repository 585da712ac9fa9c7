// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket is made with another name, gets its group and mode, and is renamed after it listens.
 * So a client never finds a socket with wrong permissions or one that does not listen, and the
 * socket of a killed daemon is replaced without a gap. A socket on which a process listens, and a
 * file that is not a socket, are not replaced.
 */
#include "control/socket.h"
#include "control/control.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#define SOCKET_MODE 0660

static void free_names(char **names)
{
	for (char **name = names; *name; name++)
		free(*name);
	free(names);
}
DEFINE_CLEANUP(char **, free_names);

/* -ENOENT: none was passed. */
static int find_passed(void)
{
	_cleanup_(free_namesp) char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names);
	int r;

	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		int fd = SD_LISTEN_FDS_START + i;

		if (strcmp(names[i], CONTROL_FD_NAME) != 0)
			continue;
		r = sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0);
		if (r < 0)
			return r;
		if (r == 0)
			return -ENOTSOCK;
		r = fcntl(fd, F_GETFL);
		if (r < 0 || fcntl(fd, F_SETFL, r | O_NONBLOCK) < 0)
			return -errno;
		return fd;
	}
	return -ENOENT;
}

static int set_address(struct sockaddr_un *address, const char *path)
{
	size_t size = strlen(path) + 1;

	if (size > sizeof(address->sun_path))
		return -ENAMETOOLONG;
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	memcpy(address->sun_path, path, size);
	return 0;
}

/* Returns 0 if there is nothing, or a socket on which no process listens. Else see
 * control_new(). */
static int check_replaceable(const struct sockaddr_un *address)
{
	_cleanup_close_ int fd = -1;
	struct stat status;

	if (lstat(address->sun_path, &status) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
	    (errno == ECONNREFUSED || errno == ENOENT))
		return 0;
	return -EADDRINUSE;
}

/* A daemon that is not root can set only groups of which it is a member, and as its service it may
 * not call lchown(): there the group is right from the beginning. Without the group fewer users
 * can read, so this is not an error. */
static int set_group(const char *path)
{
	const struct group *group = getgrnam(CONTROL_GROUP);

	if (group && lchown(path, (uid_t)-1, group->gr_gid) < 0 && errno != EPERM &&
	    errno != ENOSYS)
		return -errno;
	return 0;
}

static int listen_at(const char *path, struct control_socket *ret_socket)
{
	_cleanup_close_ int fd = -1;
	struct sockaddr_un address;
	struct stat status;
	int r;

	r = set_address(&address, path);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* bind() makes the file with the mode of the descriptor. So nobody else can connect until
	 * its group is set, and the umask of the process need not change. */
	if (fchmod(fd, 0600) < 0)
		return -errno;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	r = set_group(path);
	if (r >= 0 &&
	    (chmod(path, SOCKET_MODE) < 0 || listen(fd, SOMAXCONN) < 0 || lstat(path, &status) < 0))
		r = -errno;
	if (r < 0) {
		(void)unlink(path);
		return r;
	}
	*ret_socket = (struct control_socket){
		.fd = TAKE_FD(fd),
		.device = status.st_dev,
		.inode = status.st_ino,
	};
	return 0;
}

static int open_path(const char *path, struct control_socket *ret_socket)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_free_ char *temporary = NULL;
	struct sockaddr_un address;
	int r;

	if (!copy || asprintf(&temporary, "%s.%d", path, (int)getpid()) < 0) {
		temporary = NULL; /* asprintf() leaves it undefined */
		return -ENOMEM;
	}
	r = set_address(&address, path);
	if (r >= 0)
		r = check_replaceable(&address);
	if (r >= 0)
		r = listen_at(temporary, ret_socket);
	if (r < 0)
		return r;
	if (rename(temporary, path) < 0) {
		r = -errno;
		(void)unlink(temporary);
		(void)close(TAKE_FD(ret_socket->fd));
		return r;
	}
	ret_socket->path = TAKE_PTR(copy);
	return 0;
}

int control_socket_open(const char *path, struct control_socket *ret_socket)
{
	struct control_socket made;
	int r = find_passed();

	if (r >= 0) {
		*ret_socket = (struct control_socket){.fd = r};
		return 0;
	}
	if (r != -ENOENT)
		return r;
	r = open_path(path, &made);
	if (r < 0)
		return r;
	*ret_socket = made;
	return 0;
}

void control_socket_close(struct control_socket *control_socket)
{
	struct stat status;

	if (control_socket->path && lstat(control_socket->path, &status) == 0 &&
	    status.st_dev == control_socket->device && status.st_ino == control_socket->inode)
		(void)unlink(control_socket->path);
	free(control_socket->path);
	closep(&control_socket->fd);
	*control_socket = (struct control_socket){.fd = -1};
}
