/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the operator ordered by hand: a pause, and NICs that are kept empty. It holds until the
 * operator ends it, so it lies in a text file below /run: a daemon that crashes in a maintenance
 * window must not fill the NIC again. A reboot forgets it.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>

/* More than a machine has NICs. */
#define ORDERS_EVACUATED_MAX 1024u

struct orders;

/* None. `path` is copied; NULL: they are kept in memory only. */
int orders_new(const char *path, struct orders **ret_orders);
struct orders *orders_free(struct orders *orders); /* does not save; accepts NULL, returns NULL */
DEFINE_CLEANUP(struct orders *, orders_free);

/*
 * Reads the file, once; one that does not exist says nothing. A file that cannot be read or
 * understood (-EBADMSG: damaged, or of another version) may have said anything, so the answer is a
 * pause. It is renamed to PATH.damaged.
 */
int orders_load(struct orders *orders);
/* Replaces the file. */
int orders_save(const struct orders *orders);

bool orders_are_paused(const struct orders *orders);
void orders_set_paused(struct orders *orders, bool paused);

/* By name: a NIC may go and come back. -EINVAL: not the name of a NIC, -ENOSPC: too many. */
int orders_evacuate(struct orders *orders, const char *nic);
bool orders_are_to_evacuate(const struct orders *orders, const char *nic);
bool orders_end_evacuation(struct orders *orders, const char *nic); /* false: there was none */
bool orders_end_evacuations(struct orders *orders);
size_t orders_n_evacuated(const struct orders *orders);
const char *orders_evacuated(const struct orders *orders, size_t i);
