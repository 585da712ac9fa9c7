/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where routes changed: notifications about routes, rules and nexthops, and local addresses that
 * came and went. They are collected, and told together after a while.
 */
#pragma once

#include "network/address.h"
#include "network/nic.h"

struct route_watch;

/* Of the callbacks, addresses() and routes() are called. They must live as long as the watch. */
int route_watch_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		    struct route_watch **ret_watch);
struct route_watch *route_watch_free(struct route_watch *watch); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct route_watch *, route_watch_free);

int route_watch_address_added(struct route_watch *watch, const struct nic_address *address);
/* NULL: it is not known which. */
int route_watch_address_removed(struct route_watch *watch, const struct nic_address *address);
