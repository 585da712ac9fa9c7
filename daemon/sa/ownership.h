/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which SAs this daemon offloaded: the others in a NIC are foreign, and not to be touched. Kept in
 * a text file below /run, so that a restart or a crash does not turn the daemon's own SAs into
 * foreign ones, and a reboot forgets. No keys in it.
 *
 * An SA is recognised by its identity, the NIC, and the time when it was added (struct
 * xfrm_lifetime_cur.add_time), which a move keeps: an SA that somebody else makes later under the
 * same identity is not taken for ours.
 *
 * An IKE daemon that changes the addresses of an SA deletes it and makes it anew from a copy, our
 * offload, the SPI and that time included (charon's update_sa(); the reqid may change). So the
 * record of an SA that went is kept for some seconds, in the file too, and found by these.
 *
 * The order that makes this safe: add and save before the move, remove after the SA is gone or
 * back in software. A crash in between leaves a record too much, which matches nothing.
 */
#pragma once

#include "cleanup.h"
#include "sa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any NIC takes. */
#define OWNERSHIP_MAX 131072u

struct ownership;

/* Empty; `path` is copied. */
int ownership_new(const char *path, struct ownership **ret_ownership);
struct ownership *ownership_free(
	struct ownership *ownership); /* does not save; accepts NULL, returns NULL */
DEFINE_CLEANUP(struct ownership *, ownership_free);

/*
 * Reads the file, once, before anything is added. Returns the number of records; a file that does
 * not exist is empty. On failure nothing is added, and the daemon goes on with an empty set:
 * -EBADMSG: the file is damaged, -EFBIG: it is larger than OWNERSHIP_MAX records can be.
 */
int ownership_load(struct ownership *ownership);

/* Replaces a record with the same identity. -ENOSPC beyond OWNERSHIP_MAX records. */
int ownership_add(struct ownership *ownership, const struct sa_id *id, int ifindex,
		  uint64_t add_time);
/* Returns whether there was one. */
bool ownership_remove(struct ownership *ownership, const struct sa_id *id);
bool ownership_contains(const struct ownership *ownership, const struct sa_id *id, int ifindex,
			uint64_t add_time);

/* The SA went: ownership_contains() does not find the record any more, ownership_find_same() does,
 * for OWNERSHIP_DEPARTED_SECONDS. `now`: s, monotonic. */
#define OWNERSHIP_DEPARTED_SECONDS 10.0
void ownership_leave(struct ownership *ownership, const struct sa_id *id, double now);
/* The same for all records that `alive` denies, for the SAs that went while nobody watched. Returns
 * how many. `alive` must not change the set. */
typedef bool (*ownership_alive)(const struct sa_id *id, int ifindex, uint64_t add_time,
				void *userdata);
size_t ownership_leave_unless(struct ownership *ownership, ownership_alive alive, void *userdata,
			      double now);
/* Drops the records of SAs that went so long ago. */
void ownership_prune(struct ownership *ownership, double now);

/* A record, departed or not, with the same SPI, protocol, mark and time, whatever its destination
 * and NIC. */
bool ownership_find_same(const struct ownership *ownership, const struct sa_id *like,
			 uint64_t add_time, struct sa_id *ret_id);

/* Writes the file if something changed since it was last written: 1, or 0 if nothing did. The old
 * file stays until the new one is complete; after a failure the next call tries again. */
int ownership_save_if_changed(struct ownership *ownership);
