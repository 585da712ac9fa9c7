/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Drivers that free late (mlx5): after an SA was deleted the NIC goes on decrypting its inbound
 * packets until the last reference to it is gone, up to seconds later. The SA in software receives
 * what is decrypted already: every packet of that time fails its integrity check (10 of 10 on a
 * simulated NIC). So there an inbound SA is evicted when it is quiet, if it can wait; and failures
 * of that time are no fault of the NIC, not even after the SA is back in it. The IKE daemon may
 * have made it anew meanwhile, so the time of the last SA that left counts for every inbound one.
 */
#pragma once

#include "placement/nics.h"

/* All times are s, monotonic. */

/* Whether an eviction waits for the SA to be quiet. `interval`: s, between two samples. */
bool late_is_to_wait(struct nics *nics, const struct sa *sa, const struct policy_move *planned,
		     double interval, double now);
/* Whether a slot may not be free yet, of an SA that left a moment ago. */
bool late_are_slots(struct nics *nics, int ifindex, double now);
/* From when on failures of an SA that comes into this NIC now are the NIC's fault. */
double late_over_at(struct nics *nics, enum sa_direction direction, int ifindex, double now);
/* An SA is not in the NIC any more in which it was, if only for a moment. */
void late_note_left(struct nics *nics, int ifindex, double now);
