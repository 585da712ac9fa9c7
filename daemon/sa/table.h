/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SAs that the daemon knows, without keys, found by the kernel's identity or by the policy's
 * handle. An entry belongs to the table and stays at its address until it is removed.
 */
#pragma once

#include "cleanup.h"
#include "config.h"
#include "hash-table.h"
#include "hash.h"
#include "policy.h"
#include "sa/history.h"
#include "sa/holders.h"
#include "sa/image.h"
#include "sa/shadow.h"

#include <sys/queue.h>

/* Why an SA has no table to compete in. */
enum candidacy {
	CANDIDACY_OK,
	CANDIDACY_NO_ROUTE,
	CANDIDACY_VRF_UNCLEAR,
	CANDIDACY_NO_NIC,
	CANDIDACY_NIC_DOWN,
	CANDIDACY_NIC_NO_OFFLOAD,
	CANDIDACY_NIC_VLAN,
	CANDIDACY_NIC_NOT_ALLOWED,
	CANDIDACY_NIC_NOT_TRUSTED,
	CANDIDACY_NIC_FIPS,
	CANDIDACY_NIC_BOND,
	CANDIDACY_NIC_DIRECTION,
	CANDIDACY_NIC_EVACUATED,
	CANDIDACY_NIC_DISTRUSTED,
	CANDIDACY_NIC_NO_TABLE,
	CANDIDACY_REFUSED_SHAPE,
	CANDIDACY_PEER_MOVES,
	_CANDIDACY_MAX,
};

const char *sa_direction_name(enum sa_direction direction); /* "in", "out", "unknown" */
const char *candidacy_name(enum candidacy candidacy);
const char *candidacy_text(enum candidacy candidacy);

/* What is watched after a promotion: placement/probation.h. */
struct sa_probation {
	double from;                 /* s, monotonic: what happens before is not its fault */
	double until;                /* s, monotonic; 0: not watched */
	uint32_t failures, replayed; /* as they were */
};

/* Where it may compete: set by placement/. */
struct sa_candidate {
	const struct config_rule *rule;   /* NULL: none matches */
	const struct config_group *group; /* the same */
	int ifindex; /* of the NIC it competes for, also when it may not; 0: none */
	enum candidacy candidacy : 8;
};

/* Where it is: set by the tracker. */
struct sa_residence {
	double since; /* s, monotonic; when it came there, or when that was seen */
	int ifindex;  /* of the NIC that holds it, 0: software */
	bool foreign; /* another program offloaded it */
};

/* Whether the kernel has it: set by the tracker. */
struct sa_presence {
	double missing_since;  /* s, monotonic: not found, and no event says why; 0: it is there */
	uint32_t generation;   /* of the last dump that showed it */
	uint32_t masked;       /* of the last dump that showed a larval SA with its identity */
	bool deleted_by_other; /* an event said so, and the entry is not yet read again */
};

/* There are up to 100,000 and more, most of them idle: what only few need is allocated for those.
 */
struct sa {
	struct sa_description description; /* the direction resolved by local addresses */
	const struct sa_shape *shape;      /* shared between SAs, belongs to the table */
	uint64_t bytes, packets;
	double carried_at; /* s, monotonic; when a sample last showed new packets */
	uint64_t add_time;
	struct sa_presence presence;
	struct sa_residence residence;
	struct sa_candidate candidate;
	uint32_t output_mark;
	policy_sa handle;
	uint16_t unknown_attribute;
	enum hands_off hands_off : 8;
	bool soft_expired;       /* the kernel said so; not to be seen in GETSA */
	bool packet;             /* in packet offload: sa_table_set_packet() */
	bool shares_spi;         /* another SA has the same SPI and protocol */
	bool sampled_often;      /* placement/sampling.h */
	bool virtually_resident; /* observe mode: where the policy believes it to be */
	/* While we hold it in a NIC: what to restore it from when the NIC goes down, which deletes
	 * it without a message. */
	struct shadow *shadow; /* NULL: none */
	struct sa_probation probation;
	char *refusal;              /* the driver's words at its last refusal; NULL: none */
	struct sa_history *history; /* NULL: it carried nothing in the last minute */

	struct hash_link by_spi;
	struct hash_link packet_link;
	TAILQ_ENTRY(sa) list;
};

TAILQ_HEAD(sa_list, sa);

struct sa_table {
	struct sa_list all;
	size_t n;
	struct hash_seed seed;
	struct hash_table by_spi; /* all, by spi_hash() */
	struct hash_table packet; /* those in packet offload, by their partners */
	struct sa **by_handle;
	size_t n_by_handle;
	struct sa_shape **shapes;
	size_t n_shapes;
	struct holders holders;
};

/* We put it into the NIC that holds it. */
static inline bool sa_is_resident(const struct sa *sa)
{
	return sa->residence.ifindex != 0 && !sa->residence.foreign;
}

int sa_table_init(struct sa_table *table);
void sa_table_release(struct sa_table *table);

struct sa *sa_table_find(const struct sa_table *table, const struct sa_id *id);
/* The same in a walk through SAs that are mostly in the order of the table's list, as dumps are: it
 * looks behind *previous first (NULL: at the begin), and puts an SA that is elsewhere there for the
 * next walk. *previous is the entry that is returned, if any. 10 times faster than by the hash at
 * 100,000 SAs. */
struct sa *sa_table_find_in_order(struct sa_table *table, struct sa **previous,
				  const struct sa_id *id);
struct sa *sa_table_by_handle(const struct sa_table *table, policy_sa handle);
/* A zeroed entry but for its description and shape. -EEXIST, -ENOMEM. */
int sa_table_add(struct sa_table *table, const struct sa_description *description,
		 const struct sa_shape *shape, struct sa **ret_sa);
int sa_table_set_handle(struct sa_table *table, struct sa *sa, policy_sa handle);
void sa_table_remove(struct sa_table *table, struct sa *sa);
/* Where it is now; table->holders follows. The only way to change these two. */
void sa_table_set_residence(struct sa_table *table, struct sa *sa, int ifindex, bool foreign);
/* The shared copy of a shape, or NULL without memory. */
const struct sa_shape *sa_table_shape(struct sa_table *table, const struct sa_shape *shape);

void sa_table_set_packet(struct sa_table *table, struct sa *sa, bool packet);
/*
 * Whether there is another SA in packet offload that the kernel looks for in the same place, of
 * either direction: same addresses, reqid and family (__xfrm_dst_hash()). Lookups for packet
 * offload stop at the first other SA of the bucket, and a software SA that is inserted into a
 * bucket of such SAs goes before them: 3 of 3 packets lost on 6.12 and 7.3. An SA on
 * `except_ifindex`, which went down, does not count.
 */
bool sa_table_has_packet_partner(const struct sa_table *table, const struct sa *sa,
				 int except_ifindex);
