// SPDX-License-Identifier: GPL-2.0-or-later
#include "spi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int spi_parse(const char *text, uint32_t *ret_spi)
{
	const char *digits = text[0] == '0' && (text[1] | 0x20) == 'x' ? text + 2 : text;
	size_t length = strspn(digits, "0123456789abcdefABCDEF");

	if (length == 0 || length > 8 || digits[length])
		return -EINVAL;
	*ret_spi = (uint32_t)strtoul(digits, NULL, 16);
	return 0;
}
