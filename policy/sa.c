/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SAs: adding and removing, samples, and the outcomes of moves.
 */
#include "state.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Outside this range, products of weights and rates might exceed the range of a double. */
#define WEIGHT_MIN 1e-9
#define WEIGHT_MAX 1e9
/* s. After this time without traffic an SA is treated like one that never had any. */
#define FORGET_SECONDS 3600.0

static struct sa *sa_get(const struct policy *policy, policy_sa handle)
{
	if (handle >= policy->n_sas || !policy->sas[handle].used)
		return NULL;
	return &policy->sas[handle];
}

static bool config_is_valid(const struct policy *policy, const struct policy_sa_config *config)
{
	return config->weight >= WEIGHT_MIN && config->weight <= WEIGHT_MAX &&
	       isfinite(config->min_rate) && config->min_rate >= 0 &&
	       (config->table == POLICY_NONE ||
		(config->table < policy->n_tables && policy->tables[config->table].used));
}

static struct sa_config sa_config_of(const struct policy_sa_config *config)
{
	return (struct sa_config){
		.weight = config->weight,
		.min_rate = config->min_rate,
		.table = config->table,
		.group = config->group <= POLICY_GROUPS_MAX ? (uint8_t)config->group : 0,
		.cpu_cost =
			config->cpu_cost <= POLICY_CPU_COSTS_MAX ? (uint8_t)config->cpu_cost : 0,
		.pinned = config->pinned,
		.banned = config->banned,
		.immovable = config->immovable,
	};
}

/* Reserves room in the heaps of the SA's table and group for one more. */
static int table_admit(struct policy *policy, const struct sa_config *config)
{
	struct group *group;
	uint32_t g = config->group <= policy->n_groups ? config->group : 0;

	if (config->table == POLICY_NONE)
		return 0;
	group = &policy->tables[config->table].groups[g];
	if (policy_heap_reserve(&group->residents, group->members + 1) < 0 ||
	    policy_heap_reserve(&group->outsiders, group->members + 1) < 0)
		return -ENOMEM;
	group->members++;
	return 0;
}

static void table_dismiss(struct policy *policy, const struct sa_config *config)
{
	uint32_t g = config->group <= policy->n_groups ? config->group : 0;

	if (config->table != POLICY_NONE)
		policy->tables[config->table].groups[g].members--;
}

/* Grows all arrays and heaps that have room for every SA, so that no memory is needed later. */
static int sas_grow(struct policy *policy)
{
	uint32_t allocated = policy->allocated ? 2 * policy->allocated : 64;
	struct sa *sas;
	struct policy_move *moves;

	if (policy->free_sa != POLICY_NONE || policy->n_sas < policy->allocated)
		return 0;
	for (uint32_t i = 0; i < policy->n_tables; i++) {
		struct table *table = &policy->tables[i];

		if (table->used && (policy_heap_reserve(&table->waiting, allocated) < 0 ||
				    policy_heap_reserve(&table->forced, allocated) < 0))
			return -ENOMEM;
	}
	/* The last plan is not valid after this call, so it is not copied. */
	moves = malloc(allocated * sizeof(*moves));
	if (!moves)
		return -ENOMEM;
	free(policy->moves);
	policy->moves = moves;
	sas = reallocarray(policy->sas, allocated, sizeof(*sas));
	if (!sas)
		return -ENOMEM;
	policy->sas = sas;
	policy->allocated = allocated;
	return 0;
}

static policy_sa sas_take(struct policy *policy)
{
	policy_sa handle = policy->free_sa;

	if (handle == POLICY_NONE)
		return policy->n_sas++;
	policy->free_sa = policy->sas[handle].partner;
	return handle;
}

int policy_sa_add(struct policy *policy, const struct policy_sa_config *config, const void *lineage,
		  size_t lineage_size, bool resident, double now, policy_sa *ret_sa)
{
	struct sa_config packed = sa_config_of(config);
	struct sa *sa;
	policy_sa handle;

	if (!config_is_valid(policy, config) || lineage_size < 1 || lineage_size > LINEAGE_SIZE_MAX)
		return -EINVAL;
	policy_clock(policy, now);
	if (sas_grow(policy) < 0 || table_admit(policy, &packed) < 0)
		return -ENOMEM;
	handle = sas_take(policy);
	sa = &policy->sas[handle];
	*sa = (struct sa){
		.config = packed,
		.moved = policy->now,
		.retry_at = -INFINITY,
		.placed = resident ? config->table : POLICY_NONE,
		.partner = POLICY_NONE,
		.lineage = policy_lineage_id(policy, lineage, lineage_size),
		.added = ++policy->n_added,
		.used = true,
		.resident = resident,
	};
	policy_lineage_join(policy, sa);
	sa->successor = sa->successor && !resident && !config->banned && !config->immovable;
	policy_book(policy, sa);
	*ret_sa = handle;
	return 0;
}

/* Separates the SA from its partner in a pending swap. */
static void sa_unlink(struct policy *policy, struct sa *sa)
{
	if (sa->partner != POLICY_NONE) {
		policy->tables[sa->placed].paired--;
		policy->sas[sa->partner].partner = POLICY_NONE;
		sa->partner = POLICY_NONE;
	}
}

void policy_sa_remove(struct policy *policy, policy_sa handle, double now)
{
	struct sa *sa = sa_get(policy, handle);

	if (!sa)
		return;
	policy_clock(policy, now);
	policy_lineage_disown(policy, sa);
	policy_unbook(policy, sa);
	sa_unlink(policy, sa);
	policy_lineage_leave(policy, sa);
	table_dismiss(policy, &sa->config);
	*sa = (struct sa){.partner = policy->free_sa};
	policy->free_sa = handle;
}

int policy_sa_configure(struct policy *policy, policy_sa handle,
			const struct policy_sa_config *config, double now)
{
	struct sa_config packed = sa_config_of(config);
	struct sa *sa = sa_get(policy, handle);

	if (!sa)
		return -ENOENT;
	if (!config_is_valid(policy, config))
		return -EINVAL;
	policy_clock(policy, now);
	if (table_admit(policy, &packed) < 0)
		return -ENOMEM;
	policy_unbook(policy, sa);
	table_dismiss(policy, &sa->config);
	if (sa->config.table != config->table || config->banned || config->immovable)
		sa->successor = false;
	sa->config = packed;
	policy_book(policy, sa);
	return 0;
}

static void sa_settle(struct policy *policy, struct sa *sa, bool resident)
{
	sa->resident = resident;
	sa->pending = PENDING_NONE;
	if (!resident) {
		sa->placed = POLICY_NONE;
		sa_forgive(sa);
		return;
	}
	if (sa->placed == POLICY_NONE)
		sa->placed = sa->config.table;
	sa->successor = false;
	/* So that its successor is promoted at once. */
	if (!sa->heat)
		policy_heat_new(policy, sa, policy->now);
}

void policy_sa_set_resident(struct policy *policy, policy_sa handle, bool resident, double now)
{
	struct sa *sa = sa_get(policy, handle);

	if (!sa || (sa->resident == resident && sa->pending == PENDING_NONE))
		return;
	policy_clock(policy, now);
	policy_unbook(policy, sa);
	sa_unlink(policy, sa);
	policy_compare_end(sa);
	if (sa->resident != resident) {
		sa_set_moved(sa, policy->now);
		sa_restart_ledger(sa, policy->now);
	}
	sa_settle(policy, sa, resident);
	policy_book(policy, sa);
}

void policy_sa_made_worse(struct policy *policy, policy_sa handle, double now)
{
	struct sa *sa = sa_get(policy, handle);

	if (!sa || !sa->resident)
		return;
	policy_clock(policy, now);
	sa->made_worse = true;
	policy_requeue(policy, sa);
}

static void sa_baseline(struct policy *policy, struct sa *sa, uint64_t bytes, uint64_t packets)
{
	sa->bytes = bytes;
	sa->packets = packets;
	sa->sampled = policy->now;
	sa->sampled_once = true;
}

/* Whether a sample without traffic leaves the rate unknown. */
static bool silence_is_unknown(struct policy *policy, struct sa *sa)
{
	const struct table *table;

	/* A successor that may not be in use yet. */
	if (policy->now < sa_heat(sa)->inherited)
		return true;
	/* A resident in a NIC that may not count traffic. */
	if (!sa->resident || sa->placed == POLICY_NONE)
		return false;
	table = &policy->tables[sa->placed];
	if (table->counting || policy->now - sa_moved_at(sa) >= BLIND_SECONDS)
		return false;
	sa->known = false;
	return true;
}

/* The table of which the driver counts the traffic of the SA, or NULL. */
static struct table *counting_table(struct policy *policy, const struct sa *sa)
{
	return sa->resident && sa->placed != POLICY_NONE ? &policy->tables[sa->placed] : NULL;
}

/* A driver may refresh the counters only every few seconds (none of Linux 7.3 does in crypto mode).
 * Then a steady SA looks like one with bursts: its rate seems to be 0, or several times what it is.
 * The lag is learned from the time between two changes of a counter. Without a lag, the counter of
 * a steady SA changes with each sample. Until it is known whether there is a lag, the longest is
 * assumed. */
static void learn_lag(struct policy *policy, struct table *table, const struct sa *sa,
		      double previous)
{
	double gap = policy->now - sa->heat->changed;

	if (sa->heat->changed <= sa_moved_at(sa))
		return;
	if (sa->heat->changed >= previous) {
		table->lag = 0;
		table->lag_changes = 0;
		table->lag_known = true;
		return;
	}
	if (table->lag > 0)
		table->lag = fmin(table->lag, gap);
	table->lag_least = table->lag_changes > 0 ? fmin(table->lag_least, gap) : gap;
	if (++table->lag_changes < LAG_CHANGES)
		return;
	table->lag = table->lag_least <= LAG_SECONDS_MAX ? table->lag_least : 0;
	table->lag_changes = 0;
	table->lag_known = true;
}

/* Whether the driver may not have refreshed the counter since the last sample. */
static bool is_late(struct policy *policy, const struct sa *sa)
{
	const struct table *table = counting_table(policy, sa);

	return table && table->lag > 0 && sa->heat &&
	       policy->now - fmax(sa->heat->changed, sa_moved_at(sa)) < LAG_SILENCE * table->lag;
}

/* A sample of zero of an SA whose counter may be late. The next change of the counter counts for
 * the whole time since the last one. While the lag is only assumed, an SA that has stopped must be
 * found out nevertheless. */
static void sa_await_counter(struct policy *policy, struct sa *sa)
{
	const struct table *table = &policy->tables[sa->placed];

	if (!table->counting && sa->known) {
		sa->known = false;
		policy_requeue(policy, sa);
	}
	if (!table->lag_known && sa->heat->comparison)
		policy_compare_sample(policy, sa, 0);
	sa->heat->seen = policy->now;
}

/* `previous`: time of the sample before this one. */
static void sa_note_traffic(struct policy *policy, struct sa *sa, double previous)
{
	struct table *table = counting_table(policy, sa);

	sa->heat->inherited = 0;
	if (table && sa->sampled >= sa->moved) {
		table->counting = true;
		learn_lag(policy, table, sa, previous);
	}
	sa->heat->changed = policy->now;
}

/* A resident promoted by speculation earns the bytes that it carries above the rate of its
 * victim. */
static void sa_earn(struct sa *sa, double x, double dt)
{
	struct heat *heat = sa->heat;

	if (!sa->resident || sa->placed == POLICY_NONE || heat->debt <= 0)
		return;
	heat->earned += (sa_weight(sa) * x - heat->victim) * dt;
	if (heat->earned < heat->debt)
		return;
	heat->debt = 0;
	heat->trust = fmin(1, 2 * heat->trust);
}

/* `x` bytes/s in `packets` packets/s. */
static void sa_sample(struct policy *policy, struct sa *sa, double x, double packets, double dt)
{
	struct table *table = policy_table_of(policy, sa);
	struct heat *heat = sa->heat;
	double mean = heat->rate.mean;

	if (!sa->resident)
		heat->accrued += x * dt;
	policy_pace(&policy->pace, &policy->parameters, dt);
	if (policy_rate_update(&heat->rate, &policy->parameters, &policy->pace, x,
			       sa->config.cpu_cost > 0 ? packets : 0)) {
		heat->born = policy->now - dt;
		heat->accrued = sa->resident ? 0 : x * dt;
	}
	policy_forecast(table ? &table->persistence : &policy->persistence, &heat->rate,
			&policy->parameters, &policy->pace, x,
			table ? table->outlook : policy->parameters.outlook,
			table ? table->price / sa_weight(sa) : 0);
	sa_earn(sa, x, dt);
	sa->known = true;
	if (sa->placed != POLICY_NONE && sa->pending != PENDING_EVICT)
		policy->tables[sa->placed].rate += heat->rate.mean - mean;
	policy_requeue(policy, sa);
}

/* The first sample, of an SA without heat: zero. */
static void sa_sample_idle(struct policy *policy, struct sa *sa)
{
	sa->known = true;
	policy_requeue(policy, sa);
}

/* Returns false when there is no memory for the rate. A sample of zero needs none. */
static bool sa_has_room(struct policy *policy, struct sa *sa, uint64_t carried)
{
	if (!sa->heat && (carried > 0 || sa->resident))
		policy_heat_new(policy, sa, sa->moved);
	return sa->heat || carried == 0;
}

/* No decision depends on the heat of this idle SA any more. */
static bool sa_is_forgotten(const struct policy *policy, const struct sa *sa)
{
	const struct heat *heat = sa->heat;

	return !sa->resident && !sa->successor && !heat->comparison && heat->refusals == 0 &&
	       heat->trust >= 1 && policy->now - heat->born >= FORGET_SECONDS;
}

static void sa_stays_idle(struct policy *policy, struct sa *sa)
{
	sa->sampled = policy->now;
	if (!sa->heat)
		return;
	sa->heat->rate.last = 0;
	if (sa_is_forgotten(policy, sa))
		policy_heat_forget(policy, sa);
}

static void sa_observe(struct policy *policy, struct sa *sa, uint64_t bytes, uint64_t packets)
{
	double dt = policy->now - sa->sampled;
	double previous = sa->heat ? fmax(sa->heat->seen, sa->sampled) : sa->sampled;
	uint64_t carried;

	if (!sa->sampled_once) {
		sa_baseline(policy, sa, bytes, packets);
		return;
	}
	if (dt < SAMPLE_SECONDS_MIN)
		return;
	if (bytes < sa->bytes || packets < sa->packets ||
	    !sa_has_room(policy, sa, bytes - sa->bytes)) {
		sa->known = false;
		sa_baseline(policy, sa, bytes, packets);
		policy_requeue(policy, sa);
		return;
	}
	carried = bytes - sa->bytes;
	if (carried == 0 && is_late(policy, sa)) {
		sa_await_counter(policy, sa);
		return;
	}
	/* The others may be sampled less often. */
	if (policy_sa_matters(policy, policy_sa_handle(policy, sa)))
		policy->interval = policy->now - previous;
	policy_compare_sample(policy, sa, (double)carried);
	if (carried > 0) {
		sa_note_traffic(policy, sa, previous);
	} else if (silence_is_unknown(policy, sa)) {
		sa->sampled = policy->now;
		policy_requeue(policy, sa);
		return;
	} else if (sa->known && policy_rate_is_idle(&sa_heat(sa)->rate)) {
		sa_stays_idle(policy, sa);
		return;
	}
	if (sa->heat)
		sa_sample(policy, sa, (double)carried / dt, (double)(packets - sa->packets) / dt,
			  dt);
	else
		sa_sample_idle(policy, sa);
	sa_baseline(policy, sa, bytes, packets);
}

/* Whether it carried nothing before and carried nothing now, so that no decision can change. */
static bool sa_rests(const struct sa *sa, uint64_t bytes, uint64_t packets)
{
	return !sa->heat && sa->known && !sa->resident && !sa->successor &&
	       sa->pending == PENDING_NONE && bytes == sa->bytes && packets == sa->packets;
}

bool policy_sa_observe(struct policy *policy, policy_sa handle, uint64_t bytes, uint64_t packets,
		       double now)
{
	struct sa *sa = sa_get(policy, handle);

	if (!sa)
		return false;
	policy_clock(policy, now);
	if (sa_rests(sa, bytes, packets)) {
		if (policy->now - sa->sampled >= SAMPLE_SECONDS_MIN)
			sa->sampled = policy->now;
		return false;
	}
	sa_observe(policy, sa, bytes, packets);
	return true;
}

/* The SAs that are certainly in the table. */
static uint32_t table_confirmed(const struct policy *policy, policy_table handle)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < policy->n_sas; i++)
		n += policy->sas[i].used && policy->sas[i].resident &&
		     policy->sas[i].placed == handle;
	return n;
}

static void table_learn_full(struct policy *policy, policy_table handle)
{
	struct table *table = &policy->tables[handle];
	bool probed = table->probing;

	table->learned = table_confirmed(policy, handle);
	table->probing = false;
	table->probe_wait = probed ? fmin(WAIT_SECONDS_MAX, 2 * table->probe_wait) : PROBE_SECONDS;
	table->probe_at = policy->now + table->probe_wait;
}

/* If a probe found a slot, the next one is probed at once, until there is none or the configured
 * capacity is reached. */
static void table_learn_space(struct policy *policy, policy_table handle)
{
	struct table *table = &policy->tables[handle];
	uint32_t confirmed;

	if (!table->probing)
		return;
	confirmed = table_confirmed(policy, handle);
	if (confirmed <= table->learned)
		return;
	table->learned = confirmed < table->config.capacity ? confirmed : UINT32_MAX;
	table->probing = false;
	table->probe_wait = PROBE_SECONDS;
	table->probe_at = policy->now;
}

static void table_wait(struct policy *policy, struct table *table)
{
	/* Other promotions of the same plan find the same. */
	if (policy->now >= table->left_until) {
		table->left_wait = table->left_wait > 0
					   ? fmin(LEFT_WAIT_SECONDS_MAX, 2 * table->left_wait)
					   : LEFT_WAIT_SECONDS;
		table->left_until = policy->now + table->left_wait;
	}
}

static void report_promotion(struct policy *policy, struct sa *sa, enum policy_outcome outcome)
{
	policy_table table = sa->placed;

	sa_settle(policy, sa, outcome == POLICY_DONE || outcome == POLICY_PRETENDED);
	sa->successor = false;
	switch (outcome) {
	case POLICY_DONE:
	case POLICY_PRETENDED:
		if (outcome == POLICY_DONE)
			policy_compare_begin(policy, sa);
		sa_set_moved(sa, policy->now);
		table_learn_space(policy, table);
		policy->tables[table].left_wait = 0;
		break;
	case POLICY_REFUSED:
		policy_sa_back_off(policy, sa);
		break;
	case POLICY_NO_SPACE:
		table_learn_full(policy, table);
		sa->retry_at = policy->now + FAILED_WAIT_SECONDS;
		break;
	case POLICY_NOT_YET:
		table_wait(policy, &policy->tables[table]);
		sa->retry_at = policy->tables[table].left_until;
		break;
	case POLICY_FAILED:
		sa->retry_at = policy->now + FAILED_WAIT_SECONDS;
		break;
	}
}

static void report_eviction(struct policy *policy, struct sa *sa, enum policy_outcome outcome)
{
	bool done = outcome == POLICY_DONE || outcome == POLICY_PRETENDED;

	sa_settle(policy, sa, !done);
	if (!done) {
		sa->retry_at = policy->now + FAILED_WAIT_SECONDS;
		return;
	}
	sa_set_moved(sa, policy->now);
	policy_compare_evicted(policy, sa);
	/* An SA that leaves without a fault counts as evidence for the NIC: earlier refusals are
	 * cleared. */
	if (sa->made_worse)
		policy_sa_back_off(policy, sa);
	else if (sa->heat && !sa->heat->comparison)
		sa->heat->refusals = 0;
}

void policy_report(struct policy *policy, policy_sa handle, enum policy_outcome outcome, double now)
{
	struct sa *sa = sa_get(policy, handle);
	enum pending pending;

	if (!sa || sa->pending == PENDING_NONE)
		return;
	policy_clock(policy, now);
	pending = sa->pending;
	policy_unbook(policy, sa);
	sa_unlink(policy, sa);
	if (pending == PENDING_PROMOTE)
		report_promotion(policy, sa, outcome);
	else
		report_eviction(policy, sa, outcome);
	policy_book(policy, sa);
}
