/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only interface to the kernel's XFRM state, as a struct of functions with two implementations:
 * netlink (netlink.c), and the deterministic fake of the tests, which can fail any step. The
 * functions take netlink messages, so the tests exercise the same bytes that a kernel receives.
 *
 * Messages contain keys, so every buffer here is in the secret arena.
 */
#pragma once

#include "base/secret.h"
#include "sa.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_BATCH_MESSAGES 8
/* Bytes. An SA with the largest replay bitmap and security context has less than 8 KiB. */
#define KERNEL_BATCH_SIZE (32u * 1024u)
#define KERNEL_TEXT_SIZE 128

/* The kernel's answer to one request. */
struct kernel_answer {
	int error;                   /* 0 or a negative errno; -ETIMEDOUT: no answer */
	char text[KERNEL_TEXT_SIZE]; /* extended acknowledgement (a driver's message); "": none */
};

/* Requests that are sent to the kernel in one buffer. XFRM processes them together under
 * xfrm_cfg_mutex, atomically for every other writer, and does not stop at an error
 * (xfrm_netlink_rcv(), netlink_rcv_skb()). */
struct kernel_batch {
	struct secret_arena *arena;
	uint8_t *buffer;
	size_t used;
	unsigned n;
	bool overflow; /* something did not fit: kernel_transact() returns -EMSGSIZE */
	size_t last;   /* offset of the last message, to which attributes are added */
	struct kernel_answer answers[KERNEL_BATCH_MESSAGES];
};

int kernel_batch_init(struct kernel_batch *batch, struct secret_arena *arena);
void kernel_batch_clear(struct kernel_batch *batch); /* wipes and empties it */
void kernel_batch_release(struct kernel_batch *batch);

/* Adds a message: `fixed` is its fixed header (struct xfrm_usersa_info, ...) of `size` bytes.
 * NLM_F_REQUEST and NLM_F_ACK are added to `flags`. kernel_batch_attribute() adds an attribute to
 * the last message. Both set `overflow` if there is no room. */
void kernel_batch_add(struct kernel_batch *batch, uint16_t type, uint16_t flags, const void *fixed,
		      size_t size);
void kernel_batch_attribute(struct kernel_batch *batch, uint16_t type, const void *data,
			    size_t size);

/* Called for each message that is not an acknowledgement: a reply, a part of a dump, or a
 * notification. `own`: a request of this daemon caused the notification. The message is valid only
 * during the call. A negative return value stops a dump, and is returned. */
typedef int (*kernel_handler)(const struct nlmsghdr *message, bool own, void *userdata);

struct kernel;

struct kernel_ops {
	/* Sends the batch, passes every reply and every notification that it caused to `handler`
	 * (which may be NULL), and fills batch->answers. Returns 0 when every request was answered,
	 * also if answers are errors. Returns a negative errno when sending or receiving failed:
	 * for each answer that is -ETIMEDOUT it is then unknown what the kernel did. */
	int (*transact)(struct kernel *kernel, struct kernel_batch *batch, kernel_handler handler,
			void *userdata);
	/* Passes all SAs (type XFRM_MSG_GETSA) or all policies (XFRM_MSG_GETPOLICY) to `handler`.
	 * The dump may not show those that are added during it: xfrm_dump_sa() walks a list, and
	 * they are added at its head. */
	int (*dump)(struct kernel *kernel, uint16_t type, kernel_handler handler, void *userdata);
	/* The same for all SAs, in parts. dump_begin() begins, and ends a dump that is in progress.
	 * dump_read() passes the next part to `handler`. It returns 1 when there is more, 0 when
	 * the dump is complete, or a negative errno, which ends the dump. The kernel prepares a
	 * part when the one before is read (netlink_recvmsg(), netlink_dump()). So a part that is
	 * read after a pause shows the SAs as they were before the pause. */
	int (*dump_begin)(struct kernel *kernel);
	int (*dump_read)(struct kernel *kernel, kernel_handler handler, void *userdata);
	/* Waits until every lookup of an outbound SA that is in progress has finished. Later
	 * lookups find every SA that was inserted before this call. Lookups for packets take no
	 * lock (xfrm_state_find(), RCU). Takes some ten milliseconds. */
	void (*wait_for_lookups)(struct kernel *kernel);
	/* Begins the same wait and returns. When it is over, wait_fd() is readable until the next
	 * is_waiting(), which returns false. A new wait replaces one that is not over. */
	void (*begin_wait)(struct kernel *kernel);
	bool (*is_waiting)(struct kernel *kernel);
	int (*wait_fd)(struct kernel *kernel);
	/* Passes waiting events of the groups SA, EXPIRE, POLICY and MIGRATE to `handler`. Returns
	 * 1 when there may be more, 0 when there are none, -ENOBUFS when the kernel dropped
	 * some. */
	int (*receive_events)(struct kernel *kernel, kernel_handler handler, void *userdata);
	int (*event_fd)(struct kernel *kernel);
	struct kernel *(*free)(struct kernel *kernel);
};

struct kernel {
	const struct kernel_ops *ops;
};

static inline int kernel_transact(struct kernel *kernel, struct kernel_batch *batch,
				  kernel_handler handler, void *userdata)
{
	return kernel->ops->transact(kernel, batch, handler, userdata);
}

static inline int kernel_dump(struct kernel *kernel, uint16_t type, kernel_handler handler,
			      void *userdata)
{
	return kernel->ops->dump(kernel, type, handler, userdata);
}

static inline int kernel_dump_begin(struct kernel *kernel)
{
	return kernel->ops->dump_begin(kernel);
}

static inline int kernel_dump_read(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	return kernel->ops->dump_read(kernel, handler, userdata);
}

static inline void kernel_wait_for_lookups(struct kernel *kernel)
{
	kernel->ops->wait_for_lookups(kernel);
}

static inline void kernel_begin_wait(struct kernel *kernel)
{
	kernel->ops->begin_wait(kernel);
}

static inline bool kernel_is_waiting(struct kernel *kernel)
{
	return kernel->ops->is_waiting(kernel);
}

static inline int kernel_wait_fd(struct kernel *kernel)
{
	return kernel->ops->wait_fd(kernel);
}

static inline int kernel_receive_events(struct kernel *kernel, kernel_handler handler,
					void *userdata)
{
	return kernel->ops->receive_events(kernel, handler, userdata);
}

static inline int kernel_event_fd(struct kernel *kernel)
{
	return kernel->ops->event_fd(kernel);
}

static inline struct kernel *kernel_free(struct kernel *kernel)
{
	return kernel ? kernel->ops->free(kernel) : NULL;
}
DEFINE_CLEANUP(struct kernel *, kernel_free);

/* Opens the netlink sockets; the arena is not owned. Never joins the group ACQUIRE: with a listener
 * the kernel creates larval SAs (km_is_alive()). Never joins the group AEVENTS: with a listener
 * every SA sends an event for each second packet (xfrm_replay_notify()). */
int kernel_netlink_new(struct secret_arena *arena, struct kernel **ret_kernel);

/* Copies the SA's header from a message of the type NEWSA, UPDSA, DELSA or EXPIRE, which have it in
 * different places. It is copied, since netlink aligns to 4 bytes and the structure needs 8. False
 * when the message has no SA or is too short. */
struct xfrm_usersa_info;
bool kernel_message_sa(const struct nlmsghdr *message, struct xfrm_usersa_info *ret_info);
