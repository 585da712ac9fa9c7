/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Cleanup attributes: a resource is released when its variable goes out of scope. Use TAKE_PTR() to
 * pass on the ownership of a pointer, and TAKE_FD() for a file descriptor.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _printf_(text, arguments) __attribute__((format(printf, text, arguments)))

#define ELEMENTSOF(array) (sizeof(array) / sizeof((array)[0]))

/* Defines NAMEp(), which calls FUNCTION on the variable unless it is NULL. */
#define DEFINE_CLEANUP(type, function)                 \
	static inline void function##p(type *variable) \
	{                                              \
		if (*variable)                         \
			function(*variable);           \
	}                                              \
	struct cleanup_needs_a_semicolon_##function

#define TAKE_PTR(pointer)                                   \
	({                                                  \
		__typeof__(pointer) *_address = &(pointer); \
		__typeof__(pointer) _value = *_address;     \
		*_address = NULL;                           \
		_value;                                     \
	})

static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}
#define TAKE_FD(fd) take_fd(&(fd))

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline void fclosep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

#define _cleanup_free_ _cleanup_(freep)
#define _cleanup_close_ _cleanup_(closep)
#define _cleanup_fclose_ _cleanup_(fclosep)
