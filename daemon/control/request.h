/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One Varlink request, as a client sent it: untrusted, and read strictly. What does not follow the
 * protocol ends the connection, so there is no attempt to make sense of it.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct control_request {
	json_t *message;    /* owned; the following belong to it */
	const char *method; /* with the interface: "io.espoffload.GetStatus" */
	json_t *parameters; /* an object, {} if the client sent none */
	bool oneway;        /* no reply wanted */
	bool more;          /* several replies welcome; one is always allowed */
	bool upgrade;       /* wants to speak another protocol on this connection */
};

/* `text` without its NUL. -EBADMSG: not JSON, or not a request; -ENOMEM. */
int control_request_parse(const char *text, size_t size, struct control_request *ret_request);
void control_request_done(struct control_request *request);
