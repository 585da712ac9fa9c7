/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A Varlink client: NUL-terminated JSON objects over a UNIX stream socket, one call at a time.
 *
 * The socket is non-blocking. varlink_client_call() waits for the reply. A program with an event
 * loop calls _send(), and _process() whenever the descriptor is ready. After a negative errno the
 * connection is unusable: free it and connect again.
 *
 * Errors: those of connect(2) and read(2); -ETIMEDOUT: no reply in time; -ECONNRESET: the peer
 * closed the connection; -EMSGSIZE: the reply is larger than CONTROL_REPLY_MAX; -EBADMSG: not a
 * valid reply.
 */
#pragma once

#include "cleanup.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct varlink_client;

/* Owned by the caller, released with varlink_reply_done(). */
struct varlink_reply {
	char *error;        /* qualified name of an error, NULL: success */
	json_t *parameters; /* an object, also for errors */
	bool continues;     /* another reply to the same call follows */
};

static inline void varlink_reply_done(struct varlink_reply *reply)
{
	free(reply->error);
	json_decref(reply->parameters);
}

int varlink_client_connect(const char *path, struct varlink_client **ret_client);
struct varlink_client *varlink_client_free(struct varlink_client *client);
DEFINE_CLEANUP(struct varlink_client *, varlink_client_free);

int varlink_client_fd(const struct varlink_client *client);
/* The poll(2) events to wait for. */
short varlink_client_events(const struct varlink_client *client);

/* Queues a call. Takes `parameters`, which may be NULL. -EBUSY: another call has no reply yet. */
int varlink_client_send(struct varlink_client *client, const char *method, json_t *parameters);
/* The same, for a call to which several replies may come. */
int varlink_client_send_more(struct varlink_client *client, const char *method, json_t *parameters);
/* Writes and reads as much as possible without waiting. 1: the reply is complete; 0: not yet. */
int varlink_client_process(struct varlink_client *client, struct varlink_reply *ret_reply);

/* Waits for the next reply at most `timeout` seconds. */
int varlink_client_wait(struct varlink_client *client, double timeout,
			struct varlink_reply *ret_reply);
/* Sends and waits. */
int varlink_client_call(struct varlink_client *client, const char *method, json_t *parameters,
			double timeout, struct varlink_reply *ret_reply);

/* Parses one reply of `size` bytes, without its NUL. Returns 0, -EBADMSG or -ENOMEM. */
int varlink_reply_parse(const char *text, size_t size, struct varlink_reply *ret_reply);
