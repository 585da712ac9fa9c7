/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "doctor/doctor-text.h"

#include "frame.h"
#include "views.h"

#include <string.h>

#define TEXT_COLUMN 9
#define FIX_COLUMN (TEXT_COLUMN + 3)

struct printer {
	struct frame *frame;
	bool color;
	FILE *file;
};

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

static void end_line(struct printer *printer)
{
	frame_write(printer->frame, printer->color, printer->file);
	frame_clear(printer->frame, 0, 0, 1, printer->frame->width);
}

/* Prints wrapped text. What is in the frame already is at the left of its first line. */
static void print_wrapped(struct printer *printer, int column, uint32_t style, const char *text)
{
	int width = printer->frame->width - column;

	while (*text) {
		size_t length = frame_line_length(text, width);
		_cleanup_free_ char *line = strndup(text, length);

		(void)frame_text(printer->frame, 0, column, width, style, line ? line : "");
		end_line(printer);
		text += length;
		while (*text == ' ' || *text == '\n')
			text++;
	}
}

static void print_finding(struct printer *printer, const json_t *finding)
{
	const char *severity = json_text_or(finding, "severity", "?");
	const char *why = json_text_or(finding, "why", "");
	const char *fix = json_text_or(finding, "fix", "");
	bool ok = strcmp(severity, "ok") == 0;

	(void)frame_text(printer->frame, 0, 0, TEXT_COLUMN - 1, style_of(severity), severity);
	print_wrapped(printer, TEXT_COLUMN, ok ? FRAME_PLAIN : FRAME_BOLD,
		      json_text_or(finding, "what", "?"));
	print_wrapped(printer, TEXT_COLUMN, FRAME_DIM, why);
	if (fix[0])
		(void)frame_text(printer->frame, 0, TEXT_COLUMN, 2, FRAME_PLAIN,
				 printer->frame->ascii ? "->" : "\u2192");
	print_wrapped(printer, FIX_COLUMN, FRAME_PLAIN, fix);
}

static void print_unseen(struct printer *printer, const json_t *unseen)
{
	const json_t *one;
	size_t i;

	json_array_foreach(unseen, i, one) {
		char text[512];

		(void)snprintf(text, sizeof(text), "%s: %s", json_text_or(one, "what", "?"),
			       json_text_or(one, "why", "?"));
		(void)frame_text(printer->frame, 0, 0, TEXT_COLUMN - 1, FRAME_DIM, "unseen");
		print_wrapped(printer, TEXT_COLUMN, FRAME_PLAIN, text);
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

static void print_verdict(struct printer *printer, const json_t *document)
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
	end_line(printer);
	print_wrapped(printer, 0, FRAME_BOLD | (works ? FRAME_GREEN : FRAME_RED), text);
}

int doctor_print(const json_t *document, int width, bool ascii, bool color, FILE *file)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	struct printer printer = {.color = color, .file = file};
	const json_t *finding;
	size_t i;
	int r = frame_new(width, 1, ascii, &frame);

	if (r < 0)
		return r;
	printer.frame = frame;
	json_array_foreach(json_object_get(document, "findings"), i, finding)
		print_finding(&printer, finding);
	print_unseen(&printer, json_object_get(document, "unseen"));
	print_verdict(&printer, document);
	return 0;
}
