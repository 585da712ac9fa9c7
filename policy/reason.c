/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reason why an SA is where it is. It is derived from the state on request, with the rules and
 * numbers of the planner, so that nothing has to be recorded while planning.
 */
#include "cleanup.h"
#include "state.h"

#include <assert.h>
#include <math.h>

static const struct {
	const char *name;
	const char *text;
	bool lasting;
} reasons[] = {
	[POLICY_REASON_NO_TABLE] = {"no-table", "there is no NIC table it may use"},
	[POLICY_REASON_BANNED] = {"banned", "a rule keeps it in software", true},
	[POLICY_REASON_PINNED] = {"pinned", "a rule keeps it in the NIC"},
	[POLICY_REASON_IMMOVABLE] = {"immovable", "it is not touched"},
	[POLICY_REASON_IDLE] = {"idle", "it carries nothing"},
	[POLICY_REASON_UNKNOWN_RATE] = {"unknown-rate", "its rate is not known yet"},
	[POLICY_REASON_BELOW_MINIMUM] = {"below-minimum",
					 "it is below the minimum rate of its rule"},
	[POLICY_REASON_FREE_SLOT] = {"free-slot", "a slot is free"},
	[POLICY_REASON_HOTTER] = {"hotter", "it is hotter than the coldest SA in the NIC"},
	[POLICY_REASON_COLDER] = {"colder", "it made room for a hotter SA"},
	[POLICY_REASON_GAIN_TOO_SMALL] = {"gain-too-small",
					  "it is hotter than the coldest SA in the NIC, but not by "
					  "enough to pay for the move"},
	[POLICY_REASON_NOT_HOT_ENOUGH] = {"not-hot-enough",
					  "it is colder than every SA it could displace"},
	[POLICY_REASON_MOVES_SPENT] = {"moves-spent",
				       "it is worth a move, but the budget of moves is spent"},
	[POLICY_REASON_DWELLING] = {"dwelling", "it was moved a moment ago"},
	[POLICY_REASON_REFUSED] = {"refused", "the driver refused it, it waits before another try",
				   true},
	[POLICY_REASON_SUCCESSOR] = {"successor", "it took over from an SA that was in the NIC"},
	[POLICY_REASON_NO_LONGER_ALLOWED] = {"no-longer-allowed",
					     "it is in a NIC it may not use any more"},
	[POLICY_REASON_OVER_CAPACITY] = {"over-capacity", "the table holds more than it should"},
	[POLICY_REASON_RATE_CEILING] = {"rate-ceiling", "the NIC carries its maximum rate"},
	[POLICY_REASON_RESIDENT] = {"resident", "it is hot enough to stay"},
	[POLICY_REASON_SUPERSEDED] = {"superseded", "its successor took over the traffic"},
	[POLICY_REASON_GROUP_FLOOR] = {"group-floor",
				       "its group has fewer slots than it is promised"},
	[POLICY_REASON_GROUP_CEILING] = {"group-ceiling",
					 "its group has all the slots it may have"},
	[POLICY_REASON_MADE_WORSE] = {"made-worse",
				      "the NIC served it worse than software, it waits before "
				      "another try"},
	[POLICY_REASON_DOUBTED] = {"doubted",
				   "it carries less in the NIC than it did in software; there it "
				   "is seen whether that is the NIC's doing"},
};
static_assert(ELEMENTSOF(reasons) == _POLICY_REASON_MAX, "every reason has a name");

const char *policy_reason_name(enum policy_reason reason)
{
	return reason < _POLICY_REASON_MAX ? reasons[reason].name : "unknown";
}

const char *policy_reason_text(enum policy_reason reason)
{
	return reason < _POLICY_REASON_MAX ? reasons[reason].text : "unknown";
}

bool policy_reason_is_lasting(enum policy_reason reason)
{
	return reason < _POLICY_REASON_MAX && reasons[reason].lasting;
}

static double tokens_in(const struct policy *policy, const struct table *table, bool swap)
{
	const struct bucket *bucket = policy_bucket_of(policy, table);
	double moves = swap && bucket->moves_burst >= 2 ? 2 : 1;

	if (bucket->moves_per_second <= 0 || bucket->moves_burst < moves)
		return INFINITY;
	return fmax(0, (moves - policy_table_tokens(policy, table)) / bucket->moves_per_second);
}

/* `price`: weighted bytes/s, above which the SA is worth more than `other`. */
static void show_other(const struct policy *policy, const struct sa *sa, const struct sa *other,
		       double price, struct policy_sa_view *view)
{
	view->other = policy_sa_handle(policy, other);
	view->boundary = price / sa_weight(sa);
}

/* Puts the best swap that is possible for an outsider into the view. Returns its reason. */
static enum policy_reason explain_candidate(const struct policy *policy, const struct table *table,
					    const struct sa *sa, struct policy_sa_view *view)
{
	uint32_t group = policy_sa_group(policy, sa);
	bool free = policy_table_has_slot(table) && !policy_group_is_full(policy, table, group);
	const struct sa *victim = free ? NULL : policy_victim_for(policy, table, group);
	double price = victim ? sa_high(victim) : 0, surplus;

	if (!free && !victim)
		return policy_group_is_full(policy, table, group) ? POLICY_REASON_GROUP_CEILING
								  : POLICY_REASON_NOT_HOT_ENOUGH;
	if (victim)
		show_other(policy, sa, victim, price, view);
	view->threshold = victim ? sa_heat(victim)->rate.high : 0;
	view->cost = policy_cost(table, sa) + (victim ? policy_cost(table, victim) : 0);
	view->gain = policy_gain(policy, table, sa, price, view->cost, &surplus);
	view->needed = view->gain - surplus;
	if (victim && sa_low(sa) <= price)
		return POLICY_REASON_NOT_HOT_ENOUGH;
	if (surplus <= 0) {
		view->moves_in = policy_pays_in(policy, sa, price, view->needed);
		return POLICY_REASON_GAIN_TOO_SMALL;
	}
	if (!policy_table_can_carry(table, sa, victim))
		return POLICY_REASON_RATE_CEILING;
	view->moves_in = tokens_in(policy, table, victim);
	if (!policy_table_can_pay(policy, table, victim))
		return POLICY_REASON_MOVES_SPENT;
	return victim ? POLICY_REASON_HOTTER : POLICY_REASON_FREE_SLOT;
}

static enum policy_reason explain_outsider(const struct policy *policy, const struct sa *sa,
					   double now, struct policy_sa_view *view)
{
	const struct table *table = policy_table_of(policy, sa);

	if (sa->config.banned)
		return POLICY_REASON_BANNED;
	if (sa->config.immovable)
		return POLICY_REASON_IMMOVABLE;
	view->moves_in = fmax(0, policy_sa_ready_at(policy, sa) - now);
	if (sa->retry_at > now && sa_comparison_stage(sa) == COMPARISON_RETURNED)
		return POLICY_REASON_DOUBTED;
	if (sa->retry_at > now && sa->made_worse)
		return POLICY_REASON_MADE_WORSE;
	if (sa->retry_at > now && sa_heat(sa)->refusals > 0)
		return POLICY_REASON_REFUSED;
	if (sa->config.pinned)
		return POLICY_REASON_PINNED;
	if (sa->successor)
		return POLICY_REASON_SUCCESSOR;
	if (policy_sa_is_candidate(sa) && policy_sa_ready_at(policy, sa) > now)
		return POLICY_REASON_DWELLING;
	view->moves_in = INFINITY;
	if (!sa->known)
		return POLICY_REASON_UNKNOWN_RATE;
	if (sa_heat(sa)->rate.mean <= 0)
		return POLICY_REASON_IDLE;
	if (!policy_sa_is_candidate(sa))
		return POLICY_REASON_BELOW_MINIMUM;
	return explain_candidate(policy, table, sa, view);
}

/* Compares the resident with the outsider that has the highest lower band. */
static void explain_rival(const struct policy *policy, const struct table *table,
			  const struct sa *sa, double now, struct policy_sa_view *view)
{
	const struct heap_node *hottest = NULL;
	const struct sa *rival;
	double surplus;

	for (uint32_t g = 0; g <= policy->n_groups; g++) {
		const struct heap *outsiders = &table->groups[g].outsiders;

		if (outsiders->n > 0 && (!hottest || outsiders->nodes[0].key < hottest->key))
			hottest = &outsiders->nodes[0];
	}
	if (!hottest)
		return;
	rival = &policy->sas[hottest->id];
	show_other(policy, sa, rival, sa_low(rival), view);
	view->threshold = sa_heat(rival)->rate.low;
	view->cost = policy_cost(table, rival) + policy_cost(table, sa);
	view->gain = policy_gain(policy, table, rival, sa_high(sa), view->cost, &surplus);
	view->needed = view->gain - surplus;
	if (sa_low(rival) <= sa_high(sa))
		return;
	view->moves_in =
		fmax(policy_sa_ready_at(policy, sa) - now,
		     surplus > 0 ? tokens_in(policy, table, true)
				 : policy_pays_in(policy, rival, sa_high(sa), view->needed));
	view->moves_in = fmax(0, view->moves_in);
}

/* It leaves whatever the rates are. */
static enum policy_reason explain_leaving(const struct policy *policy, const struct sa *sa,
					  double now, enum policy_reason reason,
					  struct policy_sa_view *view)
{
	view->moves_in = fmax(0, policy_sa_ready_at(policy, sa) - now);
	return reason;
}

static enum policy_reason explain_resident(const struct policy *policy, const struct sa *sa,
					   double now, struct policy_sa_view *view)
{
	if (sa->config.immovable)
		return POLICY_REASON_IMMOVABLE;
	if (sa->config.banned)
		return explain_leaving(policy, sa, now, POLICY_REASON_BANNED, view);
	if (sa->config.table != sa->placed)
		return explain_leaving(policy, sa, now, POLICY_REASON_NO_LONGER_ALLOWED, view);
	if (sa->config.pinned)
		return POLICY_REASON_PINNED;
	explain_rival(policy, policy_table_of(policy, sa), sa, now, view);
	if (sa->made_worse)
		return explain_leaving(policy, sa, now, POLICY_REASON_MADE_WORSE, view);
	if (policy_sa_is_doubted(sa))
		return explain_leaving(policy, sa, now, POLICY_REASON_DOUBTED, view);
	if (policy_sa_is_superseded(sa))
		return explain_leaving(policy, sa, now, POLICY_REASON_SUPERSEDED, view);
	if (!sa->known) {
		view->moves_in = INFINITY;
		return POLICY_REASON_UNKNOWN_RATE;
	}
	return sa_heat(sa)->rate.mean > 0 ? POLICY_REASON_RESIDENT : POLICY_REASON_IDLE;
}

static enum policy_reason explain(const struct policy *policy, const struct sa *sa, double now,
				  struct policy_sa_view *view)
{
	if (!policy_table_of(policy, sa))
		return sa->config.immovable ? POLICY_REASON_IMMOVABLE : POLICY_REASON_NO_TABLE;
	if (sa->pending != PENDING_NONE) {
		view->moves_in = 0;
		return sa->pending_reason;
	}
	if (sa->resident)
		return explain_resident(policy, sa, now, view);
	return explain_outsider(policy, sa, now, view);
}

struct policy_rate policy_sa_rate(const struct policy *policy, policy_sa handle)
{
	const struct sa *sa;

	if (handle >= policy->n_sas || !policy->sas[handle].used)
		return (struct policy_rate){};
	sa = &policy->sas[handle];
	return (struct policy_rate){
		.known = sa->known,
		.mean = sa_heat(sa)->rate.mean,
		.last = sa_heat(sa)->rate.last,
		.cpu_weight = sa_heat(sa)->cpu_weight,
	};
}

void policy_sa_get(const struct policy *policy, policy_sa handle, double now,
		   struct policy_sa_view *ret_view)
{
	const struct sa *sa;
	struct policy_sa_view view = {};

	if (handle >= policy->n_sas || !policy->sas[handle].used)
		return;
	sa = &policy->sas[handle];
	now = policy_clock_peek(policy, now);
	view = (struct policy_sa_view){
		.resident = sa->resident,
		.pending = sa->pending != PENDING_NONE,
		.rate_known = sa->known,
		.rate = sa_heat(sa)->rate.mean,
		.rate_low = sa_heat(sa)->rate.low,
		.rate_high = sa_heat(sa)->rate.high,
		.last_rate = sa_heat(sa)->rate.last,
		.cpu_weight = sa_heat(sa)->cpu_weight,
		.packets_per_byte = sa_heat(sa)->rate.packets_per_byte,
		.trust = sa_heat(sa)->trust,
		.other = POLICY_NONE,
		.moves_in = INFINITY,
	};
	if (sa_heat(sa)->refusals > 0 && !sa->resident)
		view.retry_in = fmax(0, sa->retry_at - now);
	view.reason = explain(policy, sa, now, &view);
	*ret_view = view;
}
