/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SPIs as operators write them. */
#pragma once

#include <stdint.h>

/* 1 to 8 hexadecimal digits, as ip(8) and the IKE daemons print them, with or without 0x. -EINVAL:
 * it is something else. */
int spi_parse(const char *text, uint32_t *ret_spi);
