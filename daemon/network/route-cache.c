// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/route-cache.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

DEFINE_CLEANUP(struct rtnl_route *, rtnl_route_put);

_Static_assert(sizeof(struct route_key) == 44, "no padding");

struct entry {
	struct route_key key; /* family 0: free */
	int answer;
	uint32_t epoch; /* when it was answered */
};

/* No answer's. */
#define EXPIRED 0u

/* Open addressing with linear probing, at most half full, without removal of single entries. */
struct route_cache {
	struct entry *entries; /* NULL: none yet */
	size_t allocated;      /* a power of two */
	size_t count;
	size_t max;
	uint32_t epoch; /* answers of earlier ones are not given any more */
	bool forgot;    /* there were more than max */
	uint64_t seed;
};

#define INITIAL_ALLOCATED 256u

int route_cache_new(size_t max, struct route_cache **ret_cache)
{
	struct route_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->max = max;
	cache->epoch = EXPIRED + 1;
	/* Peers choose their addresses, so they must not know who collides with whom. Without
	 * entropy early at boot it is merely less unknown. */
	if (getrandom(&cache->seed, sizeof(cache->seed), GRND_NONBLOCK) < 0)
		cache->seed = (uint64_t)(uintptr_t)cache;
	*ret_cache = cache;
	return 0;
}

struct route_cache *route_cache_free(struct route_cache *cache)
{
	if (!cache)
		return NULL;
	free(cache->entries);
	free(cache);
	return NULL;
}

/* Multiply and fold, six words of eight bytes: some twenty-five cycles. */
static size_t home(const struct route_cache *cache, const struct route_key *key)
{
	uint64_t words[(sizeof(*key) + 7) / 8] = {}, hash = cache->seed;

	memcpy(words, key, sizeof(*key));
	for (size_t i = 0; i < ELEMENTSOF(words); i++) {
		hash = (hash ^ words[i]) * UINT64_C(0x9e3779b97f4a7c15);
		hash ^= hash >> 32;
	}
	return (size_t)hash & (cache->allocated - 1);
}

/* The slot of the key, or the free one where it belongs. */
static struct entry *slot(const struct route_cache *cache, const struct route_key *key)
{
	size_t at = home(cache, key);

	while (cache->entries[at].key.family != 0 &&
	       memcmp(&cache->entries[at].key, key, sizeof(*key)) != 0)
		at = (at + 1) & (cache->allocated - 1);
	return &cache->entries[at];
}

bool route_cache_get(const struct route_cache *cache, const struct route_key *key, int *ret_answer)
{
	const struct entry *entry;

	if (!cache->entries)
		return false;
	entry = slot(cache, key);
	if (entry->key.family == 0 || entry->epoch != cache->epoch)
		return false;
	*ret_answer = entry->answer;
	return true;
}

static int grow(struct route_cache *cache)
{
	struct route_cache larger = *cache;

	larger.allocated = cache->allocated ? cache->allocated * 2 : INITIAL_ALLOCATED;
	larger.entries = calloc(larger.allocated, sizeof(*larger.entries));
	if (!larger.entries)
		return -ENOMEM;
	for (size_t i = 0; i < cache->allocated; i++)
		if (cache->entries[i].key.family != 0)
			*slot(&larger, &cache->entries[i].key) = cache->entries[i];
	free(cache->entries);
	*cache = larger;
	return 0;
}

int route_cache_put(struct route_cache *cache, const struct route_key *key, int answer)
{
	struct entry *entry;

	if (cache->count >= cache->max) {
		route_cache_clear(cache);
		cache->forgot = true;
	}
	if (cache->count + 1 > cache->allocated / 2) {
		int r = grow(cache);

		if (r < 0)
			return r;
	}

	entry = slot(cache, key);
	cache->count += entry->key.family == 0;
	*entry = (struct entry){.key = *key, .answer = answer, .epoch = cache->epoch};
	return 0;
}

void route_cache_clear(struct route_cache *cache)
{
	cache->forgot = false;
	if (cache->count == 0)
		return;
	memset(cache->entries, 0, cache->allocated * sizeof(*cache->entries));
	cache->count = 0;
}

size_t route_cache_count(const struct route_cache *cache)
{
	return cache->count;
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

/* The bytes stay in network order: they are only compared. */
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
	for (size_t i = 0; i < cache->allocated; i++) {
		struct entry *entry = &cache->entries[i];

		if (entry->key.family == 0 || !is_within_any(&entry->key, ranges, n))
			continue;
		entry->epoch = EXPIRED;
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

	/* IPv6 has RTN_UNICAST on the loopback for its null entry: no device, or no route. */
	hop = rtnl_route_nexthop_n(route, 0);
	if (hop)
		ifindex = rtnl_route_nh_get_ifindex(hop);
	return ifindex > 0 ? ifindex : -ENETUNREACH;
}
