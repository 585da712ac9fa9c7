/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The listening socket: made at a path, or passed by the service manager.
 */
#pragma once

#include <sys/types.h>

struct control_socket {
	int fd;
	char *path; /* owned; NULL: passed by the service manager, so not removed */
	dev_t device;
	ino_t inode;
};

/* Errors as control_new(). */
int control_socket_open(const char *path, struct control_socket *ret_socket);
/* Closes the socket, and removes the path if it still is this socket. */
void control_socket_close(struct control_socket *control_socket);
