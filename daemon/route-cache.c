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

/* Open addressing with linear probing, at most half full, without removal of single entries. */
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
