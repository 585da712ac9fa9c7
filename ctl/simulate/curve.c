/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "simulate/curve.h"

#include "frame.h"

#include <errno.h>
#include <math.h>

#define SLOTS_WIDTH 7
#define SHARE_WIDTH 9 /* "100.0 %" */
#define CELL_WIDTH 8
#define BAR_MIN 10
#define BAR_MAX 50

const json_t *curve_row(const struct curve *curve, size_t capacity, size_t policy)
{
	return json_array_get(curve->rows, capacity * curve->n_policies + policy);
}

size_t curve_n_capacities(const struct curve *curve)
{
	return json_array_size(curve->rows) / curve->n_policies;
}

const char *curve_text(const json_t *row, const char *key)
{
	return json_string_value(json_object_get(row, key));
}

double curve_number(const json_t *row, const char *key)
{
	return json_number_value(json_object_get(row, key));
}

const char *curve_sas(const json_t *row, char buffer[CURVE_SAS_SIZE])
{
	const char *nic = curve_text(row, "nic");
	double n = curve_number(row, "sas");

	(void)snprintf(buffer, CURVE_SAS_SIZE, "%.0f SA%s%s%s", n, n == 1 ? "" : "s",
		       nic ? " of " : "", nic ? nic : "");
	return buffer;
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : 0;
}

double curve_carried(const json_t *row)
{
	return share(curve_number(row, "offloadedBytes"), curve_number(row, "offeredBytes"));
}

double curve_optimum(const json_t *row)
{
	const json_t *bound = json_object_get(row, "bound");

	return bound ? share(curve_number(bound, "netBytes"), curve_number(row, "offeredBytes"))
		     : NAN;
}

static bool is_bounded(const struct curve *curve)
{
	return !isnan(curve_optimum(curve_row(curve, 0, 0)));
}

/* Both write a cell, right-aligned, and return the column after it. */
static int write_share(struct frame *frame, int row, int column, int width, double value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.1f %%", 100 * value);
	return frame_text_right(frame, row, column, width, FRAME_PLAIN, text);
}

static int write_number(struct frame *frame, int row, int column, int width, double value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%.0f", value);
	return frame_text_right(frame, row, column, width, FRAME_PLAIN, text);
}

static int policy_width(const struct curve *curve)
{
	return SHARE_WIDTH + (is_bounded(curve) ? CELL_WIDTH : 0) + CELL_WIDTH;
}

static int table_width(const struct curve *curve)
{
	return SLOTS_WIDTH + (int)curve->n_policies * policy_width(curve) +
	       (is_bounded(curve) ? SHARE_WIDTH : 0);
}

/* The bar of the first policy. In ASCII a cell is full or empty, else it has eighths. */
static void draw_bar(struct frame *frame, int row, int column, int width, double value)
{
	int eighths = (int)lround(value * width * 8);

	for (int i = 0; i < width; i++) {
		int filled = eighths - 8 * i < 8 ? eighths - 8 * i : 8;

		if (frame->ascii ? filled >= 4 : filled > 0)
			frame_put(frame, row, column + i, FRAME_GREEN,
				  frame->ascii ? '#' : 0x2590 - (uint32_t)filled);
	}
}

static void draw_head(struct frame *frame, const struct curve *curve, int bar)
{
	const json_t *row = curve_row(curve, 0, 0);
	char sas[CURVE_SAS_SIZE];
	int x;

	(void)frame_printf(frame, 0, 0, FRAME_PLAIN, "%s: %s, %.0f s in steps of %g s",
			   curve_text(row, "trace"), curve_sas(row, sas),
			   curve_number(row, "seconds"), curve_number(row, "intervalSeconds"));
	x = frame_text_right(frame, 2, 0, SLOTS_WIDTH, FRAME_BOLD, "slots");
	for (size_t p = 0; p < curve->n_policies; p++) {
		(void)frame_text_right(frame, 1, x, policy_width(curve), FRAME_BOLD,
				       curve_text(curve_row(curve, 0, p), "policy"));
		x = frame_text_right(frame, 2, x, SHARE_WIDTH, FRAME_BOLD, "carried");
		if (is_bounded(curve))
			x = frame_text_right(frame, 2, x, CELL_WIDTH, FRAME_BOLD, "of opt.");
		x = frame_text_right(frame, 2, x, CELL_WIDTH, FRAME_BOLD, "moves/h");
	}
	if (is_bounded(curve)) {
		(void)frame_text_right(frame, 1, x, SHARE_WIDTH, FRAME_BOLD, "optimum");
		x = frame_text_right(frame, 2, x, SHARE_WIDTH, FRAME_BOLD, "net");
	}
	if (bar > 0) {
		(void)frame_text(frame, 1, x + 2, bar, FRAME_BOLD, curve_text(row, "policy"));
		(void)frame_text(frame, 2, x + 2, bar, FRAME_PLAIN, "0 %");
		(void)frame_text_right(frame, 2, x + 2, bar, FRAME_PLAIN, "100 %");
	}
}

static void draw_capacity(struct frame *frame, const struct curve *curve, size_t i, int bar)
{
	const json_t *first = curve_row(curve, i, 0);
	int line = 3 + (int)i, x;

	x = write_number(frame, line, 0, SLOTS_WIDTH, curve_number(first, "capacity"));
	for (size_t p = 0; p < curve->n_policies; p++) {
		const json_t *row = curve_row(curve, i, p), *bound = json_object_get(row, "bound");

		x = write_share(frame, line, x, SHARE_WIDTH, curve_carried(row));
		if (bound)
			x = write_share(frame, line, x, CELL_WIDTH, curve_number(bound, "ratio"));
		x = write_number(frame, line, x, CELL_WIDTH, curve_number(row, "movesPerHour"));
	}
	if (is_bounded(curve))
		x = write_share(frame, line, x, SHARE_WIDTH, curve_optimum(first));
	if (bar > 0)
		draw_bar(frame, line, x + 2, bar, curve_carried(first));
}

int curve_print(const struct ctl *ctl, const struct curve *curve)
{
	_cleanup_(frame_freep) struct frame *frame = NULL;
	int width = table_width(curve), bar = ctl->width - width - 2;
	int title =
		frame_columns(curve_text(curve_row(curve, 0, 0), "trace")) + 64 + CURVE_SAS_SIZE;
	size_t n = curve_n_capacities(curve);
	int r;

	bar = bar < BAR_MIN ? 0 : bar;
	bar = bar > BAR_MAX ? BAR_MAX : bar;
	width += bar > 0 ? 2 + bar : 0;
	width = width > title ? width : title;
	r = frame_new(width < 4096 ? width : 4096, 3 + (int)n, ctl->ascii, &frame);
	if (r < 0)
		return r;
	draw_head(frame, curve, bar);
	for (size_t i = 0; i < n; i++)
		draw_capacity(frame, curve, i, bar);
	frame_write(frame, ctl->color, stdout);
	return 0;
}
