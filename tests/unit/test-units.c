/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/state-file.h"
#include "cleanup.h"
#include "units.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct parsed {
	const char *text;
	int result;
	double value;
};

static void check(const struct parsed *table, size_t n,
		  int (*parse)(const char *text, double *ret_value))
{
	for (size_t i = 0; i < n; i++) {
		double value = -1;
		int r = parse(table[i].text, &value);

		if (r != table[i].result || value != (r < 0 ? -1 : table[i].value))
			fail_msg("'%s': %d, %.17g", table[i].text, r, value);
	}
}

static void test_rates(void **state)
{
	static const struct parsed table[] = {
		{"8bit/s", 0, 1},
		{"1 bit/s", 0, 0.125},
		{"10kbit/s", 0, 1250},
		{"10Mbit/s", 0, 1250000},
		{"10 Mbit/s", 0, 1250000},
		{"2.5Gbit/s", 0, 312500000},
		{"1Tbit/s", 0, 125e9},
		{"7B/s", 0, 7},
		{"7kB/s", 0, 7000},
		{"7MB/s", 0, 7e6},
		{"7GB/s", 0, 7e9},
		{"7KiB/s", 0, 7168},
		{"7MiB/s", 0, 7340032},
		{"7GiB/s", 0, 7516192768.0},
		{"0", 0, 0},
		{"0.0", 0, 0},
		{"-0", 0, 0},
		{"0 bit/s", 0, 0},
		{"0000000000000000000007B/s", 0, 7},
		{"", -EINVAL, 0},
		{" ", -EINVAL, 0},
		{"10", -EINVAL, 0},
		{"Mbit/s", -EINVAL, 0},
		{"10mbit/s", -EINVAL, 0},
		{"10Mbit", -EINVAL, 0},
		{"10Mbps", -EINVAL, 0},
		{"10Mbit/s ", -EINVAL, 0},
		{" 10Mbit/s", -EINVAL, 0},
		{"10\tMbit/s", -EINVAL, 0},
		{"10,5Mbit/s", -EINVAL, 0},
		{".5Mbit/s", -EINVAL, 0},
		{"5.Mbit/s", -EINVAL, 0},
		{"1.2.3Mbit/s", -EINVAL, 0},
		{"1e3bit/s", -EINVAL, 0},
		{"0x10bit/s", -EINVAL, 0},
		{"+1bit/s", -EINVAL, 0},
		{"--1bit/s", -EINVAL, 0},
		{"inf", -EINVAL, 0},
		{"nan", -EINVAL, 0},
		{"infinity bit/s", -EINVAL, 0},
		{"0 parsecs", -EINVAL, 0},
		{"-1bit/s", -ERANGE, 0},
		{"1000000000000000bit/s", -ERANGE, 0},
		{"99999999999999999999999999999999bit/s", -ERANGE, 0},
		{"0.0000000000000000000000000001bit/s", -ERANGE, 0},
	};

	check(table, ELEMENTSOF(table), units_parse_rate);
}

static void test_times(void **state)
{
	static const struct parsed table[] = {
		{"250ms", 0, 0.25},  {"100ms", 0, 0.1},       {"1.5s", 0, 1.5},
		{"2min", 0, 120},    {"1h", 0, 3600},         {"0", 0, 0},
		{"1", -EINVAL, 0},   {"1m", -EINVAL, 0},      {"1d", -EINVAL, 0},
		{"1us", -EINVAL, 0}, {"1h 5min", -EINVAL, 0}, {"-1s", -ERANGE, 0},
	};

	check(table, ELEMENTSOF(table), units_parse_time);
}

static void test_numbers(void **state)
{
	static const struct parsed table[] = {
		{"0.001", 0, 0.001}, {"4", 0, 4},        {"999.999", 0, 999.999}, {"0.1", 0, 0.1},
		{"1s", -EINVAL, 0},  {"1 ", -EINVAL, 0}, {"-4", -ERANGE, 0},      {"", -EINVAL, 0},
	};

	check(table, ELEMENTSOF(table), units_parse_number);
}

struct formatted {
	double value;
	const char *text;
};

static void test_format_bytes(void **state)
{
	static const struct formatted table[] = {
		{0, "0 B"},          {940.4, "940 B"},  {4200, "4.2 kB"}, {4194304, "4.2 MB"},
		{999.6e6, "1.0 GB"}, {1e30, ">999 TB"}, {-1, "-"},        {(double)NAN, "-"},
	};
	char buffer[UNITS_TEXT_MAX];

	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		assert_string_equal(units_format_bytes(table[i].value, buffer), table[i].text);
}

static void test_format_rate(void **state)
{
	static const struct formatted table[] = {
		{0, "0 bit/s"},
		{117.5, "940 bit/s"},
		{124.9, "999 bit/s"},
		{125, "1.0 kbit/s"},
		{124.99, "1.0 kbit/s"},
		{1537500, "12.3 Mbit/s"},
		{12493750, "100 Mbit/s"},
		{12500000, "100 Mbit/s"},
		{124999999, "1.0 Gbit/s"},
		{12.5e9, "100 Gbit/s"},
		{125e9, "1.0 Tbit/s"},
		{1e30, ">999 Tbit/s"},
		{(double)INFINITY, ">999 Tbit/s"},
		{(double)NAN, "-"},
		{-1, "-"},
	};
	char buffer[UNITS_TEXT_MAX];

	for (size_t i = 0; i < ELEMENTSOF(table); i++) {
		assert_string_equal(units_format_rate(table[i].value, buffer), table[i].text);
		assert_true(strlen(buffer) <= 12);
	}
}

static void test_format_time(void **state)
{
	static const struct formatted table[] = {
		{0, "0 s"},          {0.25, "250 ms"},    {0.9999, "1.0 s"},   {3.2, "3.2 s"},
		{9.96, "10 s"},      {59.4, "59 s"},      {59.6, "1 min"},     {60, "1 min"},
		{250, "4 min 10 s"}, {3599.7, "1 h"},     {7500, "2 h 5 min"}, {86399, "1 d"},
		{100000, "1 d 4 h"}, {1e12, ">100000 d"}, {(double)NAN, "-"},  {-1, "-"},
	};
	char buffer[UNITS_TEXT_MAX];

	for (size_t i = 0; i < ELEMENTSOF(table); i++)
		assert_string_equal(units_format_time(table[i].value, buffer), table[i].text);
}

/* A locale with a decimal comma changes strtod() and printf(), but must not change our
 * functions. */
static void test_locale(void **state)
{
	static const char *const locales[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "C.UTF-8"};
	char buffer[UNITS_TEXT_MAX];
	double value;

	for (size_t i = 0; i < ELEMENTSOF(locales); i++) {
		(void)setlocale(LC_ALL, locales[i]);
		assert_int_equal(units_parse_time("2.5s", &value), 0);
		assert_true(value == 2.5);
		assert_string_equal(units_format_rate(1537500, buffer), "12.3 Mbit/s");
	}
	(void)setlocale(LC_ALL, "C");
}

static bool reads_number(const char *text, uint64_t max, uint64_t expected)
{
	uint64_t value = 0;

	return state_file_read_number(&text, '\n', max, &value) && value == expected;
}

/* Also with a limit below the base. */
static void test_numbers_of_state_files(void **state)
{
	(void)state;
	assert_true(reads_number("0\n", 0, 0) && reads_number("0x9\n", 9, 9));
	assert_true(reads_number("18446744073709551615\n", UINT64_MAX, UINT64_MAX));
	assert_false(reads_number("2\n", 1, 2) || reads_number("9\n", 3, 9));
	assert_false(reads_number("0xf\n", 9, 15) || reads_number("10\n", 9, 10));
	assert_false(reads_number("18446744073709551616\n", UINT64_MAX, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),        cmocka_unit_test(test_times),
		cmocka_unit_test(test_numbers),      cmocka_unit_test(test_format_rate),
		cmocka_unit_test(test_format_bytes), cmocka_unit_test(test_format_time),
		cmocka_unit_test(test_locale),       cmocka_unit_test(test_numbers_of_state_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
