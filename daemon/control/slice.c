// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/slice.h"

static ssize_t do_some(struct slices *slices, slice_step step, void *list, json_t *rows)
{
	if (!slices->complete) {
		ssize_t n = snapshot_add_rows(slices->snapshot);

		if (n != 0)
			return n < 0 ? n : n * COST_ROW;
		slices->complete = true;
	}
	return step(list, rows);
}

int slices_next(struct slices *slices, const slice_step *steps, size_t n, void *list, json_t *rows)
{
	for (ssize_t left = SLICE; left > 0 && slices->step < n;) {
		ssize_t cost = do_some(slices, steps[slices->step], list, rows);

		if (cost < 0)
			return (int)cost;
		left -= cost;
		if (cost == 0) {
			slices->step++;
			slices->next = 0;
		}
	}
	return slices->step < n;
}
