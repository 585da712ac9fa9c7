// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/trust.h"

#define STRIKES_MAX 3
#define STRIKES_SECONDS 600.0
#define LOST_SECONDS 600.0
#define LOST_SECONDS_MAX 86400.0

bool trust_strike(struct trust *trust, double now)
{
	if (now - trust->struck_at > STRIKES_SECONDS)
		trust->strikes = 0;
	trust->struck_at = now;
	if (++trust->strikes < STRIKES_MAX)
		return false;
	trust->strikes = 0;
	trust->lost_for = trust->lost_for > 0 ? 2 * trust->lost_for : LOST_SECONDS;
	if (trust->lost_for > LOST_SECONDS_MAX)
		trust->lost_for = LOST_SECONDS_MAX;
	trust->lost_until = now + trust->lost_for;
	return true;
}

bool trust_is_lost(const struct trust *trust, double now)
{
	return now < trust->lost_until;
}

bool trust_expire(struct trust *trust, double now)
{
	if (trust->lost_until == 0 || now < trust->lost_until)
		return false;
	trust->lost_until = 0;
	return true;
}
