/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The SAs that events named, to be read again. */
#pragma once

#include "sa.h"

#include <stddef.h>

/* For more SAs a dump is cheaper. */
#define CHANGES_MAX 4096

struct changes {
	struct sa_id *ids;
	size_t n, n_allocated;
};

int changes_add(struct changes *changes, const struct sa_id *id); /* -ENOBUFS: full; -ENOMEM */
void changes_release(struct changes *changes);
