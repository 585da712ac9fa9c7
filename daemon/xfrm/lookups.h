/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Waits until the kernel's lookups of SAs have finished: kernel_ops.wait_for_lookups.
 *
 * membarrier() returns after a grace period of RCU, and there is no way to ask for one without
 * waiting in the call. So a wait that others may pass is made by a thread of its own, which makes
 * this one system call and ends. It has nothing in common with the rest of the daemon but a file
 * descriptor, and no key is on its stack.
 */
#pragma once

#include <pthread.h>
#include <stdbool.h>

struct lookups {
	int fd; /* readable: the thread has waited */
	pthread_t thread;
	bool running; /* `thread` is to be joined */
};

int lookups_init(struct lookups *lookups); /* -EMFILE, -ENFILE, -ENOMEM */
void lookups_release(struct lookups *lookups);

void lookups_wait(void);
/* Begins to wait. A wait that is not over began too early for the caller, and is ended before.
 * Without memory for a thread it waits itself. */
void lookups_begin(struct lookups *lookups);
/* Whether the wait that was begun is not over. */
bool lookups_are_awaited(struct lookups *lookups);
