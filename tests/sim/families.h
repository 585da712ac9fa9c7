/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The scenarios the policy is judged by: seeded generators of traces, see families.c.
 */
#pragma once

#include "sim/trace.h"

struct family_size {
	uint32_t n_sas;
	uint32_t capacity; /* some scenarios are built around the boundary */
	uint32_t n_ticks;
	double interval; /* s */
	double total;    /* bytes/s offered in all */
};

struct family {
	const char *name;
	const char *text;
	bool judged; /* one of the table; the others guard against tuning to it */
	int (*generate)(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			double parameter);
	double parameter;
};

extern const struct family families[]; /* ends with a NULL name */

/* The judged size: 1024 SAs, 128 slots, an hour of seconds, 40 Gbit/s. */
struct family_size family_size_default(void);
int family_generate(const struct family *family, const struct family_size *size, uint64_t seed,
		    struct sim_trace **ret_trace);
