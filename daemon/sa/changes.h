/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SAs that events named, and that are to be read again. */
#pragma once

#include "sa.h"

#include <stddef.h>

/* More of them are cheaper to find by a dump. */
#define CHANGES_MAX 4096

struct changes {
	struct sa_id *ids;
	size_t n, n_allocated;
};

int changes_add(struct changes *changes,
		const struct sa_id *id); /* -ENOBUFS: CHANGES_MAX, -ENOMEM */
void changes_release(struct changes *changes);
