/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces for `simulate`, read from CSV, see simulate/trace.c.
 */
#pragma once

#include "cleanup.h"
#include "sim/trace.h"

#include <stdio.h>

struct simulate_trace {
	struct sim_trace *trace;
	char **names; /* by SA; several SAs, one after the other, may share one */
	size_t n_rows;
};

struct simulate_trace *simulate_trace_free(struct simulate_trace *trace); /* accepts NULL */
DEFINE_CLEANUP(struct simulate_trace *, simulate_trace_free);

/* `path`: "-" is standard input. `interval` in seconds; 0: the smallest step in the trace. Bad rows
 * are written to `errors` as path:line: reason, up to 20 of them. Returns 0, -EBADMSG when there
 * were any, or the errno of reading the file. */
int simulate_trace_load(const char *path, double interval, FILE *errors,
			struct simulate_trace **ret_trace);
int simulate_trace_parse(const char *path, char *text, double interval, FILE *errors,
			 struct simulate_trace **ret_trace);
