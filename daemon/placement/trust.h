/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a NIC has lost its trust by faults. Several SAs with faults within some minutes cost the
 * NIC its trust for some time, which doubles each time.
 */
#pragma once

#include <stdbool.h>

/* The state of one NIC; zeroed: trusted. Times are s, monotonic. */
struct trust {
	unsigned strikes; /* recent faults of SAs */
	double struck_at;
	double lost_until; /* 0: trusted */
	double lost_for;   /* s, duration of the last loss */
};

/* Notes a fault of an SA. Returns whether the NIC has lost its trust by that. */
bool trust_strike(struct trust *trust, double now);
bool trust_is_lost(const struct trust *trust, double now);
/* Returns whether a loss of trust has ended since the last call. */
bool trust_expire(struct trust *trust, double now);
