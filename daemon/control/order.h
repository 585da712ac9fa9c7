/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of rows, which are numbers from 0 on. It is sorted where it is asked for (incremental
 * quicksort): the rows of a screen cost little more than a pass over all. A step takes at most one
 * pass, so that the caller can return to its event loop between two.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Never 0 for two different rows. */
typedef int (*order_compare)(uint32_t a, uint32_t b, const void *userdata);

struct order;

/* Of the rows 0 to n - 1. -ENOMEM. */
int order_new(uint32_t n, order_compare compare, const void *userdata, struct order **ret_order);
struct order *order_free(struct order *order); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct order *, order_free);
size_t order_bytes(const struct order *order);

/* Returns how many rows were moved or compared. 0: *ret_row is the row at `place`; else call again.
 */
size_t order_row(struct order *order, uint32_t place, uint32_t *ret_row);
/* The same for the place of a row. */
size_t order_place(struct order *order, uint32_t row, uint32_t *ret_place);
