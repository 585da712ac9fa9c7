/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The curve as a picture: slots on a logarithmic scale, and the share of the bytes. */
#include "simulate/curve.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define WIDTH 720
#define HEIGHT 420
#define LEFT 64.0
#define RIGHT 520.0
#define TOP 44.0
#define BOTTOM 364.0
/* Labels of the slots that would be nearer to the last one are left out. */
#define LABEL_DISTANCE 34.0
#define LEGEND_X 540.0
#define LEGEND_STEP 22.0

/* Distinguished also by most colour-blind people (Okabe and Ito). */
static const char *const colors[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
				     "#e69f00", "#56b4e9", "#000000"};
#define OPTIMUM_COLOR "#777777"

struct svg {
	FILE *file;
	const struct curve *curve;
	double first; /* of the scale */
	double last;
};

static double scale(const json_t *row)
{
	return log2(fmax(0.5, curve_number(row, "capacity")));
}

static double x_of(const struct svg *svg, size_t i)
{
	double at = scale(curve_row(svg->curve, i, 0));

	if (svg->last <= svg->first)
		return (LEFT + RIGHT) / 2;
	return LEFT + (RIGHT - LEFT) * (at - svg->first) / (svg->last - svg->first);
}

static double y_of(double share)
{
	return BOTTOM - (BOTTOM - TOP) * fmax(0, share);
}

/* Writes text as character data. XML has no control characters. */
static void write_text(const struct svg *svg, const char *text)
{
	for (; *text; text++) {
		if (*text == '<')
			(void)fputs("&lt;", svg->file);
		else if (*text == '&')
			(void)fputs("&amp;", svg->file);
		else if (*text == '>')
			(void)fputs("&gt;", svg->file);
		else
			(void)fputc((unsigned char)*text < 0x20 ? '?' : *text, svg->file);
	}
}

static void write_axes(const struct svg *svg)
{
	double last_label = -INFINITY;

	for (int percent = 0; percent <= 100; percent += 20) {
		double y = y_of(percent / 100.0);

		(void)fprintf(svg->file,
			      "<path d=\"M%g %g H%g\" stroke=\"%s\"/>\n"
			      "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%d %%</text>\n",
			      LEFT, y, RIGHT, percent ? "#dddddd" : "#000000", LEFT - 8, y + 4,
			      percent);
	}
	for (size_t i = 0; i < curve_n_capacities(svg->curve); i++) {
		double x = x_of(svg, i);

		(void)fprintf(svg->file, "<path d=\"M%.1f %g v5\" stroke=\"#000000\"/>\n", x,
			      BOTTOM);
		if (x - last_label < LABEL_DISTANCE)
			continue;
		last_label = x;
		(void)fprintf(svg->file,
			      "<text x=\"%.1f\" y=\"%g\" text-anchor=\"middle\">%.0f</text>\n", x,
			      BOTTOM + 20, curve_number(curve_row(svg->curve, i, 0), "capacity"));
	}
	(void)fprintf(svg->file,
		      "<path d=\"M%g %g V%g\" stroke=\"#000000\"/>\n"
		      "<text x=\"%g\" y=\"%g\" text-anchor=\"middle\">slots</text>\n"
		      "<text transform=\"translate(16 %g) rotate(-90)\" "
		      "text-anchor=\"middle\">share of the bytes</text>\n",
		      LEFT, TOP, BOTTOM, (LEFT + RIGHT) / 2, BOTTOM + 44, (TOP + BOTTOM) / 2);
}

/* Draws the line of a policy, or of the optimum if `policy` is the number of policies. */
static void write_line(const struct svg *svg, size_t policy)
{
	const struct curve *curve = svg->curve;
	bool optimum = policy == curve->n_policies;
	const char *color = optimum ? OPTIMUM_COLOR : colors[policy % ELEMENTSOF(colors)];
	const char *name = optimum ? "optimum, net of moves"
				   : curve_text(curve_row(curve, 0, policy), "policy");
	double y = TOP + 8 + LEGEND_STEP * (double)policy;

	(void)fprintf(svg->file,
		      "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s points=\"", color,
		      optimum ? " stroke-dasharray=\"5 4\"" : "");
	for (size_t i = 0; i < curve_n_capacities(curve); i++) {
		const json_t *row = curve_row(curve, i, optimum ? 0 : policy);

		(void)fprintf(svg->file, "%s%.1f,%.1f", i ? " " : "", x_of(svg, i),
			      y_of(optimum ? curve_optimum(row) : curve_carried(row)));
	}
	(void)fputs("\"/>\n", svg->file);
	for (size_t i = 0; i < curve_n_capacities(curve) && !optimum; i++) {
		const json_t *row = curve_row(curve, i, policy);

		(void)fprintf(svg->file,
			      "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>%s, %.0f "
			      "slots: %.2f %%, %.0f moves an hour</title></circle>\n",
			      x_of(svg, i), y_of(curve_carried(row)), color, name,
			      curve_number(row, "capacity"), 100 * curve_carried(row),
			      curve_number(row, "movesPerHour"));
	}
	(void)fprintf(svg->file,
		      "<path d=\"M%g %g h24\" stroke=\"%s\" stroke-width=\"2\"%s/>\n"
		      "<text x=\"%g\" y=\"%g\">%s</text>\n",
		      LEGEND_X, y, color, optimum ? " stroke-dasharray=\"5 4\"" : "", LEGEND_X + 32,
		      y + 4, name);
}

static void write_picture(const struct svg *svg)
{
	const json_t *row = curve_row(svg->curve, 0, 0);
	char sas[CURVE_SAS_SIZE];

	(void)fprintf(
		svg->file,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
		"height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
		"<text x=\"%g\" y=\"22\" font-size=\"14\">",
		WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT);
	write_text(svg, curve_text(row, "trace"));
	(void)fputs(": ", svg->file);
	write_text(svg, curve_sas(row, sas));
	(void)fprintf(svg->file, ", %.0f s</text>\n", curve_number(row, "seconds"));
	write_axes(svg);
	for (size_t p = 0; p < svg->curve->n_policies; p++)
		write_line(svg, p);
	if (!isnan(curve_optimum(row)))
		write_line(svg, svg->curve->n_policies);
	(void)fputs("</svg>\n", svg->file);
}

int curve_write_svg(const struct curve *curve, const char *path)
{
	_cleanup_fclose_ FILE *file = fopen(path, "we");
	const struct svg svg = {
		.file = file,
		.curve = curve,
		.first = scale(curve_row(curve, 0, 0)),
		.last = scale(curve_row(curve, curve_n_capacities(curve) - 1, 0)),
	};

	if (!file)
		return -errno;
	write_picture(&svg);
	if (fflush(file) != 0 || ferror(file))
		return errno ? -errno : -EIO;
	return 0;
}
