// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Plan: the moves that the policy would choose in the next turns if every rate stays as it is, and
 * what keeps the best SA outside of each table out. All is tried on a copy of the policy.
 */
#include "control/explain.h"
#include "control/methods.h"

#include <errno.h>
#include <math.h>

/* A reply is sent again for this many times the time that it took to make. So plans take at most
 * PLANS_KEPT parts in this many of the time, however many ask. */
#define REUSED 20.0
#define TURNS_DEFAULT 10u
#define TURNS_MAX 600u
/* A turn takes time for each SA. Above this many SAs in all turns there are fewer turns, so that
 * the other work of the event loop does not have to wait. */
#define TRIALS_MAX 100000u

static json_t *move_object(struct manager *m, const struct policy_move *move, double in)
{
	const struct sa *sa = sa_table_by_handle(m->sas, move->sa);
	const struct sa *other = sa_table_by_handle(m->sas, move->other);
	const struct placement_nic *n = nics_of_table(m->nics, move->table);
	json_t *object = sa ? describe_identity(&sa->description) : NULL;
	int r = describe_merge(
		object,
		json_pack("{s:f, s:s, s:s, s:s, s:s, s:f, s:f, s:f}", "secondsFromNow", in,
			  "action", move->action == POLICY_PROMOTE ? "promote" : "evict", "nic",
			  n ? n->name : "", "reason", policy_reason_name(move->reason), "text",
			  policy_reason_text(move->reason), "bytesPerSecond", move->rate,
			  "gainBytes", move->gain, "costBytes", move->cost));

	if (r == 0 && other)
		r = describe_merge(object,
				   json_pack("{s:o, s:f}", "otherSpi",
					     json_sprintf("0x%08x", other->description.id.spi),
					     "otherBytesPerSecond", move->other_rate));
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

/* Makes the plan of one turn, and takes its moves as made. */
static int try_turn(struct manager *m, struct policy *copy, double now, json_t *moves)
{
	const struct policy_move *planned;
	size_t n = orders_are_paused(m->orders) ? policy_plan_vacating(copy, now, &planned)
						: policy_plan(copy, now, &planned);

	for (size_t i = 0; i < n; i++) {
		json_t *object = move_object(m, &planned[i], now - manager_now(m));

		if (json_array_append_new(moves, object) < 0)
			return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++)
		policy_report(copy, planned[i].sa, POLICY_PRETENDED, now);
	return 0;
}

static int try_turns(struct manager *m, struct policy *copy, size_t turns, json_t *moves)
{
	int r = 0;

	for (size_t i = 0; i < turns && r == 0; i++) {
		double now = manager_now(m) + (double)i * m->config->interval;

		if (i > 0)
			policy_extrapolate(copy, now);
		r = try_turn(m, copy, now, moves);
	}
	return r;
}

/* ---- Who is outside ---- */

/* The best SA in software for one direction of a NIC. */
struct outsider {
	struct sa *sa; /* NULL: none */
	double rate;
};

static bool is_outside(const struct sa *sa, const struct policy *copy, double now)
{
	struct policy_sa_view view = {};

	policy_sa_get(copy, sa->handle, now, &view);
	return sa->residence.ifindex == 0 && !view.resident;
}

/* `best` has two entries for each NIC, or one if its directions share slots. */
static void find_outsiders(struct manager *m, const struct policy *copy, struct outsider *best)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas->all, list) {
		const struct placement_nic *n = nics_get(m->nics, sa->candidate.ifindex);
		struct policy_rate rate = policy_sa_rate(m->policy, sa->handle);
		bool in = sa->description.direction == SA_DIRECTION_IN;
		struct outsider *entry;

		if (!n || !rate.known || rate.mean <= 0)
			continue;
		entry = &best[2 * (size_t)(n - nics_at(m->nics, 0)) + (in && !n->shared)];
		if (rate.mean > entry->rate && is_outside(sa, copy, manager_now(m)))
			*entry = (struct outsider){sa, rate.mean};
	}
}

static json_t *outsider_object(struct manager *m, const struct snapshot_rank *rank)
{
	const struct sa *sa = sa_table_find(m->sas, &rank->id);
	struct prospects prospects;

	prospects_of(m, sa, &prospects);
	return json_pack("{s:o, s:o, s:o}", "sa", describe_sa(m, sa, rank->rank, false),
			 "sentences", explain_obstacles(m, sa, &prospects), "numbers",
			 explain_numbers(m, &prospects));
}

/* The hottest first. NULL without memory. */
static json_t *outsiders_of(struct manager *m, const struct policy *copy)
{
	size_t n = 2 * nics_count(m->nics), n_found = 0;
	_cleanup_free_ struct outsider *best = calloc(n + 1, sizeof(*best));
	_cleanup_free_ struct snapshot_rank *ranks = calloc(n + 1, sizeof(*ranks));
	json_t *outsiders = best && ranks ? json_array() : NULL;
	int r = 0;

	if (!outsiders)
		return NULL;
	find_outsiders(m, copy, best);
	for (size_t i = 0; i < n; i++)
		if (best[i].sa)
			ranks[n_found++].id = best[i].sa->description.id;
	if (n_found > 0)
		snapshot_rank_now(m, ranks, n_found);
	for (size_t i = 0; i < n_found; i++)
		r |= json_array_append_new(outsiders, outsider_object(m, &ranks[i]));
	if (r == 0)
		return outsiders;
	json_decref(outsiders);
	return NULL;
}

static size_t turns_of(struct manager *m, const json_t *parameters)
{
	const json_t *wanted = json_object_get(parameters, "turns");
	json_int_t turns = json_is_integer(wanted) ? json_integer_value(wanted) : TURNS_DEFAULT;
	size_t most = 1 + TRIALS_MAX / (m->sas->n + 1);

	if (most > TURNS_MAX)
		most = TURNS_MAX;
	return turns < 1 ? 1 : (size_t)turns < most ? (size_t)turns : most;
}

static json_t *make_plan(struct manager *m, size_t turns)
{
	_cleanup_(policy_freep) struct policy *copy = NULL;
	json_t *moves = json_array();

	if (!m->policy || policy_copy(m->policy, &copy) < 0 ||
	    try_turns(m, copy, turns, moves) < 0) {
		json_decref(moves);
		return NULL;
	}
	return json_pack("{s:s, s:b, s:f, s:I, s:o, s:o}", "mode",
			 m->config->mode == CONFIG_MODE_ENFORCE ? "enforce" : "observe", "paused",
			 orders_are_paused(m->orders), "interval", m->config->interval, "turns",
			 (json_int_t)turns, "moves", moves, "outsiders", outsiders_of(m, copy));
}

static void plan_release(struct plan *plan)
{
	json_decref(plan->reply);
	*plan = (struct plan){};
}

void plans_release(struct plans *plans)
{
	for (size_t i = 0; i < PLANS_KEPT; i++)
		plan_release(&plans->kept[i]);
}

static size_t distance(size_t a, size_t b)
{
	return a > b ? a - b : b - a;
}

/* The reply for this number of turns, or room for it. If others have all the room, it is the one of
 * the nearest number: its `turns` says which. */
static struct plan *choose_plan(struct plans *plans, size_t turns, double now)
{
	struct plan *nearest = &plans->kept[0], *room = NULL;

	for (size_t i = 0; i < PLANS_KEPT; i++) {
		struct plan *plan = &plans->kept[i];

		if (now >= plan->reused_until)
			plan_release(plan);
		if (!plan->reply)
			room = plan;
		else if (!nearest->reply ||
			 distance(plan->turns, turns) < distance(nearest->turns, turns))
			nearest = plan;
	}
	return room && (!nearest->reply || nearest->turns != turns) ? room : nearest;
}

int method_plan(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	struct methods *methods = userdata;
	struct manager *m = methods->manager;
	double begun = manager_now(m);
	size_t turns = turns_of(m, parameters);
	struct plan *plan = choose_plan(&methods->plans, turns, begun);

	(void)ret_error;
	if (!plan->reply) {
		plan->reply = make_plan(m, turns);
		if (!plan->reply)
			return -ENOMEM;
		plan->turns = turns;
		plan->reused_until = manager_now(m) + REUSED * (manager_now(m) - begun);
	}
	*ret_reply = json_incref(plan->reply);
	return 0;
}
