/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "plan-text.h"

#include "page.h"
#include "units.h"
#include "views.h"

#include <errno.h>
#include <string.h>

#define TIME_INDENT 16

static char *format_bytes(const json_t *object, const char *name, char text[UNITS_TEXT_MAX])
{
	return units_format_bytes(json_number_value(json_object_get(object, name)), text);
}

static char *format_rate(const json_t *object, const char *name, char text[UNITS_TEXT_MAX])
{
	return units_format_rate(json_number_value(json_object_get(object, name)), text);
}

/* What is compared: the rates, and what the move wins. */
static void add_numbers(struct page *page, const json_t *move)
{
	double gain = json_number_value(json_object_get(move, "gainBytes"));
	const char *other = json_text_or(move, "otherSpi", NULL);
	char rate[UNITS_TEXT_MAX], against[UNITS_TEXT_MAX], won[UNITS_TEXT_MAX];
	char cost[UNITS_TEXT_MAX], swap[128] = "", worth[128] = "", text[512];

	if (other)
		(void)snprintf(swap, sizeof(swap), " against %s of %.16s",
			       format_rate(move, "otherBytesPerSecond", against), other);
	if (gain > 0)
		(void)snprintf(worth, sizeof(worth), ", to win %s for %s",
			       units_format_bytes(gain, won),
			       format_bytes(move, "costBytes", cost));
	(void)snprintf(text, sizeof(text), "%s%s%s", format_rate(move, "bytesPerSecond", rate),
		       swap, worth);
	page_text(page, TIME_INDENT, FRAME_DIM, text);
}

/* Which SA it is: SPI, connection if its name is known, addresses and direction. */
static void print_sa(const struct page *page, const json_t *sa, char *text, size_t size)
{
	const char *connection = json_text_or(sa, "connection", "");

	(void)snprintf(text, size, "%s%s%s (%s %s %s, %s)", json_text_or(sa, "spi", "?"),
		       connection[0] ? " " : "", connection, json_text_or(sa, "src", "?"),
		       frame_arrow(page->ascii), json_text_or(sa, "dst", "?"),
		       json_text_or(sa, "direction", "?"));
}

static void add_move(struct page *page, const json_t *move)
{
	double in = json_number_value(json_object_get(move, "secondsFromNow"));
	bool promote = strcmp(json_text_or(move, "action", ""), "promote") == 0;
	char when[UNITS_TEXT_MAX + 8] = "now", time[UNITS_TEXT_MAX], sa[512], text[1024];

	if (in > 0)
		(void)snprintf(when, sizeof(when), "in %s", units_format_time(in, time));
	print_sa(page, move, sa, sizeof(sa));
	(void)snprintf(text, sizeof(text), "%s %s %s %s: %s", json_text_or(move, "action", "?"), sa,
		       promote ? "into" : "out of", json_text_or(move, "nic", "?"),
		       json_text_or(move, "text", "?"));
	page_named(page, TIME_INDENT, when, text);
	add_numbers(page, move);
}

static void add_outsider(struct page *page, const json_t *entry)
{
	const json_t *sa = json_object_get(entry, "sa"), *sentence;
	char rate[UNITS_TEXT_MAX], which[512], text[1024];
	size_t i;

	print_sa(page, sa, which, sizeof(which));
	(void)snprintf(text, sizeof(text), "%s for %s: %s, number %lld", which,
		       json_text_or(sa, "candidateNic", "?"),
		       format_rate(sa, "bytesPerSecond", rate),
		       (long long)json_whole_or(sa, "rank", 0));
	page->row++;
	page_text(page, 2, FRAME_BOLD, text);
	json_array_foreach(json_object_get(entry, "sentences"), i, sentence)
		page_text(page, 4, FRAME_PLAIN,
			  json_is_string(sentence) ? json_string_value(sentence) : "?");
}

/* What the moves are worth: in some states none of them is made. */
static void add_state(struct page *page, const json_t *reply)
{
	if (strcmp(json_text_or(reply, "mode", ""), "observe") == 0)
		page_text(page, 0, FRAME_YELLOW,
			  "The daemon only observes: it decides and reports, and moves nothing.");
	if (json_is_true(json_object_get(reply, "paused")))
		page_text(page, 0, FRAME_YELLOW,
			  "The daemon is paused: SAs only leave NICs that may not hold them.");
}

static int write_plan(struct page *page, const void *data)
{
	const json_t *reply = data, *moves = json_object_get(reply, "moves"), *entry;
	const json_t *outsiders = json_object_get(reply, "outsiders");
	double interval = json_number_value(json_object_get(reply, "interval"));
	long long turns = (long long)json_whole_or(reply, "turns", 0);
	char time[UNITS_TEXT_MAX], text[256];
	size_t i;

	add_state(page, reply);
	(void)snprintf(text, sizeof(text),
		       "%s in the next %lld turn%s of %s, if all rates stay as they are%s",
		       json_array_size(moves) > 0 ? "Moves" : "No move", turns,
		       turns == 1 ? "" : "s", units_format_time(interval, time),
		       json_array_size(moves) > 0 ? ":" : ".");
	page_text(page, 0, FRAME_BOLD, text);
	json_array_foreach(moves, i, entry)
		add_move(page, entry);
	if (json_array_size(outsiders) > 0) {
		page->row++;
		page_text(page, 0, FRAME_BOLD, "The best SAs outside, and what keeps them out:");
	}
	json_array_foreach(outsiders, i, entry)
		add_outsider(page, entry);
	return 0;
}

int plan_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame)
{
	if (!json_is_array(json_object_get(reply, "moves")) ||
	    !json_is_array(json_object_get(reply, "outsiders")))
		return -EBADMSG;
	return page_make(write_plan, reply, width, ascii, ret_frame);
}
