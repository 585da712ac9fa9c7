/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the components and connects them. Each component has at most one table of callbacks, which
 * is implemented here. Each of these files uses only those above it:
 *
 *   context.c        shared by the others: health, NICs, reconfiguring, scheduling
 *   samples.c        callbacks of the tracker: to the policy, NICs, shadows and the reporter
 *   moves.c          plans go to the executor, outcomes to the policy and the reporter
 *   restoring.c      callbacks of the shadows
 *   orders.c         orders of the operator: pause, evacuation, orders on SAs, stop
 *   links.c          links, addresses and routes changed
 *   configuration.c  loads the configuration, and makes the policy for it
 *   manager.c        start and end, the tick, the work of the schedule
 */
#pragma once

#include "base/clock.h"
#include "base/schedule.h"
#include "config.h"
#include "move/shadows.h"
#include "placement/load.h"
#include "placement/nics.h"
#include "placement/sampling.h"
#include "policy.h"
#include "report/reporter.h"
#include "sa/cpu-costs.h"
#include "sa/software.h"
#include "sa/tracker.h"
#include "xfrm/kernel.h"

#include <systemd/sd-event.h>

struct control;
struct journal;
struct ownership;
struct rescue;

/* The order to stop the daemon. */
struct stop {
	void (*done)(void *userdata); /* NULL: no order */
	void *userdata;
	double at_last; /* s, monotonic: stops then, even if SAs are owed */
};

/* A configuration that is in force for some time only, unless it is confirmed. */
struct trial {
	struct config *before; /* comes back when the time is over; NULL: nothing is on trial */
	double seconds;        /* that it takes */
	double ends_at;        /* s, monotonic */
	uint64_t until;        /* the same in seconds since 1970, for the operator */
};

struct manager_environment {
	struct clock clock;
	struct secret_arena *arena;
	struct kernel *kernel; /* owned by the manager */
	/* Owned by the manager too. The caller sets it between manager_new() and manager_start(),
	 * since its callbacks need the manager. */
	struct network *network;
	struct journal *journal;            /* not owned */
	struct ownership *ownership;        /* not owned */
	struct rescue *rescue;              /* not owned, may be NULL */
	struct config_source config_source; /* read again by a reload */
	const char *orders_path;            /* NULL: a restart forgets all orders */
	const char *crypto_path; /* CRYPTO_TABLE_PATH; NULL: no software driver is known */
	cpu_costs_measure measure_cpu_cost; /* NULL: `rank-by: cpu` ranks by bytes */
	int64_t event_timer_default;
	bool no_offload_module[2]; /* as in struct migrator_parameters */
	bool fips;
	const char *kernel_release; /* of uname(2) */
};

struct manager {
	struct manager_environment environment;
	struct network *network;
	struct config *config;
	struct trial trial; /* of `config` */
	struct policy *policy;
	struct migrator *migrator;
	struct executor *executor;
	struct shadows *shadows;
	struct tracker *tracker;
	struct sa_table *sas; /* of the tracker */
	struct software *software;
	struct cpu_costs *cpu_costs;

	struct nics *nics;
	struct load load;
	struct sampling sampling;
	double reconfigured_at, reconfigured_for; /* s */

	struct reporter *reporter;
	struct health *health;
	struct orders *orders;
	struct stop stop;

	struct schedule schedule;
	sd_event_source *kernel_source, *wait_source; /* NULL: not attached to a loop */

	bool nics_changed; /* update the NICs before the next plan */
	bool plan_is_late; /* plan as soon as the queued moves are made */
	bool reconfigure;  /* at the next tick: the trust of a NIC or the refusal of a shape changed
			    */
	uint64_t samples;  /* ring position of the histories is samples % CONTROL_HISTORY_SAMPLES */
	double history_at;
	double started_at;

	size_t n_alarms; /* SAs that a NIC refused and whose rule says 'on-reject: alarm' */
	uint64_t promoted, evicted, refused, failed;
	uint64_t resyncs;          /* full dumps because events were lost */
	uint64_t network_overruns; /* of the events of links, addresses and routes */
};

int manager_new(const struct manager_environment *environment, struct config *config,
		struct manager **ret_manager);   /* takes the configuration, also on failure */
struct manager *manager_free(struct manager *m); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct manager *, manager_free);

/* Completes an interrupted move, reads all SAs, makes the tables and schedules the first tick. A
 * negative errno: the daemon cannot start. */
int manager_start(struct manager *m);
/* From now on the event loop runs due work and reads the kernel's events. */
int manager_attach(struct manager *m, sd_event *event);
double manager_now(const struct manager *m); /* s, monotonic */
int manager_read_events(struct manager *m);  /* as tracker_read_events() */

/* The kinds of work of manager.schedule. */
enum manager_work {
	MANAGER_LOST,    /* restore SAs that were lost with their NIC */
	MANAGER_CHANGES, /* read the SAs that events named */
	MANAGER_TICK,
	MANAGER_DUMP, /* read a slice of a dump */
	MANAGER_RECONFIGURE,
	MANAGER_PLAN,    /* between ticks, for new SAs */
	MANAGER_RESTORE, /* try to put back owed SAs */
	MANAGER_MOVES,   /* make queued moves */
	MANAGER_STOP,    /* stop when no SA is owed */
	MANAGER_TRIAL,   /* the configuration was not confirmed */
	_MANAGER_WORK_MAX,
};

/* context.c */
/* Sets or clears a condition, and reports a change. */
void manager_set_health(struct manager *m, enum health_condition condition, bool holds);
void manager_update_nics(struct manager *m);
/* Configures the SA in the policy: table, rule, hands off. */
void manager_configure_sa(struct manager *m, struct sa *sa);
/* Counts the SA in manager.n_alarms, or no longer. */
void manager_set_alarm(struct manager *m, struct sa *sa, bool alarms);
/* The SA carries something, or somebody asks for it: finds its NIC even if there are very many
 * SAs. */
void manager_look_up(struct manager *m, struct sa *sa);
void manager_plan_soon(struct manager *m);
void manager_tick_soon(struct manager *m);   /* earlier, never later */
void manager_resync_soon(struct manager *m); /* the same, and cancels the planned moves */
/* After a change of NICs, routes or rules: updates tables and the candidates of all SAs, then
 * plans. */
void manager_reconfigure(struct manager *m);
/* The same after `delay` seconds, once for all changes until then. It is delayed further if it
 * would use more than a tenth of the time. */
void manager_reconfigure_soon(struct manager *m, double delay);
void manager_reconfigure_if_due(struct manager *m); /* if manager.reconfigure is set */
/* The costs of algorithms by which SAs are ranked, or NULL: by bytes. */
struct cpu_costs *manager_cpu_costs(const struct manager *m);
/* Passes the costs that are known to the policy. */
void manager_set_cpu_costs(struct manager *m);
/* Ends what is over: lost trust, refusals, and tunnels that are remembered because their peers
 * moved. */
void manager_expire(struct manager *m);

/* samples.c */
extern const struct tracker_callbacks manager_tracker_callbacks;
int manager_dump(struct manager *m); /* reads all SAs; a negative errno of the dump */
/* The same in slices. 1: there is more, and MANAGER_DUMP is scheduled. */
int manager_begin_dump(struct manager *m);
int manager_continue_dump(struct manager *m);
void manager_sample(struct manager *m); /* reads the SAs that matter: placement/sampling.h */
void manager_begin_probation(struct manager *m, struct sa *sa, const struct sa_facts *facts);
void manager_check_probation(struct manager *m, struct sa *sa, const struct sa_facts *facts);

/* moves.c */
void manager_plan(struct manager *m);
/* Makes some, and schedules the rest. Also called when a wait for lookups is over. */
void manager_make_moves(struct manager *m);
/* In enforce mode, removes the larval SAs that the last dump showed with the identity of outbound
 * SAs. */
void manager_unmask(struct manager *m);
extern const struct executor_callbacks manager_executor_callbacks;

/* restoring.c */
extern const struct shadows_callbacks manager_shadows_callbacks;

/* orders.c */
void manager_load_orders(struct manager *m); /* those of the previous run */
void manager_set_paused(struct manager *m, bool paused);
int manager_evacuate(struct manager *m, const char *name);       /* -ENODEV: no such NIC */
int manager_end_evacuation(struct manager *m, const char *name); /* -ENOENT: it is not evacuated */
void manager_end_evacuations(struct manager *m);
/* Returns how many SAs the order concerns at present. -ENOSPC, -ENOMEM. */
int manager_add_sa_order(struct manager *m, const struct sa_order *order, size_t *ret_n_sas);
/* Returns how many were meant, and are ended. */
size_t manager_end_sa_orders(struct manager *m,
			     bool (*is_meant)(const struct sa_order *order, void *userdata),
			     void *userdata);
void manager_expire_sa_orders(struct manager *m); /* ends those whose time is over */
/* A device was renamed: an evacuation of it now has the new name. */
void manager_rename_evacuation(struct manager *m, const char *before, const char *after);
/* Stops planning. Calls `done` as soon as no SA is owed to the kernel, possibly before it returns,
 * and after MANAGER_STOP_SECONDS at the latest. */
#define MANAGER_STOP_SECONDS 60.0
bool manager_owes(const struct manager *m); /* whether an SA is owed, or being restored */
void manager_stop(struct manager *m, void (*done)(void *userdata), void *userdata);
void manager_stop_if_settled(struct manager *m); /* MANAGER_STOP */

/* links.c */
extern const struct nic_watch_callbacks manager_network_callbacks;

/* configuration.c */
int manager_new_policy(struct manager *m);
void manager_apply_config(struct manager *m, struct config *config); /* takes the configuration */
/* `seconds`: the time that the configuration is on trial; 0: it is in force for good. -EBUSY: one
 * is on trial already. After an error nothing has changed. */
int manager_reload(struct manager *m, double seconds, char **ret_messages);
int manager_confirm(struct manager *m);    /* ends the trial. -ENOENT: nothing is on trial */
void manager_end_trial(struct manager *m); /* MANAGER_TRIAL: the configuration before comes back */
bool manager_is_on_trial(const struct manager *m);
double manager_trial_left(const struct manager *m); /* s */

/* manager.c */
void manager_tick(struct manager *m);
