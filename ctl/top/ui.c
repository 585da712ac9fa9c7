/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "top/ui.h"

#include "cleanup.h"
#include "nic-text.h"
#include "sa-listing.h"

#include <limits.h>
#include <string.h>

/* Of one step of the wheel. */
#define WHEEL_ROWS 3

void top_ui_done(struct top_ui *ui)
{
	json_decref(ui->explain);
	ui->explain = NULL;
}

bool top_ui_wants_explanation(const struct top_ui *ui)
{
	return ui->pane == TOP_PANE_EXPLAIN || (ui->pane == TOP_PANE_TABLE && ui->graph);
}

static void close_pane(struct top_ui *ui)
{
	top_ui_done(ui);
	ui->explain_note[0] = '\0';
	ui->pane = TOP_PANE_TABLE;
	ui->scroll = 0;
}

static void start_editing(struct top_ui *ui, const struct top_model *model)
{
	ui->editing = true;
	ui->edit_cursor = strlen(model->page.filter);
	memcpy(ui->filter_before, model->page.filter, sizeof(ui->filter_before));
}

static void insert_character(struct top_ui *ui, struct top_model *model, int key)
{
	size_t length = strlen(model->page.filter);

	/* The fields that are filtered are ASCII. */
	if (key < 0x20 || key > 0x7e || length + 1 >= sizeof(model->page.filter))
		return;
	memmove(model->page.filter + ui->edit_cursor + 1, model->page.filter + ui->edit_cursor,
		length - ui->edit_cursor + 1);
	model->page.filter[ui->edit_cursor++] = (char)key;
}

static void delete_character(struct top_ui *ui, struct top_model *model, size_t at)
{
	size_t length = strlen(model->page.filter);

	if (at >= length)
		return;
	memmove(model->page.filter + at, model->page.filter + at + 1, length - at);
	if (at < ui->edit_cursor)
		ui->edit_cursor--;
}

/* The daemon is asked again while the filter is edited. */
static void edit_key(struct top_ui *ui, struct top_model *model, int key)
{
	switch (key) {
	case TOP_KEY_ENTER:
		ui->editing = false;
		break;
	case TOP_KEY_ESCAPE:
		ui->editing = false;
		memcpy(model->page.filter, ui->filter_before, sizeof(model->page.filter));
		break;
	case TOP_KEY_LEFT:
		ui->edit_cursor -= ui->edit_cursor > 0;
		break;
	case TOP_KEY_RIGHT:
		ui->edit_cursor += model->page.filter[ui->edit_cursor] != '\0';
		break;
	case TOP_KEY_HOME:
		ui->edit_cursor = 0;
		break;
	case TOP_KEY_END:
		ui->edit_cursor = strlen(model->page.filter);
		break;
	case TOP_KEY_BACKSPACE:
		if (ui->edit_cursor > 0)
			delete_character(ui, model, ui->edit_cursor - 1);
		break;
	case TOP_KEY_DELETE:
		delete_character(ui, model, ui->edit_cursor);
		break;
	case 'u' & 0x1f: /* Ctrl-U */
		model->page.filter[0] = '\0';
		ui->edit_cursor = 0;
		break;
	default:
		insert_character(ui, model, key);
	}
}

/* The columns of the last frame are the beginning of a choice. */
static void choose_column(struct top_ui *ui)
{
	if (sa_column_is_always_shown(ui->column))
		return;
	if (ui->columns == 0)
		ui->columns = ui->shown;
	ui->columns ^= SA_COLUMN_BIT(ui->column);
}

/* Returns whether the key is one of the list of columns alone. */
static bool columns_key(struct top_ui *ui, int key)
{
	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		ui->column -= ui->column > 0;
		return true;
	case TOP_KEY_DOWN:
	case 'j':
		ui->column += ui->column + 1 < _SA_COLUMN_MAX;
		return true;
	case TOP_KEY_HOME:
		ui->column = 0;
		return true;
	case TOP_KEY_END:
		ui->column = _SA_COLUMN_MAX - 1;
		return true;
	case TOP_KEY_ENTER:
	case ' ':
		choose_column(ui);
		return true;
	case 'u':
		ui->columns = 0;
		return true;
	default:
		return false;
	}
}

static enum top_request pane_key(struct top_ui *ui, int key)
{
	size_t page = ui->page > 1 ? ui->page - 1 : 1;

	if (ui->pane == TOP_PANE_COLUMNS && columns_key(ui, key))
		return TOP_REQUEST_NONE;
	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		ui->scroll -= ui->scroll > 0;
		break;
	case TOP_KEY_DOWN:
	case 'j':
		ui->scroll++; /* the renderer stops at the end */
		break;
	case TOP_KEY_PAGE_UP:
		ui->scroll = ui->scroll > page ? ui->scroll - page : 0;
		break;
	case TOP_KEY_PAGE_DOWN:
	case ' ':
		ui->scroll += page;
		break;
	case TOP_KEY_WHEEL_UP:
		ui->scroll = ui->scroll > WHEEL_ROWS ? ui->scroll - WHEEL_ROWS : 0;
		break;
	case TOP_KEY_WHEEL_DOWN:
		ui->scroll += WHEEL_ROWS;
		break;
	case TOP_KEY_HOME:
		ui->scroll = 0;
		break;
	case TOP_KEY_END:
		ui->scroll = INT_MAX;
		break;
	case 'q':
	case 'c':
	case 'e':
	case '?':
	case 'h':
	case TOP_KEY_ENTER:
	case TOP_KEY_ESCAPE:
		close_pane(ui);
		break;
	}
	return TOP_REQUEST_NONE;
}

static void change_delay(struct top_ui *ui, bool longer)
{
	static const double steps[] = {TOP_DELAY_MIN, 0.2, 0.5, 1, 2, 3, 5, 10, 30, TOP_DELAY_MAX};
	size_t n = sizeof(steps) / sizeof(steps[0]);

	for (size_t i = 0; i < n; i++) {
		double step = longer ? steps[i] : steps[n - 1 - i];

		if (longer ? step > ui->delay : step < ui->delay) {
			ui->delay = step;
			return;
		}
	}
}

static void move_key(struct top_ui *ui, struct top_model *model, int key)
{
	long page = ui->page > 1 ? (long)ui->page - 1 : 1;

	switch (key) {
	case TOP_KEY_UP:
	case 'k':
		top_model_move(model, -1);
		break;
	case TOP_KEY_DOWN:
	case 'j':
		top_model_move(model, 1);
		break;
	case TOP_KEY_WHEEL_UP:
		top_model_move(model, -WHEEL_ROWS);
		break;
	case TOP_KEY_WHEEL_DOWN:
		top_model_move(model, WHEEL_ROWS);
		break;
	case TOP_KEY_PAGE_UP:
		top_model_move(model, -page);
		break;
	case TOP_KEY_PAGE_DOWN:
		top_model_move(model, page);
		break;
	case TOP_KEY_HOME:
		top_model_move(model, LONG_MIN / 2);
		break;
	case TOP_KEY_END:
		top_model_move(model, LONG_MAX / 2);
		break;
	}
}

static enum top_request toggle_graph(struct top_ui *ui, struct top_model *model)
{
	ui->graph = !ui->graph;
	if (ui->graph)
		top_model_move(model, 0); /* the row at the cursor becomes the selection */
	return ui->graph ? TOP_REQUEST_EXPLAIN : TOP_REQUEST_NONE;
}

static enum top_request open_explain(struct top_ui *ui, struct top_model *model)
{
	top_model_move(model, 0); /* the row at the cursor becomes the selection */
	if (!model->selected.spi)
		return TOP_REQUEST_NONE;
	close_pane(ui);
	ui->pane = TOP_PANE_EXPLAIN;
	return TOP_REQUEST_EXPLAIN;
}

/* Replaces the value by the next one; "" is before the first and after the last. */
static void next_of(char value[TOP_FILTER_MAX], const char *const *values, size_t n_values)
{
	size_t i = 0;

	while (value[0] && i < n_values && strcmp(values[i], value) != 0)
		i++;
	if (value[0])
		i++;
	(void)snprintf(value, TOP_FILTER_MAX, "%s", i < n_values ? values[i] : "");
}

static void next_nic(struct top_model *model)
{
	const struct status_view *status = &model->status;
	const char *names[STATUS_NICS_MAX];
	size_t n = 0;

	for (size_t i = 0; i < status->n_nics; i++)
		if (nic_is_worth_showing(&status->nics[i]))
			names[n++] = status->nics[i].name;
	next_of(model->page.only[TOP_ONLY_NIC], names, n);
}

static void next_direction(struct top_model *model)
{
	static const char *const directions[] = {"in", "out"};

	next_of(model->page.only[TOP_ONLY_DIRECTION], directions, ELEMENTSOF(directions));
}

static void next_placement(struct top_model *model)
{
	static const char *const placements[] = {"nic",     "software", "moving",
						 "refused", "foreign",  "hands-off"};

	next_of(model->page.only[TOP_ONLY_PLACEMENT], placements, ELEMENTSOF(placements));
}

/* Only the SAs of the selected peer or of the SA's, or again those of all. */
static void toggle_peer(struct top_model *model)
{
	const struct top_row *row = top_model_row_at_cursor(model);
	char *peer = model->page.only[TOP_ONLY_PEER];

	if (peer[0])
		peer[0] = '\0';
	else if (row && row->peer)
		(void)snprintf(peer, TOP_FILTER_MAX, "%s", row->peer->peer);
	else if (row && row->kind == TOP_ROW_SA)
		(void)snprintf(peer, TOP_FILTER_MAX, "%s", sa_view_peer(&row->sa));
	if (peer[0] && model->page.peers)
		top_model_toggle_peers(model);
}

/* Shows the SAs of the peer at the cursor, or hides them again. Returns whether there is one. */
static bool unfold(struct top_model *model)
{
	const struct top_row *row = top_model_row_at_cursor(model);
	char *unfolded = model->page.unfolded;

	if (!row || row->kind != TOP_ROW_PEER)
		return false;
	top_model_move(model, 0); /* the peer becomes the selection */
	if (strcmp(unfolded, row->peer->peer) == 0)
		unfolded[0] = '\0';
	else
		(void)snprintf(unfolded, TOP_FILTER_MAX, "%s", row->peer->peer);
	return true;
}

static void next_sort(struct top_page *page, unsigned step)
{
	if (page->peers)
		page->peer_sort = (page->peer_sort + step) % _TOP_PEER_SORT_MAX;
	else
		page->sort = (page->sort + step) % _TOP_SORT_MAX;
}

static void clear_filters(struct top_page *page)
{
	page->filter[0] = '\0';
	memset(page->only, 0, sizeof(page->only));
}

static enum top_request table_key(struct top_ui *ui, struct top_model *model, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
		return TOP_REQUEST_QUIT;
	case TOP_KEY_ENTER:
		if (unfold(model))
			break;
		return open_explain(ui, model);
	case 'e':
		return open_explain(ui, model);
	case '?':
	case 'h':
		ui->pane = TOP_PANE_HELP;
		break;
	case 'c':
		if (!model->page.peers) /* those of peers are fixed */
			ui->pane = TOP_PANE_COLUMNS;
		break;
	case 't':
		top_model_toggle_peers(model);
		break;
	case 'm':
		ui->mouse = !ui->mouse;
		break;
	case 'g':
		return toggle_graph(ui, model);
	case 'p':
	case ' ':
		ui->frozen = !ui->frozen;
		break;
	case '/':
		start_editing(ui, model);
		break;
	case TOP_KEY_ESCAPE:
		clear_filters(&model->page);
		break;
	case 'n':
		next_nic(model);
		break;
	case 'd':
		next_direction(model);
		break;
	case 'w':
		next_placement(model);
		break;
	case 'o':
		toggle_peer(model);
		break;
	case 's':
		next_sort(&model->page, 1);
		break;
	case 'S':
		next_sort(&model->page,
			  model->page.peers ? _TOP_PEER_SORT_MAX - 1 : _TOP_SORT_MAX - 1);
		break;
	case 'r':
		model->page.reverse = !model->page.reverse;
		break;
	case '+':
	case '-':
		change_delay(ui, key == '+');
		break;
	default:
		move_key(ui, model, key);
		return ui->graph ? TOP_REQUEST_EXPLAIN : TOP_REQUEST_NONE;
	}
	return TOP_REQUEST_NONE;
}

/* The key that a function key stands for, as in htop. */
static int letter_of(int key)
{
	switch (key) {
	case TOP_KEY_F1:
		return 'h';
	case TOP_KEY_F2:
		return 'c';
	case TOP_KEY_F3:
	case TOP_KEY_F4:
		return '/';
	case TOP_KEY_F5:
		return 't';
	case TOP_KEY_F6:
		return 's';
	case TOP_KEY_F10:
		return 'q';
	default:
		return key;
	}
}

enum top_request top_ui_key(struct top_ui *ui, struct top_model *model, int key)
{
	if (ui->editing) {
		edit_key(ui, model, key);
		return TOP_REQUEST_NONE;
	}
	key = letter_of(key);
	return ui->pane == TOP_PANE_TABLE ? table_key(ui, model, key) : pane_key(ui, key);
}

/* ---- The mouse ---- */

enum sa_column top_sort_column(enum top_sort sort)
{
	static const enum sa_column columns[_TOP_SORT_MAX] = {
		[TOP_SORT_RATE] = SA_COLUMN_RATE,   [TOP_SORT_RANK] = SA_COLUMN_RANK,
		[TOP_SORT_PLACE] = SA_COLUMN_PLACE, [TOP_SORT_DIRECTION] = SA_COLUMN_DIRECTION,
		[TOP_SORT_SPI] = SA_COLUMN_SPI,     [TOP_SORT_PEER] = SA_COLUMN_PEER,
		[TOP_SORT_SRC] = SA_COLUMN_SRC,     [TOP_SORT_DST] = SA_COLUMN_DST,
		[TOP_SORT_NIC] = SA_COLUMN_NIC,
	};

	return columns[sort];
}

enum peer_column top_peer_sort_column(enum top_peer_sort sort)
{
	static const enum peer_column columns[_TOP_PEER_SORT_MAX] = {
		[TOP_PEER_SORT_RATE] = PEER_COLUMN_RATE,
		[TOP_PEER_SORT_SAS] = PEER_COLUMN_SAS,
		[TOP_PEER_SORT_OFFLOADED] = PEER_COLUMN_OFFLOADED,
		[TOP_PEER_SORT_PEER] = PEER_COLUMN_PEER,
	};

	return columns[sort];
}

/* The title of the column by which the rows are sorted reverses the order. */
static void sort_by_title(const struct top_ui *ui, struct top_page *page, int x)
{
	int column = ui->table.peers ? peer_listing_column_at(&ui->table.peers_listing, x)
				     : sa_listing_column_at(&ui->table.sas_listing, x);

	for (enum top_peer_sort i = 0; i < _TOP_PEER_SORT_MAX && ui->table.peers; i++) {
		if ((int)top_peer_sort_column(i) == column) {
			page->reverse = page->peer_sort == i && !page->reverse;
			page->peer_sort = i;
		}
	}
	for (enum top_sort i = 0; i < _TOP_SORT_MAX && !ui->table.peers; i++) {
		if ((int)top_sort_column(i) == column) {
			page->reverse = page->sort == i && !page->reverse;
			page->sort = i;
		}
	}
}

enum top_request top_ui_click(struct top_ui *ui, struct top_model *model, int row, int column)
{
	const struct top_table *table = &ui->table;
	long line = (long)row - table->head - 1;

	/* What is asked for may be another table. */
	if (ui->pane != TOP_PANE_TABLE || ui->editing || table->peers != model->page.peers)
		return TOP_REQUEST_NONE;
	if (line == -1)
		sort_by_title(ui, &model->page, column);
	if (line < 0 || line >= (long)table->n)
		return TOP_REQUEST_NONE;
	top_model_move(model, (long)table->first + line - (long)model->cursor);
	if (table->peers && column == 0)
		(void)unfold(model);
	return ui->graph ? TOP_REQUEST_EXPLAIN : TOP_REQUEST_NONE;
}
