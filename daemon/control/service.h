/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Answers a request: finds the method, checks that the peer may call it, calls it, and writes the
 * reply. It implements org.varlink.service itself. It uses no sockets.
 */
#pragma once

#include "control/control.h"
#include "control/output.h"
#include "control/request.h"
#include "control/stream.h"

struct control_service {
	const struct control_method *methods; /* not owned */
	size_t n_methods;
	void *userdata;
	bool (*may_change)(const struct ucred *peer);
	void (*refused)(const char *method, const struct ucred *peer, void *userdata);
};

/* Whether the request calls a method with `changes`, and the peer may call it. Only such a method
 * is called while too many bytes of replies are pending. */
bool control_service_is_change(const struct control_service *service,
			       const struct control_request *request, const struct ucred *peer);

/* Appends the reply, with its NUL, unless none is wanted. The reply to a method that answers with a
 * list is to be made by *ret_stream, which is unchanged for others. After a failure (-EMSGSIZE,
 * -ENOMEM) the output holds a part of a reply and the connection is of no use. */
int control_service_answer(const struct control_service *service,
			   const struct control_request *request, const struct ucred *peer,
			   struct control_output *output, struct control_stream **ret_stream);
