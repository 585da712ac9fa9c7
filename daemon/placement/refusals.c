// SPDX-License-Identifier: GPL-2.0-or-later
#include "placement/refusals.h"

#include "xfrm/kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define REFUSALS_MAX 256
#define REFUSAL_WAIT_MAX 3600.0

struct refusal {
	int ifindex;
	const struct sa_shape *shape;
	char text[KERNEL_TEXT_SIZE];
	double until;
	double wait;
	bool over; /* refusals_expire() has reported the end */
};

struct refusals {
	struct refusal *entries;
	size_t n;
};

const char *refusal_cause_name(enum refusal_cause cause)
{
	static const char *const names[_REFUSAL_CAUSE_MAX] = {
		[REFUSAL_UNSUPPORTED] = "unsupported", [REFUSAL_SILENT] = "silent-software",
		[REFUSAL_NO_SPACE] = "no-space",       [REFUSAL_TEMPORARY] = "temporary",
		[REFUSAL_ELSEWHERE] = "wrong-device",
	};

	return names[cause];
}

int refusals_new(struct refusals **ret_refusals)
{
	struct refusals *refusals = calloc(1, sizeof(*refusals));

	if (!refusals)
		return -ENOMEM;
	*ret_refusals = refusals;
	return 0;
}

struct refusals *refusals_free(struct refusals *refusals)
{
	if (!refusals)
		return NULL;
	free(refusals->entries);
	free(refusals);
	return NULL;
}

static struct refusal *find(const struct refusals *refusals, int ifindex,
			    const struct sa_shape *shape)
{
	for (size_t i = 0; i < refusals->n; i++)
		if (refusals->entries[i].ifindex == ifindex && refusals->entries[i].shape == shape)
			return &refusals->entries[i];
	return NULL;
}

static struct refusal *add(struct refusals *refusals, int ifindex, const struct sa_shape *shape)
{
	struct refusal *grown;

	if (refusals->n == REFUSALS_MAX)
		return NULL;
	grown = reallocarray(refusals->entries, refusals->n + 1, sizeof(*grown));
	if (!grown)
		return NULL;
	refusals->entries = grown;
	grown[refusals->n] = (struct refusal){.ifindex = ifindex, .shape = shape};
	return &grown[refusals->n++];
}

bool refusals_add(struct refusals *refusals, int ifindex, const struct sa_shape *shape, double wait,
		  const char *text, double now)
{
	struct refusal *refusal = find(refusals, ifindex, shape);

	if (!refusal)
		refusal = add(refusals, ifindex, shape);
	if (!refusal)
		return false;
	refusal->wait = refusal->wait > 0 ? 2 * refusal->wait : wait;
	if (refusal->wait > REFUSAL_WAIT_MAX)
		refusal->wait = REFUSAL_WAIT_MAX;
	refusal->until = now + refusal->wait;
	refusal->over = false;
	snprintf(refusal->text, sizeof(refusal->text), "%s", text);
	return true;
}

bool refusals_remove(struct refusals *refusals, int ifindex, const struct sa_shape *shape)
{
	struct refusal *refusal = find(refusals, ifindex, shape);

	if (!refusal)
		return false;
	*refusal = refusals->entries[--refusals->n];
	return true;
}

void refusals_remove_nic(struct refusals *refusals, int ifindex)
{
	size_t kept = 0;

	for (size_t i = 0; i < refusals->n; i++)
		if (refusals->entries[i].ifindex != ifindex)
			refusals->entries[kept++] = refusals->entries[i];
	refusals->n = kept;
}

void refusals_clear(struct refusals *refusals)
{
	refusals->n = 0;
}

bool refusals_hold(const struct refusals *refusals, int ifindex, const struct sa_shape *shape,
		   bool retry, double now, const char **ret_text)
{
	const struct refusal *refusal = find(refusals, ifindex, shape);

	if (!refusal || (retry && now >= refusal->until))
		return false;
	if (ret_text)
		*ret_text = refusal->text;
	return true;
}

double refusals_wait(const struct refusals *refusals, int ifindex, const struct sa_shape *shape,
		     double now)
{
	const struct refusal *refusal = find(refusals, ifindex, shape);

	return refusal && refusal->until > now ? refusal->until - now : 0;
}

bool refusals_expire(struct refusals *refusals, double now)
{
	bool any = false;

	for (size_t i = 0; i < refusals->n; i++) {
		if (refusals->entries[i].over || now < refusals->entries[i].until)
			continue;
		refusals->entries[i].over = true;
		any = true;
	}
	return any;
}
