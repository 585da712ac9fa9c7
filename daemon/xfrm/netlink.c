// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * NETLINK_XFRM with three sockets: one for requests, one for events, and one for a dump that is
 * read in parts while requests are made. The events socket may overrun, and reports that (ENOBUFS).
 * The requests socket must not lose messages. It joins the group SA
 * only during a batch with a DELSA: the kernel then sends the DELSA notification before the
 * acknowledgement on the same socket (xfrm_del_sa(), km_state_notify()).
 *
 * Messages are received directly into the secret arena, not by nl_recv(), which would leave keys in
 * the heap.
 */
#include "xfrm/kernel.h"
#include "xfrm/lookups.h"

#include <errno.h>
#include <linux/xfrm.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bytes; more than one datagram of a dump has (netlink_dump(): at most 32 KiB). */
#define RECEIVE_SIZE (60u * 1024u)
/* 4 MiB hold some 5,000 event messages of 750 bytes. A larger burst causes a resync. */
#define EVENTS_RECEIVE_BUFFER (4 * 1024 * 1024)
#define REQUESTS_RECEIVE_BUFFER (2 * 1024 * 1024)
/* The kernel prepares one part of a dump at a time. */
#define DUMPS_RECEIVE_BUFFER (256 * 1024)
/* The kernel answers within send(). Waiting means that something is wrong. */
#define ANSWER_TIMEOUT_MS 5000
/* Limits the time outside the event loop during a burst of events. */
#define EVENTS_AT_ONCE 256

struct netlink_kernel {
	struct kernel kernel;
	struct secret_arena *arena;
	struct nl_sock *requests;
	struct nl_sock *events;
	struct nl_sock *dumps; /* NULL: not open */
	bool dumping;          /* a dump is in progress on it */
	uint8_t *receive_buffer;
	uint32_t sequence;      /* of the last request */
	uint32_t dump_sequence; /* of the request of the dump in progress */
	struct lookups lookups;
};

static struct netlink_kernel *netlink_kernel(struct kernel *kernel)
{
	return (struct netlink_kernel *)kernel;
}

/* Returns 1 when something is waiting to be received, 0 after the timeout, or a negative errno. */
static int wait_for_message(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int r;

	do
		r = poll(&poll_fd, 1, timeout_ms);
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r;
}

/* Receives one datagram into the buffer. Returns its size, 0 when none is waiting. */
static ssize_t receive(struct netlink_kernel *k, struct nl_sock *socket, int timeout_ms)
{
	int fd = nl_socket_get_fd(socket);
	struct sockaddr_nl from = {};
	struct iovec iov = {.iov_base = k->receive_buffer, .iov_len = RECEIVE_SIZE};
	struct msghdr header = {
		.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t n;

	for (;;) {
		n = recvmsg(fd, &header, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		/* Mostly something is waiting, so poll() is not called first. */
		if (n < 0 && errno == EAGAIN && timeout_ms != 0) {
			int r = wait_for_message(fd, timeout_ms);

			if (r <= 0)
				return r;
			continue;
		}
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		if (header.msg_flags & MSG_TRUNC)
			return -EMSGSIZE;
		if (from.nl_pid == 0) /* ignore messages of other processes */
			return n;
	}
}

static void wipe(struct netlink_kernel *k, ssize_t n)
{
	if (n > 0)
		explicit_bzero(k->receive_buffer, (size_t)n);
}

/* Whether the message answers a request from the socket with this port, or a request caused it. */
static bool is_from(uint32_t port, const struct nlmsghdr *message)
{
	return message->nlmsg_pid != 0 && message->nlmsg_pid == port;
}

static void read_extended_ack(const struct nlmsghdr *message, char text[KERNEL_TEXT_SIZE])
{
	const struct nlmsgerr *error = NLMSG_DATA(message);
	size_t offset = sizeof(*error);
	struct nlattr *attribute;

	text[0] = '\0';
	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED) && error->error != 0)
		offset += NLMSG_ALIGN(error->msg.nlmsg_len) - sizeof(error->msg);
	attribute = nlmsg_find_attr((struct nlmsghdr *)message, (int)offset, NLMSGERR_ATTR_MSG);
	if (attribute)
		nla_strlcpy(text, attribute, KERNEL_TEXT_SIZE);
}

struct transaction {
	struct nl_sock *socket;
	uint32_t first;
	unsigned n;
	unsigned answered;
	struct kernel_batch *batch; /* NULL for a dump */
	bool dump_done;
	int dump_error;
	kernel_handler handler;
	void *userdata;
};

static void handle_answer(struct transaction *t, const struct nlmsghdr *message)
{
	uint32_t index = message->nlmsg_seq - t->first;
	const struct nlmsgerr *error = NLMSG_DATA(message);

	if (!nlmsg_valid_hdr((struct nlmsghdr *)message, sizeof(*error)))
		return;
	if (!t->batch) {
		if (message->nlmsg_seq == t->first) {
			t->dump_error = error->error;
			t->dump_done = true;
		}
		return;
	}
	if (index >= t->n || t->batch->answers[index].error != -ETIMEDOUT)
		return;
	t->batch->answers[index].error = error->error;
	read_extended_ack(message, t->batch->answers[index].text);
	t->answered++;
}

static int handle_messages(struct netlink_kernel *k, struct transaction *t, ssize_t n)
{
	struct nlmsghdr *message = (struct nlmsghdr *)k->receive_buffer;
	uint32_t port = nl_socket_get_local_port(t->socket);
	ssize_t remaining = n;

	/* These macros take less time than libnl's functions. */
	for (; NLMSG_OK(message, remaining); message = NLMSG_NEXT(message, remaining)) {
		bool own = is_from(port, message);
		int r;

		if (message->nlmsg_type == NLMSG_ERROR) {
			handle_answer(t, message);
			continue;
		}
		if (message->nlmsg_type == NLMSG_DONE) {
			if (!t->batch && message->nlmsg_seq == t->first)
				t->dump_done = true;
			continue;
		}
		/* Notifications caused by other programs are read from the events socket. */
		if (!own || message->nlmsg_seq - t->first >= t->n)
			continue;
		if (!t->handler)
			continue;
		r = t->handler(message, own, t->userdata);
		if (r < 0)
			return r;
	}
	return 0;
}

static int receive_answers(struct netlink_kernel *k, struct transaction *t)
{
	ssize_t n = receive(k, t->socket, ANSWER_TIMEOUT_MS);
	int r;

	if (n < 0)
		return (int)n;
	if (n == 0)
		return -ETIMEDOUT;
	r = handle_messages(k, t, n);
	wipe(k, n);
	return r;
}

static int collect(struct netlink_kernel *k, struct transaction *t)
{
	while (t->batch ? t->answered < t->n : !t->dump_done) {
		int r = receive_answers(k, t);

		if (r < 0)
			return r;
	}
	return t->dump_error;
}

static void drain(struct netlink_kernel *k)
{
	ssize_t n;

	do {
		n = receive(k, k->requests, 0);
		wipe(k, n);
	} while (n > 0 || n == -ENOBUFS);
}

static int send_all(struct nl_sock *socket, const void *buffer, size_t size)
{
	struct sockaddr_nl to = {.nl_family = AF_NETLINK};
	ssize_t n;

	do
		n = sendto(nl_socket_get_fd(socket), buffer, size, 0, (struct sockaddr *)&to,
			   sizeof(to));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

static int netlink_transact(struct kernel *kernel, struct kernel_batch *batch,
			    kernel_handler handler, void *userdata)
{
	struct netlink_kernel *k = netlink_kernel(kernel);
	struct transaction t = {
		.socket = k->requests,
		.first = k->sequence + 1,
		.n = batch->n,
		.batch = batch,
		.handler = handler,
		.userdata = userdata,
	};
	struct nlmsghdr *message = (struct nlmsghdr *)batch->buffer;
	int remaining = (int)batch->used;
	bool wants_notification = false;
	int r;

	if (batch->overflow)
		return -EMSGSIZE;

	for (; nlmsg_ok(message, remaining); message = nlmsg_next(message, &remaining)) {
		message->nlmsg_seq = ++k->sequence;
		message->nlmsg_pid = nl_socket_get_local_port(k->requests);
		if (message->nlmsg_type == XFRM_MSG_DELSA)
			wants_notification = true;
	}
	for (unsigned i = 0; i < batch->n; i++)
		batch->answers[i] = (struct kernel_answer){.error = -ETIMEDOUT};

	if (wants_notification) {
		r = nl_socket_add_membership(k->requests, XFRMNLGRP_SA);
		if (r < 0)
			return -EIO;
	}
	drain(k);
	r = send_all(k->requests, batch->buffer, batch->used);
	if (r >= 0)
		r = collect(k, &t);
	if (wants_notification) {
		(void)nl_socket_drop_membership(k->requests, XFRMNLGRP_SA);
		drain(k);
	}
	return r;
}

static int request_dump(struct netlink_kernel *k, struct nl_sock *socket, uint16_t type)
{
	/* Attributes of a dump request follow the header directly (xfrm_user_rcv_msg()). */
	struct nlmsghdr request = {
		.nlmsg_len = NLMSG_LENGTH(0),
		.nlmsg_type = type,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		.nlmsg_seq = ++k->sequence,
		.nlmsg_pid = nl_socket_get_local_port(socket),
	};

	return send_all(socket, &request, sizeof(request));
}

static int netlink_dump(struct kernel *kernel, uint16_t type, kernel_handler handler,
			void *userdata)
{
	struct netlink_kernel *k = netlink_kernel(kernel);
	struct transaction t = {
		.socket = k->requests,
		.n = 1,
		.handler = handler,
		.userdata = userdata,
	};
	int r;

	drain(k);
	r = request_dump(k, k->requests, type);
	if (r < 0)
		return r;
	t.first = k->sequence;
	r = collect(k, &t);
	if (r < 0)
		drain(k);
	return r;
}

static void netlink_wait_for_lookups(struct kernel *kernel)
{
	(void)kernel;
	lookups_wait();
}

static void netlink_begin_wait(struct kernel *kernel)
{
	lookups_begin(&netlink_kernel(kernel)->lookups);
}

static bool netlink_is_waiting(struct kernel *kernel)
{
	return lookups_are_awaited(&netlink_kernel(kernel)->lookups);
}

static int netlink_wait_fd(struct kernel *kernel)
{
	return netlink_kernel(kernel)->lookups.fd;
}

static int netlink_receive_events(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct netlink_kernel *k = netlink_kernel(kernel);

	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		ssize_t n = receive(k, k->events, 0);
		struct nlmsghdr *message = (struct nlmsghdr *)k->receive_buffer;
		int remaining = (int)n;
		int r = 0;

		if (n <= 0)
			return (int)n;
		for (; r >= 0 && nlmsg_ok(message, remaining);
		     message = nlmsg_next(message, &remaining))
			r = handler(message,
				    is_from(nl_socket_get_local_port(k->requests), message),
				    userdata);
		wipe(k, n);
		if (r < 0)
			return r;
	}
	return 1;
}

static int netlink_event_fd(struct kernel *kernel)
{
	return nl_socket_get_fd(netlink_kernel(kernel)->events);
}

/* A dump can only be ended before its end by closing the socket. */
static void end_dump(struct netlink_kernel *k)
{
	if (k->dumps)
		nl_socket_free(k->dumps);
	k->dumps = NULL;
	k->dumping = false;
}

static struct kernel *netlink_free(struct kernel *kernel)
{
	struct netlink_kernel *k = netlink_kernel(kernel);

	if (k->requests)
		nl_socket_free(k->requests);
	if (k->events)
		nl_socket_free(k->events);
	end_dump(k);
	lookups_release(&k->lookups);
	secret_free(k->arena, k->receive_buffer);
	free(k);
	return NULL;
}

static int open_socket(struct nl_sock **ret_socket, int receive_buffer)
{
	struct nl_sock *socket = nl_socket_alloc();
	int one = 1;
	int fd, r;

	if (!socket)
		return -ENOMEM;
	r = nl_connect(socket, NETLINK_XFRM);
	if (r < 0) {
		nl_socket_free(socket);
		/* libnl maps several errnos to one error. An operator can act on these two. */
		return r == -NLE_PERM ? -EPERM : -EPROTONOSUPPORT;
	}
	*ret_socket = socket;
	fd = nl_socket_get_fd(socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &receive_buffer, sizeof(receive_buffer)) < 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
				 sizeof(receive_buffer));
	/* Ask for the driver's messages, and for acknowledgements without the requests, which
	 * contain keys. */
	if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one)) < 0)
		return -errno;
	return nl_socket_set_nonblocking(socket) < 0 ? -EIO : 0;
}

static int netlink_dump_begin(struct kernel *kernel)
{
	struct netlink_kernel *k = netlink_kernel(kernel);
	int r = 0;

	if (k->dumping)
		end_dump(k);
	if (!k->dumps)
		r = open_socket(&k->dumps, DUMPS_RECEIVE_BUFFER);
	if (r >= 0)
		r = request_dump(k, k->dumps, XFRM_MSG_GETSA);
	if (r < 0)
		end_dump(k);
	k->dumping = r >= 0;
	k->dump_sequence = k->sequence;
	return r;
}

static int netlink_dump_read(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct netlink_kernel *k = netlink_kernel(kernel);
	struct transaction t = {
		.socket = k->dumps,
		.first = k->dump_sequence,
		.n = 1,
		.handler = handler,
		.userdata = userdata,
	};
	int r = k->dumping ? receive_answers(k, &t) : -ESTALE;

	if (r >= 0 && !t.dump_done)
		return 1;
	k->dumping = false;
	if (r < 0)
		end_dump(k);
	return r < 0 ? r : t.dump_error;
}

static const struct kernel_ops netlink_ops = {
	.transact = netlink_transact,
	.dump = netlink_dump,
	.dump_begin = netlink_dump_begin,
	.dump_read = netlink_dump_read,
	.wait_for_lookups = netlink_wait_for_lookups,
	.begin_wait = netlink_begin_wait,
	.is_waiting = netlink_is_waiting,
	.wait_fd = netlink_wait_fd,
	.receive_events = netlink_receive_events,
	.event_fd = netlink_event_fd,
	.free = netlink_free,
};

int kernel_netlink_new(struct secret_arena *arena, struct kernel **ret_kernel)
{
	struct netlink_kernel *k = calloc(1, sizeof(*k));
	_cleanup_(kernel_freep) struct kernel *kernel = NULL;
	int r;

	if (!k)
		return -ENOMEM;
	k->kernel.ops = &netlink_ops;
	k->arena = arena;
	kernel = &k->kernel;

	r = lookups_init(&k->lookups);
	if (r < 0)
		return r;
	k->receive_buffer = secret_alloc(arena, RECEIVE_SIZE);
	if (!k->receive_buffer)
		return -ENOMEM;
	r = open_socket(&k->requests, REQUESTS_RECEIVE_BUFFER);
	if (r < 0)
		return r;
	r = open_socket(&k->events, EVENTS_RECEIVE_BUFFER);
	if (r < 0)
		return r;
	if (nl_socket_add_memberships(k->events, XFRMNLGRP_SA, XFRMNLGRP_EXPIRE, XFRMNLGRP_POLICY,
				      XFRMNLGRP_MIGRATE, 0) < 0)
		return -EPERM;

	*ret_kernel = TAKE_PTR(kernel);
	return 0;
}
