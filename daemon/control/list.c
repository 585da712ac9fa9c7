/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ListSAs: the SAs, hottest first, described some at a time. */
#include "control/describe.h"
#include "control/methods.h"

#include <errno.h>
#include <string.h>

/* Limits of one slice: rows that are described, and rows that are checked for a filter. Describing
 * a row costs about as much as checking several. */
#define SLICE_DESCRIBED 32
#define SLICE_LOOKED_AT 256

struct list {
	struct manager *m;
	struct ranking *ranking;
	char *filter; /* NULL: none */
	bool history;
	size_t offset; /* rows to be left out */
	size_t limit;  /* rows after them */
	size_t place;  /* the next to check */
	size_t total;  /* rows that matched so far */
};

static size_t count_or(const json_t *parameters, const char *name, size_t fallback)
{
	const json_t *value = json_object_get(parameters, name);

	return json_is_integer(value) ? (size_t)json_integer_value(value) : fallback;
}

static void list_free(void *data)
{
	struct list *list = data;

	ranking_unref(list->ranking);
	free(list->filter);
	free(list);
}

static int set_filter(struct list *list, const char *filter)
{
	list->filter = filter ? strdup(filter) : NULL;
	return filter && !list->filter ? -ENOMEM : 0;
}

static int list_begin(json_t *parameters, void *userdata, void **ret_list)
{
	struct methods *methods = userdata;
	struct list *list = calloc(1, sizeof(*list));
	int r = list ? set_filter(list, json_string_value(json_object_get(parameters, "filter")))
		     : -ENOMEM;

	if (r >= 0)
		r = rankings_get(&methods->rankings, methods->manager, &list->ranking);
	if (r < 0) {
		if (list)
			list_free(list);
		return r;
	}
	list->m = methods->manager;
	list->history = json_is_true(json_object_get(parameters, "history"));
	list->offset = count_or(parameters, "offset", 0);
	list->limit = count_or(parameters, "limit", SIZE_MAX);
	/* Without a filter all SAs match, so those that are skipped need no check. */
	if (!list->filter) {
		list->total = ranking_size(list->ranking);
		list->place = list->offset < list->total ? list->offset : list->total;
		list->offset = 0;
	}
	*ret_list = list;
	return 0;
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

static int list_next(void *data, json_t *rows)
{
	struct list *list = data;
	size_t end = json_array_size(rows) + SLICE_DESCRIBED;

	for (size_t i = 0; i < SLICE_LOOKED_AT && !list_is_complete(list); i++) {
		if (json_array_size(rows) == end)
			break;
		if (add_row(list, list->place++, rows) < 0)
			return -ENOMEM;
	}
	return !list_is_complete(list);
}

static json_t *list_rest(void *data)
{
	const struct list *list = data;

	return json_pack("{s:I}", "total", (json_int_t)list->total);
}

const struct control_list list_of_sas = {
	.member = "sas",
	.begin = list_begin,
	.next = list_next,
	.rest = list_rest,
	.free = list_free,
};
