/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What matters of the policies (SPD).
 *
 * Outbound templates that are optional ("level use"): while an SA that such a policy uses is away
 * for a moment, its packets leave in clear text (xfrm_tmpl_resolve_one()), so it must not be moved.
 * Policies of sockets (IP_XFRM_POLICY) are among them; no event tells of these.
 *
 * Policies in packet offload: the kernel deletes them when their NIC goes down, and tells nobody.
 */
#pragma once

#include "sa.h"
#include "xfrm/kernel.h"

struct spd_template {
	struct sa_address source; /* zero: any */
	struct sa_address destination;
	uint32_t reqid; /* 0: any */
	uint16_t family;
	uint8_t protocol;
};

struct spd_offloaded {
	uint32_t index; /* the kernel's name for the policy, with the next */
	uint8_t direction;
	int ifindex;
};

struct spd {
	struct spd_template *optional;
	size_t n_optional;
	struct spd_offloaded *offloaded;
	size_t n_offloaded;
	bool failed; /* out of memory: assume the worst */
};

/* Takes a policy from a dump, or an event of the group POLICY or EXPIRE. */
void spd_handle(struct spd *spd, const struct nlmsghdr *message);
void spd_clear(struct spd *spd);
/* All policies of the kernel; `ret_spd` is not touched on failure. */
int spd_read(struct kernel *kernel, struct spd *ret_spd);
bool spd_makes_optional(const struct spd *spd, const struct sa_description *sa);
/* Something in it can become untrue without an event. */
static inline bool spd_matters(const struct spd *spd)
{
	return spd->failed || spd->n_optional > 0 || spd->n_offloaded > 0;
}
/* How many policies that were offloaded to a NIC are not there any more. */
size_t spd_count_missing(const struct spd *before, const struct spd *after, int ifindex);
/* How many outbound policies of sockets there are, or a negative errno. Cheap: the kernel counts
 * them. */
int spd_count_sockets(struct kernel *kernel, struct kernel_batch *batch);
