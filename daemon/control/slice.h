/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A list that is made of a snapshot, in steps. Each call of a step does some work of it, so that a
 * slice can end within a step.
 */
#pragma once

#include "control/snapshot.h"

#include <jansson.h>

/* What the steps cost, roughly in ns. A slice holds the loop about so long; the first division of
 * the order of very many SAs takes longer. */
#define SLICE 100000
#define COST_ROW 100 /* of the snapshot */
#define COST_SORT 10
#define COST_FILTER 500

/* Where the next slice continues. */
struct slices {
	struct snapshot *snapshot; /* owned; its rows are added before the first step */
	bool complete;             /* it has all rows */
	size_t step;
	uint32_t next; /* in the step; 0 when it begins */
};

/* Does some work, adds its rows, and returns its cost; 0: the step is done; -ENOMEM. */
typedef ssize_t (*slice_step)(void *list, json_t *rows);

/* Makes one slice. Returns as struct control_list.next. */
int slices_next(struct slices *slices, const slice_step *steps, size_t n, void *list, json_t *rows);
