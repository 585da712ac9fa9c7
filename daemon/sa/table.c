// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/table.h"

#include "sa/spi-hash.h"

#include <errno.h>
#include <string.h>

struct text {
	const char *name;
	const char *text;
	bool lasting; /* see candidacy_is_lasting() */
};

static const struct text candidacies[_CANDIDACY_MAX] = {
	[CANDIDACY_OK] = {"candidate", "it competes for a slot"},
	[CANDIDACY_IDLE] = {"idle", "it carries nothing; there are very many SAs, so its NIC is "
				    "looked up when it carries something"},
	[CANDIDACY_NO_ROUTE] = {"no-route", "there is no route that its packets would take", true},
	[CANDIDACY_VRF_UNCLEAR] = {"vrf-unclear",
				   "its local address is in more than one VRF, so the device it "
				   "leaves by is not known; a rule with nic: can name it",
				   true},
	[CANDIDACY_NO_NIC] = {"no-nic", "the device that it is bound to is not here", true},
	[CANDIDACY_NIC_DOWN] = {"nic-down", "the NIC is down"},
	[CANDIDACY_NIC_NO_OFFLOAD] = {"nic-no-offload",
				      "the device it leaves by has no ESP "
				      "offload, or it is switched off (ethtool "
				      "-k: esp-hw-offload)",
				      true},
	[CANDIDACY_NIC_VLAN] = {"nic-vlan",
				"it leaves by a VLAN, and Linux gives a NIC only the "
				"ESP packets that leave by the NIC itself",
				true},
	[CANDIDACY_NIC_NOT_ALLOWED] = {"nic-not-allowed", "no entry under nics: allows this NIC",
				       true},
	[CANDIDACY_NIC_NOT_TRUSTED] = {"nic-not-trusted", "this NIC is not trusted with keys",
				       true},
	[CANDIDACY_NIC_FIPS] = {"nic-fips",
				"the machine is in FIPS mode and the NIC is not marked "
				"as inside the boundary (fips: true)",
				true},
	[CANDIDACY_NIC_BOND] = {"nic-bond", "offload to a bond corrupts memory on this kernel",
				true},
	[CANDIDACY_NIC_DIRECTION] = {"nic-direction", "the NIC has no slots for this direction",
				     true},
	[CANDIDACY_NIC_EVACUATED] = {"nic-evacuated", "the NIC is kept empty until 'resume'"},
	[CANDIDACY_NIC_DISTRUSTED] = {"nic-distrusted",
				      "the NIC failed SAs that were put there; it is left alone "
				      "for a while"},
	[CANDIDACY_NIC_NO_TABLE] = {"nic-no-table", "the NIC has no table of SAs to ration", true},
	[CANDIDACY_REFUSED_SHAPE] = {"refused-shape", "the NIC refused an SA of the same kind",
				     true},
	[CANDIDACY_PEER_MOVES] = {"peer-moves",
				  "its tunnel changed addresses in the last 24 hours: the IKE "
				  "daemon then asks the new NIC to take it, and the tunnel is "
				  "lost if that refuses"},
	[CANDIDACY_SOFTWARE_DRIVER] = {"software-driver",
				       "its rule leaves SAs with this software driver in software "
				       "(leave-software-driver)",
				       true},
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

bool candidacy_is_lasting(enum candidacy candidacy)
{
	return candidacies[candidacy].lasting;
}

const char *sa_reason_text(const struct sa *sa, enum policy_reason reason)
{
	if (sa->candidate.ordered && reason == POLICY_REASON_BANNED)
		return "an order keeps it in software";
	if (sa->candidate.ordered && reason == POLICY_REASON_PINNED)
		return "an order gives it a slot";
	return policy_reason_text(reason);
}

int sa_table_init(struct sa_table *table)
{
	*table = (struct sa_table){};
	TAILQ_INIT(&table->all);
	return hash_seed_random(&table->seed);
}

void sa_table_release(struct sa_table *table)
{
	while (!TAILQ_EMPTY(&table->all))
		sa_table_remove(table, TAILQ_FIRST(&table->all));
	for (size_t i = 0; i < table->n_shapes; i++)
		free(table->shapes[i]);
	free(table->shapes);
	free(table->by_handle);
	hash_table_release(&table->by_spi);
	hash_table_release(&table->packet);
	holders_release(&table->holders);
	*table = (struct sa_table){};
}

static bool has_id(const struct sa *sa, const struct sa_id *id)
{
	return memcmp(&sa->description.id, id, sizeof(*id)) == 0;
}

struct sa *sa_table_find(const struct sa_table *table, const struct sa_id *id)
{
	struct sa *sa;

	HASH_TABLE_FOREACH_EQUAL(sa, &table->by_spi, spi_hash(&table->seed, id), by_spi)
		if (has_id(sa, id))
			return sa;
	return NULL;
}

struct sa *sa_table_find_in_order(struct sa_table *table, struct sa **previous,
				  const struct sa_id *id)
{
	struct sa *sa = sa_table_behind(table, *previous);

	/* The next entry may be an SA that is gone. */
	if (sa && !has_id(sa, id))
		sa = sa_table_behind(table, sa);
	if (!sa || !has_id(sa, id)) {
		sa = sa_table_find(table, id);
		if (!sa || sa == *previous)
			return sa;
		TAILQ_REMOVE(&table->all, sa, list);
		if (*previous)
			TAILQ_INSERT_AFTER(&table->all, *previous, sa, list);
		else
			TAILQ_INSERT_HEAD(&table->all, sa, list);
	}
	*previous = sa;
	return sa;
}

struct sa *sa_table_by_handle(const struct sa_table *table, policy_sa handle)
{
	return handle < table->n_by_handle ? table->by_handle[handle] : NULL;
}

const struct sa_shape *sa_table_shape(struct sa_table *table, const struct sa_shape *shape)
{
	struct sa_shape **shapes;
	struct sa_shape *copy;

	/* Linear, since a gateway has only few proposals, and so few shapes. */
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

/* How many other SAs have the SPI and protocol of this one. *ret_other is one of them. */
static unsigned count_same_spi(const struct sa_table *table, const struct sa *sa,
			       struct sa **ret_other)
{
	const struct sa_id *id = &sa->description.id;
	struct sa *other;
	unsigned n = 0;

	HASH_TABLE_FOREACH_EQUAL(other, &table->by_spi, sa->by_spi.hash, by_spi)
		if (other != sa && other->description.id.spi == id->spi &&
		    other->description.id.protocol == id->protocol) {
			*ret_other = other;
			n++;
		}
	return n;
}

int sa_table_add(struct sa_table *table, const struct sa_description *description,
		 const struct sa_shape *shape, struct sa **ret_sa)
{
	const struct sa_shape *shared = sa_table_shape(table, shape);
	struct sa *sa, *other;

	if (sa_table_find(table, &description->id))
		return -EEXIST;
	sa = shared ? calloc(1, sizeof(*sa)) : NULL;
	if (!sa)
		return -ENOMEM;
	sa->description = *description;
	sa->shape = shared;
	sa->handle = POLICY_NONE;

	hash_table_add(&table->by_spi, &sa->by_spi, spi_hash(&table->seed, &description->id));
	if (count_same_spi(table, sa, &other) > 0)
		sa->shares_spi = other->shares_spi = true;
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
	struct sa *other;

	if (sa->shares_spi && count_same_spi(table, sa, &other) == 1)
		other->shares_spi = false;
	hash_table_remove(&table->by_spi, &sa->by_spi);
	sa_table_set_packet(table, sa, false);
	sa_table_set_residence(table, sa, 0, false);
	TAILQ_REMOVE(&table->all, sa, list);
	if (sa->handle < table->n_by_handle)
		table->by_handle[sa->handle] = NULL;
	table->n--;
	shadow_wipe(&sa->shadow);
	free(sa->probation);
	free(sa->refusal);
	free(sa->history);
	free(sa);
}

/* Equal for both directions. Without padding, since it is compared and hashed as bytes. */
struct packet_key {
	struct sa_address lower, higher;
	uint32_t reqid, family;
};

static struct packet_key packet_key_of(const struct sa_description *d)
{
	const struct sa_address *source = &d->source, *destination = &d->id.destination;
	bool ascends = memcmp(source, destination, sizeof(*source)) < 0;

	return (struct packet_key){
		.lower = ascends ? *source : *destination,
		.higher = ascends ? *destination : *source,
		.reqid = d->reqid,
		.family = d->id.family,
	};
}

static uint64_t packet_hash(const struct sa_table *table, const struct packet_key *key)
{
	return hash_bytes(&table->seed, key, sizeof(*key));
}

static void add_packet(struct sa_table *table, struct sa *sa, uint64_t hash)
{
	struct sa_packet *entry = malloc(sizeof(*entry));

	if (!entry)
		return;
	entry->sa = sa;
	hash_table_add(&table->packet, &entry->link, hash);
	sa->packet = true;
}

static void remove_packet(struct sa_table *table, struct sa *sa, uint64_t hash)
{
	struct sa_packet *entry;

	HASH_TABLE_FOREACH_EQUAL(entry, &table->packet, hash, link)
		if (entry->sa == sa)
			break;
	hash_table_remove(&table->packet, &entry->link);
	free(entry);
	sa->packet = false;
}

void sa_table_set_packet(struct sa_table *table, struct sa *sa, bool packet)
{
	struct packet_key key;

	if (sa->packet == packet)
		return;
	key = packet_key_of(&sa->description);
	if (packet)
		add_packet(table, sa, packet_hash(table, &key));
	else
		remove_packet(table, sa, packet_hash(table, &key));
}

bool sa_table_has_packet_partner(const struct sa_table *table, const struct sa *sa,
				 int except_ifindex)
{
	const struct sa_packet *entry;
	struct packet_key key, others;

	if (table->packet.n == 0)
		return false;
	key = packet_key_of(&sa->description);
	HASH_TABLE_FOREACH_EQUAL(entry, &table->packet, packet_hash(table, &key), link) {
		const struct sa *other = entry->sa;

		others = packet_key_of(&other->description);
		if (other != sa && memcmp(&others, &key, sizeof(key)) == 0 &&
		    (except_ifindex == 0 || other->residence.ifindex != except_ifindex))
			return true;
	}
	return false;
}
