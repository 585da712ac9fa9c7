/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Draws docs/policy.svg from a simulation: `sim-picture > docs/policy.svg`.
 *
 * Above: the traffic offered, offloaded by the policy, and offloaded by first-come. Below: one line
 * per SA, time to the right. Darker means more traffic; a frame shows the time in the NIC.
 */
#include "cleanup.h"
#include "families.h"
#include "sim/run.h"

#include <math.h>
#include <string.h>

#define N_SAS 40
#define N_SLOTS 8
#define N_SECONDS 600
#define SEED 5

/* Pixels, and seconds per cell. */
#define CELL_SECONDS 5
#define CELL_WIDTH 7
#define ROW_HEIGHT 11
#define LEFT 60
#define TOP 50
#define CURVE_HEIGHT 140
#define ROWS_TOP (TOP + CURVE_HEIGHT + 50)
#define N_CELLS (N_SECONDS / CELL_SECONDS)
#define WIDTH (LEFT + N_CELLS * CELL_WIDTH + 20)
#define HEIGHT (ROWS_TOP + N_SAS * ROW_HEIGHT + 40)
#define SHADES 6

/* Means over cells, in bytes/s, and the share of the cell spent in the NIC. */
struct picture {
	double rate[N_SAS][N_CELLS];
	double resident[N_SAS][N_CELLS];
	double offered[N_CELLS];
	double offloaded[N_CELLS];
	double first_come[N_CELLS];
	uint32_t order[N_SAS]; /* by total traffic */
};

struct places {
	bool resident[N_SAS][N_SECONDS + 2];
};

static void note_move(void *userdata, double time, uint32_t sa, bool promote)
{
	struct places *places = userdata;

	for (size_t t = (size_t)time; t <= N_SECONDS; t++)
		places->resident[sa][t] = promote;
}

static int simulate(const struct sim_trace *trace, struct places *places)
{
	struct sim_options options = {.capacity = N_SLOTS,
				      .migration_bytes = 4.0 * 1024 * 1024,
				      .migration_seconds = 0.25,
				      .moves_per_second = 4,
				      .moves_burst = 2 * N_SLOTS,
				      .on_move = note_move,
				      .userdata = places};
	struct sim_result result;
	int r = sim_run(trace, &sim_policies[0], &options, &result);

	if (r >= 0)
		sim_result_done(&result);
	return r;
}

static void collect(const struct sim_trace *trace, const struct places *places,
		    struct picture *picture)
{
	double total[N_SAS] = {};

	for (uint32_t t = 0; t < trace->n_ticks; t++)
		for (size_t r = trace->tick_rows[t]; r < trace->tick_rows[t + 1]; r++) {
			uint32_t sa = trace->rows[r].sa, cell = t / CELL_SECONDS;
			double rate = trace->rows[r].bytes / CELL_SECONDS;

			total[sa] += rate;
			picture->rate[sa][cell] += rate;
			picture->offered[cell] += rate;
			/* Decided at the end of tick t - 1, which is second t. */
			if (places->resident[sa][t])
				picture->offloaded[cell] += rate;
			/* All SAs exist from the start to the end: the first keep their slots. */
			if (sa < N_SLOTS)
				picture->first_come[cell] += rate;
		}
	for (uint32_t i = 0; i < N_SAS; i++) {
		uint32_t at = i;

		for (; at > 0 && total[picture->order[at - 1]] < total[i]; at--)
			picture->order[at] = picture->order[at - 1];
		picture->order[at] = i;
		for (uint32_t t = 0; t < N_SECONDS; t++)
			picture->resident[i][t / CELL_SECONDS] +=
				(double)places->resident[i][t] / CELL_SECONDS;
	}
}

static double highest(const double *values)
{
	double max = 1;

	for (uint32_t i = 0; i < N_CELLS; i++)
		max = fmax(max, values[i]);
	return max;
}

static void draw_curve(const double *values, double max, const char *style)
{
	(void)printf("<polygon %s points=\"%d,%d", style, LEFT, TOP + CURVE_HEIGHT);
	for (uint32_t i = 0; i < N_CELLS; i++)
		(void)printf(" %u,%.1f", LEFT + i * CELL_WIDTH + CELL_WIDTH / 2,
			     TOP + CURVE_HEIGHT * (1 - values[i] / max));
	(void)printf(" %d,%d\"/>\n", LEFT + N_CELLS * CELL_WIDTH, TOP + CURVE_HEIGHT);
}

static void draw_curves(const struct picture *picture)
{
	double max = highest(picture->offered);

	draw_curve(picture->offered, max, "fill=\"#d9d9d9\"");
	draw_curve(picture->offloaded, max, "fill=\"#3182bd\" fill-opacity=\".75\"");
	draw_curve(picture->first_come, max, "fill=\"#e6550d\" fill-opacity=\".8\"");
	(void)printf("<text x=\"%d\" y=\"%d\">%.1f Gbit/s</text>\n", 2, TOP + 4, max * 8 / 1e9);
	(void)printf(
		"<text x=\"%d\" y=\"20\" font-size=\"14\">%d SAs, %d slots, ten minutes of "
		"Zipf rates under noise; every ten seconds two SAs exchange their ranks</text>\n",
		LEFT, N_SAS, N_SLOTS);
	(void)printf("<text x=\"%d\" y=\"38\"><tspan fill=\"#888\">offered</tspan>  "
		     "<tspan fill=\"#3182bd\">in the NIC with espoffloadd</tspan>  "
		     "<tspan fill=\"#e6550d\">in the NIC first come, first served</tspan></text>\n",
		     LEFT);
}

/* Darker with the square root of the rate: most SAs are far below the highest. */
static uint32_t shade_of(double rate, double max)
{
	return (uint32_t)fmin(SHADES, floor(SHADES * sqrt(rate / max) + 0.5));
}

static void draw_row(const struct picture *picture, uint32_t row, double max)
{
	uint32_t sa = picture->order[row], y = ROWS_TOP + row * ROW_HEIGHT;

	for (uint32_t from = 0, to; from < N_CELLS; from = to) {
		uint32_t shade = shade_of(picture->rate[sa][from], max);

		for (to = from + 1; to < N_CELLS; to++)
			if (shade_of(picture->rate[sa][to], max) != shade)
				break;
		if (shade > 0)
			(void)printf("<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\" "
				     "class=\"s%u\"/>\n",
				     LEFT + from * CELL_WIDTH, y, (to - from) * CELL_WIDTH,
				     ROW_HEIGHT - 1, shade);
	}
	for (uint32_t from = 0, to; from < N_CELLS; from = to) {
		bool resident = picture->resident[sa][from] >= 0.5;

		for (to = from + 1; to < N_CELLS; to++)
			if ((picture->resident[sa][to] >= 0.5) != resident)
				break;
		if (resident)
			(void)printf("<rect x=\"%u\" y=\"%u\" width=\"%u\" height=\"%d\" "
				     "class=\"nic\"/>\n",
				     LEFT + from * CELL_WIDTH, y, (to - from) * CELL_WIDTH,
				     ROW_HEIGHT - 1);
	}
}

static void draw(const struct picture *picture)
{
	double max = 1;

	for (uint32_t i = 0; i < N_SAS; i++)
		max = fmax(max, highest(picture->rate[i]));
	(void)printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		     "font-family=\"sans-serif\" font-size=\"12\">\n<style>.nic{fill:none;"
		     "stroke:#3182bd;stroke-width:2}",
		     WIDTH, HEIGHT);
	for (int i = 1; i <= SHADES; i++)
		(void)printf(".s%d{fill:#222;fill-opacity:%.2f}", i, 0.8 * i / SHADES);
	(void)puts("</style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
	draw_curves(picture);
	(void)printf("<text x=\"%d\" y=\"%d\">one line per SA, the busiest on top; darker means "
		     "more traffic, a frame means in the NIC</text>\n",
		     LEFT, ROWS_TOP - 10);
	for (uint32_t row = 0; row < N_SAS; row++)
		draw_row(picture, row, max);
	for (uint32_t t = 0; t <= N_SECONDS; t += 60)
		(void)printf("<text x=\"%u\" y=\"%d\" text-anchor=\"middle\">%u min</text>\n",
			     LEFT + t / CELL_SECONDS * CELL_WIDTH,
			     ROWS_TOP + N_SAS * ROW_HEIGHT + 20, t / 60);
	(void)puts("</svg>");
}

int main(void)
{
	struct family_size size = {.n_sas = N_SAS,
				   .capacity = N_SLOTS,
				   .n_ticks = N_SECONDS,
				   .interval = 1,
				   .total = 1.25e9};
	const struct family *family = families;
	_cleanup_free_ struct picture *picture = calloc(1, sizeof(*picture));
	_cleanup_free_ struct places *places = calloc(1, sizeof(*places));
	struct sim_trace *trace;

	while (strcmp(family->name, "churn-slow") != 0)
		family++;
	if (!picture || !places || family_generate(family, &size, SEED, &trace) < 0)
		return 1;
	if (simulate(trace, places) >= 0) {
		collect(trace, places, picture);
		draw(picture);
	}
	sim_trace_free(trace);
	return 0;
}
