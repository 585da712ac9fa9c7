/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ListSAs, in slices. With a filter, all SAs are checked first, so that the total is known. If few
 * match, these are sorted by themselves; else the order of all SAs is walked, and those that match
 * are shown.
 */
#include "control/describe.h"
#include "control/methods.h"
#include "control/query.h"
#include "control/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define COST_PLACE 250
#define COST_DESCRIBED 3000

/* At most so many are sorted by themselves. */
#define FEW 1024

struct list {
	struct manager *m;
	struct slices slices;
	struct query query;
	bool history;
	uint32_t skipped; /* rows that match and were left out */
	uint32_t total;   /* SAs that match */
	uint32_t *few;    /* those that match; NULL: too many, or no filter */
	/* The SA that is to be among the rows. */
	bool follow;
	struct sa_id followed; /* its SPI, destination and family */
	uint32_t followed_row;
	uint32_t before_followed; /* SAs that match and come before it, without `reverse` */
};

static void list_free(void *data)
{
	struct list *list = data;

	snapshot_unref(list->slices.snapshot);
	query_done(&list->query);
	free(list->few);
	free(list);
}

static void list_freep(struct list **list)
{
	if (*list)
		list_free(*list);
}

/* ---- The steps ---- */

static ssize_t add_places(void *data, json_t *rows)
{
	struct list *list = data;

	(void)rows;
	if (list->query.sort != SNAPSHOT_SORT_PLACEMENT)
		return 0;
	return snapshot_add_places(list->slices.snapshot) * COST_PLACE;
}

static bool is_followed(const struct list *list, const struct sa_id *id)
{
	return id->spi == list->followed.spi && id->family == list->followed.family &&
	       memcmp(&id->destination, &list->followed.destination, sizeof(id->destination)) == 0;
}

static ssize_t find_followed(void *data, json_t *rows)
{
	struct list *list = data;

	(void)rows;
	if (!list->follow)
		return 0;
	list->follow = list->slices.next < snapshot_size(list->slices.snapshot);
	if (!list->follow)
		return 0;
	list->followed_row = list->slices.next++;
	return is_followed(list, &snapshot_row(list->slices.snapshot, list->followed_row)->id)
		       ? 0
		       : COST_SORT;
}

static int compare_few(const void *a, const void *b, void *userdata)
{
	const struct list *list = userdata;

	return snapshot_compare(list->slices.snapshot, list->query.sort, *(const uint32_t *)a,
				*(const uint32_t *)b);
}

static bool matches(const struct list *list, uint32_t row)
{
	return query_matches(&list->query, list->m, snapshot_row(list->slices.snapshot, row));
}

static void count(struct list *list, uint32_t row)
{
	if (list->total < FEW && list->few)
		list->few[list->total] = row;
	else
		free(TAKE_PTR(list->few));
	list->total++;
	if (list->follow &&
	    snapshot_compare(list->slices.snapshot, list->query.sort, row, list->followed_row) < 0)
		list->before_followed++;
}

static ssize_t check_filter(void *data, json_t *rows)
{
	struct list *list = data;
	uint32_t row = list->slices.next++;

	(void)rows;
	if (!query_has_filter(&list->query)) {
		list->total = snapshot_size(list->slices.snapshot);
		return 0;
	}
	if (row == snapshot_size(list->slices.snapshot)) {
		if (list->few)
			qsort_r(list->few, list->total, sizeof(list->few[0]), compare_few, list);
		return 0;
	}
	if (matches(list, row))
		count(list, row);
	else if (list->follow && row == list->followed_row)
		list->follow = false;
	return query_is_costly(&list->query) ? COST_FILTER : COST_ROW;
}

static ssize_t move_to_followed(void *data, json_t *rows)
{
	struct list *list = data;
	uint32_t place;

	(void)rows;
	if (!list->follow)
		return 0;
	if (!query_has_filter(&list->query)) {
		struct order *order;
		ssize_t r = snapshot_order(list->slices.snapshot, list->query.sort, &order);

		if (r == 0)
			r = (ssize_t)order_place(order, list->followed_row, &list->before_followed);
		if (r != 0)
			return r < 0 ? r : r * COST_SORT;
	}
	place = list->query.reverse ? list->total - 1 - list->before_followed
				    : list->before_followed;
	query_show(&list->query, place);
	return 0;
}

/* The row at a place of those that are walked. Returns as order_row(), or -ENOMEM. */
static ssize_t row_at(struct list *list, uint32_t place, uint32_t n, uint32_t *ret_row)
{
	struct order *order;
	ssize_t r;

	if (list->query.reverse)
		place = n - 1 - place;
	if (list->few) {
		*ret_row = list->few[place];
		return 0;
	}
	r = snapshot_order(list->slices.snapshot, list->query.sort, &order);
	return r != 0 ? r : (ssize_t)order_row(order, place, ret_row);
}

/* 1: the row is described; 0: its SA is gone; -ENOMEM. */
static int describe(struct list *list, uint32_t row, uint32_t rank, json_t *rows)
{
	const struct sa *sa =
		sa_table_find(list->m->sas, &snapshot_row(list->slices.snapshot, row)->id);
	struct sa_row described;

	if (!sa)
		return 0;
	describe_row(list->m, sa, &described);
	return json_array_append_new(rows, sa_row_json(list->m, &described, rank, list->history)) <
			       0
		       ? -ENOMEM
		       : 1;
}

/* The place of a row by rate. Returns as order_place(), or -ENOMEM. */
static ssize_t rank_of(struct list *list, uint32_t row, uint32_t *ret_place)
{
	struct order *order;
	ssize_t r = snapshot_order(list->slices.snapshot, SNAPSHOT_SORT_RATE, &order);

	return r != 0 ? r : (ssize_t)order_place(order, row, ret_place);
}

static ssize_t show_rows(void *data, json_t *rows)
{
	struct list *list = data;
	bool every = list->few || !query_has_filter(&list->query);
	uint32_t n = list->few ? list->total : snapshot_size(list->slices.snapshot);
	uint32_t row, place;
	ssize_t r;

	if (every && list->slices.next < list->query.offset)
		list->slices.next = list->query.offset < n ? (uint32_t)list->query.offset : n;
	if (list->slices.next == n || list->query.limit == 0)
		return 0;
	r = row_at(list, list->slices.next, n, &row);
	if (r != 0)
		return r < 0 ? r : r * COST_SORT;
	if (!every && !matches(list, row)) {
		list->slices.next++;
		return COST_FILTER;
	}
	if (!every && list->skipped < list->query.offset) {
		list->slices.next++;
		list->skipped++;
		return COST_FILTER;
	}
	r = rank_of(list, row, &place);
	if (r != 0)
		return r < 0 ? r : r * COST_SORT;
	list->slices.next++;
	list->query.limit--;
	r = describe(list, row, place + 1, rows);
	return r < 0 ? r : COST_DESCRIBED;
}

static const slice_step steps[] = {
	add_places, find_followed, check_filter, move_to_followed, show_rows,
};

/* ---- The list ---- */

/* Text that names no SA follows none. */
static void read_followed(const json_t *parameters, struct list *list)
{
	const char *spi = json_string_value(json_object_get(parameters, "followSpi"));
	const char *destination = json_string_value(json_object_get(parameters, "followDst"));
	struct sa_id *id = &list->followed;

	if (!spi || !destination || describe_parse_spi(spi, &id->spi) < 0)
		return;
	id->family = strchr(destination, ':') ? AF_INET6 : AF_INET;
	list->follow = inet_pton(id->family, destination, id->destination.bytes) == 1;
}

static int list_begin(json_t *parameters, void *userdata, void **ret_list, json_t **ret_reply,
		      const char **ret_error)
{
	struct methods *methods = userdata;
	_cleanup_(list_freep) struct list *list = calloc(1, sizeof(*list));
	int r;

	if (!list)
		return -ENOMEM;
	r = query_read(methods->manager, parameters, snapshot_sort_names, _SNAPSHOT_SORT_MAX,
		       &list->query, ret_reply, ret_error);
	if (r < 0 || *ret_error)
		return r;
	if (query_has_filter(&list->query)) {
		list->few = calloc(FEW, sizeof(list->few[0]));
		if (!list->few)
			return -ENOMEM;
	}
	r = snapshots_get(&methods->snapshots, methods->manager, &list->slices.snapshot);
	if (r < 0)
		return r;
	list->m = methods->manager;
	list->history = json_is_true(json_object_get(parameters, "history"));
	read_followed(parameters, list);
	*ret_list = TAKE_PTR(list);
	return 0;
}

static int list_next(void *data, json_t *rows)
{
	struct list *list = data;

	return slices_next(&list->slices, steps, ELEMENTSOF(steps), list, rows);
}

static json_t *list_rest(void *data)
{
	const struct list *list = data;

	return json_pack("{s:I, s:I}", "total", (json_int_t)list->total, "offset",
			 (json_int_t)list->query.offset);
}

const struct control_list list_of_sas = {
	.member = "sas",
	.begin = list_begin,
	.next = list_next,
	.rest = list_rest,
	.free = list_free,
};
