/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes that wait to be sent to a client, in a list of chunks. So a large reply is written once
 * without reallocation, and its memory is freed while the client reads it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct control_chunk;

struct control_output {
	TAILQ_HEAD(control_chunks, control_chunk) chunks;
	size_t pending; /* bytes in all chunks that are not sent yet */
	size_t sent;    /* bytes of the first chunk that are sent */
};

void control_output_init(struct control_output *output);
void control_output_clear(struct control_output *output);

/* Both append. -EMSGSIZE: more than CONTROL_REPLY_MAX would be pending; -ENOMEM. */
int control_output_append(struct control_output *output, const void *data, size_t size);
/* `flags`: of json_dumps(), beside its defaults here. JSON_EMBED: what is in the array or object,
 * without its brackets. */
int control_output_json(struct control_output *output, const json_t *value, size_t flags);

/* Sends as much as the socket accepts in one call. 1: all is sent; 0: not yet; a negative errno of
 * sendmsg(2). */
int control_output_send(struct control_output *output, int fd);
