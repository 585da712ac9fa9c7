// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A NIC that goes down takes the SAs with it that were offloaded to it: xfrm_dev_down() deletes
 * every one and tells nobody, neither this daemon nor the IKE daemon. Since this daemon put them
 * there, it brings them back: from a shadow image of each, renewed with every sample, in software.
 *
 * Outbound the sequence number is moved forward past everything that can have been sent since the
 * sample, so that none is used twice. Inbound the replay window is that of the sample: packets that
 * were accepted since then could be replayed once. Moving the window forward instead would drop
 * good packets until the peer's counter has passed it. Who cannot accept the exposure says
 * on-link-down: restore-outbound.
 *
 * SAs that somebody deleted before the NIC went down stay deleted: the kernel's events are read
 * first. If it had to drop events (ENOBUFS) in that very moment, an SA that is not needed any more
 * may come back; the IKE daemon has another one in use by then.
 *
 * The order of things is nobody's promise: the kernel may tell of the link before it deletes, and a
 * dump may show SAs missing before the link's news is read. An SA that is missing while its NIC is
 * down, and that nobody deleted, is restored whenever that is seen; while its NIC seems up, one
 * more dump must agree before it is forgotten.
 */
#include "manager.h"
#include "placed.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* Numbers to skip at the least: a NIC at 30 million packets/s needs 2 ms for them. */
#define ADVANCE_MIN (UINT64_C(1) << 16)
/* And this many times what the SA sent at its best in the time since the sample. */
#define ADVANCE_FACTOR 4.0
/* The kernel tells of the link before it deletes the SAs (__dev_notify_flags()), on another CPU
 * than this daemon runs on. Those that are still there are tried again after so many ns, doubling;
 * what takes even longer, the next dump finds missing. */
#define FLUSH_WAIT_MIN 1000000L
#define FLUSH_WAIT_MAX 32000000L
/* A snapshot older than this does not bound what was sent any more. */
#define SHADOW_AGE_MAX 5.0
/* Decay of the peak rate at each sample: half in about half a minute at one a second. */
#define PEAK_DECAY 0.98

static bool is_ours(const struct sa *sa)
{
	return sa->ifindex != 0 && !sa->foreign && sa->hands_off != HANDS_OFF_PACKET_MODE;
}

static void note_sequence(struct sa *sa, double now)
{
	uint64_t sequence = sa_image_output_sequence(&sa->shadow);
	double seconds = now - sa->shadow_at;

	sa->sequence_rate *= PEAK_DECAY;
	if (sa->shadow_at > 0 && seconds > 0.01 && sequence > sa->sequence) {
		double rate = (double)(sequence - sa->sequence) / seconds;

		if (rate > sa->sequence_rate)
			sa->sequence_rate = rate;
	}
	sa->sequence = sequence;
	sa->shadow_at = now;
}

void manager_shadow(struct manager *m, struct sa *sa, const struct nlmsghdr *message)
{
	if (!is_ours(sa)) {
		sa_image_wipe(&sa->shadow);
		return;
	}
	/* Without room in the arena the older image stays; its age is known. */
	if (sa_image_capture(&sa->shadow, m->environment.arena, message) == 0)
		note_sequence(sa, manager_now(m));
}

void manager_keep_shadow(struct manager *m, struct sa *sa, struct sa_image *image)
{
	if (!is_ours(sa) || !image->attributes) {
		sa_image_wipe(image);
		return;
	}
	sa_image_wipe(&sa->shadow);
	sa->shadow = *image;
	*image = (struct sa_image){};
	note_sequence(sa, manager_now(m));
}

static bool is_restorable(const struct manager *m, const struct sa *sa)
{
	bool out = sa->description.direction == SA_DIRECTION_OUT;

	if (!sa->shadow.attributes || sa->deleted_by_other ||
	    m->config->on_link_down == CONFIG_LINK_DOWN_LEAVE)
		return false;
	if (!out)
		return m->config->on_link_down == CONFIG_LINK_DOWN_RESTORE;
	return manager_now(m) - sa->shadow_at <= SHADOW_AGE_MAX + m->config->interval;
}

/* False when the sequence space does not hold the jump. */
static bool advance(const struct manager *m, struct sa *sa)
{
	double since = manager_now(m) - sa->shadow_at + 1.0;
	uint64_t by = (uint64_t)(ADVANCE_FACTOR * sa->sequence_rate * since);
	uint64_t before = sa_image_output_sequence(&sa->shadow);

	if (by < ADVANCE_MIN)
		by = ADVANCE_MIN;
	sa_image_advance(&sa->shadow, by);
	return sa_image_output_sequence(&sa->shadow) == before + by &&
	       (sa->shape->esn || before + by < UINT32_MAX);
}

struct lost {
	struct sa_id *ids;
	const struct sa_image **images;
	size_t *of; /* which of the ids an image is of */
	int *errors;
	size_t n_ids, n_images;
	size_t n_gone; /* and not brought back */
};

static void collect(struct manager *m, int ifindex, struct lost *lost)
{
	struct sa *sa;

	TAILQ_FOREACH(sa, &m->sas.all, list)
	{
		if (!is_ours(sa) || (ifindex != 0 && sa->ifindex != ifindex))
			continue;
		lost->ids[lost->n_ids++] = sa->description.id;
		if (!is_restorable(m, sa))
			continue;
		if (sa->description.direction == SA_DIRECTION_OUT && !advance(m, sa))
			continue;
		lost->of[lost->n_images] = lost->n_ids - 1;
		lost->images[lost->n_images++] = &sa->shadow;
	}
}

/* Takes the SAs out of the list that were found in their place: the kernel may be about to delete
 * them, and then their images are still needed. Returns how many. */
static size_t leave_alive(struct lost *lost)
{
	size_t next = 0, kept = 0;

	for (size_t i = 0; i < lost->n_ids; i++) {
		bool alive = false;

		if (next < lost->n_images && lost->of[next] == i)
			alive = lost->errors[next++] == -EEXIST;
		if (!alive)
			lost->ids[kept++] = lost->ids[i];
	}
	next = lost->n_ids - kept;
	lost->n_ids = kept;
	return next;
}

/* One attempt; returns how many SAs are still where they were. */
static size_t restore_once(struct manager *m, int ifindex, struct lost *lost, size_t *restored)
{
	size_t alive, back = 0;

	lost->n_ids = lost->n_images = 0;
	manager_drain_events(m);
	collect(m, ifindex, lost);
	if (lost->n_ids == 0)
		return 0;
	migrator_reinstate(m->migrator, lost->images, lost->n_images, lost->errors);
	for (size_t i = 0; i < lost->n_images; i++)
		back += lost->errors[i] == 0;
	alive = leave_alive(lost);
	*restored += back;
	/* What the kernel has now: entries of SAs that are back change their place, others go. */
	manager_read_again(m, lost->ids, lost->n_ids);
	for (size_t i = 0; i < lost->n_ids; i++)
		lost->n_gone += !sa_table_find(&m->sas, &lost->ids[i]);
	return alive;
}

void manager_restore_lost(struct manager *m, int ifindex)
{
	double started = manager_now(m), seconds = 0;
	_cleanup_free_ struct sa_id *ids = calloc(m->sas.n + 1, sizeof(*ids));
	_cleanup_free_ const struct sa_image **images = calloc(m->sas.n + 1, sizeof(*images));
	_cleanup_free_ size_t *of = calloc(m->sas.n + 1, sizeof(*of));
	_cleanup_free_ int *errors = calloc(m->sas.n + 1, sizeof(*errors));
	struct lost lost = {.ids = ids, .images = images, .of = of, .errors = errors};
	size_t restored = 0, before;
	size_t alive;

	if (!ids || !images || !of || !errors)
		return;
	for (long wait = FLUSH_WAIT_MIN;; wait *= 2) {
		before = restored;
		alive = restore_once(m, ifindex, &lost, &restored);
		if (restored > before)
			seconds = manager_now(m) - started;
		if (ifindex == 0 || alive == 0 || wait > FLUSH_WAIT_MAX)
			break;
		(void)nanosleep(&(struct timespec){.tv_nsec = wait}, NULL);
	}
	if (restored > 0 || lost.n_gone > 0)
		manager_tell_restored(m, ifindex, restored, lost.n_gone, seconds);
}

bool manager_fell(const struct manager *m, const struct sa *sa)
{
	const struct nic *nic;

	if (!is_ours(sa) || sa->deleted_by_other)
		return false;
	nic = m->network->ops->get(m->network, sa->ifindex);
	return !nic || !nic->up;
}

bool manager_may_have_fallen(struct manager *m, struct sa *sa)
{
	(void)m;
	if (!is_ours(sa) || sa->deleted_by_other || sa->missing)
		return false;
	sa->missing = true;
	return true;
}

bool manager_is_evacuated(const struct manager *m, const char *name)
{
	for (size_t i = 0; i < m->n_evacuated; i++)
		if (strcmp(m->evacuated[i], name) == 0)
			return true;
	return false;
}

int manager_evacuate(struct manager *m, const char *name)
{
	char(*grown)[IFNAMSIZ];

	if (!m->network->ops->find(m->network, name))
		return -ENODEV;
	if (manager_is_evacuated(m, name))
		return 0;
	grown = reallocarray(m->evacuated, m->n_evacuated + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	m->evacuated = grown;
	snprintf(grown[m->n_evacuated++], sizeof(*grown), "%s", name);
	manager_look_anew(m);
	return 0;
}

void manager_end_evacuations(struct manager *m)
{
	if (m->n_evacuated == 0)
		return;
	m->n_evacuated = 0;
	manager_look_anew(m);
}
