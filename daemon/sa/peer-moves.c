// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/peer-moves.h"

#include "hash-table.h"
#include "hash.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/queue.h>

/* charon sends its NEWSA right after its DELSA, before it deletes the next SA. */
#define DELETED_MAX 64u
#define DELETED_SECONDS 10.0
/* s. An SA that was made in the same second in which one with its SPI was made and deleted (by a
 * script) is not a copy: it is younger than this and has carried nothing. */
#define YOUNG_SECONDS 2

/* Without padding, since it is compared and hashed as bytes. */
struct tunnel {
	uint32_t reqid, if_id, mark_value, mark_mask, label;
};

struct deleted {
	struct tunnel tunnel;
	uint32_t spi;
	uint8_t protocol;
	uint64_t add_time;
	double at;
};

struct mover {
	struct hash_link link;
	STAILQ_ENTRY(mover) list;
	struct tunnel tunnel;
	double until;
};

struct peer_moves {
	struct deleted deleted[DELETED_MAX]; /* ring */
	size_t n_deleted;                    /* since the start */
	struct hash_table movers;            /* by tunnel */
	struct hash_seed seed;
	STAILQ_HEAD(, mover) all; /* oldest first */
	double next_expiry;
};

int peer_moves_new(struct peer_moves **ret_moves)
{
	_cleanup_free_ struct peer_moves *moves = calloc(1, sizeof(*moves));
	int r;

	if (!moves)
		return -ENOMEM;
	r = hash_seed_random(&moves->seed);
	if (r < 0)
		return r;
	STAILQ_INIT(&moves->all);
	moves->next_expiry = INFINITY;
	*ret_moves = TAKE_PTR(moves);
	return 0;
}

struct peer_moves *peer_moves_free(struct peer_moves *moves)
{
	struct mover *mover;

	if (!moves)
		return NULL;
	HASH_TABLE_FOREACH(mover, &moves->movers, link)
		free(mover);
	hash_table_release(&moves->movers);
	free(moves);
	return NULL;
}

static struct tunnel tunnel_of(const struct sa_description *d)
{
	return (struct tunnel){
		.reqid = d->reqid,
		.if_id = d->if_id,
		.mark_value = d->id.mark_value,
		.mark_mask = d->id.mark_mask,
		.label = d->label,
	};
}

static uint64_t hash_of(const struct peer_moves *moves, const struct tunnel *tunnel)
{
	return hash_bytes(&moves->seed, tunnel, sizeof(*tunnel));
}

static struct mover *find(const struct peer_moves *moves, const struct tunnel *tunnel)
{
	struct mover *mover;

	HASH_TABLE_FOREACH_EQUAL(mover, &moves->movers, hash_of(moves, tunnel), link)
		if (memcmp(&mover->tunnel, tunnel, sizeof(*tunnel)) == 0)
			return mover;
	return NULL;
}

static struct mover *add(struct peer_moves *moves, const struct tunnel *tunnel)
{
	struct mover *mover;

	if (moves->movers.n == PEER_MOVES_MAX) {
		mover = STAILQ_FIRST(&moves->all);
		STAILQ_REMOVE_HEAD(&moves->all, list);
		hash_table_remove(&moves->movers, &mover->link);
	} else {
		mover = malloc(sizeof(*mover));
		if (!mover)
			return NULL;
	}
	mover->tunnel = *tunnel;
	hash_table_add(&moves->movers, &mover->link, hash_of(moves, tunnel));
	STAILQ_INSERT_TAIL(&moves->all, mover, list);
	return mover;
}

/* Returns whether the tunnel is new. Without memory it is not added. */
static bool learn(struct peer_moves *moves, const struct tunnel *tunnel, double now)
{
	struct mover *mover = find(moves, tunnel);
	bool known = mover && now < mover->until;

	if (tunnel->reqid == 0)
		return false;
	if (!mover)
		mover = add(moves, tunnel);
	if (!mover)
		return false;
	mover->until = now + PEER_MOVES_SECONDS;
	moves->next_expiry = fmin(moves->next_expiry, mover->until);
	return !known;
}

void peer_moves_note_deleted(struct peer_moves *moves, const struct sa_facts *facts, double now)
{
	moves->deleted[moves->n_deleted++ % DELETED_MAX] = (struct deleted){
		.tunnel = tunnel_of(&facts->description),
		.spi = facts->description.id.spi,
		.protocol = facts->description.id.protocol,
		.add_time = facts->add_time,
		.at = now,
	};
}

static const struct deleted *find_deleted(const struct peer_moves *moves,
					  const struct sa_facts *facts, double now)
{
	const struct sa_id *id = &facts->description.id;

	for (size_t i = 0; i < DELETED_MAX && i < moves->n_deleted; i++) {
		const struct deleted *d = &moves->deleted[i];

		if (d->spi == id->spi && d->protocol == id->protocol &&
		    d->add_time == facts->add_time && d->tunnel.mark_value == id->mark_value &&
		    d->tunnel.mark_mask == id->mark_mask && now - d->at <= DELETED_SECONDS)
			return d;
	}
	return NULL;
}

bool peer_moves_note_made(struct peer_moves *moves, const struct sa_facts *facts, uint64_t realtime,
			  double now)
{
	const struct deleted *original = find_deleted(moves, facts, now);
	struct tunnel tunnel = tunnel_of(&facts->description);
	bool learned;

	if (!original || (facts->packets == 0 && facts->add_time + YOUNG_SECONDS > realtime))
		return false;
	/* charon may have changed the reqid. */
	learned = learn(moves, &original->tunnel, now);
	return learn(moves, &tunnel, now) || learned;
}

bool peer_moves_learn(struct peer_moves *moves, const struct sa_description *description,
		      double now)
{
	struct tunnel tunnel = tunnel_of(description);

	return learn(moves, &tunnel, now);
}

bool peer_moves_knows(const struct peer_moves *moves, const struct sa_description *description,
		      double now)
{
	struct tunnel tunnel = tunnel_of(description);
	const struct mover *mover = find(moves, &tunnel);

	return mover && now < mover->until;
}

bool peer_moves_expire(struct peer_moves *moves, double now)
{
	const struct mover *mover;
	double next = INFINITY;

	if (now < moves->next_expiry)
		return false;
	STAILQ_FOREACH(mover, &moves->all, list)
	if (now < mover->until)
		next = fmin(next, mover->until);
	moves->next_expiry = next;
	return true;
}
