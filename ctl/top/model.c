/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top/model.h"

#include "cleanup.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>

static void forget_selection(struct top_model *model)
{
	free((char *)model->selected.spi);
	free((char *)model->selected.src);
	free((char *)model->selected.dst);
	free((char *)model->selected.direction);
	free((char *)model->selected.mark);
	free((char *)model->selected.protocol);
	model->selected = (struct sa_view){};
}

struct top_model top_model_make(const struct top_page *page)
{
	return (struct top_model){.page = *page};
}

void top_model_done(struct top_model *model)
{
	forget_selection(model);
	json_decref(model->status_reply);
	json_decref(model->sas_reply);
	free(model->rows);
	free(model->by_identity);
	*model = (struct top_model){};
}

/* The selection may outlive its reply, so it owns its strings. */
static void select_sa(struct top_model *model, const struct sa_view *sa)
{
	struct sa_view copy = {
		.spi = strdup(sa->spi),
		.src = strdup(sa->src),
		.dst = strdup(sa->dst),
		.direction = strdup(sa->direction),
		.mark = strdup(sa->mark),
		.protocol = strdup(sa->protocol),
		.reqid = sa->reqid,
		.if_id = sa->if_id,
	};

	forget_selection(model);
	model->selected = copy;
	if (!copy.spi || !copy.src || !copy.dst || !copy.direction || !copy.mark || !copy.protocol)
		forget_selection(model);
}

int top_model_set_status(struct top_model *model, json_t *reply)
{
	int r = status_view_read(reply, &model->status);

	if (r < 0)
		return r;
	json_incref(reply);
	json_decref(model->status_reply);
	model->status_reply = reply;
	model->has_status = true;
	return 0;
}

const char *top_sort_name(enum top_sort sort)
{
	static const char *const names[_TOP_SORT_MAX] = {
		[TOP_SORT_RATE] = "rate",       [TOP_SORT_RANK] = "rank",
		[TOP_SORT_PLACE] = "placement", [TOP_SORT_DIRECTION] = "direction",
		[TOP_SORT_SPI] = "SPI",         [TOP_SORT_PEER] = "peer",
		[TOP_SORT_SRC] = "source",      [TOP_SORT_DST] = "destination",
		[TOP_SORT_NIC] = "NIC",
	};

	return names[sort];
}

const char *top_only_name(enum top_only only)
{
	static const char *const names[_TOP_ONLY_MAX] = {
		[TOP_ONLY_NIC] = "nic",
		[TOP_ONLY_DIRECTION] = "direction",
		[TOP_ONLY_PLACEMENT] = "placement",
		[TOP_ONLY_PEER] = "peer",
	};

	return names[only];
}

bool top_page_has_filter(const struct top_page *page)
{
	for (enum top_only i = 0; i < _TOP_ONLY_MAX; i++)
		if (page->only[i][0])
			return true;
	return page->filter[0] != '\0';
}

static int add_sort(json_t *parameters, enum top_sort sort)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%s", top_sort_name(sort));
	for (char *p = name; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return json_object_set_new(parameters, "sort", json_string(name));
}

static int add_filters(json_t *parameters, const struct top_page *page)
{
	int r = 0;

	if (page->filter[0])
		r = json_object_set_new(parameters, "filter", json_string(page->filter));
	for (enum top_only i = 0; i < _TOP_ONLY_MAX && r == 0; i++)
		if (page->only[i][0])
			r = json_object_set_new(parameters, top_only_name(i),
						json_string(page->only[i]));
	return r;
}

json_t *top_model_ask(struct top_model *model)
{
	const struct top_page *page = &model->page;
	json_t *parameters = json_pack("{s:b, s:I, s:b}", "history", true, "offset",
				       (json_int_t)page->first, "reverse", page->reverse);
	int r = parameters ? add_sort(parameters, page->sort) : -1;

	if (r == 0 && page->size != SIZE_MAX)
		r = json_object_set_new(parameters, "limit", json_integer((json_int_t)page->size));
	if (r == 0)
		r = add_filters(parameters, page);
	if (r == 0 && model->selected.spi) {
		r = json_object_set_new(parameters, "followSpi", json_string(model->selected.spi));
		r |= json_object_set_new(parameters, "followDst", json_string(model->selected.dst));
	}
	if (r != 0) {
		json_decref(parameters);
		return NULL;
	}
	model->asked = *page;
	return parameters;
}

static bool same_filters(const struct top_page *a, const struct top_page *b)
{
	for (enum top_only i = 0; i < _TOP_ONLY_MAX; i++)
		if (strcmp(a->only[i], b->only[i]) != 0)
			return false;
	return strcmp(a->filter, b->filter) == 0;
}

bool top_model_is_current(const struct top_model *model)
{
	const struct top_page *page = &model->page, *asked = &model->asked;

	return !model->sas_reply || (page->sort == asked->sort && page->reverse == asked->reverse &&
				     page->first == asked->first && page->size == asked->size &&
				     same_filters(page, asked));
}

static int compare_by_identity(const void *a, const void *b)
{
	const struct top_row *const *row_a = a, *const *row_b = b;

	return sa_view_compare_identity(&(*row_a)->sa, &(*row_b)->sa);
}

/* Sets when the place of each SA has changed. */
static void carry_changes(const struct top_model *model, struct top_row *rows, size_t n_rows,
			  double now)
{
	for (size_t i = 0; i < n_rows; i++) {
		const struct top_row *row = &rows[i], *const *found = NULL;

		if (model->n_rows > 0)
			found = bsearch(&row, model->by_identity, model->n_rows,
					sizeof(struct top_row *), compare_by_identity);
		rows[i].changed = -INFINITY;
		if (found && (*found)->sa.place == row->sa.place)
			rows[i].changed = (*found)->changed;
		else if (found)
			rows[i].changed = now;
	}
}

/* Moves the cursor to the selected SA, else to its successor, else leaves it where it is. */
static void find_selection(struct top_model *model)
{
	const struct sa_view *successor = NULL;

	for (size_t i = 0; i < model->n_rows && model->selected.spi; i++) {
		const struct sa_view *sa = &model->rows[i].sa;

		if (sa_view_compare_identity(sa, &model->selected) == 0) {
			model->cursor = model->place + i;
			return;
		}
		if (!successor && sa_view_same_lineage(sa, &model->selected)) {
			successor = sa;
			model->cursor = model->place + i;
		}
	}
	if (successor)
		select_sa(model, successor);
	if (model->cursor >= model->total)
		model->cursor = model->total ? model->total - 1 : 0;
}

const struct top_row *top_model_row_at_cursor(const struct top_model *model)
{
	return model->cursor >= model->place && model->cursor - model->place < model->n_rows
		       ? &model->rows[model->cursor - model->place]
		       : NULL;
}

static void select_at_cursor(struct top_model *model)
{
	const struct top_row *row = top_model_row_at_cursor(model);

	model->select = !row;
	if (row)
		select_sa(model, &row->sa);
	else
		forget_selection(model);
}

/* The daemon may have moved the page to the selection. */
static void set_place(struct top_model *model, const json_t *reply)
{
	int64_t offset = json_whole_or(reply, "offset", (int64_t)model->asked.first);
	int64_t total = json_whole_or(reply, "total", 0);

	model->place = offset > 0 ? (size_t)offset : 0;
	model->total = total > 0 ? (size_t)total : 0;
	if (model->n_rows > 0 && model->total < model->place + model->n_rows)
		model->total = model->place + model->n_rows;
	if (model->page.first == model->asked.first)
		model->page.first = model->place;
	model->asked.first = model->place;
}

int top_model_set_sas(struct top_model *model, json_t *reply, double now)
{
	_cleanup_free_ struct sa_view *views = NULL;
	_cleanup_free_ struct top_row *rows = NULL;
	_cleanup_free_ struct top_row **by_identity = NULL;
	size_t n = 0;
	int r = sa_views_read(reply, &views, &n);

	if (r < 0)
		return r;
	rows = calloc(n ? n : 1, sizeof(*rows));
	by_identity = calloc(n ? n : 1, sizeof(struct top_row *));
	if (!rows || !by_identity)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		rows[i].sa = views[i];
		by_identity[i] = &rows[i];
	}
	qsort(by_identity, n, sizeof(struct top_row *), compare_by_identity);
	carry_changes(model, rows, n, now);

	free(model->rows);
	free(model->by_identity);
	model->rows = TAKE_PTR(rows);
	model->by_identity = TAKE_PTR(by_identity);
	model->n_rows = n;
	json_incref(reply);
	json_decref(model->sas_reply);
	model->sas_reply = reply;
	set_place(model, reply);
	find_selection(model);
	if (model->select)
		select_at_cursor(model);
	return 0;
}

void top_model_move(struct top_model *model, long rows)
{
	long cursor = (long)model->cursor;

	if (model->total == 0)
		return;
	if (rows < 0)
		cursor = cursor + rows < 0 || rows < -cursor ? 0 : cursor + rows;
	else
		cursor = rows > (long)model->total - 1 - cursor ? (long)model->total - 1
								: cursor + rows;
	model->cursor = (size_t)cursor;
	select_at_cursor(model);
}

void top_model_scroll(struct top_model *model, size_t size)
{
	struct top_page *page = &model->page;

	page->size = size;
	if (!model->sas_reply)
		return;
	if (size == 0 || model->total <= size) {
		page->first = 0;
		return;
	}
	/* Without a selection the view stays at the top. */
	if (model->cursor < page->first)
		page->first = model->cursor;
	if (model->cursor >= page->first + size)
		page->first = model->cursor - size + 1;
	if (page->first > model->total - size)
		page->first = model->total - size;
}
