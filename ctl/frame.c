/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "frame.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <wchar.h>

#define FRAME_SIDE_MAX 4096
#define FRAME_ROWS_MAX 65536

int frame_new(int width, int height, bool ascii, struct frame **ret_frame)
{
	struct frame *frame;

	if (width < 1 || height < 1 || width > FRAME_SIDE_MAX || height > FRAME_ROWS_MAX)
		return -EINVAL;
	frame = malloc(sizeof(*frame) + (size_t)width * (size_t)height * sizeof(frame->cells[0]));
	if (!frame)
		return -ENOMEM;
	*frame = (struct frame){.width = width, .height = height, .ascii = ascii};
	frame_clear(frame, 0, 0, height, width);
	*ret_frame = frame;
	return 0;
}

struct frame *frame_free(struct frame *frame)
{
	free(frame);
	return NULL;
}

/* Bytes of the sequence that begins with `lead`; 0: invalid. */
static int sequence_length(unsigned char lead)
{
	if (lead < 0x80)
		return 1;
	if (lead >= 0xc2 && lead < 0xe0)
		return 2;
	if (lead >= 0xe0 && lead < 0xf0)
		return 3;
	return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

uint32_t frame_next_character(const char **text)
{
	const unsigned char *bytes = (const unsigned char *)*text;
	int length = sequence_length(bytes[0]);
	uint32_t character = bytes[0];

	if (!bytes[0])
		return 0;
	if (length > 1)
		character &= 0x7fu >> length;
	for (int i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			length = 0; /* invalid sequence: ends the loop */
		else
			character = character << 6 | (bytes[i] & 0x3fu);
	}
	*text += length ? length : 1;
	return length ? character : '?';
}

int frame_columns(const char *text)
{
	int columns = 0;

	while (frame_next_character(&text) && columns < INT_MAX)
		columns++;
	return columns;
}

/* The character to store in a cell. */
static uint32_t printable(const struct frame *frame, uint32_t character)
{
	if (character >= 0x20 && character < 0x7f)
		return character;
	if (frame->ascii || wcwidth((wchar_t)character) != 1)
		return '?';
	return character;
}

void frame_put(struct frame *frame, int row, int column, uint32_t style, uint32_t character)
{
	if (row < 0 || column < 0 || row >= frame->height || column >= frame->width)
		return;
	frame->cells[row * frame->width + column] = (struct frame_cell){
		.character = printable(frame, character),
		.style = style,
	};
}

static uint32_t ellipsis(const struct frame *frame)
{
	return frame->ascii ? '~' : 0x2026;
}

const char *frame_arrow(bool ascii)
{
	return ascii ? "->" : "\u2192";
}

size_t frame_line_length(const char *text, int width)
{
	const char *end = text;
	const char *blank = NULL;

	for (int column = 0; *end && *end != '\n'; column++) {
		if (column == width)
			return (size_t)((blank ? blank : end) - text);
		if (*end == ' ' && end > text)
			blank = end;
		(void)frame_next_character(&end);
	}
	return (size_t)(end - text);
}

/* Writes the first `head` characters, an ellipsis, and the last `tail` characters. */
static int cut_text(struct frame *frame, int row, int column, int columns, int head, int tail,
		    uint32_t style, const char *text)
{
	for (int i = 0; i < columns; i++) {
		uint32_t character = frame_next_character(&text);

		if (i < head || i >= columns - tail)
			frame_put(frame, row, column++, style, character);
		else if (i == head)
			frame_put(frame, row, column++, style, ellipsis(frame));
	}
	return column;
}

int frame_text(struct frame *frame, int row, int column, int width, uint32_t style,
	       const char *text)
{
	int columns = frame_columns(text);

	if (width <= 0)
		return column;
	return cut_text(frame, row, column, columns, columns > width ? width - 1 : columns, 0,
			style, text);
}

int frame_text_middle(struct frame *frame, int row, int column, int width, uint32_t style,
		      const char *text)
{
	int columns = frame_columns(text);

	if (width <= 0)
		return column;
	if (columns <= width)
		return cut_text(frame, row, column, columns, columns, 0, style, text);
	return cut_text(frame, row, column, columns, width / 2, width - 1 - width / 2, style, text);
}

int frame_text_right(struct frame *frame, int row, int column, int width, uint32_t style,
		     const char *text)
{
	int columns = frame_columns(text);
	int blank = columns < width ? width - columns : 0;

	(void)frame_text(frame, row, column + blank, width - blank, style, text);
	return column + width;
}

int frame_printf(struct frame *frame, int row, int column, uint32_t style, const char *format, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (n < 0) {
		text = NULL;
		return column;
	}
	return frame_text(frame, row, column, frame->width - column, style, text);
}

void frame_add_style(struct frame *frame, int row, int column, int width, uint32_t attributes)
{
	if (row < 0 || row >= frame->height)
		return;
	for (int i = column < 0 ? 0 : column; i < column + width && i < frame->width; i++)
		frame->cells[row * frame->width + i].style |= attributes;
}

void frame_clear(struct frame *frame, int row, int column, int height, int width)
{
	for (int y = row; y < row + height; y++)
		for (int x = column; x < column + width; x++)
			frame_put(frame, y, x, FRAME_PLAIN, ' ');
}

static void write_character(uint32_t character, FILE *file)
{
	if (character < 0x80) {
		(void)putc((int)character, file);
	} else if (character < 0x800) {
		(void)putc((int)(0xc0 | character >> 6), file);
		(void)putc((int)(0x80 | (character & 0x3f)), file);
	} else if (character < 0x10000) {
		(void)putc((int)(0xe0 | character >> 12), file);
		(void)putc((int)(0x80 | (character >> 6 & 0x3f)), file);
		(void)putc((int)(0x80 | (character & 0x3f)), file);
	} else {
		(void)putc((int)(0xf0 | (character >> 18 & 0x07)), file);
		(void)putc((int)(0x80 | (character >> 12 & 0x3f)), file);
		(void)putc((int)(0x80 | (character >> 6 & 0x3f)), file);
		(void)putc((int)(0x80 | (character & 0x3f)), file);
	}
}

static void write_style(uint32_t style, FILE *file)
{
	static const char *const colors[_FRAME_COLOR_MAX] = {
		[FRAME_PLAIN] = "",     [FRAME_RED] = ";31",  [FRAME_GREEN] = ";32",
		[FRAME_YELLOW] = ";33", [FRAME_BLUE] = ";34", [FRAME_CYAN] = ";36",
	};

	(void)fprintf(file, "\033[0%s%s%s%s%sm", style & FRAME_BOLD ? ";1" : "",
		      style & FRAME_DIM ? ";2" : "", style & FRAME_UNDERLINE ? ";4" : "",
		      style & FRAME_REVERSE ? ";7" : "", colors[style & FRAME_COLOR_MASK]);
}

void frame_write_row(const struct frame *frame, int row, bool color, FILE *file)
{
	const struct frame_cell *cells = frame->cells + (ptrdiff_t)row * frame->width;
	uint32_t style = FRAME_PLAIN;
	int end = frame->width;

	while (end > 0 && cells[end - 1].character == ' ')
		end--;
	for (int i = 0; i < end; i++) {
		if (color && cells[i].style != style)
			write_style(style = cells[i].style, file);
		write_character(cells[i].character, file);
	}
	if (style != FRAME_PLAIN)
		(void)fputs("\033[0m", file);
}

void frame_write(const struct frame *frame, bool color, FILE *file)
{
	for (int row = 0; row < frame->height; row++) {
		frame_write_row(frame, row, color, file);
		(void)putc('\n', file);
	}
}
