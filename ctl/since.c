/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "since.h"

#include "cleanup.h"
#include "units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY 86400
#define SPAN_MAX 32
/* s since 1970; until the year 9999. */
#define TIME_MAX 253402300799.0

/* "2h", "1.5 d". A sign is not part of a span. */
static int parse_span(const char *text, size_t length, double *ret_seconds)
{
	char span[SPAN_MAX];
	size_t end;

	if (length == 0 || length >= sizeof(span) || text[0] == '-')
		return -EINVAL;
	memcpy(span, text, length);
	span[length] = '\0';
	if (units_parse_time(span, ret_seconds) >= 0)
		return 0;
	if (span[length - 1] != 'd')
		return -EINVAL;
	for (end = length - 1; end > 0 && span[end - 1] == ' '; end--)
		;
	span[end] = '\0';
	if (units_parse_number(span, ret_seconds) < 0)
		return -EINVAL;
	*ret_seconds *= DAY;
	return 0;
}

int since_parse_span(const char *text, double *ret_seconds)
{
	return parse_span(text, strlen(text), ret_seconds);
}

/* "-2h", "2h ago". */
static int parse_ago(const char *text, double now, double *ret_time)
{
	static const char ago[] = " ago";
	size_t length = strlen(text);
	double seconds;
	int r = -EINVAL;

	if (text[0] == '-')
		r = parse_span(text + 1, length - 1, &seconds);
	else if (length > strlen(ago) && strcmp(text + length - strlen(ago), ago) == 0)
		r = parse_span(text, length - strlen(ago), &seconds);
	if (r >= 0)
		*ret_time = now - seconds;
	return r;
}

/* The time of day at the end of a text. */
static bool parse_clock(const char *text, struct tm *tm)
{
	static const char *const formats[] = {"%H:%M:%S", "%H:%M"};

	for (size_t i = 0; i < ELEMENTSOF(formats); i++) {
		const char *end = strptime(text, formats[i], tm);

		if (end && !*end)
			return true;
		tm->tm_sec = 0;
	}
	return false;
}

/* "2026-11-30", "2026-11-30 15:30", "2026-11-30 15:30:10", with a T as well. */
static bool parse_date(const char *text, struct tm *tm)
{
	const char *end = strptime(text, "%Y-%m-%d", tm);

	if (!end)
		return false;
	return !*end || ((*end == ' ' || *end == 'T') && parse_clock(end + 1, tm));
}

/* A date or a time of day, in local time. */
static int parse_calendar(const char *text, double now, double *ret_time)
{
	time_t seconds = (time_t)now;
	struct tm day, tm;

	if (!localtime_r(&seconds, &day))
		return -EINVAL;
	day = (struct tm){.tm_year = day.tm_year, .tm_mon = day.tm_mon, .tm_mday = day.tm_mday};
	tm = day;
	if (strcmp(text, "yesterday") == 0)
		tm.tm_mday--;
	else if (strcmp(text, "today") != 0 && !parse_clock(text, &tm)) {
		tm = (struct tm){};
		if (!parse_date(text, &tm))
			return -EINVAL;
	}
	tm.tm_isdst = -1; /* mktime() finds out */
	seconds = mktime(&tm);
	if (seconds < 0)
		return -EINVAL;
	*ret_time = (double)seconds;
	return 0;
}

int since_parse(const char *text, double now, double *ret_time)
{
	double time = now;
	int r = 0;

	if (text[0] == '@')
		r = units_parse_number(text + 1, &time) < 0 ? -EINVAL : 0;
	else if (strcmp(text, "now") != 0 && parse_ago(text, now, &time) < 0)
		r = parse_calendar(text, now, &time);
	if (r < 0 || time > TIME_MAX)
		return -EINVAL;
	*ret_time = time > 0 ? time : 0;
	return 0;
}
