// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/query.h"

#include "control/control.h"

#include <errno.h>
#include <string.h>

#define EXPECTED_MAX 512

/* Those of the interface: where an SA is, and its state. */
static const char *const placements[] = {"nic",     "software", "moving",
					 "refused", "foreign",  "hands-off"};

/* Appends a word to a list of words, as far as there is room. */
static void add_word(char *list, const char *word)
{
	size_t length = strlen(list);

	(void)snprintf(list + length, EXPECTED_MAX - length, "%s%s", length ? ", " : "", word);
}

static const char *text_of(const json_t *parameters, const char *name)
{
	return json_string_value(json_object_get(parameters, name));
}

/* The readers of one parameter return as query_read(), with an error for a bad value. */
struct reading {
	struct manager *m;
	const json_t *parameters;
	const char *const *sorts;
	size_t n_sorts;
	struct query *query;
	json_t **ret_reply;
	const char **ret_error;
};

static int read_sort(const struct reading *reading)
{
	const char *value = text_of(reading->parameters, "sort");
	char expected[EXPECTED_MAX] = "";

	for (unsigned i = 0; i < reading->n_sorts && value; i++) {
		if (strcmp(value, reading->sorts[i]) == 0) {
			reading->query->sort = i;
			return 0;
		}
		add_word(expected, reading->sorts[i]);
	}
	return value ? control_refuse_value("sort", value, expected, reading->ret_reply,
					    reading->ret_error)
		     : 0;
}

static int read_placement(const struct reading *reading)
{
	const char *value = text_of(reading->parameters, "placement");
	char expected[EXPECTED_MAX] = "";

	for (size_t i = 0; i < ELEMENTSOF(placements) && value; i++) {
		if (strcmp(value, placements[i]) == 0) {
			reading->query->placement = placements[i];
			return 0;
		}
		add_word(expected, placements[i]);
	}
	return value ? control_refuse_value("placement", value, expected, reading->ret_reply,
					    reading->ret_error)
		     : 0;
}

static int read_direction(const struct reading *reading)
{
	const char *value = text_of(reading->parameters, "direction");

	if (!value)
		return 0;
	if (strcmp(value, "in") == 0)
		reading->query->direction = SA_DIRECTION_IN;
	else if (strcmp(value, "out") == 0)
		reading->query->direction = SA_DIRECTION_OUT;
	else
		return control_refuse_value("direction", value, "in, out", reading->ret_reply,
					    reading->ret_error);
	return 0;
}

static int read_nic(const struct reading *reading)
{
	const char *value = text_of(reading->parameters, "nic");
	char expected[EXPECTED_MAX] = "";
	struct manager *m = reading->m;

	for (size_t i = 0; i < nics_count(m->nics) && value; i++) {
		const struct placement_nic *nic = nics_at(m->nics, i);

		if (strcmp(value, nic->name) == 0) {
			reading->query->ifindex = nic->ifindex;
			return 0;
		}
		add_word(expected, nic->name);
	}
	return value ? control_refuse_value("nic", value, expected, reading->ret_reply,
					    reading->ret_error)
		     : 0;
}

static int read_peer(const struct reading *reading)
{
	const char *value = text_of(reading->parameters, "peer");

	if (!value || config_parse_prefix(value, &reading->query->peer) >= 0)
		return 0;
	return control_refuse_value("peer", value,
				    "an address or a prefix, as 192.0.2.0/24 or 2001:db8::1",
				    reading->ret_reply, reading->ret_error);
}

static int read_text(const struct reading *reading)
{
	const char *value = text_of(reading->parameters, "filter");

	if (!value || !value[0])
		return 0;
	reading->query->text = strdup(value);
	return reading->query->text ? 0 : -ENOMEM;
}

/* A parameter that is a number, or the fallback. */
static uint64_t count_of(const json_t *parameters, const char *name, uint64_t fallback)
{
	const json_t *value = json_object_get(parameters, name);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value) : fallback;
}

int query_read(struct manager *m, const json_t *parameters, const char *const *sorts,
	       size_t n_sorts, struct query *ret_query, json_t **ret_reply, const char **ret_error)
{
	static int (*const readers[])(const struct reading *reading) = {
		read_sort, read_placement, read_direction, read_nic, read_peer, read_text,
	};
	_cleanup_(query_done) struct query query = {
		.reverse = json_is_true(json_object_get(parameters, "reverse")),
		.offset = count_of(parameters, "offset", 0),
		.limit = count_of(parameters, "limit", UINT64_MAX),
	};
	struct reading reading = {m, parameters, sorts, n_sorts, &query, ret_reply, ret_error};

	for (size_t i = 0; i < ELEMENTSOF(readers); i++) {
		int r = readers[i](&reading);

		if (r < 0 || *ret_error)
			return r;
	}
	*ret_query = query;
	query.text = NULL;
	return 0;
}

void query_done(struct query *query)
{
	free(query->text);
	query->text = NULL;
}

void query_show(struct query *query, uint64_t place)
{
	if (query->limit == 0)
		return;
	if (place < query->offset)
		query->offset = place;
	else if (place - query->offset >= query->limit)
		query->offset = place - query->limit + 1;
}

bool query_is_costly(const struct query *query)
{
	return query->text || query->placement;
}

bool query_has_filter(const struct query *query)
{
	return query->ifindex != 0 || query->direction != SA_DIRECTION_UNKNOWN || query->peer.set ||
	       query->placement || query->text;
}

static bool has_placement(const struct sa_row *row, const char *placement)
{
	return strcmp(row->explanation.state, placement) == 0 ||
	       strcmp(sa_placement_name(row->sa), placement) == 0;
}

static bool has_peer(const struct config_prefix *peer, const struct snapshot_row *row)
{
	return config_match_prefix(peer, row->id.family, snapshot_row_peer(row)) ||
	       (row->direction == SA_DIRECTION_UNKNOWN &&
		config_match_prefix(peer, row->id.family, &row->source));
}

bool query_matches(const struct query *query, struct manager *m, const struct snapshot_row *row)
{
	const struct sa *sa;
	struct sa_row described;

	if ((query->ifindex != 0 && row->ifindex != query->ifindex) ||
	    (query->direction != SA_DIRECTION_UNKNOWN && row->direction != query->direction) ||
	    !has_peer(&query->peer, row))
		return false;
	sa = sa_table_find(m->sas, &row->id);
	if (!sa || (!query->placement && !query->text))
		return sa != NULL;
	describe_row(m, sa, &described);
	return (!query->placement || has_placement(&described, query->placement)) &&
	       (!query->text || sa_row_matches(&described, query->text));
}
