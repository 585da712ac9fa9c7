/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/describe.h"

#include "text.h"

#include <errno.h>
#include <math.h>
#include <netlink/xfrm/sa.h>
#include <string.h>

int describe_merge(json_t *object, json_t *part)
{
	return part ? json_object_update_new(object, part) : -1;
}

struct policy_sa_view describe_view(struct manager *m, const struct sa *sa)
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

void describe_place(struct manager *m, const struct sa *sa, const struct policy_sa_view *view,
		    struct explanation *e)
{
	const char *refusal = NULL;

	e->state = view->pending ? "moving" : "settled";
	e->reason = policy_reason_name(view->reason);
	e->text = policy_reason_text(view->reason);
	e->buffer[0] = '\0';

	if (sa->residence.foreign || sa->hands_off != HANDS_OFF_NONE) {
		e->state = sa->residence.foreign ? "foreign" : "hands-off";
		e->reason = hands_off_name(sa->hands_off);
		e->text = hands_off_text(sa->hands_off);
		if (sa->hands_off == HANDS_OFF_DRIVER)
			(void)nics_check_driver(m->nics, sa, &e->text);
	} else if (sa->residence.ifindex != 0) {
		return;
	} else if (sa->refusal && (sa->candidate.candidacy == CANDIDACY_REFUSED_SHAPE ||
				   view->reason == POLICY_REASON_REFUSED)) {
		explain_refused(e, sa->refusal);
	} else if (sa->candidate.candidacy == CANDIDACY_REFUSED_SHAPE) {
		(void)refusals_hold(nics_refusals(m->nics), sa->candidate.ifindex, sa->shape,
				    manager_now(m), &refusal);
		if (refusal)
			explain_refused(e, refusal);
	} else if (sa->candidate.rule && sa->candidate.rule->offload == CONFIG_OFFLOAD_NEVER) {
		return; /* the rule decides, whatever the NIC */
	} else if (sa->candidate.candidacy != CANDIDACY_OK) {
		e->reason = candidacy_name(sa->candidate.candidacy);
		e->text = candidacy_text(sa->candidate.candidacy);
	}
}

/* The name, or null if there is no such NIC. */
static json_t *nic_or_null(struct manager *m, int ifindex)
{
	const char *name = network_name(m->network, ifindex);

	return name[0] ? json_string(name) : json_null();
}

static json_t *history_of(struct manager *m, const struct sa *sa)
{
	json_t *history = json_array();

	for (size_t i = 1; i <= CONTROL_HISTORY_SAMPLES; i++) {
		/* Before the first sample there are none: the number is beyond the last then. */
		double rate = sa_history_get(sa->history, m->samples - CONTROL_HISTORY_SAMPLES + i);

		json_array_append_new(history, json_real(round(rate)));
	}
	return history;
}

static json_t *rule_of(struct manager *m, const struct sa *sa)
{
	if (!sa->candidate.rule)
		return json_null();
	return json_sprintf("%s:%u", m->config->path ? m->config->path : "",
			    sa->candidate.rule->line);
}

static json_t *identity_of(const struct sa_description *d)
{
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];

	return json_pack("{s:o, s:s, s:s, s:s}", "spi", json_sprintf("0x%08x", d->id.spi), "src",
			 sa_address_format(d->id.family, &d->source, source), "dst",
			 sa_address_format(d->id.family, &d->id.destination, destination),
			 "direction", sa_direction_name(d->direction));
}

static json_t *kind_of(const struct sa_description *d)
{
	char mode[32];
	json_t *kind = json_pack("{s:s, s:s, s:I}", "protocol",
				 d->id.protocol == IPPROTO_ESP ? "esp" : "other", "mode",
				 xfrmnl_sa_mode2str(d->mode, mode, sizeof(mode)), "reqid",
				 (json_int_t)d->reqid);

	if (d->if_id != 0)
		(void)json_object_set_new(kind, "ifId", json_integer(d->if_id));
	if (d->id.mark_mask != 0)
		(void)json_object_set_new(
			kind, "mark", json_sprintf("0x%x/0x%x", d->id.mark_value, d->id.mark_mask));
	return kind;
}

static json_t *place_of(struct manager *m, const struct sa *sa)
{
	return json_pack("{s:s, s:o, s:o, s:f}", "placement",
			 sa->residence.ifindex ? "nic" : "software", "nic",
			 nic_or_null(m, sa->residence.ifindex), "candidateNic",
			 nic_or_null(m, sa->candidate.ifindex), "secondsInPlace",
			 manager_now(m) - sa->residence.since);
}

static json_t *traffic_of(const struct sa *sa, const struct policy_sa_view *view, size_t rank)
{
	return json_pack("{s:I, s:I, s:I, s:o}", "bytes", (json_int_t)sa->bytes, "packets",
			 (json_int_t)sa->packets, "rank", (json_int_t)rank, "bytesPerSecond",
			 view->rate_known ? json_real(round(view->rate)) : json_null());
}

static json_t *reason_of(struct manager *m, const struct sa *sa, const struct policy_sa_view *view)
{
	struct explanation e;

	describe_place(m, sa, view, &e);
	return json_pack("{s:s, s:s, s:s, s:o}", "state", e.state, "reason", e.reason, "text",
			 e.text, "rule", rule_of(m, sa));
}

json_t *describe_sa(struct manager *m, const struct sa *sa, size_t rank, bool history)
{
	struct policy_sa_view view = describe_view(m, sa);
	json_t *object = identity_of(&sa->description);
	int r = describe_merge(object, kind_of(&sa->description));

	r |= describe_merge(object, place_of(m, sa));
	r |= describe_merge(object, traffic_of(sa, &view, rank));
	r |= describe_merge(object, reason_of(m, sa, &view));
	if (history)
		r |= json_object_set_new(object, "history", history_of(m, sa));
	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

json_t *describe_action(struct manager *m, const struct action *action)
{
	char text[sizeof(action->text)];
	json_t *object = identity_of(&action->sa);
	int r = describe_merge(
		object,
		json_pack("{s:f, s:s, s:o, s:s, s:s}", "secondsAgo", manager_now(m) - action->time,
			  "action", action->what, "nic",
			  action->nic[0] ? json_string(action->nic) : json_null(), "reason",
			  action->reason, "text",
			  text_neutralise(text, sizeof(text), action->text, strlen(action->text))));

	if (r == 0)
		return object;
	json_decref(object);
	return NULL;
}

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

int describe_rank(struct manager *m, struct ranked_sa **ret_ranked)
{
	struct ranked_sa *ranked = calloc(m->sas->n + 1, sizeof(*ranked));
	size_t n = 0;
	struct sa *sa;

	if (!ranked)
		return -ENOMEM;
	TAILQ_FOREACH(sa, &m->sas->all, list) {
		struct policy_sa_view view = describe_view(m, sa);

		ranked[n++] = (struct ranked_sa){sa, view.rate_known ? view.rate : -1.0};
	}
	qsort(ranked, n, sizeof(*ranked), compare_ranked);
	*ret_ranked = ranked;
	return 0;
}
