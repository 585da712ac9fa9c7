/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "http.h"

#include "monotonic.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Waits until `fd` is readable. Returns false after the deadline. */
static bool wait_for_input(int fd, double deadline)
{
	for (;;) {
		struct pollfd pollfd = {.fd = fd, .events = POLLIN};
		double left = deadline - monotonic_now();
		int n;

		if (left <= 0)
			return false;
		n = poll(&pollfd, 1, (int)ceil(left * 1000));
		if (n > 0)
			return true;
		if (n < 0 && errno != EINTR)
			return false;
	}
}

/* Whether the empty line that ends the request has come. */
static bool is_complete(const char *request)
{
	return strstr(request, "\r\n\r\n") || strstr(request, "\n\n");
}

/* The rest of the header is read too: closing a TCP connection with unread input resets it, and the
 * client may then lose the answer. */
static enum http_status read_head(int fd, char request[HTTP_REQUEST_MAX + 1])
{
	double deadline = monotonic_now() + HTTP_TIMEOUT;
	size_t size = 0;

	request[0] = '\0';
	while (!is_complete(request)) {
		ssize_t n;

		if (size == HTTP_REQUEST_MAX)
			return HTTP_TOO_LARGE;
		if (!wait_for_input(fd, deadline))
			return size > 0 ? HTTP_REQUEST_TIMEOUT : HTTP_NONE;
		n = read(fd, request + size, HTTP_REQUEST_MAX - size);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return size > 0 ? HTTP_BAD_REQUEST : HTTP_NONE;
		if (memchr(request + size, '\0', (size_t)n))
			return HTTP_BAD_REQUEST;
		size += (size_t)n;
		request[size] = '\0';
	}
	return HTTP_OK;
}

/* Cuts the next word of the request line off: it ends at one space. NULL: there is no space. */
static char *next_word(char **line)
{
	char *word = *line;
	char *space = strchr(word, ' ');

	if (!space)
		return NULL;
	*space = '\0';
	*line = space + 1;
	return word;
}

static enum http_status judge_line(char *line, const char *path)
{
	const char *method = next_word(&line);
	char *target = method ? next_word(&line) : NULL;
	const char *version = line;

	if (!target || method[0] == '\0' || target[0] != '/')
		return HTTP_BAD_REQUEST;
	if (strncmp(version, "HTTP/", 5) != 0 || strchr(version, ' '))
		return HTTP_BAD_REQUEST;
	if (strcmp(version, "HTTP/1.0") != 0 && strcmp(version, "HTTP/1.1") != 0)
		return HTTP_VERSION_NOT_SUPPORTED;
	target[strcspn(target, "?")] = '\0';
	if (strcmp(target, path) != 0)
		return HTTP_NOT_FOUND;
	return strcmp(method, "GET") == 0 ? HTTP_OK : HTTP_METHOD_NOT_ALLOWED;
}

enum http_status http_read_request(int fd, const char *path)
{
	char request[HTTP_REQUEST_MAX + 1];
	enum http_status status = read_head(fd, request);

	if (status != HTTP_OK)
		return status;
	request[strcspn(request, "\r\n")] = '\0';
	return judge_line(request, path);
}

static const char *reason_of(enum http_status status)
{
	switch (status) {
	case HTTP_NONE:
		break;
	case HTTP_OK:
		return "OK";
	case HTTP_BAD_REQUEST:
		return "Bad Request";
	case HTTP_NOT_FOUND:
		return "Not Found";
	case HTTP_METHOD_NOT_ALLOWED:
		return "Method Not Allowed";
	case HTTP_REQUEST_TIMEOUT:
		return "Request Timeout";
	case HTTP_TOO_LARGE:
		return "Request Header Fields Too Large";
	case HTTP_INTERNAL_ERROR:
		return "Internal Server Error";
	case HTTP_VERSION_NOT_SUPPORTED:
		return "HTTP Version Not Supported";
	}
	return "";
}

void http_write_answer(FILE *out, enum http_status status, const char *type, const char *body,
		       size_t size)
{
	struct timeval timeout = {.tv_sec = HTTP_TIMEOUT};
	char error[64];

	/* Fails if it is not a socket, which then has no timeout. */
	(void)setsockopt(fileno(out), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (status != HTTP_OK) {
		size = (size_t)snprintf(error, sizeof(error), "%s\n", reason_of(status));
		body = error;
		type = "text/plain; charset=utf-8";
	}
	(void)fprintf(out,
		      "HTTP/1.1 %d %s\r\n"
		      "Content-Type: %s\r\n"
		      "Content-Length: %zu\r\n"
		      "%s"
		      "Connection: close\r\n"
		      "\r\n",
		      status, reason_of(status), type, size,
		      status == HTTP_METHOD_NOT_ALLOWED ? "Allow: GET\r\n" : "");
	(void)fwrite(body, 1, size, out);
}
