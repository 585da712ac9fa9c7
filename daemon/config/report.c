/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/report.h"

#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

/* Terminal columns of a source line that are shown. */
#define WINDOW_COLUMNS 100
/* Columns that are shown before the caret of a longer line. */
#define WINDOW_LEAD 40
#define TAB_COLUMNS 8

void config_report_begin(struct config_report *report, const char *path, char *text, size_t size)
{
	struct config_file *file;

	if (report->n_files < CONFIG_FILES_MAX)
		report->n_files++;
	file = &report->files[report->n_files - 1];
	free(file->text);
	file->text = text;
	file->size = size;
	(void)text_neutralise(file->path, sizeof(file->path), path, strlen(path));
}

const struct config_file *config_report_file(const struct config_report *report)
{
	return &report->files[report->n_files - 1];
}

void config_report_done(struct config_report *report)
{
	for (size_t i = 0; i < report->n_files; i++)
		free(report->files[i].text);
}

static struct config_diagnostic *add(struct config_report *report, const struct config_place *place,
				     bool warning)
{
	struct config_diagnostic *diagnostic = NULL;

	if (report->n_diagnostics < CONFIG_DIAGNOSTICS_MAX) {
		diagnostic = &report->diagnostics[report->n_diagnostics++];
		*diagnostic = (struct config_diagnostic){.placed = place, .warning = warning};
		if (place)
			diagnostic->place = *place;
		else
			diagnostic->place.file = report->n_files - 1;
	}
	report->last = diagnostic;
	return diagnostic;
}

void config_error(struct config_report *report, const struct config_place *place,
		  const char *format, ...)
{
	struct config_diagnostic *diagnostic = add(report, place, false);
	va_list arguments;

	report->n_errors++;
	if (!diagnostic)
		return;
	va_start(arguments, format);
	(void)vsnprintf(diagnostic->text, sizeof(diagnostic->text), format, arguments);
	va_end(arguments);
}

void config_warning(struct config_report *report, const struct config_place *place,
		    const char *format, ...)
{
	struct config_diagnostic *diagnostic = add(report, place, true);
	va_list arguments;

	report->n_warnings++;
	if (!diagnostic)
		return;
	va_start(arguments, format);
	(void)vsnprintf(diagnostic->text, sizeof(diagnostic->text), format, arguments);
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

/* Returns the line without its end. False behind the end of the text, where some errors are. */
static bool find_line(const struct config_file *file, size_t number, const char **ret_line,
		      size_t *ret_length)
{
	const char *line = file->text;
	const char *end, *stop;

	if (!line)
		return false;
	end = line + file->size;
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

/* One character of the source line as it is shown, and its terminal columns. */
struct cell {
	const char *bytes;
	size_t length;
	unsigned columns;
};

/* Tabs become spaces, so that the caret below is correct with any tab stops of the terminal. */
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

/* Terminal columns of the first `characters` characters of the line, or of the whole line if it is
 * shorter. */
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

/* Prints the columns [from, from + WINDOW_COLUMNS) of the line. */
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

static void print_source(FILE *out, const struct config_file *file,
			 const struct config_place *place)
{
	const char *line;
	size_t length;
	size_t total;
	size_t start;
	size_t stop;
	size_t from = 0;

	if (!find_line(file, place->line, &line, &length))
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

void config_diagnostic_print(const struct config_report *report,
			     const struct config_diagnostic *diagnostic, FILE *out)
{
	const struct config_file *file = &report->files[diagnostic->place.file];
	const char *kind = diagnostic->warning ? "warning" : "error";

	if (diagnostic->placed) {
		(void)fprintf(out, "%s:%zu:%zu: %s: %s\n", file->path, diagnostic->place.line + 1,
			      diagnostic->place.column + 1, kind, diagnostic->text);
		print_source(out, file, &diagnostic->place);
	} else {
		(void)fprintf(out, "%s: %s: %s\n", file->path, kind, diagnostic->text);
	}
	if (diagnostic->remedy[0] != '\0')
		(void)fprintf(out, "      = help: %s\n", diagnostic->remedy);
}

static bool before(const struct config_diagnostic *a, const struct config_diagnostic *b)
{
	if (a->place.file != b->place.file)
		return a->place.file < b->place.file;
	if (a->place.line != b->place.line)
		return a->place.line < b->place.line;
	return a->place.column < b->place.column;
}

/* Insertion sort, which keeps the order of diagnostics of the same place. */
void config_report_sort(struct config_report *report)
{
	struct config_diagnostic *all = report->diagnostics;

	report->last = NULL;
	for (size_t i = 1; i < report->n_diagnostics; i++) {
		struct config_diagnostic moved = all[i];
		size_t j = i;

		for (; j > 0 && before(&moved, &all[j - 1]); j--)
			all[j] = all[j - 1];
		all[j] = moved;
	}
}

size_t config_report_omitted(const struct config_report *report)
{
	return report->n_errors + report->n_warnings - report->n_diagnostics;
}

void config_report_print(const struct config_report *report, FILE *out)
{
	size_t omitted = config_report_omitted(report);

	for (size_t i = 0; i < report->n_diagnostics; i++)
		config_diagnostic_print(report, &report->diagnostics[i], out);
	if (omitted > 0)
		(void)fprintf(out, "%s: and %zu more\n", report->files[0].path, omitted);
}

int config_report_text(const struct config_report *report, char **ret_text)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return -ENOMEM;
	config_report_print(report, out);
	if (fclose(out) != 0)
		return -ENOMEM;
	*ret_text = TAKE_PTR(text);
	return 0;
}
