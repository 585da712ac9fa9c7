// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/sampling.h"

#include <math.h>

/* The share of the time that dumps may take. */
#define DUMP_SHARE 0.02
/* Pauses between dumps, in times of what the last one took, while events are lost. */
#define RESYNC_PAUSE 4.0
/* Without an event, an SA that begins to carry traffic is not seen for so long. */
#define DUMP_SECONDS_MAX 10.0

bool sampling_is_sliced(const struct sampling *sampling, const struct sa_table *sas)
{
	return sas->n > sampling->few;
}

static bool is_each_tick(const struct sampling *sampling, const struct sa_table *sas)
{
	/* An SA in a NIC that is not in the list would have an old shadow. Restoring it would skip
	 * more sequence numbers, or fail. */
	return sas->n <= sampling->few || sas->holders.n_held > SAMPLING_RESIDENTS_MAX;
}

bool sampling_dump_is_due(const struct sampling *sampling, const struct sa_table *sas, double now,
			  double interval)
{
	/* A tick can be a little early. */
	return is_each_tick(sampling, sas) || now >= sampling->dump_at - interval / 2;
}

bool sampling_may_resync(const struct sampling *sampling, double now)
{
	return now >= sampling->resync_at;
}

void sampling_begin_dump(struct sampling *sampling, double now)
{
	sampling->begun = now;
	sampling->taken = 0;
}

void sampling_note_slice(struct sampling *sampling, double seconds)
{
	sampling->taken += seconds;
}

static double spacing(const struct sampling *sampling, double interval)
{
	return fmax(interval, fmin(sampling->took / DUMP_SHARE, DUMP_SECONDS_MAX));
}

double sampling_spacing(const struct sampling *sampling, const struct sa_table *sas,
			double interval)
{
	return is_each_tick(sampling, sas) ? interval : spacing(sampling, interval);
}

void sampling_end_dump(struct sampling *sampling, double now, double interval)
{
	sampling->took = sampling->taken;
	sampling->resync_at = now + RESYNC_PAUSE * sampling->took;
	sampling->dump_at = sampling->begun + spacing(sampling, interval);
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

/* Empties a list. Returns the number of SAs that it had, with their identities. */
static size_t take(const policy_sa *handles, size_t *n, const struct sa_table *sas,
		   struct sa_id *ret_ids)
{
	size_t taken = 0;

	for (size_t i = 0; i < *n; i++) {
		struct sa *sa = sa_table_by_handle(sas, handles[i]);

		if (!sa || !sa->sampled_often)
			continue; /* another SA has the handle now */
		sa->sampled_often = false;
		ret_ids[taken++] = sa->description.id;
	}
	*n = 0;
	return taken;
}

size_t sampling_list(struct sampling *sampling, const struct sa_table *sas,
		     const struct policy *policy, struct sa_id *ret_ids)
{
	size_t n = take(sampling->residents, &sampling->n_residents, sas, ret_ids), listed = 0;

	n += take(sampling->outsiders, &sampling->n_outsiders, sas, ret_ids + n);
	for (size_t i = 0; i < n; i++) {
		struct sa *sa = sa_table_find(sas, &ret_ids[i]);

		if (!policy_sa_matters(policy, sa->handle))
			continue;
		sampling_note(sampling, sa);
		if (sa->sampled_often)
			ret_ids[listed++] = ret_ids[i];
	}
	return listed;
}

static void forget(const policy_sa *handles, size_t *n, const struct sa_table *sas)
{
	for (size_t i = 0; i < *n; i++) {
		struct sa *sa = sa_table_by_handle(sas, handles[i]);

		if (sa)
			sa->sampled_often = false;
	}
	*n = 0;
}

void sampling_forget(struct sampling *sampling, const struct sa_table *sas)
{
	forget(sampling->residents, &sampling->n_residents, sas);
	forget(sampling->outsiders, &sampling->n_outsiders, sas);
	sampling->dump_at = 0;
}
