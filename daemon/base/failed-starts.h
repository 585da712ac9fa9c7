/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Counts how many times in a row the daemon could not start. The service manager restarts it at
 * once, since an SA may have to be put back, and each start reads all SAs. So the daemon waits
 * longer after each failed start. (RestartSteps= of the unit needs systemd 254.)
 */
#pragma once

#define FAILED_STARTS_WAIT_MAX 30.0 /* s */

/* Counts a failed start in the file. Returns the seconds to wait before the daemon exits: 0 after
 * the first, then 0.5, doubling up to FAILED_STARTS_WAIT_MAX. A file that cannot be read counts as
 * 0. */
double failed_starts_note(const char *path);
/* The daemon started: removes the file. */
void failed_starts_forget(const char *path);
