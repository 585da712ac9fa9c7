// SPDX-License-Identifier: GPL-2.0-or-later
/* The known and accepted limits of the migrator: the condition of each, and what may be wrong
 * then. */
#include "explore-run.h"

#include <errno.h>

static bool refuses(const struct run *run, uint16_t type)
{
	return run->scenario->fault.kind == FAKE_FAULT_REFUSE &&
	       fake_kernel_struck(run->fake) == type;
}

/* No working kernel does this: it returns "no such SA" for an SA that exists. */
bool explore_is_implausible(const struct run *run)
{
	return run->scenario->fault.error == -ESRCH &&
	       (refuses(run, XFRM_MSG_GETSA) || refuses(run, XFRM_MSG_GETAE) ||
		refuses(run, XFRM_MSG_DELSA));
}

/* Whether answers are lost. */
static bool is_blind(const struct run *run)
{
	return run->outcome->killed || run->scenario->fault.kind == FAKE_FAULT_RECEIVE ||
	       run->scenario->fault.kind == FAKE_FAULT_LOSE_ANSWER;
}

static bool gets_late(const struct explore_scenario *s)
{
	return has_event(s, EVENT_LATE) || s->before_recovery == EVENT_LATE;
}

/* ---- One thing may be wrong ---- */

static bool stood_still(const struct run *run)
{
	return has_event(run->scenario, EVENT_LATE);
}

static bool stood_at_guard(const struct run *run)
{
	return has_event(run->scenario, EVENT_LOOKUP) && !run->seen_away;
}

static bool spi_named(const struct run *run)
{
	return run->scenario->world->names_spi;
}

static bool larval_expired(const struct run *run)
{
	return gets_late(run->scenario);
}

static bool cannot_clean_up(const struct run *run)
{
	return run->scenario->fault.kind == FAKE_FAULT_REFUSE &&
	       run->scenario->fault.count >= FAKE_DELETIONS;
}

static bool nameless(const struct run *run)
{
	return run->outcome->killed && !run->stored;
}

static bool elsewhere(const struct run *run)
{
	if (run->scenario->world->answer != ANSWER_ELSEWHERE)
		return false;
	return (run->outcome->killed && !run->stored) || run->scenario->fault.count > 1;
}

/* Our UPDSA hit an SA of the IKE daemon, and the GETSA that would show that failed. */
static bool not_undone(const struct run *run)
{
	return run->renewed && (is_blind(run) || refuses(run, XFRM_MSG_GETSA));
}

/* ---- The SA may be lost, with all consequences for the IKE daemon ---- */

static bool link_down(const struct run *run)
{
	return run->flushed;
}

static bool no_larval(const struct run *run)
{
	/* In these worlds the scenarios with such a fault have no events. */
	if (run->scenario->world->spi == SPI_SHARED_REFUSED && is_blind(run))
		return true;
	return (run->outcome->killed || run->deleted_away || fake_ike_errors(run->fake) > 0) &&
	       refuses(run, XFRM_MSG_ALLOCSPI);
}

static bool written_before(const struct run *run)
{
	return run->written_before &&
	       (is_blind(run) || run->scenario->fault.kind == FAKE_FAULT_LOSE_NOTE);
}

static bool same_spi(const struct run *run)
{
	return (run->deleted_before || run->deleted_away) &&
	       has_event(run->scenario, EVENT_READD) && run->scenario->second.event;
}

static bool cannot_look(const struct run *run)
{
	return run->renewed && run->scenario->fault.count > 1;
}

static bool written_to_larval(const struct run *run)
{
	return run->outcome->acquires > 0 && run->scenario->world->names_spi &&
	       (run->met_packets || gets_late(run->scenario));
}

static bool deleted_while_dead(const struct run *run)
{
	return run->outcome->killed && run->deleted_away && run->scenario->world->names_spi &&
	       run->outcome->acquires > 0;
}

static const struct excuse excuses[] = {
	{LIMIT_STOOD_STILL, stood_still, ALLOWS_ACQUIRE},
	{LIMIT_STOOD_AT_GUARD, stood_at_guard, ALLOWS_ACQUIRE},
	{LIMIT_SPI_NAMED, spi_named, ALLOWS_ACQUIRE},
	{LIMIT_LARVAL_EXPIRED, larval_expired, ALLOWS_CLOSURE},
	{LIMIT_CANNOT_CLEAN_UP, cannot_clean_up, ALLOWS_SPARED},
	{LIMIT_NAMELESS, nameless, ALLOWS_NAMELESS},
	{LIMIT_ELSEWHERE, elsewhere, ALLOWS_NIC},
	{LIMIT_NOT_UNDONE, not_undone, ALLOWS_LIMITS},
	{LIMIT_LINK_DOWN, link_down, ALLOWS_LOSS},
	{LIMIT_NO_LARVAL, no_larval, ALLOWS_LOSS},
	{LIMIT_WRITTEN_BEFORE, written_before, ALLOWS_LOSS},
	{LIMIT_SAME_SPI, same_spi, ALLOWS_LOSS},
	{LIMIT_CANNOT_LOOK, cannot_look, ALLOWS_LOSS},
	{LIMIT_WRITTEN_TO_LARVAL, written_to_larval, ALLOWS_LOSS},
	{LIMIT_DELETED_WHILE_DEAD, deleted_while_dead, ALLOWS_LOSS},
};

const struct excuse *explore_excuses(size_t *ret_n)
{
	*ret_n = ELEMENTSOF(excuses);
	return excuses;
}

const char *explore_limit_name(enum explore_limit limit)
{
	static const char *const names[] = {
		"none",
		"the SA was lost with its NIC (the link watch restores it)",
		"the larval SA could not be made, and its absence was misinterpreted",
		"IKE wrote between GETSA and DELSA, and the notification was lost",
		"IKE deleted the SA and added one with the same SPI during the move",
		"IKE installed the SA again in the gap, and it could not be read",
		"the daemon was stopped until its larval SA expired, just before it deleted the SA",
		"a lookup was at a larval SA that was deleted, and the SA had not been moved",
		"a packet that names the SPI came before the larval SA in the SA's place",
		"a request of the IKE daemon hit the larval SA of a packet that names the SPI",
		"IKE deleted the SA while the daemon was dead; a packet's larval SA has its place",
		"the daemon was stopped or dead until the larval SA in the SA's place expired",
		"the kernel refused each attempt to delete a larval SA",
		"a killed daemon left a larval SA without an SPI",
		"the SA is in another NIC, and it could not be read, or the daemon was killed",
		"IKE installed the SA again in the gap, and the change of its limits was missed",
	};

	return names[limit];
}
