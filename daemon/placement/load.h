/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What SAs carry, in all and for each NIC: gathered while a dump shows them one by one, and in
 * force from the end of that dump to the end of the next.
 */
#pragma once

#include "placement/nics.h"

/* bytes/s of all SAs whose rate is known. */
struct load_sums {
	double all;
	double offloaded; /* of those in NICs */
};

/* Zeroed: nothing is known yet. */
struct load {
	struct load_sums sums;
	struct load_sums gathered;
};

void load_begin(struct load *load, struct nics *nics);
/* An SA that the dump has shown carries so much, in bytes/s, > 0. */
void load_add(struct load *load, struct nics *nics, const struct sa *sa, double rate);
/* The dump was complete. */
void load_end(struct load *load, struct nics *nics);
