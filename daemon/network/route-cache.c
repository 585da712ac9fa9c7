// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/route-cache.h"

#include "hash-table.h"
#include "hash.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>

DEFINE_CLEANUP(struct rtnl_route *, rtnl_route_put);

_Static_assert(sizeof(struct route_key) == 44, "no padding");

struct entry {
	struct hash_link link;
	struct route_key key;
	int answer;
	uint32_t epoch; /* of the answer; EXPIRED: none */
};

/* No answer has this epoch. */
#define EXPIRED 0u

/* route_cache_expire_prefixes() visits all entries. With chunks it reads memory in order, which is
 * 3 to 10 times as fast with 100,000 entries. Single entries are never removed. */
#define CHUNK_ENTRIES 256u

struct chunk {
	struct chunk *next;
	size_t n;
	struct entry entries[CHUNK_ENTRIES];
};

struct route_cache {
	struct hash_table table;
	struct chunk *chunks; /* all but the first are full */
	struct hash_seed seed;
	size_t max;
	uint32_t epoch; /* answers of earlier epochs have expired */
	bool forgot;    /* cleared because it was full */
};

int route_cache_new(size_t max, struct route_cache **ret_cache)
{
	_cleanup_free_ struct route_cache *cache = calloc(1, sizeof(*cache));
	int r;

	if (!cache)
		return -ENOMEM;
	cache->max = max;
	cache->epoch = EXPIRED + 1;
	r = hash_seed_random(&cache->seed);
	if (r < 0)
		return r;
	*ret_cache = TAKE_PTR(cache);
	return 0;
}

struct route_cache *route_cache_free(struct route_cache *cache)
{
	if (!cache)
		return NULL;
	route_cache_clear(cache);
	free(cache);
	return NULL;
}

static struct entry *find(const struct route_cache *cache, const struct route_key *key,
			  uint64_t hash)
{
	struct entry *entry;

	HASH_TABLE_FOREACH_EQUAL(entry, &cache->table, hash, link)
		if (memcmp(&entry->key, key, sizeof(*key)) == 0)
			return entry;
	return NULL;
}

bool route_cache_get(const struct route_cache *cache, const struct route_key *key, int *ret_answer)
{
	const struct entry *entry = find(cache, key, hash_bytes(&cache->seed, key, sizeof(*key)));

	if (!entry || entry->epoch != cache->epoch)
		return false;
	*ret_answer = entry->answer;
	return true;
}

static struct entry *new_entry(struct route_cache *cache)
{
	struct chunk *chunk = cache->chunks;

	if (!chunk || chunk->n == CHUNK_ENTRIES) {
		chunk = malloc(sizeof(*chunk));
		if (!chunk)
			return NULL;
		chunk->n = 0;
		chunk->next = cache->chunks;
		cache->chunks = chunk;
	}
	return &chunk->entries[chunk->n++];
}

int route_cache_put(struct route_cache *cache, const struct route_key *key, int answer)
{
	uint64_t hash = hash_bytes(&cache->seed, key, sizeof(*key));
	struct entry *entry;

	if (cache->table.n >= cache->max) {
		route_cache_clear(cache);
		cache->forgot = true;
	}
	entry = find(cache, key, hash);
	if (!entry) {
		entry = new_entry(cache);
		if (!entry)
			return -ENOMEM;
		entry->key = *key;
		hash_table_add(&cache->table, &entry->link, hash);
	}
	entry->answer = answer;
	entry->epoch = cache->epoch;
	return 0;
}

void route_cache_clear(struct route_cache *cache)
{
	for (struct chunk *chunk = cache->chunks, *next; chunk; chunk = next) {
		next = chunk->next;
		free(chunk);
	}
	cache->chunks = NULL;
	hash_table_release(&cache->table);
	cache->forgot = false;
}

size_t route_cache_count(const struct route_cache *cache)
{
	return cache->table.n;
}

bool route_cache_is_complete(const struct route_cache *cache)
{
	return !cache->forgot;
}

void route_cache_expire(struct route_cache *cache)
{
	if (++cache->epoch == EXPIRED)
		cache->epoch++;
}

struct range {
	uint64_t value[2], mask[2];
	uint32_t family;
	bool own;
};

/* The bytes stay in network order, since they are only compared. */
static struct range range_of(const struct nic_prefix *prefix)
{
	struct range range = {.family = prefix->family, .own = prefix->own};
	uint8_t mask[16] = {};

	memset(mask, 0xff, prefix->length / 8);
	if (prefix->length % 8 != 0)
		mask[prefix->length / 8] = (uint8_t)(0xff00 >> prefix->length % 8);
	memcpy(range.value, prefix->address, sizeof(range.value));
	memcpy(range.mask, mask, sizeof(range.mask));
	return range;
}

static bool is_within(const uint64_t *address, const struct range *range)
{
	return (((address[0] ^ range->value[0]) & range->mask[0]) |
		((address[1] ^ range->value[1]) & range->mask[1])) == 0;
}

static bool is_within_any(const struct route_key *key, const struct range *ranges, size_t n)
{
	uint64_t source[2], destination[2];

	memcpy(source, key->source.bytes, sizeof(source));
	memcpy(destination, key->destination.bytes, sizeof(destination));
	for (size_t i = 0; i < n; i++)
		if (key->family == ranges[i].family &&
		    (is_within(destination, &ranges[i]) ||
		     (ranges[i].own && is_within(source, &ranges[i]))))
			return true;
	return false;
}

size_t route_cache_expire_prefixes(struct route_cache *cache, const struct nic_prefix *prefixes,
				   size_t n)
{
	struct range ranges[NIC_ROUTE_CHANGES_MAX];
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		ranges[i] = range_of(&prefixes[i]);
	for (struct chunk *chunk = cache->chunks; chunk; chunk = chunk->next)
		for (size_t i = 0; i < chunk->n; i++)
			if (is_within_any(&chunk->entries[i].key, ranges, n)) {
				chunk->entries[i].epoch = EXPIRED;
				found++;
			}
	return found;
}

int route_parse_change(const struct nlmsghdr *message, struct nic_prefix *ret_prefix)
{
	const struct nlattr *destination;
	struct nic_prefix prefix = {};
	const struct rtmsg *route;
	size_t size;

	switch (message->nlmsg_type) {
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		return ROUTE_CHANGE_ALL;
	default:
		return ROUTE_CHANGE_NONE;
	}
	if (!nlmsg_valid_hdr(message, sizeof(*route)))
		return ROUTE_CHANGE_NONE;
	route = nlmsg_data(message);
	if (route->rtm_flags & RTM_F_CLONED)
		return ROUTE_CHANGE_NONE;
	size = route->rtm_family == AF_INET ? 4 : route->rtm_family == AF_INET6 ? 16 : 0;
	if (size == 0 || route->rtm_dst_len > 8 * size)
		return ROUTE_CHANGE_NONE;
	prefix.family = route->rtm_family;
	prefix.length = route->rtm_dst_len;
	destination = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(*route), RTA_DST);
	if (destination && (size_t)nla_len(destination) >= size)
		memcpy(prefix.address, nla_data(destination), size);
	else if (prefix.length > 0)
		return ROUTE_CHANGE_ALL;
	*ret_prefix = prefix;
	return ROUTE_CHANGE_PREFIX;
}

int route_parse_answer(const struct nlmsghdr *message)
{
	_cleanup_(rtnl_route_putp) struct rtnl_route *route = NULL;
	struct rtnl_nexthop *hop;
	int ifindex = 0;

	if (message->nlmsg_type != RTM_NEWROUTE ||
	    rtnl_route_parse((struct nlmsghdr *)message, &route) < 0)
		return -EBADMSG;

	switch (rtnl_route_get_type(route)) {
	case RTN_LOCAL:
		return -ELOOP;
	case RTN_UNREACHABLE:
		return -EHOSTUNREACH;
	case RTN_PROHIBIT:
		return -EACCES;
	case RTN_BLACKHOLE:
		return -EINVAL;
	}

	/* For its null entry, IPv6 returns RTN_UNICAST on the loopback. No device means no route
	 * too. */
	hop = rtnl_route_nexthop_n(route, 0);
	if (hop)
		ifindex = rtnl_route_nh_get_ifindex(hop);
	return ifindex > 0 ? ifindex : -ENETUNREACH;
}
