/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether a NIC is trusted with SAs, as far as it has shown by itself. Several SAs that fared worse
 * there within some minutes cost it its trust for a while, each time for twice as long.
 */
#pragma once

#include <stdbool.h>

/* Of one NIC; zeroed: trusted. Times are s, monotonic. */
struct trust {
	unsigned strikes; /* SAs that fared worse there, of late */
	double struck_at;
	double lost_until; /* 0: it is trusted */
	double lost_for;   /* s, the last time */
};

/* An SA fared worse there. Returns whether that cost the NIC its trust. */
bool trust_strike(struct trust *trust, double now);
bool trust_is_lost(const struct trust *trust, double now);
/* Returns whether its time without trust is over since the last call. */
bool trust_expire(struct trust *trust, double now);
