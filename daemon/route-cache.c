// SPDX-License-Identifier: GPL-2.0-or-later
#include "route-cache.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/msg.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

DEFINE_CLEANUP(struct rtnl_route *, rtnl_route_put);

_Static_assert(sizeof(struct route_key) == 40, "no padding");

struct entry {
	struct route_key key; /* family 0: free */
	int answer;
	uint32_t padding;
};

/* Open addressing with linear probing, at most half full. Entries are removed by making the table
 * anew without them. */
struct route_cache {
	struct entry *entries; /* NULL: none yet */
	size_t allocated;      /* a power of two */
	size_t count;
	size_t max;
	uint64_t seed;
};

#define INITIAL_ALLOCATED 256u

int route_cache_new(size_t max, struct route_cache **ret_cache)
{
	struct route_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	cache->max = max;
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

/* Multiply and fold, five words of eight bytes: some twenty cycles. */
static size_t home(const struct route_cache *cache, const struct route_key *key)
{
	uint64_t words[sizeof(*key) / 8], hash = cache->seed;

	memcpy(words, key, sizeof(words));
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
	if (entry->key.family == 0)
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

	if (cache->count >= cache->max)
		route_cache_clear(cache);
	if (cache->count + 1 > cache->allocated / 2) {
		int r = grow(cache);

		if (r < 0)
			return r;
	}

	entry = slot(cache, key);
	entry->key = *key;
	entry->answer = answer;
	cache->count++;
	return 0;
}

void route_cache_clear(struct route_cache *cache)
{
	if (cache->count == 0)
		return;
	memset(cache->entries, 0, cache->allocated * sizeof(*cache->entries));
	cache->count = 0;
}

size_t route_cache_count(const struct route_cache *cache)
{
	return cache->count;
}

static bool is_within(const struct route_key *key, const struct nic_prefix *prefix)
{
	size_t whole = prefix->length / 8;
	unsigned rest = prefix->length % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	if (key->family != prefix->family ||
	    memcmp(key->destination.bytes, prefix->address, whole) != 0)
		return false;
	return rest == 0 || ((key->destination.bytes[whole] ^ prefix->address[whole]) & mask) == 0;
}

struct criterion {
	const struct nic_prefix *prefix; /* NULL: the device counts */
	int ifindex;
};

static bool meets(const struct entry *entry, const struct criterion *criterion)
{
	return criterion->prefix ? is_within(&entry->key, criterion->prefix)
				 : entry->answer == criterion->ifindex;
}

static size_t forget(struct route_cache *cache, const struct criterion *criterion)
{
	struct entry *old = cache->entries;
	size_t n = 0;

	for (size_t i = 0; i < cache->allocated; i++)
		n += old[i].key.family != 0 && meets(&old[i], criterion);
	if (n == 0)
		return 0;
	cache->entries = calloc(cache->allocated, sizeof(*cache->entries));
	if (!cache->entries) {
		/* Without memory all are forgotten. */
		cache->entries = old;
		route_cache_clear(cache);
		return n;
	}
	for (size_t i = 0; i < cache->allocated; i++)
		if (old[i].key.family != 0 && !meets(&old[i], criterion))
			*slot(cache, &old[i].key) = old[i];
	cache->count -= n;
	free(old);
	return n;
}

size_t route_cache_forget_prefix(struct route_cache *cache, const struct nic_prefix *prefix)
{
	return forget(cache, &(struct criterion){.prefix = prefix});
}

size_t route_cache_forget_device(struct route_cache *cache, int ifindex)
{
	return forget(cache, &(struct criterion){.ifindex = ifindex});
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
