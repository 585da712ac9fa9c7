// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Finds which SAs in NICs are owned by this daemon, after the IKE daemon or the kernel changed
 * them. A foreign SA that is mistaken for an owned one would be moved without permission. An owned
 * SA that is mistaken for a foreign one would stay in its NIC, with its key, until the IKE daemon
 * deletes it.
 */
#include "sa/tracker-internal.h"
#include "xfrm/compat.h"

#include <netlink/msg.h>
#include <string.h>

bool tracker_owns(const struct tracker *tracker, const struct sa *sa)
{
	return sa->residence.ifindex == 0 ||
	       ownership_contains(tracker->ownership, &sa->description.id, sa->residence.ifindex,
				  sa->add_time);
}

/* Of a shape, UPDSA can change only the if_id. */
static bool same_but_if_id(const struct sa_shape *a, const struct sa_shape *b)
{
	struct sa_shape other = *b;

	other.if_id = a->if_id;
	return memcmp(a, &other, sizeof(other)) == 0;
}

/*
 * xfrm_timer_handler() rewrites the add_time of an SA after the clock was stepped, and UPDSA can
 * change the if_id. In both cases there is no event of a deletion, and no counter decreases.
 */
bool tracker_is_same_state(const struct tracker *tracker, const struct sa *sa,
			   const struct sa_facts *facts)
{
	const struct sa_description *a = &sa->description, *b = &facts->description;

	return sa->residence.ifindex != 0 && !sa->residence.foreign &&
	       !sa->presence.deleted_by_other &&
	       (!tracker->stale || facts->add_time == sa->add_time) &&
	       sa->residence.ifindex == facts->offload_ifindex && facts->bytes >= sa->bytes &&
	       facts->packets >= sa->packets && a->reqid == b->reqid && a->mode == b->mode &&
	       a->cpu == b->cpu && a->label == b->label &&
	       memcmp(&a->source, &b->source, sizeof(a->source)) == 0 &&
	       same_but_if_id(sa->shape, &facts->shape);
}

static bool find_original(const struct tracker *tracker, const struct sa *sa, struct sa_id *ret_id)
{
	const struct sa *original;
	struct sa_id id;

	/* The first dump may show the original after the copy. */
	if ((tracker->dumping && tracker->generation == 1) ||
	    !ownership_find_same(tracker->ownership, &sa->description.id, sa->add_time, &id))
		return false;
	original = sa_table_find(&tracker->sas, &id);
	if (original && original != sa && !original->presence.deleted_by_other)
		return false;
	*ret_id = id;
	return true;
}

bool tracker_is_copy(const struct tracker *tracker, const struct sa *sa)
{
	struct sa_id id;

	return find_original(tracker, sa, &id);
}

bool tracker_adopt(struct tracker *tracker, const struct sa *sa)
{
	struct ownership *ownership = tracker->ownership;
	const struct sa_id *id = &sa->description.id;
	struct sa_id original;

	if (!find_original(tracker, sa, &original) ||
	    ownership_add(ownership, id, sa->residence.ifindex, sa->add_time) < 0)
		return false;
	if (memcmp(&original, id, sizeof(original)) != 0)
		(void)ownership_remove(ownership, &original);
	if (peer_moves_learn(tracker->peer_moves, &sa->description, tracker_now(tracker)))
		tracker->callbacks->peers_moved(tracker->userdata);
	return true;
}

/* Marks the SA as deleted, so that it is not restored with its old addresses before it is read
 * again. It is also read with its new addresses, since it may still be in its NIC. */
static void note_gone(struct tracker *tracker, struct sa *sa, uint16_t new_family,
		      const xfrm_address_t *new_destination)
{
	struct sa_id id = sa->description.id;

	sa->presence.deleted_by_other = true;
	tracker_note_changed(tracker, &id);
	id.family = new_family;
	id.destination = sa_address_read(new_family, new_destination);
	tracker_note_changed(tracker, &id);
}

static bool same_address(uint16_t family, const struct sa_address *a, const xfrm_address_t *b)
{
	struct sa_address other = sa_address_read(family, b);

	return memcmp(a, &other, sizeof(other)) == 0;
}

/* Matches as xfrm_migrate_state_find() does. The kernel migrates one SA with these addresses, and
 * the event does not show which one, so all of them are noted. */
static void note_migrate(struct tracker *tracker, const struct xfrm_user_migrate *migrate)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &tracker->sas.all, list) {
		const struct sa_description *d = &sa->description;

		if (d->id.family == migrate->old_family && d->id.protocol == migrate->proto &&
		    d->mode == migrate->mode &&
		    (migrate->reqid == 0 || d->reqid == migrate->reqid) &&
		    same_address(d->id.family, &d->id.destination, &migrate->old_daddr) &&
		    same_address(d->id.family, &d->source, &migrate->old_saddr))
			note_gone(tracker, sa, migrate->new_family, &migrate->new_daddr);
	}
}

static void note_migrate_state(struct tracker *tracker,
			       const struct xfrm_compat_migrate_state *migrate)
{
	const struct xfrm_usersa_id *old = &migrate->id;
	struct sa_id id = {
		.destination = sa_address_read(old->family, &old->daddr),
		.spi = ntohl(old->spi),
		.mark_value = migrate->old_mark.v,
		.mark_mask = migrate->old_mark.m,
		.family = old->family,
		.protocol = old->proto,
	};
	struct sa *sa = sa_table_find(&tracker->sas, &id);

	if (!sa)
		return;
	if (migrate->new_family != old->family ||
	    !same_address(old->family, &id.destination, &migrate->new_daddr) ||
	    !same_address(old->family, &sa->description.source, &migrate->new_saddr))
		note_gone(tracker, sa, migrate->new_family, &migrate->new_daddr);
}

void tracker_note_migrated(struct tracker *tracker, const struct nlmsghdr *message)
{
	struct nlmsghdr *p = (struct nlmsghdr *)message;
	struct nlattr *attribute;
	int remaining;

	if (message->nlmsg_type == XFRM_COMPAT_MSG_MIGRATE_STATE) {
		if (nlmsg_datalen(message) >= (int)sizeof(struct xfrm_compat_migrate_state))
			note_migrate_state(tracker, nlmsg_data(message));
		return;
	}
	nlmsg_for_each_attr(attribute, p, (int)sizeof(struct xfrm_userpolicy_id), remaining) {
		if (nla_type(attribute) == XFRMA_MIGRATE &&
		    nla_len(attribute) >= (int)sizeof(struct xfrm_user_migrate))
			note_migrate(tracker, nla_data(attribute));
	}
}
