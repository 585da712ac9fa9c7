/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Watches changes of routes: notifications about routes, rules and nexthops, and local addresses
 * that were added or removed. They are collected, and reported together after a delay.
 */
#pragma once

#include "network/address.h"
#include "network/nic.h"

struct route_watch;

/* Calls only addresses() and routes() of the callbacks, which are not copied and must outlive the
 * watch. */
int route_watch_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		    struct route_watch **ret_watch);
struct route_watch *route_watch_free(struct route_watch *watch); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct route_watch *, route_watch_free);

int route_watch_address_added(struct route_watch *watch, const struct nic_address *address);
/* `address` NULL: it is not known which. */
int route_watch_address_removed(struct route_watch *watch, const struct nic_address *address);
