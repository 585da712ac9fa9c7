/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The reply of Explain as lines of text: the verb `explain` prints them, `top` shows them in a
 * pane.
 */
#pragma once

#include "frame.h"

#include <jansson.h>

/* Lays the reply out for a width, as a frame as high as the text. 0, or -EBADMSG when the reply is
 * not what the interface promises. */
int explain_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame);
