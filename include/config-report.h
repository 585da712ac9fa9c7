/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Errors and warnings of configuration files. A printed diagnostic looks like
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

/* The main file and its drop-ins. */
#define CONFIG_FILES_MAX 64

/* Line and column from 0, in characters, as libyaml counts them. */
struct config_place {
	size_t file; /* index in config_report.files */
	size_t line;
	size_t column;
	size_t length; /* characters to underline, at least 1 */
};

struct config_diagnostic {
	struct config_place place;
	bool placed; /* false: about the whole file place.file */
	bool warning;
	char text[256];
	char remedy[256]; /* what to do about it; may be empty */
};

struct config_file {
	char path[256]; /* safe to print */
	char *text;     /* NULL: not read */
	size_t size;
};

struct config_report {
	struct config_file files[CONFIG_FILES_MAX]; /* in the order in which they are read */
	size_t n_files;
	size_t n_errors; /* with those that are only counted */
	size_t n_warnings;
	size_t n_diagnostics;
	struct config_diagnostic *last; /* while reading: for the next remedy */
	struct config_diagnostic diagnostics[CONFIG_DIAGNOSTICS_MAX]; /* in the order of the files
								       */
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
