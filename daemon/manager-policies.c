// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What is known of the policies is kept up by events, but for those of sockets, of which no event
 * tells. While there are outbound ones (an IKE daemon has some for its own packets), all policies
 * are read before outbound SAs are moved. That takes at most a tenth of the time: what is known of
 * them is as old as the moves of a group take, some 10 ms, or ten times what reading them took.
 *
 * Policies in packet offload go with their NIC, of which no event tells either. While there are
 * such, all policies are read with every dump of the SAs, and those that are missing though nobody
 * deleted them raise an alarm: without them traffic leaves in clear text. The same while there are
 * optional templates, so that one that is gone is forgotten.
 */
#include "manager.h"

#include <errno.h>

#define READING_SHARE 10.0

static void raise_alarms(struct manager *m, const struct spd *before)
{
	for (size_t i = 0; i < before->n_offloaded; i++) {
		int ifindex = before->offloaded[i].ifindex;
		bool first = true;
		size_t n;

		for (size_t j = 0; j < i; j++)
			first &= before->offloaded[j].ifindex != ifindex;
		n = first ? spd_count_missing(before, &m->spd, ifindex) : 0;
		/* If events were lost, somebody may have deleted them. */
		if (n > 0 && (!m->stale || !network_is_up(m->network, ifindex)))
			report_policies_lost(m->reporter, network_name(m->network, ifindex), n);
	}
}

int manager_read_policies(struct manager *m)
{
	double begun = manager_now(m);
	struct spd before;
	struct spd spd;
	int r;

	/* Deletions that happened before are known. */
	(void)manager_drain_events(m);
	r = spd_read(m->environment.kernel, &spd);
	if (r < 0)
		return r;
	before = m->spd;
	m->spd = spd;
	m->policies_read_at = manager_now(m);
	m->policies_took = m->policies_read_at - begun;

	raise_alarms(m, &before);
	spd_clear(&before);
	return 0;
}

void manager_refresh_policies(struct manager *m)
{
	struct kernel_batch batch;
	int n = -ENOMEM;

	if (manager_now(m) - m->policies_read_at < READING_SHARE * m->policies_took)
		return;
	if (kernel_batch_init(&batch, m->environment.arena) >= 0)
		n = spd_count_sockets(m->environment.kernel, &batch);
	kernel_batch_release(&batch);
	/* Without an answer nothing is moved until everything was read anew. */
	if (n != 0 && manager_read_policies(m) < 0)
		m->stale = true;
}
