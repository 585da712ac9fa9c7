// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * When a NIC goes down, xfrm_dev_down() deletes all SAs that were offloaded to it. The kernel sends
 * no message about that, neither to this daemon nor to the IKE daemon. This daemon put the SAs
 * there, so it restores them in software. It uses the shadow of each (sa/shadow.h), which is
 * renewed with every sample.
 *
 * Outbound, the sequence number is advanced past all that can have been sent since the sample, so
 * that none is used twice. Inbound, the replay window is that of the sample: packets that were
 * accepted since then can be replayed once. If the window were advanced instead, good packets would
 * be dropped until the peer's counter has passed it. Set on-link-down: restore-outbound where this
 * exposure is not acceptable.
 *
 * SAs that the IKE daemon deleted before the NIC went down stay deleted: the kernel's events are
 * read first. If the kernel dropped events (ENOBUFS) at that time, an SA that the IKE daemon
 * deleted may be restored. It is not used: the IKE daemon has replaced it.
 *
 * There is no guaranteed order: the link message may come before the SAs are deleted, and a dump
 * may show SAs missing before the link message is read. An SA that is missing while its NIC is
 * down, and that nobody deleted, is restored as soon as this is noticed. While its NIC seems to be
 * up, the SA is forgotten only after no link message has come for LINK_MESSAGE_SECONDS. A larval SA
 * with the identity of the SA does not prove that the SA exists: the kernel inserts one for a
 * packet that finds no SA (move/reinstate.h).
 */
#include "move/shadows.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* The kernel sends the link message before it deletes the SAs (__dev_notify_flags()), and may run
 * on another CPU than this daemon. SAs that are not deleted yet are tried again after this time
 * (s), which doubles. The next dump finds those that are deleted even later. */
#define FLUSH_WAIT_MIN 0.001
#define FLUSH_WAIT_MAX 0.032
/* How late a link message can be after SAs were found missing, s. */
#define LINK_MESSAGE_SECONDS 1.0

/* A NIC went down, and its SAs are being restored. */
struct restoration {
	int ifindex;    /* 0: any NIC */
	double started; /* s, monotonic */
	double next;    /* time of the next attempt (s, monotonic) */
	double wait;    /* s, from that attempt to the one after it */
	double seconds; /* s, from `started` until the last SA was restored */
	size_t restored, gone;
	bool found; /* there were SAs to restore */
};

struct shadows {
	const struct clock *clock;
	struct secret_arena *arena;
	struct sa_table *sas;
	struct migrator *migrator;
	struct executor *executor;
	const struct shadows_callbacks *callbacks;
	void *userdata;
	struct network *network;
	enum config_link_down on_link_down;
	struct restoration *restorations;
	size_t n;
};

int shadows_new(const struct shadows_parameters *parameters, struct shadows **ret_shadows)
{
	struct shadows *shadows = calloc(1, sizeof(*shadows));

	if (!shadows)
		return -ENOMEM;
	*shadows = (struct shadows){
		.clock = parameters->clock,
		.arena = parameters->arena,
		.sas = parameters->sas,
		.migrator = parameters->migrator,
		.executor = parameters->executor,
		.callbacks = parameters->callbacks,
		.userdata = parameters->userdata,
	};
	*ret_shadows = shadows;
	return 0;
}

struct shadows *shadows_free(struct shadows *shadows)
{
	if (!shadows)
		return NULL;
	free(shadows->restorations);
	free(shadows);
	return NULL;
}

void shadows_set_network(struct shadows *shadows, struct network *network)
{
	shadows->network = network;
}

void shadows_set_mode(struct shadows *shadows, enum config_link_down on_link_down)
{
	shadows->on_link_down = on_link_down;
}

size_t shadows_restoring(const struct shadows *shadows)
{
	return shadows->n;
}

static double now_of(const struct shadows *shadows)
{
	return clock_monotonic(shadows->clock);
}

static bool is_ours(const struct sa *sa)
{
	return sa->residence.ifindex != 0 && !sa->residence.foreign &&
	       sa->hands_off != HANDS_OFF_PACKET_MODE;
}

void shadows_sample(struct shadows *shadows, struct sa *sa, const struct nlmsghdr *message,
		    double sampled_at)
{
	if (!is_ours(sa)) {
		shadow_wipe(&sa->shadow);
		return;
	}
	/* If the arena is full, the older shadow stays; its age is taken into account. */
	(void)shadow_capture(&sa->shadow, shadows->arena, message, sampled_at);
}

void shadows_keep(struct sa *sa, struct sa_image *image, double sampled_at)
{
	/* An SA in software needs no shadow, so its key is not kept. */
	if (!is_ours(sa)) {
		shadow_wipe(&sa->shadow);
		sa_image_wipe(image);
	} else if (image->attributes) {
		shadow_take(&sa->shadow, image, sampled_at);
	}
}

static bool is_restorable(const struct shadows *shadows, const struct sa *sa)
{
	if (!sa->shadow || shadows->on_link_down == CONFIG_LINK_DOWN_LEAVE)
		return false;
	/* Another SA, made after this one was promoted, could stop working. */
	if (sa_table_has_packet_partner(shadows->sas, sa, sa->residence.ifindex))
		return false;
	return sa->description.direction == SA_DIRECTION_OUT ||
	       shadows->on_link_down == CONFIG_LINK_DOWN_RESTORE;
}

/* Mbit/s, 0: unknown. */
static uint32_t speed_of(const struct shadows *shadows, int ifindex)
{
	return shadows->callbacks->speed(ifindex, shadows->userdata);
}

static bool prepare(struct shadows *shadows, struct sa *sa)
{
	if (!is_restorable(shadows, sa))
		return false;
	if (sa->description.direction != SA_DIRECTION_OUT ||
	    shadow_advance(sa->shadow, now_of(shadows), speed_of(shadows, sa->residence.ifindex)) ==
		    0)
		return true;
	/* This shadow can never be used. If it stayed, the SA would always count as restorable. */
	shadow_wipe(&sa->shadow);
	return false;
}

/* The SAs of one attempt. */
struct lost {
	struct sa **sas; /* those that can be restored */
	const struct sa_image **images;
	enum reinstatement *results;
	size_t n;
	/* First the n_others SAs that are not restored, then the n_back SAs that are, the outbound
	 * ones of these first. */
	struct sa_id *others;
	size_t n_others, n_back, n_back_outbound;
};

static void collect(struct shadows *shadows, int ifindex, struct lost *lost)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &shadows->sas->all, list) {
		/* An SA that the IKE daemon deleted is not lost. Its event causes a GETSA. */
		if (!is_ours(sa) || (ifindex != 0 && sa->residence.ifindex != ifindex) ||
		    sa->presence.deleted_by_other ||
		    executor_owes(shadows->executor, &sa->description.id))
			continue;
		if (prepare(shadows, sa)) {
			lost->images[lost->n] = &sa->shadow->image;
			lost->sas[lost->n++] = sa;
		} else {
			lost->others[lost->n_others++] = sa->description.id;
		}
	}
}

/* The kernel does not accept the SA now: it becomes owed, and is tried again until it is back. */
static void owe(struct shadows *shadows, struct sa *sa)
{
	struct move move = {
		.id = sa->description.id,
		.target.direction = sa->description.direction,
		.image = sa->shadow->image,
		.exact = true,
	};

	/* Without memory the shadow stays, and the next dump finds the SA missing. */
	if (executor_reserve(shadows->executor, 1) < 0)
		return;
	executor_keep(shadows->executor, &move);
	free(sa->shadow); /* its image is owed now */
	sa->shadow = NULL;
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

/* Returns whether the kernel has not deleted some of the SAs yet. */
static bool handle_results(struct shadows *shadows, struct lost *lost)
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
			owe(shadows, lost->sas[i]);
			break;
		}
	}
	return alive;
}

/* Reads these SAs again. The entries of restored SAs change to software; those of SAs that are gone
 * are removed. */
static void look_again(struct shadows *shadows, struct restoration *r, const struct lost *lost)
{
	struct move again;

	/* Packets that found no SA may insert larval SAs as late as now. Those that come later are
	 * found by the next dump. */
	if (executor_reserve(shadows->executor, 1) == 0 &&
	    migrator_unmask(shadows->migrator, lost->others + lost->n_others, lost->n_back_outbound,
			    &again))
		executor_keep(shadows->executor, &again);
	shadows->callbacks->read_again(lost->others, lost->n_others + lost->n_back,
				       shadows->userdata);
	for (size_t i = 0; i < lost->n_others; i++)
		r->gone += !sa_table_find(shadows->sas, &lost->others[i]);
	r->restored += lost->n_back;
	if (lost->n_back > 0)
		r->seconds = now_of(shadows) - r->started;
}

/* Returns whether another attempt is needed. */
static bool attempt(struct shadows *shadows, struct restoration *r)
{
	size_t room = shadows->sas->n + 1; /* never 0, since calloc(0) may return NULL */
	_cleanup_free_ struct sa **sas = calloc(room, sizeof(*sas));
	_cleanup_free_ const struct sa_image **images = calloc(room, sizeof(*images));
	_cleanup_free_ enum reinstatement *results = calloc(room, sizeof(*results));
	_cleanup_free_ struct sa_id *others = calloc(room, sizeof(*others));
	struct lost lost = {.sas = sas, .images = images, .results = results, .others = others};
	bool alive;

	if (!sas || !images || !results || !others)
		return true;
	/* Events that are not read yet may contain the deletion of an SA. */
	if (shadows->callbacks->drain_events(shadows->userdata) > 0)
		return true;
	collect(shadows, r->ifindex, &lost);
	r->found |= lost.n + lost.n_others > 0;
	migrator_reinstate(shadows->migrator, images, lost.n, results);
	alive = handle_results(shadows, &lost);
	look_again(shadows, r, &lost);
	return alive;
}

/* Makes an attempt. Returns whether the restoration has ended. */
static bool proceed(struct shadows *shadows, struct restoration *r)
{
	bool alive = attempt(shadows, r);

	if (r->ifindex != 0 && alive && r->wait <= FLUSH_WAIT_MAX) {
		r->next = now_of(shadows) + r->wait;
		r->wait *= 2;
		return false;
	}
	if (r->restored > 0 || r->gone > 0)
		shadows->callbacks->restored(r->ifindex, r->restored, r->gone, r->seconds,
					     shadows->userdata);
	return true;
}

/* Makes an attempt, and updates the restoration. During the attempt more SAs may be found lost: of
 * another NIC, so that the array may be reallocated, or of this NIC, so that it needs another
 * attempt. Returns whether there were SAs to restore. */
static bool run_restoration(struct shadows *shadows, size_t i)
{
	struct restoration r = shadows->restorations[i], *kept;
	bool found, over;

	shadows->restorations[i].next = INFINITY;
	over = proceed(shadows, &r);
	found = r.found;
	kept = &shadows->restorations[i];
	if (isfinite(kept->next)) {
		if (over)
			r = (struct restoration){.ifindex = r.ifindex, .started = kept->next};
		r.next = kept->next;
		r.wait = kept->wait;
	} else if (over) {
		r.next = INFINITY;
	}
	*kept = r;
	return found;
}

bool shadows_run(struct shadows *shadows)
{
	size_t kept = 0;
	double next = INFINITY;
	bool found = false;

	for (size_t i = 0; i < shadows->n; i++)
		found |= shadows->restorations[i].next <= now_of(shadows)
				 ? run_restoration(shadows, i)
				 : shadows->restorations[i].found;
	for (size_t i = 0; i < shadows->n; i++) {
		const struct restoration r = shadows->restorations[i];

		if (!isfinite(r.next))
			continue; /* it has ended */
		next = fmin(next, r.next);
		shadows->restorations[kept++] = r;
	}
	shadows->n = kept;
	shadows->callbacks->due(next, shadows->userdata);
	return found;
}

static struct restoration *find_restoration(struct shadows *shadows, int ifindex)
{
	for (size_t i = 0; i < shadows->n; i++)
		if (shadows->restorations[i].ifindex == ifindex)
			return &shadows->restorations[i];
	return NULL;
}

void shadows_restore_soon(struct shadows *shadows, int ifindex)
{
	struct restoration *r = find_restoration(shadows, ifindex), *grown;
	double now = now_of(shadows);

	if (!r) {
		grown = reallocarray(shadows->restorations, shadows->n + 1, sizeof(*grown));
		if (!grown)
			return; /* the next dump finds the missing SAs */
		shadows->restorations = grown;
		r = &grown[shadows->n++];
		*r = (struct restoration){.ifindex = ifindex, .started = now};
	}
	r->wait = FLUSH_WAIT_MIN;
	r->next = now;
	shadows->callbacks->due(now, shadows->userdata);
}

bool shadows_restore_lost(struct shadows *shadows, int ifindex)
{
	shadows_restore_soon(shadows, ifindex);
	return shadows_run(shadows);
}

bool shadows_may_be_lost(const struct shadows *shadows, const struct sa *sa)
{
	if (executor_owes(shadows->executor, &sa->description.id))
		return true;
	if (!is_ours(sa) || sa->presence.deleted_by_other)
		return false;
	if (!network_is_up(shadows->network, sa->residence.ifindex))
		return is_restorable(shadows, sa);
	return sa->presence.missing_since == 0 ||
	       now_of(shadows) - sa->presence.missing_since < LINK_MESSAGE_SECONDS;
}

bool shadows_note_missing(struct shadows *shadows, struct sa *sa)
{
	if (!shadows_may_be_lost(shadows, sa))
		return false;
	if (executor_owes(shadows->executor, &sa->description.id))
		return true;
	if (!network_is_up(shadows->network, sa->residence.ifindex))
		shadows_restore_soon(shadows, sa->residence.ifindex);
	else if (sa->presence.missing_since == 0)
		sa->presence.missing_since = now_of(shadows);
	return true;
}
