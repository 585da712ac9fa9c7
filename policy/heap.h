/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A binary min-heap of SAs with positions, so that any SA can be moved or removed in O(log n). The
 * position is in the SA (sa->position), so an SA can be in one heap at a time. Keys are stored
 * beside the handles, so that sifting does not access the SAs that it compares.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct policy;

struct heap_node {
	double key;
	uint32_t id;
};

struct heap {
	struct heap_node *nodes;
	uint32_t n;
	uint32_t allocated;
};

/* The only function that allocates. Returns 0 or -ENOMEM. */
int policy_heap_reserve(struct heap *heap, uint32_t n);
void policy_heap_done(struct heap *heap);

void policy_heap_insert(struct policy *policy, struct heap *heap, uint32_t id, double key);
void policy_heap_remove(struct policy *policy, struct heap *heap, uint32_t id);
void policy_heap_update(struct policy *policy, struct heap *heap, uint32_t id, double key);

/* Returns the `n` smallest SAs with keys below `limit`, at most CANDIDATES, in order and without
 * changing the heap. Returns how many there are. */
uint32_t policy_heap_peek(const struct heap *heap, double limit, uint32_t n, uint32_t *ret_ids);
