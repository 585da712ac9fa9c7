/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all SAs are sorted by, as it was when the snapshot was made. It is made in slices, and all
 * who list at about the same time share it. It holds identities, so an SA may end before its
 * snapshot does.
 */
#pragma once

#include "control/order.h"
#include "manager/manager.h"

/* Where an SA is, in the order of `top`. */
enum snapshot_place {
	SNAPSHOT_PLACE_NIC,
	SNAPSHOT_PLACE_MOVING,
	SNAPSHOT_PLACE_SOFTWARE,
	SNAPSHOT_PLACE_REFUSED,
	SNAPSHOT_PLACE_FOREIGN,
	SNAPSHOT_PLACE_HANDS_OFF,
};

struct snapshot_row {
	struct sa_id id;
	struct sa_address source;
	double rate; /* bytes/s, -1: not known */
	int ifindex; /* of the NIC that holds it, 0: software */
	enum sa_direction direction : 8;
	enum snapshot_place place : 8; /* see snapshot_add_places() */
};

enum snapshot_sort {
	SNAPSHOT_SORT_RATE,
	SNAPSHOT_SORT_RANK, /* the same */
	SNAPSHOT_SORT_PLACEMENT,
	SNAPSHOT_SORT_DIRECTION,
	SNAPSHOT_SORT_SPI,
	SNAPSHOT_SORT_PEER,
	SNAPSHOT_SORT_SOURCE,
	SNAPSHOT_SORT_DESTINATION,
	SNAPSHOT_SORT_NIC,
	_SNAPSHOT_SORT_MAX,
};
extern const char *const snapshot_sort_names[_SNAPSHOT_SORT_MAX];

struct snapshot;

/* Those in use. All zero: none. */
struct snapshots {
	struct snapshot *newest; /* NULL: none */
	size_t bytes;            /* of all */
};

/*
 * A new snapshot, or one that is not much older: making them takes a small part of the time,
 * however many ask. While those in use take much memory, the newest has to do. The caller gets a
 * reference. -ENOMEM.
 */
int snapshots_get(struct snapshots *snapshots, struct manager *m, struct snapshot **ret_snapshot);
/* When none is in use any more. */
void snapshots_release(struct snapshots *snapshots);

struct snapshot *snapshot_unref(struct snapshot *snapshot); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct snapshot *, snapshot_unref);

/* Both continue with at least some SAs and return how many; 0: all are there; -ENOMEM. The second
 * sets the places, which only some lists need. */
ssize_t snapshot_add_rows(struct snapshot *snapshot);
ssize_t snapshot_add_places(struct snapshot *snapshot);

/* When all rows are there. */
uint32_t snapshot_size(const struct snapshot *snapshot);
const struct snapshot_row *snapshot_row(const struct snapshot *snapshot, uint32_t row);
int snapshot_compare(const struct snapshot *snapshot, enum snapshot_sort sort, uint32_t a,
		     uint32_t b);
/* The order belongs to the snapshot. The first time is a pass over all rows: as order_row(), or
 * -ENOMEM. */
ssize_t snapshot_order(struct snapshot *snapshot, enum snapshot_sort sort,
		       struct order **ret_order);

/* The remote end of an SA. */
static inline const struct sa_address *snapshot_row_peer(const struct snapshot_row *row)
{
	return row->direction == SA_DIRECTION_IN ? &row->source : &row->id.destination;
}

/* The rank of an SA among all by rate, from 1 on. */
struct snapshot_rank {
	struct sa_id id;
	double rate;
	size_t rank;
};
/* Ranks some SAs, which are all that have their SPI; only the identities are set. The first sorts
 * them by their rates of now. The second is called until it returns 0: the row *next is the next to
 * be compared with. */
void snapshot_rank_begin(struct manager *m, struct snapshot_rank *ranks, size_t n);
size_t snapshot_rank_rows(const struct snapshot *snapshot, struct snapshot_rank *ranks, size_t n,
			  uint32_t *next);
void snapshot_rank_end(struct snapshot_rank *ranks, size_t n);
/* The same for any SAs, without a snapshot, in one pass over all. */
void snapshot_rank_now(struct manager *m, struct snapshot_rank *ranks, size_t n);
