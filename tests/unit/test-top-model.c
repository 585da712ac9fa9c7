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

static void assert_order(const struct top_model *model, const char *spis)
{
	char text[256] = "";
	size_t length = 0;

	for (size_t i = 0; i < model->n_shown; i++) /* "0x00000101" is 101 for short */
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s",
					   i ? " " : "", model->shown[i]->sa.spi + 7);
	assert_string_equal(text, spis);
}

static void test_sort(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	static const char *const orders[_TOP_SORT_MAX] = {
		[TOP_SORT_RATE] = "101 102 e03 104 105 106 107",
		[TOP_SORT_RANK] = "101 102 e03 104 105 106 107",
		[TOP_SORT_PLACE] = "101 102 e03 107 105 104 106",
		[TOP_SORT_DIRECTION] = "102 101 e03 104 105 106 107",
		[TOP_SORT_SPI] = "101 102 104 105 106 107 e03",
		[TOP_SORT_DST] = "102 101 105 106 107 e03 104",
	};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	for (model.sort = 0; model.sort < _TOP_SORT_MAX; model.sort++) {
		top_model_arrange(&model);
		assert_order(&model, orders[model.sort]);
	}
	model.sort = TOP_SORT_RATE;
	model.reverse = true;
	top_model_arrange(&model);
	assert_order(&model, "107 106 105 104 e03 102 101");
}

static void test_unknown_rates_come_last(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	json_t *reply = fixture_list(fixture_sas, 3);

	(void)json_object_set_new(json_array_get(json_object_get(reply, "sas"), 0),
				  "bytesPerSecond", json_null());
	assert_int_equal(top_model_set_sas(&model, reply, 0), 0);
	json_decref(reply);
	assert_order(&model, "102 e03 101");
}

static void set_filter(struct top_model *model, const char *filter)
{
	(void)snprintf(model->filter, sizeof(model->filter), "%s", filter);
	top_model_arrange(model);
}

static void test_filter(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	set_filter(&model, "db8:FFFF");
	assert_order(&model, "e03");
	set_filter(&model, "eth0");
	assert_order(&model, "101 102 104");
	set_filter(&model, "refused");
	assert_order(&model, "105");
	set_filter(&model, "nothing like that");
	assert_order(&model, "");
	top_model_move(&model, 1);
	top_model_scroll(&model, 10);
	assert_null(model.selected.spi);
	set_filter(&model, "");
	assert_order(&model, "101 102 e03 104 105 106 107");
}

static void test_selection_follows_the_sa(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct fixture_sa sas[FIXTURE_SAS];

	memcpy(sas, fixture_sas, sizeof(sas));
	feed(&model, sas, FIXTURE_SAS, 0);
	assert_int_equal(model.cursor, 0);
	top_model_move(&model, 3);
	assert_string_equal(model.selected.spi, "0x00000104");

	sas[3].rate = 900e6; /* now the hottest */
	feed(&model, sas, FIXTURE_SAS, 1);
	assert_int_equal(model.cursor, 0);
	assert_string_equal(model.shown[model.cursor]->sa.spi, "0x00000104");

	sas[3].spi = 0x999; /* rekeyed, and colder again */
	sas[3].rate = 1;
	feed(&model, sas, FIXTURE_SAS, 2);
	assert_string_equal(model.selected.spi, "0x00000999");
	assert_int_equal(model.cursor, 5);

	feed(&model, sas, 3, 3); /* SA removed: the cursor stays in the table */
	assert_int_equal(model.cursor, 2);
	feed(&model, sas, 0, 4);
	assert_int_equal(model.cursor, 0);
}

static void test_selection_survives_filter(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	top_model_move(&model, 4);
	set_filter(&model, "eth0");
	set_filter(&model, "");
	assert_int_equal(model.cursor, 4);
}

static void test_changes_are_seen(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct fixture_sa sas[FIXTURE_SAS];

	memcpy(sas, fixture_sas, sizeof(sas));
	feed(&model, sas, FIXTURE_SAS, 10);
	assert_true(isinf(model.shown[2]->changed)); /* no move was observed */
	sas[2].state = "settled";
	sas[2].nic = "eth0";
	feed(&model, sas, FIXTURE_SAS, 11);
	assert_true(model.shown[2]->changed == 11);
	feed(&model, sas, FIXTURE_SAS, 12);
	assert_true(model.shown[2]->changed == 11);
}

static void test_scroll(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	top_model_move(&model, 5);
	top_model_scroll(&model, 3);
	assert_int_equal(model.first, 3);
	top_model_move(&model, -1000);
	top_model_scroll(&model, 3);
	assert_int_equal(model.first, 0);
	top_model_move(&model, 1000);
	top_model_scroll(&model, 3);
	assert_int_equal(model.first, 4);
	assert_int_equal(model.cursor, 6);
	top_model_scroll(&model, 0);
	assert_int_equal(model.first, 0);
}

static void test_bad_reply_changes_nothing(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	static const char *const bad[] = {
		"{}",
		"{\"sas\": 1}",
		"{\"sas\": [1]}",
		"{\"sas\": [{\"spi\": \"0x1\"}]}",
	};

	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
		json_t *reply = json_loads(bad[i], 0, NULL);

		assert_int_equal(top_model_set_sas(&model, reply, 1), -EBADMSG);
		assert_int_equal(top_model_set_status(&model, reply), -EBADMSG);
		json_decref(reply);
	}
	assert_int_equal(model.n_shown, FIXTURE_SAS);
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
	assert_string_equal(model.filter, "eth0");
	assert_order(&model, "101 102 104");
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	assert_false(ui.editing);
	press(&ui, &model, "/x");
	(void)top_ui_key(&ui, &model, TOP_KEY_BACKSPACE);
	press(&ui, &model, "y");
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_string_equal(model.filter, "eth0");
	(void)top_ui_key(&ui, &model, TOP_KEY_ESCAPE);
	assert_string_equal(model.filter, "");
	press(&ui, &model, "/");
	for (int i = 0; i < 3 * TOP_FILTER_MAX; i++)
		(void)top_ui_key(&ui, &model, 'a');
	assert_int_equal(strlen(model.filter), TOP_FILTER_MAX - 1);
}

static void test_command_keys(void **state)
{
	_cleanup_(top_model_done) struct top_model model = {};
	struct top_ui ui = {.delay = 1, .page = 4};

	assert_int_equal(top_ui_key(&ui, &model, 'e'), TOP_REQUEST_NONE); /* nothing to explain */
	feed(&model, fixture_sas, FIXTURE_SAS, 0);
	press(&ui, &model, "sr");
	assert_int_equal(model.sort, TOP_SORT_RANK);
	assert_true(model.reverse);
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
		cmocka_unit_test(test_sort),
		cmocka_unit_test(test_unknown_rates_come_last),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_selection_follows_the_sa),
		cmocka_unit_test(test_selection_survives_filter),
		cmocka_unit_test(test_changes_are_seen),
		cmocka_unit_test(test_scroll),
		cmocka_unit_test(test_bad_reply_changes_nothing),
		cmocka_unit_test(test_sparkline),
		cmocka_unit_test(test_filter_keys),
		cmocka_unit_test(test_command_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
