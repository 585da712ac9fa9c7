// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Three sockets feed the picture:
 *
 *   links   rtnetlink: links and addresses. Everything is read on the very socket that has the
 *           notifications, so that dump and notifications come in the order in which the kernel
 *           made them, and an old notification never undoes a newer dump.
 *   routes  rtnetlink: routes, rules and nexthops, not looked at. One message is as good as a
 *           thousand, so the socket is not even read until the debounce time is over: a full
 *           routing table that flaps fills a small buffer and costs nothing more. It is a socket
 *           of its own so that such a storm cannot displace the message that a NIC went down.
 *   ethtool the features. Notifications are answered with a request, whose answer comes on the
 *           same socket.
 *
 * When messages were lost, all is read anew: nic_table_begin(), dump, and what the dump did not
 * mention is gone. It begins with the first part of the dump and not with the request: what is
 * still in the socket before that part is older than the dump, and may be about a device whose
 * removal was among the lost messages.
 */
#include "network/address.h"
#include "network/ethtool.h"
#include "network/netlink.h"
#include "network/nic-table.h"
#include "network/nic.h"
#include "network/route-cache.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

/* A link message is some 1.4 kB and 2.3 kB of buffer: 4 MiB hold the creation of 1,800 links. */
#define LINKS_RECEIVE_BUFFER (4 * 1024 * 1024)
#define ETHTOOL_RECEIVE_BUFFER (1024 * 1024)
#define ROUTES_RECEIVE_BUFFER (1024 * 1024)
/* Bounds the time away from the event loop during a storm. */
#define READING_TURN_USEC 5000
/* The kernel answers within send(), and a dump goes on as it is read: waiting means trouble. */
#define READ_TIMEOUT_USEC (5 * UINT64_C(1000000))
/* A dump is repeated when it was inconsistent, or lost messages to a storm of changes. */
#define READ_ATTEMPTS 4

struct nic_watch {
	sd_event *event;
	struct nic_watch_callbacks callbacks;
	void *userdata;

	struct nic_table *table;
	struct nic_addresses *addresses;

	struct nl_sock *links;
	struct nl_sock *routes;
	struct nl_sock *ethtool; /* NULL: the kernel has none */
	int ethtool_family;

	sd_event_source *links_source;
	sd_event_source *routes_source;
	sd_event_source *ethtool_source;
	sd_event_source *debounce_source;
	sd_event_source *retry_source;

	bool ready;   /* nic_watch_new() is done: callbacks may be called */
	bool reading; /* a dump of everything is under way */
	bool begun;   /* the first part of the dump was received */
	bool addresses_removed;
	struct nic_route_changes changes;
};

/* The callback comes later, once for all that happens until then. The time is not extended by
 * further changes, or a lasting storm would keep the callback away for ever. */
static int announce_within(struct nic_watch *w, uint64_t usec)
{
	uint64_t now, due;
	int r, enabled;

	if (!w->ready)
		return 0;
	r = sd_event_source_get_enabled(w->debounce_source, &enabled);
	if (r >= 0)
		r = sd_event_source_get_time(w->debounce_source, &due);
	if (r >= 0)
		r = sd_event_now(w->event, CLOCK_MONOTONIC, &now);
	if (r < 0)
		return r;
	if (enabled != SD_EVENT_OFF && due <= now + usec)
		return 0;
	r = sd_event_source_set_time_relative(w->debounce_source, usec);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(w->debounce_source, SD_EVENT_ONESHOT);
}

static int announce_routes(struct nic_watch *w)
{
	return announce_within(w, NIC_WATCH_DEBOUNCE_USEC);
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

static void note_own_address(struct nic_watch *w, const struct nic_address *address)
{
	struct nic_prefix prefix = {
		.family = (uint8_t)address->family,
		.length = address->family == AF_INET ? 32 : 128,
		.own = true,
	};

	memcpy(prefix.address, address->bytes, sizeof(prefix.address));
	note_route_change(&w->changes, &prefix);
}

static int announce_added(struct nic_watch *w, const struct nic_address *address)
{
	note_own_address(w, address);
	return announce_within(w, NIC_WATCH_DEBOUNCE_USEC);
}

static int announce_removed(struct nic_watch *w, const struct nic_address *address)
{
	if (address && address->family == AF_INET6 &&
	    IN6_IS_ADDR_LINKLOCAL((const struct in6_addr *)address->bytes))
		note_own_address(w, address);
	else
		w->addresses_removed = true;
	return announce_within(w, NIC_WATCH_REMOVED_USEC);
}

static int on_routes_message(const struct nlmsghdr *message, bool reply, void *userdata)
{
	struct nic_watch *w = userdata;
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

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* What has come since the debounce began. If it is too much to look at, everything may have
 * changed. */
static void read_routes(struct nic_watch *w)
{
	uint64_t end = now_usec() + READING_TURN_USEC;
	int r;

	do
		r = netlink_dispatch(w->routes, on_routes_message, w);
	while (r > 0 && now_usec() < end);
	if (r == 0)
		return;
	w->changes.all = true;
	netlink_drain(w->routes);
}

static int on_debounce(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct nic_watch *w = userdata;
	bool removed = w->addresses_removed;

	read_routes(w);
	w->addresses_removed = false;
	if (removed && w->callbacks.addresses)
		w->callbacks.addresses(w->userdata);
	if ((w->changes.all || w->changes.n > 0) && w->callbacks.routes)
		w->callbacks.routes(&w->changes, w->userdata);
	w->changes = (struct nic_route_changes){};
	return sd_event_source_set_enabled(w->routes_source, SD_EVENT_ON);
}

static int on_routes(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct nic_watch *w = userdata;
	int r;

	r = sd_event_source_set_enabled(w->routes_source, SD_EVENT_OFF);
	return r < 0 ? r : announce_routes(w);
}

/* A NIC changed from `before` (NULL: it is new) to `after` (NULL: it is gone). */
static int tell(struct nic_watch *w, const struct nic *before, const struct nic *after)
{
	if (w->ready && w->callbacks.link)
		w->callbacks.link(before, after, w->userdata);
	return 0;
}

static int set_nic(struct nic_watch *w, const struct nic *nic)
{
	struct nic old;
	int r = nic_table_set(w->table, nic, &old);

	if (r <= 0)
		return r;
	return tell(w, r == NIC_TABLE_CHANGED ? &old : NULL, nic_table_get(w->table, nic->ifindex));
}

static int request_features(struct nic_watch *w, int ifindex)
{
	_cleanup_(nlmsg_freep) struct nl_msg *message = NULL;
	int r;

	r = ethtool_features_request(w->ethtool_family, ifindex, &message);
	return r < 0 ? r : netlink_send(w->ethtool, message);
}

static int on_link(struct nic_watch *w, struct nic *nic)
{
	const struct nic *known = nic_table_get(w->table, nic->ifindex);
	char pci[NIC_PCI_SIZE] = "";

	if (known) {
		nic->esp_offload_known = known->esp_offload_known;
		nic->esp_offload = known->esp_offload;
	}
	if (known && strcmp(known->name, nic->name) == 0) {
		memcpy(nic->driver, known->driver, sizeof(nic->driver));
		memcpy(nic->pci, known->pci, sizeof(nic->pci));
	} else {
		/* By name, while the device may be renamed once more or be gone: that is then the
		 * next message, and a rename asks again. */
		(void)ethtool_get_driver(nl_socket_get_fd(w->links), nic->name, nic->driver, pci);
		/* What "ethtool -i" says is preferred: of a virtio device, the link message has the
		 * place on the virtio bus ("virtio2"), ethtool that on the PCI bus. */
		if (pci[0] != '\0')
			memcpy(nic->pci, pci, sizeof(nic->pci));
	}

	nic->speed = known ? known->speed : 0;
	if (nic->carrier && !(known && known->carrier)) {
		/* It may have come back faster: what is not known now is unknown. */
		nic->speed = 0;
		(void)ethtool_get_speed(nl_socket_get_fd(w->links), nic->name, &nic->speed);
	}

	/* Reading everything ends with the features of all. */
	if (!known && w->ethtool && !w->reading) {
		int r = request_features(w, nic->ifindex);

		if (r < 0)
			return r;
	}
	return set_nic(w, nic);
}

static int on_link_removed(struct nic_watch *w, int ifindex)
{
	struct nic old;

	return nic_table_remove(w->table, ifindex, &old) > 0 ? tell(w, &old, NULL) : 0;
}

static void begin(struct nic_watch *w)
{
	if (w->begun)
		return;
	w->begun = true;
	/* Of both, whichever is read: the stale links are removed before addresses are read. */
	nic_table_begin(w->table);
	nic_addresses_begin(w->addresses);
}

static int on_links_message(const struct nlmsghdr *message, bool reply, void *userdata)
{
	struct nic_watch *w = userdata;
	struct nic_address address;
	struct nic nic;
	int r;

	if (reply)
		begin(w);

	switch (nic_parse_link(message, &nic)) {
	case NIC_LINK_SET:
		return on_link(w, &nic);
	case NIC_LINK_REMOVED:
		return on_link_removed(w, nic.ifindex);
	}

	r = nic_parse_address(message, &address);
	switch (r) {
	case NIC_ADDRESS_ADDED:
		r = nic_addresses_add(w->addresses, &address);
		return r > 0 ? announce_added(w, &address) : r;
	case NIC_ADDRESS_REMOVED:
		r = nic_addresses_remove(w->addresses, &address);
		return r > 0 ? announce_removed(w, &address) : r;
	case -ENOMEM:
		return r;
	default:
		/* Not what was asked for, or malformed: no reason to stop watching. */
		return 0;
	}
}

static int on_ethtool_message(const struct nlmsghdr *message, bool reply, void *userdata)
{
	struct nic_watch *w = userdata;
	const struct nic *known;
	struct nic nic;
	int ifindex = 0, r;
	bool active = false;

	r = ethtool_parse_features(message, w->ethtool_family, &ifindex, &active);
	if (r == ETHTOOL_FEATURES_CHANGED)
		return request_features(w, ifindex);
	/* A device not known yet is asked about when its link message comes. */
	known = nic_table_get(w->table, ifindex);
	if (r != ETHTOOL_FEATURES || !known)
		return 0;

	nic = *known;
	nic.esp_offload_known = true;
	nic.esp_offload = active;
	return set_nic(w, &nic);
}

/* Dumps links (RTM_GETLINK) or addresses (RTM_GETADDR). */
static int dump(struct nic_watch *w, int type)
{
	_cleanup_(nlmsg_freep) struct nl_msg *message = nlmsg_alloc_simple(type, NLM_F_DUMP);
	struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	struct ifaddrmsg address = {.ifa_family = AF_UNSPEC};
	int r;

	if (!message)
		return -ENOMEM;
	if (type == RTM_GETLINK)
		r = nlmsg_append(message, &link, sizeof(link), NLMSG_ALIGNTO);
	else
		r = nlmsg_append(message, &address, sizeof(address), NLMSG_ALIGNTO);
	if (r < 0)
		return netlink_errno(r);

	w->begun = false;
	r = netlink_request(w->links, message, READ_TIMEOUT_USEC, on_links_message, w);
	/* There may be nothing to dump. */
	begin(w);
	return r;
}

static int read_links(struct nic_watch *w)
{
	struct nic old;
	int r;

	r = dump(w, RTM_GETLINK);
	while (r >= 0 && nic_table_remove_stale(w->table, &old) > 0)
		r = tell(w, &old, NULL);
	return r;
}

static int read_addresses(struct nic_watch *w)
{
	int r;

	r = dump(w, RTM_GETADDR);
	if (r < 0)
		return r;
	return nic_addresses_remove_stale(w->addresses) > 0 ? announce_removed(w, NULL) : 0;
}

static int read_features(struct nic_watch *w)
{
	_cleanup_(nlmsg_freep) struct nl_msg *message = NULL;
	int r;

	if (!w->ethtool)
		return 0;
	r = ethtool_features_request(w->ethtool_family, 0, &message);
	if (r < 0)
		return r;
	r = netlink_request(w->ethtool, message, READ_TIMEOUT_USEC, on_ethtool_message, w);
	/* Linux 5.6 has the family but not this request. */
	return r == -EOPNOTSUPP ? 0 : r;
}

static int repeat(struct nic_watch *w, int (*read)(struct nic_watch *w))
{
	int r = 0;

	for (unsigned attempt = 0; attempt < READ_ATTEMPTS; attempt++) {
		r = read(w);
		if (r != -ENOBUFS && r != -EINTR)
			break;
	}
	return r;
}

static int read_everything(struct nic_watch *w)
{
	int r;

	w->reading = true;
	r = repeat(w, read_links);
	if (r >= 0)
		r = repeat(w, read_addresses);
	if (r >= 0)
		r = repeat(w, read_features);
	w->reading = false;
	return r;
}

static int retry_later(struct nic_watch *w)
{
	int r = sd_event_source_set_time_relative(w->retry_source, NIC_WATCH_RETRY_USEC);

	return r < 0 ? r : sd_event_source_set_enabled(w->retry_source, SD_EVENT_ONESHOT);
}

/* Returns negative only if the event loop itself fails. */
static int resync(struct nic_watch *w)
{
	int r;

	r = read_everything(w);
	if (r < 0) {
		if (w->callbacks.failed)
			w->callbacks.failed(r, w->userdata);
		return retry_later(w);
	}

	if (w->callbacks.resynced)
		w->callbacks.resynced(w->userdata);
	return sd_event_source_set_enabled(w->retry_source, SD_EVENT_OFF);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *userdata)
{
	return resync(userdata);
}

/* Whatever goes wrong while notifications are read, something was missed. */
static int handle(struct nic_watch *w, struct nl_sock *socket, netlink_handler handler)
{
	uint64_t end = now_usec() + READING_TURN_USEC;

	do {
		int r = netlink_dispatch(socket, handler, w);

		if (r == 0)
			break;
		if (r < 0)
			return resync(w);
	} while (now_usec() < end);
	return 0;
}

static int on_links(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct nic_watch *w = userdata;

	return handle(w, w->links, on_links_message);
}

static int on_ethtool(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
	struct nic_watch *w = userdata;

	return handle(w, w->ethtool, on_ethtool_message);
}

static int open_sockets(struct nic_watch *w)
{
	int r;

	r = netlink_open(NETLINK_ROUTE, LINKS_RECEIVE_BUFFER, &w->links);
	if (r < 0)
		return r;
	r = nl_socket_add_memberships(w->links, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR,
				      RTNLGRP_IPV6_IFADDR, 0);
	if (r < 0)
		return netlink_errno(r);

	r = netlink_open(NETLINK_ROUTE, ROUTES_RECEIVE_BUFFER, &w->routes);
	if (r < 0)
		return r;
	/* A nexthop object may change under its routes without a message about them
	 * (net.ipv4.nexthop_compat_mode=0). */
	r = nl_socket_add_memberships(w->routes, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
				      RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE, RTNLGRP_NEXTHOP, 0);
	if (r < 0)
		return netlink_errno(r);

	r = ethtool_open(ETHTOOL_RECEIVE_BUFFER, &w->ethtool, &w->ethtool_family);
	return r == -ENOENT ? 0 : r;
}

static int add_socket(struct nic_watch *w, struct nl_sock *socket, sd_event_io_handler_t handler,
		      int64_t priority, const char *name, sd_event_source **ret_source)
{
	int r;

	r = sd_event_add_io(w->event, ret_source, nl_socket_get_fd(socket), EPOLLIN, handler, w);
	if (r < 0)
		return r;
	r = sd_event_source_set_priority(*ret_source, priority);
	if (r < 0)
		return r;
	return sd_event_source_set_description(*ret_source, name);
}

static int add_timer(struct nic_watch *w, sd_event_time_handler_t handler, const char *name,
		     sd_event_source **ret_source)
{
	int r;

	/* A tenth of the debounce time is accurate enough, and the default (250 ms) is not. */
	r = sd_event_add_time_relative(w->event, ret_source, CLOCK_MONOTONIC, 0,
				       NIC_WATCH_DEBOUNCE_USEC / 10, handler, w);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(*ret_source, SD_EVENT_OFF);
	if (r < 0)
		return r;
	return sd_event_source_set_description(*ret_source, name);
}

static int hook(struct nic_watch *w)
{
	int r;

	/* The SAs of a NIC that goes down are to be restored within milliseconds. */
	r = add_socket(w, w->links, on_links, SD_EVENT_PRIORITY_IMPORTANT, "nic-links",
		       &w->links_source);
	if (r >= 0)
		r = add_socket(w, w->routes, on_routes, SD_EVENT_PRIORITY_NORMAL, "nic-routes",
			       &w->routes_source);
	if (r >= 0 && w->ethtool)
		r = add_socket(w, w->ethtool, on_ethtool, SD_EVENT_PRIORITY_NORMAL, "nic-ethtool",
			       &w->ethtool_source);
	if (r >= 0)
		r = add_timer(w, on_debounce, "nic-debounce", &w->debounce_source);
	if (r >= 0)
		r = add_timer(w, on_retry, "nic-retry", &w->retry_source);
	return r;
}

int nic_watch_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		  struct nic_watch **ret_watch)
{
	_cleanup_(nic_watch_freep) struct nic_watch *w = calloc(1, sizeof(*w));
	bool complete;
	int r;

	if (!w)
		return -ENOMEM;
	w->event = sd_event_ref(event);
	w->callbacks = *callbacks;
	w->userdata = userdata;

	r = nic_table_new(&w->table);
	if (r >= 0)
		r = nic_addresses_new(&w->addresses);
	if (r >= 0)
		r = open_sockets(w);
	if (r >= 0)
		r = read_everything(w);
	/* A network that changes all the time must not keep the daemon from starting. */
	complete = r != -EINTR && r != -ENOBUFS;
	if (r >= 0 || !complete)
		r = hook(w);
	if (r >= 0 && !complete)
		r = retry_later(w);
	if (r < 0)
		return r;

	w->addresses_removed = false;
	w->changes = (struct nic_route_changes){};
	w->ready = true;
	*ret_watch = TAKE_PTR(w);
	return 0;
}

struct nic_watch *nic_watch_free(struct nic_watch *watch)
{
	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->links_source);
	sd_event_source_disable_unref(watch->routes_source);
	sd_event_source_disable_unref(watch->ethtool_source);
	sd_event_source_disable_unref(watch->debounce_source);
	sd_event_source_disable_unref(watch->retry_source);
	nl_socket_free(watch->links);
	nl_socket_free(watch->routes);
	nl_socket_free(watch->ethtool);
	nic_table_free(watch->table);
	nic_addresses_free(watch->addresses);
	sd_event_unref(watch->event);
	free(watch);
	return NULL;
}

const struct nic *nic_watch_get(const struct nic_watch *watch, int ifindex)
{
	return nic_table_get(watch->table, ifindex);
}

const struct nic *nic_watch_find(const struct nic_watch *watch, const char *name)
{
	return nic_table_find(watch->table, name);
}

size_t nic_watch_count(const struct nic_watch *watch)
{
	return nic_table_count(watch->table);
}

const struct nic *nic_watch_at(const struct nic_watch *watch, size_t index)
{
	return nic_table_at(watch->table, index);
}

bool nic_watch_address_is_local(const struct nic_watch *watch, int family, const void *address)
{
	return nic_addresses_contain(watch->addresses, family, address);
}

int nic_watch_vrf_of_address(const struct nic_watch *watch, int family, const void *address,
			     int *ret_ifindex)
{
	size_t cursor = 0;
	int ifindex, vrf = 0;

	if (!nic_table_has_vrf(watch->table)) {
		/* An address may be on thousands of unnumbered devices. */
		*ret_ifindex = 0;
		return 0;
	}
	for (bool first = true;
	     nic_addresses_next_device(watch->addresses, family, address, &cursor, &ifindex);
	     first = false) {
		const struct nic *nic = nic_table_get(watch->table, ifindex);
		int other = nic ? nic->vrf_ifindex : 0;

		if (!first && other != vrf)
			return -ENOTUNIQ;
		vrf = other;
	}
	*ret_ifindex = vrf;
	return 0;
}
