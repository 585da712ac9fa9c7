/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>

/* Prints the effective configuration (`check-config --effective`) as a file that can be used, with
 * the origin of each value in a comment. */
void effective_text_print(const json_t *effective);
