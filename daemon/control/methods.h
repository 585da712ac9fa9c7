/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control socket answers: the methods of CONTROL_INTERFACE_DESCRIPTION (control.h). */
#pragma once

#include "control/control.h"
#include "manager.h"

/* For control_new(), with the manager as userdata. */
extern const struct control_method methods_table[];
extern const size_t methods_count;

/* Why an SA is where it is: a stable name and a sentence, which may use `buffer`. */
struct explanation {
	const char *state; /* "settled", "moving", "foreign", "hands-off", "refused" */
	const char *reason;
	const char *text;
	char buffer[256];
};
void methods_explain(struct manager *m, const struct sa *sa, const struct policy_sa_view *view,
		     struct explanation *ret_explanation);

json_t *methods_sa(struct manager *m, const struct sa *sa, size_t rank, bool history);
json_t *methods_action(struct manager *m, const struct action *action);
/* Explain, in its own file. */
int method_explain(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);

/* SAs in the order of their rate, hottest first; the array is the caller's. -ENOMEM. */
struct ranked_sa {
	const struct sa *sa;
	double rate;
};
int methods_rank(struct manager *m, struct ranked_sa **ret_ranked);
