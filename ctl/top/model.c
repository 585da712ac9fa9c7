/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top/model.h"

#include "cleanup.h"

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

struct top_model top_model_make(enum top_sort sort, bool reverse, const char *filter)
{
	struct top_model model = {.sort = sort, .reverse = reverse};

	if (filter)
		(void)snprintf(model.filter, sizeof(model.filter), "%s", filter);
	return model;
}

void top_model_done(struct top_model *model)
{
	forget_selection(model);
	json_decref(model->status_reply);
	json_decref(model->sas_reply);
	free(model->rows);
	free(model->shown);
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

static int compare_rows_by_identity(const void *a, const void *b)
{
	const struct top_row *row_a = a;
	const struct top_row *row_b = b;

	return sa_view_compare_identity(&row_a->sa, &row_b->sa);
}

/* Sets when the place of each SA has changed. */
static void carry_changes(const struct top_model *model, struct top_row *rows, size_t n_rows,
			  double now)
{
	for (size_t i = 0; i < n_rows; i++) {
		const struct top_row *before = NULL;

		if (model->n_rows > 0)
			before = bsearch(&rows[i], model->rows, model->n_rows, sizeof(rows[0]),
					 compare_rows_by_identity);
		rows[i].changed = -INFINITY;
		if (before && before->sa.place == rows[i].sa.place)
			rows[i].changed = before->changed;
		else if (before)
			rows[i].changed = now;
	}
}

int top_model_set_sas(struct top_model *model, json_t *reply, double now)
{
	_cleanup_free_ struct sa_view *views = NULL;
	_cleanup_free_ struct top_row *rows = NULL;
	_cleanup_free_ struct top_row **shown = NULL;
	size_t n = 0;
	int r = sa_views_read(reply, &views, &n);

	if (r < 0)
		return r;
	rows = calloc(n ? n : 1, sizeof(*rows));
	shown = calloc(n ? n : 1, sizeof(struct top_row *));
	if (!rows || !shown)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i].sa = views[i];
	qsort(rows, n, sizeof(*rows), compare_rows_by_identity);
	carry_changes(model, rows, n, now);

	free(model->rows);
	free(model->shown);
	model->rows = TAKE_PTR(rows);
	model->shown = TAKE_PTR(shown);
	model->n_rows = n;
	model->total = (size_t)json_whole_or(reply, "total", (int64_t)n);
	if (model->total < n)
		model->total = n;
	json_incref(reply);
	json_decref(model->sas_reply);
	model->sas_reply = reply;
	top_model_arrange(model);
	return 0;
}

/* The largest first, unknown rates last. */
static int compare_rates(double a, double b)
{
	if (isnan(a) || isnan(b))
		return isnan(a) - isnan(b);
	return (a < b) - (a > b);
}

/* The best rank first, SAs without a rank last. */
static int compare_ranks(int64_t a, int64_t b)
{
	if (a <= 0 || b <= 0)
		return (a <= 0) - (b <= 0);
	return (a > b) - (a < b);
}

static int compare_by(enum top_sort sort, const struct sa_view *a, const struct sa_view *b)
{
	switch (sort) {
	case TOP_SORT_RANK:
		return compare_ranks(a->rank, b->rank);
	case TOP_SORT_PLACE:
		return (int)a->place - (int)b->place;
	case TOP_SORT_DIRECTION:
		return strcmp(a->direction, b->direction);
	case TOP_SORT_SPI:
		return strcmp(a->spi, b->spi);
	case TOP_SORT_DST:
		return strcmp(a->dst, b->dst);
	case TOP_SORT_RATE:
	case _TOP_SORT_MAX:
		break;
	}
	return compare_rates(a->rate, b->rate);
}

/* Equal rows are ordered by rate, then by identity, so that the order is stable. */
static int compare_shown(const void *a, const void *b, void *userdata)
{
	const struct top_row *row_a = *(struct top_row *const *)a;
	const struct top_row *row_b = *(struct top_row *const *)b;
	const struct top_model *model = userdata;
	int order = compare_by(model->sort, &row_a->sa, &row_b->sa);

	if (order == 0)
		order = compare_rates(row_a->sa.rate, row_b->sa.rate);
	if (order == 0)
		order = sa_view_compare_identity(&row_a->sa, &row_b->sa);
	return model->reverse ? -order : order;
}

static bool matches(const struct sa_view *sa, const char *filter)
{
	const char *fields[] = {
		sa->spi,
		sa->src,
		sa->dst,
		sa->direction,
		sa->mode,
		sa->reason,
		sa_place_word(sa->place),
		sa->nic ? sa->nic : "",
		sa->placement,
		sa->text,
		sa->rule ? sa->rule : "",
	};

	for (size_t i = 0; i < ELEMENTSOF(fields); i++)
		if (strcasestr(fields[i], filter))
			return true;
	return false;
}

/* Puts the cursor on the selected SA, else on its successor, else leaves it on its row. */
static void find_selection(struct top_model *model)
{
	size_t successor = model->n_shown;

	if (model->n_shown == 0) {
		model->cursor = 0;
		return;
	}
	if (model->cursor >= model->n_shown)
		model->cursor = model->n_shown - 1;
	if (!model->selected.spi)
		return;
	for (size_t i = 0; i < model->n_shown; i++) {
		const struct sa_view *sa = &model->shown[i]->sa;

		if (sa_view_compare_identity(sa, &model->selected) == 0) {
			model->cursor = i;
			return;
		}
		if (successor == model->n_shown && sa_view_same_lineage(sa, &model->selected))
			successor = i;
	}
	if (successor < model->n_shown) {
		model->cursor = successor;
		select_sa(model, &model->shown[successor]->sa);
	}
}

void top_model_arrange(struct top_model *model)
{
	model->n_shown = 0;
	for (size_t i = 0; i < model->n_rows; i++)
		if (!model->filter[0] || matches(&model->rows[i].sa, model->filter))
			model->shown[model->n_shown++] = &model->rows[i];
	if (model->n_shown > 0)
		qsort_r(model->shown, model->n_shown, sizeof(struct top_row *), compare_shown,
			model);
	find_selection(model);
}

const char *top_sort_name(enum top_sort sort)
{
	static const char *const names[_TOP_SORT_MAX] = {
		[TOP_SORT_RATE] = "rate",       [TOP_SORT_RANK] = "rank",
		[TOP_SORT_PLACE] = "placement", [TOP_SORT_DIRECTION] = "direction",
		[TOP_SORT_SPI] = "SPI",         [TOP_SORT_DST] = "destination",
	};

	return names[sort];
}

void top_model_move(struct top_model *model, long rows)
{
	long cursor = (long)model->cursor;

	if (model->n_shown == 0)
		return;
	if (rows < 0)
		cursor = cursor + rows < 0 || rows < -cursor ? 0 : cursor + rows;
	else
		cursor = rows > (long)model->n_shown - 1 - cursor ? (long)model->n_shown - 1
								  : cursor + rows;
	model->cursor = (size_t)cursor;
	select_sa(model, &model->shown[cursor]->sa);
}

void top_model_scroll(struct top_model *model, size_t page)
{
	if (page == 0 || model->n_shown <= page) {
		model->first = 0;
		return;
	}
	/* Without a selection the view stays at the top. */
	if (model->cursor < model->first)
		model->first = model->cursor;
	if (model->cursor >= model->first + page)
		model->first = model->cursor - page + 1;
	if (model->first > model->n_shown - page)
		model->first = model->n_shown - page;
}
