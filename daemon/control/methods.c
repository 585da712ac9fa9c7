// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/methods.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <netlink/xfrm/sa.h>
#include <string.h>

static struct policy_sa_view view_of(struct manager *m, const struct sa *sa)
{
	struct policy_sa_view view = {};

	if (sa->handle != POLICY_NONE)
		policy_sa_get(m->policy, sa->handle, manager_now(m), &view);
	return view;
}

static void explain_refused(struct explanation *e, const char *text)
{
	e->state = "refused";
	e->reason = "refused";
	e->text = text_neutralise(e->buffer, sizeof(e->buffer), text, strlen(text));
}

void methods_explain(struct manager *m, const struct sa *sa, const struct policy_sa_view *view,
		     struct explanation *e)
{
	const char *refusal = NULL;

	e->state = view->pending ? "moving" : "settled";
	e->reason = policy_reason_name(view->reason);
	e->text = policy_reason_text(view->reason);
	e->buffer[0] = '\0';

	if (sa->foreign || sa->hands_off != HANDS_OFF_NONE) {
		e->state = sa->foreign ? "foreign" : "hands-off";
		e->reason = hands_off_name(sa->hands_off);
		e->text = hands_off_text(sa->hands_off);
		if (sa->hands_off == HANDS_OFF_DRIVER)
			(void)manager_check_driver(m, sa, &e->text);
	} else if (sa->ifindex != 0) {
		return;
	} else if (sa->refusal_text && (sa->candidacy == CANDIDACY_REFUSED_SHAPE ||
					view->reason == POLICY_REASON_REFUSED)) {
		explain_refused(e, sa->refusal_text);
	} else if (sa->candidacy == CANDIDACY_REFUSED_SHAPE) {
		(void)manager_shape_is_refused(m, sa->candidate, sa->shape, &refusal);
		if (refusal)
			explain_refused(e, refusal);
	} else if (sa->rule && sa->rule->offload == CONFIG_OFFLOAD_NEVER) {
		return; /* the rule decides, whatever the NIC */
	} else if (sa->candidacy != CANDIDACY_OK) {
		e->reason = candidacy_name(sa->candidacy);
		e->text = candidacy_text(sa->candidacy);
	}
}

static json_t *nic_or_null(struct manager *m, int ifindex)
{
	const char *name = manager_nic_name(m, ifindex);

	return name[0] ? json_string(name) : json_null();
}

static json_t *history_of(struct manager *m, const struct sa *sa)
{
	json_t *history = json_array();

	for (size_t i = 1; i <= CONTROL_HISTORY_SAMPLES; i++) {
		uint8_t sample = sa->history[(m->samples + i) % CONTROL_HISTORY_SAMPLES];

		json_array_append_new(history, json_real(round(history_decode(sample))));
	}
	return history;
}

static json_t *rule_of(struct manager *m, const struct sa *sa)
{
	if (!sa->rule)
		return json_null();
	return json_sprintf("%s:%u", m->config->path ? m->config->path : "", sa->rule->line);
}

json_t *methods_sa(struct manager *m, const struct sa *sa, size_t rank, bool history)
{
	const struct sa_description *d = &sa->description;
	struct policy_sa_view view = view_of(m, sa);
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE], mode[32];
	struct explanation e;
	json_t *object;

	methods_explain(m, sa, &view, &e);
	object = json_pack(
		"{s:o, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:o, s:I, s:I, s:I, s:s, s:s, s:s, "
		"s:f, s:o}",
		"spi", json_sprintf("0x%08x", d->id.spi), "src",
		sa_address_format(d->id.family, &d->source, source), "dst",
		sa_address_format(d->id.family, &d->id.destination, destination), "direction",
		sa_direction_name(d->direction), "protocol",
		d->id.protocol == IPPROTO_ESP ? "esp" : "other", "mode",
		xfrmnl_sa_mode2str(d->mode, mode, sizeof(mode)), "reqid", (json_int_t)d->reqid,
		"placement", sa->ifindex ? "nic" : "software", "nic", nic_or_null(m, sa->ifindex),
		"candidateNic", nic_or_null(m, sa->candidate), "bytes", (json_int_t)sa->bytes,
		"packets", (json_int_t)sa->packets, "rank", (json_int_t)rank, "state", e.state,
		"reason", e.reason, "text", e.text, "secondsInPlace", manager_now(m) - sa->moved_at,
		"rule", rule_of(m, sa));
	if (!object)
		return NULL;
	json_object_set_new(object, "bytesPerSecond",
			    view.rate_known ? json_real(round(view.rate)) : json_null());
	if (d->if_id != 0)
		json_object_set_new(object, "ifId", json_integer(d->if_id));
	if (d->id.mark_mask != 0)
		json_object_set_new(object, "mark",
				    json_sprintf("0x%x/0x%x", d->id.mark_value, d->id.mark_mask));
	if (history)
		json_object_set_new(object, "history", history_of(m, sa));
	return object;
}

/* ---- GetStatus ---- */

static json_t *capacity_of(bool shared, uint32_t in, uint32_t out)
{
	if (shared)
		return json_pack("{s:b, s:I}", "shared", 1, "total", (json_int_t)in);
	return json_pack("{s:b, s:I, s:I}", "shared", 0, "in", (json_int_t)in, "out",
			 (json_int_t)out);
}

static uint32_t capacity_in_force(struct manager *m, policy_table table, uint32_t configured,
				  uint32_t foreign)
{
	struct policy_table_view view;

	if (table == POLICY_NONE)
		return configured;
	policy_table_get(m->policy, table, &view);
	return view.capacity + foreign < configured ? view.capacity + foreign : configured;
}

static json_t *nic_object(struct manager *m, const struct manager_nic *n)
{
	const struct nic *nic = m->network->ops->get(m->network, n->ifindex);
	uint32_t foreign = n->foreign_in + n->foreign_out;
	double rate = 0;
	struct sa *sa;
	json_t *capacity, *used, *other;

	TAILQ_FOREACH(sa, &m->sas.all, list)
	{
		struct policy_sa_view view;

		if (sa->ifindex != n->ifindex)
			continue;
		view = view_of(m, sa);
		if (view.rate_known)
			rate += view.rate;
	}
	if (n->shared) {
		capacity =
			capacity_of(true, capacity_in_force(m, n->in, n->capacity_in, foreign), 0);
		used = capacity_of(true, n->used_in + n->used_out, 0);
		other = capacity_of(true, foreign, 0);
	} else {
		capacity = capacity_of(
			false, capacity_in_force(m, n->in, n->capacity_in, n->foreign_in),
			capacity_in_force(m, n->out, n->capacity_out, n->foreign_out));
		used = capacity_of(false, n->used_in, n->used_out);
		other = capacity_of(false, n->foreign_in, n->foreign_out);
	}
	return json_pack(
		"{s:s, s:i, s:s*, s:b, s:b, s:b, s:b, s:o, s:s*, s:o, s:o, s:o, s:f}", "name",
		n->name, "index", n->ifindex, "driver", nic && nic->driver[0] ? nic->driver : NULL,
		"up", nic && nic->up, "espOffload", nic && nic->esp_offload, "allowed",
		n->config && n->config->allow, "trusted", n->config && n->config->trusted, "line",
		n->config ? json_integer(n->config->line) : json_null(), "reason",
		n->candidacy == CANDIDACY_OK ? NULL : candidacy_name(n->candidacy), "capacity",
		capacity, "used", used, "foreign", other, "bytesPerSecond", rate);
}

json_t *methods_action(struct manager *m, const struct action *action)
{
	const struct sa_description *d = &action->sa;
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];
	char text[sizeof(action->text)];

	return json_pack("{s:f, s:s, s:o, s:s, s:s, s:s, s:o, s:s, s:s}", "secondsAgo",
			 manager_now(m) - action->time, "action", action->what, "spi",
			 json_sprintf("0x%08x", d->id.spi), "src",
			 sa_address_format(d->id.family, &d->source, source), "dst",
			 sa_address_format(d->id.family, &d->id.destination, destination),
			 "direction", sa_direction_name(d->direction), "nic",
			 action->nic[0] ? json_string(action->nic) : json_null(), "reason",
			 action->reason, "text",
			 text_neutralise(text, sizeof(text), action->text, strlen(action->text)));
}

static json_t *last_action(struct manager *m)
{
	if (m->n_actions == 0)
		return json_null();
	return methods_action(m, &m->actions[(m->n_actions - 1) % ACTIONS_REMEMBERED]);
}

static json_t *conditions_of(const struct manager *m)
{
	json_t *conditions = json_array();

	for (unsigned i = 0; i < _HEALTH_CONDITION_MAX; i++)
		if (health_holds(m->health, i))
			json_array_append_new(conditions,
					      json_pack("{s:s, s:s}", "name", health_name(i),
							"text", health_text(i)));
	return conditions;
}

static json_t *evacuated_of(const struct manager *m)
{
	json_t *evacuated = json_array();

	for (size_t i = 0; i < orders_n_evacuated(m->orders); i++)
		json_array_append_new(evacuated, json_string(orders_evacuated(m->orders, i)));
	return evacuated;
}

static int method_get_status(json_t *parameters, void *userdata, json_t **ret_reply,
			     const char **ret_error)
{
	struct manager *m = userdata;
	json_t *nics = json_array();
	double all = 0, offloaded = 0;
	size_t n_offloaded = 0;
	const char *in = migrator_mechanism(m->migrator, true);
	const char *out = migrator_mechanism(m->migrator, false);
	char mechanism[64], degraded[HEALTH_DESCRIPTION_SIZE];
	struct sa *sa;

	(void)parameters;
	(void)ret_error;
	for (size_t i = 0; i < m->n_nics; i++)
		json_array_append_new(nics, nic_object(m, &m->nics[i]));
	TAILQ_FOREACH(sa, &m->sas.all, list)
	{
		struct policy_sa_view view = view_of(m, sa);

		if (sa->ifindex != 0)
			n_offloaded++;
		if (!view.rate_known)
			continue;
		all += view.rate;
		if (sa->ifindex != 0)
			offloaded += view.rate;
	}
	if (strcmp(in, out) == 0)
		snprintf(mechanism, sizeof(mechanism), "%s", in);
	else
		snprintf(mechanism, sizeof(mechanism), "promote by %s, evict by %s", in, out);
	*ret_reply = json_pack(
		"{s:s, s:s, s:b, s:o, s:o, s:o, s:s, s:f, s:f, s:o, s:b, s:I, s:I, s:f, s:f, s:o, "
		"s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:o}",
		"version", ESPOFFLOAD_VERSION, "mode",
		m->config->mode == CONFIG_MODE_ENFORCE ? "enforce" : "observe", "paused",
		orders_are_paused(m->orders), "evacuated", evacuated_of(m), "degraded",
		health_is_well(m->health) ? json_null()
					  : json_string(health_describe(m->health, degraded)),
		"conditions", conditions_of(m), "mechanism", mechanism, "interval",
		m->config->interval, "uptime", manager_now(m) - m->started_at, "configuration",
		m->config->path ? json_string(m->config->path) : json_null(), "fips",
		m->environment.fips, "sas", (json_int_t)m->sas.n, "offloaded",
		(json_int_t)n_offloaded, "bytesPerSecond", all, "offloadedBytesPerSecond",
		offloaded, "nics", nics, "moves", "promoted", (json_int_t)m->promoted, "evicted",
		(json_int_t)m->evicted, "refused", (json_int_t)m->refused, "failed",
		(json_int_t)m->failed, "resyncs", (json_int_t)m->resyncs, "overruns",
		(json_int_t)m->overruns, "lastAction", last_action(m));
	return *ret_reply ? 0 : -ENOMEM;
}

/* ---- ListSAs ---- */

static int compare_ranked(const void *a, const void *b)
{
	const struct ranked_sa *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate > y->rate ? -1 : 1;
	/* Ties keep their order from one call to the next. */
	if (x->sa->description.id.spi != y->sa->description.id.spi)
		return x->sa->description.id.spi < y->sa->description.id.spi ? -1 : 1;
	return memcmp(&x->sa->description.id, &y->sa->description.id, sizeof(struct sa_id));
}

int methods_rank(struct manager *m, struct ranked_sa **ret_ranked)
{
	struct ranked_sa *ranked = calloc(m->sas.n + 1, sizeof(*ranked));
	size_t n = 0;
	struct sa *sa;

	if (!ranked)
		return -ENOMEM;
	TAILQ_FOREACH(sa, &m->sas.all, list)
	{
		struct policy_sa_view view = view_of(m, sa);

		ranked[n++] = (struct ranked_sa){sa, view.rate_known ? view.rate : -1.0};
	}
	qsort(ranked, n, sizeof(*ranked), compare_ranked);
	*ret_ranked = ranked;
	return 0;
}

static bool matches(const json_t *object, const char *filter)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (json_is_string(value) && strcasestr(json_string_value(value), filter))
			return true;
	}
	return false;
}

static int method_list_sas(json_t *parameters, void *userdata, json_t **ret_reply,
			   const char **ret_error)
{
	struct manager *m = userdata;
	_cleanup_free_ struct ranked_sa *ranked = NULL;
	json_t *limit_value = json_object_get(parameters, "limit");
	json_t *filter_value = json_object_get(parameters, "filter");
	json_t *history_value = json_object_get(parameters, "history");
	const char *filter = json_string_value(filter_value);
	size_t limit = SIZE_MAX, total = 0;
	json_t *sas;
	int r;

	if (json_is_integer(limit_value) && json_integer_value(limit_value) >= 0)
		limit = (size_t)json_integer_value(limit_value);
	else if (limit_value && !json_is_null(limit_value))
		return control_refuse_parameter("limit", ret_reply, ret_error);
	if (filter_value && !filter && !json_is_null(filter_value))
		return control_refuse_parameter("filter", ret_reply, ret_error);
	if (history_value && !json_is_boolean(history_value) && !json_is_null(history_value))
		return control_refuse_parameter("history", ret_reply, ret_error);

	r = methods_rank(m, &ranked);
	if (r < 0)
		return r;
	sas = json_array();
	for (size_t i = 0; i < m->sas.n; i++) {
		json_t *object;

		if (!filter && total >= limit) {
			total = m->sas.n;
			break;
		}
		object = methods_sa(m, ranked[i].sa, i + 1, json_is_true(history_value));
		if (filter && !matches(object, filter)) {
			json_decref(object);
			continue;
		}
		if (total++ < limit)
			json_array_append_new(sas, object);
		else
			json_decref(object);
	}
	*ret_reply = json_pack("{s:o, s:I}", "sas", sas, "total", (json_int_t)total);
	return *ret_reply ? 0 : -ENOMEM;
}

/* ---- Pause, Resume, Reload ---- */

static int method_pause(json_t *parameters, void *userdata, json_t **ret_reply,
			const char **ret_error)
{
	(void)parameters;
	(void)ret_reply;
	(void)ret_error;
	manager_set_paused(userdata, true);
	return 0;
}

static int method_resume(json_t *parameters, void *userdata, json_t **ret_reply,
			 const char **ret_error)
{
	json_t *nic_value = json_object_get(parameters, "nic");
	const char *nic = json_string_value(nic_value);

	if (nic_value && !nic && !json_is_null(nic_value))
		return control_refuse_parameter("nic", ret_reply, ret_error);
	if (nic && manager_end_evacuation(userdata, nic) < 0) {
		*ret_error = "NotEvacuated";
		*ret_reply = json_pack("{s:s}", "nic", nic);
		return *ret_reply ? 0 : -ENOMEM;
	}
	if (nic)
		return 0;
	manager_end_evacuations(userdata);
	manager_set_paused(userdata, false);
	return 0;
}

static int method_evacuate(json_t *parameters, void *userdata, json_t **ret_reply,
			   const char **ret_error)
{
	const char *nic = json_string_value(json_object_get(parameters, "nic"));
	int r;

	if (!nic)
		return control_refuse_parameter("nic", ret_reply, ret_error);
	r = manager_evacuate(userdata, nic);
	if (r == -ENODEV) {
		*ret_error = "NoSuchNic";
		*ret_reply = json_pack("{s:s}", "nic", nic);
		return *ret_reply ? 0 : -ENOMEM;
	}
	return r;
}

static int method_reload(json_t *parameters, void *userdata, json_t **ret_reply,
			 const char **ret_error)
{
	struct manager *m = userdata;
	_cleanup_free_ char *messages = NULL;
	int r = manager_reload(m, &messages);

	(void)parameters;
	if (r < 0 && r != -ENOMEM) {
		*ret_error = "InvalidConfiguration";
		*ret_reply = json_pack("{s:s, s:s}", "path", m->environment.config_path, "messages",
				       messages ? messages : strerror(-r));
		return *ret_reply ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	*ret_reply = json_pack("{s:s, s:s*}", "path", m->environment.config_path, "warnings",
			       messages && messages[0] ? messages : NULL);
	return *ret_reply ? 0 : -ENOMEM;
}

const struct control_method methods_table[] = {
	{"GetStatus", false, method_get_status}, {"ListSAs", false, method_list_sas},
	{"Explain", false, method_explain},      {"Pause", true, method_pause},
	{"Resume", true, method_resume},         {"Evacuate", true, method_evacuate},
	{"Reload", true, method_reload},
};
const size_t methods_count = ELEMENTSOF(methods_table);
