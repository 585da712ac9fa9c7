// SPDX-License-Identifier: GPL-2.0-or-later
/* What the manager does, told to the journal and remembered for `explain` and `top`. */
#include "manager.h"
#include "report/journal.h"
#include "units.h"

#include <errno.h>
#include <string.h>
#include <syslog.h>

const char *sa_direction_name(enum sa_direction direction)
{
	switch (direction) {
	case SA_DIRECTION_IN:
		return "in";
	case SA_DIRECTION_OUT:
		return "out";
	case SA_DIRECTION_UNKNOWN:
		break;
	}
	return "unknown";
}

/* The fields of an event that name an SA, and the storage they point into. */
struct sa_fields {
	char spi[16];
	char source[SA_ADDRESS_TEXT_SIZE];
	char destination[SA_ADDRESS_TEXT_SIZE];
	char rule[512];
};

static void fill_fields(struct manager *m, struct journal_event *event, struct sa_fields *fields,
			const struct sa_description *d, const struct config_rule *rule)
{
	snprintf(fields->spi, sizeof(fields->spi), "0x%08x", d->id.spi);
	event->spi = fields->spi;
	event->source = sa_address_format(d->id.family, &d->source, fields->source);
	event->destination =
		sa_address_format(d->id.family, &d->id.destination, fields->destination);
	event->direction = sa_direction_name(d->direction);
	if (rule && m->config->path) {
		snprintf(fields->rule, sizeof(fields->rule), "%s:%u", m->config->path, rule->line);
		event->rule = fields->rule;
	}
}

static void remember(struct manager *m, const struct sa_description *d, const char *nic,
		     const char *what, const char *reason, const char *text)
{
	struct action *action = &m->actions[m->n_actions++ % ACTIONS_REMEMBERED];

	*action = (struct action){
		.time = manager_now(m),
		.sa = *d,
		.what = what,
		.reason = reason,
	};
	snprintf(action->nic, sizeof(action->nic), "%s", nic);
	snprintf(action->text, sizeof(action->text), "%s", text);
}

/* How a move ended, in the words of the journal. */
struct verdict {
	enum journal_kind kind;
	const char *what;
	const char *reason;
	const char *text;
};

static struct verdict judge(const struct policy_move *planned, const struct move *move)
{
	bool promote = planned->action == POLICY_PROMOTE;
	struct verdict verdict = {
		.reason = policy_reason_name(planned->reason),
		.text = policy_reason_text(planned->reason),
	};

	if (!move) {
		verdict.kind = JOURNAL_PLAIN;
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
		verdict.text = "the NIC did not take it, it works on in software";
		return verdict;
	case MOVE_RESULT_GONE:
		verdict.kind = JOURNAL_PLAIN;
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

void manager_tell_move(struct manager *m, const struct sa *sa, const struct policy_move *planned,
		       const struct move *move)
{
	struct verdict verdict = judge(planned, move);
	bool promote = planned->action == POLICY_PROMOTE;
	const char *nic =
		network_name(m->network, promote ? sa->candidate
						 : (move ? move->expected_ifindex : sa->ifindex));
	struct journal_event event = {
		.kind = verdict.kind,
		.nic = nic[0] ? nic : NULL,
		.reason = verdict.reason,
		.rate_known = true,
		.rate = planned->rate,
		.priority = move && move->result == MOVE_RESULT_LOST ? LOG_CRIT : 0,
	};
	char rate[UNITS_TEXT_MAX], other[UNITS_TEXT_MAX];
	struct sa_fields fields;
	char text[160];

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
	fill_fields(m, &event, &fields, &sa->description, sa->rule);
	remember(m, &sa->description, nic, verdict.what, verdict.reason, text);
	journal_event(m->environment.journal, &event, "%s SA %s %s -> %s (%s)%s%s: %s",
		      verdict.what, event.spi, event.source, event.destination, event.direction,
		      nic[0] ? (promote ? " to " : " from ") : "", nic, text);
}

void manager_tell_hands_off(struct manager *m, const struct sa *sa)
{
	bool foreign = sa->hands_off == HANDS_OFF_FOREIGN;
	const char *nic = network_name(m->network, sa->ifindex);
	struct journal_event event = {
		.kind = foreign ? JOURNAL_FOREIGN_OFFLOAD : JOURNAL_HANDS_OFF,
		.nic = nic[0] ? nic : NULL,
		.reason = hands_off_name(sa->hands_off),
	};
	struct sa_fields fields;

	fill_fields(m, &event, &fields, &sa->description, sa->rule);
	journal_event(m->environment.journal, &event, "Not touching SA %s %s -> %s (%s): %s",
		      event.spi, event.source, event.destination, event.direction,
		      hands_off_text(sa->hands_off));
}

void manager_tell_foreign(struct manager *m, const struct manager_nic *n)
{
	bool trusted = n->config && n->config->allow && n->config->trusted;
	struct journal_event event = {
		.kind = JOURNAL_FOREIGN_NIC,
		.nic = n->name,
		.reason = hands_off_name(HANDS_OFF_FOREIGN),
	};

	journal_event(
		m->environment.journal, &event,
		"NIC %s%s holds %u SAs that another program offloaded: switch that off in the "
		"IKE daemon (libreswan: nic-offload=no in every connection, strongSwan: "
		"hw_offload = no)",
		n->name, trusted ? "" : ", which is not trusted with keys,",
		n->foreign_in + n->foreign_out);
}

void manager_tell_adopted(struct manager *m, const struct sa *sa)
{
	const struct manager_nic *n = manager_nic(m, sa->ifindex);
	const char *nic = network_name(m->network, sa->ifindex);
	bool wrong = !n || n->candidacy != CANDIDACY_OK;
	struct journal_event event = {
		.kind = JOURNAL_ADOPTED,
		.priority = wrong ? LOG_WARNING : 0,
		.nic = nic[0] ? nic : NULL,
		.reason = n ? candidacy_name(n->candidacy) : NULL,
	};
	struct sa_fields fields;
	char text[160];

	snprintf(text, sizeof(text),
		 "the IKE daemon made it anew from a copy, with our offload%s%s",
		 wrong ? "; it is taken out: " : "",
		 !wrong ? "" : candidacy_text(n ? n->candidacy : CANDIDACY_NO_NIC));
	fill_fields(m, &event, &fields, &sa->description, sa->rule);
	remember(m, &sa->description, nic, "adopted", "copied", text);
	journal_event(m->environment.journal, &event, "SA %s %s -> %s (%s) is in %s: %s", event.spi,
		      event.source, event.destination, event.direction, nic, text);
}

void manager_set_health(struct manager *m, enum health_condition condition, bool holds)
{
	struct journal_event event = {.kind = JOURNAL_DEGRADED, .reason = health_name(condition)};

	if (!health_set(m->health, condition, holds))
		return;
	if (holds)
		journal_event(m->environment.journal, &event, "Degraded: %s",
			      health_text(condition));
	else
		journal_log(m->environment.journal, LOG_NOTICE, "Over: %s", health_text(condition));
}

void manager_tell_dump_failed(struct manager *m, int error)
{
	struct journal_event event = {
		.kind = JOURNAL_DEGRADED,
		.reason = health_name(HEALTH_NO_DUMP),
		.error = error,
	};

	(void)health_set(m->health, HEALTH_NO_DUMP, true);
	journal_event(m->environment.journal, &event,
		      "Cannot read the SAs from the kernel, moving nothing: %s", strerror(-error));
}

void manager_tell_resynchronised(struct manager *m)
{
	struct journal_event event = {.kind = JOURNAL_RESYNCHRONISED};

	(void)health_set(m->health, HEALTH_NO_DUMP, false);
	journal_event(m->environment.journal, &event, "Read all SAs again: %zu", m->sas.n);
}

void manager_tell_capacity(struct manager *m, const struct manager_nic *n, uint32_t capacity)
{
	struct journal_event event = {
		.kind = JOURNAL_CAPACITY_LEARNED,
		.nic = n->name,
		.reason = "no-space",
	};

	journal_event(
		m->environment.journal, &event,
		"NIC %s is full below its capacity: planning with %u slots for ours, until it "
		"is asked again",
		n->name, capacity);
}

void manager_tell_fault(struct manager *m, const struct sa *sa, const char *fault)
{
	const char *nic = network_name(m->network, sa->ifindex);
	struct journal_event event = {
		.kind = JOURNAL_REFUSED,
		.priority = LOG_WARNING,
		.nic = nic[0] ? nic : NULL,
		.reason = fault,
	};
	struct sa_fields fields;

	fill_fields(m, &event, &fields, &sa->description, sa->rule);
	remember(m, &sa->description, nic, "fault", fault, "it fared worse in the NIC");
	journal_event(m->environment.journal, &event,
		      "SA %s %s -> %s (%s) fares worse in NIC %s (%s): back to software", event.spi,
		      event.source, event.destination, event.direction, nic, fault);
}

void manager_tell_verdict(struct manager *m, const struct sa *sa, const struct manager_nic *n,
			  const struct policy_verdict *verdict)
{
	const char *reason = !verdict->slower ? "cleared" : verdict->stopped ? "stopped" : "slower";
	struct journal_event event = {
		.kind = verdict->slower ? JOURNAL_SLOWED : JOURNAL_PLAIN,
		.nic = n->name,
		.reason = reason,
		.rate_known = true,
		.rate = verdict->after,
	};
	char before[UNITS_TEXT_MAX], in_nic[UNITS_TEXT_MAX], after[UNITS_TEXT_MAX];
	char wait[UNITS_TEXT_MAX], text[160];
	struct sa_fields fields;

	snprintf(text, sizeof(text), "%s before, %s in the NIC, %s back in software",
		 units_format_rate(verdict->before, before),
		 units_format_rate(verdict->in_nic, in_nic),
		 units_format_rate(verdict->after, after));
	fill_fields(m, &event, &fields, &sa->description, sa->rule);
	remember(m, &sa->description, n->name, "compared", reason, text);
	if (verdict->slower)
		journal_event(m->environment.journal, &event,
			      "NIC %s slows down SA %s %s -> %s (%s), which stays in software for "
			      "%s: %s",
			      n->name, event.spi, event.source, event.destination, event.direction,
			      units_format_time(verdict->wait, wait), text);
	else
		journal_event(m->environment.journal, &event,
			      "NIC %s does not slow down SA %s %s -> %s (%s): %s", n->name,
			      event.spi, event.source, event.destination, event.direction, text);
}

void manager_tell_distrusted(struct manager *m, const struct manager_nic *n)
{
	struct journal_event event = {
		.kind = JOURNAL_TRUST_LOST,
		.nic = n->name,
		.reason = "faults",
	};
	char time[UNITS_TEXT_MAX];

	journal_event(
		m->environment.journal, &event,
		"NIC %s failed several SAs that were put there: not trusted for %s, all its SAs "
		"go back to software",
		n->name, units_format_time(n->distrust, time));
}

void manager_tell_restored(struct manager *m, int ifindex, size_t restored, size_t left,
			   double seconds)
{
	const struct manager_nic *n = manager_nic(m, ifindex);
	const char *nic = n ? n->name : "";
	struct journal_event event = {
		.kind = JOURNAL_RESTORED,
		.priority = left > 0 ? LOG_WARNING : 0,
		.nic = nic[0] ? nic : NULL,
		.reason = "link-down",
	};

	journal_event(m->environment.journal, &event,
		      "SAs that went down with NIC %s: %zu back in software after %.1f ms, %zu not",
		      nic[0] ? nic : "?", restored, seconds * 1e3, left);
}

void manager_tell_policies_lost(struct manager *m, int ifindex, size_t n)
{
	const char *nic = network_name(m->network, ifindex);
	struct journal_event event = {
		.kind = JOURNAL_POLICIES_LOST,
		.nic = nic[0] ? nic : NULL,
		.reason = "policies-lost",
	};

	journal_event(m->environment.journal, &event,
		      "%zu IPsec %s in packet offload vanished with NIC %s: traffic may leave in "
		      "CLEAR TEXT until the IKE daemon installs them again",
		      n, n == 1 ? "policy" : "policies", nic[0] ? nic : "?");
}

void manager_tell_link(struct manager *m, const struct nic *old, const struct nic *new)
{
	const struct nic *nic = new ? new : old;
	bool lost = old && (!new || (old->up && !new->up));
	bool came = new &&new->up &&new->esp_offload && (!old || !old->up || !old->esp_offload);
	struct journal_event event = {
		.kind = lost ? JOURNAL_NIC_LOST : JOURNAL_NIC_USABLE,
		.nic = nic->name,
	};

	if (lost && (nic->esp_offload || manager_nic(m, nic->ifindex)))
		journal_event(m->environment.journal, &event, "NIC %s went %s", nic->name,
			      new ? "down" : "away");
	else if (came)
		journal_event(m->environment.journal, &event, "NIC %s is up and has ESP offload",
			      nic->name);
}

void manager_tell_reload(struct manager *m, int result, const char *messages)
{
	bool warned = result >= 0 && messages && messages[0];
	const char *path = m->environment.config_path;
	struct journal_event event = {
		.kind = result < 0 ? JOURNAL_CONFIGURATION_REJECTED : JOURNAL_CONFIGURATION_LOADED,
		.priority = warned ? LOG_WARNING : 0,
		.error = result < 0 ? result : 0,
	};

	if (result < 0)
		journal_event(m->environment.journal, &event,
			      "%s was not loaded, the rules before it stay in force:\n%s", path,
			      messages);
	else
		journal_event(m->environment.journal, &event,
			      "Loaded %s: %zu NIC entries, %zu rules, %zu groups%s%s", path,
			      m->config->n_nics, m->config->n_rules, m->config->n_groups,
			      warned ? "\n" : "", warned ? messages : "");
}

void manager_tell_paused(struct manager *m)
{
	bool paused = orders_are_paused(m->orders);
	struct journal_event event = {.kind = paused ? JOURNAL_PAUSED : JOURNAL_RESUMED};

	journal_event(m->environment.journal, &event,
		      paused ? "Paused: SAs stay where they are, but for NICs that may not hold "
			       "them"
			     : "Resumed");
}

void manager_tell_orders(struct manager *m, int error)
{
	const char *path = m->environment.orders_path;
	struct journal_event event = {
		.kind = error < 0 ? JOURNAL_ORDERS_LOST : JOURNAL_PAUSED,
		.error = error,
	};

	for (size_t i = 0; i < orders_n_evacuated(m->orders); i++)
		manager_tell_evacuated(m, orders_evacuated(m->orders, i), true);
	if (error < 0)
		journal_event(m->environment.journal, &event,
			      "Paused: whether the operator had paused or evacuated a NIC is not "
			      "known, since %s cannot be read: %s (it is kept as %s.damaged)",
			      path, strerror(-error), path);
	else if (orders_are_paused(m->orders))
		journal_event(m->environment.journal, &event, "Still paused, as before the start");
}

void manager_tell_stopping(struct manager *m, bool now)
{
	bool owed = manager_owes(m);
	struct journal_event event = {
		.kind = JOURNAL_STOPPING,
		.priority = !owed ? 0
			    : now ? LOG_CRIT
				  : LOG_WARNING,
		.reason = owed ? health_name(HEALTH_OWED) : NULL,
	};

	if (!owed)
		journal_event(m->environment.journal, &event, "Stopping; SAs stay where they are");
	else if (now)
		journal_event(m->environment.journal, &event,
			      "Stopping although an SA could not be put back; its image is lost "
			      "unless the service manager keeps it (FileDescriptorStorePreserve=) "
			      "for the next start");
	else
		journal_event(
			m->environment.journal, &event,
			"Told to stop, but an SA could not be put back yet; trying on for %g s",
			MANAGER_STOP_SECONDS);
}

void manager_tell_evacuated(struct manager *m, const char *nic, bool evacuated)
{
	struct journal_event event = {
		.kind = evacuated ? JOURNAL_EVACUATED : JOURNAL_RESUMED,
		.nic = nic,
		.reason = "evacuated",
	};

	journal_event(m->environment.journal, &event,
		      evacuated ? "NIC %s is evacuated and kept empty"
				: "NIC %s may be filled again",
		      nic);
}

void manager_tell_completed(struct manager *m, const struct move *move)
{
	struct sa_description d = {.id = move->id};
	struct journal_event event = {
		.kind = JOURNAL_RESTORED,
		.reason = move_result_name(move->result),
	};
	struct sa_fields fields;

	fill_fields(m, &event, &fields, &d, NULL);
	event.source = event.direction = NULL;
	journal_event(m->environment.journal, &event,
		      "The last run was interrupted while it moved SA %s to %s: %s", event.spi,
		      event.destination,
		      move->result == MOVE_RESULT_GONE
			      ? "it was deleted meanwhile and stays deleted"
		      : move->result == MOVE_RESULT_LOST
			      ? "the kernel does not take it back yet, trying again"
			      : "it is back in software");
}
