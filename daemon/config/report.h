/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fills a report while a file is read. Diagnostics need no memory: the first CONFIG_DIAGNOSTICS_MAX
 * are kept, the others are only counted. */
#pragma once

#include "config-report.h"

/* Begins the next file. Takes the text, which may be NULL. `size`: its bytes. If there are
 * CONFIG_FILES_MAX files already, it replaces the last. */
void config_report_begin(struct config_report *report, const char *path, char *text, size_t size);
/* The file that was begun last. */
const struct config_file *config_report_file(const struct config_report *report);

/* `place` NULL: about the whole file that was begun last. */
void config_error(struct config_report *report, const struct config_place *place,
		  const char *format, ...) _printf_(3, 4);
void config_warning(struct config_report *report, const struct config_place *place,
		    const char *format, ...) _printf_(3, 4);
/* Adds to the last error or warning what to do about it. */
void config_remedy(struct config_report *report, const char *format, ...) _printf_(2, 3);

/* After all is read: sorts the diagnostics by file and place. */
void config_report_sort(struct config_report *report);
