// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/health.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

struct health {
	uint32_t conditions; /* bits 1 << enum health_condition */
};

static const struct {
	const char *name;
	const char *text;
} conditions[_HEALTH_CONDITION_MAX] = {
	[HEALTH_OWED] = {"owed", "an SA could not be put back yet; trying again"},
	[HEALTH_NO_MEMORY] = {"no-memory", "out of memory; no SA is moved"},
	[HEALTH_NO_DUMP] = {"no-dump", "the kernel does not show its SAs"},
	[HEALTH_NO_NETWORK] = {"no-network", "the kernel does not show links and routes"},
	[HEALTH_OWNERSHIP] = {"ownership", "cannot record which SAs are in NICs (file, memory "
					   "or room); none is moved into one"},
	[HEALTH_POLICY] = {"policy", "out of memory for the rules in force"},
	[HEALTH_ORDERS] = {"orders", "cannot write the orders of the operator; a restart forgets "
				     "pause, evacuations, pins and bans"},
	[HEALTH_ORDERS_LOST] = {"orders-lost", "the orders of the operator could not be read; "
					       "paused until 'espoffloadctl resume'"},
	[HEALTH_REFUSED] = {"refused", "a NIC refused SAs of rules with 'on-reject: alarm'; they "
				       "work in software"},
};

int health_new(struct health **ret_health)
{
	struct health *health = calloc(1, sizeof(*health));

	if (!health)
		return -ENOMEM;
	*ret_health = health;
	return 0;
}

struct health *health_free(struct health *health)
{
	free(health);
	return NULL;
}

bool health_set(struct health *health, enum health_condition condition, bool holds)
{
	bool changed = health_holds(health, condition) != holds;

	if (changed)
		health->conditions ^= UINT32_C(1) << condition;
	return changed;
}

bool health_holds(const struct health *health, enum health_condition condition)
{
	return health->conditions & UINT32_C(1) << condition;
}

bool health_is_well(const struct health *health)
{
	return health->conditions == 0;
}

const char *health_name(enum health_condition condition)
{
	return conditions[condition].name;
}

const char *health_text(enum health_condition condition)
{
	return conditions[condition].text;
}

const char *health_describe(const struct health *health, char buffer[HEALTH_DESCRIPTION_SIZE])
{
	size_t used = 0;

	buffer[0] = '\0';
	for (unsigned i = 0; i < _HEALTH_CONDITION_MAX; i++) {
		if (!health_holds(health, i))
			continue;
		used += (size_t)snprintf(buffer + used, HEALTH_DESCRIPTION_SIZE - used, "%s%s",
					 used > 0 ? "; " : "", conditions[i].text);
	}
	return buffer;
}
