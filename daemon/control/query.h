/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs a list shows or adds up, and in which order. */
#pragma once

#include "control/describe.h"
#include "control/snapshot.h"

struct query {
	unsigned sort; /* the number of its name */
	bool reverse;
	int ifindex;                 /* of the NIC that holds the SA; 0: any */
	enum sa_direction direction; /* SA_DIRECTION_UNKNOWN: any */
	struct config_prefix peer;
	const char *placement;  /* a constant; NULL: any */
	char *text;             /* NULL: any */
	uint64_t offset, limit; /* rows to be left out, rows after them; UINT64_MAX: all */
};

/* Reads the parameters. `sorts`: the names of the orders; the first is the usual one. Returns as
 * struct control_list.begin: an error is a bad value. */
int query_read(struct manager *m, const json_t *parameters, const char *const *sorts,
	       size_t n_sorts, struct query *ret_query, json_t **ret_reply, const char **ret_error);
void query_done(struct query *query);

/* Changes the offset as little as possible, so that the row at this place is shown. */
void query_show(struct query *query, uint64_t place);

bool query_has_filter(const struct query *query);
/* Whether one of the filters looks at more than the row of the snapshot. */
bool query_is_costly(const struct query *query);
/* Whether the filters match an SA. False for one that has ended. */
bool query_matches(const struct query *query, struct manager *m, const struct snapshot_row *row);
