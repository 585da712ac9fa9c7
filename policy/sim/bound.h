/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The offline optimum: what hindsight could have won, see bound.c.
 */
#pragma once

#include "sim/run.h"

struct sim_bound {
	double net;   /* no policy wins more than this (first-come pays nothing for its slots) */
	double moves; /* at the prices of the bound */
};

/* Capacity, costs and moves are taken from the options. `rounds` of subgradient descent: 200 are
 * within a hundredth of a per cent on all that was tried. */
int sim_bound(const struct sim_trace *trace, const struct sim_options *options, unsigned rounds,
	      struct sim_bound *ret_bound);
