/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A point in time as an operator writes it. */
#pragma once

#define SINCE_FORMS \
	"-2h, '2h ago', today, yesterday, 15:30, '2026-11-30 15:30' or @SECONDS, times are local"

/*
 * "-SPAN", "SPAN ago", "now", "today", "yesterday", "HH:MM[:SS]", "YYYY-MM-DD[ HH:MM[:SS]]",
 * "@SECONDS": the common forms of journalctl(1), for which libsystemd has no function. A span is a
 * number with one of the units of units.h, or "d". Times are seconds since 1970. Returns 0 or
 * -EINVAL.
 */
int since_parse(const char *text, double now, double *ret_time);

/* A span alone: "2h", "1.5 d". Returns 0 or -EINVAL. */
int since_parse_span(const char *text, double *ret_seconds);
