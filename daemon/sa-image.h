/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an SA is: facts, which hold no key and may be kept anywhere, and the image, which is all of
 * it as the kernel told it (GETSA reply or DELSA notification) and lives in the secret arena.
 *
 * The image's attributes are opaque bytes. libnl-xfrm's typed SA would lose those that it does not
 * know (interface identifier, output mark, direction, ...), and with them the tunnel.
 */
#pragma once

#include "kernel.h"
#include "sa-shape.h"
#include "sa.h"

#include <linux/xfrm.h>

/* Why an SA must not be moved, whatever its rate. Ordered: the first that applies is told. */
enum hands_off {
	HANDS_OFF_NONE,
	HANDS_OFF_NOT_ESP,
	HANDS_OFF_LARVAL,
	HANDS_OFF_UNKNOWN_ATTRIBUTE,
	HANDS_OFF_REDACTED_KEY,
	HANDS_OFF_PACKET_MODE,
	HANDS_OFF_MODE,
	HANDS_OFF_TFC,
	HANDS_OFF_SELECTOR,
	HANDS_OFF_TOO_LARGE,
	/* The following are not of the SA alone: the caller finds them. */
	HANDS_OFF_FOREIGN,
	HANDS_OFF_DIRECTION_UNKNOWN,
	HANDS_OFF_SHARED_SPI,
	HANDS_OFF_SOFT_EXPIRED,
	HANDS_OFF_NEAR_LIMIT,
	HANDS_OFF_SEQUENCE_SPACE,
	HANDS_OFF_OPTIONAL_TEMPLATE,
	HANDS_OFF_THRESHOLDS,
	HANDS_OFF_DRIVER,
	_HANDS_OFF_MAX,
};

const char *hands_off_name(enum hands_off reason); /* "packet-mode" */
const char *hands_off_text(enum hands_off reason); /* a sentence */

struct sa_facts {
	struct sa_description description; /* direction as the kernel told it, or unknown */
	struct sa_shape shape;
	enum hands_off hands_off;    /* of the SA alone */
	uint16_t unknown_attribute;  /* type, with HANDS_OFF_UNKNOWN_ATTRIBUTE */
	uint64_t bytes, packets;     /* struct xfrm_lifetime_cur */
	uint64_t add_time, use_time; /* s, CLOCK_REALTIME */
	struct xfrm_lifetime_cfg limits;
	uint64_t output_sequence;    /* last used outbound (with the high half for ESN) */
	uint64_t input_sequence;     /* highest received */
	uint32_t integrity_failures; /* since the state was made */
	uint32_t replayed;
	uint32_t output_mark;
	int offload_ifindex; /* 0: in software */
	uint8_t offload_flags;
};

/* Reads an SA out of any message that kernel_message_sa() understands. -EBADMSG when it has none.
 */
int sa_facts_read(const struct nlmsghdr *message, struct sa_facts *ret_facts);

/* Why not to move it now, by its limits and its clock. `now` is CLOCK_REALTIME in seconds. */
enum hands_off sa_facts_check_limits(const struct sa_facts *facts, uint64_t now);

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

/* A larval SA of the same tuple with an SPI of this range: see migrator.c. */
void sa_image_write_larval(const struct sa_image *image, struct kernel_batch *batch, uint32_t min,
			   uint32_t max);

/* The last outbound sequence number used, with the high half of ESN. */
uint64_t sa_image_output_sequence(const struct sa_image *image);
/* Moves it forward, up to the end of the sequence space. */
void sa_image_advance(struct sa_image *image, uint64_t by);
/* Adds a NEWAE that sets a living SA's replay state to the image's. Not for an SA whose sequence
 * numbers the NIC counts: the kernel does not tell the driver. */
void sa_image_write_sequence(const struct sa_image *image, struct kernel_batch *batch);

/* Adds XFRM_MSG_GETSA or XFRM_MSG_DELSA for an SA. */
void sa_id_write(const struct sa_id *id, struct kernel_batch *batch, uint16_t type);

/* A GETAE asking for the thresholds of events (GETSA does not tell them). */
void sa_id_write_get_thresholds(const struct sa_id *id, struct kernel_batch *batch);

#define SA_ADDRESS_TEXT_SIZE 46
const char *sa_address_format(uint16_t family, const struct sa_address *address,
			      char buffer[SA_ADDRESS_TEXT_SIZE]);
