// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the kernel's notifications (events). */
#include "sa/tracker-internal.h"
#include "xfrm/compat.h"

#include <errno.h>
#include <netlink/msg.h>

/* Events that arrive faster than they are read must not block the event loop. This many rounds read
 * more than the socket's buffer holds. */
#define DRAIN_ROUNDS_MAX 64

static void note_made(struct tracker *tracker, const struct sa_facts *facts)
{
	if (peer_moves_note_made(tracker->peer_moves, facts, clock_realtime(tracker->clock),
				 tracker_now(tracker)))
		tracker->callbacks->peers_moved(tracker->userdata);
}

int tracker_handle_event(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct tracker *tracker = userdata;
	struct sa_facts facts;
	struct sa *sa;

	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_DELPOLICY:
	case XFRM_MSG_POLEXPIRE:
	case XFRM_MSG_FLUSHPOLICY:
		spd_handle(&tracker->spd, message);
		return 0;
	case XFRM_MSG_FLUSHSA:
		TAILQ_FOREACH(sa, &tracker->sas.all, list)
			sa->presence.deleted_by_other = true;
		tracker_mark_stale(tracker);
		return 0;
	case XFRM_COMPAT_MSG_MIGRATE_STATE:
	case XFRM_MSG_MIGRATE:
		/* The message does not show the new state of the SA, so all SAs must be read again.
		 * After its own messages the migrator reads the SA itself. */
		if (!own) {
			tracker_note_migrated(tracker, message);
			tracker_mark_stale(tracker);
		}
		return 0;
	default:
		break;
	}
	if (own || sa_facts_read(message, &facts) < 0)
		return 0;
	sa = sa_table_find(&tracker->sas, &facts.description.id);
	if (message->nlmsg_type == XFRM_MSG_DELSA)
		peer_moves_note_deleted(tracker->peer_moves, &facts, tracker_now(tracker));
	if (message->nlmsg_type == XFRM_MSG_NEWSA)
		note_made(tracker, &facts);
	if (sa && message->nlmsg_type == XFRM_MSG_DELSA)
		sa->presence.deleted_by_other = true;
	if (sa && message->nlmsg_type == XFRM_MSG_EXPIRE) {
		/* Read by its offset, since netlink aligns messages to 4 bytes only. */
		const uint8_t *data = NLMSG_DATA(message);

		*(data[offsetof(struct xfrm_user_expire, hard)] ? &sa->presence.deleted_by_other
								: &sa->soft_expired) = true;
	}
	tracker_note_changed(tracker, &facts.description.id);
	return 0;
}

/* `stale`: whether events were lost or may be left unread. */
static int finish(struct tracker *tracker, int r, bool stale, bool was_stale)
{
	if (r == -ENOBUFS)
		tracker->overruns++;
	if (stale)
		tracker_mark_stale(tracker);
	if (tracker->stale && !was_stale)
		tracker->callbacks->outdated(tracker->userdata);
	if (tracker->changes.n > 0)
		tracker->callbacks->changed(tracker->userdata);
	return r;
}

int tracker_drain_events(struct tracker *tracker)
{
	bool was_stale = tracker->stale;
	int r = 1;

	for (unsigned i = 0; i < DRAIN_ROUNDS_MAX && r > 0; i++)
		r = kernel_receive_events(tracker->kernel, tracker_handle_event, tracker);
	return finish(tracker, r, r != 0, was_stale);
}

int tracker_read_events(struct tracker *tracker)
{
	bool was_stale = tracker->stale;
	int r = kernel_receive_events(tracker->kernel, tracker_handle_event, tracker);

	return finish(tracker, r, r < 0, was_stale);
}
