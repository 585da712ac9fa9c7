/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the benchmarks measure with. */
#pragma once

#include "cleanup.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static inline double measure_clock(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* s, monotonic. */
static inline double measure_now(void)
{
	return measure_clock(CLOCK_MONOTONIC);
}

/* CPU time of the process, s. */
static inline double measure_cpu(void)
{
	return measure_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* CPU time of this thread, s. */
static inline double measure_thread_cpu(void)
{
	return measure_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* The resident set of the process, bytes. */
static inline double measure_resident_set(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/statm", "re");
	char line[128], *end;

	if (!file || !fgets(line, sizeof(line), file))
		abort();
	(void)strtoul(line, &end, 10); /* the size of the address space */
	return (double)strtoul(end, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static inline int measure_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Sorts the values. */
static inline double measure_median(double *values, size_t n)
{
	qsort(values, n, sizeof(*values), measure_compare);
	return values[n / 2];
}
