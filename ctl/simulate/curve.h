/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What several capacities would carry, with one or more policies: `rows` is an array of the
 * documents of single runs, in order of capacity, and for each capacity all policies in the same
 * order.
 */
#pragma once

#include "ctl.h"

struct curve {
	const json_t *rows;
	size_t n_policies;
};

/* Prints a table, with bars if the width of the terminal is known. -ENOMEM. */
int curve_print(const struct ctl *ctl, const struct curve *curve);
/* Writes an SVG picture without scripts or references. Returns a negative errno. */
int curve_write_svg(const struct curve *curve, const char *path);

/* "7 SAs", "1 SA of NIC": `buffer`. */
#define CURVE_SAS_SIZE 96
const char *curve_sas(const json_t *row, char buffer[CURVE_SAS_SIZE]);

/* Shared by both: the document of a run, and its numbers. */
const json_t *curve_row(const struct curve *curve, size_t capacity, size_t policy);
size_t curve_n_capacities(const struct curve *curve);
const char *curve_text(const json_t *row, const char *key);
double curve_number(const json_t *row, const char *key);
/* Of the offered bytes, from 0 to 1. */
double curve_carried(const json_t *row);
/* The same of the offline optimum; NaN: not known. */
double curve_optimum(const json_t *row);
