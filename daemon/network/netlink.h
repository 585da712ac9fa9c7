/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small helpers around libnl sockets, for the NIC watch and the route lookups.
 *
 * Sockets are non-blocking. libnl builds the messages and owns the sockets. Datagrams are not
 * received with nl_recv(), which does not distinguish lost messages (ENOBUFS) from a lack of
 * memory.
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

/* The negative errno for a (negative) error of libnl. */
int netlink_errno(int libnl_error);

/* Opens a connected non-blocking socket with NETLINK_EXT_ACK; the caller frees it.
 * `receive_buffer`: bytes; more than net.core.rmem_max only with CAP_NET_ADMIN. */
int netlink_open(int protocol, int receive_buffer, struct nl_sock **ret_socket);

/* `reply`: the message answers the current request. Otherwise it is a notification, or the late
 * answer to a request that timed out. A negative return value ends the exchange, and is
 * returned. */
typedef int (*netlink_handler)(const struct nlmsghdr *message, bool reply, void *userdata);

/*
 * Passes waiting messages to `handler`, with `reply` false. Returns after at most some
 * milliseconds, so that a burst of messages does not block the event loop. Returns 0 when no
 * message is waiting, 1 when there are more, -ENOBUFS when messages were lost, or the error of the
 * handler or of the socket.
 */
int netlink_dispatch(struct nl_sock *socket, netlink_handler handler, void *userdata);

/*
 * Sends a request and waits for its answer: one message, or a complete dump. Other messages that
 * arrive meanwhile are passed to `handler` too, in the order of arrival. Returns 0, the kernel's
 * error, -ETIMEDOUT, -EINTR when the dump was inconsistent and should be repeated, or -ENOBUFS when
 * messages were lost.
 */
int netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
		    netlink_handler handler, void *userdata);

/* Sends without waiting. */
int netlink_send(struct nl_sock *socket, struct nl_msg *message);

/* Discards the waiting messages, and the record that some were lost. Messages that arrive meanwhile
 * may stay. */
void netlink_drain(struct nl_sock *socket);

/* Adds a socket, or a timer that is off at first, to the event loop. The caller unrefs the
 * source. When a handler fails, the loop ends. */
int netlink_add_socket(sd_event *event, struct nl_sock *socket, int64_t priority, const char *name,
		       sd_event_io_handler_t handler, void *userdata, sd_event_source **ret_source);
int netlink_add_timer(sd_event *event, const char *name, sd_event_time_handler_t handler,
		      void *userdata, sd_event_source **ret_source);
