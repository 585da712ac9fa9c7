/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the steps of a list cost, roughly in ns. */
#pragma once

/* A slice holds the loop about so long; the first division of the order of very many SAs takes
 * longer. */
#define SLICE 100000
#define COST_ROW 100 /* of the snapshot */
#define COST_SORT 10
#define COST_FILTER 500
