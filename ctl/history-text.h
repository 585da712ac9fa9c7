/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The document of `history` as a table, the newest entry last. */
#pragma once

#include "frame.h"

#include <jansson.h>
#include <stdio.h>

/* `width` 0: unlimited. On a narrow terminal the reason has a line of its own. Returns 0, -EBADMSG
 * or -ENOMEM. */
int history_print(const json_t *document, int width, bool ascii, bool color, FILE *file);
