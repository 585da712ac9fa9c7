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
	free(TAKE_PTR(model->selected_peer));
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
	json_decref(model->peers_reply);
	free(model->peers);
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

const char *top_peer_sort_name(enum top_peer_sort sort)
{
	static const char *const names[_TOP_PEER_SORT_MAX] = {
		[TOP_PEER_SORT_RATE] = "rate",
		[TOP_PEER_SORT_SAS] = "SAs",
		[TOP_PEER_SORT_OFFLOADED] = "offloaded",
		[TOP_PEER_SORT_PEER] = "peer",
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

static int add_sort(json_t *parameters, const char *shown)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "%s", shown);
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

static json_t *ask_for_peers(const struct top_page *page)
{
	size_t most = page->peers_max ? page->peers_max : TOP_PEERS;
	json_t *parameters =
		json_pack("{s:I, s:b}", "limit", (json_int_t)most, "reverse", page->reverse);
	int r = parameters ? add_sort(parameters, top_peer_sort_name(page->peer_sort)) : -1;

	if (r == 0)
		r = add_filters(parameters, page);
	if (r == 0)
		return parameters;
	json_decref(parameters);
	return NULL;
}

static int add_followed(json_t *parameters, const struct sa_view *followed)
{
	int r;

	if (!followed->spi)
		return 0;
	r = json_object_set_new(parameters, "followSpi", json_string(followed->spi));
	r |= json_object_set_new(parameters, "followDst", json_string(followed->dst));
	return r;
}

static json_t *ask_for_sas(const struct top_page *page, const struct sa_view *followed)
{
	json_t *parameters = json_pack("{s:b, s:I, s:b}", "history", true, "offset",
				       (json_int_t)page->first, "reverse", page->reverse);
	int r = parameters ? add_sort(parameters, top_sort_name(page->sort)) : -1;

	if (r == 0 && page->size != SIZE_MAX)
		r = json_object_set_new(parameters, "limit", json_integer((json_int_t)page->size));
	if (r == 0)
		r = add_filters(parameters, page);
	if (r == 0)
		r = add_followed(parameters, followed);
	if (r == 0)
		return parameters;
	json_decref(parameters);
	return NULL;
}

json_t *top_model_ask(struct top_model *model)
{
	json_t *parameters = model->page.peers ? ask_for_peers(&model->page)
					       : ask_for_sas(&model->page, &model->selected);

	if (parameters)
		model->asked = model->page;
	return parameters;
}

json_t *top_model_ask_unfolded(const struct top_model *model)
{
	struct top_page page = model->asked;

	if (!page.peers || !page.unfolded[0])
		return NULL;
	page.first = 0;
	page.size = TOP_UNFOLDED;
	page.sort = TOP_SORT_RATE;
	page.reverse = false;
	memcpy(page.only[TOP_ONLY_PEER], page.unfolded, sizeof(page.unfolded));
	return ask_for_sas(&page, &(struct sa_view){});
}

static bool same_filters(const struct top_page *a, const struct top_page *b)
{
	for (enum top_only i = 0; i < _TOP_ONLY_MAX; i++)
		if (strcmp(a->only[i], b->only[i]) != 0)
			return false;
	return strcmp(a->filter, b->filter) == 0;
}

static bool same_rows(const struct top_page *a, const struct top_page *b)
{
	if (a->peers)
		return a->peer_sort == b->peer_sort && strcmp(a->unfolded, b->unfolded) == 0;
	return a->sort == b->sort && a->first == b->first && a->size == b->size;
}

bool top_model_is_current(const struct top_model *model)
{
	const struct top_page *page = &model->page, *asked = &model->asked;

	return !model->has_rows ||
	       (page->peers == asked->peers && page->reverse == asked->reverse &&
		same_rows(page, asked) && same_filters(page, asked));
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

		if (model->n_by_identity > 0 && row->kind == TOP_ROW_SA)
			found = bsearch(&row, model->by_identity, model->n_by_identity,
					sizeof(struct top_row *), compare_by_identity);
		rows[i].changed = -INFINITY;
		if (found && (*found)->sa.place == row->sa.place)
			rows[i].changed = (*found)->changed;
		else if (found)
			rows[i].changed = now;
	}
}

static void select_peer(struct top_model *model, const char *peer)
{
	char *copy = strdup(peer);

	forget_selection(model);
	model->selected_peer = copy;
}

static bool is_selected(const struct top_model *model, const struct top_row *row)
{
	if (row->kind == TOP_ROW_SA)
		return model->selected.spi &&
		       sa_view_compare_identity(&row->sa, &model->selected) == 0;
	return row->kind == TOP_ROW_PEER && model->selected_peer &&
	       strcmp(row->peer->peer, model->selected_peer) == 0;
}

/* Moves the cursor to what is selected, else to the successor of the SA, else leaves it where it
 * is. */
static void find_selection(struct top_model *model)
{
	const struct sa_view *successor = NULL;

	for (size_t i = 0; i < model->n_rows; i++) {
		const struct top_row *row = &model->rows[i];

		if (is_selected(model, row)) {
			model->cursor = model->place + i;
			return;
		}
		if (!successor && row->kind == TOP_ROW_SA && model->selected.spi &&
		    sa_view_same_lineage(&row->sa, &model->selected)) {
			successor = &row->sa;
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

const struct sa_view *top_model_sa_at_cursor(const struct top_model *model)
{
	const struct top_row *row = top_model_row_at_cursor(model);

	return row && row->kind == TOP_ROW_SA ? &row->sa : NULL;
}

static void select_at_cursor(struct top_model *model)
{
	const struct top_row *row = top_model_row_at_cursor(model);

	model->select = !row;
	if (row && row->kind == TOP_ROW_SA)
		select_sa(model, &row->sa);
	else if (row && row->kind == TOP_ROW_PEER)
		select_peer(model, row->peer->peer);
	else
		forget_selection(model);
}

void top_model_toggle_peers(struct top_model *model)
{
	const struct sa_view *sa = top_model_sa_at_cursor(model);
	struct top_page *page = &model->page;

	page->peers = !page->peers;
	page->unfolded[0] = '\0';
	page->first = 0;
	if (page->peers && model->selected.spi && sa)
		select_peer(model, sa_view_peer(sa));
	else if (model->selected_peer)
		forget_selection(model);
	if (!model->selected.spi && !model->selected_peer)
		model->cursor = 0;
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

/* Takes the rows, and finds the selection in them. The rows before are needed for what changed. */
static int set_rows(struct top_model *model, struct top_row *rows, size_t n, double now)
{
	struct top_row **by_identity = calloc(n ? n : 1, sizeof(struct top_row *));
	size_t n_sas = 0;

	if (!by_identity)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (rows[i].kind == TOP_ROW_SA)
			by_identity[n_sas++] = &rows[i];
	qsort(by_identity, n_sas, sizeof(struct top_row *), compare_by_identity);
	carry_changes(model, rows, n, now);
	free(model->rows);
	free(model->by_identity);
	model->rows = rows;
	model->n_rows = n;
	model->by_identity = by_identity;
	model->n_by_identity = n_sas;
	model->has_rows = true;
	return 0;
}

static void set_reply(json_t **reply, json_t *new)
{
	json_incref(new);
	json_decref(*reply);
	*reply = new;
}

static void forget_peers(struct top_model *model)
{
	set_reply(&model->peers_reply, NULL);
	free(TAKE_PTR(model->peers));
	model->n_peers = 0;
}

int top_model_set_sas(struct top_model *model, json_t *reply, double now)
{
	_cleanup_free_ struct sa_view *views = NULL;
	_cleanup_free_ struct top_row *rows = NULL;
	size_t n = 0;
	int r = sa_views_read(reply, &views, &n);

	if (r < 0)
		return r;
	rows = calloc(n ? n : 1, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		rows[i].sa = views[i];
	r = set_rows(model, rows, n, now);
	if (r < 0)
		return r;
	rows = NULL;
	set_reply(&model->sas_reply, reply);
	forget_peers(model);
	set_place(model, reply);
	find_selection(model);
	if (model->select)
		select_at_cursor(model);
	return 0;
}

/* Returns the number of rows. */
static size_t lay_out_peers(const struct top_model *model, struct top_row *rows,
			    const struct peer_view *peers, size_t n_peers,
			    const struct sa_view *sas, size_t n_sas, int64_t others)
{
	size_t n = 0;

	for (size_t i = 0; i < n_peers; i++) {
		const struct peer_view *peer = &peers[i];

		rows[n++] = (struct top_row){.kind = TOP_ROW_PEER, .peer = peer};
		if (strcmp(peer->peer, model->asked.unfolded) != 0)
			continue;
		for (size_t j = 0; j < n_sas; j++)
			rows[n++] = (struct top_row){TOP_ROW_SA, .sa = sas[j], .peer = peer};
		if (n_sas == TOP_UNFOLDED && peer->sums.sas > TOP_UNFOLDED)
			rows[n++] = (struct top_row){TOP_ROW_MORE, .peer = peer,
						     .more = peer->sums.sas - TOP_UNFOLDED};
	}
	if (others > 0)
		rows[n++] = (struct top_row){TOP_ROW_OTHERS, .more = others};
	return n;
}

int top_model_set_peers(struct top_model *model, json_t *peers_reply, json_t *sas, double now)
{
	_cleanup_free_ struct peer_view *peers = NULL;
	_cleanup_free_ struct sa_view *views = NULL;
	_cleanup_free_ struct top_row *rows = NULL;
	struct sums_view all, others;
	size_t n_peers, n_sas = 0, n;
	int r = peer_views_read(peers_reply, &peers, &n_peers, &all, &others);

	if (r >= 0 && sas)
		r = sa_views_read(sas, &views, &n_sas);
	if (r < 0)
		return r;
	rows = calloc(n_peers + n_sas + 2, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	n = lay_out_peers(model, rows, peers, n_peers, views, n_sas, others.peers);
	r = set_rows(model, rows, n, now);
	if (r < 0)
		return r;
	rows = NULL;
	forget_peers(model);
	model->peers = TAKE_PTR(peers);
	model->n_peers = n_peers;
	model->all = all;
	model->others = others;
	set_reply(&model->peers_reply, peers_reply);
	set_reply(&model->sas_reply, sas);
	model->place = 0;
	model->total = n;
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
	if (!model->has_rows)
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
