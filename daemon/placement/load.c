// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/load.h"

void load_begin(struct load *load, struct nics *nics)
{
	load->gathered = (struct load_sums){};
	for (size_t i = 0; i < nics_count(nics); i++)
		nics_at(nics, i)->gathered = (struct nic_load){};
}

/* Foreign SAs do not compete. */
static void add_competitor(struct nics *nics, const struct sa *sa, double rate)
{
	struct placement_nic *n =
		sa->candidate.ifindex ? nics_get(nics, sa->candidate.ifindex) : NULL;
	bool in = sa->description.direction == SA_DIRECTION_IN;

	if (!n || sa->residence.foreign)
		return;
	*(in ? &n->gathered.rate_in : &n->gathered.rate_out) += rate;
	*(in ? &n->gathered.competing_in : &n->gathered.competing_out) += 1;
}

void load_add(struct load *load, struct nics *nics, const struct sa *sa, double rate, double weight)
{
	struct placement_nic *holder =
		sa->residence.ifindex ? nics_get(nics, sa->residence.ifindex) : NULL;

	load->gathered.all += rate;
	if (sa->residence.ifindex != 0)
		load->gathered.offloaded += rate;
	if (holder)
		holder->gathered.carried += rate;
	add_competitor(nics, sa, weight * rate);
}

void load_end(struct load *load, struct nics *nics)
{
	load->sums = load->gathered;
	for (size_t i = 0; i < nics_count(nics); i++)
		nics_at(nics, i)->load = nics_at(nics, i)->gathered;
}
