// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/output.h"
#include "control/control.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

/* Bytes. Most replies fit into the first chunk. The others are larger, so that there are not
 * many. */
#define CHUNK_FIRST (4u * 1024u)
#define CHUNK_LARGE (256u * 1024u)
/* Chunks per call: more than a socket accepts by default (net.core.wmem_default). */
#define SEND_CHUNKS 4

/* Significant digits of a number that is not an integer, unless others are wanted. These are rates
 * and seconds. jansson's default of 17 would double the size of a list with history. */
#define REAL_DIGITS 9
#define JSON_REAL_DIGITS_MAX 31 /* of jansson */

struct control_chunk {
	TAILQ_ENTRY(control_chunk) next;
	size_t size;
	size_t used;
	char data[];
};

void control_output_init(struct control_output *output)
{
	*output = (struct control_output){};
	TAILQ_INIT(&output->chunks);
}

static void drop_first(struct control_output *output)
{
	struct control_chunk *chunk = TAILQ_FIRST(&output->chunks);

	TAILQ_REMOVE(&output->chunks, chunk, next);
	output->sent = 0;
	free(chunk);
}

void control_output_clear(struct control_output *output)
{
	while (!TAILQ_EMPTY(&output->chunks))
		drop_first(output);
	output->pending = 0;
}

static struct control_chunk *add_chunk(struct control_output *output)
{
	size_t size = TAILQ_EMPTY(&output->chunks) ? CHUNK_FIRST : CHUNK_LARGE;
	struct control_chunk *chunk = malloc(sizeof(*chunk) + size);

	if (!chunk)
		return NULL;
	chunk->size = size;
	chunk->used = 0;
	TAILQ_INSERT_TAIL(&output->chunks, chunk, next);
	return chunk;
}

int control_output_append(struct control_output *output, const void *data, size_t size)
{
	struct control_chunk *chunk = TAILQ_LAST(&output->chunks, control_chunks);
	const char *from = data;

	if (size > CONTROL_REPLY_MAX - output->pending)
		return -EMSGSIZE;
	while (size > 0) {
		size_t n;

		if (!chunk || chunk->used == chunk->size) {
			chunk = add_chunk(output);
			if (!chunk)
				return -ENOMEM;
		}
		n = chunk->size - chunk->used;
		if (n > size)
			n = size;
		memcpy(chunk->data + chunk->used, from, n);
		chunk->used += n;
		output->pending += n;
		from += n;
		size -= n;
	}
	return 0;
}

struct dump {
	struct control_output *output;
	int error;
};

static int dump_part(const char *text, size_t size, void *userdata)
{
	struct dump *dump = userdata;

	dump->error = control_output_append(dump->output, text, size);
	return dump->error < 0 ? -1 : 0;
}

int control_output_json(struct control_output *output, const json_t *value, size_t flags)
{
	struct dump dump = {.output = output};

	if (!(flags & JSON_REAL_PRECISION(JSON_REAL_DIGITS_MAX)))
		flags |= JSON_REAL_PRECISION(REAL_DIGITS);
	if (json_dump_callback(value, dump_part, &dump, flags | JSON_COMPACT) == 0)
		return 0;
	/* Other failures of jansson: no memory, or a value that contains itself. */
	return dump.error < 0 ? dump.error : -ENOMEM;
}

static void consume(struct control_output *output, size_t n)
{
	output->pending -= n;
	while (n > 0) {
		struct control_chunk *chunk = TAILQ_FIRST(&output->chunks);
		size_t left = chunk->used - output->sent;

		if (n < left) {
			output->sent += n;
			return;
		}
		n -= left;
		drop_first(output);
	}
}

int control_output_send(struct control_output *output, int fd)
{
	struct iovec parts[SEND_CHUNKS];
	struct msghdr message = {.msg_iov = parts};
	struct control_chunk *chunk;
	size_t skip = output->sent;
	ssize_t n;

	TAILQ_FOREACH(chunk, &output->chunks, next) {
		if (message.msg_iovlen == SEND_CHUNKS)
			break;
		parts[message.msg_iovlen++] = (struct iovec){
			.iov_base = chunk->data + skip,
			.iov_len = chunk->used - skip,
		};
		skip = 0;
	}
	n = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	consume(output, (size_t)n);
	return output->pending == 0;
}
