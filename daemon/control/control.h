/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Varlink server: sockets, framing, permissions, and org.varlink.service. What the methods of
 * io.espoffload do is the caller's: it passes a table of functions.
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

/* Who may read: the members of this group, if it exists when the socket is made. */
#define CONTROL_GROUP "espoffloadd"
/* FileDescriptorName= of a socket unit whose socket is used instead of making one. */
#define CONTROL_FD_NAME "control"

struct control;

enum control_type {
	CONTROL_TEXT,
	CONTROL_COUNT, /* an integer, not negative */
	CONTROL_FLAG,  /* true or false */
};

/* A parameter that a method reads. One that is not required may be left out or null. */
struct control_parameter {
	const char *name;
	enum control_type type;
	bool required;
};

/*
 * A reply that is a list, made in slices: each costs little, a client is never owed more than one,
 * and the event loop runs all else first. One list belongs to one call.
 */
struct control_list {
	const char *member; /* of the reply: the array of rows */
	/* As `call` of struct control_method, without the reply. Keeps `parameters` if need be. */
	int (*begin)(json_t *parameters, void *userdata, void **ret_list);
	/* Appends the rows of a slice. 1: there are more; 0: these were the last. */
	int (*next)(void *list, json_t *rows);
	/* The other members of the reply, as far as they are known; an object with at least one. */
	json_t *(*rest)(void *list);
	void (*free)(void *list);
};

struct control_method {
	const char *name; /* without the interface: "GetStatus" */
	/* Ends with one that has no name; NULL: none is read. */
	const struct control_parameter *parameters;
	bool changes; /* for root and the daemon's own user only */
	/*
	 * `parameters` is an object, never NULL, and the caller's. Those in the list above have
	 * their type. Returns 0 with a new reference in *ret_reply (NULL: no parameters), and for
	 * an error also its name in *ret_error, a constant: "NoSuchSA" for one of io.espoffload,
	 * "org.varlink.service.InvalidParameter" with the interface for others. A negative errno
	 * becomes the error io.systemd.System (what varlinkctl shows as an errno). Must not free
	 * the control.
	 */
	int (*call)(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
	const struct control_list *list; /* instead of `call` */
};

/* For methods: fills in the error that says which parameter was wrong. Returns 0 or -ENOMEM. */
int control_refuse_parameter(const char *parameter, json_t **ret_reply, const char **ret_error);

/*
 * Listens at `path`, or at the socket that the service manager passed. The table is not copied.
 * -EADDRINUSE: another daemon listens there; -EEXIST: there is something that is no socket;
 * -ENAMETOOLONG: does not fit into sockaddr_un.
 */
int control_new(sd_event *event, const char *path, const struct control_method *methods, size_t n,
		void *userdata, struct control **ret_control);
/* Closes all connections and removes the socket that it made. Accepts NULL, returns NULL. */
struct control *control_free(struct control *control);
DEFINE_CLEANUP(struct control *, control_free);

/* The bounds. control_new() takes control_settings_default; tests take smaller ones. */
struct control_settings {
	unsigned clients_max;          /* connections; one more is closed at once */
	unsigned clients_root;         /* of them for root only */
	unsigned clients_per_user_max; /* of them for one user who is not root */
	uint64_t idle_usec;            /* without a request */
	/* A reply must have been read after reply_usec, plus the time it takes at
	 * reply_bytes_per_second; else the client is cut off. What the daemon itself takes to make
	 * the slices of a list does not count. */
	uint64_t reply_usec;
	uint64_t reply_bytes_per_second;
	/* Bytes of replies waiting to be read. Root's and those of all others are counted apart:
	 * beyond it no method that reads is called for them until some are, so that each of the
	 * two keeps at most this and one reply. The replies to changes are small. */
	size_t pending_max;
	/* Who may call methods that change something. */
	bool (*may_change)(const struct ucred *peer);
};

extern const struct control_settings control_settings_default;

int control_new_with(sd_event *event, const char *path, const struct control_method *methods,
		     size_t n, void *userdata, const struct control_settings *settings,
		     struct control **ret_control);
