// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Does the NIC do what it promised? For some seconds after a promotion the SA's own counters are
 * watched: integrity failures and replays, which a move starts from zero, and its rate against that
 * of before. An SA that fared worse goes back to software and stays there with a doubling
 * back-off; a NIC that failed several SAs loses its trust for a while, and everything that was put
 * there leaves.
 *
 * Somebody who sends forged packets to an inbound SA can raise its integrity failures, and so keep
 * it in software: that is where it would be without this daemon.
 */
#include "manager.h"

#include <string.h>

#define WATCH_SECONDS 10.0
/* More than stray packets on their way during the move can explain. */
#define FAILURES_MAX 4
#define REPLAYS_MAX 32
/* Over so many seconds, in which so many packets were to be expected, less than this share of the
 * bytes. Traffic that ends by itself looks the same, so the share is small, and what is lost by a
 * wrong guess is a minute in software for an SA that carries little. */
#define SLOWER_SECONDS 4.0
#define SLOWER_PACKETS 60.0
#define SLOWER_SHARE 0.1

#define STRIKES_MAX 3
#define STRIKES_SECONDS 600.0
#define DISTRUST_SECONDS 600.0
#define DISTRUST_SECONDS_MAX 86400.0

void manager_watch_begin(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	sa->watch = (struct sa_watch){
		.until = manager_now(m) + WATCH_SECONDS,
		.since = manager_now(m),
		.failures = facts->integrity_failures,
		.replayed = facts->replayed,
		.bytes = facts->bytes,
	};
}

static const char *find_fault(struct manager *m, const struct sa *sa, const struct sa_facts *facts)
{
	double seconds = manager_now(m) - sa->watch.since;

	if (facts->integrity_failures > sa->watch.failures + FAILURES_MAX)
		return "integrity-failures";
	if (facts->replayed > sa->watch.replayed + REPLAYS_MAX)
		return "replays";
	if (seconds >= SLOWER_SECONDS && sa->packet_rate * seconds >= SLOWER_PACKETS &&
	    (double)(facts->bytes - sa->watch.bytes) < SLOWER_SHARE * sa->byte_rate * seconds)
		return "slower";
	return NULL;
}

static void strike(struct manager *m, struct manager_nic *n)
{
	double now = manager_now(m);

	if (now - n->struck_at > STRIKES_SECONDS)
		n->strikes = 0;
	n->struck_at = now;
	if (++n->strikes < STRIKES_MAX)
		return;
	n->strikes = 0;
	n->distrust = n->distrust > 0 ? 2 * n->distrust : DISTRUST_SECONDS;
	if (n->distrust > DISTRUST_SECONDS_MAX)
		n->distrust = DISTRUST_SECONDS_MAX;
	n->distrusted_until = now + n->distrust;
	manager_tell_distrusted(m, n);
	m->look_anew = true;
}

void manager_watch(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	struct manager_nic *n;
	const char *fault;

	if (sa->watch.until == 0)
		return;
	if (sa->ifindex == 0 || manager_now(m) > sa->watch.until) {
		sa->watch = (struct sa_watch){};
		return;
	}
	fault = find_fault(m, sa, facts);
	if (!fault)
		return;
	sa->watch = (struct sa_watch){};
	manager_tell_fault(m, sa, fault);
	if (sa->handle != POLICY_NONE)
		policy_sa_made_worse(m->policy, sa->handle, manager_now(m));
	n = manager_nic(m, sa->ifindex);
	/* Slow traffic can have reasons of its own; only what is certain costs trust. */
	if (n && strcmp(fault, "slower") != 0)
		strike(m, n);
}

bool manager_nic_is_distrusted(const struct manager *m, const struct manager_nic *n)
{
	return n && n->distrusted_until > 0 && manager_now(m) < n->distrusted_until;
}

/* Trust comes back with time. */
void manager_watch_tick(struct manager *m)
{
	for (size_t i = 0; i < m->n_nics; i++) {
		struct manager_nic *n = &m->nics[i];

		if (n->distrusted_until > 0 && manager_now(m) >= n->distrusted_until) {
			n->distrusted_until = 0;
			m->look_anew = true;
		}
	}
	if (m->look_anew) {
		m->look_anew = false;
		manager_look_anew(m);
	}
}
