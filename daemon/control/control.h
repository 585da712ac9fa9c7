/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Varlink server: sockets, framing, permissions, and org.varlink.service. The caller passes a
 * table of functions for the methods of io.espoffload.
 *
 * A client sees its requests answered one after the other, in order; between two of them the event
 * loop gets its turn, so that a pipeline of requests does not keep the daemon from the kernel's
 * events. A list is made in slices, which wait for all other work of the loop. Everything a client
 * can make the daemon keep is bounded: see struct control_settings.
 */
#pragma once

#include "cleanup.h"
#include "control-interface.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

/* Members of this group may read, if it exists when the socket is made. */
#define CONTROL_GROUP "espoffloadd"
/* FileDescriptorName= of a socket unit, whose socket is used if it is passed. */
#define CONTROL_FD_NAME "control"

struct control;

enum control_type {
	CONTROL_TEXT,
	CONTROL_COUNT, /* an integer, not negative */
	CONTROL_FLAG,  /* true or false */
};

/* A parameter of a method. If it is not required, it may be absent or null. */
struct control_parameter {
	const char *name;
	enum control_type type;
	bool required;
};

/*
 * Makes a reply that is a list, in slices: the next slice is made when the client has read the one
 * before, and the event loop has no other work. A list belongs to one call.
 *
 * A list that `follows` what happens has no end. A call without `more` gets the error ExpectedMore.
 * The first reply comes at once, also without rows, so that the client knows from when on it
 * misses nothing; the last one when the daemon ends.
 */
struct control_list {
	const char *member; /* of the reply: the array of rows */
	bool follows;
	size_t json_flags; /* of json_dumps(), beside those of all lists */
	/* As `call` of struct control_method, whose reply is only that of an error. Keeps
	 * `parameters` if need be. */
	int (*begin)(json_t *parameters, void *userdata, void **ret_list, json_t **ret_reply,
		     const char **ret_error);
	/* Appends the rows of a slice. 1: there are more; 0: these were the last, or, of a list
	 * that follows, the last until control_wake(). */
	int (*next)(void *list, json_t *rows);
	/* The other members of the reply, as far as they are known; an object. */
	json_t *(*rest)(void *list);
	void (*free)(void *list);
};

struct control_method {
	const char *name; /* without the interface: "GetStatus" */
	/* The last one has no name; NULL: no parameters. */
	const struct control_parameter *parameters;
	bool changes; /* for root and the daemon's own user only */
	/*
	 * `parameters` is an object, never NULL, and belongs to the caller. Parameters of the list
	 * above have the right type. Returns 0 and a new reference in *ret_reply (NULL: no
	 * parameters). For a Varlink error also sets *ret_error to its name, a constant: "NoSuchSA"
	 * for an error of io.espoffload, or with the interface, as
	 * "org.varlink.service.InvalidParameter". A negative errno becomes the error
	 * io.systemd.System, which varlinkctl shows as an errno. Must not free the control.
	 */
	int (*call)(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
	const struct control_list *list; /* instead of `call` */
};

/* For methods: return the error InvalidParameter for `parameter`, or InvalidValue. Return 0 or
 * -ENOMEM. */
int control_refuse_parameter(const char *parameter, json_t **ret_reply, const char **ret_error);
int control_refuse_value(const char *parameter, const char *value, const char *expected,
			 json_t **ret_reply, const char **ret_error);
/* Reads a parameter of the type CONTROL_COUNT. *ret_value 0: it is missing. Not from `least` to
 * `most`: returns as control_refuse_value(). */
int control_read_count(const json_t *parameters, const char *name, json_int_t least,
		       json_int_t most, json_int_t *ret_value, json_t **ret_reply,
		       const char **ret_error);

/*
 * Listens at `path`, or at the socket that the service manager passed. The table is not copied.
 * -EADDRINUSE: another daemon listens there; -EEXIST: `path` is not a socket; -ENAMETOOLONG: `path`
 * does not fit into sockaddr_un; another errno of socket(2), bind(2) or rename(2).
 */
int control_new(sd_event *event, const char *path, const struct control_method *methods, size_t n,
		void *userdata, struct control **ret_control);
/* Closes all connections, and removes the socket if it made it. Accepts NULL, returns NULL. */
struct control *control_free(struct control *control);
DEFINE_CLEANUP(struct control *, control_free);

/* Lists that follow what happens may have new rows. */
void control_wake(struct control *control);

/* The limits. control_new() uses control_settings_default; tests use smaller ones. */
struct control_settings {
	unsigned clients_max;          /* connections; more are closed at once */
	unsigned clients_root;         /* of these, reserved for root */
	unsigned clients_per_user_max; /* of these, for each user other than root */
	uint64_t idle_usec;            /* longest time without a request */
	/* A reply must have been read after reply_usec, plus the time it takes at
	 * reply_bytes_per_second; else the client is cut off. The time that the daemon needs to
	 * make the slices of a list does not count. Of a list that follows, each slice must have
	 * been read after idle_usec. */
	uint64_t reply_usec;
	uint64_t reply_bytes_per_second;
	/* Bytes of replies that clients have not read yet. Those of root and those of all other
	 * users are counted separately. Above this limit no method that only reads is called for
	 * them until clients have read some. So each of the two needs at most this much and one
	 * reply more. The replies to changes are small. */
	size_t pending_max;
	/* Whether a peer may call methods with `changes`. */
	bool (*may_change)(const struct ucred *peer);
	/* Told of each call that was refused because of that, with the userdata of the methods;
	 * may be NULL. */
	void (*refused)(const char *method, const struct ucred *peer, void *userdata);
};

extern const struct control_settings control_settings_default;

int control_new_with(sd_event *event, const char *path, const struct control_method *methods,
		     size_t n, void *userdata, const struct control_settings *settings,
		     struct control **ret_control);
