// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rows are divided into segments: every row of a segment comes before all rows of the next. The
 * first row of a segment is its smallest, so that the segment of a row is found by bisection.
 */
#include "control/order.h"

#include <errno.h>
#include <string.h>

/* A segment of this size is sorted as a whole: it has about the rows of one screen. */
#define SMALL_SEGMENT 64
/* Enough unless the pivots are bad. Then a segment is sorted as a whole. */
#define SEGMENTS_MAX 1024

struct segment {
	uint32_t from;
	bool sorted;
};

struct order {
	order_compare compare;
	const void *userdata;
	uint32_t n;
	size_t n_segments;
	struct segment segments[SEGMENTS_MAX];
	uint32_t rows[];
};

static bool precedes(const struct order *order, uint32_t a, uint32_t b)
{
	return order->compare(a, b, order->userdata) < 0;
}

static void swap(uint32_t *a, uint32_t *b)
{
	uint32_t row = *a;

	*a = *b;
	*b = row;
}

int order_new(uint32_t n, order_compare compare, const void *userdata, struct order **ret_order)
{
	struct order *order = malloc(sizeof(*order) + n * sizeof(order->rows[0]));

	if (!order)
		return -ENOMEM;
	order->compare = compare;
	order->userdata = userdata;
	order->n = n;
	order->n_segments = 1;
	order->segments[0] = (struct segment){};
	for (uint32_t i = 0; i < n; i++) {
		order->rows[i] = i;
		if (precedes(order, i, order->rows[0]))
			swap(&order->rows[i], &order->rows[0]);
	}
	*ret_order = order;
	return 0;
}

struct order *order_free(struct order *order)
{
	free(order);
	return NULL;
}

size_t order_bytes(const struct order *order)
{
	return sizeof(*order) + order->n * sizeof(order->rows[0]);
}

static uint32_t end_of(const struct order *order, size_t segment)
{
	return segment + 1 < order->n_segments ? order->segments[segment + 1].from : order->n;
}

static void remove_segment(struct order *order, size_t segment)
{
	order->n_segments--;
	memmove(&order->segments[segment], &order->segments[segment + 1],
		(order->n_segments - segment) * sizeof(struct segment));
}

static int compare_rows(const void *a, const void *b, void *userdata)
{
	const struct order *order = userdata;

	return order->compare(*(const uint32_t *)a, *(const uint32_t *)b, order->userdata);
}

static void sort(struct order *order, size_t segment)
{
	uint32_t from = order->segments[segment].from;

	qsort_r(order->rows + from, end_of(order, segment) - from, sizeof(order->rows[0]),
		compare_rows, order);
	order->segments[segment].sorted = true;
	if (segment + 1 < order->n_segments && order->segments[segment + 1].sorted)
		remove_segment(order, segment + 1);
	if (segment > 0 && order->segments[segment - 1].sorted)
		remove_segment(order, segment);
}

/* The row at `from` is the smallest and stays. */
static uint32_t partition(struct order *order, uint32_t from, uint32_t to)
{
	uint32_t *rows = order->rows, *pivot = &rows[to - 1], bound = from + 1;

	swap(&rows[from + (to - from) / 2], pivot);
	for (uint32_t i = from + 1; i < to - 1; i++)
		if (precedes(order, rows[i], *pivot))
			swap(&rows[i], &rows[bound++]);
	swap(&rows[bound], pivot);
	return bound;
}

static void divide(struct order *order, size_t segment)
{
	uint32_t bound = partition(order, order->segments[segment].from, end_of(order, segment));

	memmove(&order->segments[segment + 2], &order->segments[segment + 1],
		(order->n_segments - segment - 1) * sizeof(struct segment));
	order->segments[segment + 1] = (struct segment){.from = bound};
	order->n_segments++;
}

/* One step. Returns as order_row(). */
static size_t settle(struct order *order, size_t segment)
{
	uint32_t n = end_of(order, segment) - order->segments[segment].from;

	if (order->segments[segment].sorted)
		return 0;
	if (n > SMALL_SEGMENT && order->n_segments < SEGMENTS_MAX)
		divide(order, segment);
	else
		sort(order, segment);
	return n;
}

size_t order_row(struct order *order, uint32_t place, uint32_t *ret_row)
{
	size_t low = 0, high = order->n_segments, moved;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (order->segments[middle].from <= place)
			low = middle;
		else
			high = middle;
	}
	moved = settle(order, low);
	if (moved == 0)
		*ret_row = order->rows[place];
	return moved;
}

size_t order_place(struct order *order, uint32_t row, uint32_t *ret_place)
{
	size_t low = 0, high = order->n_segments, moved;
	uint32_t from, to;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (precedes(order, row, order->rows[order->segments[middle].from]))
			high = middle;
		else
			low = middle;
	}
	from = order->segments[low].from;
	to = end_of(order, low);
	moved = settle(order, low);
	if (moved > 0)
		return moved;
	while (to - from > 1) {
		uint32_t middle = from + (to - from) / 2;

		if (precedes(order, row, order->rows[middle]))
			to = middle;
		else
			from = middle;
	}
	*ret_place = from;
	return 0;
}
