/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the device by which packets of an SA leave: route lookups by the kernel, whose results are
 * cached.
 *
 * The offload device of an SA must be the device by which its packets leave. With another device
 * the kernel encrypts in software, and the slot is wasted (xfrm_dev_offload_ok(),
 * net/xfrm/xfrm_device.c).
 *
 * Results are cached until one of the functions below forgets them. Call these when nic_watch
 * reports changes of links, addresses or routes. The cache is bounded (ROUTE_CACHE_MAX).
 */
#pragma once

#include "cleanup.h"
#include "network/nic.h"
#include "sa.h"

#include <stdint.h>

struct route_resolver;

#define ROUTE_CACHE_MAX 131072 /* results; 83 bytes each, with the hash table (x86-64) */

int route_new(struct route_resolver **ret_resolver);
struct route_resolver *route_free(struct route_resolver *resolver); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct route_resolver *, route_free);

/*
 * The egress device for packets from `source` to `destination` with `mark`, in the VRF with this
 * ifindex (0: none). An all-zero source means any. The kernel resolves as for the ESP packet itself
 * (policy routing, multipath hash over the addresses). Takes at most a second. Errors:
 *   -ENETUNREACH    no route
 *   -EHOSTUNREACH   the route has the type unreachable
 *   -EACCES         the route has the type prohibit
 *   -EINVAL         the route has the type blackhole, or IPv4: the source is not a host address
 *   -EADDRNOTAVAIL  the source is not local (IPv4 only; IPv6 does not check)
 *   -ELOOP          the destination is this machine
 *   -EAFNOSUPPORT   the family is neither AF_INET nor AF_INET6, or not in this kernel
 *   -ETIMEDOUT, ... no answer, or no memory; not cached
 */
int route_egress(struct route_resolver *resolver, int family, const struct sa_address *source,
		 const struct sa_address *destination, uint32_t mark, int vrf, int *ret_ifindex);

/*
 * The device of an SA. Outbound: from its source to its destination, with its output mark
 * (XFRMA_SET_MARK) if it has one, else 0. Inbound: the route back to the peer, from the SA's
 * destination (local) to its source. Inbound packets are assumed to arrive by the same device. With
 * asymmetric routing a slot is wasted, and nothing else happens. Errors as route_egress(), and
 * -EDESTADDRREQ when the direction is unknown.
 */
int route_for_sa(struct route_resolver *resolver, const struct sa_description *sa, uint32_t mark,
		 int vrf, int *ret_ifindex);

/* Forgets all results and all keys. Until a key is looked up again, changes of routes are not known
 * to affect it. */
void route_invalidate(struct route_resolver *resolver);
/* Forgets the results that these changes may affect. Returns whether there may be any. */
bool route_expire_changes(struct route_resolver *resolver, const struct nic_route_changes *changes);
/* Forgets all results, but not which keys were looked up. */
void route_expire(struct route_resolver *resolver);
