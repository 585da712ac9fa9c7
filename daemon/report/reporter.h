/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reports what the daemon does and detects: to the journal (report/journal.h), and actions on SAs
 * also to a ring for `explain` and `top`. It changes nothing else. NICs are passed by name; "":
 * unknown or none.
 */
#pragma once

#include "base/clock.h"
#include "move/migrator.h"
#include "policy.h"
#include "report/health.h"
#include "report/journal.h"
#include "sa/cpu-costs.h"
#include "sa/table.h"

#include <net/if.h>
#include <sys/types.h>

struct config;

/* An action on an SA. */
struct action {
	double time; /* s, monotonic */
	struct sa_description sa;
	char nic[IFNAMSIZ];
	const char *what;   /* "promoted", "evicted", "refused", ...: static */
	const char *reason; /* static */
	char text[160];
};

struct reporter;

/* The clock and the journal are not owned. -ENOMEM. */
int reporter_new(const struct clock *clock, struct journal *journal,
		 struct reporter **ret_reporter);
struct reporter *reporter_free(struct reporter *reporter); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct reporter *, reporter_free);

/* `back` 0: the last action. NULL: there is none, or it was overwritten. */
const struct action *reporter_action(const struct reporter *reporter, size_t back);

/* A condition begins or ends. */
void report_health(struct reporter *reporter, enum health_condition condition, bool holds);
void report_dump_failed(struct reporter *reporter, int error); /* HEALTH_NO_DUMP, at each failure */
void report_resynchronised(struct reporter *reporter, size_t n); /* n: number of SAs */

/* `nic`: the NIC that the SA enters or leaves. `move` NULL: only planned (observe mode). */
void report_move(struct reporter *reporter, const char *nic, const struct sa *sa,
		 const struct policy_move *planned, const struct move *move);
void report_completed(struct reporter *reporter, const struct move *move); /* of the last run */
void report_hands_off(struct reporter *reporter, const char *nic, const struct sa *sa);
void report_adopted(struct reporter *reporter, const char *nic, const struct sa *sa,
		    enum candidacy candidacy);
void report_fault(struct reporter *reporter, const char *nic, const struct sa *sa,
		  const char *fault);
void report_verdict(struct reporter *reporter, const char *nic, const struct sa *sa,
		    const struct policy_verdict *verdict);
void report_restored(struct reporter *reporter, const char *nic, size_t restored, size_t left,
		     double seconds);

void report_nic_usable(struct reporter *reporter, const char *nic);
void report_nic_lost(struct reporter *reporter, const char *nic, bool gone); /* false: down */
void report_foreign(struct reporter *reporter, const char *nic, bool trusted, unsigned n);
void report_capacity(struct reporter *reporter, const char *nic, uint32_t capacity);
/* Algorithms were measured. */
void report_cpu_costs(struct reporter *reporter, const struct cpu_costs *costs);
void report_distrusted(struct reporter *reporter, const char *nic, double seconds);
void report_policies_lost(struct reporter *reporter, const char *nic, size_t n);

/* `config`: the configuration in force after the reload. `trial`: s that it is on trial, or 0. */
void report_reload(struct reporter *reporter, const char *path, const struct config *config,
		   int result, const char *messages, double trial);
/* `left`: s until the end of the trial that prevents the reload. */
void report_reload_refused(struct reporter *reporter, const char *path, double left);
void report_confirmed(struct reporter *reporter, const struct config *config);
/* `seconds`: those in which `tried` was not confirmed. */
void report_reverted(struct reporter *reporter, const struct config *tried, double seconds);
void report_paused(struct reporter *reporter, bool paused);
void report_still_paused(struct reporter *reporter);
void report_evacuated(struct reporter *reporter, const char *nic, bool evacuated);
enum report_order {
	REPORT_ORDER_GIVEN,
	REPORT_ORDER_STILL, /* it was given before the start */
	REPORT_ORDER_ENDED, /* by the operator */
	REPORT_ORDER_EXPIRED,
};
/* `target`: the SA or the peer, as text. `left`: s, infinite without an end. */
void report_sa_order(struct reporter *reporter, const char *target, bool ban,
		     enum report_order what, double left);
/* The rescue slot has an image that cannot be read. */
void report_slot_damaged(struct reporter *reporter);
void report_orders_lost(struct reporter *reporter, const char *path, int error);
/* A user who may only read called a method that changes something. */
void report_denied(struct reporter *reporter, const char *method, uid_t uid, pid_t pid);
/* `owed`: an SA could not be put back yet; the daemon tries for `seconds` more. */
void report_stopping(struct reporter *reporter, bool owed, double seconds);
