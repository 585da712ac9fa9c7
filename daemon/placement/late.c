// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/late.h"

/* How long after the deletion of an SA the NIC may still decrypt its packets or hold its slot. */
#define LATE_SECONDS 10.0
/* An SA is quiet after this time and this number of samples without a packet. An SA with regular
 * traffic then loses less than one packet in the time of the move. */
#define QUIET_SECONDS 5.0
#define QUIET_SAMPLES 2.0

/* Whether the eviction must not wait, because of the SA, the NIC or an order. */
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

/* Whether the NIC spoils the packets that are on their way while an SA leaves it. */
static bool loses_packets(const struct nic_driver *driver, enum sa_direction direction)
{
	if (!driver)
		return false;
	return direction == SA_DIRECTION_IN ? driver->frees_late : driver->sends_by_slot;
}

static bool frees_late(const struct placement_nic *n)
{
	return n && n->driver && n->driver->frees_late;
}

bool late_is_to_wait(struct nics *nics, const struct sa *sa, const struct policy_move *planned,
		     double interval, double now)
{
	const struct placement_nic *n = nics_get(nics, sa->residence.ifindex);
	double quiet = QUIET_SAMPLES * interval;

	if (planned->action != POLICY_EVICT || !n ||
	    !loses_packets(n->driver, sa->description.direction) || is_urgent(planned->reason))
		return false;
	return now - sa->carried_at < (quiet > QUIET_SECONDS ? quiet : QUIET_SECONDS);
}

bool late_are_slots(struct nics *nics, int ifindex, double now)
{
	const struct placement_nic *n = nics_get(nics, ifindex);

	return n && now - (frees_late(n) ? n->left_at : n->evicted_at) < LATE_SECONDS;
}

double late_over_at(struct nics *nics, enum sa_direction direction, int ifindex, double now)
{
	const struct placement_nic *n = nics_get(nics, ifindex);

	if (direction != SA_DIRECTION_IN || !frees_late(n) || !late_are_slots(nics, ifindex, now))
		return now;
	return n->left_at + LATE_SECONDS;
}

void late_note_left(struct nics *nics, int ifindex, double now)
{
	struct placement_nic *n = nics_get(nics, ifindex);

	if (n)
		n->left_at = now;
}

void late_note_evicted(struct nics *nics, int ifindex, double now)
{
	struct placement_nic *n = nics_get(nics, ifindex);

	if (n)
		n->evicted_at = now;
}
