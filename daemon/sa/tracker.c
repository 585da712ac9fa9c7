// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/tracker-internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Without a vDSO, reading the clock costs as much as receiving a part of a dump, so this many parts
 * share a time. A part is at most 32 kB (netlink_recvmsg()): 46 SAs with AES-GCM. */
#define PARTS_PER_TIME 8

static void end_dump(struct tracker *tracker)
{
	free(tracker->dump.missing);
	tracker->dump.missing = NULL;
	tracker->dump.n_missing = tracker->dump.next = 0;
	tracker->dump.state = DUMP_NONE;
}

int tracker_new(const struct tracker_parameters *parameters, struct tracker **ret_tracker)
{
	_cleanup_(tracker_freep) struct tracker *tracker = calloc(1, sizeof(*tracker));
	int r;

	if (!tracker)
		return -ENOMEM;
	tracker->clock = parameters->clock;
	tracker->arena = parameters->arena;
	tracker->kernel = parameters->kernel;
	tracker->ownership = parameters->ownership;
	tracker->callbacks = parameters->callbacks;
	tracker->userdata = parameters->userdata;
	TAILQ_INIT(&tracker->sas.all);
	r = sa_table_init(&tracker->sas);
	sa_digest_init(&tracker->digest_factors, &tracker->sas.seed);
	if (r >= 0)
		r = peer_moves_new(&tracker->peer_moves);
	if (r < 0)
		return r;
	*ret_tracker = TAKE_PTR(tracker);
	return 0;
}

struct tracker *tracker_free(struct tracker *tracker)
{
	if (!tracker)
		return NULL;
	end_dump(tracker);
	changes_release(&tracker->dump.early);
	changes_release(&tracker->changes);
	peer_moves_free(tracker->peer_moves);
	spd_clear(&tracker->spd);
	sa_table_release(&tracker->sas);
	free(tracker);
	return NULL;
}

struct sa_table *tracker_sas(struct tracker *tracker)
{
	return &tracker->sas;
}

struct peer_moves *tracker_peer_moves(struct tracker *tracker)
{
	return tracker->peer_moves;
}

bool tracker_is_stale(const struct tracker *tracker)
{
	return tracker->stale;
}

void tracker_set_stale(struct tracker *tracker)
{
	tracker_mark_stale(tracker);
}

uint64_t tracker_overruns(const struct tracker *tracker)
{
	return tracker->overruns;
}

size_t tracker_take_masked(struct tracker *tracker, struct sa_id ret_ids[TRACKER_MASKED_MAX])
{
	size_t n = tracker->n_masked;

	memcpy(ret_ids, tracker->masked, n * sizeof(*ret_ids));
	tracker->n_masked = 0;
	return n;
}

/* A larval SA of the daemon, which exists while SAs are moved. */
static bool is_ours(const struct sa_facts *facts)
{
	return facts->hands_off == HANDS_OFF_LARVAL &&
	       (sa_image_is_guard(facts) || sa_image_is_witness(facts));
}

static int handle_message(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct tracker *tracker = userdata;
	struct sa_facts facts;
	struct sa *sa;

	(void)own;
	if (message->nlmsg_type != XFRM_MSG_NEWSA)
		return 0;
	if (!tracker->dumping)
		tracker_read_clock(tracker);
	if (tracker_is_unchanged(tracker, message) || sa_facts_read(message, &facts) < 0 ||
	    is_ours(&facts))
		return 0;
	sa = tracker_observe(tracker, &facts);
	if (sa && facts.hands_off != HANDS_OFF_LARVAL) {
		tracker_note_message(tracker, sa, message);
		tracker->callbacks->read(sa, message, tracker->asked_at, tracker->userdata);
	}
	return 0;
}

/* Reads at most KERNEL_BATCH_MESSAGES. */
static void read_batch(struct tracker *tracker, struct kernel_batch *batch, const struct sa_id *ids,
		       size_t n)
{
	for (size_t i = 0; i < n; i++)
		sa_id_write(&ids[i], batch, XFRM_MSG_GETSA);
	tracker->asked_at = tracker_now(tracker);
	(void)kernel_transact(tracker->kernel, batch, handle_message, tracker);
	for (size_t i = 0; i < n; i++) {
		struct sa *sa = sa_table_find(&tracker->sas, &ids[i]);

		if (!sa || batch->answers[i].error != -ESRCH)
			continue;
		if (!tracker->callbacks->missing(sa, tracker->userdata))
			tracker_forget(tracker, sa);
	}
	kernel_batch_clear(batch);
}

/* Ends after `seconds` at the next batch. Returns how many were read. */
static size_t read_some(struct tracker *tracker, const struct sa_id *ids, size_t n, double seconds)
{
	double until = tracker_now(tracker) + seconds;
	struct kernel_batch batch;
	size_t i = 0;

	if (kernel_batch_init(&batch, tracker->arena) < 0)
		return n;
	while (i < n && (i == 0 || tracker_now(tracker) < until)) {
		size_t part = n - i < KERNEL_BATCH_MESSAGES ? n - i : KERNEL_BATCH_MESSAGES;

		read_batch(tracker, &batch, ids + i, part);
		i += part;
	}
	kernel_batch_release(&batch);
	return i;
}

void tracker_read_again(struct tracker *tracker, const struct sa_id *ids, size_t n)
{
	(void)read_some(tracker, ids, n, INFINITY);
}

/* Lists the entries that the dump did not show, to ask for each. */
static void find_missing(struct tracker *tracker)
{
	size_t n = 0, missing = tracker->sas.n - tracker->n_shown;
	struct tracker_dump *dump = &tracker->dump;
	struct sa *sa;

	if (missing == 0)
		return;
	dump->missing = calloc(missing, sizeof(*dump->missing));
	if (!dump->missing)
		return; /* the next dump finds them missing again */
	TAILQ_FOREACH(sa, &tracker->sas.all, list)
		if (n < missing && sa->presence.generation != tracker->generation &&
		    !tracker->callbacks->missing(sa, tracker->userdata))
			dump->missing[n++] = sa->description.id;
	dump->n_missing = n;
}

static void confirm_missing(struct tracker *tracker, double until)
{
	struct tracker_dump *dump = &tracker->dump;

	if (dump->next < dump->n_missing)
		dump->next += read_some(tracker, dump->missing + dump->next,
					dump->n_missing - dump->next, until - tracker_now(tracker));
}

static int begin_dump(struct tracker *tracker)
{
	int r;

	end_dump(tracker);
	if (tracker->generation == 0 || tracker->stale || spd_matters(&tracker->spd)) {
		r = tracker_read_policies(tracker);
		if (r < 0)
			return r;
	}
	tracker->dump.outdated = false;
	tracker->dump.paused = false;
	if (tracker->stale)
		tracker_read_in_full(tracker);
	tracker->generation++;
	tracker->asked_at = tracker_now(tracker);
	tracker->n_masked = 0;
	tracker->previous = NULL;
	tracker->n_shown = 0;
	r = kernel_dump_begin(tracker->kernel);
	if (r >= 0)
		tracker->dump.state = DUMP_READING;
	return r;
}

static int note_early(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct tracker *tracker = userdata;
	struct sa_facts facts;

	(void)own;
	if (message->nlmsg_type != XFRM_MSG_NEWSA || sa_facts_read(message, &facts) < 0 ||
	    is_ours(&facts) || !tracker_observe_early(tracker, &facts))
		return 0;
	return changes_add(&tracker->dump.early, &facts.description.id);
}

/* Reads a part that was prepared before a pause. */
static int read_early(struct tracker *tracker)
{
	struct changes *early = &tracker->dump.early;
	double prepared_at = tracker_now(tracker); /* the next part */
	int r;

	tracker_read_clock(tracker);
	tracker->dumping = true;
	r = kernel_dump_read(tracker->kernel, note_early, tracker);
	tracker->dumping = false;
	tracker_read_again(tracker, early->ids, early->n);
	early->n = 0;
	tracker->asked_at = prepared_at;
	return r;
}

static int read_part(struct tracker *tracker)
{
	int r;

	if (tracker->dump.paused) {
		tracker->dump.paused = false;
		return read_early(tracker);
	}
	tracker->dumping = true;
	r = kernel_dump_read(tracker->kernel, handle_message, tracker);
	tracker->dumping = false;
	return r;
}

/* Reads for `seconds`. Returns as tracker_continue_dump(). */
static int continue_dump(struct tracker *tracker, double seconds)
{
	struct tracker_dump *dump = &tracker->dump;
	unsigned parts = 0;
	double until;
	int r = 1;

	tracker_read_clock(tracker);
	until = tracker->sampled_at + seconds;
	if (dump->state == DUMP_READING) {
		do {
			r = read_part(tracker);
			if (parts++ % PARTS_PER_TIME == 0)
				tracker->sampled_at = tracker_now(tracker);
		} while (r > 0 && tracker->sampled_at < until);
		dump->paused = true;
		if (r != 0)
			return r;
		find_missing(tracker);
		dump->state = DUMP_CONFIRMING;
	}
	confirm_missing(tracker, until);
	return dump->next < dump->n_missing;
}

int tracker_begin_dump(struct tracker *tracker)
{
	int r = begin_dump(tracker);

	if (r == -ENOBUFS)
		tracker->overruns++;
	return r;
}

int tracker_continue_dump(struct tracker *tracker, double seconds)
{
	int r;

	tracker->reading_all = true;
	r = continue_dump(tracker, seconds);
	tracker->reading_all = false;
	if (r > 0)
		return r;
	end_dump(tracker);
	if (r == -ENOBUFS)
		tracker->overruns++;
	if (r == 0 && !tracker->dump.outdated)
		tracker->stale = false;
	return r;
}

bool tracker_is_dumping(const struct tracker *tracker)
{
	return tracker->dump.state != DUMP_NONE;
}

int tracker_dump(struct tracker *tracker)
{
	int r = tracker_begin_dump(tracker);

	return r < 0 ? r : tracker_continue_dump(tracker, INFINITY);
}

void tracker_read_changed(struct tracker *tracker)
{
	tracker_read_again(tracker, tracker->changes.ids, tracker->changes.n);
	tracker->changes.n = 0;
}

static bool is_alive(const struct sa_id *id, int ifindex, uint64_t add_time, void *userdata)
{
	struct tracker *tracker = userdata;
	const struct sa *sa = sa_table_find(&tracker->sas, id);

	return sa && sa->residence.ifindex == ifindex && sa->add_time == add_time;
}

void tracker_start_ownership(struct tracker *tracker)
{
	_cleanup_free_ struct sa_id *foreign = NULL;
	struct ownership *ownership = tracker->ownership;
	size_t n = 0;
	struct sa *sa;

	if (ownership_leave_unless(ownership, is_alive, tracker, tracker_now(tracker)) > 0)
		foreign = calloc(tracker->sas.n + 1, sizeof(*foreign));
	if (foreign) {
		TAILQ_FOREACH(sa, &tracker->sas.all, list)
			if (sa->residence.foreign)
				foreign[n++] = sa->description.id;
		tracker_read_again(tracker, foreign, n);
	}
	tracker_save_ownership(tracker);
}

void tracker_save_ownership(struct tracker *tracker)
{
	ownership_prune(tracker->ownership, tracker_now(tracker));
	(void)ownership_save_if_changed(tracker->ownership);
}
