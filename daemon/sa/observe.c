// SPDX-License-Identifier: GPL-2.0-or-later
/* Adds an entry to the table for an SA that was read, or updates its entry. */
#include "sa/tracker-internal.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* An SA without ESN is not promoted when it has fewer outbound sequence numbers left than this: 7 s
 * at 100 Gbit/s. */
#define PROMOTION_SEQUENCE_RESERVE (UINT32_C(1) << 30)

static void resolve_direction(struct tracker *tracker, const struct sa *sa, struct sa_facts *facts)
{
	struct sa_description *d = &facts->description;
	bool from, to;

	if (d->direction == SA_DIRECTION_UNKNOWN) {
		from = tracker->callbacks->address_is_local(d->id.family, &d->source,
							    tracker->userdata);
		to = tracker->callbacks->address_is_local(d->id.family, &d->id.destination,
							  tracker->userdata);
		if (from != to)
			d->direction = from ? SA_DIRECTION_OUT : SA_DIRECTION_IN;
		else if (sa)
			d->direction = sa->description.direction; /* the address is gone */
	}
	facts->shape.direction = d->direction;
}

static enum hands_off find_hands_off(struct tracker *tracker, const struct sa *sa,
				     const struct sa_facts *facts)
{
	const struct sa_description *d = &facts->description;

	if (facts->hands_off != HANDS_OFF_NONE)
		return facts->hands_off;
	if (sa->residence.foreign)
		return HANDS_OFF_FOREIGN;
	if (d->direction == SA_DIRECTION_UNKNOWN)
		return HANDS_OFF_DIRECTION_UNKNOWN;
	if (sa->shares_spi)
		return HANDS_OFF_SHARED_SPI;
	if (sa_table_has_packet_partner(&tracker->sas, sa, 0))
		return HANDS_OFF_PACKET_PARTNER;
	if (sa->soft_expired)
		return HANDS_OFF_SOFT_EXPIRED;
	if (d->direction == SA_DIRECTION_OUT && spd_makes_optional(&tracker->spd, d))
		return HANDS_OFF_OPTIONAL_TEMPLATE;
	/* If the NIC goes down, restoring an SA skips sequence numbers (sa/shadow.h). An SA without
	 * ESN has few. */
	if (sa->residence.ifindex == 0 && !facts->shape.esn &&
	    facts->output_sequence > UINT32_MAX - PROMOTION_SEQUENCE_RESERVE)
		return HANDS_OFF_SEQUENCE_SPACE;
	/* A move that was refused before it began found this reason. GETSA does not show the cause,
	 * so the reason stays. */
	if (sa->hands_off == HANDS_OFF_THRESHOLDS || sa->hands_off == HANDS_OFF_TOO_LARGE)
		return sa->hands_off;
	return sa_facts_check_limits(facts, tracker->sampled_at_real);
}

enum hands_off tracker_check_again(struct tracker *tracker, const struct sa *sa)
{
	if (sa->shares_spi)
		return HANDS_OFF_SHARED_SPI;
	if (sa_table_has_packet_partner(&tracker->sas, sa, 0))
		return HANDS_OFF_PACKET_PARTNER;
	if (sa->description.direction == SA_DIRECTION_OUT &&
	    spd_makes_optional(&tracker->spd, &sa->description))
		return HANDS_OFF_OPTIONAL_TEMPLATE;
	return HANDS_OFF_NONE;
}

static void drop(struct tracker *tracker, struct sa *sa)
{
	tracker->callbacks->vanishes(sa, tracker->userdata);
	tracker->n_shown -= sa->presence.generation == tracker->generation;
	if (sa == tracker->previous)
		tracker->previous = TAILQ_PREV(sa, sa_list, list);
	sa_table_remove(&tracker->sas, sa);
}

void tracker_forget(struct tracker *tracker, struct sa *sa)
{
	ownership_leave(tracker->ownership, &sa->description.id, tracker_now(tracker));
	drop(tracker, sa);
}

/* Whether this is a different SA with the same identity, so that nothing known of the old one is
 * true. */
static bool is_another(const struct sa *sa, const struct sa_facts *facts)
{
	const struct sa_description *a = &sa->description, *b = &facts->description;

	return facts->add_time != sa->add_time || a->reqid != b->reqid || a->if_id != b->if_id ||
	       a->cpu != b->cpu || a->label != b->label || a->mode != b->mode ||
	       memcmp(&a->source, &b->source, sizeof(a->source)) != 0 ||
	       memcmp(sa->shape, &facts->shape, sizeof(facts->shape)) != 0;
}

static void note_packet_mode(struct tracker *tracker, struct sa *sa, const struct sa_facts *facts)
{
	sa_table_set_packet(&tracker->sas, sa, facts->offload_flags & XFRM_COMPAT_OFFLOAD_PACKET);
}

static struct sa *add_new(struct tracker *tracker, const struct sa_facts *facts)
{
	bool adopted;
	struct sa *sa;

	if (sa_table_add(&tracker->sas, &facts->description, &facts->shape, &sa) < 0)
		return NULL;
	sa->add_time = facts->add_time;
	sa->output_mark = facts->output_mark;
	sa->unknown_attribute = facts->unknown_attribute;
	sa->bytes = facts->bytes;
	sa->packets = facts->packets;
	sa->output_sequence = facts->output_sequence;
	sa->carried_at = facts->packets > 0 ? tracker->sampled_at : 0;
	sa_table_set_residence(&tracker->sas, sa, facts->offload_ifindex, false);
	adopted = !tracker_owns(tracker, sa) && tracker_adopt(tracker, sa);
	sa_table_set_residence(&tracker->sas, sa, facts->offload_ifindex,
			       !tracker_owns(tracker, sa));
	sa->residence.since = tracker->sampled_at;
	sa->hands_off = find_hands_off(tracker, sa, facts);
	tracker->callbacks->appeared(sa, facts, adopted, tracker->userdata);
	return sa;
}

/* The direction of an SA can become known later, when a local address is added. */
static bool direction_changed(const struct sa *sa, const struct sa_facts *facts)
{
	return sa->description.direction != facts->description.direction;
}

static void update_residence(struct tracker *tracker, struct sa *sa, const struct sa_facts *facts,
			     struct tracker_change *change)
{
	change->moved = true;
	change->left_ifindex = sa->residence.ifindex;
	change->was_resident = sa_is_resident(sa);
	sa_table_set_residence(&tracker->sas, sa, facts->offload_ifindex, false);
	sa_table_set_residence(&tracker->sas, sa, facts->offload_ifindex,
			       !tracker_owns(tracker, sa));
	sa->residence.since = tracker->sampled_at;
	/* The record is kept for some seconds: the IKE daemon may have read the SA while it was in
	 * the NIC, and install that copy (tracker_adopt()). */
	if (sa->residence.ifindex == 0)
		ownership_leave(tracker->ownership, &sa->description.id, tracker_now(tracker));
}

static void note_masked(struct tracker *tracker, const struct sa *sa)
{
	if (tracker->n_masked < ELEMENTSOF(tracker->masked))
		tracker->masked[tracker->n_masked++] = sa->description.id;
}

/* Replaces the entry: by that of another SA, or of the same SA whose identifying values changed. */
static struct sa *replace(struct tracker *tracker, struct sa *sa, const struct sa_facts *facts)
{
	bool same = tracker_is_same_state(tracker, sa, facts);
	struct sa_probation *probation = same ? TAKE_PTR(sa->probation) : NULL;
	double moved_at = sa->residence.since;

	tracker_forget(tracker, sa);
	if (same)
		(void)ownership_add(tracker->ownership, &facts->description.id,
				    facts->offload_ifindex, facts->add_time);
	sa = add_new(tracker, facts);
	if (sa && same) {
		free(sa->probation);
		sa->probation = probation;
		sa->residence.since = moved_at;
	} else {
		free(probation);
	}
	return sa;
}

/* A larval SA has the identity of a complete SA of the table. Either the kernel has both: a packet
 * that found no SA during a move made the larval one (MOVE_UNMASK). Or it has only the larval one,
 * made in the same way or by the daemon in the place of an SA that is owed. Returns false when the
 * larval SA is to replace the entry. */
static bool handle_larval(struct tracker *tracker, struct sa *sa)
{
	if (tracker->dumping && sa->presence.generation == tracker->generation) {
		note_masked(tracker, sa);
		return true;
	}
	if (tracker->dumping) {
		/* Either the dump shows the complete SA later, or it is missing. */
		sa->presence.masked = tracker->generation;
		return true;
	}
	return tracker->callbacks->missing(sa, tracker->userdata);
}

static struct sa *find(struct tracker *tracker, const struct sa_id *id)
{
	return tracker->dumping ? sa_table_find_in_order(&tracker->sas, &tracker->previous, id)
				: sa_table_find(&tracker->sas, id);
}

static void note_shown(struct tracker *tracker, struct sa *sa)
{
	tracker->n_shown += sa->presence.generation != tracker->generation;
	sa->presence.generation = tracker->generation;
	if (tracker->reading_all && sa->presence.masked == tracker->generation)
		note_masked(tracker, sa);
}

struct sa *tracker_observe(struct tracker *tracker, const struct sa_facts *told)
{
	struct sa_facts facts = *told;
	struct sa *sa = find(tracker, &facts.description.id);
	enum hands_off hands_off;
	struct tracker_change change = {.sampled_at = tracker->sampled_at,
					.dumped = tracker->reading_all};

	resolve_direction(tracker, sa, &facts);
	if (sa && facts.hands_off == HANDS_OFF_LARVAL && sa->hands_off != HANDS_OFF_LARVAL &&
	    handle_larval(tracker, sa))
		return sa;
	if (sa && (is_another(sa, &facts) || direction_changed(sa, &facts)))
		sa = replace(tracker, sa, &facts);
	else if (!sa)
		sa = add_new(tracker, &facts);
	/* The deletion of the original may become known later than its copy. */
	if (sa && sa->residence.foreign && tracker_is_copy(tracker, sa)) {
		drop(tracker, sa);
		sa = add_new(tracker, &facts);
	}
	if (!sa)
		return NULL;

	note_shown(tracker, sa);
	sa->digest = 0; /* these facts need not be from a message */
	sa->presence.deleted_by_other = false;
	sa->presence.missing_since = 0;
	change.carried = facts.packets != sa->packets;
	if (change.carried)
		sa->carried_at = tracker->sampled_at;
	sa->bytes = facts.bytes;
	sa->packets = facts.packets;
	sa->output_sequence = facts.output_sequence;
	if (facts.offload_ifindex != sa->residence.ifindex)
		update_residence(tracker, sa, &facts, &change);
	note_packet_mode(tracker, sa, &facts);
	hands_off = find_hands_off(tracker, sa, &facts);
	if (sa->hands_off == HANDS_OFF_DRIVER && hands_off == HANDS_OFF_NONE)
		hands_off = HANDS_OFF_DRIVER;
	change.hands_off = hands_off != sa->hands_off;
	sa->hands_off = hands_off;
	tracker->callbacks->sampled(sa, &facts, &change, tracker->userdata);
	return sa;
}

bool tracker_observe_early(struct tracker *tracker, const struct sa_facts *facts)
{
	struct sa *sa = sa_table_find(&tracker->sas, &facts->description.id);

	if (facts->hands_off == HANDS_OFF_LARVAL) {
		(void)tracker_observe(tracker, facts);
		return false;
	}
	if (!sa || sa->presence.masked != tracker->generation)
		return true;
	/* The kernel had both. GETSA could show the larval SA. */
	note_shown(tracker, sa);
	return false;
}

void tracker_note_message(struct tracker *tracker, struct sa *sa, const struct nlmsghdr *message)
{
	if (sa->residence.ifindex == 0)
		sa->digest = sa_digest(&tracker->digest_factors, message);
}

void tracker_read_in_full(struct tracker *tracker)
{
	sa_digest_renew(&tracker->digest_factors);
}

/* The SA's own message shows the reason, and would show its end; or nothing but a move ends it. */
static bool is_lasting(enum hands_off reason)
{
	return reason < HANDS_OFF_FOREIGN || reason == HANDS_OFF_DRIVER;
}

/* None of the reasons that tracker_check_again() finds can apply to any SA. */
static bool has_no_reasons(const struct tracker *tracker)
{
	return tracker->sas.packet.n == 0 && !spd_matters(&tracker->spd);
}

/*
 * Whether a message that is the same as at the last reading would give the same result. What a
 * reading considers beside the message: other SAs, policies, the time, events, and the local
 * addresses (tracker_read_in_full()). The reasons of the first three can also end, so an SA that
 * has one of them is read.
 */
static bool is_steady(struct tracker *tracker, const struct sa *sa, const struct nlmsghdr *message)
{
	const uint8_t *data = NLMSG_DATA(message);
	struct xfrm_lifetime_cur current;
	struct xfrm_lifetime_cfg limits;

	if (!is_lasting(sa->hands_off) || sa->soft_expired || sa->residence.ifindex != 0 ||
	    sa->description.direction == SA_DIRECTION_UNKNOWN || sa->handle == POLICY_NONE ||
	    sa->presence.deleted_by_other || sa->presence.missing_since != 0 || sa->shares_spi)
		return false;
	memcpy(&limits, data + offsetof(struct xfrm_usersa_info, lft), sizeof(limits));
	memcpy(&current, data + offsetof(struct xfrm_usersa_info, curlft), sizeof(current));
	return current.packets == sa->packets &&
	       sa_facts_check_ages(current.add_time, current.use_time, &limits,
				   tracker->sampled_at_real) == HANDS_OFF_NONE &&
	       (has_no_reasons(tracker) || tracker_check_again(tracker, sa) == HANDS_OFF_NONE);
}

/*
 * Most SAs of a dump are idle, and are where the last dump showed them. The digest is of the
 * message, so what another program changed is noticed also where no event shows it (NEWAE). Only
 * for algorithms and keys the events are needed, or add_time: another SA with the same identity.
 * Keys that the kernel hides from now on are noticed when a move reads the SA.
 */
bool tracker_is_unchanged(struct tracker *tracker, const struct nlmsghdr *message)
{
	struct sa *sa = sa_table_behind(&tracker->sas, tracker->previous);
	const uint8_t *data = NLMSG_DATA(message);
	uint32_t spi;

	if (!tracker->dumping || !sa || sa->digest == 0 ||
	    message->nlmsg_len < NLMSG_LENGTH(sizeof(struct xfrm_usersa_info)))
		return false;
	memcpy(&spi, data + offsetof(struct xfrm_usersa_info, id.spi), sizeof(spi));
	if (ntohl(spi) != sa->description.id.spi || !is_steady(tracker, sa, message) ||
	    sa_digest(&tracker->digest_factors, message) != sa->digest)
		return false;
	tracker->previous = sa;
	note_shown(tracker, sa);
	tracker->callbacks->unchanged(sa, tracker->sampled_at, tracker->userdata);
	return true;
}

void tracker_handle_facts(struct tracker *tracker, const struct sa_facts *facts)
{
	tracker_read_clock(tracker);
	(void)tracker_observe(tracker, facts);
}
