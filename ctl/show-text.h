/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of `show`. */
#pragma once

#include "frame.h"

#include <jansson.h>

/* As explain_layout() of explain-text.h, of the same reply. */
int show_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame);
