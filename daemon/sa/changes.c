// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/changes.h"

#include <errno.h>
#include <stdlib.h>

int changes_add(struct changes *changes, const struct sa_id *id)
{
	struct sa_id *grown;

	if (changes->n >= CHANGES_MAX)
		return -ENOBUFS;
	if (changes->n == changes->n_allocated) {
		size_t n = changes->n_allocated ? 2 * changes->n_allocated : 64;

		grown = reallocarray(changes->ids, n, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		changes->ids = grown;
		changes->n_allocated = n;
	}
	changes->ids[changes->n++] = *id;
	return 0;
}

void changes_release(struct changes *changes)
{
	free(changes->ids);
	*changes = (struct changes){};
}
