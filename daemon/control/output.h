/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bytes on their way to a client. A list of chunks: a large reply is written once, never copied to
 * make room, and given back to the system as fast as the client reads it.
 *
 * All zero is empty.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

struct control_chunk;

struct control_output {
	TAILQ_HEAD(control_chunks, control_chunk) chunks;
	size_t pending; /* bytes in all chunks that were not sent */
	size_t sent;    /* bytes of the first chunk that were */
};

void control_output_init(struct control_output *output);
void control_output_clear(struct control_output *output);

/* -EMSGSIZE: more than CONTROL_REPLY_MAX would be pending; -ENOMEM. */
int control_output_append(struct control_output *output, const void *data, size_t size);
/* `embedded`: what is in the array or object, without its brackets. */
int control_output_json(struct control_output *output, const json_t *value, bool embedded);

/* Sends what the socket takes in one call. 1: all is sent; 0: not yet. */
int control_output_send(struct control_output *output, int fd);
