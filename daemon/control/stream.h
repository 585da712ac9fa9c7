/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reply to a method that answers with a list, made slice by slice. A client that asked for
 * `more` gets a reply for each slice that has rows; else all slices make one reply.
 */
#pragma once

#include "control/control.h"
#include "control/output.h"
#include "control/request.h"

struct control_stream;

/* Costs nothing yet: the list begins with the first slice. */
int control_stream_new(const struct control_method *method, const struct control_request *request,
		       void *userdata, struct control_stream **ret_stream);
struct control_stream *control_stream_free(struct control_stream *stream); /* returns NULL */
DEFINE_CLEANUP(struct control_stream *, control_stream_free);

enum control_stream_state {
	CONTROL_STREAM_ENDED,
	CONTROL_STREAM_MORE,  /* there may be more, and this slice may be empty */
	CONTROL_STREAM_WAITS, /* there is no more until control_wake() */
};

/* Appends a slice. Returns a state. After a failure the connection is of no use. */
int control_stream_next(struct control_stream *stream, struct control_output *output);

/* Whether its list follows what happens. */
bool control_stream_follows(const struct control_stream *stream);
/* It is to end when there is no more, instead of waiting. */
void control_stream_end(struct control_stream *stream);
