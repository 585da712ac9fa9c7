/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Order, filter, selection and keys of `top`. */
#include "cleanup.h"
#include "sa-listing.h"
#include "top-fixture.h"
#include "top/ui.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void feed(struct top_model *model, const struct fixture_sa *sas, size_t n, double now)
{
	json_t *reply = fixture_list(sas, n);

	assert_int_equal(top_model_set_sas(model, reply, now), 0);
	json_decref(reply);
}

/* Answers what the model asks for, and follows the selection as the daemon does. */
static void serve(struct top_model *model, const struct fixture_sa *sas, size_t n)
{
	json_t *parameters = top_model_ask(model), *reply;
	const char *follow = json_string_value(json_object_get(parameters, "followSpi"));
	size_t first = (size_t)json_integer_value(json_object_get(parameters, "offset"));
	size_t size = (size_t)json_integer_value(json_object_get(parameters, "limit"));

	for (size_t i = 0; i < n && follow && size > 0; i++) {
		if ((unsigned)sas[i].spi != strtoul(follow, NULL, 16))
			continue;
		if (i < first)
			first = i;
		else if (i >= first + size)
			first = i - size + 1;
	}
	reply = fixture_page(sas, n, first, size);
	assert_int_equal(top_model_set_sas(model, reply, 0), 0);
	json_decref(reply);
	json_decref(parameters);
}

static void assert_order(const struct top_model *model, const char *spis)
{
	char text[256] = "";
	size_t length = 0;

	for (size_t i = 0; i < model->n_rows; i++) /* "0x00000101" is 101 for short */
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
					   i ? " " : "", model->rows[i].sa.spi + 7);
	assert_string_equal(text, spis);
}

static void assert_asks(struct top_model *model, const char *expected)
{
	json_t *parameters = top_model_ask(model);
	char *text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, expected);
	free(text);
	json_decref(parameters);
}

/* The daemon gets order, filter and page, and nothing else. */
static void test_questions(void **state)
{
	_cleanup_(top_model_done) struct top_model model =
		top_model_make(&(struct top_page){.sort = TOP_SORT_RATE});
	static const char *const sorts[_TOP_SORT_MAX] = {
		"rate", "rank",   "placement",   "direction", "spi",
		"peer", "source", "destination", "nic",
	};

	top_model_scroll(&model, 3);
	assert_asks(
		&model,
		"{\"history\":true,\"limit\":3,\"offset\":0,\"reverse\":false,\"sort\":\"rate\"}");
	for (model.page.sort = 0; model.page.sort < _TOP_SORT_MAX; model.page.sort++) {
		json_t *parameters = top_model_ask(&model);

		assert_string_equal(json_string_value(json_object_get(parameters, "sort")),
				    sorts[model.page.sort]);
		json_decref(parameters);
	}
	model.page.sort = TOP_SORT_DST;
	model.page.reverse = true;
	strcpy(model.page.filter, "10.1.");
	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	top_model_move(&model, 4);
	top_model_scroll(&model, 3);
	assert_asks(&model, "{\"filter\":\"10.1.\",\"followDst\":\"198.51.100.5\",\"followSpi\":"
			    "\"0x00000105\",\"history\":true,\"limit\":3,\"offset\":2,\"reverse\":"
			    "true,\"sort\":\"destination\"}");
	strcpy(model.page.only[TOP_ONLY_NIC], "eth0");
	strcpy(model.page.only[TOP_ONLY_DIRECTION], "in");
	strcpy(model.page.only[TOP_ONLY_PLACEMENT], "foreign");
	strcpy(model.page.only[TOP_ONLY_PEER], "10.0.0.0/8");
	assert_asks(&model, "{\"direction\":\"in\",\"filter\":\"10.1.\",\"followDst\":"
			    "\"198.51.100.5\",\"followSpi\":\"0x00000105\",\"history\":true,"
			    "\"limit\":3,\"nic\":\"eth0\",\"offset\":2,\"peer\":"
			    "\"10.0.0.0/8\",\"placement\":\"foreign\",\"reverse\":true,"
			    "\"sort\":\"destination\"}");
	top_model_done(&model);
	model.page.size = SIZE_MAX;
	assert_asks(&model, "{\"history\":true,\"offset\":0,\"reverse\":false,\"sort\":\"rate\"}");
}

/* Rows are shown in the order of the reply. */
static void test_order(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	assert_order(&model, "101 102 e03 104 105 106 107");
	assert_int_equal(model.total, FIXTURE_SAS);
}

static void test_what_is_current(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	assert_true(top_model_is_current(&model)); /* the first question comes with a round */
	top_model_scroll(&model, 3);
	serve(&model, fixture_sas, FIXTURE_SAS);
	assert_true(top_model_is_current(&model));
	top_model_scroll(&model, 4);
	assert_false(top_model_is_current(&model));
	serve(&model, fixture_sas, FIXTURE_SAS);
	assert_true(top_model_is_current(&model));
	model.page.sort = TOP_SORT_SPI;
	assert_false(top_model_is_current(&model));
	serve(&model, fixture_sas, FIXTURE_SAS);
	model.page.reverse = true;
	assert_false(top_model_is_current(&model));
	serve(&model, fixture_sas, FIXTURE_SAS);
	strcpy(model.page.filter, "x");
	assert_false(top_model_is_current(&model));
	serve(&model, fixture_sas, FIXTURE_SAS);
	top_model_move(&model, 4);
	top_model_scroll(&model, 4);
	assert_false(top_model_is_current(&model));
	serve(&model, fixture_sas, FIXTURE_SAS);
	assert_true(top_model_is_current(&model));
	/* Within the page nothing is asked. */
	top_model_move(&model, -1);
	top_model_scroll(&model, 4);
	assert_true(top_model_is_current(&model));
}

static void test_nothing_matches(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, 0, 0);
	top_model_move(&model, 1);
	top_model_scroll(&model, 10);
	assert_null(model.selected.spi);
	assert_int_equal(model.total, 0);
	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	assert_order(&model, "101 102 e03 104 105 106 107");
}

static void test_selection_follows_the_sa(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct fixture_sa sas[FIXTURE_SAS];

	memcpy(sas, fixture_sas, sizeof(sas));
	top_model_scroll(&model, 4);
	serve(&model, sas, FIXTURE_SAS);
	assert_int_equal(model.cursor, 0);
	top_model_move(&model, 1);
	assert_string_equal(model.selected.spi, "0x00000102");

	sas[1] = fixture_sas[5]; /* it is the sixth now: the page moves */
	sas[5] = fixture_sas[1];
	serve(&model, sas, FIXTURE_SAS);
	assert_int_equal(model.cursor, 5);
	assert_int_equal(model.place, 2);
	assert_int_equal(model.page.first, 2);
	assert_true(top_model_is_current(&model));
	assert_string_equal(model.rows[3].sa.spi, "0x00000102");

	sas[5].spi = 0x999; /* rekeyed */
	serve(&model, sas, FIXTURE_SAS);
	assert_string_equal(model.selected.spi, "0x00000999");
	assert_int_equal(model.cursor, 5);

	serve(&model, sas, 3); /* SA removed: the cursor stays in the table */
	assert_int_equal(model.cursor, 2);
	top_model_scroll(&model, 4);
	assert_int_equal(model.page.first, 0);
	assert_false(top_model_is_current(&model));
	serve(&model, sas, 0);
	assert_int_equal(model.cursor, 0);
}

static void test_selection_survives_filter(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	top_model_move(&model, 4);
	feed(&model, fixture_sas, 2, 0);
	assert_int_equal(model.cursor, 1);
	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	assert_int_equal(model.cursor, 4);
}

static void test_changes_are_seen(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct fixture_sa sas[FIXTURE_SAS];

	memcpy(sas, fixture_sas, sizeof(sas));
	feed(&model, sas, FIXTURE_SAS, 10);
	assert_true(isinf(model.rows[2].changed)); /* no move was observed */
	sas[2].state = "settled";
	sas[2].nic = "eth0";
	feed(&model, sas, FIXTURE_SAS, 11);
	assert_true(model.rows[2].changed == 11);
	feed(&model, sas, FIXTURE_SAS, 12);
	assert_true(model.rows[2].changed == 11);
	assert_true(isinf(model.rows[1].changed));
}

static void test_scroll(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	top_model_move(&model, 5);
	top_model_scroll(&model, 3);
	assert_int_equal(model.page.first, 3);
	top_model_move(&model, -1000);
	top_model_scroll(&model, 3);
	assert_int_equal(model.page.first, 0);
	top_model_move(&model, 1000);
	top_model_scroll(&model, 3);
	assert_int_equal(model.page.first, 4);
	assert_int_equal(model.cursor, 6);
	top_model_scroll(&model, 0);
	assert_int_equal(model.page.first, 0);
}

/* A row that is not there yet is selected when it comes. */
static void test_scroll_beyond_the_page(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	top_model_scroll(&model, 3);
	serve(&model, fixture_sas, FIXTURE_SAS);
	assert_order(&model, "101 102 e03");
	top_model_move(&model, 2);
	assert_string_equal(model.selected.spi, "0xc0ffee03");
	top_model_move(&model, 2);
	top_model_scroll(&model, 3);
	assert_null(model.selected.spi);
	assert_int_equal(model.page.first, 2);
	assert_order(&model, "101 102 e03"); /* until the daemon answers */
	serve(&model, fixture_sas, FIXTURE_SAS);
	assert_order(&model, "e03 104 105");
	assert_int_equal(model.cursor, 4);
	assert_string_equal(model.selected.spi, "0x00000105");
	assert_int_equal(model.total, FIXTURE_SAS);

	/* The user scrolls on before the answer to the last question comes. */
	top_model_move(&model, 1);
	top_model_scroll(&model, 3);
	json_decref(top_model_ask(&model));
	top_model_move(&model, 1);
	top_model_scroll(&model, 3);
	{
		json_t *reply = fixture_page(fixture_sas, FIXTURE_SAS, 3, 3);

		assert_int_equal(top_model_set_sas(&model, reply, 0), 0);
		json_decref(reply);
	}
	assert_order(&model, "104 105 106");
	assert_null(model.selected.spi);
	assert_false(top_model_is_current(&model));
	serve(&model, fixture_sas, FIXTURE_SAS);
	assert_order(&model, "105 106 107");
	assert_string_equal(model.selected.spi, "0x00000107");
	assert_true(top_model_is_current(&model));
}

/* Answers the question for peers, and that for the SAs of the unfolded one. */
static void serve_peers(struct top_model *model, const struct fixture_sa *sas, size_t n)
{
	json_t *peers = fixture_peers(), *rows = NULL, *asked;

	json_decref(top_model_ask(model));
	asked = top_model_ask_unfolded(model);
	if (asked)
		rows = fixture_list(sas, n);
	assert_int_equal(top_model_set_peers(model, peers, rows, 0), 0);
	json_decref(asked);
	json_decref(rows);
	json_decref(peers);
}

/* "P" for a peer, "S" for an SA, "O" for the others. */
static void assert_kinds(const struct top_model *model, const char *kinds)
{
	char text[64] = "";

	for (size_t i = 0; i < model->n_rows; i++)
		text[i] = "SPMO"[model->rows[i].kind];
	assert_string_equal(text, kinds);
}

static void test_peer_questions(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {};
	json_t *parameters;
	char *text;

	top_model_scroll(&model, 3);
	serve(&model, fixture_sas, FIXTURE_SAS);
	(void)top_ui_key(&ui, &model, 't');
	assert_false(top_model_is_current(&model));
	assert_asks(&model, "{\"limit\":256,\"reverse\":false,\"sort\":\"rate\"}");
	assert_null(top_model_ask_unfolded(&model));
	serve_peers(&model, NULL, 0);
	assert_true(top_model_is_current(&model));
	/* All rows are there: to scroll asks nothing. */
	top_model_move(&model, 3);
	top_model_scroll(&model, 1);
	assert_int_equal(model.page.first, 3);
	assert_true(top_model_is_current(&model));
	(void)top_ui_key(&ui, &model, TOP_KEY_HOME);
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	assert_false(top_model_is_current(&model));
	strcpy(model.page.only[TOP_ONLY_PEER], "198.51.100.0/24");
	strcpy(model.page.only[TOP_ONLY_DIRECTION], "out");
	model.page.sort = TOP_SORT_SPI; /* of SAs without peers */
	(void)top_ui_key(&ui, &model, 'S');
	model.page.reverse = true;
	assert_asks(&model, "{\"direction\":\"out\",\"limit\":256,\"peer\":\"198.51.100.0/24\","
			    "\"reverse\":true,\"sort\":\"peer\"}");
	parameters = top_model_ask_unfolded(&model);
	text = json_dumps(parameters, JSON_COMPACT | JSON_SORT_KEYS);
	assert_string_equal(text,
			    "{\"direction\":\"out\",\"history\":true,\"limit\":64,\"offset\":0,"
			    "\"peer\":\"198.51.100.1\",\"reverse\":false,\"sort\":\"rate\"}");
	free(text);
	json_decref(parameters);
	(void)top_ui_key(&ui, &model, 's');
	assert_false(top_model_is_current(&model));
	assert_int_equal(model.page.peer_sort, TOP_PEER_SORT_RATE);
}

/* The selection follows the peer, or the SA below it. */
static void test_select_peers(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct fixture_sa sas[2] = {fixture_sas[0], fixture_sas[1]};
	struct top_ui ui = {};

	top_model_scroll(&model, 10);
	serve(&model, fixture_sas, FIXTURE_SAS);
	top_model_move(&model, 2);
	(void)top_ui_key(&ui, &model, 't');
	serve_peers(&model, NULL, 0);
	assert_kinds(&model, "PPPO");
	assert_int_equal(model.cursor, 1);
	assert_string_equal(model.selected_peer, "2001:db8:ffff:3::10:3");
	assert_null(top_model_sa_at_cursor(&model));
	/* Its SAs are shown, then those of another one instead. */
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_ENTER), TOP_REQUEST_NONE);
	serve_peers(&model, sas, 1);
	assert_kinds(&model, "PPSPO");
	assert_int_equal(model.cursor, 1);
	top_model_move(&model, -1);
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	serve_peers(&model, sas, 2);
	assert_kinds(&model, "PSSPPO");
	top_model_move(&model, 2);
	assert_string_equal(model.selected.spi, "0x00000102");
	assert_null(model.selected_peer);
	sas[0] = fixture_sas[1]; /* they change places */
	sas[1] = fixture_sas[0];
	serve_peers(&model, sas, 2);
	assert_int_equal(model.cursor, 1);
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_ENTER), TOP_REQUEST_EXPLAIN);
	(void)top_ui_key(&ui, &model, 'q');
	sas[0].spi = 0x999; /* rekeyed */
	serve_peers(&model, sas, 2);
	assert_string_equal(model.selected.spi, "0x00000999");
	/* At the peer Enter hides them again; there is nothing to be explained. */
	top_model_move(&model, -1);
	assert_int_equal(top_ui_key(&ui, &model, 'e'), TOP_REQUEST_NONE);
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	serve_peers(&model, sas, 2);
	assert_kinds(&model, "PPPO");
	top_model_move(&model, 3);
	assert_null(model.selected.spi);
	assert_null(model.selected_peer);
	(void)top_ui_key(&ui, &model, 'c');
	assert_int_equal(ui.pane, TOP_PANE_TABLE);
	/* Only this peer, with all its SAs. */
	top_model_move(&model, -2);
	(void)top_ui_key(&ui, &model, 'o');
	assert_false(model.page.peers);
	assert_string_equal(model.page.only[TOP_ONLY_PEER], "2001:db8:ffff:3::10:3");
	serve(&model, fixture_sas + 2, 1);
	assert_kinds(&model, "S");
	assert_null(model.peers_reply);
}

static void test_bad_reply_changes_nothing(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	static const char *const bad[] = {
		"{}",
		"{\"sas\": 1}",
		"{\"sas\": [1]}",
		"{\"sas\": [{\"spi\": \"0x1\"}]}",
		"{\"peers\": []}",
		"{\"peers\": [{}], \"sums\": {}, \"others\": {}}",
	};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		json_t *reply = json_loads(bad[i], 0, NULL);

		assert_int_equal(top_model_set_sas(&model, reply, 1), -EBADMSG);
		assert_int_equal(top_model_set_peers(&model, reply, NULL, 1), -EBADMSG);
		assert_int_equal(top_model_set_status(&model, reply), -EBADMSG);
		json_decref(reply);
	}
	assert_int_equal(model.n_rows, FIXTURE_SAS);
	assert_false(model.has_status);
}

static void assert_sparkline(const double *samples, size_t n, int width, const char *expected)
{
	int levels[CONTROL_HISTORY_SAMPLES];
	char text[CONTROL_HISTORY_SAMPLES + 1];

	sparkline(samples, n, width, 8, levels);
	for (int i = 0; i < width; i++)
		text[i] = levels[i] < 0 ? ' ' : (char)('0' + levels[i]);
	text[width] = '\0';
	assert_string_equal(text, expected);
}

static void test_sparkline(void **state)
{
	double samples[CONTROL_HISTORY_SAMPLES] = {};

	assert_sparkline(samples, 0, 6, "      ");
	assert_sparkline(samples, CONTROL_HISTORY_SAMPLES, 6, "000000");
	for (int i = 0; i < CONTROL_HISTORY_SAMPLES; i++)
		samples[i] = i;
	assert_sparkline(samples, CONTROL_HISTORY_SAMPLES, 6, "234678");
	/* The scale is that of the row, and the smallest traffic differs from none. */
	samples[0] = 1e9;
	assert_sparkline(samples, CONTROL_HISTORY_SAMPLES, 6, "811111");
	/* A new SA starts at the right; missing samples are blank. */
	samples[0] = 4;
	samples[1] = 8;
	assert_sparkline(samples, 2, 6, "     8");
	samples[0] = NAN;
	samples[1] = NAN;
	assert_sparkline(samples, 2, 6, "      ");
}

static void press(struct top_ui *ui, struct top_model *model, const char *keys)
{
	for (; *keys; keys++)
		assert_int_equal(top_ui_key(ui, model, *keys), TOP_REQUEST_NONE);
}

static void test_filter_keys(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {.delay = 1};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	press(&ui, &model, "/eqth0"); /* keys are no commands while the line is edited */
	(void)top_ui_key(&ui, &model, TOP_KEY_HOME);
	(void)top_ui_key(&ui, &model, TOP_KEY_RIGHT);
	(void)top_ui_key(&ui, &model, TOP_KEY_DELETE);
	assert_string_equal(model.page.filter, "eth0");
	assert_false(top_model_is_current(&model));
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	assert_false(ui.editing);
	press(&ui, &model, "/x");
	(void)top_ui_key(&ui, &model, TOP_KEY_BACKSPACE);
	press(&ui, &model, "y");
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_string_equal(model.page.filter, "eth0");
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_string_equal(model.page.filter, "");
	press(&ui, &model, "/");
	for (int i = 0; i < 3 * TOP_FILTER_MAX; i++)
		(void)top_ui_key(&ui, &model, 'a');
	assert_int_equal(strlen(model.page.filter), TOP_FILTER_MAX - 1);
}

/* Each key goes to the next value, and after the last to all. */
static void test_view_keys(void **state)
{
	static const char *const nics[] = {"eth1", "eth0", "", "eth1"}; /* lo cannot offload */
	static const char *const directions[] = {"in", "out", "", "in"};
	static const char *const placements[] = {
		"nic", "software", "moving", "refused", "foreign", "hands-off", "", "nic",
	};
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {.delay = 1};
	json_t *status = fixture_status();

	press(&ui, &model, "n"); /* no NIC is known */
	assert_false(top_page_has_filter(&model.page));
	assert_int_equal(top_model_set_status(&model, status), 0);
	json_decref(status);
	top_model_scroll(&model, FIXTURE_SAS);
	serve(&model, fixture_sas, FIXTURE_SAS);
	for (size_t i = 0; i < ELEMENTSOF(nics); i++) {
		press(&ui, &model, "n");
		assert_string_equal(model.page.only[TOP_ONLY_NIC], nics[i]);
	}
	for (size_t i = 0; i < ELEMENTSOF(directions); i++) {
		press(&ui, &model, "d");
		assert_string_equal(model.page.only[TOP_ONLY_DIRECTION], directions[i]);
	}
	for (size_t i = 0; i < ELEMENTSOF(placements); i++) {
		press(&ui, &model, "w");
		assert_string_equal(model.page.only[TOP_ONLY_PLACEMENT], placements[i]);
	}
	assert_false(top_model_is_current(&model));
	strcpy(model.page.only[TOP_ONLY_NIC], "gone");
	press(&ui, &model, "n");
	assert_string_equal(model.page.only[TOP_ONLY_NIC], "");
	press(&ui, &model, "o"); /* of an outbound SA, then of an inbound one */
	assert_string_equal(model.page.only[TOP_ONLY_PEER], "198.51.100.1");
	press(&ui, &model, "o");
	assert_string_equal(model.page.only[TOP_ONLY_PEER], "");
	top_model_move(&model, 1);
	press(&ui, &model, "o");
	assert_string_equal(model.page.only[TOP_ONLY_PEER], "198.51.100.1");
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_false(top_page_has_filter(&model.page));
	assert_true(top_model_is_current(&model));
}

/* While the graph is open, the moves of each SA that is selected are asked for. */
static void test_graph_keys(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {.delay = 1, .page = 4};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	/* The row at the cursor becomes the selection. */
	assert_null(model.selected.spi);
	assert_int_equal(top_ui_key(&ui, &model, 'g'), TOP_REQUEST_EXPLAIN);
	assert_string_equal(model.selected.spi, "0x00000101");
	assert_int_equal(top_ui_key(&ui, &model, 'g'), TOP_REQUEST_NONE);
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_DOWN), TOP_REQUEST_NONE);
	assert_false(top_ui_wants_explanation(&ui));
	assert_int_equal(top_ui_key(&ui, &model, 'g'), TOP_REQUEST_EXPLAIN);
	assert_true(top_ui_wants_explanation(&ui));
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_DOWN), TOP_REQUEST_EXPLAIN);
	assert_string_equal(model.selected.spi, "0xc0ffee03");
	press(&ui, &model, "h");
	assert_false(top_ui_wants_explanation(&ui));
	press(&ui, &model, "qg");
	assert_false(top_ui_wants_explanation(&ui));
}

static void test_function_keys(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {.delay = 1};

	(void)top_ui_key(&ui, &model, TOP_KEY_F1);
	assert_int_equal(ui.pane, TOP_PANE_HELP);
	(void)top_ui_key(&ui, &model, TOP_KEY_F1);
	assert_int_equal(ui.pane, TOP_PANE_TABLE);
	(void)top_ui_key(&ui, &model, TOP_KEY_F2);
	assert_int_equal(ui.pane, TOP_PANE_COLUMNS);
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_F10), TOP_REQUEST_NONE); /* back */
	assert_int_equal(ui.pane, TOP_PANE_TABLE);
	(void)top_ui_key(&ui, &model, TOP_KEY_F3);
	assert_true(ui.editing);
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_false(ui.editing);
	(void)top_ui_key(&ui, &model, TOP_KEY_F6);
	assert_int_equal(model.page.sort, TOP_SORT_RANK);
	press(&ui, &model, "SS");
	assert_int_equal(model.page.sort, TOP_SORT_NIC);
	(void)top_ui_key(&ui, &model, TOP_KEY_F4);
	assert_true(ui.editing);
	(void)top_ui_key(&ui, &model, TOP_KEY_F6); /* no letter for the filter */
	assert_string_equal(model.page.filter, "");
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_F10), TOP_REQUEST_QUIT);
}

static void test_command_keys(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {.delay = 1, .page = 4};

	assert_int_equal(top_ui_key(&ui, &model, 'e'), TOP_REQUEST_NONE); /* nothing to explain */
	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	press(&ui, &model, "sr");
	assert_int_equal(model.page.sort, TOP_SORT_RANK);
	assert_true(model.page.reverse);
	press(&ui, &model, "r+");
	assert_true(ui.delay == 2);
	for (int i = 0; i < 20; i++)
		press(&ui, &model, "-");
	assert_true(ui.delay == TOP_DELAY_MIN);
	press(&ui, &model, "p");
	assert_true(ui.frozen);
	press(&ui, &model, " ");
	assert_false(ui.frozen);
	(void)top_ui_key(&ui, &model, TOP_KEY_PAGE_DOWN);
	assert_int_equal(model.cursor, 3);
	assert_int_equal(top_ui_key(&ui, &model, TOP_KEY_ENTER), TOP_REQUEST_EXPLAIN);
	assert_int_equal(ui.pane, TOP_PANE_EXPLAIN);
	press(&ui, &model, "q");
	assert_int_equal(ui.pane, TOP_PANE_TABLE);
	press(&ui, &model, "?q");
	assert_int_equal(top_ui_key(&ui, &model, 'q'), TOP_REQUEST_QUIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_what_is_current),
		cmocka_unit_test(test_nothing_matches),
		cmocka_unit_test(test_selection_follows_the_sa),
		cmocka_unit_test(test_selection_survives_filter),
		cmocka_unit_test(test_changes_are_seen),
		cmocka_unit_test(test_scroll),
		cmocka_unit_test(test_scroll_beyond_the_page),
		cmocka_unit_test(test_peer_questions),
		cmocka_unit_test(test_select_peers),
		cmocka_unit_test(test_bad_reply_changes_nothing),
		cmocka_unit_test(test_sparkline),
		cmocka_unit_test(test_filter_keys),
		cmocka_unit_test(test_view_keys),
		cmocka_unit_test(test_graph_keys),
		cmocka_unit_test(test_function_keys),
		cmocka_unit_test(test_command_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
