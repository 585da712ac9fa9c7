/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs and actions as JSON, for the methods that show them. */
#pragma once

#include "manager/manager.h"

#include <jansson.h>

/* Why an SA is where it is: a stable name and a sentence, which may use `buffer`. */
struct explanation {
	const char *state; /* "settled", "moving", "foreign", "hands-off", "refused" */
	const char *reason;
	const char *text;
	char buffer[256];
};
void describe_place(struct manager *m, const struct sa *sa, const struct policy_sa_view *view,
		    struct explanation *ret_explanation);

/* What the policy knows of it, nothing if that does not know it. */
struct policy_sa_view describe_view(struct manager *m, const struct sa *sa);

/* Both NULL without memory. */
json_t *describe_sa(struct manager *m, const struct sa *sa, size_t rank, bool history);
json_t *describe_action(struct manager *m, const struct action *action);

/* Adds the members of `part`, which it takes. Returns 0, or -1 if either is NULL or without
 * memory. */
int describe_merge(json_t *object, json_t *part);

/* SAs in the order of their rate, hottest first; the array is the caller's. -ENOMEM. */
struct ranked_sa {
	const struct sa *sa;
	double rate;
};
int describe_rank(struct manager *m, struct ranked_sa **ret_ranked);
