/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "control/describe.h"

#include "placement/standing.h"
#include "sa/spi-hash.h"
#include "text.h"

#include <errno.h>
#include <math.h>
#include <netlink/xfrm/sa.h>
#include <string.h>

int describe_merge(json_t *object, json_t *part)
{
	return part ? json_object_update_new(object, part) : -1;
}

json_t *describe_trial(const struct manager *m)
{
	if (!manager_is_on_trial(m))
		return json_null();
	return json_pack("{s:I, s:f}", "until", (json_int_t)m->trial.until, "secondsLeft",
			 manager_trial_left(m));
}

json_t *describe_files(const struct manager *m)
{
	json_t *files = json_array();

	for (size_t i = 0; i < m->config->n_files; i++) {
		if (json_array_append_new(files, json_string(m->config->files[i])) == 0)
			continue;
		json_decref(files);
		return NULL;
	}
	return files;
}

struct policy_sa_view describe_view(struct manager *m, const struct sa *sa)
{
	struct policy_sa_view view = {.other = POLICY_NONE, .moves_in = (double)INFINITY};

	if (sa->handle != POLICY_NONE)
		policy_sa_get(m->policy, sa->handle, manager_now(m), &view);
	return view;
}

int describe_count(json_t *counts, const char *reason, uint64_t count)
{
	json_t *entry;
	size_t i;

	json_array_foreach(counts, i, entry) {
		json_t *before = json_object_get(entry, "count");

		if (strcmp(json_string_value(json_object_get(entry, "reason")), reason) == 0)
			return json_integer_set(before,
						json_integer_value(before) + (json_int_t)count);
	}
	if (count == 0)
		return 0;
	return json_array_append_new(
		counts, json_pack("{s:s, s:I}", "reason", reason, "count", (json_int_t)count));
}

static void explain_refused(struct explanation *e, const char *text)
{
	e->state = "refused";
	e->reason = "refused";
	e->lasting = true;
	e->text = text_neutralise(e->buffer, sizeof(e->buffer), text, strlen(text));
}

void describe_place(struct manager *m, const struct sa *sa, const struct policy_sa_view *view,
		    struct explanation *e)
{
	struct standing standing = standing_of(sa, view->reason);
	const char *refusal = sa->refusal;

	e->state = view->pending ? "moving" : "settled";
	e->reason = standing_name(standing);
	e->buffer[0] = '\0';
	switch (standing.kind) {
	case STANDING_HANDS_OFF:
		e->state = sa->residence.foreign ? "foreign" : "hands-off";
		e->text = hands_off_text(standing.hands_off);
		e->lasting = hands_off_is_lasting(standing.hands_off);
		if (standing.hands_off == HANDS_OFF_DRIVER)
			(void)nics_check_driver(m->nics, sa, &e->text);
		break;
	case STANDING_CANDIDACY:
		e->text = candidacy_text(standing.candidacy);
		e->lasting = candidacy_is_lasting(standing.candidacy);
		break;
	case STANDING_POLICY:
		e->text = sa_reason_text(sa, standing.policy);
		e->lasting = policy_reason_is_lasting(standing.policy);
		if (standing.policy != POLICY_REASON_REFUSED || sa->residence.ifindex != 0)
			break;
		/* Another SA of its shape may have been refused. */
		if (!refusal)
			(void)nics_have_refused(m->nics, sa, &refusal);
		if (refusal)
			explain_refused(e, refusal);
		break;
	}
}

static json_t *history_of(struct manager *m, const struct sa *sa)
{
	json_t *history = json_array();

	for (size_t i = 1; i <= CONTROL_HISTORY_SAMPLES; i++) {
		/* At the beginning the number underflows, and there is no such sample. */
		double rate = sa_history_get(sa->history, m->samples - CONTROL_HISTORY_SAMPLES + i);

		json_array_append_new(history, json_real(round(rate)));
	}
	return history;
}

json_t *describe_identity(const struct sa_description *d)
{
	char source[SA_ADDRESS_TEXT_SIZE], destination[SA_ADDRESS_TEXT_SIZE];

	return json_pack("{s:o, s:s, s:s, s:s}", "spi", json_sprintf("0x%08x", d->id.spi), "src",
			 sa_address_format(d->id.family, &d->source, source), "dst",
			 sa_address_format(d->id.family, &d->id.destination, destination),
			 "direction", sa_direction_name(d->direction));
}

/* The name, or NULL if there is no such NIC. */
static const char *nic_name(struct manager *m, int ifindex)
{
	const char *name = network_name(m->network, ifindex);

	return name[0] ? name : NULL;
}

static void fill_identity(const struct sa_description *d, struct sa_row *row)
{
	(void)snprintf(row->spi, sizeof(row->spi), "0x%08x", d->id.spi);
	(void)sa_address_format(d->id.family, &d->source, row->source);
	(void)sa_address_format(d->id.family, &d->id.destination, row->destination);
	(void)xfrmnl_sa_mode2str(d->mode, row->mode, sizeof(row->mode));
	row->mark[0] = '\0';
	if (d->id.mark_mask != 0)
		(void)snprintf(row->mark, sizeof(row->mark), "0x%x/0x%x", d->id.mark_value,
			       d->id.mark_mask);
}

void describe_row(struct manager *m, const struct sa *sa, struct sa_row *row)
{
	row->sa = sa;
	row->view = describe_view(m, sa);
	describe_place(m, sa, &row->view, &row->explanation);
	fill_identity(&sa->description, row);
	row->nic = nic_name(m, sa->residence.ifindex);
	row->candidate = nic_name(m, sa->candidate.ifindex);
	row->software_driver = software_driver(m->software, sa->shape, manager_now(m));
	row->rule[0] = '\0';
	if (sa->candidate.rule)
		(void)snprintf(row->rule, sizeof(row->rule), "%s:%u", sa->candidate.rule->file,
			       sa->candidate.rule->line);
}

static const char *protocol_name(const struct sa *sa)
{
	return sa->description.id.protocol == IPPROTO_ESP ? "esp" : "other";
}

const char *sa_placement_name(const struct sa *sa)
{
	return sa->residence.ifindex ? "nic" : "software";
}

/* "rfc4106(gcm(aes))" or "cbc(aes) hmac(sha256)". Returns NULL for none, or `buffer`. */
#define ALGORITHM_SIZE (2 * SA_SHAPE_ALGORITHM_MAX + 1)
static const char *algorithm_name(const struct sa *sa, char buffer[ALGORITHM_SIZE])
{
	const struct sa_shape *shape = sa->shape;
	const char *first = shape->aead[0] ? shape->aead : shape->cipher;
	const char *second = shape->aead[0] ? "" : shape->authenticator;
	char text[ALGORITHM_SIZE];

	(void)snprintf(text, sizeof(text), "%s%s%s", first, first[0] && second[0] ? " " : "",
		       second);
	return text[0] ? text_neutralise(buffer, ALGORITHM_SIZE, text, strlen(text)) : NULL;
}

/* NULL: none. */
static const char *order_name(const struct sa *sa)
{
	if (!sa->candidate.ordered)
		return NULL;
	return sa->candidate.offload == CONFIG_OFFLOAD_NEVER ? "ban" : "pin";
}

static const char *or_null(const char *text)
{
	return text[0] ? text : NULL;
}

bool sa_row_matches(const struct sa_row *row, const char *filter)
{
	const char *texts[] = {
		row->spi,
		row->source,
		row->destination,
		sa_direction_name(row->sa->description.direction),
		protocol_name(row->sa),
		row->mode,
		row->mark,
		sa_placement_name(row->sa),
		row->sa->residence.ifindex ? "" : "sw", /* as it is shown */
		row->nic ? row->nic : "",
		row->candidate ? row->candidate : "",
		row->explanation.state,
		row->explanation.reason,
		row->explanation.text,
		row->rule,
	};

	for (size_t i = 0; i < ELEMENTSOF(texts); i++)
		if (strcasestr(texts[i], filter))
			return true;
	return false;
}

json_t *sa_row_json(struct manager *m, const struct sa_row *row, size_t rank, bool history)
{
	const struct sa *sa = row->sa;
	const struct sa_description *d = &sa->description;
	char algorithm[ALGORITHM_SIZE];

	return json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o*, s:s*, s:s, s:s?, s:s?, s:f, s:I, s:I, "
		"s:I, s:o, s:s, s:s, s:s, s:b, s:s?, s:s?, s:s?, s:s?, s:o*}",
		"spi", row->spi, "src", row->source, "dst", row->destination, "direction",
		sa_direction_name(d->direction), "protocol", protocol_name(sa), "mode", row->mode,
		"reqid", (json_int_t)d->reqid, "ifId", d->if_id ? json_integer(d->if_id) : NULL,
		"mark", or_null(row->mark), "placement", sa_placement_name(sa), "nic", row->nic,
		"candidateNic", row->candidate, "secondsInPlace",
		manager_now(m) - sa->residence.since, "bytes", (json_int_t)sa->bytes, "packets",
		(json_int_t)sa->packets, "rank", (json_int_t)rank, "bytesPerSecond",
		row->view.rate_known ? json_real(round(row->view.rate)) : json_null(), "state",
		row->explanation.state, "reason", row->explanation.reason, "text",
		row->explanation.text, "lasting", (int)row->explanation.lasting, "rule",
		or_null(row->rule), "softwareDriver", row->software_driver, "order", order_name(sa),
		"algorithm", algorithm_name(sa, algorithm), "history",
		history ? history_of(m, sa) : NULL);
}

json_t *describe_sa(struct manager *m, const struct sa *sa, size_t rank, bool history)
{
	struct sa_row row;

	describe_row(m, sa, &row);
	return sa_row_json(m, &row, rank, history);
}

json_t *describe_action(struct manager *m, const struct action *action)
{
	char text[sizeof(action->text)];
	json_t *object = describe_identity(&action->sa);
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

bool describe_has_destination(const struct sa_id *id, const char *dst)
{
	char text[SA_ADDRESS_TEXT_SIZE];

	return !dst || strcmp(sa_address_format(id->family, &id->destination, text), dst) == 0;
}

static int add_sa(struct sa ***sas, size_t *n, struct sa *sa)
{
	struct sa **more = reallocarray(*sas, *n + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	*sas = more;
	more[(*n)++] = sa;
	return 0;
}

int describe_find(struct manager *m, uint32_t spi, const char *dst, struct sa ***ret_sas,
		  size_t *ret_n)
{
	static const uint8_t protocols[] = {IPPROTO_ESP, IPPROTO_AH, IPPROTO_COMP};
	_cleanup_free_ struct sa **sas = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ELEMENTSOF(protocols); i++) {
		const struct sa_id id = {.spi = spi, .protocol = protocols[i]};
		struct sa *sa;

		HASH_TABLE_FOREACH_EQUAL(sa, &m->sas->by_spi, spi_hash(&m->sas->seed, &id), by_spi)
			if (sa->description.id.spi == spi &&
			    describe_has_destination(&sa->description.id, dst) &&
			    add_sa(&sas, &n, sa) < 0)
				return -ENOMEM;
	}
	*ret_sas = TAKE_PTR(sas);
	*ret_n = n;
	return 0;
}

int describe_parse_spi(const char *text, uint32_t *ret_spi)
{
	unsigned long spi;
	char *end;

	errno = 0;
	spi = strtoul(text, &end, 0);
	if (errno || *end || end == text || spi > UINT32_MAX)
		return -EINVAL;
	*ret_spi = (uint32_t)spi;
	return 0;
}
