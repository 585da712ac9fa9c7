/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The harness, see run.h. It counts the results itself.
 */
#include "sim/run.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void sim_done(struct sim *sim)
{
	free(sim->bytes);
	free(sim->costs);
	free(sim->alive);
	free(sim->resident);
	free(sim->living);
	free(sim->moved);
	free(sim->rekeyed);
	free(sim->newest);
}

static double assumed_migration_bytes(const struct sim_trace *trace,
				      const struct sim_options *options, uint32_t tick)
{
	double bytes = 0;

	for (size_t r = trace->tick_rows[tick]; r < trace->tick_rows[tick + 1]; r++)
		bytes += trace->rows[r].bytes;
	return policy_assumed_migration_bytes(options->capacity, bytes / trace->interval,
					      trace->tick_rows[tick + 1] - trace->tick_rows[tick]);
}

int sim_migration_bytes(const struct sim_trace *trace, const struct sim_options *options,
			double **ret_bytes)
{
	double *bytes = calloc((size_t)trace->n_ticks + 1, sizeof(*bytes));

	if (!bytes)
		return -ENOMEM;
	for (uint32_t t = 0; t < trace->n_ticks; t++)
		bytes[t] = options->migration_bytes < 0 ? assumed_migration_bytes(trace, options, t)
							: options->migration_bytes;
	*ret_bytes = bytes;
	return 0;
}

static int sim_init(struct sim *sim)
{
	uint32_t n = sim->trace->n_sas + 1;

	sim->bytes = calloc(n, sizeof(*sim->bytes));
	sim->alive = calloc(n, sizeof(*sim->alive));
	sim->resident = calloc(n, sizeof(*sim->resident));
	sim->living = calloc(n, sizeof(*sim->living));
	/* An SA may be evicted and promoted in one tick. */
	sim->moved = calloc(2 * (size_t)n, sizeof(*sim->moved));
	sim->rekeyed = calloc(n, sizeof(*sim->rekeyed));
	sim->newest = calloc(sim->trace->n_lineages + 1, sizeof(*sim->newest));
	sim->result->sas = calloc(n, sizeof(*sim->result->sas));
	sim->tokens = sim->options->moves_burst;
	if (!sim->bytes || !sim->alive || !sim->resident || !sim->living || !sim->moved ||
	    !sim->rekeyed || !sim->newest || !sim->result->sas)
		return -ENOMEM;
	return sim_migration_bytes(sim->trace, sim->options, &sim->costs);
}

/* Adds the SAs of this tick. */
static void sim_births(struct sim *sim)
{
	const struct sim_trace *trace = sim->trace;

	sim->born = sim->born ? sim->born + sim->n_born : trace->births;
	sim->n_born = 0;
	while (sim->born + sim->n_born < trace->births + trace->n_sas &&
	       trace->sas[sim->born[sim->n_born]].born == sim->tick) {
		uint32_t sa = sim->born[sim->n_born++];

		sim->alive[sa] = true;
		sim->living[sim->n_living++] = sa;
	}
}

/* Removes the SAs that end with this tick. Their slots are free for the decision. */
static void sim_deaths(struct sim *sim)
{
	const struct sim_trace *trace = sim->trace;
	uint32_t kept = 0;

	sim->died = sim->died ? sim->died + sim->n_died : trace->deaths;
	sim->n_died = 0;
	while (sim->died + sim->n_died < trace->deaths + trace->n_deaths &&
	       trace->sas[sim->died[sim->n_died]].gone == sim->tick) {
		uint32_t sa = sim->died[sim->n_died++];

		sim->used -= sim->resident[sa];
		sim->resident[sa] = sim->alive[sa] = false;
	}
	for (uint32_t i = 0; sim->n_died > 0 && i < sim->n_living; i++)
		if (sim->alive[sim->living[i]])
			sim->living[kept++] = sim->living[i];
	if (sim->n_died > 0)
		sim->n_living = kept;
}

/* Counts the bytes of the tick, by where the SAs are now. */
static void sim_account(struct sim *sim)
{
	const struct sim_trace *trace = sim->trace;
	struct sim_result *result = sim->result;

	for (uint32_t i = 0; i < sim->n_living; i++)
		sim->bytes[sim->living[i]] = 0;
	for (size_t r = trace->tick_rows[sim->tick]; r < trace->tick_rows[sim->tick + 1]; r++) {
		const struct sim_row *row = &trace->rows[r];
		struct sim_sa_result *sa = &result->sas[row->sa];

		sim->bytes[row->sa] = row->bytes;
		result->offered += row->bytes;
		sa->offered += row->bytes;
		if (sim->resident[row->sa]) {
			result->offloaded += row->bytes;
			sa->offloaded += row->bytes;
		}
	}
	for (uint32_t i = 0; i < sim->n_moved; i++)
		result->cost += sim->costs[sim->tick] + sim->options->migration_seconds *
								sim->bytes[sim->moved[i]] /
								trace->interval;
	sim->n_moved = 0;
	for (uint32_t i = 0; i < sim->n_living; i++)
		result->sas[sim->living[i]].ticks_resident += sim->resident[sim->living[i]];
	if (sim->tick > SIM_SETTLE_TICKS && result->offered > result->offloaded)
		result->worst_cost_share =
			fmax(result->worst_cost_share,
			     result->cost / (result->offered - result->offloaded));
}

static void sim_note_rekeys(struct sim *sim)
{
	sim->n_rekeyed = 0;
	for (uint32_t i = 0; i < sim->n_born; i++) {
		uint32_t *newest = &sim->newest[sim->trace->sas[sim->born[i]].lineage];

		if (*newest && sim->resident[*newest - 1])
			sim->rekeyed[sim->n_rekeyed++] = sim->born[i];
		*newest = sim->born[i] + 1;
	}
}

static void sim_count_rekeys(struct sim *sim)
{
	sim->result->rekeys_of_residents += sim->n_rekeyed;
	for (uint32_t i = 0; i < sim->n_rekeyed; i++)
		sim->result->rekeys_kept += sim->resident[sim->rekeyed[i]];
}

static int sim_ticks(struct sim *sim, const struct sim_policy *policy, void *state)
{
	const struct sim_trace *trace = sim->trace;

	for (sim->tick = 0; sim->tick < trace->n_ticks; sim->tick++) {
		int r;

		sim->now = trace->start + sim->tick * trace->interval;
		sim->tokens = fmin(sim->options->moves_burst,
				   sim->tokens + sim->options->moves_per_second * trace->interval);
		sim_births(sim);
		sim_account(sim);
		/* The effect of a last decision could not be counted. */
		if (sim->tick + 1 == trace->n_ticks)
			break;
		sim_note_rekeys(sim);
		sim_deaths(sim);
		r = policy->decide(sim, state);
		if (r < 0)
			return r;
		sim_count_rekeys(sim);
	}
	return 0;
}

static void result_finish(const struct sim *sim, struct sim_result *result)
{
	result->seconds = sim->trace->n_ticks * sim->trace->interval;
	result->net = result->offloaded - result->cost;
	for (uint32_t i = 0; i < sim->trace->n_sas; i++) {
		result->promotions += result->sas[i].promotions;
		result->evictions += result->sas[i].evictions;
	}
	if (result->seconds > 0)
		result->moves_per_hour =
			(double)(result->promotions + result->evictions) / result->seconds * 3600;
}

int sim_run(const struct sim_trace *trace, const struct sim_policy *policy,
	    const struct sim_options *options, struct sim_result *ret_result)
{
	struct sim_result result = {};
	struct sim sim = {.trace = trace, .options = options, .result = &result};
	void *state = NULL;
	int r = sim_init(&sim);

	if (r >= 0)
		r = policy->start(&sim, &state);
	if (r >= 0) {
		r = sim_ticks(&sim, policy, state);
		policy->stop(state);
	}
	sim_done(&sim);
	if (r < 0) {
		sim_result_done(&result);
		return r;
	}
	result_finish(&sim, &result);
	*ret_result = result;
	return 0;
}

void sim_result_done(struct sim_result *result)
{
	free(result->sas);
	*result = (struct sim_result){};
}
