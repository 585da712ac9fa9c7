/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which SAs, as an operator names them on the command line. */
#pragma once

#include "event-entry.h"

/* "0x00000101", "101", "192.0.2.1", "2001:db8::/32". 0 or -EINVAL. */
int event_filter_parse(const char *text, struct event_filter *ret_filter);
