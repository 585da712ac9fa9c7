/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces for `simulate`, read from CSV, see simulate/trace.c.
 */
#pragma once

#include "cleanup.h"
#include "sa.h"
#include "sim/trace.h"

#include <stdio.h>

struct simulate_trace {
	struct sim_trace *trace;
	char **names; /* by SA; several SAs, one after the other, may share one */
	uint32_t
		*described; /* by SA: 1 + index of its description, 0: the trace has no addresses */
	struct sa_description *descriptions;
	size_t n_rows;
};

/* NULL: the trace has no addresses of the SA. */
const struct sa_description *simulate_trace_description(const struct simulate_trace *trace,
							uint32_t sa);

struct simulate_trace *simulate_trace_free(struct simulate_trace *trace); /* accepts NULL */
DEFINE_CLEANUP(struct simulate_trace *, simulate_trace_free);

/* Which SAs the trace shall have. */
struct simulate_selection {
	/* Called once for each SA. `sa` is NULL without addresses; so is `nic` if the trace does
	 * not name it. */
	bool (*select)(void *userdata, const struct sa_description *sa, const char *nic);
	void *userdata;
};

/* `path`: "-" is standard input. `interval` in seconds; 0: the smallest step in the trace.
 * `selection` may be NULL: all SAs. Bad rows are written to `errors` as path:line: reason, up to 20
 * of them. Returns 0, -EBADMSG when there were any, or the errno of reading the file. */
int simulate_trace_load(const char *path, double interval,
			const struct simulate_selection *selection, FILE *errors,
			struct simulate_trace **ret_trace);
int simulate_trace_parse(const char *path, char *text, double interval,
			 const struct simulate_selection *selection, FILE *errors,
			 struct simulate_trace **ret_trace);
