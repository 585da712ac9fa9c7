/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory for all data that may contain keys. It is locked (never swapped), left out of core
 * dumps, not inherited by a fork, surrounded by guard pages, and wiped when it is freed. Every
 * netlink buffer that can contain an SA is allocated here.
 *
 * A buffer belongs to the caller until secret_free(), which wipes all of it. Not thread-safe.
 */
#pragma once

#include "cleanup.h"

#include <stddef.h>

struct secret_arena;

/* Reserves addresses for `limit` bytes. Memory is locked as needed, 64 KiB at first. -EPERM,
 * -ENOMEM, -EAGAIN: memory cannot be locked (RLIMIT_MEMLOCK). */
int secret_arena_new(size_t limit, struct secret_arena **ret_arena);
/* Wipes and unmaps everything, also buffers that are not freed. Accepts NULL, returns NULL. */
struct secret_arena *secret_arena_free(struct secret_arena *arena);
DEFINE_CLEANUP(struct secret_arena *, secret_arena_free);

/* Zeroed memory aligned to 16 bytes, or NULL when the arena is exhausted. */
void *secret_alloc(struct secret_arena *arena, size_t size);
void secret_free(struct secret_arena *arena, void *pointer); /* accepts NULL */

/* Bytes that are not freed yet: tests use it to find leaks. */
size_t secret_arena_in_use(const struct secret_arena *arena);
