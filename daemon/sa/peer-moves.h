/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Remembers which tunnels change their addresses. charon does that (update_sa(), for MOBIKE and
 * NAT) with GETSA, DELSA, and a NEWSA that has a copy of every attribute, also of the offload. If
 * the NIC refuses the copy, the tunnel is lost, and only because the SA was in a NIC. Up to Linux
 * 6.10 the kernel refuses all UDP encapsulation (EINVAL), later some drivers do, and any NIC may be
 * full. So a tunnel whose addresses changed stays in software for a day.
 *
 * The kernel's events show such a change: an SA is made with the SPI, protocol, mark and add_time
 * of one that was deleted some seconds before. A tunnel is identified by the values that its SAs
 * have in common over rekeys, addresses and directions. SAs without a reqid have no such values,
 * and are not remembered.
 */
#pragma once

#include "cleanup.h"
#include "sa/facts.h"

/* If there are more tunnels, the oldest one is forgotten. */
#define PEER_MOVES_MAX 4096u
#define PEER_MOVES_SECONDS 86400.0

struct peer_moves;

int peer_moves_new(struct peer_moves **ret_moves);
struct peer_moves *peer_moves_free(struct peer_moves *moves); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct peer_moves *, peer_moves_free);

/* Another program deleted the SA. `now`: s, monotonic. */
void peer_moves_note_deleted(struct peer_moves *moves, const struct sa_facts *facts, double now);
/* Another program made the SA. Returns whether a tunnel was added. `realtime`: s,
 * CLOCK_REALTIME. */
bool peer_moves_note_made(struct peer_moves *moves, const struct sa_facts *facts, uint64_t realtime,
			  double now);
/* Adds the tunnel of an SA. Returns whether it is new. */
bool peer_moves_learn(struct peer_moves *moves, const struct sa_description *description,
		      double now);
bool peer_moves_knows(const struct peer_moves *moves, const struct sa_description *description,
		      double now);
/* Returns whether the time of a tunnel has ended since the last call. */
bool peer_moves_expire(struct peer_moves *moves, double now);
