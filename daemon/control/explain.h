/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the explanation of an SA that other methods show too. Both NULL without memory. */
#pragma once

#include "control/prospects.h"

#include <jansson.h>

/* The numbers behind the sentences: Prospects of the interface. */
json_t *explain_numbers(struct manager *m, const struct prospects *p);
/* Sentences: what keeps the SA where it is. */
json_t *explain_obstacles(struct manager *m, const struct sa *sa, const struct prospects *p);
