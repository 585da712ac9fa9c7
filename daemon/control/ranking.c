// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sorted step by step (incremental quicksort): all rows before a bound are hotter than all rows
 * from it on. Only the part before the nearest bound is divided further, until it is small.
 */
#include "control/ranking.h"

#include <errno.h>
#include <string.h>

/* A part of this size is sorted as a whole: it has about the rows of one screen. */
#define SMALL_PART 64
/* Enough unless the pivots are bad. Then the part is sorted as a whole. */
#define BOUNDS_MAX 64
/* A ranking is used for all requests until this many times the duration of making it has passed. */
#define REUSED 20
/* 100,000 SAs make 4 MB. */
#define BYTES_MAX (64u * 1024u * 1024u)

struct row {
	double rate;
	struct sa_id id;
};

struct ranking {
	struct rankings *rankings;
	unsigned references;
	size_t bytes;
	double made_at, took; /* s */
	size_t n;
	size_t sorted; /* rows at the front that are in their final order */
	size_t bounds[BOUNDS_MAX];
	size_t n_bounds;
	struct row rows[];
};

static int compare(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->rate != y->rate)
		return x->rate > y->rate ? -1 : 1;
	/* Ties keep their order from one call to the next. */
	if (x->id.spi != y->id.spi)
		return x->id.spi < y->id.spi ? -1 : 1;
	return memcmp(&x->id, &y->id, sizeof(x->id));
}

static struct ranking *ranking_new(const struct manager *m)
{
	size_t bytes = sizeof(struct ranking) + m->sas->n * sizeof(struct row);
	double begun = manager_now(m);
	struct ranking *ranking = malloc(bytes);
	const struct sa *sa;

	if (!ranking)
		return NULL;
	*ranking = (struct ranking){.bytes = bytes, .made_at = begun};
	TAILQ_FOREACH(sa, &m->sas->all, list) {
		struct policy_rate rate = policy_sa_rate(m->policy, sa->handle);

		ranking->rows[ranking->n++] = (struct row){
			.rate = rate.known ? rate.mean : -1,
			.id = sa->description.id,
		};
	}
	ranking->bounds[0] = ranking->n;
	ranking->n_bounds = 1;
	ranking->took = manager_now(m) - begun;
	return ranking;
}

struct ranking *ranking_unref(struct ranking *ranking)
{
	if (ranking && --ranking->references == 0) {
		ranking->rankings->bytes -= ranking->bytes;
		free(ranking);
	}
	return NULL;
}

/* Whether the newest has to do. */
static bool is_usable(const struct rankings *rankings, const struct manager *m)
{
	const struct ranking *newest = rankings->newest;

	return newest && (rankings->bytes > BYTES_MAX ||
			  manager_now(m) - newest->made_at < REUSED * newest->took);
}

int rankings_get(struct rankings *rankings, const struct manager *m, struct ranking **ret_ranking)
{
	if (!is_usable(rankings, m)) {
		struct ranking *ranking;

		rankings_release(rankings);
		ranking = ranking_new(m);
		if (!ranking)
			return -ENOMEM;
		ranking->rankings = rankings;
		ranking->references = 1;
		rankings->bytes += ranking->bytes;
		rankings->newest = ranking;
	}
	rankings->newest->references++;
	*ret_ranking = rankings->newest;
	return 0;
}

void rankings_release(struct rankings *rankings)
{
	rankings->newest = ranking_unref(rankings->newest);
}

size_t ranking_size(const struct ranking *ranking)
{
	return ranking->n;
}

static void swap(struct row *a, struct row *b)
{
	struct row row = *a;

	*a = *b;
	*b = row;
}

/* Returns a bound between the two, so that both parts are smaller. */
static size_t divide(struct row *rows, size_t from, size_t to)
{
	struct row *pivot = &rows[to - 1];
	size_t bound = from;

	swap(&rows[from + (to - from) / 2], pivot);
	for (size_t i = from; i < to - 1; i++)
		if (compare(&rows[i], pivot) < 0)
			swap(&rows[i], &rows[bound++]);
	swap(&rows[bound], pivot);
	return bound > from ? bound : from + 1;
}

static void sort_first(struct ranking *ranking, size_t n)
{
	while (ranking->sorted < n) {
		size_t from = ranking->sorted, to = ranking->bounds[ranking->n_bounds - 1];

		if (to - from > SMALL_PART && ranking->n_bounds < BOUNDS_MAX) {
			ranking->bounds[ranking->n_bounds++] = divide(ranking->rows, from, to);
			continue;
		}
		qsort(ranking->rows + from, to - from, sizeof(struct row), compare);
		ranking->sorted = to;
		ranking->n_bounds--;
	}
}

const struct sa_id *ranking_get(struct ranking *ranking, size_t place)
{
	sort_first(ranking, place + 1);
	return &ranking->rows[place].id;
}
