/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building traces, see trace.h.
 */
#include "sim/trace.h"

#include <errno.h>
#include <stdlib.h>

static int grow(void **array, size_t *allocated, size_t n, size_t size)
{
	size_t wanted = *allocated ? 2 * *allocated : 64;
	void *bigger;

	if (n < *allocated)
		return 0;
	bigger = reallocarray(*array, wanted, size);
	if (!bigger)
		return -ENOMEM;
	*array = bigger;
	*allocated = wanted;
	return 0;
}

int sim_trace_new(double start, double interval, struct sim_trace **ret_trace)
{
	struct sim_trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return -ENOMEM;
	trace->start = start;
	trace->interval = interval;
	*ret_trace = trace;
	return 0;
}

struct sim_trace *sim_trace_free(struct sim_trace *trace)
{
	if (!trace)
		return NULL;
	free(trace->sas);
	free(trace->rows);
	free(trace->tick_rows);
	free(trace->births);
	free(trace->deaths);
	free(trace);
	return NULL;
}

uint32_t sim_trace_new_lineage(struct sim_trace *trace)
{
	return trace->n_lineages++;
}

int sim_trace_add_sa(struct sim_trace *trace, uint32_t lineage, uint32_t *ret_sa)
{
	size_t allocated = trace->allocated_sas;
	void *sas = trace->sas;

	if (trace->n_sas == UINT32_MAX / 2)
		return -E2BIG;
	if (grow(&sas, &allocated, trace->n_sas, sizeof(*trace->sas)) < 0)
		return -ENOMEM;
	trace->sas = sas;
	trace->allocated_sas = (uint32_t)allocated;
	trace->sas[trace->n_sas] = (struct sim_sa){
		.born = trace->n_ticks ? trace->n_ticks - 1 : 0,
		.gone = SIM_LIVES_ON,
		.lineage = lineage,
	};
	*ret_sa = trace->n_sas++;
	return 0;
}

void sim_trace_end_sa(struct sim_trace *trace, uint32_t sa)
{
	trace->sas[sa].gone = trace->n_ticks - 1;
}

int sim_trace_next_tick(struct sim_trace *trace)
{
	size_t allocated = trace->allocated_ticks;
	void *tick_rows = trace->tick_rows;

	/* One entry more than ticks, for the end of the last tick. */
	if (trace->n_ticks >= UINT32_MAX / 4)
		return -E2BIG;
	if (grow(&tick_rows, &allocated, trace->n_ticks + 1, sizeof(*trace->tick_rows)) < 0)
		return -ENOMEM;
	trace->tick_rows = tick_rows;
	trace->allocated_ticks = (uint32_t)allocated;
	trace->tick_rows[trace->n_ticks++] = trace->n_rows;
	return 0;
}

int sim_trace_add_row(struct sim_trace *trace, uint32_t sa, double bytes)
{
	size_t *last_row = &trace->sas[sa].last_row;
	void *rows = trace->rows;

	if (bytes <= 0)
		return 0;
	if (*last_row > trace->tick_rows[trace->n_ticks - 1]) {
		trace->rows[*last_row - 1].bytes += bytes;
		return 0;
	}
	if (grow(&rows, &trace->allocated_rows, trace->n_rows, sizeof(*trace->rows)) < 0)
		return -ENOMEM;
	trace->rows = rows;
	trace->rows[trace->n_rows++] = (struct sim_row){.sa = sa, .bytes = bytes};
	*last_row = trace->n_rows;
	return 0;
}

/* Counting sort of SAs by birth or end. Returns how many SAs have one. */
static uint32_t sort_by_tick(const struct sim_trace *trace, bool by_birth, uint32_t *counts,
			     uint32_t *ret_order)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < trace->n_sas; i++) {
		uint32_t tick = by_birth ? trace->sas[i].born : trace->sas[i].gone;

		if (tick != SIM_LIVES_ON)
			counts[tick + 1]++;
	}
	for (uint32_t t = 0; t < trace->n_ticks; t++)
		counts[t + 1] += counts[t];
	for (uint32_t i = 0; i < trace->n_sas; i++) {
		uint32_t tick = by_birth ? trace->sas[i].born : trace->sas[i].gone;

		if (tick == SIM_LIVES_ON)
			continue;
		ret_order[counts[tick]++] = i;
		n++;
	}
	return n;
}

int sim_trace_finish(struct sim_trace *trace)
{
	uint32_t *counts[2] = {calloc(trace->n_ticks + 2, sizeof(uint32_t)),
			       calloc(trace->n_ticks + 2, sizeof(uint32_t))};

	trace->births = calloc(trace->n_sas + 1, sizeof(*trace->births));
	trace->deaths = calloc(trace->n_sas + 1, sizeof(*trace->deaths));
	if (counts[0] && counts[1] && trace->births && trace->deaths) {
		(void)sort_by_tick(trace, true, counts[0], trace->births);
		trace->n_deaths = sort_by_tick(trace, false, counts[1], trace->deaths);
		if (trace->n_ticks > 0)
			trace->tick_rows[trace->n_ticks] = trace->n_rows;
	}
	free(counts[0]);
	free(counts[1]);
	return trace->births && trace->deaths && counts[0] && counts[1] ? 0 : -ENOMEM;
}

uint32_t sim_trace_most_sas(const struct sim_trace *trace)
{
	uint32_t n = 0, most = 0, died = 0;

	for (uint32_t i = 0; i < trace->n_sas; i++) {
		const struct sim_sa *sa = &trace->sas[trace->births[i]];

		for (; died < trace->n_deaths; died++) {
			const struct sim_sa *dead = &trace->sas[trace->deaths[died]];

			if (dead->gone >= sa->born)
				break;
			n -= dead->last_row > 0;
		}
		n += sa->last_row > 0;
		most = n > most ? n : most;
	}
	return most;
}
