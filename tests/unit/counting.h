/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts allocations, for tests that check that all memory is freed; uses failing.h. The program is
 * linked with --wrap of calloc, malloc, reallocarray, strdup and free. Include cmocka first.
 */
#pragma once

#include "failing.h"

#include <malloc.h>
#include <string.h>

/* As a double it is 2.2e6. */
#define COUNTING_GARBAGE 0x41

static volatile unsigned live; /* allocations that are not freed; volatile like failing_in */

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_reallocarray(void *pointer, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__wrap_strdup(const char *text);
void __real_free(void *pointer);
void __wrap_free(void *pointer);

static void *counted(void *pointer)
{
	live += pointer != NULL;
	return pointer;
}

void *__wrap_calloc(size_t n, size_t size)
{
	return failing_now() ? NULL : counted(__real_calloc(n, size));
}

void *__wrap_malloc(size_t size)
{
	return failing_now() ? NULL : counted(__real_malloc(size));
}

char *__wrap_strdup(const char *text)
{
	return failing_now() ? NULL : counted(__real_strdup(text));
}

void __wrap_free(void *pointer)
{
	if (!pointer)
		return;
	live--;
	/* A read after this finds no valid pointer. */
	memset(pointer, COUNTING_GARBAGE, malloc_usable_size(pointer));
	__real_free(pointer);
}

/* Always moves the memory, and fills the new part with garbage. */
void *__wrap_reallocarray(void *pointer, size_t n, size_t size)
{
	size_t old = pointer ? malloc_usable_size(pointer) : 0;
	char *grown;

	if (failing_now())
		return NULL;
	grown = counted(__real_malloc(n * size));
	assert_non_null(grown);
	memset(grown, COUNTING_GARBAGE, malloc_usable_size(grown));
	if (pointer)
		memcpy(grown, pointer, old < n * size ? old : n * size);
	__wrap_free(pointer);
	return grown;
}
