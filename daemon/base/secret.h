/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one place where bytes that may be keys live: memory that is locked (never swapped), left out
 * of core dumps, not inherited by a fork, surrounded by guard pages, and wiped when it is given
 * back. Every netlink buffer that can carry an SA comes from here.
 *
 * A buffer belongs to the caller until secret_free(), which wipes it whole. Not thread-safe.
 */
#pragma once

#include "cleanup.h"

#include <stddef.h>

struct secret_arena;

/* Reserves addresses for `limit` bytes; memory is locked as it is needed, 64 KiB at first. Returns
 * -EPERM or -ENOMEM when memory cannot be locked (RLIMIT_MEMLOCK). */
int secret_arena_new(size_t limit, struct secret_arena **ret_arena);
/* Wipes and unmaps everything, whether given back or not. Accepts NULL, returns NULL. */
struct secret_arena *secret_arena_free(struct secret_arena *arena);
DEFINE_CLEANUP(struct secret_arena *, secret_arena_free);

/* Zeroed memory aligned to 16 bytes, or NULL when the arena is exhausted. */
void *secret_alloc(struct secret_arena *arena, size_t size);
void secret_free(struct secret_arena *arena, void *pointer); /* accepts NULL */

/* Bytes that are not given back yet: tests look for what is forgotten. */
size_t secret_arena_in_use(const struct secret_arena *arena);
