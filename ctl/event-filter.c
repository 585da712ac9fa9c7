// SPDX-License-Identifier: GPL-2.0-or-later
#include "event-filter.h"
#include "spi.h"

#include <errno.h>

int event_filter_parse(const char *text, struct event_filter *ret_filter)
{
	struct event_filter filter = {};

	filter.by_spi = spi_parse(text, &filter.spi) >= 0;
	if (!filter.by_spi && config_parse_prefix(text, &filter.peer) < 0)
		return -EINVAL;
	*ret_filter = filter;
	return 0;
}
