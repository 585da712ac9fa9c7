// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The socket is not read until the debounce time is over: many changes are handled together, and a
 * flapping full routing table only fills a small buffer. It is a separate socket, so that such a
 * burst cannot cause the loss of the message that a NIC went down.
 */
#include "network/route-watch.h"

#include "network/netlink.h"
#include "network/route-cache.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#define RECEIVE_BUFFER (1024 * 1024)

struct route_watch {
	sd_event *event;
	const struct nic_watch_callbacks *callbacks;
	void *userdata;

	struct nl_sock *socket;
	sd_event_source *source;
	sd_event_source *debounce;

	bool addresses_removed;
	struct nic_route_changes changes;
};

/* Schedules one callback for all changes until then. Further changes do not extend the time;
 * otherwise a permanent burst of changes would prevent the callback. */
static int announce_within(struct route_watch *w, uint64_t usec)
{
	uint64_t now, due;
	int r, enabled;

	r = sd_event_source_get_enabled(w->debounce, &enabled);
	if (r >= 0)
		r = sd_event_source_get_time(w->debounce, &due);
	if (r >= 0)
		r = sd_event_now(w->event, CLOCK_MONOTONIC, &now);
	if (r < 0)
		return r;
	if (enabled != SD_EVENT_OFF && due <= now + usec)
		return 0;
	r = sd_event_source_set_time_relative(w->debounce, usec);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(w->debounce, SD_EVENT_ONESHOT);
}

static bool is_same_prefix(const struct nic_prefix *a, const struct nic_prefix *b)
{
	return a->family == b->family && a->length == b->length &&
	       memcmp(a->address, b->address, sizeof(a->address)) == 0;
}

static void note_route_change(struct nic_route_changes *changes, const struct nic_prefix *prefix)
{
	for (size_t i = 0; i < changes->n; i++)
		if (is_same_prefix(&changes->prefixes[i], prefix)) {
			changes->prefixes[i].own |= prefix->own;
			return;
		}
	if (changes->n == NIC_ROUTE_CHANGES_MAX)
		changes->all = true;
	else
		changes->prefixes[changes->n++] = *prefix;
}

static void note_own_address(struct route_watch *w, const struct nic_address *address)
{
	struct nic_prefix prefix = {
		.family = (uint8_t)address->family,
		.length = address->family == AF_INET ? 32 : 128,
		.own = true,
	};

	memcpy(prefix.address, address->bytes, sizeof(prefix.address));
	note_route_change(&w->changes, &prefix);
}

int route_watch_address_added(struct route_watch *watch, const struct nic_address *address)
{
	note_own_address(watch, address);
	return announce_within(watch, NIC_WATCH_DEBOUNCE_USEC);
}

int route_watch_address_removed(struct route_watch *watch, const struct nic_address *address)
{
	if (address && address->family == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)address->bytes))
		note_own_address(watch, address);
	else
		watch->addresses_removed = true;
	return announce_within(watch, NIC_WATCH_REMOVED_USEC);
}

static int on_message(const struct nlmsghdr *message, bool reply, void *userdata)
{
	struct route_watch *w = userdata;
	struct nic_prefix prefix;

	(void)reply;
	switch (route_parse_change(message, &prefix)) {
	case ROUTE_CHANGE_PREFIX:
		note_route_change(&w->changes, &prefix);
		break;
	case ROUTE_CHANGE_ALL:
		w->changes.all = true;
		break;
	}
	return 0;
}

/* Reads the messages since the debounce began. If there are too many, all routes count as
 * changed. */
static void read_messages(struct route_watch *w)
{
	if (netlink_dispatch(w->socket, on_message, w) == 0)
		return;
	w->changes.all = true;
	netlink_drain(w->socket);
}

static int on_debounce(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct route_watch *w = userdata;
	bool removed = w->addresses_removed;

	read_messages(w);
	w->addresses_removed = false;
	if (removed && w->callbacks->addresses)
		w->callbacks->addresses(w->userdata);
	if ((w->changes.all || w->changes.n > 0) && w->callbacks->routes)
		w->callbacks->routes(&w->changes, w->userdata);
	w->changes = (struct nic_route_changes){};
	return sd_event_source_set_enabled(w->source, SD_EVENT_ON);
}

static int on_socket(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct route_watch *w = userdata;
	int r = sd_event_source_set_enabled(w->source, SD_EVENT_OFF);

	return r < 0 ? r : announce_within(w, NIC_WATCH_DEBOUNCE_USEC);
}

static int open_socket(struct route_watch *w)
{
	int r = netlink_open(NETLINK_ROUTE, RECEIVE_BUFFER, &w->socket);

	if (r < 0)
		return r;
	/* A nexthop object may change without a message about the routes that use it
	 * (net.ipv4.nexthop_compat_mode=0). */
	return netlink_errno(nl_socket_add_memberships(w->socket, RTNLGRP_IPV4_ROUTE,
						       RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE,
						       RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, 0));
}

int route_watch_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		    struct route_watch **ret_watch)
{
	_cleanup_(route_watch_freep) struct route_watch *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->event = sd_event_ref(event);
	w->callbacks = callbacks;
	w->userdata = userdata;
	r = open_socket(w);
	if (r >= 0)
		r = netlink_add_socket(event, w->socket, SD_EVENT_PRIORITY_NORMAL, "nic-routes",
				       on_socket, w, &w->source);
	if (r >= 0)
		r = netlink_add_timer(event, "nic-debounce", on_debounce, w, &w->debounce);
	if (r < 0)
		return r;
	*ret_watch = TAKE_PTR(w);
	return 0;
}

struct route_watch *route_watch_free(struct route_watch *watch)
{
	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->source);
	sd_event_source_disable_unref(watch->debounce);
	nl_socket_free(watch->socket);
	sd_event_unref(watch->event);
	free(watch);
	return NULL;
}
