/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace: which SA carried how many bytes in which interval, and when SAs came and went.
 *
 * Ticks are intervals, numbered from 0; tick t ends at sim_trace.start + t * interval. An SA lives
 * from tick `born` to tick `gone`, both included. Rows are ordered by tick; an SA without a row in
 * a tick carried nothing. A trace is built tick by tick, then finished, then only read.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_LIVES_ON UINT32_MAX

struct sim_sa {
	uint32_t born;
	uint32_t gone;    /* SIM_LIVES_ON: until the end */
	uint32_t lineage; /* SAs of one lineage are rekeys of each other */
	size_t last_row;  /* index + 1 */
};

struct sim_row {
	double bytes;
	uint32_t sa;
};

struct sim_trace {
	double start;    /* s, end of tick 0 */
	double interval; /* s */
	struct sim_sa *sas;
	uint32_t n_sas;
	uint32_t n_ticks;
	uint32_t n_lineages;
	struct sim_row *rows;
	size_t n_rows;
	size_t *tick_rows; /* index of the first row of each tick, n_ticks + 1 of them */
	uint32_t *births;  /* SAs ordered by `born` */
	uint32_t *deaths;  /* SAs with an end, ordered by `gone` */
	uint32_t n_deaths;
	size_t allocated_rows;
	uint32_t allocated_sas;
	uint32_t allocated_ticks;
};

int sim_trace_new(double start, double interval, struct sim_trace **ret_trace);
struct sim_trace *sim_trace_free(struct sim_trace *trace); /* accepts NULL, returns NULL */

/* A lineage nobody else has. */
uint32_t sim_trace_new_lineage(struct sim_trace *trace);
/* An SA that lives from the tick that is open. */
int sim_trace_add_sa(struct sim_trace *trace, uint32_t lineage, uint32_t *ret_sa);
/* Its last tick is the one that is open. */
void sim_trace_end_sa(struct sim_trace *trace, uint32_t sa);
/* Opens the next tick; the first call opens tick 0. */
int sim_trace_next_tick(struct sim_trace *trace);
/* Into the open tick; what an SA already has there is added to. */
int sim_trace_add_row(struct sim_trace *trace, uint32_t sa, double bytes);
/* After the last row. */
int sim_trace_finish(struct sim_trace *trace);
