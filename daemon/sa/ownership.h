/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records which SAs this daemon offloaded. Other SAs in a NIC are foreign and must not be moved.
 * The records are kept in a text file below /run, so that the daemon recognizes the SAs that it
 * offloaded before a restart or a crash. A reboot removes the file. It contains no keys.
 *
 * An SA is recognized by its identity, the NIC, and the time when it was added (struct
 * xfrm_lifetime_cur.add_time), which a move does not change. So an SA that another program makes
 * later with the same identity is not recognized.
 *
 * An IKE daemon that changes the addresses of an SA deletes it and installs a copy, which has the
 * same SPI, add_time and offload (charon's update_sa(); the reqid may change). So the record of an
 * SA that is gone is kept for some seconds, also in the file, and is found by SPI and add_time.
 *
 * The order is important: a record is added and saved before the move, and removed after the SA is
 * gone or back in software. A crash in between leaves an unneeded record, which matches no SA.
 */
#pragma once

#include "cleanup.h"
#include "sa.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More SAs than any NIC holds. */
#define OWNERSHIP_MAX 131072u

struct ownership;

/* Makes an empty set; `path` is copied. -ENOMEM. */
int ownership_new(const char *path, struct ownership **ret_ownership);
struct ownership *ownership_free(
	struct ownership *ownership); /* does not save; accepts NULL, returns NULL */
DEFINE_CLEANUP(struct ownership *, ownership_free);

/*
 * Reads the file, once, before anything is added. Returns the number of records; 0 if there is no
 * file. On failure the set stays empty. -EBADMSG: the file is damaged, -EFBIG: it is larger than
 * OWNERSHIP_MAX records can be, -ENOMEM.
 */
int ownership_load(struct ownership *ownership);

/* Adds a record, or replaces that with the same identity. -ENOSPC: there are OWNERSHIP_MAX records,
 * -ENOMEM, -EINVAL: no NIC or an unknown family. */
int ownership_add(struct ownership *ownership, const struct sa_id *id, int ifindex,
		  uint64_t add_time);
/* Returns whether there was a record. */
bool ownership_remove(struct ownership *ownership, const struct sa_id *id);
bool ownership_contains(const struct ownership *ownership, const struct sa_id *id, int ifindex,
			uint64_t add_time);

/* Notes that the SA is gone. ownership_contains() does not find the record any more, but
 * ownership_find_same() does for OWNERSHIP_DEPARTED_SECONDS. `now`: s, monotonic. */
#define OWNERSHIP_DEPARTED_SECONDS 10.0
void ownership_leave(struct ownership *ownership, const struct sa_id *id, double now);
/* The same for all records for which `alive` returns false: SAs that were deleted while the daemon
 * did not run. Returns how many. `alive` must not change the set. */
typedef bool (*ownership_alive)(const struct sa_id *id, int ifindex, uint64_t add_time,
				void *userdata);
size_t ownership_leave_unless(struct ownership *ownership, ownership_alive alive, void *userdata,
			      double now);
/* Removes the records of SAs that have been gone for longer than that. */
void ownership_prune(struct ownership *ownership, double now);

/* Finds a record, of a present or a gone SA, with the same SPI, protocol, mark and add_time, and
 * with any destination and NIC. */
bool ownership_find_same(const struct ownership *ownership, const struct sa_id *like,
			 uint64_t add_time, struct sa_id *ret_id);

/* Writes the file if records changed since the last time. Returns 1 if it was written, 0 if nothing
 * changed, or a negative errno: the old file then stays, and the next call tries again. */
int ownership_save_if_changed(struct ownership *ownership);
