/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one thing that matters about the policies (SPD): outbound templates that are optional ("level
 * use"). While an SA that such a policy uses is away for a moment, its packets leave in clear text
 * (xfrm_tmpl_resolve_one()), so it must not be moved.
 */
#pragma once

#include "kernel.h"
#include "sa.h"

struct spd_template {
	struct sa_address source; /* zero: any */
	struct sa_address destination;
	uint32_t reqid; /* 0: any */
	uint16_t family;
	uint8_t protocol;
};

struct spd {
	struct spd_template *optional;
	size_t n_optional;
	bool failed; /* out of memory: assume the worst */
};

/* Takes the optional templates of a NEWPOLICY or UPDPOLICY message. */
void spd_take(struct spd *spd, const struct nlmsghdr *message);
void spd_clear(struct spd *spd);
bool spd_makes_optional(const struct spd *spd, const struct sa_description *sa);
