/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * OpenMetrics text (version 1.0) of the state of the daemon. The number of series is bounded by the
 * NICs and the health conditions; residents add two for each slot that is used.
 */
#pragma once

#include "views.h"

#include <jansson.h>
#include <stdio.h>

/* `status`: the reply to GetStatus, NULL: the daemon cannot be reached. `residents`: an array of
 * SAs in NICs, as ListSAs returns them, or NULL. Returns 0, or -EBADMSG if they do not follow the
 * interface. */
int metrics_write(FILE *out, const json_t *status, const json_t *residents);
