/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pure half of the route lookups: what an answer of the kernel means, and the memory of
 * answers.
 */
#pragma once

#include "cleanup.h"
#include "network/nic.h"
#include "sa.h"

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Without padding: compared and hashed as bytes. */
struct route_key {
	struct sa_address source;
	struct sa_address destination;
	uint32_t mark;
	uint32_t family;
	uint32_t vrf; /* ifindex; 0: none */
};

struct route_cache;

/* `max`: a power of two. When it holds that many answers it forgets all: what is still needed is
 * asked again, which costs less than to keep track of what was used when. */
int route_cache_new(size_t max, struct route_cache **ret_cache);
struct route_cache *route_cache_free(struct route_cache *cache); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct route_cache *, route_cache_free);

/* An answer is an ifindex or a negative errno. */
bool route_cache_get(const struct route_cache *cache, const struct route_key *key, int *ret_answer);
/* Returns 0 or -ENOMEM. */
int route_cache_put(struct route_cache *cache, const struct route_key *key, int answer);
void route_cache_clear(struct route_cache *cache);
size_t route_cache_count(const struct route_cache *cache);

/*
 * What was asked stays known when its answer is no longer given, for that tells which changes of
 * routes concern anybody: a NIC loses its carrier, and some seconds later the routing daemon moves
 * the prefix of a peer that nobody asked about in between.
 */

/* All answers. */
void route_cache_expire(struct route_cache *cache);
/* The answers for destinations within these, NIC_ROUTE_CHANGES_MAX at most. Returns how many
 * destinations there are, with an answer or not. */
size_t route_cache_expire_prefixes(struct route_cache *cache, const struct nic_prefix *prefixes,
				   size_t n);
/* False: more than `max` were asked since the cache was cleared, so that some are not known. */
bool route_cache_is_complete(const struct route_cache *cache);

/* What a notification says of routes. */
#define ROUTE_CHANGE_NONE 0   /* not a change of the routing table */
#define ROUTE_CHANGE_PREFIX 1 /* *ret_prefix */
#define ROUTE_CHANGE_ALL 2    /* a rule or nexthop: it may concern every destination */
int route_parse_change(const struct nlmsghdr *message, struct nic_prefix *ret_prefix);

/* The egress device of an RTM_NEWROUTE, or a negative errno as route_egress() tells it. */
int route_parse_answer(const struct nlmsghdr *message);
