// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A NIC that goes down takes the SAs with it that were offloaded to it: xfrm_dev_down() deletes
 * every one and sends no message, neither to this daemon nor to the IKE daemon. Since this daemon
 * put them there, it brings them back in software, from the shadow of each (sa/shadow.h), which
 * is renewed with every sample.
 *
 * Outbound the sequence number moves forward past everything that can have been sent since the
 * sample, so that none is used twice. Inbound the replay window is that of the sample: packets that
 * were accepted since then can be replayed once. Moving the window forward instead would drop good
 * packets until the peer's counter has passed it. Set on-link-down: restore-outbound where this
 * exposure is not acceptable.
 *
 * SAs that the IKE daemon deleted before the NIC went down stay deleted: the kernel's events are
 * read first. If it had to drop events (ENOBUFS) at that time, an SA that is not needed any more
 * may come back; the IKE daemon has another one in use by then.
 *
 * The kernel does not promise an order: it may tell of the link before it deletes, and a dump may
 * show SAs missing before the link message is read. An SA that is missing while its NIC is down,
 * and that nobody deleted, is restored whenever that is seen; while its NIC seems up, it is
 * forgotten only when no link message has come for a while. A larval SA with its identity is no
 * proof that it is there: packets that find no SA make the kernel insert one (move/reinstate.h).
 */
#include "manager.h"
#include "sa/placed.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* The kernel tells of the link before it deletes the SAs (__dev_notify_flags()), on another CPU
 * than this daemon runs on. Those that are still there are tried again after so many seconds,
 * doubling; what takes even longer, the next dump finds missing. */
#define FLUSH_WAIT_MIN 0.001
#define FLUSH_WAIT_MAX 0.032
/* How late a link message can be after SAs were found missing. */
#define LINK_MESSAGE_SECONDS 1.0

static bool is_ours(const struct sa *sa)
{
	return sa->ifindex != 0 && !sa->foreign && sa->hands_off != HANDS_OFF_PACKET_MODE;
}

void manager_shadow(struct manager *m, struct sa *sa, const struct nlmsghdr *message,
		    double sampled_at)
{
	if (!is_ours(sa)) {
		shadow_wipe(&sa->shadow);
		return;
	}
	/* Without room in the arena the older image stays; its age is known. */
	(void)shadow_capture(&sa->shadow, m->environment.arena, message, sampled_at);
}

void manager_keep_shadow(struct sa *sa, struct sa_image *image, double sampled_at)
{
	/* In software nothing is to be restored: its key is kept no longer. */
	if (!is_ours(sa)) {
		shadow_wipe(&sa->shadow);
		sa_image_wipe(image);
	} else if (image->attributes) {
		shadow_take(&sa->shadow, image, sampled_at);
	}
}

static bool is_restorable(const struct manager *m, const struct sa *sa)
{
	if (!shadow_exists(&sa->shadow) || m->config->on_link_down == CONFIG_LINK_DOWN_LEAVE)
		return false;
	/* It could cost another SA its life, one that came later than its promotion. */
	if (sa_table_has_packet_partner(&m->sas, sa, sa->ifindex))
		return false;
	return sa->description.direction == SA_DIRECTION_OUT ||
	       m->config->on_link_down == CONFIG_LINK_DOWN_RESTORE;
}

/* Mbit/s, 0: unknown. The NIC may be gone, and is then forgotten only after its SAs are back. */
static uint32_t speed_of(struct manager *m, int ifindex)
{
	const struct placement_nic *n = nics_get(m->nics, ifindex);

	return n ? n->speed : 0;
}

static const char *name_of(struct manager *m, int ifindex)
{
	const struct placement_nic *n = nics_get(m->nics, ifindex);

	return n ? n->name : "";
}

static bool prepare(struct manager *m, struct sa *sa)
{
	if (!is_restorable(m, sa))
		return false;
	if (sa->description.direction != SA_DIRECTION_OUT ||
	    shadow_advance(&sa->shadow, manager_now(m), speed_of(m, sa->ifindex)) == 0)
		return true;
	/* Only a new sample helps. With this shadow the SA would count as restorable for ever. */
	shadow_wipe(&sa->shadow);
	return false;
}

/* The SAs of one attempt. */
struct lost {
	struct sa **sas; /* those that can be restored */
	const struct sa_image **images;
	enum reinstatement *results;
	size_t n;
	/* Those that are left to the IKE daemon, if they are gone, and then those that are back,
	 * the outbound ones first. */
	struct sa_id *others;
	size_t n_others, n_back, n_back_outbound;
};

static void collect(struct manager *m, int ifindex, struct lost *lost)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas.all, list) {
		/* One that the IKE daemon deleted is not lost: its event has it looked up. */
		if (!is_ours(sa) || (ifindex != 0 && sa->ifindex != ifindex) ||
		    sa->deleted_by_other || executor_owes(m->executor, &sa->description.id))
			continue;
		if (prepare(m, sa)) {
			lost->images[lost->n] = &sa->shadow.image;
			lost->sas[lost->n++] = sa;
		} else {
			lost->others[lost->n_others++] = sa->description.id;
		}
	}
}

/* The kernel does not take it now: it is tried again until it does. */
static void owe(struct manager *m, struct sa *sa)
{
	struct move move = {
		.id = sa->description.id,
		.target.direction = sa->description.direction,
		.image = sa->shadow.image,
		.exact = true,
	};

	/* Then the shadow stays, and the next dump finds the SA missing. */
	if (executor_reserve(m->executor, 1) < 0)
		return;
	executor_keep(m->executor, &move);
	sa->shadow = (struct shadow){};
}

static void note_back(struct lost *lost, const struct sa *sa)
{
	struct sa_id *back = lost->others + lost->n_others;
	size_t i = lost->n_back++;

	if (sa->description.direction == SA_DIRECTION_OUT) {
		back[i] = back[lost->n_back_outbound];
		i = lost->n_back_outbound++;
	}
	back[i] = sa->description.id;
}

/* Returns whether some are still where they were. */
static bool take_results(struct manager *m, struct lost *lost)
{
	bool alive = false;

	for (size_t i = 0; i < lost->n; i++) {
		switch (lost->results[i]) {
		case REINSTATED:
			note_back(lost, lost->sas[i]);
			break;
		case REINSTATE_ALIVE:
			alive = true;
			break;
		case REINSTATE_FAILED:
			owe(m, lost->sas[i]);
			break;
		}
	}
	return alive;
}

/* Looks at what the kernel has now: entries of SAs that are back change their place, others go. */
static void look_again(struct manager *m, struct manager_restoration *r, const struct lost *lost)
{
	struct move again;

	/* Packets that met the gap may insert their larval SAs only now; or the next dump shows
	 * them. */
	if (executor_reserve(m->executor, 1) == 0 &&
	    migrator_unmask(m->migrator, lost->others + lost->n_others, lost->n_back_outbound,
			    &again))
		executor_keep(m->executor, &again);
	manager_read_again(m, lost->others, lost->n_others + lost->n_back);
	for (size_t i = 0; i < lost->n_others; i++)
		r->gone += !sa_table_find(&m->sas, &lost->others[i]);
	r->restored += lost->n_back;
	if (lost->n_back > 0)
		r->seconds = manager_now(m) - r->started;
}

/* Returns whether another is needed. */
static bool attempt(struct manager *m, struct manager_restoration *r)
{
	size_t room = m->sas.n + 1; /* none is no failure */
	_cleanup_free_ struct sa **sas = calloc(room, sizeof(*sas));
	_cleanup_free_ const struct sa_image **images = calloc(room, sizeof(*images));
	_cleanup_free_ enum reinstatement *results = calloc(room, sizeof(*results));
	_cleanup_free_ struct sa_id *others = calloc(room, sizeof(*others));
	struct lost lost = {.sas = sas, .images = images, .results = results, .others = others};
	bool alive;

	if (!sas || !images || !results || !others)
		return true;
	/* Among what was not read yet there may be an SA that is not to come back. */
	if (manager_drain_events(m) > 0)
		return true;
	collect(m, r->ifindex, &lost);
	r->found |= lost.n + lost.n_others > 0;
	migrator_reinstate(m->migrator, images, lost.n, results);
	alive = take_results(m, &lost);
	look_again(m, r, &lost);
	return alive;
}

/* Whether it is over. */
static bool proceed(struct manager *m, struct manager_restoration *r)
{
	bool alive = attempt(m, r);

	if (r->ifindex != 0 && alive && r->wait <= FLUSH_WAIT_MAX) {
		r->next = manager_now(m) + r->wait;
		r->wait *= 2;
		return false;
	}
	if (r->restored > 0 || r->gone > 0)
		report_restored(m->reporter, name_of(m, r->ifindex), r->restored, r->gone,
				r->seconds);
	return true;
}

/* The attempt may find more SAs lost: of another NIC, so that the array grows and moves, or of this
 * one, so that there is another attempt. Returns whether there were SAs to look after. */
static bool run_restoration(struct manager *m, size_t i)
{
	struct manager_restoration r = m->restorations[i], *kept;
	bool found, over;

	m->restorations[i].next = INFINITY;
	over = proceed(m, &r);
	found = r.found;
	kept = &m->restorations[i];
	if (isfinite(kept->next)) {
		if (over)
			r = (struct manager_restoration){.ifindex = r.ifindex,
							 .started = kept->next};
		r.next = kept->next;
		r.wait = kept->wait;
	} else if (over) {
		r.next = INFINITY;
	}
	*kept = r;
	return found;
}

bool manager_run_restorations(struct manager *m)
{
	size_t kept = 0;
	double next = INFINITY;
	bool found = false;

	for (size_t i = 0; i < m->n_restorations; i++)
		found |= m->restorations[i].next <= manager_now(m) ? run_restoration(m, i)
								   : m->restorations[i].found;
	for (size_t i = 0; i < m->n_restorations; i++) {
		const struct manager_restoration r = m->restorations[i];

		if (!isfinite(r.next))
			continue; /* it is over */
		next = fmin(next, r.next);
		m->restorations[kept++] = r;
	}
	m->n_restorations = kept;
	schedule_at(&m->schedule, MANAGER_LOST, next);
	return found;
}

static struct manager_restoration *find_restoration(struct manager *m, int ifindex)
{
	for (size_t i = 0; i < m->n_restorations; i++)
		if (m->restorations[i].ifindex == ifindex)
			return &m->restorations[i];
	return NULL;
}

void manager_restore_soon(struct manager *m, int ifindex)
{
	struct manager_restoration *r = find_restoration(m, ifindex), *grown;
	double now = manager_now(m);

	if (!r) {
		grown = reallocarray(m->restorations, m->n_restorations + 1, sizeof(*grown));
		if (!grown)
			return; /* the next dump sees what is missing */
		m->restorations = grown;
		r = &grown[m->n_restorations++];
		*r = (struct manager_restoration){.ifindex = ifindex, .started = now};
	}
	r->wait = FLUSH_WAIT_MIN;
	r->next = now;
	schedule_at(&m->schedule, MANAGER_LOST, now);
}

bool manager_restore_lost(struct manager *m, int ifindex)
{
	manager_restore_soon(m, ifindex);
	return manager_run_restorations(m);
}

bool manager_may_be_lost(const struct manager *m, const struct sa *sa)
{
	if (executor_owes(m->executor, &sa->description.id))
		return true;
	if (!is_ours(sa) || sa->deleted_by_other)
		return false;
	if (!network_is_up(m->network, sa->ifindex))
		return is_restorable(m, sa);
	return sa->missing_since == 0 || manager_now(m) - sa->missing_since < LINK_MESSAGE_SECONDS;
}

void manager_note_missing(struct manager *m, struct sa *sa)
{
	if (!manager_may_be_lost(m, sa) || executor_owes(m->executor, &sa->description.id))
		return;
	if (!network_is_up(m->network, sa->ifindex))
		manager_restore_soon(m, sa->ifindex);
	else if (sa->missing_since == 0)
		sa->missing_since = manager_now(m);
}
