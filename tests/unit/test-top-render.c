/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of `top`, compared with the expected text. */
#include "sa-listing.h"
#include "top-fixture.h"
#include "top/render.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct top_model make_model(void)
{
	struct top_model model = {};
	json_t *status = fixture_status();
	json_t *sas = fixture_list(fixture_sas, FIXTURE_SAS);

	assert_int_equal(top_model_set_status(&model, status), 0);
	assert_int_equal(top_model_set_sas(&model, sas, 0), 0);
	json_decref(status);
	json_decref(sas);
	return model;
}

static void assert_frame(const struct frame *frame, const char *const *lines, size_t n_lines)
{
	_cleanup_free_ char *expected = NULL;
	_cleanup_free_ char *text = NULL;
	size_t expected_size;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	frame_write(frame, false, file);
	(void)fclose(file);
	file = open_memstream(&expected, &expected_size);
	for (size_t i = 0; i < n_lines; i++)
		(void)fprintf(file, "%s\n", lines[i]);
	(void)fclose(file);
	if (strcmp(text, expected) != 0) {
		/* cmocka cuts long messages. */
		(void)fprintf(stderr, "the frame is\n%swhere was expected\n%s", text, expected);
		fail();
	}
}

/* Draws the screen, and compares it with the lines. */
static void assert_screen(struct top_model *model, struct top_ui *ui, int width, int height,
			  bool ascii, const char *const *lines, size_t n_lines)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;

	assert_int_equal(top_render(model, ui, width, height, ascii, &frame), 0);
	assert_frame(frame, lines, n_lines);
}

/* The reply to the filter 192.0.2.1: the SAs with this address. */
static void set_filter(struct top_model *model)
{
	struct fixture_sa sas[FIXTURE_SAS];
	size_t n = 0;
	json_t *reply;

	for (size_t i = 0; i < FIXTURE_SAS; i++)
		if (strcmp(fixture_sas[i].src, "192.0.2.1") == 0 ||
		    strcmp(fixture_sas[i].dst, "192.0.2.1") == 0)
			sas[n++] = fixture_sas[i];
	(void)snprintf(model->page.filter, sizeof(model->page.filter), "192.0.2.1");
	json_decref(top_model_ask(model));
	reply = fixture_list(sas, n);
	assert_int_equal(top_model_set_sas(model, reply, 0), 0);
	json_decref(reply);
}

static void test_80x24(void **state)
{
	static const char *const golden[] = {
		"espoffloadd enforce · re-add · every 1.0 s · up 2 h 5 min",
		"traffic  5.7 Gbit/s   █████████████████████████████░░ 93.9 % in NICs, 3 of 7 SAs",
		"eth0     ██▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 2 ours, 1 foreign of 33    5.3 Gbit/s",
		"eth1     in  ░░░░░░░░░░░░░░░ 0/1024   out ▓░░░░░░░░░░░░░░ 0+3/1024   not trusted",
		"moves    41 promoted, 12 evicted, 1 refused, 0 failed",
		"last     3.2 s ago: promoted 0x00000101 to eth0: it displaces a colder SA",
		"PLACE     DIR SPI      PEER                    RATE MINUTE   RANK REASON",
		"● nic     out 00000101 198.51.100.1      3.8 Gbit/s ▁▂▃▄▅▆▇█    1 resident",
		"● nic     in  00000102 198.51.100.1      1.4 Gbit/s ▁▂▃▄▅▆▇█    2 resident",
		"◐ moving  out c0ffee03 2001:db…3::10:3   328 Mbit/s ▁▂▃▄▅▆▇█    3 hotter",
		"◇ foreign out 00000104 203.0.113.254    72.0 Mbit/s ▁▂▃▄▅▆▇█    4 foreign",
		"✗ refused out 00000105 198.51.100.5     20.0 Mbit/s ▁▂▃▄▅▆▇█    5 refused",
		"■ h-off   out 00000106 198.51.100.6      8.0 kbit/s ▁▂▃▄▅▆▇█    6 unknown-attri…",
		"○ sw      out 00000107 198.51.100.7         0 bit/s ▁▁▁▁▁▁▁▁    - idle",
		"",
		"",
		"",
		"",
		"",
		"",
		"",
		"",
		"",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte… 1-7/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1};

	assert_screen(&model, &ui, 80, 24, false, golden, ELEMENTSOF(golden));
}

static void test_120x16(void **state)
{
	static const char *const golden[] = {
		"espoffloadd  DISPLAY FROZEN  enforce · re-add · every 1.0 s · up 2 h 5 min",
		"traffic  5.7 Gbit/s   █████████████████████████████████████████████░░░ 93.9 % in "
		"NICs, 3 of 7 SAs",
		"eth0     ███▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 2 ours, 1 foreign of 33 "
		"                            5.3 Gbit/s",
		"eth1     in  ░░░░░░░░░░░░░░░░░░ 0 ours of 1024            out ▓░░░░░░░░░░░░░░░░░ "
		"0 ours, 3 foreign of 1024   not trusted",
		"moves    41 promoted, 12 evicted, 1 refused, 0 failed",
		"last     3.2 s ago: promoted 0x00000101 to eth0: it displaces a colder SA",
		"PLACE       DIR SPI        SOURCE       DESTINATION           RATE LAST MINUTE    "
		"           RANK NIC  REASON",
		"● nic       out 0x00000101 192.0.2.1    198.51.100.1    3.8 Gbit/s "
		"▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▆▇▇▇███    1 eth0 resident",
		"● nic       in  0x00000102 198.51.100.1 192.0.2.1       1.4 Gbit/s "
		"▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▆▇▇▇███    2 eth0 resident",
		"◇ foreign   out 0x00000104 192.0.2.1    203.0.113.254  72.0 Mbit/s "
		"▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▆▇▇▇███    4 eth0 foreign",
		"✗ refused   out 0x00000105 192.0.2.1    198.51.100.5   20.0 Mbit/s "
		"▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▆▇▇▇███    5 -    refused",
		"■ hands-off out 0x00000106 192.0.2.1    198.51.100.6    8.0 kbit/s "
		"▁▁▁▂▂▂▃▃▃▄▄▄▅▅▅▆▆▆▆▇▇▇███    6 -    unknown-attribute",
		"○ sw        out 0x00000107 192.0.2.1    198.51.100.7       0 bit/s "
		"▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁    - -    idle",
		"",
		"",
		"filter: 192.0.2.1 (6) q quit  h help  s by rate  e explain  g graph  c columns  "
		"/ n d w o filter  t peers  p free… 1-6/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 0.5, .frozen = true};

	set_filter(&model);
	assert_screen(&model, &ui, 120, 16, false, golden, ELEMENTSOF(golden));
}

static const char *const header_80x12[] = {
	"espoffloadd enforce · re-add · every 1.0 s · up 2 h 5 min",
	"traffic  5.7 Gbit/s   █████████████████████████████░░ 93.9 % in NICs, 3 of 7 SAs",
	"eth0     ██▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 2 ours, 1 foreign of 33    5.3 Gbit/s",
	"moves    41 promoted, 12 evicted, 1 refused, 0 failed",
	"last     3.2 s ago: promoted 0x00000101 to eth0: it displaces a colder SA",
};

/* The table and the last line of a frame, below the same header. */
static void assert_table(struct top_model *model, struct top_ui *ui, const char *const lines[7])
{
	const char *all[12];

	memcpy(all, header_80x12, sizeof(header_80x12));
	memcpy(all + ELEMENTSOF(header_80x12), lines, 7 * sizeof(lines[0]));
	assert_screen(model, ui, 80, 12, false, all, ELEMENTSOF(all));
}

static void serve_page(struct top_model *model, size_t first, size_t size)
{
	json_t *reply = fixture_page(fixture_sas, FIXTURE_SAS, first, size);

	json_decref(top_model_ask(model));
	assert_int_equal(top_model_set_sas(model, reply, 0), 0);
	json_decref(reply);
}

/* The model has the rows of one page of many; the page before stays until the next one is there. */
static void test_pages(void **state)
{
	static const char *const first[] = {
		"PLACE     DIR SPI      PEER                    RATE MINUTE   RANK REASON",
		"● nic     out 00000101 198.51.100.1      3.8 Gbit/s ▁▂▃▄▅▆▇█    1 resident",
		"● nic     in  00000102 198.51.100.1      1.4 Gbit/s ▁▂▃▄▅▆▇█    2 resident",
		"◐ moving  out c0ffee03 2001:db…3::10:3   328 Mbit/s ▁▂▃▄▅▆▇█    3 hotter",
		"◇ foreign out 00000104 203.0.113.254    72.0 Mbit/s ▁▂▃▄▅▆▇█    4 foreign",
		"✗ refused out 00000105 198.51.100.5     20.0 Mbit/s ▁▂▃▄▅▆▇█    5 refused",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte… 1-5/7",
	};
	static const char *const last[] = {
		"PLACE     DIR SPI      PEER                    RATE MINUTE   RANK REASON",
		"◐ moving  out c0ffee03 2001:db…3::10:3   328 Mbit/s ▁▂▃▄▅▆▇█    3 hotter",
		"◇ foreign out 00000104 203.0.113.254    72.0 Mbit/s ▁▂▃▄▅▆▇█    4 foreign",
		"✗ refused out 00000105 198.51.100.5     20.0 Mbit/s ▁▂▃▄▅▆▇█    5 refused",
		"■ h-off   out 00000106 198.51.100.6      8.0 kbit/s ▁▂▃▄▅▆▇█    6 unknown-attri…",
		"○ sw      out 00000107 198.51.100.7         0 bit/s ▁▁▁▁▁▁▁▁    - idle",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte… 3-7/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1};

	assert_int_equal(top_table_rows(&model, &ui, 12), 5);
	serve_page(&model, 0, 5);
	assert_table(&model, &ui, first);
	assert_int_equal(ui.height, 12);
	(void)top_ui_key(&ui, &model, TOP_KEY_END);
	assert_table(&model, &ui, first);
	assert_int_equal(model.page.first, 2);
	assert_int_equal(model.page.size, 5);
	serve_page(&model, 2, 5);
	assert_table(&model, &ui, last);
	assert_string_equal(model.selected.spi, "0x00000107");
}

static void test_filter(void **state)
{
	static const char *const golden[] = {
		"PLACE     DIR SPI        PEER                  RATE MINUTE   RANK REASON",
		"● nic     out 0x00000101 198.51.100.1    3.8 Gbit/s ▁▂▃▄▅▆▇█    1 resident",
		"● nic     in  0x00000102 198.51.100.1    1.4 Gbit/s ▁▂▃▄▅▆▇█    2 resident",
		"◇ foreign out 0x00000104 203.0.113.254  72.0 Mbit/s ▁▂▃▄▅▆▇█    4 foreign",
		"✗ refused out 0x00000105 198.51.100.5   20.0 Mbit/s ▁▂▃▄▅▆▇█    5 refused",
		"■ h-off   out 0x00000106 198.51.100.6    8.0 kbit/s ▁▂▃▄▅▆▇█    6 unknown-attri…",
		"filter: 192.0.2.1  6 of 7; Enter: keep, Esc: cancel",
	};
	static const char *const none[] = {
		"PLACE     DIR SPI      PEER                 RATE LAST MINUTE RANK REASON",
		"no SA matches the filter: 192.0.2.1",
		"",
		"",
		"",
		"",
		"filter: 192.0.2.1  0 of 7; Enter: keep, Esc: cancel",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1, .editing = true};
	json_t *reply = fixture_list(fixture_sas, 0);

	set_filter(&model);
	assert_table(&model, &ui, golden);
	assert_int_equal(top_model_set_sas(&model, reply, 0), 0);
	json_decref(reply);
	assert_table(&model, &ui, none);
}

/* The views by NIC, direction and place are named, as is the reason why one is empty. */
static void test_views(void **state)
{
	static const char *const golden[] = {
		"PLACE     DIR SPI        PEER                 RATE MINUTE    RANK REASON",
		"● nic     out 0x00000101 198.51.100.1   3.8 Gbit/s ▁▂▃▄▅▆▇██    1 resident",
		"",
		"",
		"",
		"",
		"filter: nic eth0, direction out, 198.51. (1) q quit  h help  s by rate  e… 1-1/7",
	};
	static const char *const none[] = {
		"PLACE     DIR SPI      PEER                 RATE LAST MINUTE RANK REASON",
		"no SA matches the filter: nic eth0, direction out, placement moving, 198.51.",
		"",
		"",
		"",
		"",
		"filter: nic eth0, direction out, placement moving, 198.51. (0) q quit  h … 0-0/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1};
	json_t *one = fixture_list(fixture_sas, 1), *nothing = fixture_list(fixture_sas, 0);

	(void)snprintf(model.page.only[TOP_ONLY_NIC], TOP_FILTER_MAX, "eth0");
	(void)snprintf(model.page.only[TOP_ONLY_DIRECTION], TOP_FILTER_MAX, "out");
	(void)snprintf(model.page.filter, TOP_FILTER_MAX, "198.51.");
	json_decref(top_model_ask(&model));
	assert_int_equal(top_model_set_sas(&model, one, 0), 0);
	json_decref(one);
	assert_table(&model, &ui, golden);
	(void)snprintf(model.page.only[TOP_ONLY_PLACEMENT], TOP_FILTER_MAX, "moving");
	json_decref(top_model_ask(&model));
	assert_int_equal(top_model_set_sas(&model, nothing, 0), 0);
	json_decref(nothing);
	assert_table(&model, &ui, none);
}

/* Answers as the daemon does while a peer with these SAs is unfolded, or none. */
static void serve_peers(struct top_model *model, const struct fixture_sa *unfolded, size_t n_sas)
{
	json_t *peers = fixture_peers(), *sas = fixture_list(unfolded, n_sas), *asked;

	json_decref(top_model_ask(model));
	asked = top_model_ask_unfolded(model);
	assert_int_equal(top_model_set_peers(model, peers, asked ? sas : NULL, 0), 0);
	json_decref(asked);
	json_decref(peers);
	json_decref(sas);
}

/* A row for each peer and one for all others; the SAs of one peer follow it. */
static void test_peers(void **state)
{
	static const char *const folded[] = {
		"PEER                       SAS   IN NICS         RATE   SHARE BY NICS NIC",
		"▸ 198.51.100.1               2         2   5.2 Gbit/s  93.6 % 100.0 % eth0 eth1",
		"▸ 2001:db8:ffff:3::10:3  12345         1   328 Mbit/s   5.9 %  24.4 % eth0",
		"▸ 198.51.100.7               1         0      0 bit/s   0.0 %       - -",
		"  1000 others             1002         1  32.0 Mbit/s   0.6 %  25.0 %",
		"",
		"q quit  h help  s by rate  Enter unfold  t SAs  / n d w o filter  p … 1003 peers",
	};
	static const char *const unfolded[] = {
		"PEER                       SAS   IN NICS         RATE   SHARE BY NICS NIC",
		"▾ 198.51.100.1               2         2   5.2 Gbit/s  93.6 % 100.0 % eth0 eth1",
		"    out 0x00000101             ● nic       3.8 Gbit/s  67.9 %         eth0",
		"    in  0x00000102             ● nic       1.4 Gbit/s  25.7 %         eth0",
		"▸ 2001:db8:ffff:3::10:3  12345         1   328 Mbit/s   5.9 %  24.4 % eth0",
		"▸ 198.51.100.7               1         0      0 bit/s   0.0 %       - -",
		"q quit  h help  s by rate  Enter unfold  t SAs  / n d w o filter  p … 1003 peers",
	};
	static const char *const scrolled[] = {
		"PEER                       SAS   IN NICS         RATE   SHARE BY NICS NIC",
		"    out 0x00000101             ● nic       3.8 Gbit/s  67.9 %         eth0",
		"    in  0x00000102             ● nic       1.4 Gbit/s  25.7 %         eth0",
		"▸ 2001:db8:ffff:3::10:3  12345         1   328 Mbit/s   5.9 %  24.4 % eth0",
		"▸ 198.51.100.7               1         0      0 bit/s   0.0 %       - -",
		"  1000 others             1002         1  32.0 Mbit/s   0.6 %  25.0 %",
		"filter: nic eth1 (13350) q quit  h help  s by offloaded  Enter unfol… 1003 peers",
	};
	const char *one[7];
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1};

	(void)top_ui_key(&ui, &model, 't');
	serve_peers(&model, fixture_sas, 0);
	assert_table(&model, &ui, folded);
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	serve_peers(&model, fixture_sas, 2);
	assert_table(&model, &ui, unfolded);
	(void)top_ui_key(&ui, &model, TOP_KEY_END);
	(void)top_ui_key(&ui, &model, 's');
	(void)top_ui_key(&ui, &model, 's');
	(void)top_ui_key(&ui, &model, 'n');
	assert_table(&model, &ui, scrolled);
	model.all.peers = 1;
	memcpy(one, scrolled, sizeof(one));
	one[6] = "filter: nic eth1 (13350) q quit  h help  s by offloaded  Enter unfold  t… 1 peer";
	assert_table(&model, &ui, one);
}

/* A click selects the row, and a title sorts by its column, twice in reverse. */
static void test_click(void **state)
{
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct top_ui ui = {.delay = 1};
	enum { HEAD = 5, PEER = 24, RATE = 45, MINUTE = 54 };

	serve_page(&model, 0, 5);
	assert_int_equal(top_render(&model, &ui, 80, 12, false, &frame), 0);
	frame = frame_free(frame);
	(void)top_ui_click(&ui, &model, HEAD + 2, RATE);
	assert_string_equal(model.selected.spi, "0x00000102");
	(void)top_ui_key(&ui, &model, TOP_KEY_WHEEL_DOWN);
	assert_string_equal(model.selected.spi, "0x00000105");
	(void)top_ui_key(&ui, &model, TOP_KEY_WHEEL_UP);
	assert_string_equal(model.selected.spi, "0x00000102");
	(void)top_ui_click(&ui, &model, HEAD - 1, RATE);
	(void)top_ui_click(&ui, &model, HEAD + 6, RATE); /* the last line */
	(void)top_ui_click(&ui, &model, HEAD, MINUTE);   /* nothing to sort by */
	assert_string_equal(model.selected.spi, "0x00000102");
	assert_int_equal(model.page.sort, TOP_SORT_RATE);
	assert_false(model.page.reverse);
	(void)top_ui_click(&ui, &model, HEAD, PEER);
	assert_int_equal(model.page.sort, TOP_SORT_PEER);
	assert_false(model.page.reverse);
	(void)top_ui_click(&ui, &model, HEAD, PEER + 3);
	assert_true(model.page.reverse);
	(void)top_ui_click(&ui, &model, HEAD, RATE);
	assert_int_equal(model.page.sort, TOP_SORT_RATE);
	assert_false(model.page.reverse);
	/* Not behind a pane. */
	ui.pane = TOP_PANE_HELP;
	(void)top_ui_click(&ui, &model, HEAD + 1, RATE);
	assert_string_equal(model.selected.spi, "0x00000102");
	(void)top_ui_key(&ui, &model, TOP_KEY_WHEEL_DOWN);
	assert_int_equal(ui.scroll, 3);
}

/* The mark of a peer shows its SAs; below the page nothing is clicked. */
static void test_click_peers(void **state)
{
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct top_ui ui = {.delay = 1};
	enum { HEAD = 5, SAS = 28 };

	model.page.peers = true;
	(void)top_ui_click(&ui, &model, HEAD + 1, 0); /* the frame has no peers yet */
	assert_string_equal(model.page.unfolded, "");
	serve_peers(&model, fixture_sas, 0);
	assert_int_equal(top_render(&model, &ui, 80, 9, false, &frame), 0);
	frame = frame_free(frame);
	(void)top_ui_click(&ui, &model, HEAD + 2, 10);
	assert_string_equal(model.selected_peer, "2001:db8:ffff:3::10:3");
	assert_string_equal(model.page.unfolded, "");
	(void)top_ui_click(&ui, &model, HEAD + 3, 0); /* the footer */
	assert_string_equal(model.selected_peer, "2001:db8:ffff:3::10:3");
	(void)top_ui_click(&ui, &model, HEAD + 1, 0);
	assert_string_equal(model.page.unfolded, "198.51.100.1");
	(void)top_ui_click(&ui, &model, HEAD, SAS);
	assert_int_equal(model.page.peer_sort, TOP_PEER_SORT_SAS);
	/* The page has been scrolled. */
	(void)top_ui_key(&ui, &model, TOP_KEY_END);
	assert_int_equal(top_render(&model, &ui, 80, 9, false, &frame), 0);
	(void)top_ui_click(&ui, &model, HEAD + 1, 10);
	assert_string_equal(model.selected_peer, "198.51.100.7");
	/* The titles are those of peers still, and the user has asked for SAs. */
	(void)top_ui_key(&ui, &model, 't');
	(void)top_ui_click(&ui, &model, HEAD, 0);
	assert_int_equal(model.page.peer_sort, TOP_PEER_SORT_SAS);
}

/* More SAs than are shown, on a narrow screen without Unicode. */
static void test_peers_plain(void **state)
{
	static const char *const golden[] = {
		"PEER                       SAS   IN NICS         RATE   SHARE",
		"+ 198.51.100.1               2         2   5.2 Gbit/s  93.6 %",
		"- 2001:db8:ffff:3::10:3  12345         1   328 Mbit/s   5.9 %",
		"    out 0x00000101             * nic       3.8 Gbit/s  67.9 %",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct fixture_sa many[TOP_UNFOLDED];
	struct top_ui ui = {.delay = 1};

	for (size_t i = 0; i < TOP_UNFOLDED; i++)
		many[i] = fixture_sas[0];
	model.page.peers = true;
	(void)snprintf(model.page.unfolded, TOP_FILTER_MAX, "2001:db8:ffff:3::10:3");
	serve_peers(&model, many, TOP_UNFOLDED);
	assert_int_equal(top_render(&model, &ui, 62, 12, true, &frame), 0);
	/* The table alone. */
	memmove(frame->cells, frame->cells + 5 * 62, sizeof(frame->cells[0]) * 4 * 62);
	frame->height = 4;
	assert_frame(frame, golden, ELEMENTSOF(golden));
	frame = frame_free(frame);
	assert_int_equal(model.rows[2 + TOP_UNFOLDED].kind, TOP_ROW_MORE);
	assert_int_equal(model.rows[2 + TOP_UNFOLDED].more, 12345 - TOP_UNFOLDED);
}

/* The whole help fits the smallest usual screen. */
static void test_help(void **state)
{
	static const char *const golden[] = {
		"Help (q or Esc: back)",
		" Up Down PgUp PgDn Home End: select an SA; the selection follows the SA",
		" e Enter     explain the selected SA; Enter at a peer: show or hide its SAs",
		" t F5        sums by peer, or again SAs",
		" g           graph of the selected SA's rate in the last minute, with its moves",
		" s S F6      sort by the next or the previous field",
		" r           reverse the order",
		" / F3 F4     show only SAs with TEXT in any field, while it is typed",
		" n  d        show only SAs in the next NIC; only inbound or outbound ones",
		" o           show only SAs of the selected SA's peer, or of all peers",
		" w           show only SAs where: in NICs, software, moving, refused, ...",
		" Esc         show all SAs",
		" c F2        choose the columns",
		" m           mouse: click a row or a column's title, turn the wheel",
		" p Space + - freeze the display; longer or shorter delay between frames",
		" h ? F1  q   this help; back, quit",
		"",
		" * nic        in the NIC's table: the NIC does its ESP",
		" > moving     on its way into the NIC or out of it",
		" o sw         in software: the CPU does its ESP",
		" x refused    in software: the driver refused it; explain shows its message",
		" + foreign    offloaded by another program: counted, never moved",
		" # hands-off  never moved; explain shows why",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte~ 1-7/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1, .pane = TOP_PANE_HELP};

	assert_screen(&model, &ui, 80, 24, true, golden, ELEMENTSOF(golden));
}

/* The usual columns become the beginning of a choice; what does not fit says so. */
static void test_columns(void **state)
{
	static const char *const golden[] = {
		"Columns (Enter or Space: show or hide, u: the usual ones, q or Esc: back)",
		" [x] placement    where the SA is                   always shown",
		" [x] direction    inbound or outbound",
		" [x] spi          its SPI                           always shown",
		" [ ] connection   its name in the IKE daemon",
		" [x] peer         the remote end",
		" [x] source       the source address",
		" [ ] destination  the destination address",
		" [x] rate         its rate now",
		" [ ] history      its rate in the last minute",
		" [x] rank         its place among all SAs by rate",
		" [ ] nic          the NIC that holds it",
		" [ ] candidate    the NIC that it could be in",
		" [x] in-place     how long it is where it is",
		" [x] bytes        all bytes that it carried         no room for it",
		" [ ] packets      all packets that it carried",
		" [ ] reqid        its reqid",
		" [ ] mode         tunnel, transport or beet",
		" [ ] mark         its mark and the mask",
		" [ ] rule         the rule for it: file and line",
		" [ ] reason       why it is where it is",
		"",
		"",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte… 1-7/7",
	};
	static const char *const table[] = {
		"PLACE     DIR SPI        PEER            SOURCE               RATE RANK IN PLACE",
		"● nic     out 0x00000101 198.51.100.1    192.0.2.1      3.8 Gbit/s    1     12 s",
		"● nic     in  0x00000102 198.51.100.1    198.51.100.1   1.4 Gbit/s    2     12 s",
		"◐ moving  out 0xc0ffee03 2001:db…3::10:3 2001:d…:1::1   328 Mbit/s    3     12 s",
		"◇ foreign out 0x00000104 203.0.113.254   192.0.2.1     72.0 Mbit/s    4     12 s",
		"✗ refused out 0x00000105 198.51.100.5    192.0.2.1     20.0 Mbit/s    5     12 s",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte… 1-5/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct top_ui ui = {.delay = 1};

	(void)top_ui_key(&ui, &model, 'c');
	assert_int_equal(top_render(&model, &ui, 80, 24, false, &frame), 0);
	(void)top_ui_key(&ui, &model, ' '); /* the place is always shown */
	assert_int_equal(ui.columns, 0);
	ui.column = SA_COLUMN_REASON;
	(void)top_ui_key(&ui, &model, ' ');
	ui.column = SA_COLUMN_HISTORY;
	(void)top_ui_key(&ui, &model, TOP_KEY_ENTER);
	ui.column = SA_COLUMN_SRC;
	(void)top_ui_key(&ui, &model, ' ');
	ui.column = SA_COLUMN_BYTES;
	(void)top_ui_key(&ui, &model, ' ');
	(void)top_ui_key(&ui, &model, TOP_KEY_UP);
	(void)top_ui_key(&ui, &model, ' ');
	assert_screen(&model, &ui, 80, 24, false, golden, ELEMENTSOF(golden));
	(void)top_ui_key(&ui, &model, 'q');
	assert_table(&model, &ui, table);
	(void)top_ui_key(&ui, &model, 'c');
	(void)top_ui_key(&ui, &model, 'u');
	(void)top_ui_key(&ui, &model, TOP_KEY_F2);
	assert_int_equal(ui.pane, TOP_PANE_TABLE);
	assert_int_equal(ui.columns, 0);
}

/* The list of columns scrolls with the cursor. */
static void test_columns_on_a_small_screen(void **state)
{
	static const char *const golden[] = {
		"Columns (Enter or Space: show or hide, u: the usual ones, q~",
		" [ ] mark         its mark and the mask",
		" [ ] rule         the rule for it: file and line",
		" [ ] reason       why it is where it is",
		"q quit  h help  s by rate  e explain  g graph  c colu~ 1-3/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1, .pane = TOP_PANE_COLUMNS};

	(void)top_ui_key(&ui, &model, TOP_KEY_END);
	assert_screen(&model, &ui, 60, 5, true, golden, ELEMENTSOF(golden));
}

static void test_column_names(void **state)
{
	static const char *const bad[] = {"",          ",",   "rate,", ",rate",
					  "rate,,nic", "rat", "rates", "RATE"};
	uint32_t set = 0;

	assert_int_equal(sa_columns_parse("in-place,rate,rate", &set), 0);
	assert_int_equal(set, SA_COLUMN_BIT(SA_COLUMN_RATE) | SA_COLUMN_BIT(SA_COLUMN_IN_PLACE));
	for (size_t i = 0; i < ELEMENTSOF(bad); i++)
		assert_int_equal(sa_columns_parse(bad[i], &set), -EINVAL);
	for (enum sa_column i = 0; i < _SA_COLUMN_MAX; i++) {
		assert_int_equal(sa_columns_parse(sa_column_name(i), &set), 0);
		assert_int_equal(set, SA_COLUMN_BIT(i));
	}
}

/* The reply to Explain for one SA, with moves of these ages and names. */
static json_t *explanation(const struct fixture_sa *sa)
{
	static const struct {
		double seconds_ago;
		const char *action;
	} actions[] = {{0.4, "promoted"}, {20.5, "refused"}, {40, "evicted"}, {61, "promoted"}};
	json_t *history = json_array();

	for (size_t i = 0; i < ELEMENTSOF(actions); i++)
		(void)json_array_append_new(
			history, json_pack("{s:f, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "secondsAgo",
					   actions[i].seconds_ago, "action", actions[i].action,
					   "spi", "0x1", "src", "192.0.2.1", "dst", "192.0.2.2",
					   "direction", "out", "reason", "hotter", "text", ""));
	return json_pack("{s:[{s:o, s:o}]}", "sas", "sa", fixture_sa(sa), "history", history);
}

/* The newest sample and a move of this moment are at the right; older moves than the graph are not
 * in it. */
static void test_graph(void **state)
{
	static const char *const golden[] = {
		"espoffloadd enforce · re-add · every 1.0 s · up 2 h 5 min",
		"traffic  5.7 Gbit/s   █████████████████████████████░░ 93.9 % in NICs, 3 of 7 SAs",
		"eth0     ██▓░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░ 2 ours, 1 foreign of 33    5.3 Gbit/s",
		"eth1     in  ░░░░░░░░░░░░░░░ 0/1024   out ▓░░░░░░░░░░░░░░ 0+3/1024   not trusted",
		"moves    41 promoted, 12 evicted, 1 refused, 0 failed",
		"last     3.2 s ago: promoted 0x00000101 to eth0: it displaces a colder SA",
		"PLACE     DIR SPI      PEER                    RATE MINUTE   RANK REASON",
		"● nic     out 00000101 198.51.100.1      3.8 Gbit/s ▁▂▃▄▅▆▇█    1 resident",
		"● nic     in  00000102 198.51.100.1      1.4 Gbit/s ▁▂▃▄▅▆▇█    2 resident",
		"◐ moving  out c0ffee03 2001:db…3::10:3   328 Mbit/s ▁▂▃▄▅▆▇█    3 hotter",
		"◇ foreign out 00000104 203.0.113.254    72.0 Mbit/s ▁▂▃▄▅▆▇█    4 foreign",
		"✗ refused out 00000105 198.51.100.5     20.0 Mbit/s ▁▂▃▄▅▆▇█    5 refused",
		"■ h-off   out 00000106 198.51.100.6      8.0 kbit/s ▁▂▃▄▅▆▇█    6 unknown-attri…",
		"○ sw      out 00000107 198.51.100.7         0 bit/s ▁▁▁▁▁▁▁▁    - idle",
		"",
		"Rate of 0x00000102 in (g: back)           ▲ into a NIC, ▼ out of it, ! not moved",
		"  1.4 Gbit/s                       │                     │         ▁▂▂▃▃▄▄▅▆▆▇██",
		"                                   │                  ▁▂▂▃▄▄▅▅▆▆▇███████████████",
		"                                   │    ▁▁▁▂▃▃▄▅▆▆▇█████████████████████████████",
		"                           ▁▁▂▃▃▄▄▅▅▆▇▇█████████████████████████████████████████",
		"     0 bit/s ▁▁▁▂▃▃▄▅▅▆▆▇▇██████████████████████████████████████████████████████",
		"       moves                       ▼                     !                     ▲",
		"             1 min ago                                                       now",
		"q quit  h help  s by rate  e explain  g graph  c columns  / n d w o filte… 1-7/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(top_ui_done) struct top_ui ui = {.delay = 1};

	(void)top_ui_key(&ui, &model, TOP_KEY_DOWN);
	assert_int_equal(top_ui_key(&ui, &model, 'g'), TOP_REQUEST_EXPLAIN);
	ui.explain = explanation(&fixture_sas[1]);
	assert_screen(&model, &ui, 80, 24, false, golden, ELEMENTSOF(golden));
	assert_int_equal(top_table_rows(&model, &ui, 24), ui.page);
}

/* The explanation is still that of another SA: its moves are not drawn. There is room for the row
 * of the selected SA. */
static void test_graph_on_a_small_screen(void **state)
{
	static const char *const golden[] = {
		"espoffloadd enforce - re-add - every 1.0 s - up 2~",
		"traffic  5.7 Gbit/s    93.9 % in NICs, 3 of 7 SAs",
		"eth0     #+.................. 2+1/33    5.3 Gbit/s",
		"moves    41 promoted, 12 evicted, 1 refused, 0 fa~",
		"last     3.2 s ago: promoted 0x00000101 to eth0: ~",
		"PLACE     DIR SPI        PEER                 RATE",
		"* nic     out 0x00000101 198.51.100.1   3.8 Gbit/s",
		"Rate of 0x00000101 out (g: back)",
		"  3.8 Gbit/s                          ......::::##",
		"                         .......::::##############",
		"     0 bit/s _.....:::::##########################",
		"       moves",
		"             1 min ago                         now",
		"q quit  h help  s by rate  e explain  g gra~ 1-1/7",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(top_ui_done) struct top_ui ui = {.delay = 1, .graph = true};

	top_model_move(&model, 0);
	ui.explain = explanation(&fixture_sas[1]);
	assert_screen(&model, &ui, 50, 14, true, golden, ELEMENTSOF(golden));
	assert_int_equal(top_table_rows(&model, &ui, 14), 1);
}

static void test_ascii_batch(void **state)
{
	static const char *const golden[] = {
		"espoffloadd enforce - re-add - every 1.0 s - up 2 h 5 min",
		"traffic  5.7 Gbit/s   #############################################... 93.9 % in "
		"NICs, 3 of 7 SAs",
		"eth0     ###+............................................ 2 ours, 1 foreign of 33 "
		"        5.3 Gbit/s",
		"eth1     in  ........ 0 ours of 1024            out +....... 0 ours, 3 foreign of "
		"1024   not trusted",
		"moves    41 promoted, 12 evicted, 1 refused, 0 failed",
		"last     3.2 s ago: promoted 0x00000101 to eth0: it displaces a colder SA",
		"PLACE     DIR SPI        PEER                          RATE LAST MINUTE     RANK "
		"NIC  REASON",
		"* nic     out 0x00000101 198.51.100.1            3.8 Gbit/s ..:--==++**%%##    1 "
		"eth0 resident",
		"* nic     in  0x00000102 198.51.100.1            1.4 Gbit/s ..:--==++**%%##    2 "
		"eth0 resident",
		"> moving  out 0xc0ffee03 2001:db8:ffff:3::10:3   328 Mbit/s ..:--==++**%%##    3 "
		"-    hotter",
		"+ foreign out 0x00000104 203.0.113.254          72.0 Mbit/s ..:--==++**%%##    4 "
		"eth0 foreign",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct top_ui ui = {.delay = 1, .batch = true};

	assert_int_equal(top_render_batch(&model, &ui, 100, 4, true, &frame), 0);
	assert_frame(frame, golden, ELEMENTSOF(golden));
}

static void test_troubles(void **state)
{
	static const char *const golden[] = {
		"espoffloadd  PAUSED  enforce · re-add · every 1.0 s · up 2 h 5 min",
		"DEGRADED events were lost",
		"traffic  5.7 Gbit/s   █████████████████████████████░░ 93.9 % in NICs, 3 of 7 SAs",
		"NICs     none that offloads ESP (ethtool -k NIC | grep esp)",
		"moves    41 promoted, 12 evicted, 1 refused, 0 failed",
		"last     3.2 s ago: promoted 0x00000101 to eth0: it displaces a colder SA",
		"PLACE     DIR SPI      PEER                    RATE MINUTE   RANK REASON",
		"● nic     out 00000101 198.51.100.1      3.8 Gbit/s ▁▂▃▄▅▆▇█    1 resident",
		"● nic     in  00000102 198.51.100.1      1.4 Gbit/s ▁▂▃▄▅▆▇█    2 resident",
		"◐ moving  out c0ffee03 2001:db…3::10:3   328 Mbit/s ▁▂▃▄▅▆▇█    3 hotter",
		"◇ foreign out 00000104 203.0.113.254    72.0 Mbit/s ▁▂▃▄▅▆▇█    4 foreign",
		" connection to espoffloadd lost: reconnecting",
	};
	_cleanup_(top_model_done) struct top_model model = make_model();
	struct top_ui ui = {.delay = 1, .message = "connection to espoffloadd lost: reconnecting"};

	model.status.paused = true;
	model.status.degraded = "events were lost";
	model.status.n_nics = 0;
	assert_screen(&model, &ui, 80, 12, false, golden, ELEMENTSOF(golden));
}

/* With any size, drawing stays inside the frame: the sanitizers check that. */
static void test_all_sizes(void **state)
{
	_cleanup_(top_model_done) struct top_model model = make_model();

	for (int width = 1; width < 260; width += width < 130 ? 1 : 13) {
		for (int height = 1; height < 40; height += 3) {
			for (int pane = TOP_PANE_TABLE; pane <= TOP_PANE_COLUMNS; pane++) {
				_cleanup_(frame_freep) struct frame *frame = NULL;
				struct top_ui ui = {.delay = 1,
						    .pane = (enum top_pane)pane,
						    .graph = height % 2};

				assert_int_equal(
					top_render(&model, &ui, width, height, false, &frame), 0);
				assert_int_equal(frame->width, width);
				assert_int_equal(frame->height, height);
			}
		}
	}
}

static void test_hostile_text(void **state)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file;

	assert_int_equal(frame_new(40, 1, false, &frame), 0);
	/* Escape, tab, C1 control, right-to-left override, a double-width and a broken character.
	 */
	(void)frame_text(frame, 0, 0, 40, FRAME_PLAIN,
			 "a\033[2Jb\tc\xc2\x9b"
			 "d\u202ee\u4e2df\xff"
			 "g\xe2\x82");
	file = open_memstream(&text, &size);
	frame_write_row(frame, 0, false, file);
	(void)fclose(file);
	assert_string_equal(text, "a?[2Jb?c?d?e?f?g??");
}

static void test_cut_in_the_middle(void **state)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *file;

	assert_int_equal(frame_new(20, 2, true, &frame), 0);
	(void)frame_text_middle(frame, 0, 0, 12, FRAME_PLAIN, "2001:db8:ffff:3::10:3");
	(void)frame_text_middle(frame, 1, 0, 12, FRAME_PLAIN, "198.51.100.1");
	file = open_memstream(&text, &size);
	frame_write(frame, false, file);
	(void)fclose(file);
	assert_string_equal(text, "2001:d~:10:3\n198.51.100.1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_80x24),
		cmocka_unit_test(test_120x16),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_filter),
		cmocka_unit_test(test_views),
		cmocka_unit_test(test_peers),
		cmocka_unit_test(test_peers_plain),
		cmocka_unit_test(test_click),
		cmocka_unit_test(test_click_peers),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_columns),
		cmocka_unit_test(test_columns_on_a_small_screen),
		cmocka_unit_test(test_column_names),
		cmocka_unit_test(test_graph),
		cmocka_unit_test(test_graph_on_a_small_screen),
		cmocka_unit_test(test_ascii_batch),
		cmocka_unit_test(test_troubles),
		cmocka_unit_test(test_all_sizes),
		cmocka_unit_test(test_hostile_text),
		cmocka_unit_test(test_cut_in_the_middle),
	};

	if (!setlocale(LC_CTYPE, "C.UTF-8")) {
		print_message("no C.UTF-8 locale\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
