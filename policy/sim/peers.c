/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policies for comparison: what other programs do, and simple algorithms.
 *
 * first-come is what IKE daemons do ("static" in docs/policy.md): an SA gets a slot when it is
 * negotiated, if one is free, and keeps it. ovs-rebalance is Open vSwitch's
 * other_config:offload-rebalance. The others are textbook algorithms. All except first-come spend
 * the same tokens as the daemon's policy.
 */
#include "sim/peers.h"
#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct peer {
	double *score;    /* by SA */
	uint32_t *inside; /* sorted */
	uint32_t *outside;
	uint32_t n_inside;
	uint32_t n_outside;
	uint32_t ticks;
};

static void peer_stop(void *state)
{
	struct peer *peer = state;

	free(peer->score);
	free(peer->inside);
	free(peer->outside);
	free(peer);
}

static int peer_start(const struct sim *sim, void **ret_state)
{
	struct peer *peer = calloc(1, sizeof(*peer));
	uint32_t n = sim->trace->n_sas + 1;

	if (!peer)
		return -ENOMEM;
	peer->score = calloc(n, sizeof(*peer->score));
	peer->inside = calloc(n, sizeof(*peer->inside));
	peer->outside = calloc(n, sizeof(*peer->outside));
	if (!peer->score || !peer->inside || !peer->outside) {
		peer_stop(peer);
		return -ENOMEM;
	}
	*ret_state = peer;
	return 0;
}

static int compare_scores(const void *a, const void *b, void *userdata)
{
	const double *score = userdata;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (score[x] != score[y])
		return score[x] < score[y] ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int compare_scores_down(const void *a, const void *b, void *userdata)
{
	return compare_scores(b, a, userdata);
}

/* Sorts residents from the coldest, and outsiders with a score from the hottest. */
static void peer_sort(const struct sim *sim, struct peer *peer)
{
	peer->n_inside = peer->n_outside = 0;
	for (uint32_t i = 0; i < sim->n_living; i++) {
		uint32_t sa = sim->living[i];

		if (sim->resident[sa])
			peer->inside[peer->n_inside++] = sa;
		else if (peer->score[sa] > 0)
			peer->outside[peer->n_outside++] = sa;
	}
	qsort_r(peer->inside, peer->n_inside, sizeof(uint32_t), compare_scores, peer->score);
	qsort_r(peer->outside, peer->n_outside, sizeof(uint32_t), compare_scores_down, peer->score);
}

/* Fills free slots, then swaps pairwise while the outsider is `factor` times hotter. */
static void peer_exchange(struct sim *sim, struct peer *peer, double factor)
{
	uint32_t out = 0;

	peer_sort(sim, peer);
	while (out < peer->n_outside && sim_move_paid(sim, peer->outside[out], true))
		out++;
	for (uint32_t in = 0; in < peer->n_inside && out < peer->n_outside; in++, out++)
		if (peer->score[peer->outside[out]] <= factor * peer->score[peer->inside[in]] ||
		    !sim_swap_paid(sim, peer->outside[out], peer->inside[in]))
			break;
}

static int first_come(struct sim *sim, void *state)
{
	for (uint32_t i = 0; i < sim->n_born; i++)
		(void)sim_install(sim, sim->born[i]);
	return 0;
}

/* Every 3 s, by the rate of these 3 s. Only a full table is rebalanced, without hysteresis. */
static int ovs_rebalance(struct sim *sim, void *state)
{
	struct peer *peer = state;
	uint32_t period = (uint32_t)fmax(1, round(3 / sim->trace->interval));

	for (uint32_t i = 0; i < sim->n_living; i++)
		peer->score[sim->living[i]] += sim->bytes[sim->living[i]];
	if (sim->used < sim->options->capacity) {
		peer_sort(sim, peer);
		for (uint32_t i = 0; i < peer->n_outside; i++)
			if (!sim_move_paid(sim, peer->outside[i], true))
				break;
	}
	if (++peer->ticks % period == 0) {
		peer_exchange(sim, peer, 1);
		for (uint32_t i = 0; i < sim->n_living; i++)
			peer->score[sim->living[i]] = 0;
	}
	return 0;
}

/* The hottest of the last sample. */
static int top_k(struct sim *sim, void *state)
{
	struct peer *peer = state;

	for (uint32_t i = 0; i < sim->n_living; i++)
		peer->score[sim->living[i]] = sim->bytes[sim->living[i]];
	peer_exchange(sim, peer, 1);
	return 0;
}

static void ewma(struct sim *sim, struct peer *peer, double half_life, double factor)
{
	double gain = 1 - exp2(-sim->trace->interval / half_life);

	for (uint32_t i = 0; i < sim->n_living; i++) {
		uint32_t sa = sim->living[i];

		peer->score[sa] += gain * (sim->bytes[sa] - peer->score[sa]);
	}
	peer_exchange(sim, peer, factor);
}

static int ewma_quick(struct sim *sim, void *state)
{
	ewma(sim, state, 5, 1.2);
	return 0;
}

static int ewma_calm(struct sim *sim, void *state)
{
	ewma(sim, state, 15, 1.3);
	return 0;
}

/* SAs that send are promoted. The SA that has been silent longest is evicted; among equals, the
 * oldest. */
static int lru(struct sim *sim, void *state)
{
	struct peer *peer = state;
	uint32_t in = 0, n = 0;

	for (uint32_t i = 0; i < sim->n_living; i++) {
		uint32_t sa = sim->living[i];

		if (sim->bytes[sa] > 0)
			peer->score[sa] = sim->tick + 1;
	}
	peer_sort(sim, peer);
	for (uint32_t i = 0; i < peer->n_outside; i++)
		if (sim->bytes[peer->outside[i]] > 0)
			peer->outside[n++] = peer->outside[i];
	for (uint32_t i = 0; i < n; i++) {
		if (sim_move_paid(sim, peer->outside[i], true))
			continue;
		/* Stop when there is no resident left to evict, or no token. */
		if (in == peer->n_inside || !sim_swap_paid(sim, peer->outside[i], peer->inside[in]))
			break;
		in++;
	}
	return 0;
}

const struct sim_policy sim_policies[] = {
	{"espoffload", "what the daemon does", sim_espoffload_start, sim_espoffload_decide,
	 sim_espoffload_stop},
	{"first-come", "what IKE daemons do: a slot at negotiation, for life", peer_start,
	 first_come, peer_stop},
	{"ovs-rebalance", "Open vSwitch's offload-rebalance", peer_start, ovs_rebalance, peer_stop},
	{"top-k", "the hottest of the last sample", peer_start, top_k, peer_stop},
	{"ewma-hysteresis", "average with a half-life of 5 s, swap when 1.2 times hotter",
	 peer_start, ewma_quick, peer_stop},
	{"ewma-calm", "average with a half-life of 15 s, swap when 1.3 times hotter", peer_start,
	 ewma_calm, peer_stop},
	{"lru", "whoever sends, in place of the longest silent", peer_start, lru, peer_stop},
	{},
};

const struct sim_policy *sim_policy_find(const char *name)
{
	for (const struct sim_policy *policy = sim_policies; policy->name; policy++)
		if (strcmp(policy->name, name) == 0)
			return policy;
	return NULL;
}
