/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SAs that the daemon knows, without keys. They are found by the kernel's identity or by the
 * policy's handle. An entry belongs to the table, and its address does not change until it is
 * removed.
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

/* Whether an SA competes for a table, or why not. */
enum candidacy {
	CANDIDACY_OK,
	CANDIDACY_IDLE,
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
	CANDIDACY_SOFTWARE_DRIVER,
	_CANDIDACY_MAX,
};

const char *sa_direction_name(enum sa_direction direction); /* "in", "out", "unknown" */
const char *candidacy_name(enum candidacy candidacy);
const char *candidacy_text(enum candidacy candidacy);
/* It does not end by itself, but only when somebody changes the configuration, the machine or the
 * SA. */
bool candidacy_is_lasting(enum candidacy candidacy);

/* The probation after a promotion: placement/probation.h. */
struct sa_probation {
	double from;                 /* s, monotonic: earlier faults do not count */
	double until;                /* s, monotonic */
	uint32_t failures, replayed; /* counters at `from` */
};

/* Where it may compete: set by placement/. */
struct sa_candidate {
	const struct config_rule *rule; /* NULL: no rule matches */
	int ifindex; /* of the NIC by which it leaves, even if it may not compete; 0: none */
	enum candidacy candidacy : 8;
	bool wanted; /* the NIC is looked up even if the SA is idle and one of very many */
	enum config_offload offload : 8; /* of the order or the rule that decides */
	bool ordered;                    /* by an order of the operator */
	bool alarms;                     /* counted in manager.n_alarms */
};

/* Where it is: set by the tracker. */
struct sa_residence {
	double since; /* s, monotonic; when it came there, or when that was seen */
	int ifindex;  /* of the NIC that holds it; 0: software */
	bool foreign; /* another program offloaded it */
};

/* Whether the kernel has it: set by the tracker. */
struct sa_presence {
	double missing_since;  /* s, monotonic: when it was missing first; 0: it is not */
	uint32_t generation;   /* of the last dump that showed the SA */
	uint32_t masked;       /* of the last dump that showed a larval SA with this identity */
	bool deleted_by_other; /* by an event, and the SA was not read again since */
};

/* There may be 100,000 SAs, and most are idle: state that only few need is allocated separately. */
struct sa {
	struct sa_description description; /* with the direction by local addresses */
	uint32_t digest; /* of the message from which it was read last (sa/digest.h); 0: none */
	const struct sa_shape *shape; /* shared between SAs, belongs to the table */
	uint64_t bytes, packets;
	uint64_t output_sequence; /* last used outbound */
	double carried_at;        /* s, monotonic; when a sample last showed new packets */
	uint64_t add_time;
	struct sa_presence presence;
	struct sa_residence residence;
	struct sa_candidate candidate;
	uint32_t output_mark;
	policy_sa handle;
	uint16_t unknown_attribute;
	enum hands_off hands_off : 8;
	bool soft_expired;       /* by an event of the kernel; GETSA does not show it */
	bool packet;             /* in packet offload: sa_table_set_packet() */
	bool shares_spi;         /* another SA has the same SPI and protocol */
	bool sampled_often;      /* placement/sampling.h */
	bool virtually_resident; /* observe mode: whether the policy assumes it in a NIC */
	/* While the SA is owned: the image from which it is restored if its NIC goes down. */
	struct shadow *shadow;          /* NULL: none */
	struct sa_probation *probation; /* NULL: not in probation */
	char *refusal;                  /* the driver's message at its last refusal; NULL: none */
	struct sa_history *history;     /* NULL: it carried nothing in the last minute */

	struct hash_link by_spi;
	TAILQ_ENTRY(sa) list;
};

TAILQ_HEAD(sa_list, sa);

/* An SA in packet offload. */
struct sa_packet {
	struct hash_link link;
	const struct sa *sa;
};

struct sa_table {
	struct sa_list all;
	size_t n;
	struct hash_seed seed;
	struct hash_table by_spi; /* all, by spi_hash() */
	struct hash_table packet; /* struct sa_packet, by packet_key_of() */
	struct sa **by_handle;
	size_t n_by_handle;
	struct sa_shape **shapes;
	size_t n_shapes;
	struct holders holders;
};

/* By its rule. */
static inline enum config_reject sa_on_reject(const struct sa *sa)
{
	return sa->candidate.rule ? sa->candidate.rule->on_reject : CONFIG_REJECT_SOFTWARE;
}

/* Whether this daemon put the SA into the NIC that holds it. */
static inline bool sa_is_resident(const struct sa *sa)
{
	return sa->residence.ifindex != 0 && !sa->residence.foreign;
}

/* As policy_reason_text(), for an SA on which there may be an order. */
const char *sa_reason_text(const struct sa *sa, enum policy_reason reason);

int sa_table_init(struct sa_table *table);
void sa_table_release(struct sa_table *table);

struct sa *sa_table_find(const struct sa_table *table, const struct sa_id *id);
/* The same for a walk through SAs in mostly the order of the table's list, such as a dump. Looks
 * behind *previous first (NULL: at the head of the list). Moves an SA that is elsewhere there, for
 * the next walk. Sets *previous to the entry that is found. A tick over 100,000 idle SAs
 * took 0.69 us for each by the hash, and takes 0.18 us (tools/bench scale). */
struct sa *sa_table_find_in_order(struct sa_table *table, struct sa **previous,
				  const struct sa_id *id);
/* The entry that follows the previous one, which may be NULL, in the order of the list. */
static inline struct sa *sa_table_behind(const struct sa_table *table, const struct sa *previous)
{
	return previous ? TAILQ_NEXT(previous, list) : TAILQ_FIRST(&table->all);
}
struct sa *sa_table_by_handle(const struct sa_table *table, policy_sa handle);
/* Adds an entry with its description and shape, otherwise zeroed. -EEXIST, -ENOMEM. */
int sa_table_add(struct sa_table *table, const struct sa_description *description,
		 const struct sa_shape *shape, struct sa **ret_sa);
int sa_table_set_handle(struct sa_table *table, struct sa *sa, policy_sa handle);
void sa_table_remove(struct sa_table *table, struct sa *sa);
/* Sets the residence and updates table->holders. Nothing else may change these two. */
void sa_table_set_residence(struct sa_table *table, struct sa *sa, int ifindex, bool foreign);
/* The table's copy of a shape, which is never freed before the table. NULL without memory. */
const struct sa_shape *sa_table_shape(struct sa_table *table, const struct sa_shape *shape);

/* Without memory the SA is not noted, and the next sample tries again. */
void sa_table_set_packet(struct sa_table *table, struct sa *sa, bool packet);
/*
 * Whether there is another SA in packet offload, of either direction, in the same bucket of the
 * kernel: same addresses, reqid and family (__xfrm_dst_hash()). A lookup for packet offload stops
 * at the first other SA of the bucket, and a software SA is inserted before such SAs: 3 of 3
 * packets were lost on 6.12 and 7.3. An SA on `except_ifindex`, which went down, does not count.
 */
bool sa_table_has_packet_partner(const struct sa_table *table, const struct sa *sa,
				 int except_ifindex);
