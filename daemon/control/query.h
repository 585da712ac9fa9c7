/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs ListSAs shows, and in which order. */
#pragma once

#include "control/describe.h"
#include "control/snapshot.h"

struct query {
	enum snapshot_sort sort;
	bool reverse;
	int ifindex;                 /* of the NIC that holds the SA; 0: any */
	enum sa_direction direction; /* SA_DIRECTION_UNKNOWN: any */
	struct config_prefix peer;
	const char *placement; /* a constant; NULL: any */
	char *text;            /* NULL: any */
};

/* Reads the parameters. Returns as struct control_list.begin: an error is a bad value. */
int query_read(struct manager *m, const json_t *parameters, struct query *ret_query,
	       json_t **ret_reply, const char **ret_error);
void query_done(struct query *query);

bool query_has_filter(const struct query *query);
/* Whether the filters match an SA. False for one that has ended. */
bool query_matches(const struct query *query, struct manager *m, const struct snapshot_row *row);
