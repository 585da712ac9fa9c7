/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of HTTP/1.1 that a scrape needs: one GET request on a connection that systemd accepted
 * (Accept=yes), one answer, end. A request has no body, and its header fields are not interpreted.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>

/* Bytes of a request, up to the empty line that ends it. */
#define HTTP_REQUEST_MAX 8192
/* Seconds in which it must be complete, and in which the reader must accept some of the answer. */
#define HTTP_TIMEOUT 5

enum http_status {
	HTTP_NONE = 0, /* the connection ended without a request: there is nobody to answer */
	HTTP_OK = 200,
	HTTP_BAD_REQUEST = 400,
	HTTP_NOT_FOUND = 404,
	HTTP_METHOD_NOT_ALLOWED = 405,
	HTTP_REQUEST_TIMEOUT = 408,
	HTTP_TOO_LARGE = 431,
	HTTP_INTERNAL_ERROR = 500,
	HTTP_VERSION_NOT_SUPPORTED = 505,
};

/* Reads a request from `fd`. HTTP_OK: it is "GET `path`", with or without a query. */
enum http_status http_read_request(int fd, const char *path);

/* Writes an answer: `body` with HTTP_OK, else one line about the error. */
void http_write_answer(FILE *out, enum http_status status, const char *type, const char *body,
		       size_t size);
