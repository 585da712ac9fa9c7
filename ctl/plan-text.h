/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reply of Plan as lines of text. */
#pragma once

#include "frame.h"

#include <jansson.h>

/* As explain_layout() of explain-text.h. */
int plan_layout(const json_t *reply, int width, bool ascii, struct frame **ret_frame);
