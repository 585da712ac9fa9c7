// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/holders.h"

#include <stdlib.h>

void holders_release(struct holders *holders)
{
	free(holders->entries);
	*holders = (struct holders){};
}

/* Linear, since only few NICs hold SAs. */
static struct holder *find(const struct holders *holders, int ifindex)
{
	for (size_t i = 0; i < holders->n; i++)
		if (holders->entries[i].ifindex == ifindex)
			return &holders->entries[i];
	return NULL;
}

static struct holder *find_or_make(struct holders *holders, int ifindex)
{
	struct holder *holder = find(holders, ifindex), *entries;

	if (holder)
		return holder;
	entries = reallocarray(holders->entries, holders->n + 1, sizeof(*entries));
	if (!entries)
		return NULL;
	holders->entries = entries;
	holder = &entries[holders->n++];
	*holder = (struct holder){.ifindex = ifindex};
	return holder;
}

static void count(struct holder *holder, enum sa_direction direction, bool foreign, uint32_t by)
{
	bool in = direction == SA_DIRECTION_IN;

	*(in ? &holder->in : &holder->out) += by;
	if (foreign)
		*(in ? &holder->foreign_in : &holder->foreign_out) += by;
}

void holders_add(struct holders *holders, int ifindex, enum sa_direction direction, bool foreign)
{
	struct holder *holder = ifindex != 0 ? find_or_make(holders, ifindex) : NULL;

	if (!holder)
		return;
	count(holder, direction, foreign, 1);
	holders->n_held++;
}

void holders_remove(struct holders *holders, int ifindex, enum sa_direction direction, bool foreign)
{
	struct holder *holder = find(holders, ifindex);

	if (!holder)
		return;
	count(holder, direction, foreign, UINT32_MAX);
	holders->n_held--;
	if (holder->in + holder->out == 0)
		*holder = holders->entries[--holders->n];
}

struct holder holders_get(const struct holders *holders, int ifindex)
{
	const struct holder *holder = find(holders, ifindex);

	return holder ? *holder : (struct holder){.ifindex = ifindex};
}
