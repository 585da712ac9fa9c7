// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Observations. Once an interval the kernel dumps all SAs; between dumps its events say that
 * something happened to an SA, which is then read again by GETSA: events are hints (the UPDSA one
 * shows values that never were), what GETSA answers is true.
 */
#include "manager.h"
#include "sa/placed.h"
#include "xfrm/compat.h"

#include <errno.h>
#include <math.h>
#include <netlink/msg.h>
#include <string.h>

/* More changes than this between two iterations of the loop are cheaper to find by a dump. */
#define CHANGED_MAX 4096
/* Entries that a dump did not show are confirmed one by one, at most so many a tick. */
#define CONFIRM_MAX 4096

/* An SA without ESN that has fewer outbound numbers left is not promoted: 7 s at 100 Gbit/s. */
#define PROMOTION_SEQUENCE_RESERVE (UINT32_C(1) << 30)

/* What survives a rekey: everything in a description but the SPI. Without padding: compared as
 * bytes. */
struct lineage {
	struct sa_address source, destination;
	uint32_t reqid, mark_value, mark_mask, if_id, cpu, label;
	uint16_t family;
	uint8_t protocol, mode;
	uint32_t direction;
};

_Static_assert(sizeof(struct lineage) == 64, "policy_sa_add() takes no more");

static struct lineage lineage_of(const struct sa_description *d)
{
	return (struct lineage){
		.source = d->source,
		.destination = d->id.destination,
		.reqid = d->reqid,
		.mark_value = d->id.mark_value,
		.mark_mask = d->id.mark_mask,
		.if_id = d->if_id,
		.cpu = d->cpu,
		.label = d->label,
		.family = d->id.family,
		.protocol = d->id.protocol,
		.mode = d->mode,
		.direction = d->direction,
	};
}

static void resolve_direction(struct manager *m, const struct sa *sa, struct sa_facts *facts)
{
	struct sa_description *d = &facts->description;
	bool from, to;

	if (d->direction == SA_DIRECTION_UNKNOWN) {
		from = network_address_is_local(m->network, d->id.family, &d->source);
		to = network_address_is_local(m->network, d->id.family, &d->id.destination);
		if (from != to)
			d->direction = from ? SA_DIRECTION_OUT : SA_DIRECTION_IN;
		else if (sa)
			d->direction = sa->description.direction; /* the address went since */
	}
	facts->shape.direction = d->direction;
}

static enum hands_off find_hands_off(struct manager *m, const struct sa *sa,
				     const struct sa_facts *facts)
{
	const struct sa_description *d = &facts->description;

	if (facts->hands_off != HANDS_OFF_NONE)
		return facts->hands_off;
	if (sa->foreign)
		return HANDS_OFF_FOREIGN;
	if (d->direction == SA_DIRECTION_UNKNOWN)
		return HANDS_OFF_DIRECTION_UNKNOWN;
	if (sa_table_spi_is_shared(&m->sas, &d->id))
		return HANDS_OFF_SHARED_SPI;
	if (sa_table_has_packet_partner(&m->sas, sa, 0))
		return HANDS_OFF_PACKET_PARTNER;
	if (sa->soft_expired)
		return HANDS_OFF_SOFT_EXPIRED;
	if (d->direction == SA_DIRECTION_OUT && spd_makes_optional(&m->spd, d))
		return HANDS_OFF_OPTIONAL_TEMPLATE;
	/* A NIC that goes down costs an SA without ESN some of its numbers (sa/shadow.h). */
	if (sa->ifindex == 0 && !facts->shape.esn &&
	    facts->output_sequence > UINT32_MAX - PROMOTION_SEQUENCE_RESERVE)
		return HANDS_OFF_SEQUENCE_SPACE;
	/* Found by a move that was refused before it began; GETSA does not show the cause. */
	if (sa->hands_off == HANDS_OFF_THRESHOLDS || sa->hands_off == HANDS_OFF_TOO_LARGE)
		return sa->hands_off;
	return sa_facts_check_limits(facts, clock_realtime(&m->environment.clock));
}

enum hands_off manager_check_again(struct manager *m, const struct sa *sa)
{
	if (sa_table_spi_is_shared(&m->sas, &sa->description.id))
		return HANDS_OFF_SHARED_SPI;
	if (sa_table_has_packet_partner(&m->sas, sa, 0))
		return HANDS_OFF_PACKET_PARTNER;
	if (sa->description.direction == SA_DIRECTION_OUT &&
	    spd_makes_optional(&m->spd, &sa->description))
		return HANDS_OFF_OPTIONAL_TEMPLATE;
	return HANDS_OFF_NONE;
}

static struct policy_sa_config policy_config(struct manager *m, struct sa *sa)
{
	const struct config_rule *rule = sa->rule;
	struct policy_sa_config config = {
		.weight = rule ? rule->weight : 1.0,
		.min_rate = rule ? rule->min_rate : 0.0,
		.pinned = rule && rule->offload == CONFIG_OFFLOAD_ALWAYS,
		.banned = rule && rule->offload == CONFIG_OFFLOAD_NEVER,
		.group = sa->group ? 1 + (uint32_t)(sa->group - m->config->groups) : 0,
	};

	nics_resolve(m->nics, sa, &config.table);
	if (sa->hands_off == HANDS_OFF_NONE || sa->hands_off == HANDS_OFF_DRIVER) {
		const char *reason;
		enum hands_off driver = nics_check_driver(m->nics, sa, &reason);

		sa->hands_off = sa->ifindex == 0 ? driver : HANDS_OFF_NONE;
		/* A copy that the IKE daemon made (manager_adopt()) can have come to that. */
		if (driver == HANDS_OFF_DRIVER && sa->ifindex != 0)
			config.table = POLICY_NONE;
	}
	/* Foreign SAs too: their slots are subtracted from the capacity. */
	config.immovable = sa->hands_off != HANDS_OFF_NONE;
	return config;
}

static bool is_resident(const struct sa *sa)
{
	return sa->ifindex != 0 && !sa->foreign;
}

void manager_configure_sa(struct manager *m, struct sa *sa)
{
	struct lineage lineage = lineage_of(&sa->description);
	struct policy_sa_config config, wanted;
	policy_sa handle;

	sa->rule = config_match_rule(m->config, &sa->description);
	sa->group = config_match_group(m->config, &sa->description);
	config = policy_config(m, sa);
	if (sa->handle != POLICY_NONE) {
		(void)policy_sa_configure(m->policy, sa->handle, &config, manager_now(m));
		return;
	}
	/* It may never be completed, and is to take over nothing from its predecessor before. */
	if (sa->hands_off == HANDS_OFF_LARVAL)
		return;
	wanted = config;
	/* Where it is first, where it may be then: so that the policy sees one that has to leave.
	 */
	if (is_resident(sa))
		config.table = nics_table_of_residence(m->nics, sa);
	if (policy_sa_add(m->policy, &config, &lineage, sizeof(lineage), is_resident(sa),
			  manager_now(m), &handle) < 0)
		return; /* without memory it stays where it is, and is tried again at the next dump
			 */
	if (sa_table_set_handle(&m->sas, sa, handle) < 0) {
		policy_sa_remove(m->policy, handle, manager_now(m));
		return;
	}
	if (config.table != wanted.table)
		(void)policy_sa_configure(m->policy, handle, &wanted, manager_now(m));
	sa->virtually_resident = is_resident(sa);
}

void manager_configure_all(struct manager *m)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas.all, list)
		manager_configure_sa(m, sa);
}

static void drop(struct manager *m, struct sa *sa)
{
	if (sa->handle != POLICY_NONE) {
		executor_cancel_of(m->executor, sa->handle);
		policy_sa_remove(m->policy, sa->handle, manager_now(m));
	}
	if (sa->ifindex != 0)
		manager_note_left(m, sa->ifindex);
	sa_table_remove(&m->sas, sa);
	m->nics_changed = true;
}

void manager_forget(struct manager *m, struct sa *sa)
{
	placed_leave(m->environment.placed, &sa->description.id, manager_now(m));
	drop(m, sa);
}

/* The same identity, but another SA: nothing of the old one holds. */
static bool is_another(const struct sa *sa, const struct sa_facts *facts)
{
	const struct sa_description *a = &sa->description, *b = &facts->description;

	return facts->add_time != sa->add_time || a->reqid != b->reqid || a->if_id != b->if_id ||
	       a->cpu != b->cpu || a->label != b->label || a->mode != b->mode ||
	       memcmp(&a->source, &b->source, sizeof(a->source)) != 0 ||
	       memcmp(sa->shape, &facts->shape, sizeof(facts->shape)) != 0;
}

static void note_packet_mode(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	sa_table_set_packet(&m->sas, sa, facts->offload_flags & XFRM_COMPAT_OFFLOAD_PACKET);
}

static struct sa *take_new(struct manager *m, const struct sa_facts *facts)
{
	const struct placement_nic *nic;
	bool adopted;
	struct sa *sa;

	if (sa_table_add(&m->sas, &facts->description, &facts->shape, &sa) < 0)
		return NULL;
	sa->add_time = facts->add_time;
	sa->output_mark = facts->output_mark;
	sa->unknown_attribute = facts->unknown_attribute;
	sa->ifindex = facts->offload_ifindex;
	adopted = !manager_owns(m, sa) && manager_adopt(m, sa);
	sa->foreign = !manager_owns(m, sa);
	sa->moved_at = manager_now(m);
	sa->hands_off = find_hands_off(m, sa, facts);
	/* In a NIC that may not hold it: there must be a table that it is to leave. */
	if (is_resident(sa) && nics_get(m->nics, sa->ifindex) &&
	    nics_table_of_residence(m->nics, sa) == POLICY_NONE)
		manager_update_nics(m);
	manager_configure_sa(m, sa);
	if (adopted) {
		manager_note_left(m, sa->ifindex); /* what it is a copy of */
		manager_watch_begin(m, sa, facts);
		nic = nics_get(m->nics, sa->ifindex);
		report_adopted(m->reporter, network_name(m->network, sa->ifindex), sa,
			       nic ? nic->candidacy : CANDIDACY_NO_NIC);
		schedule_in(&m->schedule, MANAGER_PLAN, 0);
	}
	if (sa->foreign)
		m->nics_changed = true;
	if (sa->hands_off != HANDS_OFF_NONE && sa->hands_off != HANDS_OFF_LARVAL)
		report_hands_off(m->reporter, network_name(m->network, sa->ifindex), sa);
	return sa;
}

/* An address or a route that came later can tell the direction of an SA that had none. */
static bool direction_changed(const struct sa *sa, const struct sa_facts *facts)
{
	return sa->description.direction != facts->description.direction;
}

static void take_placement(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	bool was_resident = is_resident(sa);

	if (sa->ifindex != 0)
		manager_note_left(m, sa->ifindex);
	sa->ifindex = facts->offload_ifindex;
	sa->foreign = !manager_owns(m, sa);
	sa->moved_at = manager_now(m);
	m->nics_changed = true;
	/* The IKE daemon may have read it in the NIC, and copy that (manager_adopt()). */
	if (sa->ifindex == 0)
		placed_leave(m->environment.placed, &sa->description.id, manager_now(m));
	if (sa->handle != POLICY_NONE && is_resident(sa) != was_resident)
		policy_sa_set_resident(m->policy, sa->handle, is_resident(sa), manager_now(m));
}

static void note_masked(struct manager *m, const struct sa *sa)
{
	if (m->n_masked < ELEMENTSOF(m->masked))
		m->masked[m->n_masked++] = sa->description.id;
}

/* The entry of an SA that is another now, or the same with another identity. */
static struct sa *replace(struct manager *m, struct sa *sa, const struct sa_facts *facts)
{
	bool same = manager_is_same_state(m, sa, facts);
	struct sa_watch watch = sa->watch;
	double moved_at = sa->moved_at;

	manager_forget(m, sa);
	if (same)
		(void)placed_add(m->environment.placed, &facts->description.id,
				 facts->offload_ifindex, facts->add_time);
	sa = take_new(m, facts);
	if (sa && same) {
		sa->watch = watch;
		sa->moved_at = moved_at;
	}
	return sa;
}

/* A larval SA with the identity of one that is complete: beside it, made by a packet that found no
 * SA for a moment (MOVE_UNMASK); or in its place, made by the same or holding the place of one that
 * is owed. Returns false when it is what there is now. */
static bool take_larval(struct manager *m, struct sa *sa)
{
	if (m->dumping && sa->generation == m->generation) {
		note_masked(m, sa);
		return true;
	}
	if (m->dumping) {
		/* Either the SA follows, or it is missing. */
		sa->masked = m->generation;
		return true;
	}
	shadows_note_missing(m->shadows, sa);
	return shadows_may_be_lost(m->shadows, sa);
}

void manager_take_facts(struct manager *m, const struct sa_facts *told)
{
	struct sa_facts facts = *told;
	struct sa *sa = sa_table_find(&m->sas, &facts.description.id);
	enum hands_off hands_off;
	bool changed = false;

	resolve_direction(m, sa, &facts);
	if (sa && facts.hands_off == HANDS_OFF_LARVAL && sa->hands_off != HANDS_OFF_LARVAL &&
	    take_larval(m, sa))
		return;
	if (sa && (is_another(sa, &facts) || direction_changed(sa, &facts)))
		sa = replace(m, sa, &facts);
	else if (!sa)
		sa = take_new(m, &facts);
	/* The deletion of what it is a copy of may become known later than the copy. */
	if (sa && sa->foreign && manager_is_copy(m, sa)) {
		drop(m, sa);
		sa = take_new(m, &facts);
	}
	if (!sa)
		return;

	sa->generation = m->generation;
	if (m->dumping && sa->masked == m->generation)
		note_masked(m, sa);
	sa->deleted_by_other = false;
	sa->missing_since = 0;
	manager_watch(m, sa, &facts);
	if (facts.packets != sa->packets)
		sa->carried_at = manager_now(m);
	sa->bytes = facts.bytes;
	sa->packets = facts.packets;
	if (facts.offload_ifindex != sa->ifindex) {
		take_placement(m, sa, &facts);
		changed = true;
	}
	note_packet_mode(m, sa, &facts);
	hands_off = find_hands_off(m, sa, &facts);
	if (sa->hands_off == HANDS_OFF_DRIVER && hands_off == HANDS_OFF_NONE)
		hands_off = HANDS_OFF_DRIVER;
	if (hands_off != sa->hands_off) {
		sa->hands_off = hands_off;
		changed = true;
	}
	/* As long as an SA is larval it gets no handle. */
	if (changed || (sa->handle == POLICY_NONE && hands_off != HANDS_OFF_LARVAL))
		manager_configure_sa(m, sa);
	if (sa->handle == POLICY_NONE)
		return;
	policy_sa_observe(m->policy, sa->handle, facts.bytes, facts.packets, manager_now(m));
	manager_watch_verdict(m, sa);
}

static int take_message(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct manager *m = userdata;
	struct sa_facts facts;

	(void)own;
	if (message->nlmsg_type == XFRM_MSG_NEWSA && sa_facts_read(message, &facts) == 0) {
		struct sa *sa;

		manager_take_facts(m, &facts);
		sa = sa_table_find(&m->sas, &facts.description.id);
		if (sa && facts.hands_off != HANDS_OFF_LARVAL)
			shadows_sample(m->shadows, sa, message, m->asked_at);
	}
	return 0;
}

void manager_read_again(struct manager *m, const struct sa_id *ids, size_t n)
{
	struct kernel_batch batch;

	if (kernel_batch_init(&batch, m->environment.arena) < 0)
		return;
	for (size_t i = 0; i < n; i += KERNEL_BATCH_MESSAGES) {
		size_t part = n - i < KERNEL_BATCH_MESSAGES ? n - i : KERNEL_BATCH_MESSAGES;

		for (size_t j = 0; j < part; j++)
			sa_id_write(&ids[i + j], &batch, XFRM_MSG_GETSA);
		m->asked_at = manager_now(m);
		(void)kernel_transact(m->environment.kernel, &batch, take_message, m);
		for (size_t j = 0; j < part; j++) {
			struct sa *sa = sa_table_find(&m->sas, &ids[i + j]);

			if (!sa || batch.answers[j].error != -ESRCH)
				continue;
			shadows_note_missing(m->shadows, sa);
			if (!shadows_may_be_lost(m->shadows, sa))
				manager_forget(m, sa);
		}
		kernel_batch_clear(&batch);
	}
	kernel_batch_release(&batch);
}

static void confirm_missing(struct manager *m)
{
	_cleanup_free_ struct sa_id *ids = NULL;
	size_t n = 0;
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas.all, list) {
		if (sa->generation == m->generation)
			continue;
		shadows_note_missing(m->shadows, sa);
		if (shadows_may_be_lost(m->shadows, sa))
			continue;
		if (!ids)
			ids = calloc(CONFIRM_MAX, sizeof(*ids));
		if (!ids)
			return;
		ids[n++] = sa->description.id;
		if (n == CONFIRM_MAX)
			break;
	}
	if (n > 0)
		manager_read_again(m, ids, n);
}

static void record_history(struct manager *m)
{
	struct sa *sa;

	if (manager_now(m) - m->history_at < 0.95)
		return;
	m->history_at = manager_now(m);
	m->samples++;
	TAILQ_FOREACH(sa, &m->sas.all, list) {
		struct policy_sa_view view = {};

		if (sa->handle != POLICY_NONE)
			policy_sa_get(m->policy, sa->handle, manager_now(m), &view);
		sa->history[m->samples % CONTROL_HISTORY_SAMPLES] = history_encode(view.last_rate);
	}
}

int manager_dump(struct manager *m)
{
	int r;

	if (m->generation == 0 || m->stale || spd_matters(&m->spd)) {
		r = manager_read_policies(m);
		if (r < 0)
			return r;
	}
	m->generation++;
	m->asked_at = manager_now(m);
	m->n_masked = 0;
	m->dumping = true;
	r = kernel_dump(m->environment.kernel, XFRM_MSG_GETSA, take_message, m);
	m->dumping = false;
	if (r < 0)
		return r;
	confirm_missing(m);
	record_history(m);
	return 0;
}

void manager_note_changed(struct manager *m, const struct sa_id *id)
{
	struct sa_id *grown;

	if (m->n_changed >= CHANGED_MAX) {
		m->stale = true;
		return;
	}
	if (m->n_changed == m->n_changed_allocated) {
		size_t n = m->n_changed_allocated ? 2 * m->n_changed_allocated : 64;

		grown = reallocarray(m->changed, n, sizeof(*grown));
		if (!grown) {
			m->stale = true;
			return;
		}
		m->changed = grown;
		m->n_changed_allocated = n;
	}
	m->changed[m->n_changed++] = *id;
}

int manager_handle_event(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct manager *m = userdata;
	struct sa_facts facts;
	struct sa *sa;

	switch (message->nlmsg_type) {
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_DELPOLICY:
	case XFRM_MSG_POLEXPIRE:
	case XFRM_MSG_FLUSHPOLICY:
		spd_take(&m->spd, message);
		return 0;
	case XFRM_MSG_FLUSHSA:
		TAILQ_FOREACH(sa, &m->sas.all, list)
			sa->deleted_by_other = true;
		m->stale = true;
		return 0;
	case XFRM_COMPAT_MSG_MIGRATE_STATE:
	case XFRM_MSG_MIGRATE:
		/* It does not tell what became of the SA: look at everything. What the migrator did
		 * it reads itself. */
		if (!own)
			manager_note_migrated(m, message);
		m->stale |= !own;
		return 0;
	default:
		break;
	}
	if (own || sa_facts_read(message, &facts) < 0)
		return 0;
	sa = sa_table_find(&m->sas, &facts.description.id);
	if (message->nlmsg_type == XFRM_MSG_DELSA)
		peer_moves_note_deleted(m->peer_moves, &facts, manager_now(m));
	if (message->nlmsg_type == XFRM_MSG_NEWSA)
		m->look_anew |=
			peer_moves_note_made(m->peer_moves, &facts,
					     clock_realtime(&m->environment.clock), manager_now(m));
	if (sa && message->nlmsg_type == XFRM_MSG_DELSA)
		sa->deleted_by_other = true;
	if (sa && message->nlmsg_type == XFRM_MSG_EXPIRE) {
		/* By its offset: netlink aligns to 4 bytes only. */
		const uint8_t *data = NLMSG_DATA(message);

		*(data[offsetof(struct xfrm_user_expire, hard)] ? &sa->deleted_by_other
								: &sa->soft_expired) = true;
	}
	manager_note_changed(m, &facts.description.id);
	return 0;
}

void manager_read_changed(struct manager *m)
{
	manager_read_again(m, m->changed, m->n_changed);
	m->n_changed = 0;
}
