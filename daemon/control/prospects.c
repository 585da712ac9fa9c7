// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/prospects.h"

#include <assert.h>
#include <math.h>

#define ITS_SUCCESSOR "It stays where it is; the SA that replaces it may move."
#define STAYS "It stays where it is for as long as it lives."
#define LEAVES "Nothing has to change: it leaves the NIC."
#define AT_NEXT_TURN "Nothing has to change: it moves at the next turn."
#define WAIT_OVER "It may move when its wait is over."
#define NIC_CHANGED                                                                              \
	"It is offered to the NIC again after 'espoffloadctl reload', or when the NIC has been " \
	"down and up."

static const char *const of_hands_off[] = {
	[HANDS_OFF_NOT_ESP] = STAYS,
	[HANDS_OFF_LARVAL] = "It may move when the IKE daemon has completed it.",
	[HANDS_OFF_UNKNOWN_ATTRIBUTE] =
		"It moves only with a version of espoffloadd that knows the attribute.",
	[HANDS_OFF_REDACTED_KEY] = "It may move when the kernel is no longer in lockdown.",
	[HANDS_OFF_PACKET_MODE] =
		("It stays where it is until the IKE daemon replaces it by one without packet "
		 "offload."),
	[HANDS_OFF_MODE] = STAYS,
	[HANDS_OFF_TFC] = ("It stays where it is until the IKE daemon replaces it by one without "
			   "TFC padding."),
	[HANDS_OFF_SELECTOR] = STAYS,
	[HANDS_OFF_TOO_LARGE] = STAYS,
	[HANDS_OFF_FOREIGN] =
		("It may move when the program that offloaded it does so no longer: switch that "
		 "off "
		 "in the IKE daemon (libreswan: nic-offload=no, strongSwan: hw_offload = no)."),
	[HANDS_OFF_DIRECTION_UNKNOWN] = "It may move when its local address is on this machine.",
	[HANDS_OFF_SHARED_SPI] = "It may move when the other SA with its SPI is gone.",
	[HANDS_OFF_PACKET_PARTNER] =
		"It may move when the other SA is no longer in packet offload.",
	[HANDS_OFF_SOFT_EXPIRED] = ITS_SUCCESSOR,
	[HANDS_OFF_NEAR_LIMIT] = ITS_SUCCESSOR,
	[HANDS_OFF_SEQUENCE_SPACE] = ITS_SUCCESSOR,
	[HANDS_OFF_OPTIONAL_TEMPLATE] = "It may move when the policy requires its protection.",
	[HANDS_OFF_THRESHOLDS] = ("It stays where it is until the IKE daemon replaces it by one "
				  "without such thresholds."),
	[HANDS_OFF_DRIVER] = "It may move when its packets leave by a NIC with another driver.",
};
static_assert(ELEMENTSOF(of_hands_off) == _HANDS_OFF_MAX, "every reason has a sentence");

static const char *const of_candidacy[] = {
	[CANDIDACY_IDLE] = "Its NIC is looked up when it carries something.",
	[CANDIDACY_NO_ROUTE] = "It may move when there is a route for its packets.",
	[CANDIDACY_VRF_UNCLEAR] = "It may move when a rule names its NIC (nic:).",
	[CANDIDACY_NO_NIC] = "It may move when the device exists.",
	[CANDIDACY_NIC_DOWN] = "It may move when the NIC is up.",
	[CANDIDACY_NIC_NO_OFFLOAD] =
		("It may move when its packets leave by a device that has ESP offload, switched on "
		 "(ethtool -K: esp-hw-offload)."),
	[CANDIDACY_NIC_VLAN] = "It may move when its packets leave by the NIC itself.",
	[CANDIDACY_NIC_NOT_ALLOWED] =
		"It may move when the configuration allows the NIC (allow: true).",
	[CANDIDACY_NIC_NOT_TRUSTED] =
		"It may move when the configuration trusts the NIC with keys (trusted: true).",
	[CANDIDACY_NIC_FIPS] =
		("It may move when the configuration says that the NIC is inside the "
		 "boundary (fips: true)."),
	[CANDIDACY_NIC_BOND] = "It may move on a kernel that can offload to a bond.",
	[CANDIDACY_NIC_DIRECTION] =
		"It may move when the configuration has slots for its direction (capacity:).",
	[CANDIDACY_NIC_EVACUATED] = "It may move after 'espoffloadctl resume NIC'.",
	[CANDIDACY_NIC_DISTRUSTED] = "It may move when the NIC is trusted again.",
	[CANDIDACY_NIC_NO_TABLE] =
		"It may move when the configuration has a number of slots for the NIC (capacity:).",
	[CANDIDACY_REFUSED_SHAPE] = WAIT_OVER,
	[CANDIDACY_SOFTWARE_DRIVER] =
		("It may move when another software driver serves it, or when its rule does not "
		 "leave it there (leave-software-driver:)."),
	[CANDIDACY_PEER_MOVES] = "It may move when its tunnel has kept its addresses for 24 hours.",
};
static_assert(ELEMENTSOF(of_candidacy) == _CANDIDACY_MAX, "every candidacy has a sentence");

/* Of SAs in software. */
static const char *const of_outsider[] = {
	[POLICY_REASON_NO_TABLE] = "It may move when there is a NIC that it may use.",
	[POLICY_REASON_BANNED] = "It may move when its rule no longer says 'offload: never'.",
	[POLICY_REASON_PINNED] =
		"It moves as soon as there is a slot, or an SA in the NIC that it may displace.",
	[POLICY_REASON_IMMOVABLE] = STAYS,
	[POLICY_REASON_IDLE] = "It moves when it carries enough to win a slot.",
	[POLICY_REASON_UNKNOWN_RATE] = "It may move when its rate is known, after two samples.",
	[POLICY_REASON_BELOW_MINIMUM] =
		"It may move when it carries more than the minimum rate of its rule.",
	[POLICY_REASON_FREE_SLOT] = AT_NEXT_TURN,
	[POLICY_REASON_HOTTER] = AT_NEXT_TURN,
	[POLICY_REASON_COLDER] = AT_NEXT_TURN,
	[POLICY_REASON_GAIN_TOO_SMALL] = ("It moves when the gain pays for the move: by more "
					  "traffic, or by this traffic for "
					  "longer."),
	[POLICY_REASON_NOT_HOT_ENOUGH] =
		("It moves when it carries more than an SA that it may displace and that pays for "
		 "the moves, or when a slot becomes free."),
	[POLICY_REASON_MOVES_SPENT] =
		"It moves when the budget of moves is filled up again (moves-per-second).",
	[POLICY_REASON_DWELLING] = "It may move when its hold time after the last move is over.",
	[POLICY_REASON_REFUSED] = WAIT_OVER,
	[POLICY_REASON_SUCCESSOR] = AT_NEXT_TURN,
	[POLICY_REASON_NO_LONGER_ALLOWED] = AT_NEXT_TURN,
	[POLICY_REASON_OVER_CAPACITY] = AT_NEXT_TURN,
	[POLICY_REASON_RATE_CEILING] = "It moves when the NIC carries less (max-rate).",
	[POLICY_REASON_RESIDENT] = AT_NEXT_TURN,
	[POLICY_REASON_SUPERSEDED] = AT_NEXT_TURN,
	[POLICY_REASON_GROUP_FLOOR] = AT_NEXT_TURN,
	[POLICY_REASON_GROUP_CEILING] =
		"It moves when its group has a slot less in the NIC, or a higher ceiling.",
	[POLICY_REASON_MADE_WORSE] = WAIT_OVER,
	[POLICY_REASON_DOUBTED] = "It may move again when it is known what it carries in software.",
};
static_assert(ELEMENTSOF(of_outsider) == _POLICY_REASON_MAX, "every reason has a sentence");

static const char *change_of_resident(const struct sa *sa, enum policy_reason reason)
{
	switch (reason) {
	case POLICY_REASON_RESIDENT:
	case POLICY_REASON_IDLE:
	case POLICY_REASON_UNKNOWN_RATE:
		return "It leaves when an SA outside is hotter by enough to pay for the moves, or "
		       "when it may not be in the NIC any more.";
	case POLICY_REASON_PINNED:
		if (sa->candidate.ordered)
			return "It leaves when the order that pins it has ended, or when it may "
			       "not be in the NIC any more.";
		return "It leaves when its rule no longer says 'offload: always', or when it may "
		       "not be in the NIC any more.";
	case POLICY_REASON_IMMOVABLE:
		return STAYS;
	default:
		return LEAVES;
	}
}

/* What holds for all SAs that the daemon may move. */
static const char *change_of_mode(struct manager *m)
{
	if (m->config->mode == CONFIG_MODE_OBSERVE)
		return "The daemon moves SAs only with 'mode: enforce'.";
	if (orders_are_paused(m->orders))
		return "Nothing is promoted before 'espoffloadctl resume'.";
	return NULL;
}

/* Seconds, INFINITY: it is not known. `own`: the wait of the SA itself. */
static double wait_for_nic(struct manager *m, const struct sa *sa, double own)
{
	const struct placement_nic *n = nics_get(m->nics, sa->candidate.ifindex);
	double now = manager_now(m);

	if (sa->candidate.candidacy == CANDIDACY_REFUSED_SHAPE &&
	    sa_on_reject(sa) == CONFIG_REJECT_RETRY)
		return fmax(own, refusals_wait(nics_refusals(m->nics), sa->candidate.ifindex,
					       sa->shape, now));
	if (sa->candidate.candidacy == CANDIDACY_NIC_DISTRUSTED && n)
		return fmax(0, n->trust.lost_until - now);
	return (double)INFINITY;
}

/* Of an SA whose shape the NIC refused. */
static const char *change_of_refused(const struct sa *sa)
{
	return sa_on_reject(sa) == CONFIG_REJECT_RETRY ? WAIT_OVER : NIC_CHANGED;
}

static bool is_banned(const struct sa *sa)
{
	return sa->candidate.offload == CONFIG_OFFLOAD_NEVER;
}

/* In the order in which one hides the next. */
static void find_change(struct manager *m, const struct sa *sa, struct prospects *p)
{
	const char *mode = change_of_mode(m);

	p->moves_in = (double)INFINITY;
	if (sa->residence.foreign || sa->hands_off != HANDS_OFF_NONE) {
		p->change = of_hands_off[sa->residence.foreign ? HANDS_OFF_FOREIGN : sa->hands_off];
	} else if (is_banned(sa) && sa->residence.ifindex == 0) {
		p->change = sa->candidate.ordered
				    ? "It may move when the order that bans it has ended."
				    : of_outsider[POLICY_REASON_BANNED];
	} else if (sa->candidate.candidacy != CANDIDACY_OK && sa->residence.ifindex == 0) {
		p->change = sa->candidate.candidacy == CANDIDACY_REFUSED_SHAPE
				    ? change_of_refused(sa)
				    : of_candidacy[sa->candidate.candidacy];
		p->moves_in = wait_for_nic(m, sa, p->view.retry_in);
	} else if (mode) {
		p->change = mode;
	} else {
		p->change = p->view.resident ? change_of_resident(sa, p->view.reason)
					     : of_outsider[p->view.reason];
		p->moves_in = p->view.moves_in;
	}
}

static void find_slots(struct manager *m, const struct sa *sa, struct prospects *p)
{
	bool in = sa->description.direction == SA_DIRECTION_IN;
	const struct placement_nic *n = NULL;
	policy_table table;

	if (sa->residence.ifindex != 0)
		n = nics_get(m->nics, sa->residence.ifindex);
	else if (p->competes)
		n = nics_get(m->nics, sa->candidate.ifindex);
	if (!n)
		return;
	table = in ? n->in : n->out;
	if (table == POLICY_NONE)
		return;
	p->nic = n->name;
	p->side = n->shared ? "" : in ? "inbound " : "outbound ";
	policy_table_get(m->policy, table, &p->slots);
}

void prospects_of(struct manager *m, const struct sa *sa, struct prospects *p)
{
	*p = (struct prospects){.view = describe_view(m, sa)};
	describe_place(m, sa, &p->view, &p->place);
	if (p->view.other != POLICY_NONE)
		p->other = sa_table_by_handle(m->sas, p->view.other);
	if (sa->probation)
		p->probation = fmax(0, sa->probation->until - manager_now(m));
	p->competes = sa->candidate.candidacy == CANDIDACY_OK && sa->hands_off == HANDS_OFF_NONE &&
		      !is_banned(sa);
	find_slots(m, sa, p);
	find_change(m, sa, p);
}
