/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drivers that free SAs late (mlx5). After an SA is deleted, the NIC still decrypts its inbound
 * packets until the last reference to the SA is gone, up to seconds later. The SA in software then
 * receives packets that are already decrypted, and each of them fails its integrity check (10 of 10
 * on a simulated NIC). So with such a driver an inbound SA is evicted when it is quiet, if it can
 * wait. Failures during that time are not attributed to the NIC, even after the SA is in the NIC
 * again. The IKE daemon may have replaced the SA meanwhile, so the time when the last SA left the
 * NIC applies to every inbound SA.
 *
 * Other drivers (ixgbe, nfp) clear the slot at once, or give it to another SA, while packets that
 * name it are still in the queue of the NIC. ixgbe overwrites the key with zeros, so the NIC
 * encrypts these packets with a key that everybody knows, or with the key of the next SA. So from
 * such a NIC an outbound SA is evicted when it is quiet, too. The deletion at the end of a rekey
 * does not have this effect, since the new SA then has the traffic.
 */
#pragma once

#include "placement/nics.h"

/* All times are s, monotonic. */

/* Whether an eviction must wait until the SA is quiet. `interval`: s, between two samples. */
bool late_is_to_wait(struct nics *nics, const struct sa *sa, const struct policy_move *planned,
		     double interval, double now);
/* Whether the slot of an SA that left recently may still be in use. With a driver that frees at
 * once its firmware may need a moment. There only the daemon's own evictions count: where SAs are
 * rekeyed all the time, one has always left, and the daemon would never learn that a table is
 * small. */
bool late_are_slots(struct nics *nics, int ifindex, double now);
/* The time from which failures of an SA that enters this NIC now count against the NIC. */
double late_over_at(struct nics *nics, enum sa_direction direction, int ifindex, double now);
/* Notes that an SA has left this NIC, also if it was there only for a moment. */
void late_note_left(struct nics *nics, int ifindex, double now);
/* Notes that the daemon has taken an SA out of this NIC. */
void late_note_evicted(struct nics *nics, int ifindex, double now);
