/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The traffic of SAs, of all and for each NIC, and how many are in software why. The sums are
 * gathered while a dump shows the SAs, and are valid from the end of that dump to the end of the
 * next.
 */
#pragma once

#include "placement/nics.h"
#include "placement/standing.h"

/* Sums over SAs whose rate is known, bytes/s. */
struct load_sums {
	double all;
	double offloaded; /* of SAs in NICs */
	struct standing_counts software;
};

/* Zeroed: nothing is known yet. */
struct load {
	struct load_sums sums;
	struct load_sums gathered;
};

void load_begin(struct load *load, struct nics *nics);
/* Adds an SA that the dump has shown. `rate`: bytes/s, > 0. `weight`: of a byte, by its CPU cost,
 * where the cost of a move is derived from the traffic. */
void load_add(struct load *load, struct nics *nics, const struct sa *sa, double rate,
	      double weight);
/* The dump was complete. */
void load_end(struct load *load, struct nics *nics);
