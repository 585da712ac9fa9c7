/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Prints the document of doctor_examine() in at most `width` columns. -ENOMEM. */
int doctor_print(const json_t *document, int width, bool ascii, bool color, FILE *file);
