/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Filling a report while a file is read. Nothing is allocated for a diagnostic: the first 20 are
 * kept, the others are only counted. */
#pragma once

#include "config-report.h"

/* Takes the text, which may be NULL. */
void config_report_init(struct config_report *report, const char *path, char *text, size_t size);

/* Without a place when `place` is NULL. */
void config_error(struct config_report *report, const struct config_place *place,
		  const char *format, ...) _printf_(3, 4);
void config_warning(struct config_report *report, const struct config_place *place,
		    const char *format, ...) _printf_(3, 4);
/* What to do about the error or warning reported last. */
void config_remedy(struct config_report *report, const char *format, ...) _printf_(2, 3);

/* Once the file is read: puts the diagnostics into the order of the file. */
void config_report_sort(struct config_report *report);
