/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The moves of a policy in a run, see run.h. No policy can exceed the capacity. */
#include "sim/run.h"

bool sim_move(struct sim *sim, uint32_t sa, bool promote)
{
	struct sim_sa_result *result = &sim->result->sas[sa];

	if (!sim->alive[sa] || sim->resident[sa] == promote)
		return false;
	if (promote && sim->used >= sim->options->capacity)
		return false;
	sim->resident[sa] = promote;
	sim->used += promote ? 1 : -1;
	sim->moved[sim->n_moved++] = sa;
	if (promote)
		result->promotions++;
	else
		result->evictions++;
	if (sim->options->on_move)
		sim->options->on_move(sim->options->userdata, sim->now, sa, promote);
	return true;
}

bool sim_move_paid(struct sim *sim, uint32_t sa, bool promote)
{
	if (sim->tokens < 1 || !sim_move(sim, sa, promote))
		return false;
	sim->tokens -= 1;
	return true;
}

bool sim_swap_paid(struct sim *sim, uint32_t in, uint32_t out)
{
	if (sim->tokens < 2 || !sim->alive[in] || sim->resident[in] || !sim->resident[out])
		return false;
	return sim_move_paid(sim, out, false) && sim_move_paid(sim, in, true);
}

bool sim_install(struct sim *sim, uint32_t sa)
{
	if (!sim->alive[sa] || sim->resident[sa] || sim->used >= sim->options->capacity)
		return false;
	sim->resident[sa] = true;
	sim->used++;
	return true;
}
