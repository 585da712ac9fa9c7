/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which SAs are read at a tick. A dump of all SAs costs the kernel and the daemon 1 to 3 us for
 * each of them: with 100,000 SAs a dump each second would take 10 to 30 % of a core. So dumps are
 * spaced by 50 times what the last one took, and by at most 10 s. In the ticks between them only
 * those SAs are read whose next sample can change a decision (policy_sa_matters()). While a dump
 * takes less than a fiftieth of the interval, each tick is a dump. It is one also with up to
 * SAMPLING_FEW SAs, however slow or busy the machine is, and with more than SAMPLING_RESIDENTS_MAX
 * SAs in NICs, so that no shadow gets old.
 *
 * A dump of more than SAMPLING_FEW SAs is read in slices, with pauses in which other work passes.
 */
#pragma once

#include "sa/table.h"

/* SAs that are read between two dumps, at most: of those in NICs, and of the others. A request for
 * an SA costs 2 to 4 us. Further outsiders wait for the next dump. */
#define SAMPLING_RESIDENTS_MAX 2048
#define SAMPLING_OUTSIDERS_MAX 2048

#define SAMPLING_FEW 4096
/* Of a dump that is read in slices, s. Each is followed by a pause that is at least as long. */
#define SAMPLING_SLICE 0.004

/* Zeroed but for `few` and `slice`. */
struct sampling {
	size_t few;       /* SAMPLING_FEW; less in tests */
	double slice;     /* SAMPLING_SLICE; less in tests */
	double begun;     /* s, monotonic: the dump in progress, or the last one */
	double taken;     /* s, without pauses: the same */
	double took;      /* s, without pauses: the last complete one */
	double dump_at;   /* s, monotonic: the next dump is due */
	double resync_at; /* s, monotonic: not before this, even if events were lost */
	size_t n_residents, n_outsiders;
	policy_sa residents[SAMPLING_RESIDENTS_MAX]; /* SAs of the policy, by handle */
	policy_sa outsiders[SAMPLING_OUTSIDERS_MAX];
};

/* Whether the tick that begins now (s, monotonic) is to dump all SAs. */
bool sampling_dump_is_due(const struct sampling *sampling, const struct sa_table *sas, double now,
			  double interval);
/* Whether a dump may begin now (s, monotonic) because events were lost. When they are lost again
 * and again, dumps take a fifth of the time at most. */
bool sampling_may_resync(const struct sampling *sampling, double now);
/* Whether a dump that begins now is read in slices. */
bool sampling_is_sliced(const struct sampling *sampling, const struct sa_table *sas);

void sampling_begin_dump(struct sampling *sampling, double now);
void sampling_note_slice(struct sampling *sampling, double seconds);
/* The dump has ended now (s, monotonic). `interval`: of ticks, s. */
void sampling_end_dump(struct sampling *sampling, double now, double interval);
/* s between two dumps at present; `interval`: of ticks, s. */
double sampling_spacing(const struct sampling *sampling, const struct sa_table *sas,
			double interval);

/* This SA, which has a handle, matters. Called for each sample. */
void sampling_note(struct sampling *sampling, struct sa *sa);
/* The SAs to read in place of a dump: those that were noted and still matter to the policy, at most
 * SAMPLING_RESIDENTS_MAX + SAMPLING_OUTSIDERS_MAX. Forgets the others. Returns how many. */
size_t sampling_list(struct sampling *sampling, const struct sa_table *sas,
		     const struct policy *policy, struct sa_id *ret_ids);
/* Forgets all, before the policy is replaced. The next tick is a dump. */
void sampling_forget(struct sampling *sampling, const struct sa_table *sas);
