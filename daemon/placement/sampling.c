// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/sampling.h"

#include <math.h>

/* The share of the time that dumps may take. */
#define DUMP_SHARE 0.02
/* Pauses between dumps, in times of what the last one took, while events are lost. */
#define RESYNC_PAUSE 4.0
/* Without an event, an SA that begins to carry traffic is not seen for so long. */
#define DUMP_SECONDS_MAX 10.0

bool sampling_dump_is_due(const struct sampling *sampling, const struct sa_table *sas, double now,
			  double interval)
{
	/* An SA in a NIC that is not in the list would have an old shadow. Restoring it would skip
	 * more sequence numbers, or fail. */
	if (sas->n <= sampling->few || sas->holders.n_held > SAMPLING_RESIDENTS_MAX)
		return true;
	/* A tick can be a little early. */
	return now >= sampling->dump_at - interval / 2;
}

static void forget(const policy_sa *handles, size_t n, struct sa_table *sas)
{
	for (size_t i = 0; i < n; i++) {
		struct sa *sa = sa_table_by_handle(sas, handles[i]);

		if (sa)
			sa->sampled_often = false;
	}
}

void sampling_begin_dump(struct sampling *sampling, struct sa_table *sas)
{
	forget(sampling->residents, sampling->n_residents, sas);
	forget(sampling->outsiders, sampling->n_outsiders, sas);
	sampling->n_residents = sampling->n_outsiders = 0;
	sampling->dump_at = 0; /* if this one fails, the next tick is a dump */
}

void sampling_note(struct sampling *sampling, struct sa *sa)
{
	if (sa->sampled_often)
		return;
	if (sa->residence.ifindex != 0) {
		if (sampling->n_residents == SAMPLING_RESIDENTS_MAX)
			return;
		sampling->residents[sampling->n_residents++] = sa->handle;
	} else {
		if (sampling->n_outsiders == SAMPLING_OUTSIDERS_MAX)
			return;
		sampling->outsiders[sampling->n_outsiders++] = sa->handle;
	}
	sa->sampled_often = true;
}

void sampling_end_dump(struct sampling *sampling, double begun, double took, double interval)
{
	sampling->resync_at = begun + took + RESYNC_PAUSE * took;
	sampling->dump_at = begun + fmax(interval, fmin(took / DUMP_SHARE, DUMP_SECONDS_MAX));
}

static size_t add_to_list(const policy_sa *handles, size_t n, const struct sa_table *sas,
			  struct sa_id *ret_ids)
{
	size_t listed = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sa *sa = sa_table_by_handle(sas, handles[i]);

		if (sa)
			ret_ids[listed++] = sa->description.id;
	}
	return listed;
}

size_t sampling_list(const struct sampling *sampling, const struct sa_table *sas,
		     struct sa_id *ret_ids)
{
	size_t n = add_to_list(sampling->residents, sampling->n_residents, sas, ret_ids);

	return n + add_to_list(sampling->outsiders, sampling->n_outsiders, sas, ret_ids + n);
}

bool sampling_may_resync(const struct sampling *sampling, double now)
{
	return now >= sampling->resync_at;
}
