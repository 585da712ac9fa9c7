// SPDX-License-Identifier: GPL-2.0-or-later
#include "network/route.h"
#include "network/netlink.h"
#include "network/route-cache.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel answers within send(). A second means that the RTNL is held for very long. */
#define LOOKUP_TIMEOUT_USEC UINT64_C(1000000)
#define RECEIVE_BUFFER (256 * 1024)

struct route_resolver {
	struct nl_sock *socket;
	struct route_cache *cache;
};

int route_new(struct route_resolver **ret_resolver)
{
	_cleanup_(route_freep) struct route_resolver *resolver = calloc(1, sizeof(*resolver));
	int r;

	if (!resolver)
		return -ENOMEM;
	r = route_cache_new(ROUTE_CACHE_MAX, &resolver->cache);
	if (r >= 0)
		r = netlink_open(NETLINK_ROUTE, RECEIVE_BUFFER, &resolver->socket);
	if (r < 0)
		return r;
	*ret_resolver = TAKE_PTR(resolver);
	return 0;
}

struct route_resolver *route_free(struct route_resolver *resolver)
{
	if (!resolver)
		return NULL;
	nl_socket_free(resolver->socket);
	route_cache_free(resolver->cache);
	free(resolver);
	return NULL;
}

static bool is_any(const struct sa_address *address)
{
	static const struct sa_address any;

	return memcmp(address, &any, sizeof(any)) == 0;
}

/*
 * Makes the same lookup as the kernel for the packets of an SA (xfrm4_dst_lookup()): by addresses
 * and mark, and as user 0 (RTA_UID), since the daemon's own user might match other uidrange rules.
 * The VRF is given as the outgoing device, so that the rule "l3mdev" chooses its table; the kernel
 * itself takes the VRF from the inner packet (xfrm_bundle_create()). RTM_F_FIB_MATCH is not set:
 * the answer for a multipath route would contain all nexthops, instead of the one that the hash
 * over the addresses chooses. The protocol cannot be set to ESP (rtm_getroute_parse_ip_proto()
 * accepts UDP, TCP and ICMP), so rules with ipproto are not followed.
 */
static int build_request(const struct route_key *key, struct nl_msg **ret_message)
{
	_cleanup_(nlmsg_freep) struct nl_msg *message =
		nlmsg_alloc_simple(RTM_GETROUTE, NLM_F_REQUEST);
	int size = key->family == AF_INET ? 4 : 16;
	bool source = !is_any(&key->source);
	struct rtmsg header = {
		.rtm_family = (unsigned char)key->family,
		.rtm_dst_len = (unsigned char)(size * 8),
		.rtm_src_len = (unsigned char)(source ? size * 8 : 0),
	};

	if (!message || nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO) < 0 ||
	    nla_put(message, RTA_DST, size, key->destination.bytes) < 0 ||
	    (source && nla_put(message, RTA_SRC, size, key->source.bytes) < 0) ||
	    nla_put_u32(message, RTA_MARK, key->mark) < 0 || nla_put_u32(message, RTA_UID, 0) < 0 ||
	    (key->vrf && nla_put_u32(message, RTA_OIF, key->vrf) < 0))
		return -ENOMEM;
	*ret_message = TAKE_PTR(message);
	return 0;
}

struct answer {
	bool received;
	int result; /* ifindex or negative errno */
};

static int on_message(const struct nlmsghdr *message, bool reply, void *userdata)
{
	struct answer *answer = userdata;

	/* The late answer to a request that timed out. */
	if (!reply)
		return 0;
	answer->result = route_parse_answer(message);
	answer->received = true;
	return 0;
}

/* Returns 0 and the kernel's answer, which may be an error such as "no route", or a negative errno
 * if there was no answer. */
static int ask(struct route_resolver *resolver, const struct route_key *key, int *ret_result)
{
	_cleanup_(nlmsg_freep) struct nl_msg *message = NULL;
	struct answer answer = {};
	int r;

	r = build_request(key, &message);
	if (r < 0)
		return r;

	r = netlink_request(resolver->socket, message, LOOKUP_TIMEOUT_USEC, on_message, &answer);
	switch (r) {
	case 0:
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EACCES:
	case -EINVAL:
		*ret_result = r;
		return 0;
	case -EAGAIN:
		/* A route of the type throw, and no later rule matches. */
		*ret_result = -ENETUNREACH;
		return 0;
	default:
		return r;
	}

	if (!answer.received)
		return -EBADMSG;
	*ret_result = answer.result;
	return 0;
}

/*
 * IPv4 returns ENETUNREACH also when the source is not local (ip_route_output_key_hash_rcu()). A
 * lookup with the source as destination distinguishes the two.
 */
static int explain_unreachable(struct route_resolver *resolver, const struct route_key *key,
			       int *ret_result)
{
	struct route_key to_source = {
		.destination = key->source,
		.mark = key->mark,
		.family = key->family,
		.vrf = key->vrf,
	};
	int result = 0, r;

	if (key->family != AF_INET || is_any(&key->source))
		return 0;
	r = ask(resolver, &to_source, &result);
	if (r >= 0 && result != -ELOOP)
		*ret_result = -EADDRNOTAVAIL;
	return r;
}

static int resolve(struct route_resolver *resolver, const struct route_key *key, int *ret_result)
{
	int result = 0, r;

	if (route_cache_get(resolver->cache, key, ret_result))
		return 0;

	r = ask(resolver, key, &result);
	if (r >= 0 && result == -ENETUNREACH)
		r = explain_unreachable(resolver, key, &result);
	if (r < 0)
		return r;

	/* If it cannot be cached (-ENOMEM), it is still valid. */
	(void)route_cache_put(resolver->cache, key, result);
	*ret_result = result;
	return 0;
}

int route_egress(struct route_resolver *resolver, int family, const struct sa_address *source,
		 const struct sa_address *destination, uint32_t mark, int vrf, int *ret_ifindex)
{
	struct route_key key = {
		.source = *source,
		.destination = *destination,
		.mark = mark,
		.family = (uint32_t)family,
		.vrf = (uint32_t)vrf,
	};
	int result, r;

	if (family != AF_INET && family != AF_INET6)
		return -EAFNOSUPPORT;
	r = resolve(resolver, &key, &result);
	if (r < 0)
		return r;
	if (result < 0)
		return result;
	*ret_ifindex = result;
	return 0;
}

int route_for_sa(struct route_resolver *resolver, const struct sa_description *sa, uint32_t mark,
		 int vrf, int *ret_ifindex)
{
	switch (sa->direction) {
	case SA_DIRECTION_OUT:
		return route_egress(resolver, sa->id.family, &sa->source, &sa->id.destination, mark,
				    vrf, ret_ifindex);
	case SA_DIRECTION_IN:
		return route_egress(resolver, sa->id.family, &sa->id.destination, &sa->source, mark,
				    vrf, ret_ifindex);
	default:
		return -EDESTADDRREQ;
	}
}

void route_invalidate(struct route_resolver *resolver)
{
	route_cache_clear(resolver->cache);
}

bool route_expire_changes(struct route_resolver *resolver, const struct nic_route_changes *changes)
{
	struct route_cache *cache = resolver->cache;
	bool complete = route_cache_is_complete(cache);
	size_t n = route_cache_count(cache);

	if (!changes->all && complete)
		return route_cache_expire_prefixes(cache, changes->prefixes, changes->n) > 0;
	/* The caller then looks up again all that it needs. */
	route_cache_clear(cache);
	return n > 0 || !complete;
}

void route_expire(struct route_resolver *resolver)
{
	route_cache_expire(resolver->cache);
}
