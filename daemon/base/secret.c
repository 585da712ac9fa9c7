// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Blocks have a size of a power of two, from 256 bytes (a plain AES-GCM SA has about 350), and
 * there is a free list for each size. They are cut from chunks that are made accessible and locked
 * when they are first needed. A block never changes its size, since the sizes of SAs change little.
 */
#include "base/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define BLOCK_SHIFT_MIN 8u
#define BLOCK_SHIFT_MAX 20u
#define CHUNK_MIN (64u * 1024u)

struct block {
	size_t shift; /* log2 of the size, this header included */
	struct block *next_free;
};

struct secret_arena {
	uint8_t *mapping; /* guard page, arena, guard page */
	size_t mapping_size;
	uint8_t *start;
	size_t limit;
	size_t locked; /* bytes from start that are accessible and locked */
	size_t carved; /* bytes from start that are divided into blocks */
	size_t in_use;
	struct block *free[BLOCK_SHIFT_MAX + 1];
};

static size_t round_up(size_t value, size_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static int arena_grow(struct secret_arena *arena, size_t needed)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t want = round_up(needed, page);
	uint8_t *from = arena->start + arena->locked;

	/* Doubling keeps the number of kernel calls and of mappings small. */
	if (want < arena->locked)
		want = arena->locked;
	if (want < CHUNK_MIN)
		want = CHUNK_MIN;
	if (want > arena->limit - arena->locked)
		want = arena->limit - arena->locked;
	if (want < needed)
		return -ENOMEM;

	if (mprotect(from, want, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	if (mlock(from, want) < 0) {
		int r = -errno;

		(void)mprotect(from, want, PROT_NONE);
		return r;
	}
	arena->locked += want;
	return 0;
}

int secret_arena_new(size_t limit, struct secret_arena **ret_arena)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct secret_arena *arena;
	int r;

	arena = calloc(1, sizeof(*arena));
	if (!arena)
		return -ENOMEM;

	arena->limit = round_up(limit, page);
	arena->mapping_size = arena->limit + 2 * page;
	arena->mapping =
		mmap(NULL, arena->mapping_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena->mapping == MAP_FAILED) {
		r = -errno;
		free(arena);
		return r;
	}
	arena->start = arena->mapping + page;

	if (madvise(arena->start, arena->limit, MADV_DONTDUMP) < 0 ||
	    madvise(arena->start, arena->limit, MADV_DONTFORK) < 0)
		r = -errno;
	else
		r = arena_grow(arena, CHUNK_MIN < arena->limit ? CHUNK_MIN : arena->limit);
	if (r < 0) {
		secret_arena_free(arena);
		return r;
	}

	*ret_arena = arena;
	return 0;
}

struct secret_arena *secret_arena_free(struct secret_arena *arena)
{
	if (!arena)
		return NULL;
	explicit_bzero(arena->start, arena->locked);
	(void)munmap(arena->mapping, arena->mapping_size);
	free(arena);
	return NULL;
}

static struct block *take_free(struct secret_arena *arena, size_t shift)
{
	struct block *block = arena->free[shift];

	if (block)
		arena->free[shift] = block->next_free;
	return block;
}

static struct block *carve(struct secret_arena *arena, size_t shift)
{
	size_t bytes = (size_t)1 << shift;
	struct block *block;

	if (arena->carved + bytes > arena->locked &&
	    arena_grow(arena, arena->carved + bytes - arena->locked) < 0)
		return NULL;
	block = (struct block *)(arena->start + arena->carved);
	arena->carved += bytes;
	block->shift = shift;
	return block;
}

void *secret_alloc(struct secret_arena *arena, size_t size)
{
	size_t shift = BLOCK_SHIFT_MIN;
	struct block *block;

	while (shift <= BLOCK_SHIFT_MAX && ((size_t)1 << shift) - sizeof(*block) < size)
		shift++;
	if (shift > BLOCK_SHIFT_MAX)
		return NULL;

	block = take_free(arena, shift);
	if (!block)
		block = carve(arena, shift);
	/* Blocks are never joined or split, but a larger free block can be used. */
	for (shift++; !block && shift <= BLOCK_SHIFT_MAX; shift++)
		block = take_free(arena, shift);
	if (!block)
		return NULL;
	block->next_free = NULL;
	arena->in_use += (size_t)1 << block->shift;
	return block + 1;
}

void secret_free(struct secret_arena *arena, void *pointer)
{
	struct block *block = pointer;
	size_t shift;

	if (!pointer)
		return;
	block--;
	shift = block->shift;
	explicit_bzero(pointer, ((size_t)1 << shift) - sizeof(*block));
	block->next_free = arena->free[shift];
	arena->free[shift] = block;
	arena->in_use -= (size_t)1 << shift;
}

size_t secret_arena_in_use(const struct secret_arena *arena)
{
	return arena->in_use;
}
