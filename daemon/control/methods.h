/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The methods of io.espoffload.varlink. */
#pragma once

#include "control/control.h"
#include "control/snapshot.h"

/* The last replies to Plan, of different numbers of turns. */
#define PLANS_KEPT 3
struct plans {
	struct plan {
		json_t *reply; /* NULL: none */
		size_t turns;
		double reused_until; /* s, monotonic */
	} kept[PLANS_KEPT];
};
void plans_release(struct plans *plans);

struct event_log;

/* The userdata of the methods. All that is not named is zero. `events` is not owned. */
struct methods {
	struct manager *manager;
	struct event_log *events;
	struct snapshots snapshots;
	struct plans plans;
};

/* For control_new(). */
extern const struct control_method methods_table[];
extern const size_t methods_count;

/* For struct control_settings. */
void methods_refused(const char *method, const struct ucred *peer, void *userdata);

/* The larger methods, each in its own file. See struct control_method. */
int method_get_status(json_t *parameters, void *userdata, json_t **ret_reply,
		      const char **ret_error);
extern const struct control_list list_of_sas;
extern const struct control_list list_of_peers;
extern const struct control_list list_of_explanations;
extern const struct control_list list_of_events;
int method_plan(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
int method_pin(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
int method_unpin(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
int method_ban(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
int method_reload(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
int method_confirm_reload(json_t *parameters, void *userdata, json_t **ret_reply,
			  const char **ret_error);
int method_unban(json_t *parameters, void *userdata, json_t **ret_reply, const char **ret_error);
