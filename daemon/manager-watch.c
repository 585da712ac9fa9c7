// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds NICs that harm SAs. For some seconds after a promotion the SA's own counters of
 * integrity failures and replays are watched, which a move starts from zero. Whether its rate
 * suffers the policy finds out (policy/compare.c). An SA that fared worse goes back to software and
 * stays there with a doubling back-off. A NIC that broke several SAs, or in which several stood
 * still, loses its trust for a while, and everything that was put there leaves; that it is slower
 * than software costs it no trust.
 *
 * Some drivers free late (mlx5): after an SA was deleted the NIC goes on decrypting its inbound
 * packets until the last reference to it is gone, up to seconds later. The SA in software receives
 * what is decrypted already: every packet of that time fails its integrity check (10 of 10 on a
 * simulated NIC). So there an inbound SA is evicted when it is quiet, if it can wait; and failures
 * of that time are no fault of the NIC, not even after the SA is back in it. The IKE daemon may
 * have made it anew meanwhile, so the time of the last SA that left counts for every inbound one.
 *
 * Somebody who sends forged packets to an inbound SA can raise its integrity failures, and so keep
 * it in software: that is where it would be without this daemon.
 */
#include "manager.h"

#define WATCH_SECONDS 10.0
/* More than stray packets on their way during the move can explain. */
#define FAILURES_MAX 4
#define REPLAYS_MAX 32

/* So long after its deletion the NIC may still decrypt for an SA, or hold its slot. */
#define LATE_SECONDS 10.0
/* And so long, and as many samples, without a packet make it quiet: one that sends regularly then
 * has less than one packet in the time that it loses. */
#define QUIET_SECONDS 5.0
#define QUIET_SAMPLES 2.0

void manager_watch_begin(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	bool late = sa->description.direction == SA_DIRECTION_IN &&
		    manager_slots_are_late(m, facts->offload_ifindex);
	double from = late ? nics_get(m->nics, facts->offload_ifindex)->left_at + LATE_SECONDS
			   : manager_now(m);

	sa->watch = (struct sa_watch){
		.from = from,
		.until = from + WATCH_SECONDS,
		.failures = facts->integrity_failures,
		.replayed = facts->replayed,
	};
}

static const char *find_fault(const struct sa *sa, const struct sa_facts *facts)
{
	if (facts->integrity_failures > sa->watch.failures + FAILURES_MAX)
		return "integrity-failures";
	if (facts->replayed > sa->watch.replayed + REPLAYS_MAX)
		return "replays";
	return NULL;
}

static void strike(struct manager *m, struct placement_nic *n)
{
	if (!trust_strike(&n->trust, manager_now(m)))
		return;
	report_distrusted(m->reporter, n->name, n->trust.lost_for);
	m->look_anew = true;
}

void manager_watch(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	struct placement_nic *n;
	const char *fault;

	if (sa->ifindex == 0 || facts->offload_ifindex != sa->ifindex ||
	    manager_now(m) > sa->watch.until) {
		sa->watch = (struct sa_watch){};
		return;
	}
	if (manager_now(m) < sa->watch.from) {
		sa->watch.failures = facts->integrity_failures;
		sa->watch.replayed = facts->replayed;
		return;
	}
	fault = find_fault(sa, facts);
	if (!fault)
		return;
	sa->watch = (struct sa_watch){};
	report_fault(m->reporter, network_name(m->network, sa->ifindex), sa, fault);
	if (sa->handle != POLICY_NONE)
		policy_sa_made_worse(m->policy, sa->handle, manager_now(m));
	n = nics_get(m->nics, sa->ifindex);
	if (n)
		strike(m, n);
}

void manager_watch_verdict(struct manager *m, struct sa *sa)
{
	struct policy_verdict verdict;
	struct placement_nic *n;

	if (!policy_sa_take_verdict(m->policy, sa->handle, &verdict))
		return;
	n = nics_of_table(m->nics, verdict.table);
	if (!n)
		return;
	report_verdict(m->reporter, n->name, sa, &verdict);
	if (verdict.slower && verdict.stopped)
		strike(m, n);
}

/* The SA, the NIC or the operator cannot wait. */
static bool is_urgent(enum policy_reason reason)
{
	switch (reason) {
	case POLICY_REASON_BANNED:
	case POLICY_REASON_NO_LONGER_ALLOWED:
	case POLICY_REASON_OVER_CAPACITY:
	case POLICY_REASON_MADE_WORSE:
	case POLICY_REASON_DOUBTED:
		return true;
	default:
		return false;
	}
}

bool manager_evict_later(struct manager *m, const struct sa *sa, const struct policy_move *planned)
{
	const struct placement_nic *n = nics_get(m->nics, sa->ifindex);
	double quiet = QUIET_SAMPLES * m->config->interval;

	if (planned->action != POLICY_EVICT || !n || !n->frees_late ||
	    sa->description.direction != SA_DIRECTION_IN || is_urgent(planned->reason))
		return false;
	return manager_now(m) - sa->carried_at < (quiet > QUIET_SECONDS ? quiet : QUIET_SECONDS);
}

bool manager_slots_are_late(struct manager *m, int ifindex)
{
	const struct placement_nic *n = nics_get(m->nics, ifindex);

	return n && n->frees_late && manager_now(m) - n->left_at < LATE_SECONDS;
}

void manager_note_left(struct manager *m, int ifindex)
{
	struct placement_nic *n = nics_get(m->nics, ifindex);

	if (n && n->frees_late)
		n->left_at = manager_now(m);
}

void manager_watch_tick(struct manager *m)
{
	m->look_anew |= nics_expire(m->nics);
	m->look_anew |= peer_moves_expire(tracker_peer_moves(m->tracker), manager_now(m));
	manager_look_anew_if_due(m);
}
