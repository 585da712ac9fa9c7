/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes rates and times without the C library's number conversion: strtod() and
 * printf("%f") depend on LC_NUMERIC, and strtod() also accepts "inf", "nan", hexadecimal numbers
 * and exponents, which are mistakes in a configuration.
 */
#include "units.h"

#include "cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit rate_units[] = {
	{"bit/s", 1.0 / 8},  {"kbit/s", 1e3 / 8},    {"Mbit/s", 1e6 / 8},
	{"Gbit/s", 1e9 / 8}, {"Tbit/s", 1e12 / 8},   {"B/s", 1},
	{"kB/s", 1e3},       {"MB/s", 1e6},          {"GB/s", 1e9},
	{"KiB/s", 1024},     {"MiB/s", 1024 * 1024}, {"GiB/s", 1024.0 * 1024 * 1024},
};

static const struct unit time_units[] = {
	{"ms", 1e-3},
	{"s", 1},
	{"min", 60},
	{"h", 3600},
};

/* 15 decimal digits are exact in a double, and more are not needed. */
#define DIGITS_MAX 15

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, " ");
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Reads DIGITS[.DIGITS]. The quotient of two exact integers is the nearest double, the same as that
 * of strtod(). */
static int parse_decimal(const char *text, double *ret_value, const char **ret_end)
{
	uint64_t mantissa = 0;
	uint64_t divisor = 1;
	unsigned digits = 0;
	bool fraction = false;
	const char *p = text;

	if (!is_digit(*p))
		return -EINVAL;
	for (;; p++) {
		if (*p == '.' && !fraction && is_digit(p[1])) {
			fraction = true;
			continue;
		}
		if (!is_digit(*p))
			break;
		if (mantissa > 0)
			digits++;
		if (digits >= DIGITS_MAX || divisor >= UINT64_C(1000000000000000))
			return -ERANGE;
		mantissa = mantissa * 10 + (uint64_t)(*p - '0');
		if (fraction)
			divisor *= 10;
	}
	*ret_value = (double)mantissa / (double)divisor;
	*ret_end = p;
	return 0;
}

static const struct unit *find_unit(const struct unit *units, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* With n == 0 the number has no unit. */
static int parse_quantity(const char *text, const struct unit *units, size_t n, double *ret_value)
{
	const char *rest;
	double value;
	double factor;
	bool negative = *text == '-';
	int r;

	r = parse_decimal(negative ? text + 1 : text, &value, &rest);
	if (r < 0)
		return r;
	if (*rest == '\0' && (n == 0 || value == 0)) {
		factor = 1;
	} else {
		const struct unit *unit = find_unit(units, n, skip_spaces(rest));

		if (!unit)
			return -EINVAL;
		factor = unit->factor;
	}
	if (negative && value > 0)
		return -ERANGE;
	*ret_value = value * factor;
	return 0;
}

int units_parse_rate(const char *text, double *ret_bytes_per_second)
{
	return parse_quantity(text, rate_units, ELEMENTSOF(rate_units), ret_bytes_per_second);
}

int units_parse_time(const char *text, double *ret_seconds)
{
	return parse_quantity(text, time_units, ELEMENTSOF(time_units), ret_seconds);
}

int units_parse_number(const char *text, double *ret_value)
{
	return parse_quantity(text, NULL, 0, ret_value);
}

static char *copy(char *buffer, const char *text)
{
	(void)snprintf(buffer, UNITS_TEXT_MAX, "%s", text);
	return buffer;
}

/* The five units in `names` differ by a factor of 1000 each. */
static char *format_amount(double value, const char *const names[5], char buffer[UNITS_TEXT_MAX])
{
	size_t unit = 0;

	if (!(value >= 0))
		return copy(buffer, "-");
	/* A value that would be rounded to 1000 of a unit is shown as 1.0 of the next one. */
	while (unit + 1 < 5 && value >= 999.5) {
		value /= 1000;
		unit++;
	}
	if (value >= 999.5) {
		(void)snprintf(buffer, UNITS_TEXT_MAX, ">999 %s", names[unit]);
	} else if (unit == 0 || value >= 99.95) {
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u %s", (unsigned)(value + 0.5),
			       names[unit]);
	} else {
		unsigned tenths = (unsigned)(value * 10 + 0.5);

		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u.%u %s", tenths / 10, tenths % 10,
			       names[unit]);
	}
	return buffer;
}

char *units_format_rate(double bytes_per_second, char buffer[UNITS_TEXT_MAX])
{
	static const char *const names[] = {"bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"};

	return format_amount(bytes_per_second * 8, names, buffer);
}

char *units_format_bytes(double bytes, char buffer[UNITS_TEXT_MAX])
{
	static const char *const names[] = {"B", "kB", "MB", "GB", "TB"};

	return format_amount(bytes, names, buffer);
}

/* "4 min 10 s", "4 min" */
static void format_two(char *buffer, uint64_t value, unsigned per, const char *large,
		       const char *small)
{
	unsigned big = (unsigned)(value / per);
	unsigned rest = (unsigned)(value % per);

	if (rest > 0)
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u %s %u %s", big, large, rest, small);
	else
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u %s", big, large);
}

char *units_format_time(double seconds, char buffer[UNITS_TEXT_MAX])
{
	if (!(seconds >= 0))
		return copy(buffer, "-");
	if (seconds == 0)
		return copy(buffer, "0 s");
	if (seconds < 0.9995)
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u ms", (unsigned)(seconds * 1000 + 0.5));
	else if (seconds < 9.95)
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u.%u s",
			       (unsigned)(seconds * 10 + 0.5) / 10,
			       (unsigned)(seconds * 10 + 0.5) % 10);
	else if (seconds < 59.5)
		(void)snprintf(buffer, UNITS_TEXT_MAX, "%u s", (unsigned)(seconds + 0.5));
	else if (seconds < 3599.5)
		format_two(buffer, (uint64_t)(seconds + 0.5), 60, "min", "s");
	else if (seconds < 86400 - 30)
		format_two(buffer, (uint64_t)(seconds / 60 + 0.5), 60, "h", "min");
	else if (seconds < 86400 * 100000.0)
		format_two(buffer, (uint64_t)(seconds / 3600 + 0.5), 24, "d", "h");
	else
		return copy(buffer, ">100000 d");
	return buffer;
}
