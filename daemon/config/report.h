/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is wrong with a configuration file, collected while it is read and printed together:
 *
 *   espoffloadd.conf:3:5: error: unknown key 'alow' in an entry of 'nics'
 *       3 |     alow: true
 *         |     ^~~~
 *         = help: did you mean 'allow'?
 *
 * Nothing is allocated: a report is as large as its 20 records, the others are only counted.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define CONFIG_REPORT_MAX 20

/* Counted from 0 and in characters, as libyaml counts. */
struct config_place {
	size_t line;
	size_t column;
	size_t length; /* characters to underline, at least 1 */
};

struct config_record {
	struct config_place place;
	bool placed; /* false: about the file as a whole */
	bool warning;
	char text[256];
	char remedy[256];
};

struct config_report {
	const char *path;
	const char *text; /* of the file */
	size_t size;
	size_t n_errors; /* all, those not recorded too */
	size_t n_warnings;
	size_t n_records;
	struct config_record *last; /* the one a remedy belongs to; NULL if it was only counted */
	struct config_record records[CONFIG_REPORT_MAX];
};

/* Without a place when `place` is NULL. */
void config_error(struct config_report *report, const struct config_place *place,
		  const char *format, ...) _printf_(3, 4);
void config_warning(struct config_report *report, const struct config_place *place,
		    const char *format, ...) _printf_(3, 4);
/* What to do about the error or warning reported last. */
void config_remedy(struct config_report *report, const char *format, ...) _printf_(2, 3);

/* In the order of the file. */
void config_report_print(struct config_report *report, FILE *out);
