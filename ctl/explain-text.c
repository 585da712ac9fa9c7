/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "explain-text.h"

#include "page.h"
#include "units.h"
#include "views.h"

#include <errno.h>
#include <string.h>

#define HISTORY_INDENT 16
#define DETAIL_NAME_MAX 32

void explain_add_title(struct page *page, const struct sa_view *sa)
{
	char text[512];
	int column = 0;

	(void)snprintf(text, sizeof(text), "%s%s%s  %s %s %s  %s %s  reqid %lld", sa->spi,
		       sa->connection ? "  " : "", sa->connection ? sa->connection : "", sa->src,
		       frame_arrow(page->ascii), sa->dst, sa->direction, sa->mode,
		       (long long)sa->reqid);
	if (page->frame) {
		frame_put(page->frame, page->row, 0, sa_place_style(sa->place),
			  sa_place_glyph(sa->place, page->ascii));
		column = frame_printf(page->frame, page->row, 2,
				      FRAME_BOLD | sa_place_style(sa->place), "%s  ",
				      sa_place_word(sa->place));
		(void)frame_text(page->frame, page->row, column, page->width - column, FRAME_BOLD,
				 text);
	}
	page->row++;
}

void explain_add_details(struct page *page, const json_t *details)
{
	const json_t *detail;
	size_t i;
	int indent = 0;

	json_array_foreach(details, i, detail) {
		int columns = frame_columns(json_text_or(detail, "name", ""));

		if (columns > indent)
			indent = columns;
	}
	if (indent > DETAIL_NAME_MAX)
		indent = DETAIL_NAME_MAX;
	json_array_foreach(details, i, detail)
		page_named(page, indent + 4, json_text_or(detail, "name", ""),
			   json_text_or(detail, "value", ""));
}

void explain_add_history(struct page *page, const json_t *history)
{
	const json_t *entry;
	size_t i;

	if (json_array_size(history) > 0) {
		page->row++;
		page_text(page, 0, FRAME_BOLD, "History");
	}
	json_array_foreach(history, i, entry) {
		struct action_view action;
		char ago[UNITS_TEXT_MAX + 8];
		char time[UNITS_TEXT_MAX];

		if (action_view_read(entry, &action) < 0)
			continue;
		(void)snprintf(ago, sizeof(ago), "%s ago",
			       units_format_time(action.seconds_ago, time));
		page_named(page, HISTORY_INDENT, ago, action.text[0] ? action.text : action.action);
	}
}

static int add_sas(struct page *page, const void *data)
{
	const json_t *entry;
	size_t i;

	json_array_foreach((const json_t *)data, i, entry) {
		const json_t *sentence;
		struct sa_view sa;
		size_t j;
		int r = sa_view_read(json_object_get(entry, "sa"), &sa);

		if (r < 0)
			return r;
		if (i > 0)
			page->row++;
		explain_add_title(page, &sa);
		json_array_foreach(json_object_get(entry, "sentences"), j, sentence)
			page_text(page, 2, FRAME_PLAIN,
				  json_is_string(sentence) ? json_string_value(sentence) : "?");
		if (json_array_size(json_object_get(entry, "details")) > 0)
			page->row++;
		explain_add_details(page, json_object_get(entry, "details"));
		explain_add_history(page, json_object_get(entry, "history"));
	}
	return 0;
}

int explain_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame)
{
	const json_t *sas = json_object_get(reply, "sas");

	return json_is_array(sas) ? page_make(add_sas, sas, width, ascii, ret_frame) : -EBADMSG;
}
