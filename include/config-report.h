/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors and warnings of a configuration file. A printed diagnostic looks like
 *
 *   espoffloadd.conf:3:5: error: unknown key 'alow' in an entry of 'nics'
 *       3 |     alow: true
 *         |     ^~~~
 *         = help: did you mean 'allow'?
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_DIAGNOSTICS_MAX 20

/* Line and column from 0, in characters, as libyaml counts them. */
struct config_place {
	size_t line;
	size_t column;
	size_t length; /* characters to underline, at least 1 */
};

struct config_diagnostic {
	struct config_place place;
	bool placed; /* false: about the whole file */
	bool warning;
	char text[256];
	char remedy[256]; /* what to do about it; may be empty */
};

struct config_report {
	char path[256]; /* of the file, safe to print */
	char *text;     /* of the file; NULL: not read */
	size_t size;
	size_t n_errors; /* with those that are only counted */
	size_t n_warnings;
	size_t n_diagnostics;
	struct config_diagnostic *last; /* while reading: for the next remedy */
	struct config_diagnostic diagnostics[CONFIG_DIAGNOSTICS_MAX]; /* in the order of the file */
};

void config_report_done(struct config_report *report);

/* The number of errors and warnings that are not among the diagnostics. */
size_t config_report_omitted(const struct config_report *report);

void config_diagnostic_print(const struct config_report *report,
			     const struct config_diagnostic *diagnostic, FILE *out);
/* Prints all diagnostics, and how many were omitted. Prints nothing if there are none. */
void config_report_print(const struct config_report *report, FILE *out);
/* The same as a string that the caller frees. -ENOMEM. */
int config_report_text(const struct config_report *report, char **ret_text);
