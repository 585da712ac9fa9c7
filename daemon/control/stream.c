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
	return r < 0 ? r : control_output_json(output, rows, true);
}

static int close_reply(struct control_stream *stream, struct control_output *output, bool last)
{
	json_auto_t *rest = stream->list->rest(stream->data);
	bool alone = json_object_size(rest) == 0;
	int r = rest ? control_reply_text(output, alone ? "]" : "],") : -ENOMEM;

	if (r >= 0 && !alone)
		r = control_output_json(output, rest, true);
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
	int r = 0;

	/* A reply without rows is sent only as the last one. */
	if (stream->more && json_array_size(rows) == 0 && !last)
		return 0;
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
	r = write_slice(stream, output, rows, more == 0);
	return r < 0 ? r : more;
}
