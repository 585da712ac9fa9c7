/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SA that is in the middle of a move exists only in the daemon: for that moment its image also
 * lies here, in a memfd of which the service manager holds a descriptor (sd_notify FDSTORE). A
 * daemon that is killed there gets it back when it is restarted, and completes the move.
 *
 * One slot: moves are made one after the other. Storing and clearing are plain writes to memory.
 *
 * The pages are locked, left out of core dumps, and not inherited by a fork. Between the death of
 * one daemon and the start of the next nobody locks them; MemorySwapMax=0 in the unit narrows that.
 */
#pragma once

#include "cleanup.h"
#include "sa/image.h"

#define RESCUE_FD_NAME "rescue"
/* Two images, of which the largest is below 13 KiB. */
#define RESCUE_SIZE (32u * 1024u)

struct rescue;

/* The descriptor that the service manager kept from the last run, to be given to rescue_open().
 * -ENOENT: there is none. Leaves $LISTEN_FDS alone. */
int rescue_inherited_fd(void);

/*
 * Maps the memory: a new one if `fd` is -1, else that one, which then belongs to the rescue (on
 * failure it stays the caller's). -EBADF: the descriptor is not one that an earlier run made, so
 * the caller closes it and takes a new one. -EPERM, -ENOMEM, -EAGAIN: the memory cannot be locked
 * (RLIMIT_MEMLOCK).
 */
int rescue_open(int fd, struct rescue **ret_rescue);
/* Leaves what is stored where it is. Accepts NULL, returns NULL. */
struct rescue *rescue_close(struct rescue *rescue);
DEFINE_CLEANUP(struct rescue *, rescue_close);

/* Gives a descriptor to the service manager: once, and only for memory that is new. 1: done; 0:
 * there is none ($NOTIFY_SOCKET), so a killed daemon's SA is lost. The unit must say
 * FileDescriptorStoreMax=1 or more; whether the manager kept it, it does not tell. */
int rescue_publish(struct rescue *rescue);

/* Before the SA is deleted. -EBUSY: the slot holds another one; -EMSGSIZE: too large. */
int rescue_store(struct rescue *rescue, const struct sa_image *image,
		 const struct sa_offload *target);
/* After it was deleted: the image with its final state takes precedence over the first. */
int rescue_store_exact(struct rescue *rescue, const struct sa_image *image,
		       const struct sa_offload *target);
/* After the SA exists again. Wipes. */
void rescue_clear(struct rescue *rescue);

/*
 * Takes a copy of what is stored, and trusts nothing in it. The image is the caller's, who wipes
 * it; the slot keeps its own until rescue_clear(). Returns 1 when the state is the final one, 0
 * when it is that of before the deletion. -ENOENT: empty; -EBADMSG: not an image, to be cleared.
 */
int rescue_load(const struct rescue *rescue, struct secret_arena *arena, struct sa_image *ret_image,
		struct sa_offload *ret_target);
