/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which device do packets of an SA leave by: route lookups, asked of the kernel and remembered.
 *
 * The offload device of an SA must be the device its packets leave by: with another one the kernel
 * encrypts in software and the slot is wasted (xfrm_dev_offload_ok(), net/xfrm/xfrm_device.c).
 *
 * Answers are remembered until route_invalidate(); call it when nic_watch tells that links,
 * addresses or routes changed. The memory is bounded (ROUTE_CACHE_MAX).
 */
#pragma once

#include "cleanup.h"
#include "network/nic.h"
#include "sa.h"

#include <stdint.h>

struct route_resolver;

#define ROUTE_CACHE_MAX 131072 /* answers; 52 bytes each, in a table at most half full */

int route_new(struct route_resolver **ret_resolver);
struct route_resolver *route_free(struct route_resolver *resolver); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct route_resolver *, route_free);

/*
 * The egress device for packets from `source` to `destination` with `mark`, within a VRF (its
 * ifindex) or none (0). An all-zero source means any. The kernel resolves as it does for the ESP
 * packet itself (policy routing, multipath hash over the addresses), in at most a second. Errors:
 *   -ENETUNREACH    no route
 *   -EHOSTUNREACH   the route says unreachable
 *   -EACCES         the route says prohibit
 *   -EINVAL         the route says blackhole, or the source is no host's address (IPv4 only)
 *   -EADDRNOTAVAIL  the source is not local (IPv4 only: IPv6 does not ask)
 *   -ELOOP          the destination is this machine
 *   -EAFNOSUPPORT   the family is neither AF_INET nor AF_INET6, or not in this kernel
 *   -ETIMEDOUT, ... no answer; asked again next time
 */
int route_egress(struct route_resolver *resolver, int family, const struct sa_address *source,
		 const struct sa_address *destination, uint32_t mark, int vrf, int *ret_ifindex);

/*
 * The device of an SA. Outbound: from its source to its destination, with its output mark
 * (XFRMA_SET_MARK) if it has one, else 0. Inbound: the way back to the peer, from the SA's
 * destination (ours) to its source; that packets also arrive there is an assumption which holds
 * unless routing is asymmetric, and then a slot is wasted and nothing breaks. Additionally to the
 * above: -EDESTADDRREQ when the direction is unknown.
 */
int route_for_sa(struct route_resolver *resolver, const struct sa_description *sa, uint32_t mark,
		 int vrf, int *ret_ifindex);

/* Forgets everything; all that is needed must be asked again before it can be told which changes
 * concern it. */
void route_invalidate(struct route_resolver *resolver);
/* What these changes can concern is asked again. Returns whether anybody asked about it. */
bool route_expire_changes(struct route_resolver *resolver, const struct nic_route_changes *changes);
/* Everything is asked again when it is needed, and it stays known what was asked. */
void route_expire(struct route_resolver *resolver);
