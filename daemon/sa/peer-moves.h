/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which tunnels change their addresses. charon does that (update_sa(), for MOBIKE and NAT) by
 * GETSA, DELSA, and NEWSA with every attribute copied, our offload included. Where the NIC refuses
 * the copy the tunnel is lost, and only because the SA was in a NIC: up to Linux 6.10 the kernel
 * refuses all UDP encapsulation (EINVAL), later some drivers do, and any NIC may be full. So a
 * tunnel that was seen to move stays in software for a day.
 *
 * It is known from the kernel's events: an SA is made anew with the SPI, protocol, mark and time of
 * birth of one that was deleted some seconds before. A tunnel is what its SAs have in common over
 * rekeys, addresses and directions; SAs without a reqid have nothing, and are not remembered.
 */
#pragma once

#include "cleanup.h"
#include "sa/facts.h"

/* Then the oldest one gives way. */
#define PEER_MOVES_MAX 4096u
#define PEER_MOVES_SECONDS 86400.0

struct peer_moves;

int peer_moves_new(struct peer_moves **ret_moves);
struct peer_moves *peer_moves_free(struct peer_moves *moves); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct peer_moves *, peer_moves_free);

/* Somebody deleted the SA. `now`: s, monotonic. */
void peer_moves_note_deleted(struct peer_moves *moves, const struct sa_facts *facts, double now);
/* Somebody made the SA. Returns whether a tunnel was learned to move that was not known to.
 * `realtime`: s, CLOCK_REALTIME. */
bool peer_moves_note_made(struct peer_moves *moves, const struct sa_facts *facts, uint64_t realtime,
			  double now);
/* The same, of a tunnel that is known to move otherwise. */
bool peer_moves_learn(struct peer_moves *moves, const struct sa_description *description,
		      double now);
bool peer_moves_knows(const struct peer_moves *moves, const struct sa_description *description,
		      double now);
/* Returns whether the time of a tunnel is over since the last call. */
bool peer_moves_expire(struct peer_moves *moves, double now);
