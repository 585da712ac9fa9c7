/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * During a move there is a moment in which an SA exists only in the daemon. For that moment its
 * image is also in the rescue slot: a memfd, whose descriptor the service manager also holds
 * (sd_notify FDSTORE). A daemon that is killed then gets the descriptor back when it is restarted,
 * and completes the move.
 *
 * There is one slot, since moves are made one after the other. Storing and clearing only write to
 * memory.
 *
 * The pages are locked, left out of core dumps, and not inherited by a fork. Between the end of one
 * daemon process and the start of the next they are not locked; MemorySwapMax=0 in the unit reduces
 * the risk that they are swapped out.
 */
#pragma once

#include "cleanup.h"
#include "sa/image.h"

#define RESCUE_FD_NAME "rescue"
/* Bytes, for two images; the largest image is below 13 KiB. The same in all versions. */
#define RESCUE_SIZE (32u * 1024u)

struct rescue;

/*
 * Maps the memory: new memory if `fd` is -1, else that of `fd`. On success the rescue owns `fd`, on
 * failure the caller keeps it. -EBADF: no earlier run made this descriptor. -ENOTSUP: a daemon with
 * another version of the slot stored an image in it. -EPERM, -ENOMEM, -EAGAIN: the memory cannot be
 * locked (RLIMIT_MEMLOCK).
 */
int rescue_open(int fd, struct rescue **ret_rescue);

/*
 * Opens the memory that the service manager kept from previous runs, and closes what is not usable.
 * There is more than one if another version of the daemon left an image: the service manager keeps
 * that one for the next start of that version, and `*ret_unread` counts it. One with an image is
 * preferred to an empty one. -ENOENT: there is none to use; otherwise an errno of rescue_open().
 * Does not change $LISTEN_FDS.
 */
int rescue_open_inherited(struct rescue **ret_rescue, unsigned *ret_unread);
/* Does not clear the slot. Accepts NULL, returns NULL. */
struct rescue *rescue_close(struct rescue *rescue);
DEFINE_CLEANUP(struct rescue *, rescue_close);

/* Sends the descriptor to the service manager: once, and only for new memory. 1: sent; 0: there is
 * no service manager ($NOTIFY_SOCKET), so the SA of a killed daemon is lost; a negative errno of
 * sd_pid_notify_with_fds(3). The unit must set FileDescriptorStoreMax=1 or more. The service
 * manager does not report whether it kept the descriptor. */
int rescue_publish(struct rescue *rescue);

/* Called before the SA is deleted. -EBUSY: the slot is in use; -EMSGSIZE: the image is too
 * large. */
int rescue_store(struct rescue *rescue, const struct sa_image *image,
		 const struct sa_offload *target);
/* Called after the SA was deleted, with its final state, which takes precedence over the first
 * image. Errors as rescue_store(). */
int rescue_store_exact(struct rescue *rescue, const struct sa_image *image,
		       const struct sa_offload *target);
/* Called after the SA exists again. Wipes both images. */
void rescue_clear(struct rescue *rescue);

/*
 * Copies the stored image and checks the copy. The caller wipes it; the slot keeps its own until
 * rescue_clear(). Returns 1 for the final state, 0 for the state before the deletion. -ENOENT: the
 * slot is empty; -EBADMSG: it contains no valid image, and must be cleared; -ENOMEM.
 */
int rescue_load(const struct rescue *rescue, struct secret_arena *arena, struct sa_image *ret_image,
		struct sa_offload *ret_target);
