/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Binary min-heap with positions, see heap.h. Equal keys are ordered by handle, so that the order
 * depends only on the state, not on earlier operations.
 */
#include "heap.h"

#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int policy_heap_reserve(struct heap *heap, uint32_t n)
{
	struct heap_node *nodes;
	uint32_t allocated = heap->allocated ? heap->allocated : 8;

	if (n <= heap->allocated)
		return 0;
	while (allocated < n)
		allocated *= 2;
	/* reallocarray() would copy unused nodes too, and so make their pages resident. */
	nodes = malloc(allocated * sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	if (heap->n > 0)
		memcpy(nodes, heap->nodes, heap->n * sizeof(*nodes));
	free(heap->nodes);
	heap->nodes = nodes;
	heap->allocated = allocated;
	return 0;
}

void policy_heap_done(struct heap *heap)
{
	free(heap->nodes);
	*heap = (struct heap){};
}

static bool node_before(const struct heap_node *a, const struct heap_node *b)
{
	return a->key < b->key || (a->key == b->key && a->id < b->id);
}

static void heap_put(struct policy *policy, struct heap *heap, uint32_t position,
		     struct heap_node node)
{
	heap->nodes[position] = node;
	policy->sas[node.id].position = position;
}

static void heap_sift_up(struct policy *policy, struct heap *heap, uint32_t position,
			 struct heap_node node)
{
	while (position > 0) {
		uint32_t parent = (position - 1) / 2;

		if (!node_before(&node, &heap->nodes[parent]))
			break;
		heap_put(policy, heap, position, heap->nodes[parent]);
		position = parent;
	}
	heap_put(policy, heap, position, node);
}

static void heap_sift_down(struct policy *policy, struct heap *heap, uint32_t position,
			   struct heap_node node)
{
	for (;;) {
		uint32_t child = 2 * position + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n &&
		    node_before(&heap->nodes[child + 1], &heap->nodes[child]))
			child++;
		if (!node_before(&heap->nodes[child], &node))
			break;
		heap_put(policy, heap, position, heap->nodes[child]);
		position = child;
	}
	heap_put(policy, heap, position, node);
}

static void heap_place(struct policy *policy, struct heap *heap, uint32_t position,
		       struct heap_node node)
{
	if (position > 0 && node_before(&node, &heap->nodes[(position - 1) / 2]))
		heap_sift_up(policy, heap, position, node);
	else
		heap_sift_down(policy, heap, position, node);
}

void policy_heap_insert(struct policy *policy, struct heap *heap, uint32_t id, double key)
{
	heap_sift_up(policy, heap, heap->n++, (struct heap_node){.key = key, .id = id});
}

void policy_heap_remove(struct policy *policy, struct heap *heap, uint32_t id)
{
	uint32_t position = policy->sas[id].position;

	heap->n--;
	if (position < heap->n)
		heap_place(policy, heap, position, heap->nodes[heap->n]);
}

void policy_heap_update(struct policy *policy, struct heap *heap, uint32_t id, double key)
{
	heap_place(policy, heap, policy->sas[id].position,
		   (struct heap_node){.key = key, .id = id});
}

uint32_t policy_heap_peek(const struct heap *heap, double limit, uint32_t n, uint32_t *ret_ids)
{
	/* The candidates for the next smallest: the root, then the children of the nodes that were
	 * taken. */
	uint32_t frontier[CANDIDATES + 1], n_frontier = 0, n_found = 0;

	if (heap->n > 0)
		frontier[n_frontier++] = 0;
	while (n_frontier > 0 && n_found < n) {
		uint32_t best = 0, position;

		for (uint32_t i = 1; i < n_frontier; i++)
			if (node_before(&heap->nodes[frontier[i]], &heap->nodes[frontier[best]]))
				best = i;
		position = frontier[best];
		if (heap->nodes[position].key >= limit)
			break;
		ret_ids[n_found++] = heap->nodes[position].id;
		frontier[best] = frontier[--n_frontier];
		for (uint32_t child = 2 * position + 1; child <= 2 * position + 2; child++)
			if (child < heap->n && n_found < n)
				frontier[n_frontier++] = child;
	}
	return n_found;
}
