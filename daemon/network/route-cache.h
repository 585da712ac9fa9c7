/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the route lookups without I/O: the parsers of the kernel's messages, and the cache of
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

/* Without padding, since it is compared and hashed as bytes. */
struct route_key {
	struct sa_address source;
	struct sa_address destination;
	uint32_t mark;
	uint32_t family;
	uint32_t vrf; /* ifindex; 0: none */
};

struct route_cache;

/* When the cache holds `max` answers, the next one clears it. Answers that are still needed are
 * looked up again, which costs less than recording when each was used. -ENOMEM. */
int route_cache_new(size_t max, struct route_cache **ret_cache);
struct route_cache *route_cache_free(struct route_cache *cache); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct route_cache *, route_cache_free);

/* An answer is an ifindex or a negative errno. */
bool route_cache_get(const struct route_cache *cache, const struct route_key *key, int *ret_answer);
/* Adds or replaces an answer. -ENOMEM. */
int route_cache_put(struct route_cache *cache, const struct route_key *key, int answer);
void route_cache_clear(struct route_cache *cache);
size_t route_cache_count(const struct route_cache *cache);

/*
 * When an answer expires, its key stays, since the keys show which changes of routes affect SAs.
 * Example: a NIC loses its carrier, and some seconds later the routing daemon changes the prefix of
 * a peer for which there was no lookup in between.
 */

/* Expires all answers. */
void route_cache_expire(struct route_cache *cache);
/* Expires the answers for destinations in these prefixes, at most NIC_ROUTE_CHANGES_MAX, and for
 * sources that are own addresses. Returns the number of such keys, also of those that had
 * expired. */
size_t route_cache_expire_prefixes(struct route_cache *cache, const struct nic_prefix *prefixes,
				   size_t n);
/* False: the cache was cleared because it was full, so some keys are not known. */
bool route_cache_is_complete(const struct route_cache *cache);

/* The meaning of a notification. */
#define ROUTE_CHANGE_NONE 0   /* not a change of the routing table */
#define ROUTE_CHANGE_PREFIX 1 /* *ret_prefix */
#define ROUTE_CHANGE_ALL 2    /* a rule or nexthop: may affect every destination */
int route_parse_change(const struct nlmsghdr *message, struct nic_prefix *ret_prefix);

/* The egress device of an RTM_NEWROUTE, or a negative errno as of route_egress(). */
int route_parse_answer(const struct nlmsghdr *message);
