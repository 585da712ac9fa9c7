// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/peer-moves.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* charon's NEWSA follows its DELSA at once, before it deletes the next SA. */
#define DELETED_MAX 64u
#define DELETED_SECONDS 10.0
/* An SA that somebody makes afresh in the second in which one with its SPI was made and deleted (a
 * script) is no copy: it is young and has carried nothing. */
#define YOUNG_SECONDS 2
#define BUCKETS 1024u
#define NONE UINT32_MAX

/* Without padding: compared and hashed as bytes. */
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
	struct tunnel tunnel;
	double until;
	uint32_t next; /* in the bucket */
};

struct peer_moves {
	struct deleted deleted[DELETED_MAX]; /* ring */
	size_t n_deleted;                    /* ever */
	uint32_t buckets[BUCKETS];
	struct mover *movers; /* ring of PEER_MOVES_MAX, as large as was needed so far */
	size_t n_movers;      /* ever */
	size_t n_allocated;
	double next_expiry;
};

int peer_moves_new(struct peer_moves **ret_moves)
{
	struct peer_moves *moves = calloc(1, sizeof(*moves));

	if (!moves)
		return -ENOMEM;
	memset(moves->buckets, 0xff, sizeof(moves->buckets));
	moves->next_expiry = INFINITY;
	*ret_moves = moves;
	return 0;
}

struct peer_moves *peer_moves_free(struct peer_moves *moves)
{
	if (!moves)
		return NULL;
	free(moves->movers);
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

/* FNV-1a. Who chooses these numbers is the IKE daemon, and no peer. */
static uint32_t *bucket_of(struct peer_moves *moves, const struct tunnel *tunnel)
{
	const uint8_t *data = (const uint8_t *)tunnel;
	uint32_t hash = 2166136261;

	for (size_t i = 0; i < sizeof(*tunnel); i++)
		hash = (hash ^ data[i]) * 16777619;
	return &moves->buckets[(hash ^ hash >> 16) % BUCKETS];
}

static struct mover *find(const struct peer_moves *moves, const struct tunnel *tunnel)
{
	uint32_t i = *bucket_of((struct peer_moves *)moves, tunnel);

	while (i != NONE && memcmp(&moves->movers[i].tunnel, tunnel, sizeof(*tunnel)) != 0)
		i = moves->movers[i].next;
	return i == NONE ? NULL : &moves->movers[i];
}

static void unlink_mover(struct peer_moves *moves, uint32_t index)
{
	uint32_t *link = bucket_of(moves, &moves->movers[index].tunnel);

	while (*link != index)
		link = &moves->movers[*link].next;
	*link = moves->movers[index].next;
}

static struct mover *add(struct peer_moves *moves, const struct tunnel *tunnel)
{
	uint32_t index = (uint32_t)(moves->n_movers % PEER_MOVES_MAX);
	uint32_t *bucket = bucket_of(moves, tunnel);

	if (moves->n_movers >= PEER_MOVES_MAX) {
		unlink_mover(moves, index);
	} else if (index == moves->n_allocated) {
		size_t n = moves->n_allocated ? 2 * moves->n_allocated : 16;
		struct mover *grown = reallocarray(moves->movers, n, sizeof(*grown));

		if (!grown)
			return NULL;
		moves->movers = grown;
		moves->n_allocated = n;
	}
	moves->n_movers++;
	moves->movers[index] = (struct mover){.tunnel = *tunnel, .next = *bucket};
	*bucket = index;
	return &moves->movers[index];
}

/* Returns whether it is new. Without memory it is not learned. */
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
	/* charon may give it another reqid. */
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
	size_t n = moves->n_movers < PEER_MOVES_MAX ? moves->n_movers : PEER_MOVES_MAX;
	double next = INFINITY;

	if (now < moves->next_expiry)
		return false;
	for (size_t i = 0; i < n; i++)
		if (now < moves->movers[i].until)
			next = fmin(next, moves->movers[i].until);
	moves->next_expiry = next;
	return true;
}
