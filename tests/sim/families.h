/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scenarios with which the policy is measured: seeded generators of traces, see families.c. */
#pragma once

#include "sim/trace.h"

struct family_size {
	uint32_t n_sas;
	uint32_t capacity; /* some scenarios have SAs around this rank */
	uint32_t n_ticks;
	double interval; /* s */
	double total;    /* bytes/s offered in total */
};

struct family {
	const char *name;
	const char *text;
	bool judged; /* part of the main table; the policy was not tuned on the others */
	int (*generate)(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			double parameter);
	double parameter;
};

extern const struct family families[]; /* ends with a NULL name */

/* The size of the main table: 1024 SAs, 128 slots, 3600 ticks of a second, 40 Gbit/s. */
struct family_size family_size_default(void);
int family_generate(const struct family *family, const struct family_size *size, uint64_t seed,
		    struct sim_trace **ret_trace);
