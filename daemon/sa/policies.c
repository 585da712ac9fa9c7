// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Events keep the policies up to date, except those of sockets, which cause no events. While there
 * are outbound policies of sockets (an IKE daemon has some for its own packets), all policies are
 * read before outbound SAs are moved. They are not read again before ten times the duration of the
 * last reading has passed. So reading takes at most a tenth of the time, and the policies are at
 * most that old, or as old as the moves of a group take, some 10 ms.
 *
 * The kernel deletes policies in packet offload with their NIC, also without an event. While there
 * are such policies, all policies are read with every dump of the SAs. A policy that is missing
 * though nobody deleted it is reported: without it, traffic leaves in clear text. All policies are
 * also read with every dump while there are optional templates, so that deleted ones are forgotten.
 */
#include "sa/tracker-internal.h"

#include <errno.h>

#define READING_SHARE 10.0

static void raise_alarms(struct tracker *tracker, const struct spd *before)
{
	for (size_t i = 0; i < before->n_offloaded; i++) {
		int ifindex = before->offloaded[i].ifindex;
		bool first = true;
		size_t n;

		for (size_t j = 0; j < i; j++)
			first &= before->offloaded[j].ifindex != ifindex;
		n = first ? spd_count_missing(before, &tracker->spd, ifindex) : 0;
		if (n > 0)
			tracker->callbacks->policies_lost(ifindex, n, tracker->userdata);
	}
}

int tracker_read_policies(struct tracker *tracker)
{
	double begun = tracker_now(tracker);
	struct spd before;
	struct spd spd;
	int r;

	/* Deletions until now must be known, so that they are not reported as losses. */
	(void)tracker_drain_events(tracker);
	r = spd_read(tracker->kernel, &spd);
	if (r < 0)
		return r;
	before = tracker->spd;
	tracker->spd = spd;
	tracker->policies_read_at = tracker_now(tracker);
	tracker->policies_took = tracker->policies_read_at - begun;

	raise_alarms(tracker, &before);
	spd_clear(&before);
	return 0;
}

void tracker_refresh_policies(struct tracker *tracker)
{
	struct kernel_batch batch;
	int n = -ENOMEM;

	if (tracker_now(tracker) - tracker->policies_read_at <
	    READING_SHARE * tracker->policies_took)
		return;
	if (kernel_batch_init(&batch, tracker->arena) >= 0)
		n = spd_count_sockets(tracker->kernel, &batch);
	kernel_batch_release(&batch);
	/* If the policies cannot be read, nothing is moved until everything has been read again. */
	if (n != 0 && tracker_read_policies(tracker) < 0)
		tracker_mark_stale(tracker);
}
