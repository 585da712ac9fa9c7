// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

/* Bytes. One part of a dump has at most 32 KiB (netlink_dump(), net/netlink). A single message
 * about a link, an address or a route is far smaller. */
#define DATAGRAM_MAX (32u * 1024u)
/* More messages than a receive buffer holds. */
#define DRAINED_MAX 16384u
/* Limits the time outside the event loop during a burst of messages. */
#define TURN_USEC 5000
/* The default of sd-event, 250 ms, is longer than the times of these timers. */
#define TIMER_ACCURACY_USEC 10000

int netlink_errno(int libnl_error)
{
	switch (-libnl_error) {
	case NLE_SUCCESS:
		return 0;
	case NLE_INTR:
		return -EINTR;
	case NLE_AGAIN:
		return -EAGAIN;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_INVAL:
		return -EINVAL;
	case NLE_RANGE:
	case NLE_MSGSIZE:
		return -EMSGSIZE;
	case NLE_OPNOTSUPP:
		return -EOPNOTSUPP;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case NLE_OBJ_NOTFOUND:
		return -ENOENT;
	case NLE_PERM:
		return -EPERM;
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_BUSY:
		return -EBUSY;
	case NLE_PROTO_MISMATCH:
		return -EPROTONOSUPPORT;
	default:
		return -EIO;
	}
}

int netlink_open(int protocol, int receive_buffer, struct nl_sock **ret_socket)
{
	_cleanup_(nl_socket_freep) struct nl_sock *sock = NULL;
	int fd, on = 1, r;

	sock = nl_socket_alloc();
	if (!sock)
		return -ENOMEM;

	r = nl_connect(sock, protocol);
	if (r < 0)
		return netlink_errno(r);

	fd = nl_socket_get_fd(sock);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) <
		    0 &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer)) < 0)
		return -errno;
	/* Not an error: without extended acknowledgements only the errno is known. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on));

	r = nl_socket_set_nonblocking(sock);
	if (r < 0)
		return netlink_errno(r);

	*ret_socket = TAKE_PTR(sock);
	return 0;
}

/* Returns the size of one datagram from the kernel, or a negative errno. */
static ssize_t receive(struct nl_sock *sock, void *buffer, size_t size)
{
	for (;;) {
		struct sockaddr_nl from = {};
		struct iovec iov = {.iov_base = buffer, .iov_len = size};
		struct msghdr header = {
			.msg_name = &from,
			.msg_namelen = sizeof(from),
			.msg_iov = &iov,
			.msg_iovlen = 1,
		};
		ssize_t n = recvmsg(nl_socket_get_fd(sock), &header, MSG_DONTWAIT);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		/* Ignores messages from other processes, which may send to this port. */
		if (from.nl_pid != 0)
			continue;
		if (header.msg_flags & MSG_TRUNC)
			return -ENOBUFS;
		return n;
	}
}

/* The current request, whose answer is awaited. */
struct exchange {
	uint32_t port;
	uint32_t sequence;
	bool done;
	bool interrupted;
};

/* Returns whether the message answers the request. */
static bool exchange_matches(const struct exchange *exchange, const struct nlmsghdr *message)
{
	/* A notification has the port and sequence of the request that caused it, so both must
	 * match. */
	return exchange && message->nlmsg_pid == exchange->port &&
	       message->nlmsg_seq == exchange->sequence;
}

/* Handles NLMSG_ERROR and NLMSG_DONE of the exchange. Returns 1 if it was one of them. */
static int exchange_end(struct exchange *exchange, const struct nlmsghdr *message)
{
	int error = 0;

	switch (message->nlmsg_type) {
	case NLMSG_ERROR:
		if (nlmsg_datalen(message) < (int)sizeof(struct nlmsgerr))
			return -EBADMSG;
		error = ((const struct nlmsgerr *)nlmsg_data(message))->error;
		break;
	case NLMSG_DONE:
		/* A dump that failed after some parts has its errno here. */
		if (nlmsg_datalen(message) >= (int)sizeof(int))
			memcpy(&error, nlmsg_data(message), sizeof(error));
		break;
	default:
		return 0;
	}

	exchange->done = true;
	return error < 0 ? error : 1;
}

/* `exchange` is NULL while no request is under way. */
static int dispatch(struct nl_sock *sock, struct exchange *exchange, netlink_handler handler,
		    void *userdata)
{
	/* 32 KiB of stack, while one datagram is handled, avoid an allocation that could fail. */
	_Alignas(NLMSG_ALIGNTO) uint8_t buffer[DATAGRAM_MAX];
	const struct nlmsghdr *message = (const struct nlmsghdr *)buffer;
	ssize_t n;
	int left, r;

	n = receive(sock, buffer, sizeof(buffer));
	if (n < 0)
		return n == -EAGAIN ? 0 : (int)n;

	for (left = (int)n; nlmsg_ok(message, left);
	     message = nlmsg_next((struct nlmsghdr *)message, &left)) {
		bool reply = exchange_matches(exchange, message);

		if (reply) {
			r = exchange_end(exchange, message);
			if (r < 0)
				return r;
			if (r > 0)
				continue;
			if (message->nlmsg_flags & NLM_F_DUMP_INTR)
				exchange->interrupted = true;
			if (!(message->nlmsg_flags & NLM_F_MULTI))
				exchange->done = true;
		} else if (message->nlmsg_type < NLMSG_MIN_TYPE) {
			continue;
		}

		r = handler(message, reply, userdata);
		if (r < 0)
			return r;
	}

	return 1;
}

static uint64_t now_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Waits until the socket has something to read. */
static int wait_readable(struct nl_sock *sock, uint64_t deadline)
{
	struct pollfd fd = {.fd = nl_socket_get_fd(sock), .events = POLLIN};

	for (;;) {
		uint64_t now = now_usec();
		int r;

		if (now >= deadline)
			return -ETIMEDOUT;
		r = poll(&fd, 1, (int)((deadline - now + 999) / 1000));
		if (r > 0)
			return 0;
		if (r < 0 && errno != EINTR)
			return -errno;
	}
}

int netlink_send(struct nl_sock *sock, struct nl_msg *message)
{
	int r = nl_send_auto(sock, message);

	return r < 0 ? netlink_errno(r) : 0;
}

int netlink_request(struct nl_sock *sock, struct nl_msg *message, uint64_t timeout_usec,
		    netlink_handler handler, void *userdata)
{
	struct exchange exchange = {};
	uint64_t deadline = now_usec() + timeout_usec;
	bool lost = false;
	int r;

	r = netlink_send(sock, message);
	if (r < 0)
		return r;

	exchange.port = nl_socket_get_local_port(sock);
	exchange.sequence = nlmsg_hdr(message)->nlmsg_seq;
	while (!exchange.done) {
		r = dispatch(sock, &exchange, handler, userdata);
		if (r == 0)
			r = wait_readable(sock, deadline);
		/* Notifications may be lost. Parts of a dump are not, since netlink_dump() waits
		 * for room. So the dump is read completely; otherwise the next one would fail with
		 * EBUSY. */
		if (r == -ENOBUFS)
			lost = true;
		else if (r < 0)
			return r;
	}

	if (lost)
		return -ENOBUFS;
	return exchange.interrupted ? -EINTR : 0;
}

int netlink_dispatch(struct nl_sock *sock, netlink_handler handler, void *userdata)
{
	uint64_t end = now_usec() + TURN_USEC;
	int r;

	do
		r = dispatch(sock, NULL, handler, userdata);
	while (r > 0 && now_usec() < end);
	return r;
}

void netlink_drain(struct nl_sock *sock)
{
	for (unsigned i = 0; i < DRAINED_MAX; i++) {
		uint8_t byte;

		if (recv(nl_socket_get_fd(sock), &byte, sizeof(byte), MSG_DONTWAIT | MSG_TRUNC) <
			    0 &&
		    errno != ENOBUFS && errno != EINTR)
			return;
	}
}

/* A handler fails only if the event loop does. sd-event would then remove its source and go on, so
 * that the daemon would no longer see the network. Instead the loop ends, and the service manager
 * starts the daemon again. */
static int set_up_source(sd_event_source *source, const char *name)
{
	int r = sd_event_source_set_exit_on_failure(source, true);

	return r < 0 ? r : sd_event_source_set_description(source, name);
}

int netlink_add_socket(sd_event *event, struct nl_sock *sock, int64_t priority, const char *name,
		       sd_event_io_handler_t handler, void *userdata, sd_event_source **ret_source)
{
	int r;

	r = sd_event_add_io(event, ret_source, nl_socket_get_fd(sock), EPOLLIN, handler, userdata);
	if (r < 0)
		return r;
	r = sd_event_source_set_priority(*ret_source, priority);
	if (r < 0)
		return r;
	return set_up_source(*ret_source, name);
}

int netlink_add_timer(sd_event *event, const char *name, sd_event_time_handler_t handler,
		      void *userdata, sd_event_source **ret_source)
{
	int r;

	r = sd_event_add_time_relative(event, ret_source, CLOCK_MONOTONIC, 0, TIMER_ACCURACY_USEC,
				       handler, userdata);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
	if (r < 0)
		return r;
	return set_up_source(*ret_source, name);
}
