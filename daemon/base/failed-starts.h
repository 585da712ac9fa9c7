/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many times in a row the daemon could not start. Each start reads all SAs, and the service
 * manager restarts it at once, since an SA may wait for it: a start that fails again and again must
 * take longer each time. (RestartSteps= of the unit needs systemd 254.)
 */
#pragma once

#define FAILED_STARTS_WAIT_MAX 30.0 /* s */

/* Counts a failure in the file. Returns the seconds to wait before giving up: 0 after the first,
 * then 0.5, doubling up to FAILED_STARTS_WAIT_MAX. A file that cannot be read counts as none. */
double failed_starts_note(const char *path);
/* It started. */
void failed_starts_forget(const char *path);
