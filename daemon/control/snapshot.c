// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/snapshot.h"

#include "control/describe.h"

#include <errno.h>
#include <string.h>

/* SAs of one call. */
#define ROWS_AT_ONCE 64
/* A snapshot is used for all requests until this many times the duration of making it has passed.
 */
#define REUSED 20
/* 100,000 SAs make 7 MB. */
#define BYTES_MAX (64u * 1024u * 1024u)

/* What one order compares with. */
struct sorting {
	const struct snapshot *snapshot;
	enum snapshot_sort sort;
};

struct snapshot {
	struct snapshots *snapshots;
	struct manager *m;
	unsigned references;
	size_t bytes;
	double made_at, took; /* s */
	struct snapshot_row *rows;
	uint32_t n, allocated;
	size_t mask, bucket; /* of the SAs' hash table: the next to read */
	bool complete;
	uint32_t n_placed; /* rows whose place is set */
	struct sorting sortings[_SNAPSHOT_SORT_MAX];
	struct order *orders[_SNAPSHOT_SORT_MAX]; /* NULL: not asked for yet */
};

/* ---- Order ---- */

static int compare_numbers(double a, double b)
{
	return (a > b) - (a < b);
}

static int compare_identity(const struct sa_id *a, const struct sa_id *b)
{
	if (a->spi != b->spi)
		return a->spi < b->spi ? -1 : 1;
	return memcmp(a, b, sizeof(*a));
}

static int compare_addresses(const struct snapshot_row *a, const struct sa_address *address_a,
			     const struct snapshot_row *b, const struct sa_address *address_b)
{
	if (a->id.family != b->id.family)
		return a->id.family < b->id.family ? -1 : 1;
	return memcmp(address_a, address_b, sizeof(*address_a));
}

/* In software last, an unknown direction last. */
static int compare_by(enum snapshot_sort sort, const struct snapshot_row *a,
		      const struct snapshot_row *b)
{
	switch (sort) {
	case SNAPSHOT_SORT_PLACEMENT:
		return (int)a->place - (int)b->place;
	case SNAPSHOT_SORT_DIRECTION:
		return compare_numbers((uint8_t)(a->direction - 1), (uint8_t)(b->direction - 1));
	case SNAPSHOT_SORT_SPI:
		return compare_identity(&a->id, &b->id);
	case SNAPSHOT_SORT_PEER:
		return compare_addresses(a, snapshot_row_peer(a), b, snapshot_row_peer(b));
	case SNAPSHOT_SORT_SOURCE:
		return compare_addresses(a, &a->source, b, &b->source);
	case SNAPSHOT_SORT_DESTINATION:
		return compare_addresses(a, &a->id.destination, b, &b->id.destination);
	case SNAPSHOT_SORT_NIC:
		return compare_numbers((uint32_t)a->ifindex - 1, (uint32_t)b->ifindex - 1);
	case SNAPSHOT_SORT_RATE:
	case SNAPSHOT_SORT_RANK:
	case _SNAPSHOT_SORT_MAX:
		break;
	}
	return 0;
}

/* Equal rows are ordered by rate, then by identity, so that the order is stable. */
int snapshot_compare(const struct snapshot *snapshot, enum snapshot_sort sort, uint32_t a,
		     uint32_t b)
{
	const struct snapshot_row *row_a = &snapshot->rows[a], *row_b = &snapshot->rows[b];
	int order = compare_by(sort, row_a, row_b);

	if (order == 0)
		order = compare_numbers(row_b->rate, row_a->rate);
	return order ? order : compare_identity(&row_a->id, &row_b->id);
}

static int compare(uint32_t a, uint32_t b, const void *userdata)
{
	const struct sorting *sorting = userdata;

	return snapshot_compare(sorting->snapshot, sorting->sort, a, b);
}

const char *const snapshot_sort_names[_SNAPSHOT_SORT_MAX] = {
	[SNAPSHOT_SORT_RATE] = "rate",
	[SNAPSHOT_SORT_RANK] = "rank",
	[SNAPSHOT_SORT_PLACEMENT] = "placement",
	[SNAPSHOT_SORT_DIRECTION] = "direction",
	[SNAPSHOT_SORT_SPI] = "spi",
	[SNAPSHOT_SORT_PEER] = "peer",
	[SNAPSHOT_SORT_SOURCE] = "source",
	[SNAPSHOT_SORT_DESTINATION] = "destination",
	[SNAPSHOT_SORT_NIC] = "nic",
};

static void add_bytes(struct snapshot *snapshot, size_t bytes)
{
	snapshot->bytes += bytes;
	snapshot->snapshots->bytes += bytes;
}

ssize_t snapshot_order(struct snapshot *snapshot, enum snapshot_sort sort, struct order **ret_order)
{
	struct sorting *sorting = &snapshot->sortings[sort];
	int r;

	*ret_order = snapshot->orders[sort];
	if (*ret_order)
		return 0;
	*sorting = (struct sorting){.snapshot = snapshot, .sort = sort};
	r = order_new(snapshot->n, compare, sorting, &snapshot->orders[sort]);
	if (r < 0)
		return r;
	add_bytes(snapshot, order_bytes(snapshot->orders[sort]));
	return snapshot->n + 1;
}

/* ---- Rows ---- */

static double rate_of(const struct manager *m, const struct sa *sa)
{
	struct policy_rate rate = policy_sa_rate(m->policy, sa->handle);

	return rate.known ? rate.mean : -1;
}

static int make_room(struct snapshot *snapshot)
{
	uint32_t allocated = snapshot->allocated + snapshot->allocated / 8 + 64;
	struct snapshot_row *rows;

	if (snapshot->n < snapshot->allocated)
		return 0;
	rows = reallocarray(snapshot->rows, allocated, sizeof(*rows));
	if (!rows)
		return -ENOMEM;
	add_bytes(snapshot, (allocated - snapshot->allocated) * sizeof(*rows));
	snapshot->rows = rows;
	snapshot->allocated = allocated;
	return 0;
}

static int add_row(struct snapshot *snapshot, const struct sa *sa)
{
	int r = make_room(snapshot);

	if (r < 0)
		return r;
	snapshot->rows[snapshot->n++] = (struct snapshot_row){
		.id = sa->description.id,
		.source = sa->description.source,
		.rate = rate_of(snapshot->m, sa),
		.ifindex = sa->residence.ifindex,
		.direction = sa->description.direction,
	};
	return 0;
}

/* Between two calls SAs may be added, removed and put elsewhere in the list of all, but each stays
 * in its bucket, unless the number of buckets grows. */
ssize_t snapshot_add_rows(struct snapshot *snapshot)
{
	const struct hash_table *table = &snapshot->m->sas->by_spi;
	double begun = manager_now(snapshot->m);
	uint32_t before;

	if (snapshot->complete)
		return 0;
	if (table->mask != snapshot->mask) {
		snapshot->mask = table->mask;
		snapshot->bucket = 0;
		snapshot->n = 0;
	}
	before = snapshot->n;
	for (size_t i = 0; i < ROWS_AT_ONCE && snapshot->bucket <= table->mask; i++) {
		const struct hash_link *link = *hash_table_bucket(table, snapshot->bucket++);

		for (; link; link = link->next)
			if (add_row(snapshot, HASH_TABLE_ELEMENT(link, struct sa *, by_spi)) < 0)
				return -ENOMEM;
	}
	snapshot->complete = snapshot->bucket > table->mask;
	snapshot->took += manager_now(snapshot->m) - begun;
	return (ssize_t)(snapshot->n - before) + 1;
}

static enum snapshot_place place_of(struct manager *m, const struct sa *sa)
{
	struct policy_sa_view view = describe_view(m, sa);
	struct explanation explanation;

	describe_place(m, sa, &view, &explanation);
	if (strcmp(explanation.state, "moving") == 0)
		return SNAPSHOT_PLACE_MOVING;
	if (strcmp(explanation.state, "refused") == 0)
		return SNAPSHOT_PLACE_REFUSED;
	if (strcmp(explanation.state, "foreign") == 0)
		return SNAPSHOT_PLACE_FOREIGN;
	if (strcmp(explanation.state, "hands-off") == 0)
		return SNAPSHOT_PLACE_HANDS_OFF;
	return sa->residence.ifindex != 0 ? SNAPSHOT_PLACE_NIC : SNAPSHOT_PLACE_SOFTWARE;
}

ssize_t snapshot_add_places(struct snapshot *snapshot)
{
	uint32_t before = snapshot->n_placed;

	while (snapshot->n_placed < snapshot->n && snapshot->n_placed < before + ROWS_AT_ONCE) {
		struct snapshot_row *row = &snapshot->rows[snapshot->n_placed++];
		const struct sa *sa = sa_table_find(snapshot->m->sas, &row->id);

		if (sa)
			row->place = place_of(snapshot->m, sa);
	}
	return snapshot->n_placed - before;
}

uint32_t snapshot_size(const struct snapshot *snapshot)
{
	return snapshot->n;
}

const struct snapshot_row *snapshot_row(const struct snapshot *snapshot, uint32_t row)
{
	return &snapshot->rows[row];
}

/* ---- Ranks of some SAs ---- */

static int compare_ranks(const void *a, const void *b)
{
	const struct snapshot_rank *rank_a = a, *rank_b = b;
	int order = compare_numbers(rank_b->rate, rank_a->rate);

	return order ? order : compare_identity(&rank_a->id, &rank_b->id);
}

void snapshot_rank_begin(struct manager *m, struct snapshot_rank *ranks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct sa *sa = sa_table_find(m->sas, &ranks[i].id);

		ranks[i].rate = sa ? rate_of(m, sa) : -1;
		ranks[i].rank = 0;
	}
	qsort(ranks, n, sizeof(*ranks), compare_ranks);
}

/* Counts an SA for the first of those that come after it. */
static void count_for_next(struct snapshot_rank *ranks, size_t n, const struct snapshot_rank *sa)
{
	size_t low = 0, end = n;

	while (low < end) {
		size_t middle = low + (end - low) / 2;

		if (compare_ranks(sa, &ranks[middle]) < 0)
			end = middle;
		else
			low = middle + 1;
	}
	if (low < n)
		ranks[low].rank++;
}

static void sum_ranks(struct snapshot_rank *ranks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ranks[i].rank += i == 0 ? 1 : ranks[i - 1].rank;
}

size_t snapshot_rank_rows(const struct snapshot *snapshot, struct snapshot_rank *ranks, size_t n,
			  uint32_t *next)
{
	uint32_t before = *next;

	while (*next < snapshot->n && *next < before + ROWS_AT_ONCE) {
		const struct snapshot_row *row = &snapshot->rows[(*next)++];

		/* The rates of these may have changed since. */
		if (row->id.spi != ranks[0].id.spi)
			count_for_next(ranks, n, &(struct snapshot_rank){row->id, row->rate, 0});
	}
	return *next - before;
}

void snapshot_rank_end(struct snapshot_rank *ranks, size_t n)
{
	for (size_t i = 1; i < n; i++)
		ranks[i].rank++;
	sum_ranks(ranks, n);
}

void snapshot_rank_now(struct manager *m, struct snapshot_rank *ranks, size_t n)
{
	const struct sa *sa;

	snapshot_rank_begin(m, ranks, n);
	TAILQ_FOREACH(sa, &m->sas->all, list)
		count_for_next(ranks, n,
			       &(struct snapshot_rank){sa->description.id, rate_of(m, sa), 0});
	sum_ranks(ranks, n);
}

/* ---- Sharing ---- */

struct snapshot *snapshot_unref(struct snapshot *snapshot)
{
	if (!snapshot || --snapshot->references > 0)
		return NULL;
	snapshot->snapshots->bytes -= snapshot->bytes;
	for (size_t i = 0; i < _SNAPSHOT_SORT_MAX; i++)
		order_free(snapshot->orders[i]);
	free(snapshot->rows);
	free(snapshot);
	return NULL;
}

static int snapshot_new(struct snapshots *snapshots, struct manager *m,
			struct snapshot **ret_snapshot)
{
	_cleanup_(snapshot_unrefp) struct snapshot *snapshot = calloc(1, sizeof(*snapshot));

	if (!snapshot)
		return -ENOMEM;
	snapshot->snapshots = snapshots;
	snapshot->references = 1;
	snapshot->m = m;
	snapshot->made_at = manager_now(m);
	snapshot->mask = m->sas->by_spi.mask;
	add_bytes(snapshot, sizeof(*snapshot));
	*ret_snapshot = TAKE_PTR(snapshot);
	return 0;
}

/* Whether the newest has to do. One that is not complete is old if nobody makes it any more. */
static bool is_usable(const struct snapshots *snapshots, const struct manager *m)
{
	const struct snapshot *newest = snapshots->newest;

	if (!newest)
		return false;
	if (!newest->complete)
		return newest->references > 1;
	return snapshots->bytes > BYTES_MAX ||
	       manager_now(m) - newest->made_at < REUSED * newest->took;
}

int snapshots_get(struct snapshots *snapshots, struct manager *m, struct snapshot **ret_snapshot)
{
	if (!is_usable(snapshots, m)) {
		struct snapshot *snapshot;
		int r;

		snapshots_release(snapshots);
		r = snapshot_new(snapshots, m, &snapshot);
		if (r < 0)
			return r;
		snapshots->newest = snapshot;
	}
	snapshots->newest->references++;
	*ret_snapshot = snapshots->newest;
	return 0;
}

void snapshots_release(struct snapshots *snapshots)
{
	snapshots->newest = snapshot_unref(snapshots->newest);
}
