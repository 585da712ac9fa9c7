/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses and formats rates, times and amounts of bytes.
 *
 * Input is a number and a unit, which is required except after zero. Rates: bit/s, kbit/s, Mbit/s,
 * Gbit/s, Tbit/s (powers of 1000), B/s, kB/s, MB/s, GB/s, and KiB/s, MiB/s, GiB/s. Times: ms, s,
 * min, h. Numbers are plain decimals ("10", "2.5") of at most 15 digits, with a point in every
 * locale.
 */
#pragma once

#include <stddef.h>

/* For error messages. */
#define UNITS_OF_RATE \
	"bit/s, kbit/s, Mbit/s, Gbit/s, Tbit/s, B/s, kB/s, MB/s, GB/s, KiB/s, MiB/s, GiB/s"
#define UNITS_OF_TIME "ms, s, min, h"

/* Return 0, -EINVAL (not a number with a known unit) or -ERANGE (negative, or too many digits). */
int units_parse_rate(const char *text, double *ret_bytes_per_second);
int units_parse_time(const char *text, double *ret_seconds);
/* The same for a number without a unit. */
int units_parse_number(const char *text, double *ret_value);

/* "12.3 Mbit/s", "940 bit/s", "-" for NaN; at most 12 characters. Return `buffer`. */
#define UNITS_TEXT_MAX 24
char *units_format_rate(double bytes_per_second, char buffer[UNITS_TEXT_MAX]);
/* "4.2 MB", "940 B", "-" for NaN and negative values. Returns `buffer`. */
char *units_format_bytes(double bytes, char buffer[UNITS_TEXT_MAX]);
/* "3.2 s", "4 min 10 s", "2 h 5 min", "-" for NaN. Returns `buffer`. */
char *units_format_time(double seconds, char buffer[UNITS_TEXT_MAX]);
