/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of an SA: all of it as the kernel told it (GETSA reply or DELSA notification), in the
 * secret arena.
 *
 * The image's attributes are opaque bytes. libnl-xfrm's typed SA would lose those that it does not
 * know (interface identifier, output mark, direction, ...), and with them the tunnel.
 */
#pragma once

#include "sa/facts.h"
#include "xfrm/kernel.h"

struct sa_image {
	struct secret_arena *arena;
	struct xfrm_usersa_info info;
	uint8_t *attributes; /* in the arena; nlattr stream */
	size_t size;
	uint32_t replay_threshold; /* XFRMA_REPLAY_THRESH as GETAE tells it; 0: leave the default */
};

/* Captures; the old contents, if any, are wiped. Attributes that NEWSA ignores or that say where
 * the SA was offloaded are left out. */
int sa_image_capture(struct sa_image *image, struct secret_arena *arena,
		     const struct nlmsghdr *message);
void sa_image_wipe(struct sa_image *image);
/* Whether the arena holds the largest image that there may be. */
bool sa_image_has_room(struct secret_arena *arena);

struct sa_id sa_image_id(const struct sa_image *image);

struct sa_offload {
	int ifindex; /* 0: software */
	enum sa_direction direction;
};

/* Adds a message (XFRM_MSG_NEWSA or XFRM_MSG_UPDSA) that makes the SA anew, exactly as it was:
 * counters, times and replay state included. */
void sa_image_write(const struct sa_image *image, struct kernel_batch *batch, uint16_t type,
		    const struct sa_offload *offload);
/* Adds XFRM_MSG_MIGRATE_STATE: the kernel itself moves the SA, which stays as it is otherwise. */
void sa_image_write_migrate(const struct sa_image *image, struct kernel_batch *batch,
			    const struct sa_offload *offload);
/* The same for an SA that does not exist: the answer tells whether the kernel knows the message. */
void sa_image_write_migrate_probe(struct kernel_batch *batch);

/* Adds XFRM_MSG_ALLOCSPI: a larval SA of the same tuple with an SPI of this range, for packets to
 * find (larval-guard.h). */
void sa_image_write_guard(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			  uint32_t max);
/* The same with another reqid, so that no packet meets it: found by its SPI alone, which is the
 * SA's (migrator.c). */
void sa_image_write_larval(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			   uint32_t max);

/* The same for a tuple that is nobody's. */
void sa_image_write_witness(struct kernel_batch *batch, uint32_t min, uint32_t max);
struct sa_id sa_image_witness_id(uint32_t spi);
/* Whether it is the larval SA that sa_image_write_larval() makes in the SA's place. */
bool sa_image_is_larval(const struct sa_image *image, const struct sa_facts *facts);
bool sa_image_is_witness(const struct sa_facts *facts);

/* The last outbound sequence number used, with the high half of ESN. */
uint64_t sa_image_output_sequence(const struct sa_image *image);
/* Moves it forward, up to the end of the sequence space. */
void sa_image_advance(struct sa_image *image, uint64_t by);
/* No outbound number is left. */
bool sa_image_is_exhausted(const struct sa_image *image);
/* Adds a NEWAE that sets a living SA's replay state to the image's. Not for an SA whose sequence
 * numbers the NIC counts: the kernel does not tell the driver. */
void sa_image_write_sequence(const struct sa_image *image, struct kernel_batch *batch);

/* Adds XFRM_MSG_GETSA or XFRM_MSG_DELSA for an SA. */
void sa_id_write(const struct sa_id *id, struct kernel_batch *batch, uint16_t type);

/* A GETAE asking for the thresholds of events (GETSA does not tell them). */
void sa_id_write_get_thresholds(const struct sa_id *id, struct kernel_batch *batch);
