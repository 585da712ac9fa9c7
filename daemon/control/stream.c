// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/stream.h"

#include "control/reply.h"

#include <errno.h>

struct control_stream {
	const struct control_list *list;
	json_t *parameters;
	void *userdata;
	void *data; /* of the list; NULL: it has not begun */
	bool more;
	bool open; /* a reply is begun and not ended */
	bool has_rows;
	bool greeted; /* of a list that follows: the first reply is made */
	bool ending;  /* of such a list, too */
};

int control_stream_new(const struct control_method *method, const struct control_request *request,
		       void *userdata, struct control_stream **ret_stream)
{
	struct control_stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->list = method->list;
	stream->parameters = json_incref(request->parameters);
	stream->userdata = userdata;
	stream->more = request->more;
	*ret_stream = stream;
	return 0;
}

struct control_stream *control_stream_free(struct control_stream *stream)
{
	if (!stream)
		return NULL;
	if (stream->data)
		stream->list->free(stream->data);
	json_decref(stream->parameters);
	free(stream);
	return NULL;
}

bool control_stream_follows(const struct control_stream *stream)
{
	return stream->list->follows;
}

void control_stream_end(struct control_stream *stream)
{
	stream->ending = true;
}

static int open_reply(struct control_stream *stream, struct control_output *output)
{
	int r = control_reply_text(output, "{\"parameters\":{\"");

	if (r >= 0)
		r = control_reply_text(output, stream->list->member);
	if (r >= 0)
		r = control_reply_text(output, "\":[");
	stream->open = true;
	stream->has_rows = false;
	return r;
}

static int add_rows(struct control_stream *stream, struct control_output *output,
		    const json_t *rows)
{
	int r = 0;

	if (json_array_size(rows) == 0)
		return 0;
	if (stream->has_rows)
		r = control_reply_text(output, ",");
	stream->has_rows = true;
	return r < 0 ? r : control_output_json(output, rows, JSON_EMBED | stream->list->json_flags);
}

static int close_reply(struct control_stream *stream, struct control_output *output, bool last)
{
	json_auto_t *rest = stream->list->rest(stream->data);
	bool alone = json_object_size(rest) == 0;
	int r = rest ? control_reply_text(output, alone ? "]" : "],") : -ENOMEM;

	if (r >= 0 && !alone)
		r = control_output_json(output, rest, JSON_EMBED);
	if (r >= 0)
		r = control_reply_text(output, last ? "}" : "},\"continues\":true");
	if (r >= 0)
		r = control_output_append(output, "}", sizeof("}")); /* with the NUL */
	stream->open = false;
	return r;
}

static int write_slice(struct control_stream *stream, struct control_output *output,
		       const json_t *rows, bool last)
{
	bool first = stream->list->follows && !stream->greeted;
	int r = 0;

	/* A reply without rows is sent only as the last one, or as the first one of a list that
	 * follows. */
	if (stream->more && json_array_size(rows) == 0 && !last && !first)
		return 0;
	stream->greeted = true;
	if (!stream->open)
		r = open_reply(stream, output);
	if (r >= 0)
		r = add_rows(stream, output, rows);
	if (r >= 0 && (stream->more || last))
		r = close_reply(stream, output, last);
	return r;
}

/* 1: the list has begun; 0: an error is the reply. */
static int begin(struct control_stream *stream, struct control_output *output)
{
	json_auto_t *reply = NULL;
	const char *error = NULL;
	int r = stream->list->begin(stream->parameters, stream->userdata, &stream->data, &reply,
				    &error);

	if (r < 0)
		return control_reply_errno(output, r);
	return error ? control_reply_write(output, reply, error) : 1;
}

int control_stream_next(struct control_stream *stream, struct control_output *output)
{
	bool waits = stream->list->follows && !stream->ending;
	json_auto_t *rows = NULL;
	int r, more;

	if (!stream->data) {
		r = begin(stream, output);
		if (r <= 0)
			return r;
	}
	rows = json_array();
	more = rows ? stream->list->next(stream->data, rows) : -ENOMEM;
	/* Inside a reply that is begun, no error can be sent: the connection is closed. */
	if (more < 0)
		return stream->open ? more : control_reply_errno(output, more);
	r = write_slice(stream, output, rows, more == 0 && !waits);
	if (r < 0 || more)
		return r < 0 ? r : CONTROL_STREAM_MORE;
	return waits ? CONTROL_STREAM_WAITS : CONTROL_STREAM_ENDED;
}
