/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small helpers around libnl sockets, for the NIC watch and the route lookups.
 *
 * Sockets are non-blocking; libnl builds the messages and owns the sockets, datagrams are received
 * here, since nl_recv() cannot tell a lost message (ENOBUFS) from a lack of memory.
 */
#pragma once

#include "cleanup.h"

#include <netlink/msg.h>
#include <netlink/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

DEFINE_CLEANUP(struct nl_sock *, nl_socket_free);
DEFINE_CLEANUP(struct nl_msg *, nlmsg_free);

/* Negative errno for a (negative) error of libnl. */
int netlink_errno(int libnl_error);

/* A connected non-blocking socket with NETLINK_EXT_ACK. `receive_buffer`: bytes, exceeding
 * net.core.rmem_max if the process may (CAP_NET_ADMIN). */
int netlink_open(int protocol, int receive_buffer, struct nl_sock **ret_socket);

/* `reply`: the message answers the request under way, else it is a notification, or the late
 * answer to a request that timed out. A negative return ends the exchange, and is returned. */
typedef int (*netlink_handler)(const struct nlmsghdr *message, bool reply, void *userdata);

/*
 * Hands the messages that are waiting to `handler`, none of them as a reply. It ends after a few
 * milliseconds, so that the event loop gets its turn during a storm. Returns 0 when nothing is
 * waiting, 1 when there is more, -ENOBUFS when messages were lost, or the handler's or another
 * error.
 */
int netlink_dispatch(struct nl_sock *socket, netlink_handler handler, void *userdata);

/*
 * Sends a request and waits for its answer: one message, or a dump to its end. Whatever else
 * arrives meanwhile is handed to `handler` too, in the order of arrival. Returns 0, the kernel's
 * error, -ETIMEDOUT, -EINTR when the dump was inconsistent and should be repeated, or -ENOBUFS.
 */
int netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
		    netlink_handler handler, void *userdata);

/* Sends without waiting. */
int netlink_send(struct nl_sock *socket, struct nl_msg *message);

/* Throws away what is waiting, unread; lost messages too. What arrives meanwhile may stay. */
void netlink_drain(struct nl_sock *socket);

/* A socket in the event loop, and a timer, which is off at first. */
int netlink_add_socket(sd_event *event, struct nl_sock *socket, int64_t priority, const char *name,
		       sd_event_io_handler_t handler, void *userdata, sd_event_source **ret_source);
int netlink_add_timer(sd_event *event, const char *name, sd_event_time_handler_t handler,
		      void *userdata, sd_event_source **ret_source);
