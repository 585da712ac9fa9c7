// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A chained hash table over SPI and protocol alone, so that SAs that share an SPI meet in one
 * bucket, where they are looked for (sa_table_spi_is_shared()).
 */
#include "sa/table.h"

#include <errno.h>
#include <string.h>

#define BUCKETS_MIN 1024
#define PACKET_BUCKETS 4096

struct text {
	const char *name;
	const char *text;
};

static const struct text candidacies[_CANDIDACY_MAX] = {
	[CANDIDACY_OK] = {"candidate", "it competes for a slot"},
	[CANDIDACY_NO_ROUTE] = {"no-route", "there is no route that its packets would take"},
	[CANDIDACY_VRF_UNCLEAR] = {"vrf-unclear",
				   "its local address is in more than one VRF, so the device it "
				   "leaves by is not known; a rule with nic: can name it"},
	[CANDIDACY_NO_NIC] = {"no-nic", "the device that it is bound to is not here"},
	[CANDIDACY_NIC_DOWN] = {"nic-down", "the NIC is down"},
	[CANDIDACY_NIC_NO_OFFLOAD] = {"nic-no-offload", "the device it leaves by has no ESP "
							"offload, or it is switched off (ethtool "
							"-k: esp-hw-offload)"},
	[CANDIDACY_NIC_VLAN] = {"nic-vlan", "it leaves by a VLAN, and Linux gives a NIC only the "
					    "ESP packets that leave by the NIC itself"},
	[CANDIDACY_NIC_NOT_ALLOWED] = {"nic-not-allowed", "no entry under nics: allows this NIC"},
	[CANDIDACY_NIC_NOT_TRUSTED] = {"nic-not-trusted", "this NIC is not trusted with keys"},
	[CANDIDACY_NIC_FIPS] = {"nic-fips", "the machine is in FIPS mode and the NIC is not marked "
					    "as inside the boundary (fips: true)"},
	[CANDIDACY_NIC_BOND] = {"nic-bond", "offload to a bond corrupts memory on this kernel"},
	[CANDIDACY_NIC_DIRECTION] = {"nic-direction", "the NIC has no slots for this direction"},
	[CANDIDACY_NIC_EVACUATED] = {"nic-evacuated", "the NIC is kept empty until 'resume'"},
	[CANDIDACY_NIC_DISTRUSTED] = {"nic-distrusted",
				      "the NIC failed SAs that were put there; it is left alone "
				      "for a while"},
	[CANDIDACY_NIC_NO_TABLE] = {"nic-no-table", "the NIC has no table of SAs to ration"},
	[CANDIDACY_REFUSED_SHAPE] = {"refused-shape", "the NIC refused an SA of the same kind"},
	[CANDIDACY_PEER_MOVES] = {"peer-moves",
				  "its tunnel changed addresses in the last 24 hours: the IKE "
				  "daemon then asks the new NIC to take it, and the tunnel is "
				  "lost if that refuses"},
};

const char *sa_direction_name(enum sa_direction direction)
{
	switch (direction) {
	case SA_DIRECTION_IN:
		return "in";
	case SA_DIRECTION_OUT:
		return "out";
	case SA_DIRECTION_UNKNOWN:
		break;
	}
	return "unknown";
}

const char *candidacy_name(enum candidacy candidacy)
{
	return candidacies[candidacy].name;
}

const char *candidacy_text(enum candidacy candidacy)
{
	return candidacies[candidacy].text;
}

static size_t bucket_of(const struct sa_table *table, uint32_t spi, uint8_t protocol)
{
	return spi_hash(&table->seed, spi, protocol) & (table->n_buckets - 1);
}

int sa_table_init(struct sa_table *table)
{
	int r;

	*table = (struct sa_table){};
	TAILQ_INIT(&table->all);
	r = spi_hash_seed(&table->seed);
	if (r < 0)
		return r;
	table->buckets = calloc(BUCKETS_MIN, sizeof(*table->buckets));
	table->packet = calloc(PACKET_BUCKETS, sizeof(*table->packet));
	if (!table->buckets || !table->packet)
		return -ENOMEM;
	table->n_buckets = BUCKETS_MIN;
	return 0;
}

void sa_table_release(struct sa_table *table)
{
	while (!TAILQ_EMPTY(&table->all))
		sa_table_remove(table, TAILQ_FIRST(&table->all));
	for (size_t i = 0; i < table->n_shapes; i++)
		free(table->shapes[i]);
	free(table->shapes);
	free(table->by_handle);
	free(table->buckets);
	free(table->packet);
	holders_release(&table->holders);
	*table = (struct sa_table){};
}

struct sa *sa_table_find(const struct sa_table *table, const struct sa_id *id)
{
	struct sa *sa = table->buckets[bucket_of(table, id->spi, id->protocol)];

	while (sa && memcmp(&sa->description.id, id, sizeof(*id)) != 0)
		sa = sa->next_in_bucket;
	return sa;
}

bool sa_table_spi_is_shared(const struct sa_table *table, const struct sa_id *id)
{
	const struct sa *sa = table->buckets[bucket_of(table, id->spi, id->protocol)];
	unsigned n = 0;

	for (; sa; sa = sa->next_in_bucket)
		if (sa->description.id.spi == id->spi &&
		    sa->description.id.protocol == id->protocol)
			n++;
	return n > 1;
}

struct sa *sa_table_by_handle(const struct sa_table *table, policy_sa handle)
{
	return handle < table->n_by_handle ? table->by_handle[handle] : NULL;
}

/* Without memory for larger buckets the table stays right and gets slower. */
static void grow(struct sa_table *table)
{
	size_t n = table->n_buckets * 2;
	struct sa **buckets = calloc(n, sizeof(*buckets));
	struct sa *sa;

	if (!buckets)
		return;
	free(table->buckets);
	table->buckets = buckets;
	table->n_buckets = n;
	TAILQ_FOREACH(sa, &table->all, list) {
		const struct sa_id *id = &sa->description.id;
		struct sa **bucket = &buckets[bucket_of(table, id->spi, id->protocol)];

		sa->next_in_bucket = *bucket;
		*bucket = sa;
	}
}

const struct sa_shape *sa_table_shape(struct sa_table *table, const struct sa_shape *shape)
{
	struct sa_shape **shapes;
	struct sa_shape *copy;

	/* A gateway has a handful of proposals, so a handful of shapes. */
	for (size_t i = 0; i < table->n_shapes; i++)
		if (memcmp(table->shapes[i], shape, sizeof(*shape)) == 0)
			return table->shapes[i];

	shapes = reallocarray(table->shapes, table->n_shapes + 1, sizeof(*shapes));
	if (!shapes)
		return NULL;
	table->shapes = shapes;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return NULL;
	*copy = *shape;
	shapes[table->n_shapes++] = copy;
	return copy;
}

int sa_table_add(struct sa_table *table, const struct sa_description *description,
		 const struct sa_shape *shape, struct sa **ret_sa)
{
	const struct sa_shape *shared = sa_table_shape(table, shape);
	struct sa **bucket;
	struct sa *sa;

	if (sa_table_find(table, &description->id))
		return -EEXIST;
	sa = shared ? calloc(1, sizeof(*sa)) : NULL;
	if (!sa)
		return -ENOMEM;
	sa->description = *description;
	sa->shape = shared;
	sa->handle = POLICY_NONE;

	if (table->n >= table->n_buckets)
		grow(table);
	bucket = &table->buckets[bucket_of(table, description->id.spi, description->id.protocol)];
	sa->next_in_bucket = *bucket;
	*bucket = sa;
	TAILQ_INSERT_TAIL(&table->all, sa, list);
	table->n++;
	*ret_sa = sa;
	return 0;
}

int sa_table_set_handle(struct sa_table *table, struct sa *sa, policy_sa handle)
{
	if (handle >= table->n_by_handle) {
		size_t n = (size_t)handle + 1 + table->n_by_handle;
		struct sa **by_handle = reallocarray(table->by_handle, n, sizeof(*by_handle));

		if (!by_handle)
			return -ENOMEM;
		memset(by_handle + table->n_by_handle, 0,
		       (n - table->n_by_handle) * sizeof(*by_handle));
		table->by_handle = by_handle;
		table->n_by_handle = n;
	}
	table->by_handle[handle] = sa;
	sa->handle = handle;
	return 0;
}

void sa_table_set_residence(struct sa_table *table, struct sa *sa, int ifindex, bool foreign)
{
	enum sa_direction direction = sa->description.direction;

	holders_remove(&table->holders, sa->residence.ifindex, direction, sa->residence.foreign);
	sa->residence.ifindex = ifindex;
	sa->residence.foreign = foreign;
	holders_add(&table->holders, ifindex, direction, foreign);
}

void sa_table_remove(struct sa_table *table, struct sa *sa)
{
	const struct sa_id *id = &sa->description.id;
	struct sa **link = &table->buckets[bucket_of(table, id->spi, id->protocol)];

	while (*link != sa)
		link = &(*link)->next_in_bucket;
	*link = sa->next_in_bucket;
	sa_table_set_packet(table, sa, false);
	sa_table_set_residence(table, sa, 0, false);
	TAILQ_REMOVE(&table->all, sa, list);
	if (sa->handle < table->n_by_handle)
		table->by_handle[sa->handle] = NULL;
	table->n--;
	shadow_wipe(&sa->shadow);
	free(sa->refusal.text);
	free(sa->history);
	free(sa);
}

static uint64_t mix(const struct sa_table *table, uint64_t value)
{
	value = (value ^ table->seed.words[0]) * (table->seed.words[1] | 1);
	return value ^ value >> 32;
}

/* The same for both directions. */
static size_t packet_bucket_of(const struct sa_table *table, const struct sa_description *d)
{
	uint64_t h = mix(table, (uint64_t)d->reqid << 16 | d->id.family);

	for (size_t i = 0; i < sizeof(d->source.bytes); i += sizeof(uint64_t)) {
		uint64_t source, destination;

		memcpy(&source, d->source.bytes + i, sizeof(source));
		memcpy(&destination, d->id.destination.bytes + i, sizeof(destination));
		h = mix(table, h ^ (source + destination));
	}
	/* The last bytes of an address change the upper bits only. */
	return mix(table, h) % PACKET_BUCKETS;
}

static bool same_address(const struct sa_address *a, const struct sa_address *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static bool are_partners(const struct sa_description *a, const struct sa_description *b)
{
	if (a->reqid != b->reqid || a->id.family != b->id.family)
		return false;
	return (same_address(&a->source, &b->source) &&
		same_address(&a->id.destination, &b->id.destination)) ||
	       (same_address(&a->source, &b->id.destination) &&
		same_address(&a->id.destination, &b->source));
}

void sa_table_set_packet(struct sa_table *table, struct sa *sa, bool packet)
{
	struct sa **link;

	if (sa->packet == packet)
		return;
	link = &table->packet[packet_bucket_of(table, &sa->description)];
	sa->packet = packet;
	if (packet) {
		sa->next_packet = *link;
		*link = sa;
		return;
	}
	while (*link != sa)
		link = &(*link)->next_packet;
	*link = sa->next_packet;
}

bool sa_table_has_packet_partner(const struct sa_table *table, const struct sa *sa,
				 int except_ifindex)
{
	const struct sa *other;

	for (other = table->packet[packet_bucket_of(table, &sa->description)]; other;
	     other = other->next_packet)
		if (other != sa && are_partners(&other->description, &sa->description) &&
		    (except_ifindex == 0 || other->residence.ifindex != except_ifindex))
			return true;
	return false;
}
