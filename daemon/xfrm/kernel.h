/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's only way to the kernel's XFRM state, as a struct of functions with two
 * implementations: netlink (netlink.c) and the deterministic fake of the tests, which can
 * fail any step. The boundary lies at the level of netlink messages, so that what the tests
 * exercise is the very bytes a kernel would see.
 *
 * Messages carry keys: every buffer here lies in the secret arena.
 */
#pragma once

#include "base/secret.h"
#include "sa.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define KERNEL_BATCH_MESSAGES 8
/* An SA with the largest replay bitmap and security context stays below 8 KiB. */
#define KERNEL_BATCH_SIZE (32u * 1024u)
#define KERNEL_TEXT_SIZE 128

/* The kernel's answer to one request. */
struct kernel_answer {
	int error;                   /* 0 or a negative errno; -ETIMEDOUT: none came */
	char text[KERNEL_TEXT_SIZE]; /* extended acknowledgement (the driver's words), "" without */
};

/* Requests that go to the kernel in one buffer. XFRM processes them back to back under
 * xfrm_cfg_mutex, atomically against every other writer, and does not stop at an error
 * (xfrm_netlink_rcv(), netlink_rcv_skb()). */
struct kernel_batch {
	struct secret_arena *arena;
	uint8_t *buffer;
	size_t used;
	unsigned n;
	bool overflow; /* something did not fit: kernel_transact() refuses */
	size_t last;   /* offset of the last message, to which attributes are added */
	struct kernel_answer answers[KERNEL_BATCH_MESSAGES];
};

int kernel_batch_init(struct kernel_batch *batch, struct secret_arena *arena);
void kernel_batch_clear(struct kernel_batch *batch); /* empties it and wipes what it held */
void kernel_batch_release(struct kernel_batch *batch);

/* Starts a message: `fixed` is its fixed header (struct xfrm_usersa_info, ...). NLM_F_REQUEST and
 * NLM_F_ACK are added to `flags`. */
void kernel_batch_add(struct kernel_batch *batch, uint16_t type, uint16_t flags, const void *fixed,
		      size_t size);
void kernel_batch_attribute(struct kernel_batch *batch, uint16_t type, const void *data,
			    size_t size);

/* A message that is not an acknowledgement: a reply, a part of a dump, or a notification.
 * `own` says that a notification was caused by a request of ours. Valid during the call only. A
 * negative return stops a dump, and is returned. */
typedef int (*kernel_handler)(const struct nlmsghdr *message, bool own, void *userdata);

struct kernel;

struct kernel_ops {
	/* Sends the batch, hands every reply and every notification that it caused to `handler`
	 * (which may be NULL), fills batch->answers. Returns 0 when every request was answered,
	 * whatever the answers; a negative errno when sending or receiving failed, in which case
	 * what the kernel did is unknown for each answer that is -ETIMEDOUT. */
	int (*transact)(struct kernel *kernel, struct kernel_batch *batch, kernel_handler handler,
			void *userdata);
	/* All SAs (type XFRM_MSG_GETSA) or all policies (XFRM_MSG_GETPOLICY). New ones that arrive
	 * during the dump may be missed (xfrm_dump_sa() walks a list to whose head they are
	 * added). */
	int (*dump)(struct kernel *kernel, uint16_t type, kernel_handler handler, void *userdata);
	/* Returns when each packet that is looking up its outbound SA has finished looking: those
	 * that begin later see every SA that was inserted before this call. Packets look without a
	 * lock (xfrm_state_find(), RCU). Takes some ten milliseconds. */
	void (*wait_for_lookups)(struct kernel *kernel);
	/* Events of the groups SA, EXPIRE, POLICY and MIGRATE. Returns 1 when there may be more,
	 * -ENOBUFS when the kernel had to drop some. */
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

static inline void kernel_wait_for_lookups(struct kernel *kernel)
{
	kernel->ops->wait_for_lookups(kernel);
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

/* Never joins ACQUIRE (a listener makes the kernel create larval SAs: km_is_alive()) nor AEVENTS
 * (a listener makes every SA send an event each second packet: xfrm_replay_notify()). */
int kernel_netlink_new(struct secret_arena *arena, struct kernel **ret_kernel);

/* Copies the SA's header out of a message, wherever its type puts it: NEWSA, UPDSA, DELSA and
 * EXPIRE. A copy, since netlink aligns to 4 bytes and the structure wants 8. False when the message
 * has none or is too short. */
struct xfrm_usersa_info;
bool kernel_message_sa(const struct nlmsghdr *message, struct xfrm_usersa_info *ret_info);
