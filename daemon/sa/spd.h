/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the policies (SPD) that the daemon needs.
 *
 * Optional outbound templates ("level use"): while the SA of such a template does not exist for a
 * moment, its packets leave in clear text (xfrm_tmpl_resolve_one()). So the SA must not be moved.
 * Policies of sockets (IP_XFRM_POLICY) can have such templates too, and cause no events.
 *
 * Policies in packet offload: the kernel deletes them without an event when their NIC goes down.
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
	uint32_t index; /* identifies the policy together with `direction` */
	uint8_t direction;
	int ifindex;
};

struct spd {
	struct spd_template *optional;
	size_t n_optional;
	struct spd_offloaded *offloaded;
	size_t n_offloaded;
	bool failed; /* out of memory: all SAs count as optional */
};

/* Handles a policy of a dump, or an event of the group POLICY or EXPIRE. */
void spd_handle(struct spd *spd, const struct nlmsghdr *message);
void spd_clear(struct spd *spd);
/* Reads all policies of the kernel. On failure (a negative errno of the dump) `ret_spd` is not
 * changed. The caller frees it by spd_clear(). */
int spd_read(struct kernel *kernel, struct spd *ret_spd);
bool spd_makes_optional(const struct spd *spd, const struct sa_description *sa);
/* Whether part of it can become outdated without an event. */
static inline bool spd_matters(const struct spd *spd)
{
	return spd->failed || spd->n_optional > 0 || spd->n_offloaded > 0;
}
/* How many policies offloaded to this NIC are in `before` and not in `after`. */
size_t spd_count_missing(const struct spd *before, const struct spd *after, int ifindex);
/* The number of outbound policies of sockets, or a negative errno. Cheap: the kernel counts them.
 * Overwrites the batch, and leaves it empty. */
int spd_count_sockets(struct kernel *kernel, struct kernel_batch *batch);
