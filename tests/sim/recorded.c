/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recorded matrices have steps of minutes. They are used unchanged, or with the interval of the
 * daemon: linear interpolation between steps, plus noise (sigma 0.4, 5 s).
 */
#include "recorded.h"

#include "cleanup.h"
#include "random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_SIGMA 0.4
#define NOISE_SECONDS 5.0
#define SERIES_MAX 4096
#define STEPS_MAX 1000000

struct matrix {
	double *rates; /* by step, then series */
	uint32_t n_steps;
	uint32_t n_series;
};

static void matrix_done(struct matrix *matrix)
{
	free(matrix->rates);
}

static bool read_cell(const char *line, uint32_t *ret_step, uint32_t *ret_series, double *ret_bytes)
{
	char *end;
	unsigned long step = strtoul(line, &end, 10), series;
	double bytes;

	if (end == line || *end != ',' || step >= STEPS_MAX)
		return false;
	line = end + 1;
	series = strtoul(line, &end, 10);
	if (end == line || *end != ',' || series >= SERIES_MAX)
		return false;
	line = end + 1;
	bytes = strtod(line, &end);
	if (end == line || !(bytes >= 0))
		return false;
	*ret_step = (uint32_t)step;
	*ret_series = (uint32_t)series;
	*ret_bytes = bytes;
	return true;
}

static int matrix_read(FILE *file, bool store, struct matrix *matrix, double step)
{
	char line[128];
	uint32_t at, series;
	double bytes;

	rewind(file);
	if (!fgets(line, sizeof(line), file))
		return -EBADMSG;
	while (fgets(line, sizeof(line), file)) {
		if (!read_cell(line, &at, &series, &bytes))
			return -EBADMSG;
		if (store) {
			matrix->rates[(size_t)at * matrix->n_series + series] = bytes / step;
			continue;
		}
		if (at >= matrix->n_steps)
			matrix->n_steps = at + 1;
		if (series >= matrix->n_series)
			matrix->n_series = series + 1;
	}
	return 0;
}

static int matrix_load(const char *path, double step, struct matrix *matrix)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	int r;

	if (!file)
		return -errno;
	r = matrix_read(file, false, matrix, step);
	if (r < 0)
		return r;
	matrix->rates = calloc((size_t)matrix->n_steps * matrix->n_series + 1, sizeof(double));
	if (!matrix->rates)
		return -ENOMEM;
	return matrix_read(file, true, matrix, step);
}

static double matrix_at(const struct matrix *matrix, double position, uint32_t series)
{
	uint32_t step = (uint32_t)position;
	const double *rate = &matrix->rates[(size_t)step * matrix->n_series + series];

	if (step + 1 >= matrix->n_steps)
		return rate[0];
	return rate[0] + (position - step) * (rate[matrix->n_series] - rate[0]);
}

static int recorded_make(const struct matrix *matrix, double step, uint32_t n_ticks, uint64_t seed,
			 struct sim_trace *trace)
{
	_cleanup_free_ double *noise = calloc(matrix->n_series + 1, sizeof(*noise));
	struct random random = {.state = seed};
	double rho = exp(-trace->interval / NOISE_SECONDS);
	double all = floor(matrix->n_steps * step / trace->interval);

	if (!noise)
		return -ENOMEM;
	if (n_ticks == 0 || n_ticks > all)
		n_ticks = (uint32_t)all;
	for (uint32_t t = 0; t < n_ticks; t++) {
		if (sim_trace_next_tick(trace) < 0)
			return -ENOMEM;
		for (uint32_t i = 0; i < matrix->n_series; i++) {
			double bytes = matrix_at(matrix, t * trace->interval / step, i);
			uint32_t sa = i;

			if (t == 0 &&
			    sim_trace_add_sa(trace, sim_trace_new_lineage(trace), &sa) < 0)
				return -ENOMEM;
			bytes *= trace->interval;
			if (trace->interval < step) {
				noise[i] = rho * noise[i] +
					   sqrt(1 - rho * rho) * random_normal(&random);
				bytes *=
					exp(NOISE_SIGMA * noise[i] - NOISE_SIGMA * NOISE_SIGMA / 2);
			}
			if (sim_trace_add_row(trace, sa, floor(bytes)) < 0)
				return -ENOMEM;
		}
	}
	return sim_trace_finish(trace);
}

int recorded_load(const char *path, double step, double interval, uint32_t n_ticks, uint64_t seed,
		  struct sim_trace **ret_trace)
{
	_cleanup_(matrix_done) struct matrix matrix = {};
	struct sim_trace *trace;
	int r = matrix_load(path, step, &matrix);

	if (r < 0)
		return r;
	r = sim_trace_new(interval, interval, &trace);
	if (r < 0)
		return r;
	r = recorded_make(&matrix, step, n_ticks, seed, trace);
	if (r < 0) {
		sim_trace_free(trace);
		return r;
	}
	*ret_trace = trace;
	return 0;
}
