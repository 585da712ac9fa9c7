// SPDX-License-Identifier: GPL-2.0-or-later
/* Callbacks of the tracker: passes what was read of SAs to the policy, the NICs, the shadows and
 * the reporter. */
#include "manager/manager.h"
#include "placement/late.h"
#include "placement/probation.h"

#include <math.h>

/* Shortest time between two history samples, s; each is a bar in `top`. A second, less what a tick
 * can be early. */
#define HISTORY_SECONDS 0.95

static bool address_is_local(uint16_t family, const struct sa_address *address, void *userdata)
{
	struct manager *m = userdata;

	return network_address_is_local(m->network, family, address);
}

static void report_adoption(struct manager *m, const struct sa *sa)
{
	const struct placement_nic *nic = nics_get(m->nics, sa->residence.ifindex);

	report_adopted(m->reporter, network_name(m->network, sa->residence.ifindex), sa,
		       nic ? nic->candidacy : CANDIDACY_NO_NIC);
}

void manager_begin_probation(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	probation_begin(sa, facts,
			late_over_at(m->nics, sa->description.direction, facts->offload_ifindex,
				     manager_now(m)));
}

static void strike(struct manager *m, struct placement_nic *n)
{
	if (!trust_strike(&n->trust, manager_now(m)))
		return;
	report_distrusted(m->reporter, n->name, n->trust.lost_for);
	m->reconfigure = true;
}

void manager_check_probation(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	const char *fault;
	struct placement_nic *n;

	if (!sa->probation)
		return;
	fault = probation_check(sa, facts, manager_now(m));
	if (!fault)
		return;
	n = nics_get(m->nics, sa->residence.ifindex);
	report_fault(m->reporter, network_name(m->network, sa->residence.ifindex), sa, fault);
	if (sa->handle != POLICY_NONE)
		policy_sa_made_worse(m->policy, sa->handle, manager_now(m));
	if (n)
		strike(m, n);
}

/* Handles the policy's verdict whether a NIC slows the SA down, if there is a new one. */
static void handle_verdict(struct manager *m, struct sa *sa)
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

static void appeared(struct sa *sa, const struct sa_facts *facts, bool adopted, void *userdata)
{
	struct manager *m = userdata;

	/* The SA is in a NIC that may not hold SAs: a table must exist, so that the policy can
	 * evict it. */
	if (sa_is_resident(sa) && nics_get(m->nics, sa->residence.ifindex) &&
	    nics_table_of_residence(m->nics, sa) == POLICY_NONE)
		manager_update_nics(m);
	manager_configure_sa(m, sa);
	if (adopted) {
		late_note_left(m->nics, sa->residence.ifindex,
			       manager_now(m)); /* the original of the copy */
		manager_begin_probation(m, sa, facts);
		report_adoption(m, sa);
		schedule_in(&m->schedule, MANAGER_PLAN, 0);
	}
	if (sa->residence.foreign)
		m->nics_changed = true;
	if (sa->hands_off != HANDS_OFF_NONE && sa->hands_off != HANDS_OFF_LARVAL)
		report_hands_off(m->reporter, network_name(m->network, sa->residence.ifindex), sa);
}

static void note_placement(struct manager *m, struct sa *sa, const struct tracker_change *change)
{
	probation_end(sa);
	if (change->left_ifindex != 0)
		late_note_left(m->nics, change->left_ifindex, manager_now(m));
	m->nics_changed = true;
	if (sa->handle != POLICY_NONE && sa_is_resident(sa) != change->was_resident)
		policy_sa_set_resident(m->policy, sa->handle, sa_is_resident(sa), manager_now(m));
}

static void note_rate(struct manager *m, struct sa *sa, bool dumped)
{
	struct policy_rate rate = policy_sa_rate(m->policy, sa->handle);

	sa_history_set(&sa->history, m->samples, rate.last);
	if (policy_sa_matters(m->policy, sa->handle))
		sampling_note(&m->sampling, sa);
	if (dumped && rate.known && rate.mean > 0)
		load_add(&m->load, m->nics, sa, rate.mean, rate.cpu_weight);
}

/* One that counts each packet on the wire. The kernel's counts a packet that is segmented later as
 * one, in a NIC, and in software if the kernel segments as late as a NIC would (esp4_offload). So
 * for outbound SAs the sequence numbers are counted, which are skipped only after a link was down.
 */
static uint64_t packets_of(const struct manager *m, const struct sa *sa)
{
	bool out = sa->description.direction == SA_DIRECTION_OUT;

	return manager_cpu_costs(m) && out ? sa->output_sequence : sa->packets;
}

static void note_counters(struct manager *m, struct sa *sa, double sampled_at, bool dumped)
{
	if (!policy_sa_observe(m->policy, sa->handle, sa->bytes, packets_of(m, sa), sampled_at)) {
		if (sa->history)
			sa_history_set(&sa->history, m->samples, 0);
		return;
	}
	handle_verdict(m, sa);
	note_rate(m, sa, dumped);
}

static void count_reason(struct manager *m, const struct sa *sa)
{
	standing_count(&m->load.gathered.software, m->policy, sa, manager_now(m));
}

static void sampled(struct sa *sa, const struct sa_facts *facts,
		    const struct tracker_change *change, void *userdata)
{
	struct manager *m = userdata;

	if (change->moved)
		note_placement(m, sa, change);
	else
		manager_check_probation(m, sa, facts);
	/* A larval SA gets no handle. */
	if (change->moved || change->hands_off ||
	    (sa->handle == POLICY_NONE && sa->hands_off != HANDS_OFF_LARVAL))
		manager_configure_sa(m, sa);
	if (change->carried)
		manager_look_up(m, sa);
	if (sa->handle != POLICY_NONE)
		note_counters(m, sa, change->sampled_at, change->dumped);
	if (change->dumped)
		count_reason(m, sa);
}

static void unchanged(struct sa *sa, double sampled_at, void *userdata)
{
	note_counters(userdata, sa, sampled_at, true);
	count_reason(userdata, sa);
}

static void was_read(struct sa *sa, const struct nlmsghdr *message, double asked_at, void *userdata)
{
	struct manager *m = userdata;

	shadows_sample(m->shadows, sa, message, asked_at);
}

static bool missing(struct sa *sa, void *userdata)
{
	struct manager *m = userdata;

	return shadows_note_missing(m->shadows, sa);
}

static void vanishes(struct sa *sa, void *userdata)
{
	struct manager *m = userdata;

	if (sa->handle != POLICY_NONE) {
		executor_cancel_of(m->executor, sa->handle);
		policy_sa_remove(m->policy, sa->handle, manager_now(m));
	}
	if (sa->residence.ifindex != 0)
		late_note_left(m->nics, sa->residence.ifindex, manager_now(m));
	manager_set_alarm(m, sa, false);
	m->nics_changed = true;
}

static void peers_moved(void *userdata)
{
	struct manager *m = userdata;

	m->reconfigure = true;
}

static void policies_lost(int ifindex, size_t n, void *userdata)
{
	struct manager *m = userdata;

	/* After a loss of events the policies may have been deleted deliberately. */
	if (!tracker_is_stale(m->tracker) || !network_is_up(m->network, ifindex))
		report_policies_lost(m->reporter, network_name(m->network, ifindex), n);
}

static void outdated(void *userdata)
{
	manager_tick_soon(userdata);
}

static void changed(void *userdata)
{
	struct manager *m = userdata;

	schedule_in(&m->schedule, MANAGER_CHANGES, 0);
}

const struct tracker_callbacks manager_tracker_callbacks = {
	.address_is_local = address_is_local,
	.appeared = appeared,
	.sampled = sampled,
	.unchanged = unchanged,
	.read = was_read,
	.missing = missing,
	.vanishes = vanishes,
	.peers_moved = peers_moved,
	.policies_lost = policies_lost,
	.outdated = outdated,
	.changed = changed,
};

/* The samples of this dump are the next ones of the histories. */
static void begin_history(struct manager *m, double now)
{
	if (now - m->history_at < HISTORY_SECONDS)
		return;
	m->history_at = now;
	m->samples++;
}

/* Returns as tracker_continue_dump(). */
static int read_slice(struct manager *m, double seconds)
{
	double begun = manager_now(m), ended;
	int r = tracker_continue_dump(m->tracker, seconds);

	ended = manager_now(m);
	sampling_note_slice(&m->sampling, ended - begun);
	if (r != 0)
		return r;
	load_end(&m->load, m->nics);
	sampling_end_dump(&m->sampling, ended, m->config->interval);
	return 0;
}

static int begin_dump(struct manager *m)
{
	double now = manager_now(m);

	begin_history(m, now);
	load_begin(&m->load, m->nics);
	sampling_begin_dump(&m->sampling, now);
	return tracker_begin_dump(m->tracker);
}

int manager_dump(struct manager *m)
{
	int r = begin_dump(m);

	return r < 0 ? r : read_slice(m, INFINITY);
}

int manager_begin_dump(struct manager *m)
{
	int r = begin_dump(m);

	return r < 0 ? r : manager_continue_dump(m);
}

int manager_continue_dump(struct manager *m)
{
	double begun = manager_now(m);
	int r = read_slice(m, m->sampling.slice);

	if (r > 0)
		schedule_in(&m->schedule, MANAGER_DUMP,
			    fmax(manager_now(m) - begun, SAMPLING_SLICE));
	return r;
}

void manager_sample(struct manager *m)
{
	struct sa_id *ids = calloc(SAMPLING_RESIDENTS_MAX + SAMPLING_OUTSIDERS_MAX, sizeof(*ids));

	if (!ids)
		return; /* the next dump reads them */
	begin_history(m, manager_now(m));
	tracker_read_again(m->tracker, ids, sampling_list(&m->sampling, m->sas, m->policy, ids));
	free(ids);
}
