/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libreswan: the output of `whack --showstates`.
 *
 * It is the only output for that purpose that has the SPIs: `ipsec trafficstatus` has none, and
 * `ipsec status` prints these lines after all that is configured. pluto's socket takes a struct of
 * pluto's own version, so whack has to ask.
 */
#pragma once

#include "ike/names.h"

/* A longer line is no line of pluto, which has 1 KiB at most (LOG_WIDTH). */
#define PLUTO_LINE_MAX 4096ul

/*
 * Reads the complete lines of `data` and adds the names of their SAs. Sets how many bytes were
 * used; the rest is to be offered again, with what follows it. Returns 0, -EBADMSG if a line is too
 * long, or a negative errno of ike_names_add().
 */
int pluto_read(struct ike_names *names, const char *data, size_t size, size_t *ret_used);
