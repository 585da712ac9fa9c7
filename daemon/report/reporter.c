// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/reporter.h"
#include "base/state-file.h"
#include "config.h"
#include "units.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <syslog.h>

#define ACTIONS_REMEMBERED 1024
/* As a place that an SA leaves or enters. */
#define SOFTWARE "software"

struct reporter {
	const struct clock *clock;
	struct journal *journal;
	size_t n_actions; /* since the start */
	struct action actions[ACTIONS_REMEMBERED];
};

int reporter_new(const struct clock *clock, struct journal *journal, struct reporter **ret_reporter)
{
	struct reporter *reporter = calloc(1, sizeof(*reporter));

	if (!reporter)
		return -ENOMEM;
	reporter->clock = clock;
	reporter->journal = journal;
	*ret_reporter = reporter;
	return 0;
}

struct reporter *reporter_free(struct reporter *reporter)
{
	free(reporter);
	return NULL;
}

const struct action *reporter_action(const struct reporter *reporter, size_t back)
{
	if (back >= reporter->n_actions || back >= ACTIONS_REMEMBERED)
		return NULL;
	return &reporter->actions[(reporter->n_actions - 1 - back) % ACTIONS_REMEMBERED];
}

/* The fields of an event that name an SA, and the storage they point into. */
struct sa_fields {
	char spi[16];
	char source[SA_ADDRESS_TEXT_SIZE];
	char destination[SA_ADDRESS_TEXT_SIZE];
	char rule[512];
};

static void fill_fields(struct reporter *reporter, struct journal_event *event,
			struct sa_fields *fields, const struct sa_description *d,
			const struct config_rule *rule)
{
	snprintf(fields->spi, sizeof(fields->spi), "0x%08x", d->id.spi);
	event->spi = fields->spi;
	event->source = sa_address_format(d->id.family, &d->source, fields->source);
	event->destination =
		sa_address_format(d->id.family, &d->id.destination, fields->destination);
	event->direction = sa_direction_name(d->direction);
	if (rule) {
		snprintf(fields->rule, sizeof(fields->rule), "%s:%u", rule->file, rule->line);
		event->rule = fields->rule;
	}
}

static void remember(struct reporter *reporter, const struct sa_description *d, const char *nic,
		     const char *what, const char *reason, const char *text)
{
	struct action *action = &reporter->actions[reporter->n_actions++ % ACTIONS_REMEMBERED];

	*action = (struct action){
		.time = clock_monotonic(reporter->clock),
		.sa = *d,
		.what = what,
		.reason = reason,
	};
	snprintf(action->nic, sizeof(action->nic), "%s", nic);
	snprintf(action->text, sizeof(action->text), "%s", text);
}

/* How a move ended, as it is reported. */
struct verdict {
	enum journal_kind kind;
	const char *what;
	const char *reason;
	const char *text;
};

static struct verdict verdict_of(const struct sa *sa, const struct policy_move *planned,
				 const struct move *move)
{
	bool promote = planned->action == POLICY_PROMOTE;
	struct verdict verdict = {
		.reason = policy_reason_name(planned->reason),
		.text = sa_reason_text(sa, planned->reason),
	};

	if (!move) {
		verdict.kind = JOURNAL_PLANNED;
		verdict.what = promote ? "would-promote" : "would-evict";
		return verdict;
	}
	switch (move->result) {
	case MOVE_RESULT_DONE:
		verdict.kind = promote ? JOURNAL_PROMOTED : JOURNAL_EVICTED;
		verdict.what = promote ? "promoted" : "evicted";
		return verdict;
	case MOVE_RESULT_REFUSED:
	case MOVE_RESULT_SILENT:
	case MOVE_RESULT_ELSEWHERE:
		verdict.kind = JOURNAL_REFUSED;
		verdict.what = "refused";
		verdict.reason = move_result_name(move->result);
		verdict.text = "the NIC did not accept it, it stays in software";
		return verdict;
	case MOVE_RESULT_GONE:
		verdict.kind = JOURNAL_GONE;
		verdict.what = "gone";
		verdict.reason = move_result_name(move->result);
		verdict.text = "the kernel does not have it any more";
		return verdict;
	case MOVE_RESULT_HANDS_OFF:
		verdict.kind = JOURNAL_HANDS_OFF;
		verdict.what = "hands-off";
		verdict.reason = hands_off_name(move->hands_off);
		verdict.text = hands_off_text(move->hands_off);
		return verdict;
	case MOVE_RESULT_LOST:
		verdict.kind = JOURNAL_MOVE_FAILED;
		verdict.what = "failed";
		verdict.reason = move_result_name(move->result);
		verdict.text = "the kernel does not take it back yet, trying again";
		return verdict;
	case MOVE_RESULT_FAILED:
	case MOVE_RESULT_NONE:
		break;
	}
	verdict.kind = JOURNAL_MOVE_FAILED;
	verdict.what = "failed";
	verdict.reason = move_result_name(move->result);
	verdict.text = "nothing was changed";
	return verdict;
}

void report_move(struct reporter *reporter, const char *nic, const struct sa *sa,
		 const struct policy_move *planned, const struct move *move)
{
	struct verdict verdict = verdict_of(sa, planned, move);
	bool promote = planned->action == POLICY_PROMOTE;
	char text[160];
	struct journal_event event = {
		.kind = verdict.kind,
		.nic = nic[0] ? nic : NULL,
		.action = verdict.what,
		.from = promote ? SOFTWARE : nic,
		.to = promote ? nic : SOFTWARE,
		.reason = verdict.reason,
		.text = text,
		.other_rate_known = planned->other != POLICY_NONE,
		.other_rate = planned->other_rate,
		.rate_known = true,
		.rate = planned->rate,
		.priority = move && move->result == MOVE_RESULT_LOST ? LOG_CRIT : 0,
	};
	char rate[UNITS_TEXT_MAX], other[UNITS_TEXT_MAX];
	struct sa_fields fields;

	if (move && move->error < 0) {
		event.error = move->error;
		event.driver_text = move->text[0] ? move->text : NULL;
		snprintf(text, sizeof(text), "%s: %s", verdict.text,
			 move->text[0] ? move->text : strerror(-move->error));
	} else if (planned->other != POLICY_NONE) {
		snprintf(text, sizeof(text), "%s (%s against %s)", verdict.text,
			 units_format_rate(planned->rate, rate),
			 units_format_rate(planned->other_rate, other));
	} else {
		snprintf(text, sizeof(text), "%s (%s)", verdict.text,
			 units_format_rate(planned->rate, rate));
	}
	fill_fields(reporter, &event, &fields, &sa->description, sa->candidate.rule);
	remember(reporter, &sa->description, nic, verdict.what, verdict.reason, text);
	journal_event(reporter->journal, &event, "%s SA %s %s -> %s (%s)%s%s: %s", verdict.what,
		      event.spi, event.source, event.destination, event.direction,
		      nic[0] ? (promote ? " to " : " from ") : "", nic, text);
}

void report_hands_off(struct reporter *reporter, const char *nic, const struct sa *sa)
{
	bool foreign = sa->hands_off == HANDS_OFF_FOREIGN;
	struct journal_event event = {
		.kind = foreign ? JOURNAL_FOREIGN_OFFLOAD : JOURNAL_HANDS_OFF,
		.nic = nic[0] ? nic : NULL,
		.reason = hands_off_name(sa->hands_off),
	};
	struct sa_fields fields;

	fill_fields(reporter, &event, &fields, &sa->description, sa->candidate.rule);
	journal_event(reporter->journal, &event, "Not touching SA %s %s -> %s (%s): %s", event.spi,
		      event.source, event.destination, event.direction,
		      hands_off_text(sa->hands_off));
}

void report_foreign(struct reporter *reporter, const char *nic, bool trusted, unsigned n)
{
	struct journal_event event = {
		.kind = JOURNAL_FOREIGN_NIC,
		.nic = nic,
		.reason = hands_off_name(HANDS_OFF_FOREIGN),
	};

	journal_event(
		reporter->journal, &event,
		"NIC %s%s holds %u SAs that another program offloaded: switch that off in the "
		"IKE daemon (libreswan: nic-offload=no in every connection, strongSwan: "
		"hw_offload = no)",
		nic, trusted ? "" : ", which is not trusted with keys,", n);
}

void report_adopted(struct reporter *reporter, const char *nic, const struct sa *sa,
		    enum candidacy candidacy)
{
	bool wrong = candidacy != CANDIDACY_OK;
	char text[160];
	struct journal_event event = {
		.kind = JOURNAL_ADOPTED,
		.priority = wrong ? LOG_WARNING : 0,
		.nic = nic[0] ? nic : NULL,
		.action = "adopted",
		.reason = candidacy_name(candidacy),
		.text = text,
	};
	struct sa_fields fields;

	snprintf(text, sizeof(text),
		 "the IKE daemon made it anew from a copy, with our offload%s%s",
		 wrong ? "; it is taken out: " : "", !wrong ? "" : candidacy_text(candidacy));
	fill_fields(reporter, &event, &fields, &sa->description, sa->candidate.rule);
	remember(reporter, &sa->description, nic, event.action, "copied", text);
	journal_event(reporter->journal, &event, "SA %s %s -> %s (%s) is in %s: %s", event.spi,
		      event.source, event.destination, event.direction, nic, text);
}

void report_health(struct reporter *reporter, enum health_condition condition, bool holds)
{
	struct journal_event event = {
		.kind = holds ? JOURNAL_DEGRADED : JOURNAL_RECOVERED,
		.reason = health_name(condition),
	};

	journal_event(reporter->journal, &event, holds ? "Degraded: %s" : "No longer degraded: %s",
		      health_text(condition));
}

void report_dump_failed(struct reporter *reporter, int error)
{
	struct journal_event event = {
		.kind = JOURNAL_DEGRADED,
		.reason = health_name(HEALTH_NO_DUMP),
		.error = error,
	};

	journal_event(reporter->journal, &event,
		      "Cannot read the SAs from the kernel, moving nothing: %s", strerror(-error));
}

void report_resynchronised(struct reporter *reporter, size_t n)
{
	struct journal_event event = {.kind = JOURNAL_RESYNCHRONISED};

	journal_event(reporter->journal, &event, "Read all SAs again: %zu", n);
}

void report_capacity(struct reporter *reporter, const char *nic, uint32_t capacity)
{
	struct journal_event event = {
		.kind = JOURNAL_CAPACITY_LEARNED,
		.nic = nic,
		.reason = "no-space",
	};

	journal_event(
		reporter->journal, &event,
		"NIC %s is full below its capacity: planning with %u slots for ours, until it "
		"is asked again",
		nic, capacity);
}

void report_cpu_costs(struct reporter *reporter, const struct cpu_costs *costs)
{
	int error = cpu_costs_error(costs);
	size_t n, known = 0;

	(void)cpu_costs_values(costs, &n);
	for (size_t i = 0; i < n; i++)
		known += cpu_costs_get(costs, i).cost.per_byte > 0;
	if (error < 0)
		journal_log(reporter->journal, LOG_WARNING,
			    "Ranking SAs by bytes: the CPU time of their algorithms cannot be "
			    "measured: %s",
			    cpu_costs_error_text(error));
	else
		journal_log(reporter->journal, LOG_INFO,
			    "Ranking SAs by CPU time: measured %zu of %zu algorithms", known, n);
}

void report_fault(struct reporter *reporter, const char *nic, const struct sa *sa,
		  const char *fault)
{
	struct journal_event event = {
		.kind = JOURNAL_REFUSED,
		.priority = LOG_WARNING,
		.nic = nic[0] ? nic : NULL,
		.action = "fault",
		.reason = fault,
		.text = "it fared worse in the NIC",
	};
	struct sa_fields fields;

	fill_fields(reporter, &event, &fields, &sa->description, sa->candidate.rule);
	remember(reporter, &sa->description, nic, event.action, fault, event.text);
	journal_event(reporter->journal, &event,
		      "SA %s %s -> %s (%s) fares worse in NIC %s (%s): back to software", event.spi,
		      event.source, event.destination, event.direction, nic, fault);
}

void report_verdict(struct reporter *reporter, const char *nic, const struct sa *sa,
		    const struct policy_verdict *verdict)
{
	const char *reason = !verdict->slower ? "cleared" : verdict->stopped ? "stopped" : "slower";
	char text[160];
	struct journal_event event = {
		.kind = verdict->slower ? JOURNAL_SLOWED : JOURNAL_CLEARED,
		.nic = nic,
		.action = "compared",
		.reason = reason,
		.text = text,
		.rate_known = true,
		.rate = verdict->after,
	};
	char before[UNITS_TEXT_MAX], in_nic[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX];
	char wait[UNITS_TEXT_MAX];
	struct sa_fields fields;

	snprintf(text, sizeof(text), "%s before, %s in the NIC, %s back in software",
		 units_format_rate(verdict->before, before),
		 units_format_rate(verdict->in_nic, in_nic),
		 units_format_rate(verdict->after, after));
	fill_fields(reporter, &event, &fields, &sa->description, sa->candidate.rule);
	remember(reporter, &sa->description, nic, event.action, reason, text);
	if (verdict->slower)
		journal_event(reporter->journal, &event,
			      "NIC %s slows down SA %s %s -> %s (%s), which stays in software for "
			      "%s: %s",
			      nic, event.spi, event.source, event.destination, event.direction,
			      units_format_time(verdict->wait, wait), text);
	else
		journal_event(reporter->journal, &event,
			      "NIC %s does not slow down SA %s %s -> %s (%s): %s", nic, event.spi,
			      event.source, event.destination, event.direction, text);
}

void report_distrusted(struct reporter *reporter, const char *nic, double seconds)
{
	struct journal_event event = {
		.kind = JOURNAL_TRUST_LOST,
		.nic = nic,
		.reason = "faults",
	};
	char time[UNITS_TEXT_MAX];

	journal_event(
		reporter->journal, &event,
		"NIC %s failed several SAs that were put there: not trusted for %s, all its SAs "
		"go back to software",
		nic, units_format_time(seconds, time));
}

void report_restored(struct reporter *reporter, const char *nic, size_t restored, size_t left,
		     double seconds)
{
	char text[160];
	struct journal_event event = {
		.kind = JOURNAL_RESTORED,
		.priority = left > 0 ? LOG_WARNING : 0,
		.nic = nic[0] ? nic : NULL,
		.action = "restored",
		.from = nic,
		.to = SOFTWARE,
		.reason = "link-down",
		.text = text,
	};

	snprintf(text, sizeof(text), "%zu back in software after %.1f ms, %zu not", restored,
		 seconds * 1e3, left);
	journal_event(reporter->journal, &event, "SAs that went down with NIC %s: %s",
		      nic[0] ? nic : "?", text);
}

void report_policies_lost(struct reporter *reporter, const char *nic, size_t n)
{
	struct journal_event event = {
		.kind = JOURNAL_POLICIES_LOST,
		.nic = nic[0] ? nic : NULL,
		.reason = "policies-lost",
	};

	journal_event(reporter->journal, &event,
		      "%zu IPsec %s in packet offload vanished with NIC %s: traffic may leave in "
		      "CLEAR TEXT until the IKE daemon installs them again",
		      n, n == 1 ? "policy" : "policies", nic[0] ? nic : "?");
}

void report_nic_lost(struct reporter *reporter, const char *nic, bool gone)
{
	const char *text = gone ? "the NIC went away" : "the NIC went down";
	struct journal_event event = {
		.kind = JOURNAL_NIC_LOST,
		.nic = nic,
		.action = "nic-lost",
		.reason = gone ? "nic-gone" : "link-down",
		.text = text,
	};

	journal_event(reporter->journal, &event, "NIC %s went %s", nic, gone ? "away" : "down");
}

void report_nic_usable(struct reporter *reporter, const char *nic)
{
	struct journal_event event = {.kind = JOURNAL_NIC_USABLE, .nic = nic};

	journal_event(reporter->journal, &event, "NIC %s is up and has ESP offload", nic);
}

static void report_loaded(struct reporter *reporter, const struct config *config,
			  const char *messages, double trial)
{
	bool warned = messages && messages[0];
	struct journal_event event = {
		.kind = trial > 0 ? JOURNAL_CONFIGURATION_ON_TRIAL : JOURNAL_CONFIGURATION_LOADED,
		.priority = warned ? LOG_WARNING : 0,
	};
	char name[CONFIG_NAME_SIZE], time[UNITS_TEXT_MAX], until[160] = "";

	if (trial > 0)
		(void)snprintf(until, sizeof(until),
			       ", on trial: the configuration before comes back in %s, unless "
			       "'espoffloadctl reload --confirm' keeps this one",
			       units_format_time(trial, time));
	journal_event(reporter->journal, &event,
		      "Loaded %s: %zu NIC entries, %zu rules, %zu groups%s%s%s",
		      config_name(config, name), config->n_nics, config->n_rules, config->n_groups,
		      until, warned ? "\n" : "", warned ? messages : "");
}

void report_reload(struct reporter *reporter, const char *path, const struct config *config,
		   int result, const char *messages, double trial)
{
	struct journal_event event = {.kind = JOURNAL_CONFIGURATION_REJECTED, .error = result};

	if (result < 0)
		journal_event(reporter->journal, &event,
			      "%s was not loaded, the rules before it stay in force:\n%s", path,
			      messages);
	else
		report_loaded(reporter, config, messages, trial);
}

void report_reload_refused(struct reporter *reporter, const char *path, double left)
{
	struct journal_event event = {
		.kind = JOURNAL_CONFIGURATION_ON_TRIAL,
		.priority = LOG_WARNING,
		.error = -EBUSY,
	};
	char time[UNITS_TEXT_MAX];

	journal_event(
		reporter->journal, &event,
		"%s was not read: a configuration is on trial for another %s. Confirm it with "
		"'espoffloadctl reload --confirm', or wait, then reload",
		path, units_format_time(left, time));
}

void report_confirmed(struct reporter *reporter, const struct config *config)
{
	struct journal_event event = {.kind = JOURNAL_CONFIGURATION_LOADED};
	char name[CONFIG_NAME_SIZE];

	journal_event(reporter->journal, &event,
		      "The configuration of %s is confirmed and stays in force",
		      config_name(config, name));
}

void report_reverted(struct reporter *reporter, const struct config *tried, double seconds)
{
	struct journal_event event = {.kind = JOURNAL_CONFIGURATION_REVERTED};
	char time[UNITS_TEXT_MAX], name[CONFIG_NAME_SIZE];

	journal_event(
		reporter->journal, &event,
		"The configuration of %s was not confirmed within %s: the one before is in "
		"force again. The files still have the one that was tried, and the next start "
		"or reload uses them: put the old ones back, or try again",
		config_name(tried, name), units_format_time(seconds, time));
}

void report_paused(struct reporter *reporter, bool paused)
{
	struct journal_event event = {.kind = paused ? JOURNAL_PAUSED : JOURNAL_RESUMED};

	journal_event(reporter->journal, &event,
		      paused ? "Paused: SAs stay where they are, except in NICs that may not "
			       "hold them"
			     : "Resumed");
}

void report_still_paused(struct reporter *reporter)
{
	struct journal_event event = {.kind = JOURNAL_PAUSED};

	journal_event(reporter->journal, &event, "Still paused, as before the start");
}

void report_slot_damaged(struct reporter *reporter)
{
	journal_log(reporter->journal, LOG_ERR,
		    "The image of an SA that was being moved when the daemon ended is damaged. If "
		    "the SA is missing, have the IKE daemon negotiate it anew");
}

void report_orders_lost(struct reporter *reporter, const char *path, int error)
{
	struct journal_event event = {.kind = JOURNAL_ORDERS_LOST, .error = error};

	journal_event(reporter->journal, &event,
		      "Paused: whether the operator had paused or evacuated a NIC is not "
		      "known, since %s cannot be read: %s (it is kept as %s.damaged)",
		      path, state_file_error(error), path);
}

void report_denied(struct reporter *reporter, const char *method, uid_t uid, pid_t pid)
{
	char text[24];
	struct journal_event event = {
		.kind = JOURNAL_DENIED,
		.reason = "not-root",
		.method = method,
		.uid = text,
	};

	(void)snprintf(text, sizeof(text), "%u", (unsigned)uid);
	journal_event(reporter->journal, &event,
		      "Refused %s of uid %s (pid %d) on the control socket: it is for root", method,
		      text, (int)pid);
}

void report_stopping(struct reporter *reporter, bool owed, double seconds)
{
	struct journal_event event = {
		.kind = JOURNAL_STOPPING,
		.priority = !owed          ? 0
			    : seconds <= 0 ? LOG_CRIT
					   : LOG_WARNING,
		.reason = owed ? health_name(HEALTH_OWED) : NULL,
	};

	if (!owed)
		journal_event(reporter->journal, &event, "Stopping; SAs stay where they are");
	else if (seconds <= 0)
		journal_event(reporter->journal, &event,
			      "Stopping although an SA could not be put back; its image is lost "
			      "unless the service manager keeps it (FileDescriptorStorePreserve=) "
			      "for the next start");
	else
		journal_event(
			reporter->journal, &event,
			"Told to stop, but an SA could not be put back yet; trying on for %g s",
			seconds);
}

void report_evacuated(struct reporter *reporter, const char *nic, bool evacuated)
{
	struct journal_event event = {
		.kind = evacuated ? JOURNAL_EVACUATED : JOURNAL_RESUMED,
		.nic = nic,
		.reason = "evacuated",
	};

	journal_event(reporter->journal, &event,
		      evacuated ? "NIC %s is evacuated and kept empty"
				: "NIC %s may be filled again",
		      nic);
}

void report_sa_order(struct reporter *reporter, const char *target, bool ban,
		     enum report_order what, double left)
{
	static const char *const endings[] = {
		[REPORT_ORDER_ENDED] = "ended",
		[REPORT_ORDER_EXPIRED] = "over",
	};
	static const char *const actions[2][2] = {{"pin", "unpin"}, {"ban", "unban"}};
	bool ended = what == REPORT_ORDER_ENDED || what == REPORT_ORDER_EXPIRED;
	struct journal_event event = {
		.kind = ended ? JOURNAL_SA_ORDER_ENDED : JOURNAL_SA_ORDER,
		.action = actions[ban][ended],
		.reason = what == REPORT_ORDER_EXPIRED ? "expired" : NULL,
		.text = target,
	};
	char time[UNITS_TEXT_MAX];

	if (ended)
		journal_event(reporter->journal, &event, "The %s of %s is %s", actions[ban][false],
			      target, endings[what]);
	else
		journal_event(reporter->journal, &event, "%s%s %s%s%s",
			      what == REPORT_ORDER_STILL ? "Still " : "",
			      ban ? "banned from NICs:" : "pinned to a NIC:", target,
			      isfinite(left) ? ", for " : "",
			      isfinite(left) ? units_format_time(left, time) : "");
}

void report_completed(struct reporter *reporter, const struct move *move)
{
	struct sa_description d = {.id = move->id};
	bool gone = move->result == MOVE_RESULT_GONE;
	bool lost = move->result == MOVE_RESULT_LOST;
	struct journal_event event = {
		.kind = JOURNAL_RESTORED,
		.action = gone   ? "gone"
			  : lost ? "failed"
				 : "restored",
		.to = SOFTWARE,
		.reason = move_result_name(move->result),
		.text = gone   ? "it was deleted meanwhile and stays deleted"
			: lost ? "the kernel does not take it back yet, trying again"
			       : "it is back in software",
	};
	struct sa_fields fields;

	fill_fields(reporter, &event, &fields, &d, NULL);
	event.source = event.direction = NULL;
	journal_event(reporter->journal, &event,
		      "The last run was interrupted while it moved SA %s to %s: %s", event.spi,
		      event.destination, event.text);
}
