/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "frame.h"

#include <jansson.h>

/* As explain_layout() of explain-text.h, of the document of doctor_examine(). */
int doctor_layout(const json_t *document, int width, bool ascii, struct frame **ret_frame);
