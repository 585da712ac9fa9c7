// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/tracker-internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

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
	tracker->stale = true;
}

void tracker_set_current(struct tracker *tracker)
{
	tracker->stale = false;
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

static int handle_message(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct tracker *tracker = userdata;
	struct sa_facts facts;

	(void)own;
	if (message->nlmsg_type == XFRM_MSG_NEWSA && sa_facts_read(message, &facts) == 0) {
		struct sa *sa;

		if (!tracker->dumping || tracker->n_read++ % TRACKER_SAS_PER_TIME == 0)
			tracker_read_clock(tracker);
		sa = tracker_observe(tracker, &facts);
		if (sa && facts.hands_off != HANDS_OFF_LARVAL)
			tracker->callbacks->read(sa, message, tracker->asked_at, tracker->userdata);
	}
	return 0;
}

void tracker_read_again(struct tracker *tracker, const struct sa_id *ids, size_t n)
{
	struct kernel_batch batch;

	if (kernel_batch_init(&batch, tracker->arena) < 0)
		return;
	for (size_t i = 0; i < n; i += KERNEL_BATCH_MESSAGES) {
		size_t part = n - i < KERNEL_BATCH_MESSAGES ? n - i : KERNEL_BATCH_MESSAGES;

		for (size_t j = 0; j < part; j++)
			sa_id_write(&ids[i + j], &batch, XFRM_MSG_GETSA);
		tracker->asked_at = tracker_now(tracker);
		(void)kernel_transact(tracker->kernel, &batch, handle_message, tracker);
		for (size_t j = 0; j < part; j++) {
			struct sa *sa = sa_table_find(&tracker->sas, &ids[i + j]);

			if (!sa || batch.answers[j].error != -ESRCH)
				continue;
			if (!tracker->callbacks->missing(sa, tracker->userdata))
				tracker_forget(tracker, sa);
		}
		kernel_batch_clear(&batch);
	}
	kernel_batch_release(&batch);
}

/* Asks for each entry that the dump did not show. */
static void confirm_missing(struct tracker *tracker)
{
	size_t n = 0, missing = tracker->sas.n - tracker->n_shown;
	_cleanup_free_ struct sa_id *ids = NULL;
	struct sa *sa;

	if (missing == 0)
		return;
	ids = calloc(missing, sizeof(*ids));
	if (!ids)
		return; /* the next dump finds them missing again */
	TAILQ_FOREACH(sa, &tracker->sas.all, list)
		if (n < missing && sa->presence.generation != tracker->generation &&
		    !tracker->callbacks->missing(sa, tracker->userdata))
			ids[n++] = sa->description.id;
	tracker_read_again(tracker, ids, n);
}

static int dump(struct tracker *tracker)
{
	int r;

	if (tracker->generation == 0 || tracker->stale || spd_matters(&tracker->spd)) {
		r = tracker_read_policies(tracker);
		if (r < 0)
			return r;
	}
	tracker->generation++;
	tracker->asked_at = tracker_now(tracker);
	tracker->n_masked = 0;
	tracker->previous = NULL;
	tracker->n_read = 0;
	tracker->n_shown = 0;
	tracker->dumping = true;
	r = kernel_dump(tracker->kernel, XFRM_MSG_GETSA, handle_message, tracker);
	tracker->dumping = false;
	if (r < 0)
		return r;
	confirm_missing(tracker);
	return 0;
}

int tracker_dump(struct tracker *tracker)
{
	int r = dump(tracker);

	if (r == -ENOBUFS)
		tracker->overruns++;
	return r;
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
