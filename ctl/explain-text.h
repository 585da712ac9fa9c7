/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reply of Explain as lines of text, for the verb `explain` and a pane of `top`.
 */
#pragma once

#include "frame.h"
#include "page.h"
#include "views.h"

#include <jansson.h>

/* Draws the reply for a width into a frame with the height of the text, which the caller frees.
 * Returns 0, -EBADMSG if the reply does not follow the interface, or -ENOMEM. */
int explain_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame);

/* Its parts that `show` has too. */
void explain_add_title(struct page *page, const struct sa_view *sa);
void explain_add_details(struct page *page, const json_t *details);
void explain_add_history(struct page *page, const json_t *history);
