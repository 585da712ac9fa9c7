/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders of the operator: a pause, NICs that are kept empty, and orders on SAs. A pause and an
 * evacuation hold until the operator ends them. So they are kept in a text file below /run: a
 * daemon that crashes during maintenance must not fill the NIC again. A reboot forgets them. Of the
 * orders on SAs, those that are to persist are kept there too.
 */
#pragma once

#include "cleanup.h"
#include "placement/sa-orders.h"

#include <stdbool.h>
#include <stddef.h>

/* More than the number of NICs of a machine. */
#define ORDERS_EVACUATED_MAX 1024u

struct orders;

/* Makes an empty set of orders. `path` is copied; NULL: kept in memory only. */
int orders_new(const char *path, struct orders **ret_orders);
struct orders *orders_free(struct orders *orders); /* does not save; accepts NULL, returns NULL */
DEFINE_CLEANUP(struct orders *, orders_free);

/*
 * Reads the file, once. A file that does not exist means no orders. A file that cannot be read or
 * parsed (-EBADMSG: damaged, or of another version) may contain any order, so the daemon is paused,
 * and the file is renamed to PATH.damaged.
 */
int orders_load(struct orders *orders);
/* Replaces the file. A negative errno of state_file_write(). */
int orders_save(const struct orders *orders);

bool orders_are_paused(const struct orders *orders);
void orders_set_paused(struct orders *orders, bool paused);

/* NICs are identified by name, since a NIC may vanish and come back. -EINVAL: not a valid name,
 * -ENOSPC: too many, -ENOMEM. */
int orders_evacuate(struct orders *orders, const char *nic);
bool orders_are_to_evacuate(const struct orders *orders, const char *nic);
bool orders_end_evacuation(struct orders *orders, const char *nic); /* false: there was none */
bool orders_end_evacuations(struct orders *orders);
size_t orders_n_evacuated(const struct orders *orders);
const char *orders_evacuated(const struct orders *orders, size_t i);

struct sa_orders *orders_on_sas(struct orders *orders);
/* The order that holds for the SA. NULL: none. */
const struct sa_order *orders_find(const struct orders *orders, const struct sa_description *sa);
