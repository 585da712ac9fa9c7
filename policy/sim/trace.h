/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace: the bytes of each SA in each interval, and when SAs were made and deleted.
 *
 * Ticks are intervals, numbered from 0; tick t ends at sim_trace.start + t * interval. An SA exists
 * from tick `born` to the end of tick `gone`. Rows are ordered by tick. An SA without a row in
 * a tick carried nothing. A trace is built tick by tick, then finished, and then only read.
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

/* A new lineage. */
uint32_t sim_trace_new_lineage(struct sim_trace *trace);
/* Adds an SA that exists from the open tick on. -ENOMEM, -E2BIG: too many. */
int sim_trace_add_sa(struct sim_trace *trace, uint32_t lineage, uint32_t *ret_sa);
/* The open tick becomes the last one of the SA. */
void sim_trace_end_sa(struct sim_trace *trace, uint32_t sa);
/* Opens the next tick; the first call opens tick 0. -ENOMEM, -E2BIG: too many. */
int sim_trace_next_tick(struct sim_trace *trace);
/* Adds bytes of an SA to the open tick. -ENOMEM. */
int sim_trace_add_row(struct sim_trace *trace, uint32_t sa, double bytes);
/* Must be called after the last row. -ENOMEM. */
int sim_trace_finish(struct sim_trace *trace);
/* The most SAs with traffic that exist in one tick: more slots than these carry no more. Of a
 * finished trace. */
uint32_t sim_trace_most_sas(const struct sim_trace *trace);
