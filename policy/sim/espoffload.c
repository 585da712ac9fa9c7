/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's policy in the harness: the same library, with the same input as in the daemon.
 */
#include "cleanup.h"
#include "sim/peers.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

struct espoffload {
	struct policy *policy;
	policy_table table;
	struct policy_table_config config; /* of the table */
	policy_sa *handles;                /* by SA of the trace */
	uint32_t *names;                   /* by handle */
	uint64_t *counters;                /* by SA of the trace */
};

void sim_espoffload_stop(void *state)
{
	struct espoffload *self = state;

	if (!self)
		return;
	policy_free(self->policy);
	free(self->handles);
	free(self->names);
	free(self->counters);
	free(self);
}

int sim_espoffload_start(const struct sim *sim, void **ret_state)
{
	const struct sim_options *options = sim->options;
	struct policy_parameters parameters =
		options->parameters ? *options->parameters : policy_parameters_default();
	struct policy_table_config config = {
		.capacity = options->capacity,
		.reserve = options->reserve,
		.moves_per_second = options->moves_per_second,
		.moves_burst = options->moves_burst,
		.migration_bytes = fmax(0, options->migration_bytes),
		.migration_seconds = options->migration_seconds,
	};
	struct espoffload *self = calloc(1, sizeof(*self));
	uint32_t n = sim->trace->n_sas + 1;
	int r;

	if (!self)
		return -ENOMEM;
	self->handles = calloc(n, sizeof(*self->handles));
	self->names = calloc(n, sizeof(*self->names));
	self->counters = calloc(n, sizeof(*self->counters));
	r = self->handles && self->names && self->counters ? 0 : -ENOMEM;
	if (r >= 0)
		r = policy_new(&parameters, &self->policy);
	if (r >= 0 && options->n_groups > 0)
		r = policy_set_groups(self->policy, options->groups, options->n_groups, 0);
	if (r >= 0)
		r = policy_table_add(self->policy, &config, &self->table);
	if (r < 0) {
		sim_espoffload_stop(self);
		return r;
	}
	self->config = config;
	*ret_state = self;
	return 0;
}

static int espoffload_add(struct espoffload *self, const struct sim *sim, uint32_t sa, double now)
{
	struct policy_sa_config config = {.weight = 1};
	uint32_t lineage = sim->trace->sas[sa].lineage;
	int r;

	if (sim->options->configure)
		sim->options->configure(sim->options->userdata, sa, &config);
	config.table = self->table;
	r = policy_sa_add(self->policy, &config, &lineage, sizeof(lineage), false, now,
			  &self->handles[sa]);
	if (r < 0)
		return r;
	self->names[self->handles[sa]] = sa;
	/* The SA was made in the tick that has ended, with counters of zero. */
	policy_sa_observe(self->policy, self->handles[sa], 0, 0, now);
	return 0;
}

/* As the daemon after each dump: from the rates of all SAs that carry something. */
static int espoffload_assume(struct espoffload *self, const struct sim *sim)
{
	double rate = 0;
	size_t n = 0;

	for (uint32_t i = 0; i < sim->n_living; i++) {
		struct policy_rate r = policy_sa_rate(self->policy, self->handles[sim->living[i]]);

		if (!r.known || r.mean <= 0)
			continue;
		rate += r.mean;
		n++;
	}
	self->config.migration_bytes =
		policy_assumed_migration_bytes(self->config.capacity, rate, n);
	return policy_table_configure(self->policy, self->table, &self->config);
}

int sim_espoffload_decide(struct sim *sim, void *state)
{
	struct espoffload *self = state;
	double before = sim->now - sim->trace->interval;
	bool is_dump = sim->options->dump_every <= 1 || sim->tick % sim->options->dump_every == 0;
	const struct policy_move *moves;
	size_t n_moves;

	for (uint32_t i = 0; i < sim->n_born; i++) {
		int r = espoffload_add(self, sim, sim->born[i], before);

		if (r < 0)
			return r;
	}
	for (uint32_t i = 0; i < sim->n_living; i++) {
		uint32_t sa = sim->living[i];

		self->counters[sa] += (uint64_t)sim->bytes[sa];
		if (is_dump || policy_sa_matters(self->policy, self->handles[sa]))
			policy_sa_observe(self->policy, self->handles[sa], self->counters[sa], 0,
					  sim->now);
	}
	/* After the births: a successor finds its predecessor, as it does in the daemon. */
	for (uint32_t i = 0; i < sim->n_died; i++)
		policy_sa_remove(self->policy, self->handles[sim->died[i]], sim->now);
	if (is_dump && sim->options->migration_bytes < 0 && espoffload_assume(self, sim) < 0)
		return -EINVAL;
	n_moves = policy_plan(self->policy, sim->now, &moves);
	for (size_t i = 0; i < n_moves; i++) {
		bool done =
			sim_move(sim, self->names[moves[i].sa], moves[i].action == POLICY_PROMOTE);

		policy_report(self->policy, moves[i].sa, done ? POLICY_DONE : POLICY_NO_SPACE,
			      sim->now);
	}
	return 0;
}
