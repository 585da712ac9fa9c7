/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/report.h"

#include "text.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

/* A source line is shown through a window of so many terminal columns. */
#define WINDOW_COLUMNS 100
/* Columns that stay visible before the caret when the window has to move. */
#define WINDOW_LEAD 40
#define TAB_COLUMNS 8

static struct config_record *add(struct config_report *report, const struct config_place *place,
				 bool warning)
{
	struct config_record *record = NULL;

	if (report->n_records < CONFIG_REPORT_MAX) {
		record = &report->records[report->n_records++];
		*record = (struct config_record){.placed = place, .warning = warning};
		if (place)
			record->place = *place;
	}
	report->last = record;
	return record;
}

void config_error(struct config_report *report, const struct config_place *place,
		  const char *format, ...)
{
	struct config_record *record = add(report, place, false);
	va_list arguments;

	report->n_errors++;
	if (!record)
		return;
	va_start(arguments, format);
	(void)vsnprintf(record->text, sizeof(record->text), format, arguments);
	va_end(arguments);
}

void config_warning(struct config_report *report, const struct config_place *place,
		    const char *format, ...)
{
	struct config_record *record = add(report, place, true);
	va_list arguments;

	report->n_warnings++;
	if (!record)
		return;
	va_start(arguments, format);
	(void)vsnprintf(record->text, sizeof(record->text), format, arguments);
	va_end(arguments);
}

void config_remedy(struct config_report *report, const char *format, ...)
{
	va_list arguments;

	if (!report->last)
		return;
	va_start(arguments, format);
	(void)vsnprintf(report->last->remedy, sizeof(report->last->remedy), format, arguments);
	va_end(arguments);
}

/* The line without its end. False past the end of the text, which is where some errors are. */
static bool find_line(const struct config_report *report, size_t number, const char **ret_line,
		      size_t *ret_length)
{
	const char *line = report->text;
	const char *end = report->text + report->size;
	const char *stop;

	if (!line)
		return false;
	for (; number > 0; number--) {
		line = memchr(line, '\n', (size_t)(end - line));
		if (!line)
			return false;
		line++;
	}
	stop = memchr(line, '\n', (size_t)(end - line));
	if (!stop)
		stop = end;
	if (stop > line && stop[-1] == '\r')
		stop--;
	*ret_line = line;
	*ret_length = (size_t)(stop - line);
	return true;
}

/* One character of the source line: where it is and how many columns it takes. */
struct cell {
	const char *bytes;
	size_t length;
	unsigned columns;
};

/* Tabs become spaces, so that the caret below is right whatever the terminal's tab stops. */
static struct cell next_cell(const char *line, size_t length, size_t column)
{
	static const char spaces[TAB_COLUMNS + 1] = "        ";
	uint32_t code;
	size_t n = text_decode(line, length, &code);

	if (n == 0)
		return (struct cell){"?", 1, 1};
	if (code == '\t') {
		unsigned columns = (unsigned)(TAB_COLUMNS - column % TAB_COLUMNS);

		return (struct cell){spaces, 1, columns};
	}
	if (!text_is_printable(code))
		return (struct cell){"?", n, 1};
	return (struct cell){line, n, text_width(code)};
}

/* Terminal columns of the first `characters` characters of the line, or of all it has. */
static size_t columns_of(const char *line, size_t length, size_t characters)
{
	size_t column = 0;
	size_t at = 0;

	for (; characters > 0 && at < length; characters--) {
		struct cell cell = next_cell(line + at, length - at, column);

		at += cell.length;
		column += cell.columns;
	}
	return column;
}

static void print_cell(FILE *out, const struct cell *cell, const char *source)
{
	if (cell->bytes == source)
		(void)fwrite(cell->bytes, 1, cell->length, out);
	else
		(void)fprintf(out, "%.*s", (int)cell->columns, cell->bytes);
}

/* The columns [from, from + WINDOW_COLUMNS) of the line. */
static void print_window(FILE *out, const char *line, size_t length, size_t from)
{
	size_t column = 0;
	size_t at = 0;

	while (at < length && column < from + WINDOW_COLUMNS) {
		struct cell cell = next_cell(line + at, length - at, column);

		if (column >= from)
			print_cell(out, &cell, line + at);
		else if (column + cell.columns > from)
			(void)fprintf(out, "%*s", (int)(column + cell.columns - from), "");
		at += cell.length;
		column += cell.columns;
	}
}

static void print_source(FILE *out, const struct config_report *report,
			 const struct config_place *place)
{
	const char *line;
	size_t length;
	size_t total;
	size_t start;
	size_t stop;
	size_t from = 0;

	if (!find_line(report, place->line, &line, &length))
		return;
	total = columns_of(line, length, SIZE_MAX);
	start = columns_of(line, length, place->column);
	stop = columns_of(line, length, place->column + place->length);
	if (total > WINDOW_COLUMNS && start > WINDOW_LEAD)
		from = start - WINDOW_LEAD;
	(void)fprintf(out, "%5zu | %s", place->line + 1, from > 0 ? "..." : "");
	print_window(out, line, length, from);
	(void)fprintf(out, "%s\n", total > from + WINDOW_COLUMNS ? "..." : "");
	if (stop > from + WINDOW_COLUMNS)
		stop = from + WINDOW_COLUMNS;
	(void)fprintf(out, "      | %*s^", (int)(start - from + (from > 0 ? 3 : 0)), "");
	for (size_t column = start + 1; column < stop; column++)
		(void)fputc('~', out);
	(void)fputc('\n', out);
}

static void print_record(FILE *out, const struct config_report *report, const char *path,
			 const struct config_record *record)
{
	const char *kind = record->warning ? "warning" : "error";

	if (record->placed) {
		(void)fprintf(out, "%s:%zu:%zu: %s: %s\n", path, record->place.line + 1,
			      record->place.column + 1, kind, record->text);
		print_source(out, report, &record->place);
	} else {
		(void)fprintf(out, "%s: %s: %s\n", path, kind, record->text);
	}
	if (record->remedy[0] != '\0')
		(void)fprintf(out, "      = help: %s\n", record->remedy);
}

static bool before(const struct config_record *a, const struct config_record *b)
{
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line;
	return a->place.column < b->place.column;
}

void config_report_print(struct config_report *report, FILE *out)
{
	size_t order[CONFIG_REPORT_MAX] = {0};
	size_t dropped = report->n_errors + report->n_warnings - report->n_records;
	char path[256];

	(void)text_neutralise(path, sizeof(path), report->path, strlen(report->path));
	/* Insertion sort: records with one place keep the order in which they were found. */
	for (size_t i = 0; i < report->n_records; i++) {
		size_t j = i;

		for (; j > 0 && before(&report->records[i], &report->records[order[j - 1]]); j--)
			order[j] = order[j - 1];
		order[j] = i;
	}
	for (size_t i = 0; i < report->n_records; i++)
		print_record(out, report, path, &report->records[order[i]]);
	if (dropped > 0)
		(void)fprintf(out, "%s: and %zu more\n", path, dropped);
}
