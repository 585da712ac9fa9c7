/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The image of an SA: all of it as the kernel shows it (GETSA reply or DELSA notification), in the
 * secret arena.
 *
 * The image's attributes are opaque bytes. libnl-xfrm's typed SA would lose the attributes that it
 * does not know (interface identifier, output mark, direction, ...), and the tunnel would fail.
 */
#pragma once

#include "sa/facts.h"
#include "xfrm/kernel.h"

struct sa_image {
	struct secret_arena *arena;
	struct xfrm_usersa_info info;
	uint8_t *attributes; /* in the arena; nlattr stream */
	size_t size;
	uint32_t replay_threshold; /* XFRMA_REPLAY_THRESH from GETAE; 0: leave the default */
};

/* Captures the SA of a message and wipes the old contents, if any. Attributes that NEWSA ignores
 * and XFRMA_OFFLOAD_DEV are left out. -EBADMSG: the message contains no SA, -E2BIG: too many
 * attributes, -ENOMEM: the arena is full. The old contents stay then. */
int sa_image_capture(struct sa_image *image, struct secret_arena *arena,
		     const struct nlmsghdr *message);
void sa_image_wipe(struct sa_image *image);
/* Whether the arena has room for the largest image that sa_image_capture() accepts. */
bool sa_image_has_room(struct secret_arena *arena);

struct sa_id sa_image_id(const struct sa_image *image);

struct sa_offload {
	int ifindex; /* 0: software */
	enum sa_direction direction;
};

/* Adds a message (XFRM_MSG_NEWSA or XFRM_MSG_UPDSA) that makes the SA again, including its
 * counters, times and replay state. */
void sa_image_write(const struct sa_image *image, struct kernel_batch *batch, uint16_t type,
		    const struct sa_offload *offload);
/* Adds a NEWSA whose offload has flags that no kernel knows. Before the kernel refuses it (EINVAL,
 * xfrm_dev_state_add()) it loads its module for offloaded SAs of the family (esp4_offload,
 * esp6_offload; xfrm_state_construct()). If a kernel knew the flags, the answer would be EEXIST. */
void sa_image_write_offload_probe(const struct sa_image *image, struct kernel_batch *batch);
/* Adds XFRM_MSG_MIGRATE_STATE: the kernel moves the SA and changes nothing else of it. */
void sa_image_write_migrate(const struct sa_image *image, struct kernel_batch *batch,
			    const struct sa_offload *offload);
/* The same for an SA that does not exist: the answer shows whether the kernel knows the message. */
void sa_image_write_migrate_probe(struct kernel_batch *batch);

/* The SPIs of guards, reserved by IANA (RFC 4303, 2.1). */
#define SA_GUARD_SPI_MIN 1
#define SA_GUARD_SPI_MAX 255
/* Adds XFRM_MSG_ALLOCSPI: a larval SA with the SA's addresses, reqid, mode and mark, and an SPI of
 * this range. Packets find it (larval-guard.h). */
void sa_image_write_guard(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			  uint32_t max);
/* The same with another reqid, so that no packet finds it. Only requests that name its SPI, which
 * is that of the SA, find it (migrator.c). */
void sa_image_write_larval(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			   uint32_t max);

/* The same with loopback addresses and a reqid that no SA uses: the witness of a removal
 * (remove_sa() in move/steps.c). */
void sa_image_write_witness(struct kernel_batch *batch, uint32_t min, uint32_t max);
struct sa_id sa_image_witness_id(uint32_t spi);
/* Whether these are the facts of the larval SA that sa_image_write_larval() makes. */
bool sa_image_is_larval(const struct sa_image *image, const struct sa_facts *facts);
bool sa_image_is_witness(const struct sa_facts *facts);
bool sa_image_is_guard(const struct sa_facts *facts); /* or another larval SA with such an SPI */

/* The last outbound sequence number used, with the high half of ESN. */
uint64_t sa_image_output_sequence(const struct sa_image *image);
/* Moves that number forward, at most to the end of the sequence space. */
void sa_image_advance(struct sa_image *image, uint64_t by);
/* Whether no outbound number is left. */
bool sa_image_is_exhausted(const struct sa_image *image);
/* Adds a NEWAE that sets the replay state of an existing SA to that of the image. Not for an SA in
 * packet offload: the kernel does not pass the numbers to the driver. */
void sa_image_write_sequence(const struct sa_image *image, struct kernel_batch *batch);

/* Adds XFRM_MSG_GETSA or XFRM_MSG_DELSA for an SA. */
void sa_id_write(const struct sa_id *id, struct kernel_batch *batch, uint16_t type);

/* Adds a GETAE that asks for the thresholds of events, which GETSA does not show. */
void sa_id_write_get_thresholds(const struct sa_id *id, struct kernel_batch *batch);
