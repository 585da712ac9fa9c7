/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One Varlink request of a client. It is not trusted and is parsed strictly. A request that does
 * not follow the protocol ends the connection.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct control_request {
	json_t *message;    /* owned; the next two belong to it */
	const char *method; /* with the interface: "io.espoffload.GetStatus" */
	json_t *parameters; /* an object, {} if the client sent none */
	bool oneway;        /* the client wants no reply */
	bool more;          /* the client accepts several replies; one is allowed */
	bool upgrade;       /* the client wants another protocol on this connection */
};

/* `text` has `size` bytes, without its NUL. -EBADMSG: not JSON, or not a request; -ENOMEM. */
int control_request_parse(const char *text, size_t size, struct control_request *ret_request);
void control_request_done(struct control_request *request);
