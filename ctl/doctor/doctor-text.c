/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/doctor-text.h"

#include "page.h"
#include "views.h"

#include <string.h>

#define TEXT_COLUMN 9
#define FIX_COLUMN (TEXT_COLUMN + 3)

static uint32_t style_of(const char *severity)
{
	static const struct {
		const char *severity;
		uint32_t style;
	} styles[] = {
		{"ok", FRAME_GREEN},
		{"note", FRAME_CYAN},
		{"warning", FRAME_YELLOW},
		{"problem", FRAME_RED | FRAME_BOLD},
	};

	for (size_t i = 0; i < ELEMENTSOF(styles); i++)
		if (strcmp(styles[i].severity, severity) == 0)
			return styles[i].style;
	return FRAME_PLAIN;
}

static void add_label(struct page *page, uint32_t style, const char *label)
{
	if (page->frame)
		(void)frame_text(page->frame, page->row, 0, TEXT_COLUMN - 1, style, label);
}

static void add_finding(struct page *page, const json_t *finding)
{
	const char *severity = json_text_or(finding, "severity", "?");
	const char *why = json_text_or(finding, "why", "");
	const char *fix = json_text_or(finding, "fix", "");
	bool ok = strcmp(severity, "ok") == 0;

	add_label(page, style_of(severity), severity);
	page_text(page, TEXT_COLUMN, ok ? FRAME_PLAIN : FRAME_BOLD,
		  json_text_or(finding, "what", "?"));
	if (why[0])
		page_text(page, TEXT_COLUMN, FRAME_DIM, why);
	if (!fix[0])
		return;
	if (page->frame)
		(void)frame_text(page->frame, page->row, TEXT_COLUMN, 2, FRAME_PLAIN,
				 frame_arrow(page->ascii));
	page_text(page, FIX_COLUMN, FRAME_PLAIN, fix);
}

static void add_unseen(struct page *page, const json_t *unseen)
{
	const json_t *one;
	size_t i;

	json_array_foreach(unseen, i, one) {
		char text[512];

		(void)snprintf(text, sizeof(text), "%s: %s", json_text_or(one, "what", "?"),
			       json_text_or(one, "why", "?"));
		add_label(page, FRAME_DIM, "unseen");
		page_text(page, TEXT_COLUMN, FRAME_PLAIN, text);
	}
}

static size_t count(const json_t *findings, const char *severity)
{
	const json_t *finding;
	size_t i, n = 0;

	json_array_foreach(findings, i, finding)
		n += strcmp(json_text_or(finding, "severity", ""), severity) == 0;
	return n;
}

static void add_verdict(struct page *page, const json_t *document)
{
	const json_t *findings = json_object_get(document, "findings");
	bool works = json_is_true(json_object_get(document, "works"));
	size_t problems = count(findings, "problem"), warnings = count(findings, "warning");
	size_t unseen = json_array_size(json_object_get(document, "unseen"));
	char text[256], seen[64] = "";

	if (unseen > 0)
		(void)snprintf(seen, sizeof(seen), ", %zu not seen", unseen);
	(void)snprintf(text, sizeof(text), "%s (%zu problem%s, %zu warning%s%s).",
		       !works       ? "Offload cannot work here"
		       : unseen > 0 ? "Nothing that was seen keeps offload from working here"
				    : "Offload can work here",
		       problems, problems == 1 ? "" : "s", warnings, warnings == 1 ? "" : "s",
		       seen);
	page->row++;
	page_text(page, 0, FRAME_BOLD | (works ? FRAME_GREEN : FRAME_RED), text);
}

static int write_report(struct page *page, const void *data)
{
	const json_t *document = data, *finding;
	size_t i;

	json_array_foreach(json_object_get(document, "findings"), i, finding)
		add_finding(page, finding);
	add_unseen(page, json_object_get(document, "unseen"));
	add_verdict(page, document);
	return 0;
}

int doctor_layout(const json_t *document, int width, bool ascii, struct frame **ret_frame)
{
	return page_make(write_report, document, width, ascii, ret_frame);
}
