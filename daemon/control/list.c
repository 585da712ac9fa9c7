/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ListSAs: the SAs, hottest first, described some at a time. */
#include "control/describe.h"
#include "control/methods.h"
#include "control/ranking.h"

#include <errno.h>

/* What one slice costs at most: rows that are described, and rows that are looked at for a filter.
 * A row of the first kind costs about as much as some of the second. */
#define SLICE_DESCRIBED 32
#define SLICE_LOOKED_AT 256

struct list {
	struct manager *m;
	struct ranking *ranking;
	const char *filter; /* NULL: none */
	bool history;
	size_t offset; /* rows to be left out */
	size_t limit;  /* rows after them */
	size_t place;  /* the next to be looked at */
	size_t total;  /* rows that matched so far */
};

static size_t count_or(const json_t *parameters, const char *name, size_t fallback)
{
	const json_t *value = json_object_get(parameters, name);

	return json_is_integer(value) ? (size_t)json_integer_value(value) : fallback;
}

static struct list list_begin(struct manager *m, struct ranking *ranking, const json_t *parameters)
{
	struct list list = {
		.m = m,
		.ranking = ranking,
		.filter = json_string_value(json_object_get(parameters, "filter")),
		.history = json_is_true(json_object_get(parameters, "history")),
		.offset = count_or(parameters, "offset", 0),
		.limit = count_or(parameters, "limit", SIZE_MAX),
	};

	/* Without a filter all match: nobody needs to look at those that are left out. */
	if (!list.filter) {
		list.total = ranking_size(ranking);
		list.place = list.offset < list.total ? list.offset : list.total;
		list.offset = 0;
	}
	return list;
}

static bool list_is_complete(const struct list *list)
{
	return list->place == ranking_size(list->ranking) || (!list->filter && list->limit == 0);
}

/* Appends the row at a place if it is to be shown. */
static int add_row(struct list *list, size_t place, json_t *rows)
{
	const struct sa *sa = sa_table_find(list->m->sas, ranking_get(list->ranking, place));
	struct sa_row row;

	if (!sa)
		return 0;
	describe_row(list->m, sa, &row);
	if (list->filter) {
		if (!sa_row_matches(&row, list->filter))
			return 0;
		list->total++;
	}
	if (list->offset > 0) {
		list->offset--;
		return 0;
	}
	if (list->limit == 0)
		return 0;
	list->limit--;
	return json_array_append_new(rows, sa_row_json(list->m, &row, place + 1, list->history));
}

/* Appends the rows of one slice. */
static int list_next(struct list *list, json_t *rows)
{
	size_t end = json_array_size(rows) + SLICE_DESCRIBED;

	for (size_t i = 0; i < SLICE_LOOKED_AT && !list_is_complete(list); i++) {
		if (json_array_size(rows) == end)
			break;
		if (add_row(list, list->place++, rows) < 0)
			return -ENOMEM;
	}
	return 0;
}

int method_list_sas(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error)
{
	_cleanup_(ranking_freep) struct ranking *ranking = NULL;
	json_auto_t *rows = json_array();
	struct list list;
	int r = ranking_new(userdata, &ranking);

	(void)ret_error;
	if (r < 0)
		return r;
	list = list_begin(userdata, ranking, parameters);
	while (r >= 0 && !list_is_complete(&list))
		r = list_next(&list, rows);
	if (r < 0)
		return r;
	*ret_reply = json_pack("{s:O, s:I}", "sas", rows, "total", (json_int_t)list.total);
	return *ret_reply ? 0 : -ENOMEM;
}
