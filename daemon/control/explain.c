// SPDX-License-Identifier: GPL-2.0-or-later
/* Explain: why an SA is where it is, in sentences and in numbers. */
#include "control/explain.h"
#include "control/methods.h"
#include "control/slice.h"
#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define ACTIONS_SHOWN 20

static void say(json_t *sentences, const char *format, ...) _printf_(2, 3);

static void say(json_t *sentences, const char *format, ...)
{
	char sentence[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	json_array_append_new(sentences, json_string(sentence));
}

static void detail(json_t *details, const char *name, const char *format, ...) _printf_(3, 4);

static void detail(json_t *details, const char *name, const char *format, ...)
{
	char value[256];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(value, sizeof(value), format, arguments);
	va_end(arguments);
	json_array_append_new(details, json_pack("{s:s, s:s}", "name", name, "value", value));
}

static void say_place(struct manager *m, json_t *sentences, const struct sa *sa)
{
	char time[UNITS_TEXT_MAX];

	units_format_time(manager_now(m) - sa->residence.since, time);
	if (sa->residence.ifindex != 0)
		say(sentences, "It is in the NIC %s, for at least %s.",
		    network_name(m->network, sa->residence.ifindex), time);
	else
		say(sentences, "It is in software, for at least %s.", time);
}

static void say_why(struct manager *m, json_t *sentences, const struct sa *sa,
		    const struct prospects *p)
{
	if (strcmp(p->place.state, "refused") == 0)
		say(sentences, "Why: the driver refused it: \"%s\" (%s).", p->place.text,
		    p->place.reason);
	else if (m->config->mode == CONFIG_MODE_OBSERVE && p->view.resident &&
		 sa->residence.ifindex == 0)
		say(sentences, "Why: the daemon only observes. In the NIC, %s (%s).", p->place.text,
		    p->place.reason);
	else
		say(sentences, "Why: %s (%s).", p->place.text, p->place.reason);
}

static void say_rate(struct manager *m, json_t *sentences, const struct policy_sa_view *view,
		     size_t rank)
{
	char rate[UNITS_TEXT_MAX], low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];

	if (!view->rate_known) {
		say(sentences, "Its rate is not known.");
		return;
	}
	if (view->rate <= 0) {
		say(sentences, "It carries nothing, and is number %zu of %zu SAs by rate.", rank,
		    m->sas->n);
		return;
	}
	say(sentences, "It carries %s, and is number %zu of %zu SAs by rate.",
	    units_format_rate(view->rate, rate), rank, m->sas->n);
	if (strcmp(units_format_rate(view->rate_low, low),
		   units_format_rate(view->rate_high, high)) != 0)
		say(sentences, "In the next seconds %s to %s are expected of it.", low, high);
}

/* The CPU time that it takes in software. Returns false if SAs are not ranked by that, or it is not
 * known. */
static bool find_cpu_cost(struct manager *m, const struct sa *sa, struct policy_cpu_cost *ret_cost)
{
	struct cpu_costs *costs = manager_cpu_costs(m);
	uint32_t index = costs ? cpu_costs_find(costs, sa->shape) : 0;

	if (index == 0)
		return false;
	*ret_cost = cpu_costs_get(costs, index - 1).cost;
	return ret_cost->per_byte > 0;
}

/* Of a core, in per cent. */
static double cpu_share(const struct policy_sa_view *view, const struct policy_cpu_cost *cost)
{
	return 100 * 1e-9 * view->rate *
	       (cost->per_byte + cost->per_packet * view->packets_per_byte);
}

static void say_cpu_cost(struct manager *m, json_t *sentences, const struct sa *sa,
			 const struct policy_sa_view *view)
{
	struct policy_cpu_cost cost;

	if (!manager_cpu_costs(m))
		return;
	if (!find_cpu_cost(m, sa, &cost))
		say(sentences,
		    "SAs are ranked by CPU time, but that of its algorithm is not known: its bytes "
		    "count %.3g times, as with the cheapest algorithm that is known.",
		    view->cpu_weight);
	else if (view->rate_known && view->packets_per_byte > 0)
		say(sentences,
		    "SAs are ranked by CPU time: in software it takes about %.2f %% of a core, "
		    "with packets of %.0f bytes, so its bytes count %.3g times.",
		    cpu_share(view, &cost), 1 / view->packets_per_byte, view->cpu_weight);
	else
		say(sentences, "SAs are ranked by CPU time: its bytes count %.3g times.",
		    view->cpu_weight);
}

static void say_rule(struct manager *m, json_t *sentences, const struct sa *sa)
{
	static const char *const offloads[] = {"auto", "always", "never"};
	static const char *const rejects[] = {"", ", on-reject retry", ", on-reject alarm"};
	const struct config_rule *rule = sa->candidate.rule;
	char rate[UNITS_TEXT_MAX], least[sizeof(", minimum rate ") + UNITS_TEXT_MAX] = "";

	if (!rule) {
		say(sentences, "No rule matches it: it is offloaded by its rate.");
		return;
	}
	if (rule->min_rate > 0)
		(void)snprintf(least, sizeof(least), ", minimum rate %s",
			       units_format_rate(rule->min_rate, rate));
	if (rule->offload == CONFIG_OFFLOAD_AUTO)
		say(sentences, "The rule at %s:%u matches it: offload auto, weight %g%s%s.",
		    rule->file, rule->line, rule->weight, least, rejects[rule->on_reject]);
	else
		say(sentences, "The rule at %s:%u matches it: offload %s%s.", rule->file,
		    rule->line, offloads[rule->offload], rejects[rule->on_reject]);
}

static void say_order(struct manager *m, json_t *sentences, const struct sa *sa)
{
	const struct sa_order *order = orders_find(m->orders, &sa->description);
	char target[SA_ORDER_TEXT_SIZE], left[UNITS_TEXT_MAX];
	const char *what;

	if (!order)
		return;
	what = order->ban ? "bans it from NICs" : "pins it to a NIC";
	(void)sa_order_format(order, target);
	if (order->until > 0)
		say(sentences, "An order of the operator %s, above any rule: %s, for %s more.",
		    what, target, units_format_time(fmax(0, order->until - manager_now(m)), left));
	else
		say(sentences,
		    "An order of the operator %s, above any rule: %s, until it is ended.", what,
		    target);
}

static void say_group(struct manager *m, json_t *sentences, const struct sa *sa)
{
	const struct config_group *group = config_match_group(m->config, &sa->description);
	char ceiling[sizeof("ceiling 4294967295")] = "no ceiling";

	if (group && group->ceiling > 0)
		snprintf(ceiling, sizeof(ceiling), "ceiling %u", group->ceiling);
	if (group)
		say(sentences, "It belongs to the group '%s' at %s:%u: floor %u, %s.", group->name,
		    group->file, group->line, group->floor, ceiling);
	else if (m->config->n_groups > 0)
		say(sentences, "It belongs to no group.");
}

static void say_candidate(struct manager *m, json_t *sentences, const struct sa *sa,
			  const struct prospects *p)
{
	const struct placement_nic *n = nics_get(m->nics, sa->candidate.ifindex);
	const char *name = network_name(m->network, sa->candidate.ifindex);
	const struct nic *below = network_below_vlan(m->network, sa->candidate.ifindex);
	const char *driver = software_driver(m->software, sa->shape, manager_now(m));

	if (p->competes)
		say(sentences, "It competes for a slot of %s.", name);
	else if (sa->candidate.candidacy == CANDIDACY_OK)
		say(sentences, "Its packets leave by %s.", name);
	else if (name[0])
		say(sentences, "It cannot go to %s: %s.", name,
		    candidacy_text(sa->candidate.candidacy));
	else
		say(sentences, "It has no NIC to go to: %s.",
		    candidacy_text(sa->candidate.candidacy));
	if (sa->candidate.candidacy == CANDIDACY_SOFTWARE_DRIVER)
		say(sentences, "Its software driver is %s, and the rule has the pattern '%s'.",
		    driver ? driver : "not known", sa->candidate.rule->leave_software_driver);
	if (sa->candidate.candidacy == CANDIDACY_NIC_VLAN && below)
		say(sentences, "%s is a VLAN of %s.", name, below->name);
	if (n && n->config)
		say(sentences, "The NIC entry at %s:%u: allow %s, trusted %s.", n->config->file,
		    n->config->line, n->config->allow ? "true" : "false",
		    n->config->trusted ? "true" : "false");
}

static void say_slots(json_t *sentences, const struct prospects *p)
{
	char reserve[48] = "";

	if (!p->nic)
		return;
	if (p->slots.reserve > 0)
		(void)snprintf(reserve, sizeof(reserve), " and %u kept free for rekeys",
			       p->slots.reserve);
	say(sentences, "%s has %u %sslot%s, %u in use%s.", p->nic, p->slots.capacity, p->side,
	    p->slots.capacity == 1 ? "" : "s", p->slots.resident, reserve);
}

/* How far it is from the rate at which it would be on the other side. */
static void say_boundary(json_t *sentences, const struct prospects *p)
{
	const struct policy_sa_view *view = &p->view;
	double margin = (view->resident ? view->rate_high : view->rate_low) - view->boundary;
	const char *side = margin >= 0 ? "above" : "below";
	char boundary[UNITS_TEXT_MAX], rate[UNITS_TEXT_MAX], distance[UNITS_TEXT_MAX];

	if (!p->other || !view->rate_known)
		return;
	(void)units_format_rate(view->boundary, boundary);
	(void)units_format_rate(view->threshold, rate);
	(void)units_format_rate(fabs(margin), distance);
	if (view->resident)
		say(sentences,
		    "Its boundary is %s: below that, the best SA outside, 0x%08x (%s), is worth "
		    "more. With the most that is expected of it, it is %s %s.",
		    boundary, p->other->description.id.spi, rate, distance, side);
	else
		say(sentences,
		    "Its boundary is %s: above that, it is worth more than the coldest SA that it "
		    "may displace, 0x%08x (%s). With the least that is expected of it, it is %s "
		    "%s.",
		    boundary, p->other->description.id.spi, rate, distance, side);
}

/* With rank-by: cpu gains and costs are no bytes that anything carries. */
#define WEIGHTED_BYTES "bytes weighted by CPU time"

/* What the move or swap would win. */
static void say_worth(struct manager *m, json_t *sentences, const struct prospects *p)
{
	char gain[UNITS_TEXT_MAX], needed[UNITS_TEXT_MAX], cost[UNITS_TEXT_MAX];
	const struct policy_sa_view *view = &p->view;

	if (view->cost <= 0 || view->gain <= 0)
		return;
	say(sentences, "%s would win %s; it costs %s and pays from %s on%s.",
	    p->other ? "A swap of the two" : "A slot", units_format_bytes(view->gain, gain),
	    units_format_bytes(view->cost, cost), units_format_bytes(view->needed, needed),
	    manager_cpu_costs(m) ? " (" WEIGHTED_BYTES ")" : "");
}

static void say_times(json_t *sentences, const struct prospects *p)
{
	char time[UNITS_TEXT_MAX];

	if (p->probation > 0)
		say(sentences,
		    "It is on probation for %s more: if its packets fail in the NIC, it goes back "
		    "to software.",
		    units_format_time(p->probation, time));
	if (p->moves_in > 0 && isfinite(p->moves_in))
		say(sentences, "If nothing changes, it may move in %s.",
		    units_format_time(p->moves_in, time));
}

/* What was done, or tried, with it last. */
static void say_attempt(json_t *sentences, const json_t *history)
{
	static const char *const phrases[][2] = {
		{"promoted", "it was promoted to"},
		{"evicted", "it was evicted from"},
		{"refused", "it was offered to"},
		{"failed", "a move failed at"},
		{"gone", "a move ended at"},
		{"hands-off", "a move was not begun at"},
		{"would-promote", "it would have been promoted to"},
		{"would-evict", "it would have been evicted from"},
		{"fault", "it had a fault in"},
		{"compared", "it was compared with what it carried in"},
		{"adopted", "it was found in"},
	};
	const json_t *last = json_array_get(history, 0);
	const char *action = json_string_value(json_object_get(last, "action"));
	const char *nic = json_string_value(json_object_get(last, "nic"));
	char time[UNITS_TEXT_MAX];

	for (size_t i = 0; last && i < ELEMENTSOF(phrases); i++)
		if (strcmp(action, phrases[i][0]) == 0)
			say(sentences, "%s ago %s %s: %s.",
			    units_format_time(
				    json_number_value(json_object_get(last, "secondsAgo")), time),
			    phrases[i][1], nic ? nic : "a NIC",
			    json_string_value(json_object_get(last, "text")));
}

static void add_cpu_cost(struct manager *m, json_t *details, const struct sa *sa,
			 const struct policy_sa_view *view)
{
	struct policy_cpu_cost cost;

	if (!find_cpu_cost(m, sa, &cost))
		return;
	detail(details, "CPU time by byte", "%.3g ns", cost.per_byte);
	detail(details, "CPU time by packet", "%.0f ns", cost.per_packet);
	if (view->packets_per_byte > 0) {
		detail(details, "bytes of a packet", "%.0f", 1 / view->packets_per_byte);
		detail(details, "share of a core in software", "%.2f %%", cpu_share(view, &cost));
	}
	detail(details, "weight by CPU time", "%.3g", view->cpu_weight);
}

static void add_numbers(struct manager *m, json_t *details, const struct sa *sa,
			const struct policy_sa_view *view)
{
	char text[UNITS_TEXT_MAX];
	const char *driver;

	if (view->rate_known) {
		detail(details, "rate", "%s", units_format_rate(view->rate, text));
		detail(details, "rate, at least", "%s", units_format_rate(view->rate_low, text));
		detail(details, "rate, at most", "%s", units_format_rate(view->rate_high, text));
		detail(details, "rate, last sample", "%s",
		       units_format_rate(view->last_rate, text));
	} else {
		detail(details, "rate", "not known yet");
	}
	if (view->threshold > 0)
		detail(details, view->resident ? "hottest SA outside" : "coldest SA inside", "%s",
		       units_format_rate(view->threshold, text));
	if (view->cost > 0) {
		detail(details, "gain of a swap", "%s", units_format_bytes(view->gain, text));
		detail(details, "gain that pays", "%s", units_format_bytes(view->needed, text));
		detail(details, "cost of a swap", "%s", units_format_bytes(view->cost, text));
		if (manager_cpu_costs(m))
			detail(details, "unit of gains and costs", WEIGHTED_BYTES);
	}
	detail(details, "trust", "%.2f", view->trust);
	if (view->retry_in > 0)
		detail(details, "tried again in", "%s", units_format_time(view->retry_in, text));
	if (sa->candidate.rule) {
		detail(details, "weight", "%g", sa->candidate.rule->weight);
		if (sa->candidate.rule->min_rate > 0)
			detail(details, "minimum rate", "%s",
			       units_format_rate(sa->candidate.rule->min_rate, text));
	}
	if (sa->unknown_attribute != 0)
		detail(details, "unknown attribute", "%u", sa->unknown_attribute);
	driver = software_driver(m->software, sa->shape, manager_now(m));
	if (driver)
		detail(details, "software driver", "%s", driver);
	add_cpu_cost(m, details, sa, view);
	detail(details, "bytes", "%llu", (unsigned long long)sa->bytes);
	detail(details, "packets", "%llu", (unsigned long long)sa->packets);
}

static json_t *actions_of(struct manager *m, const struct sa *sa)
{
	json_t *history = json_array();
	const struct action *action;

	for (size_t i = 0; (action = reporter_action(m->reporter, i)); i++) {
		if (memcmp(&action->sa.id, &sa->description.id, sizeof(action->sa.id)) != 0)
			continue;
		json_array_append_new(history, describe_action(m, action));
		if (json_array_size(history) == ACTIONS_SHOWN)
			break;
	}
	return history;
}

static json_t *finite_or_null(double value)
{
	return isfinite(value) ? json_real(value) : json_null();
}

json_t *explain_numbers(struct manager *m, const struct prospects *p)
{
	const struct policy_sa_view *view = &p->view;
	json_t *boundary = json_null(), *slots = json_null();
	char spi[sizeof("0x00000000")];

	if (p->other) {
		(void)snprintf(spi, sizeof(spi), "0x%08x", p->other->description.id.spi);
		boundary = json_pack("{s:f, s:s, s:f}", "bytesPerSecond", view->boundary,
				     "otherSpi", spi, "otherBytesPerSecond", view->threshold);
	}
	if (p->nic)
		slots = json_pack("{s:s, s:I, s:I, s:I}", "nic", p->nic, "capacity",
				  (json_int_t)p->slots.capacity, "used",
				  (json_int_t)p->slots.resident, "reserve",
				  (json_int_t)p->slots.reserve);
	return json_pack("{s:I, s:f, s:f, s:o, s:o, s:f, s:f, s:f, s:o, s:f, s:s}", "sas",
			 (json_int_t)m->sas->n, "leastBytesPerSecond", view->rate_low,
			 "mostBytesPerSecond", view->rate_high, "boundary", boundary, "slots",
			 slots, "gainBytes", view->gain, "neededBytes", view->needed, "costBytes",
			 view->cost, "movesIn", finite_or_null(p->moves_in), "probation",
			 p->probation, "change", p->change);
}

json_t *explain_obstacles(struct manager *m, const struct sa *sa, const struct prospects *p)
{
	json_t *sentences = json_array();

	say_why(m, sentences, sa, p);
	say_boundary(sentences, p);
	say_worth(m, sentences, p);
	say_times(sentences, p);
	say(sentences, "%s", p->change);
	return sentences;
}

static json_t *sentences_of(struct manager *m, const struct sa *sa, const struct prospects *p,
			    size_t rank, const json_t *history)
{
	json_t *sentences = json_array();

	say_place(m, sentences, sa);
	say_why(m, sentences, sa, p);
	say_rate(m, sentences, &p->view, rank);
	say_cpu_cost(m, sentences, sa, &p->view);
	say_rule(m, sentences, sa);
	say_order(m, sentences, sa);
	say_group(m, sentences, sa);
	say_candidate(m, sentences, sa, p);
	say_slots(sentences, p);
	say_boundary(sentences, p);
	say_worth(m, sentences, p);
	say_times(sentences, p);
	say_attempt(sentences, history);
	if (m->config->mode == CONFIG_MODE_OBSERVE)
		say(sentences, "The daemon only observes; it would %s it.",
		    sa->virtually_resident ? "offload" : "not offload");
	if (orders_are_paused(m->orders))
		say(sentences, "The daemon is paused: SAs only leave NICs that may not hold them.");
	say(sentences, "%s", p->change);
	return sentences;
}

static json_t *explain_one(struct manager *m, const struct sa *sa, size_t rank)
{
	json_t *details = json_array(), *history = actions_of(m, sa);
	struct prospects prospects;

	prospects_of(m, sa, &prospects);
	add_numbers(m, details, sa, &prospects.view);
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "sa", describe_sa(m, sa, rank, true),
			 "sentences", sentences_of(m, sa, &prospects, rank, history), "numbers",
			 explain_numbers(m, &prospects), "details", details, "history", history);
}

/* ---- Explain: a list, since the ranks need a pass over all SAs ---- */

#define COST_RANKED 20
#define COST_EXPLAINED 50000

struct explanations {
	struct manager *m;
	struct slices slices;
	char dst[SA_ADDRESS_TEXT_SIZE]; /* "": any */
	struct snapshot_rank *ranks;    /* all SAs with the SPI */
	size_t n;
};

static void explanations_free(void *data)
{
	struct explanations *list = data;

	snapshot_unref(list->slices.snapshot);
	free(list->ranks);
	free(list);
}

static void explanations_freep(struct explanations **list)
{
	if (*list)
		explanations_free(*list);
}

/* -ENOENT: there is none. */
static int find_all(struct explanations *list, uint32_t spi, const char *dst)
{
	_cleanup_free_ struct sa **sas = NULL;
	size_t n;

	if (describe_find(list->m, spi, dst, &sas, &n) < 0)
		return -ENOMEM;
	if (n == 0)
		return -ENOENT;
	free(TAKE_PTR(sas));
	if (describe_find(list->m, spi, NULL, &sas, &list->n) < 0)
		return -ENOMEM;
	list->ranks = calloc(list->n, sizeof(*list->ranks));
	if (!list->ranks)
		return -ENOMEM;
	for (size_t i = 0; i < list->n; i++)
		list->ranks[i].id = sas[i]->description.id;
	return 0;
}

static int explanations_begin(json_t *parameters, void *userdata, void **ret_list,
			      json_t **ret_reply, const char **ret_error)
{
	_cleanup_(explanations_freep) struct explanations *list = calloc(1, sizeof(*list));
	const char *spi_text = json_string_value(json_object_get(parameters, "spi"));
	const char *dst = json_string_value(json_object_get(parameters, "dst"));
	struct methods *methods = userdata;
	uint32_t spi;
	int r;

	if (!list)
		return -ENOMEM;
	if (describe_parse_spi(spi_text, &spi) < 0)
		return control_refuse_parameter("spi", ret_reply, ret_error);
	list->m = methods->manager;
	r = find_all(list, spi, dst);
	if (r == -ENOENT) {
		*ret_error = "NoSuchSA";
		*ret_reply = json_pack("{s:s}", "spi", spi_text);
		return *ret_reply ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = snapshots_get(&methods->snapshots, list->m, &list->slices.snapshot);
	if (r < 0)
		return r;
	/* A destination that an SA has is no longer than this. */
	(void)snprintf(list->dst, sizeof(list->dst), "%s", dst ? dst : "");
	*ret_list = TAKE_PTR(list);
	return 0;
}

/* Compares them with some rows. */
static ssize_t rank_some(void *data, json_t *rows)
{
	struct explanations *list = data;
	size_t n;

	(void)rows;
	if (list->slices.next == 0)
		snapshot_rank_begin(list->m, list->ranks, list->n);
	n = snapshot_rank_rows(list->slices.snapshot, list->ranks, list->n, &list->slices.next);
	if (n == 0)
		snapshot_rank_end(list->ranks, list->n);
	return (ssize_t)n * COST_RANKED;
}

/* The next SA, the hottest first. It may have ended meanwhile. */
static ssize_t explain_next(void *data, json_t *rows)
{
	struct explanations *list = data;
	const struct snapshot_rank *rank = &list->ranks[list->slices.next];
	struct sa *sa;

	if (list->slices.next == list->n)
		return 0;
	list->slices.next++;
	sa = sa_table_find(list->m->sas, &rank->id);
	if (!sa || !describe_has_destination(&rank->id, list->dst[0] ? list->dst : NULL))
		return COST_RANKED;
	manager_look_up(list->m, sa);
	return json_array_append_new(rows, explain_one(list->m, sa, rank->rank)) < 0
		       ? -ENOMEM
		       : COST_EXPLAINED;
}

static int explanations_next(void *data, json_t *rows)
{
	static const slice_step steps[] = {rank_some, explain_next};
	struct explanations *list = data;

	return slices_next(&list->slices, steps, ELEMENTSOF(steps), list, rows);
}

static json_t *explanations_rest(void *data)
{
	(void)data;
	return json_object();
}

const struct control_list list_of_explanations = {
	.member = "sas",
	.begin = explanations_begin,
	.next = explanations_next,
	.rest = explanations_rest,
	.free = explanations_free,
};
