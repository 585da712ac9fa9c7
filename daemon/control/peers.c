// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ListPeers, in slices: what the SAs of each peer carry together. The order of all SAs by peer is
 * walked, so that those of a peer follow one another. The sums of the first peers are kept, as many
 * as may be shown; those of all others are added up, so a client needs the same memory whatever the
 * number of peers.
 */
#include "control/control.h"
#include "control/describe.h"
#include "control/methods.h"
#include "control/query.h"
#include "control/slice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <string.h>

/* Peers that may be shown. As many again are collected before the last ones are dropped. */
#define PEERS_MAX 1024u
#define PEERS_KEPT (2 * PEERS_MAX)
/* NICs that are named of a peer. */
#define NICS_MAX 8u

#define COST_KEPT 100 /* of the sums that are sorted */
#define COST_DESCRIBED 3000

enum peers_sort {
	PEERS_SORT_RATE,
	PEERS_SORT_SAS,
	PEERS_SORT_OFFLOADED,
	PEERS_SORT_PEER,
	_PEERS_SORT_MAX,
};

static const char *const sort_names[_PEERS_SORT_MAX] = {
	[PEERS_SORT_RATE] = "rate",
	[PEERS_SORT_SAS] = "sas",
	[PEERS_SORT_OFFLOADED] = "offloaded",
	[PEERS_SORT_PEER] = "peer",
};

struct sums {
	uint32_t peers, sas, offloaded;
	double rate, offloaded_rate; /* bytes/s; SAs whose rate is not known are not in it */
};

struct peer {
	uint16_t family;
	struct sa_address address;
	struct sums sums;
	int nics[NICS_MAX]; /* their ifindexes; 0: no more */
};

struct peers {
	struct manager *m;
	struct slices slices;
	struct query query;
	struct peer *kept;    /* PEERS_KEPT of them */
	uint32_t n_kept;      /* the last one may get more SAs while the order is walked */
	struct sums all;      /* that match */
	struct sums others;   /* those of them that are not shown */
	bool follow;          /* a peer is to be among those that are shown */
	struct peer followed; /* its address */
};

static void peers_free(void *data)
{
	struct peers *list = data;

	snapshot_unref(list->slices.snapshot);
	query_done(&list->query);
	free(list->kept);
	free(list);
}

static void peers_freep(struct peers **list)
{
	if (*list)
		peers_free(*list);
}

static bool same_peer(const struct peer *peer, uint16_t family, const struct sa_address *address)
{
	return peer->family == family && memcmp(&peer->address, address, sizeof(*address)) == 0;
}

static void add_sums(struct sums *sums, const struct sums *more)
{
	sums->peers += more->peers;
	sums->sas += more->sas;
	sums->offloaded += more->offloaded;
	sums->rate += more->rate;
	sums->offloaded_rate += more->offloaded_rate;
}

/* ---- The order of peers ---- */

static int compare_addresses(const struct peer *a, const struct peer *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	return memcmp(&a->address, &b->address, sizeof(a->address));
}

static int compare_falling(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare_by(enum peers_sort sort, const struct peer *a, const struct peer *b)
{
	switch (sort) {
	case PEERS_SORT_SAS:
		return compare_falling(a->sums.sas, b->sums.sas);
	case PEERS_SORT_OFFLOADED:
		return compare_falling(a->sums.offloaded, b->sums.offloaded);
	case PEERS_SORT_PEER:
		return compare_addresses(a, b);
	case PEERS_SORT_RATE:
	case _PEERS_SORT_MAX:
		break;
	}
	return 0;
}

static int compare_peers(const void *a, const void *b, void *userdata)
{
	const struct peers *list = userdata;
	int order = compare_by(list->query.sort, a, b);

	if (order == 0)
		order = compare_falling(((const struct peer *)a)->sums.rate,
					((const struct peer *)b)->sums.rate);
	if (order == 0)
		order = compare_addresses(a, b);
	return list->query.reverse ? -order : order;
}

/* Sorts the peers that were collected, and keeps those that may be shown. */
static void drop_last(struct peers *list)
{
	qsort_r(list->kept, list->n_kept, sizeof(list->kept[0]), compare_peers, list);
	while (list->n_kept > PEERS_MAX)
		add_sums(&list->others, &list->kept[--list->n_kept].sums);
}

/* ---- The steps ---- */

static void add_nic(struct peer *peer, int ifindex)
{
	for (size_t i = 0; i < NICS_MAX && ifindex != 0; i++) {
		if (peer->nics[i] == 0)
			peer->nics[i] = ifindex;
		if (peer->nics[i] == ifindex)
			return;
	}
}

static void add_sa(struct peers *list, struct peer *peer, const struct snapshot_row *row)
{
	bool offloaded = row->ifindex != 0;
	struct sums sums = {.sas = 1, .offloaded = offloaded, .rate = fmax(row->rate, 0)};

	sums.offloaded_rate = offloaded ? sums.rate : 0;
	add_sums(&peer->sums, &sums);
	add_sums(&list->all, &sums);
	add_nic(peer, row->ifindex);
}

/* The peer of the row, which is the last one or a new one. Adds what it costs to *cost. */
static struct peer *peer_of(struct peers *list, const struct snapshot_row *row, ssize_t *cost)
{
	const struct sa_address *address = snapshot_row_peer(row);
	struct peer *peer;

	if (list->n_kept > 0) {
		peer = &list->kept[list->n_kept - 1];
		if (same_peer(peer, row->id.family, address))
			return peer;
	}
	if (list->n_kept == PEERS_KEPT) {
		drop_last(list);
		*cost += (ssize_t)PEERS_KEPT * COST_KEPT;
	}
	peer = &list->kept[list->n_kept++];
	*peer = (struct peer){row->id.family, *address, {.peers = 1}, {}};
	list->all.peers++;
	return peer;
}

/* Returns the cost. */
static ssize_t add_row(struct peers *list, const struct snapshot_row *row)
{
	ssize_t cost = query_is_costly(&list->query) ? COST_FILTER : COST_ROW;

	if (!query_has_filter(&list->query) || query_matches(&list->query, list->m, row))
		add_sa(list, peer_of(list, row, &cost), row);
	return cost;
}

static ssize_t walk(void *data, json_t *rows)
{
	struct peers *list = data;
	struct order *order;
	uint32_t row;
	ssize_t r;

	(void)rows;
	if (list->slices.next == snapshot_size(list->slices.snapshot))
		return 0;
	r = snapshot_order(list->slices.snapshot, SNAPSHOT_SORT_PEER, &order);
	if (r == 0)
		r = (ssize_t)order_row(order, list->slices.next, &row);
	if (r != 0)
		return r < 0 ? r : r * COST_SORT;
	list->slices.next++;
	return add_row(list, snapshot_row(list->slices.snapshot, row));
}

static void move_to_followed(struct peers *list)
{
	const struct peer *followed = &list->followed;

	for (uint32_t i = 0; i < list->n_kept && list->follow; i++)
		if (same_peer(&list->kept[i], followed->family, &followed->address))
			query_show(&list->query, i);
}

static ssize_t choose(void *data, json_t *rows)
{
	struct peers *list = data;

	(void)rows;
	if (list->slices.next++ > 0)
		return 0;
	drop_last(list);
	move_to_followed(list);
	for (uint32_t i = 0; i < list->n_kept; i++)
		if (i < list->query.offset || i - list->query.offset >= list->query.limit)
			add_sums(&list->others, &list->kept[i].sums);
	return (ssize_t)PEERS_KEPT * COST_KEPT;
}

static json_t *names_of(const struct peers *list, const struct peer *peer)
{
	json_t *names = json_array();

	for (size_t i = 0; i < NICS_MAX && peer->nics[i] != 0; i++) {
		const struct placement_nic *n = nics_get(list->m->nics, peer->nics[i]);

		if (n)
			json_array_append_new(names, json_string(n->name));
	}
	return names;
}

static ssize_t show_peer(void *data, json_t *rows)
{
	struct peers *list = data;
	uint64_t place = list->query.offset + list->slices.next;
	char text[SA_ADDRESS_TEXT_SIZE];
	const struct peer *peer;
	const struct sums *sums;
	json_t *object;

	if (list->slices.next == list->query.limit || place >= list->n_kept)
		return 0;
	list->slices.next++;
	peer = &list->kept[place];
	sums = &peer->sums;
	object = json_pack("{s:s, s:I, s:I, s:f, s:f, s:o}", "peer",
			   sa_address_format(peer->family, &peer->address, text), "sas",
			   (json_int_t)sums->sas, "offloaded", (json_int_t)sums->offloaded,
			   "bytesPerSecond", round(sums->rate), "offloadedBytesPerSecond",
			   round(sums->offloaded_rate), "nics", names_of(list, peer));
	return json_array_append_new(rows, object) < 0 ? -ENOMEM : COST_DESCRIBED;
}

static const slice_step steps[] = {walk, choose, show_peer};

/* ---- The list ---- */

/* Text that names no address follows none. */
static void read_followed(const json_t *parameters, struct peers *list)
{
	const char *text = json_string_value(json_object_get(parameters, "followPeer"));

	if (!text)
		return;
	list->followed.family = strchr(text, ':') ? AF_INET6 : AF_INET;
	list->follow = inet_pton(list->followed.family, text, list->followed.address.bytes) == 1;
}

static int peers_begin(json_t *parameters, void *userdata, void **ret_list, json_t **ret_reply,
		       const char **ret_error)
{
	_cleanup_(peers_freep) struct peers *list = calloc(1, sizeof(*list));
	struct methods *methods = userdata;
	json_int_t limit;
	int r;

	if (!list)
		return -ENOMEM;
	list->m = methods->manager;
	r = control_read_count(parameters, "limit", 0, PEERS_MAX, &limit, ret_reply, ret_error);
	if (r < 0 || *ret_error)
		return r;
	r = query_read(list->m, parameters, sort_names, _PEERS_SORT_MAX, &list->query, ret_reply,
		       ret_error);
	if (r < 0 || *ret_error)
		return r;
	if (list->query.limit > PEERS_MAX)
		list->query.limit = PEERS_MAX;
	list->kept = calloc(PEERS_KEPT, sizeof(list->kept[0]));
	if (!list->kept)
		return -ENOMEM;
	r = snapshots_get(&methods->snapshots, list->m, &list->slices.snapshot);
	if (r < 0)
		return r;
	read_followed(parameters, list);
	*ret_list = TAKE_PTR(list);
	return 0;
}

static int peers_next(void *data, json_t *rows)
{
	struct peers *list = data;

	return slices_next(&list->slices, steps, ELEMENTSOF(steps), list, rows);
}

static json_t *sums_json(const struct sums *sums)
{
	return json_pack("{s:I, s:I, s:I, s:f, s:f}", "peers", (json_int_t)sums->peers, "sas",
			 (json_int_t)sums->sas, "offloaded", (json_int_t)sums->offloaded,
			 "bytesPerSecond", round(sums->rate), "offloadedBytesPerSecond",
			 round(sums->offloaded_rate));
}

static json_t *peers_rest(void *data)
{
	const struct peers *list = data;

	return json_pack("{s:I, s:I, s:o, s:o}", "total", (json_int_t)list->all.peers, "offset",
			 (json_int_t)list->query.offset, "sums", sums_json(&list->all), "others",
			 sums_json(&list->others));
}

const struct control_list list_of_peers = {
	.member = "peers",
	.begin = peers_begin,
	.next = peers_next,
	.rest = peers_rest,
	.free = peers_free,
};
