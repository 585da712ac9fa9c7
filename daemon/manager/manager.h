/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the components and joins them: each has at most one table of callbacks, implemented here.
 * Of these files each uses only those above it:
 *
 *   context.c        what the others need of each other: health, NICs, reconfiguring, what is due
 *   samples.c        what the tracker sees goes to the policy, the NICs, the shadows and the report
 *   moves.c          the plan goes to the executor, outcomes go to the policy and the report
 *   restoring.c      what the shadows need of the rest
 *   orders.c         what the operator ordered: pause, evacuation, stop
 *   links.c          links, addresses and routes changed
 *   configuration.c  the rules in force, and the policy that is made for them
 *   manager.c        start and end, the tick, what wakes it
 */
#pragma once

#include "base/clock.h"
#include "base/schedule.h"
#include "config.h"
#include "move/shadows.h"
#include "placement/load.h"
#include "placement/nics.h"
#include "policy.h"
#include "report/reporter.h"
#include "sa/tracker.h"
#include "xfrm/kernel.h"

#include <systemd/sd-event.h>

struct control;
struct journal;
struct ownership;
struct rescue;

/* The daemon was told to stop. */
struct stop {
	void (*done)(void *userdata); /* NULL: it was not */
	void *userdata;
	double at_last; /* s, monotonic: then it stops whatever is owed */
};

struct manager_environment {
	struct clock clock;
	struct secret_arena *arena;
	struct kernel *kernel; /* taken over */
	/* Taken over too; set by the caller between manager_new() and manager_start(), since it
	 * calls back into the manager. */
	struct network *network;
	struct journal *journal;     /* not owned */
	struct ownership *ownership; /* not owned */
	struct rescue *rescue;       /* not owned, may be NULL */
	const char *config_path;     /* reloads read it again */
	const char *orders_path;     /* NULL: pause and evacuations end with the daemon */
	int64_t event_timer_default;
	bool fips;
	const char *kernel_release; /* of uname(2) */
};

struct manager {
	struct manager_environment environment;
	struct network *network;
	struct config *config;
	struct policy *policy;
	struct migrator *migrator;
	struct executor *executor;
	struct shadows *shadows;
	struct tracker *tracker;
	struct sa_table *sas; /* of the tracker */

	struct nics *nics;
	struct load load;
	double reconfigured_at, reconfigured_for; /* s */

	struct reporter *reporter;
	struct health *health;
	struct orders *orders;
	struct stop stop;

	struct schedule schedule;
	sd_event_source *kernel_source; /* NULL: not attached to a loop */

	bool nics_changed; /* recompute before the next plan */
	bool reconfigure;  /* at the next tick: trust, or the refusal of a shape, began or ended */
	uint64_t samples;  /* ring position of the histories is samples % CONTROL_HISTORY_SAMPLES */
	double history_at;
	double started_at;

	uint64_t promoted, evicted, refused, failed;
	uint64_t resyncs;          /* full dumps because events were lost */
	uint64_t network_overruns; /* of the events of links, addresses and routes */
};

int manager_new(const struct manager_environment *environment, struct config *config,
		struct manager **ret_manager);   /* takes the configuration */
struct manager *manager_free(struct manager *m); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct manager *, manager_free);

/* First dump, first tables, the first tick scheduled. */
int manager_start(struct manager *m);
/* From now on the loop runs what is due and hands over the kernel's events. */
int manager_attach(struct manager *m, sd_event *event);
double manager_now(const struct manager *m); /* s, monotonic */
int manager_read_events(struct manager *m);  /* as tracker_read_events() */

/* What manager.schedule runs. */
enum manager_work {
	MANAGER_LOST,    /* SAs that went down with a NIC are brought back */
	MANAGER_CHANGES, /* SAs that events named are read again */
	MANAGER_TICK,
	MANAGER_RECONFIGURE,
	MANAGER_PLAN,    /* out of turn, for a new SA */
	MANAGER_RESTORE, /* SAs that could not be put back */
	MANAGER_MOVES,   /* the queue of moves */
	MANAGER_STOP,    /* is all back that is owed? */
	_MANAGER_WORK_MAX,
};

/* context.c */
/* Sets or clears one condition, and reports it when it begins or ends. */
void manager_set_health(struct manager *m, enum health_condition condition, bool holds);
void manager_update_nics(struct manager *m);
/* Tells the policy what follows from the entry: table, rule, hands off. */
void manager_configure_sa(struct manager *m, struct sa *sa);
void manager_plan_soon(struct manager *m);
void manager_tick_soon(struct manager *m);   /* earlier, never later */
void manager_resync_soon(struct manager *m); /* the same, and what is planned is not made */
/* NICs, routes or rules are not what they were: tables and candidates anew, then a plan. A pass
 * over all SAs. */
void manager_reconfigure(struct manager *m);
/* The same after `delay` seconds, once for all that happens until then, and in at most a tenth of
 * the time. */
void manager_reconfigure_soon(struct manager *m, double delay);
void manager_reconfigure_if_due(struct manager *m); /* manager.reconfigure */
/* Trust comes back with time, and what is remembered of refusals and of peers that move ends. */
void manager_expire(struct manager *m);

/* samples.c */
extern const struct tracker_callbacks manager_tracker_callbacks;
int manager_dump(struct manager *m); /* and what `top` draws */
void manager_begin_probation(struct manager *m, struct sa *sa, const struct sa_facts *facts);
void manager_check_probation(struct manager *m, struct sa *sa, const struct sa_facts *facts);

/* moves.c */
void manager_plan(struct manager *m);
void manager_make_moves(struct manager *m); /* some; schedules itself while there are more */
/* Takes away the larval SAs that the last dump showed beside outbound SAs, in enforce mode. */
void manager_unmask(struct manager *m);
extern const struct executor_callbacks manager_executor_callbacks;

/* restoring.c */
extern const struct shadows_callbacks manager_shadows_callbacks;

/* orders.c */
void manager_load_orders(struct manager *m); /* those of the run before */
void manager_set_paused(struct manager *m, bool paused);
int manager_evacuate(struct manager *m, const char *name);       /* -ENODEV: no such NIC */
int manager_end_evacuation(struct manager *m, const char *name); /* -ENOENT: it is not evacuated */
void manager_end_evacuations(struct manager *m);
/* The device has another name: what was ordered of it still holds. */
void manager_rename_evacuation(struct manager *m, const char *before, const char *after);
/* Plans nothing any more, and calls `done` as soon as no SA is owed to the kernel; at once if none
 * is, and at the latest after MANAGER_STOP_SECONDS. */
#define MANAGER_STOP_SECONDS 60.0
bool manager_owes(const struct manager *m); /* an SA to the kernel */
void manager_stop(struct manager *m, void (*done)(void *userdata), void *userdata);
void manager_stop_if_settled(struct manager *m); /* MANAGER_STOP */

/* links.c */
extern const struct nic_watch_callbacks manager_network_callbacks;

/* configuration.c */
int manager_new_policy(struct manager *m);
void manager_apply_config(struct manager *m, struct config *config); /* takes it */
int manager_reload(struct manager *m, char **ret_messages);

/* manager.c */
void manager_tick(struct manager *m);
