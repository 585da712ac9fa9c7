/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the IKE daemons of this machine for the names of their SAs: charon by its vici socket, pluto
 * by `whack --showstates`.
 *
 * Names are an addition. Who may not ask, or gets no answer in time, sees the SAs without names,
 * and no message.
 */
#pragma once

#include "ike/names.h"

#include <poll.h>
#include <stdbool.h>

/* Seconds after which the names that have come by then are used. */
#define IKE_TIMEOUT 1.0
/* Seconds between two queries of a watch. An IKE daemon reads the counters of each SA from the
 * kernel to answer. So a watch also waits this many times as long as the last answer took. */
#define IKE_INTERVAL 10.0
#define IKE_REST 20.0

#define IKE_SOURCES_MAX 2

/* NULL: not asked. */
struct ike_sources {
	const char *vici;  /* charon's socket */
	const char *pluto; /* pluto's socket */
	const char *whack; /* the program that asks pluto */
};

/* "auto", "off", "vici:PATH", "pluto:PATH". The text must outlive the sources. 0 or -EINVAL. */
int ike_sources_parse(const char *text, struct ike_sources *ret_sources);

struct ike_query;

/* Begins to ask. Returns 0 or -ENOMEM; a source that cannot be asked is none. */
int ike_query_new(const struct ike_sources *sources, double now, struct ike_query **ret_query);
struct ike_query *ike_query_free(struct ike_query *query);
DEFINE_CLEANUP(struct ike_query *, ike_query_free);
/* Sets what to wait for. Returns the number. */
size_t ike_query_poll(const struct ike_query *query, struct pollfd pollfds[IKE_SOURCES_MAX]);
/* Reads what has come, without waiting. Returns whether the query is over. */
bool ike_query_run(struct ike_query *query, double now);
/* The names so far, which then belong to the caller. NULL after the first time. */
struct ike_names *ike_query_take(struct ike_query *query);

/* Asks, and waits for at most IKE_TIMEOUT. NULL: no names. */
struct ike_names *ike_ask(const struct ike_sources *sources);

/* Asks again and again. Begin with the sources and zeros. */
struct ike_watch {
	const struct ike_sources *sources;
	struct ike_query *query; /* NULL: until `due` */
	struct ike_names *names; /* NULL: none */
	double begun;            /* time of the query */
	double due;              /* time of the next */
};

void ike_watch_done(struct ike_watch *watch);
size_t ike_watch_poll(const struct ike_watch *watch, struct pollfd pollfds[IKE_SOURCES_MAX]);
/* Makes progress without waiting. */
void ike_watch_run(struct ike_watch *watch, double now);
/* The same, and waits for the answer if a query is due. */
void ike_watch_wait(struct ike_watch *watch);
