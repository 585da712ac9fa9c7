// SPDX-License-Identifier: GPL-2.0-or-later
/* Explain: why an SA is where it is, in sentences and in numbers. */
#include "control/describe.h"
#include "control/methods.h"
#include "units.h"

#include <errno.h>
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

static void say_rule(struct manager *m, json_t *sentences, const struct sa *sa)
{
	static const char *const offloads[] = {"auto", "always", "never"};

	if (sa->candidate.rule)
		say(sentences, "The rule at %s:%u matches it: offload %s.",
		    m->config->path ? m->config->path : "", sa->candidate.rule->line,
		    offloads[sa->candidate.rule->offload]);
	else
		say(sentences, "No rule matches it: it is offloaded by its rate.");
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
		    what, target, units_format_time(order->until - manager_now(m), left));
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
		    m->config->path ? m->config->path : "", group->line, group->floor, ceiling);
	else if (m->config->n_groups > 0)
		say(sentences, "It belongs to no group.");
}

static void say_candidate(struct manager *m, json_t *sentences, const struct sa *sa)
{
	const struct placement_nic *n = nics_get(m->nics, sa->candidate.ifindex);
	const char *name = network_name(m->network, sa->candidate.ifindex);
	const struct nic *below = network_below_vlan(m->network, sa->candidate.ifindex);

	if (sa->candidate.candidacy == CANDIDACY_OK)
		say(sentences, "It competes for a slot of %s.", name);
	else if (name[0])
		say(sentences, "It cannot go to %s: %s.", name,
		    candidacy_text(sa->candidate.candidacy));
	else
		say(sentences, "It has no NIC to go to: %s.",
		    candidacy_text(sa->candidate.candidacy));
	if (sa->candidate.candidacy == CANDIDACY_NIC_VLAN && below)
		say(sentences, "%s is a VLAN of %s.", name, below->name);
	if (n && n->config)
		say(sentences, "The NIC entry at %s:%u: allow %s, trusted %s.",
		    m->config->path ? m->config->path : "", n->config->line,
		    n->config->allow ? "true" : "false", n->config->trusted ? "true" : "false");
}

static void add_numbers(struct manager *m, json_t *details, const struct sa *sa,
			const struct policy_sa_view *view)
{
	char text[UNITS_TEXT_MAX];

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
	detail(details, "bytes", "%llu", (unsigned long long)sa->bytes);
	detail(details, "packets", "%llu", (unsigned long long)sa->packets);
	(void)m;
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

static json_t *explain_one(struct manager *m, const struct sa *sa, size_t rank)
{
	struct policy_sa_view view = describe_view(m, sa);
	json_t *sentences = json_array(), *details = json_array();
	struct explanation e;

	describe_place(m, sa, &view, &e);
	say_place(m, sentences, sa);
	say(sentences, "Why: %s (%s).", e.text, e.reason);
	say_rule(m, sentences, sa);
	say_order(m, sentences, sa);
	say_group(m, sentences, sa);
	say_candidate(m, sentences, sa);
	if (m->config->mode == CONFIG_MODE_OBSERVE)
		say(sentences, "The daemon only observes; it would %s it.",
		    sa->virtually_resident ? "offload" : "not offload");
	if (orders_are_paused(m->orders))
		say(sentences, "The daemon is paused: SAs only leave NICs that may not hold them.");
	add_numbers(m, details, sa, &view);
	return json_pack("{s:o, s:o, s:o, s:o}", "sa", describe_sa(m, sa, rank, true), "sentences",
			 sentences, "details", details, "history", actions_of(m, sa));
}

/* The hottest first. NULL without memory. */
static json_t *explain_all(struct manager *m, uint32_t spi, const char *dst)
{
	_cleanup_free_ struct sa **sas = NULL;
	_cleanup_free_ size_t *ranks = NULL;
	json_t *array;
	size_t n;

	if (describe_find(m, spi, dst, &sas, &n) < 0)
		return NULL;
	ranks = calloc(n ? n : 1, sizeof(*ranks));
	array = ranks ? json_array() : NULL;
	if (!array)
		return NULL;
	if (n > 0)
		snapshot_rank(m, sas, n, ranks);
	for (size_t i = 0; i < n; i++) {
		manager_look_up(m, sas[i]);
		json_array_append_new(array, explain_one(m, sas[i], ranks[i]));
	}
	return array;
}

int method_explain(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	struct methods *methods = userdata;
	const char *spi_text = json_string_value(json_object_get(parameters, "spi"));
	const char *dst = json_string_value(json_object_get(parameters, "dst"));
	uint32_t spi;
	json_t *sas;

	if (describe_parse_spi(spi_text, &spi) < 0)
		return control_refuse_parameter("spi", ret_reply, ret_error);

	sas = explain_all(methods->manager, spi, dst);
	if (!sas)
		return -ENOMEM;
	if (json_array_size(sas) == 0) {
		json_decref(sas);
		*ret_error = "NoSuchSA";
		*ret_reply = json_pack("{s:s}", "spi", spi_text);
		return *ret_reply ? 0 : -ENOMEM;
	}
	*ret_reply = json_pack("{s:o}", "sas", sas);
	return *ret_reply ? 0 : -ENOMEM;
}
