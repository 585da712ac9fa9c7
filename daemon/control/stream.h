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

/* Appends a slice. 1: there may be more, and this one may be empty; 0: that was the last. After a
 * failure the connection is of no use. */
int control_stream_next(struct control_stream *stream, struct control_output *output);
