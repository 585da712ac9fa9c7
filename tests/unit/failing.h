/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of the C library that fail when a test requests it. The program is linked with --wrap for
 * each of them (tests/unit/meson.build), so only the code under test and the test itself use these.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

/* No real call of the code under test sets this errno. */
#define FAILING_ERRNO EDQUOT

/* The n-th call from now on fails, once; 0: none. Volatile, because glibc declares its functions as
 * ones that do not call back into the file that calls them (leaf). */
static volatile unsigned failing_in;

static inline bool failing_now(void)
{
	if (failing_in == 0 || --failing_in > 0)
		return false;
	errno = FAILING_ERRNO;
	return true;
}

#define FAILING(type, name, failure, parameters, arguments)                 \
	type __real_##name parameters;                                      \
	type __wrap_##name parameters;                                      \
	type __wrap_##name parameters                                       \
	{                                                                   \
		return failing_now() ? (failure) : __real_##name arguments; \
	}
