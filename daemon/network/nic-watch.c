// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * There are two sockets here; a third, for routes, is in route-watch.c:
 *
 *   links   rtnetlink: links and addresses. Everything is read on the very socket that has the
 *           notifications, so that dump and notifications come in the order in which the kernel
 *           made them, and an old notification never undoes a newer dump.
 *   ethtool the features. Notifications are answered with a request, whose answer comes on the
 *           same socket.
 *
 * When messages were lost, everything is read again: nic_table_begin(), a dump, and then all
 * entries that the dump did not show are removed. nic_table_begin() is called at the first part of
 * the dump and not at the request: messages that are in the socket before that part are older than
 * the dump, and may be about a device whose removal was lost.
 */
#include "network/address.h"
#include "network/ethtool.h"
#include "network/netlink.h"
#include "network/nic-table.h"
#include "network/nic.h"
#include "network/route-watch.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

/* A link message has some 1.4 kB and takes 2.3 kB of the buffer: 4 MiB hold the messages about
 * 1,800 new links. */
#define LINKS_RECEIVE_BUFFER (4 * 1024 * 1024)
#define ETHTOOL_RECEIVE_BUFFER (1024 * 1024)
/* The kernel answers within send(), and continues a dump when it is read. Waiting means that
 * something is wrong. */
#define READ_TIMEOUT_USEC (5 * UINT64_C(1000000))
/* A dump is repeated when it was inconsistent, or when messages were lost during it. */
#define READ_ATTEMPTS 4

struct nic_watch {
	sd_event *event;
	struct nic_watch_callbacks callbacks;
	void *userdata;

	struct nic_table *table;
	struct nic_addresses *addresses;
	struct route_watch *route_watch;

	struct nl_sock *links;
	struct nl_sock *ethtool; /* NULL: the kernel has none */
	int ethtool_family;

	sd_event_source *links_source;
	sd_event_source *ethtool_source;
	sd_event_source *retry_source;

	bool ready;   /* nic_watch_new() has returned: callbacks may be called */
	bool reading; /* everything is being read */
	bool begun;   /* the first part of the dump was received */
};

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
		nic->esp_offload_changeable = known->esp_offload_changeable;
		nic->rx_all = known->rx_all;
	}
	if (known && strcmp(known->name, nic->name) == 0) {
		memcpy(nic->driver, known->driver, sizeof(nic->driver));
		memcpy(nic->pci, known->pci, sizeof(nic->pci));
	} else {
		/* The driver is read by name, and the device may be renamed or gone by now. The
		 * next message then shows that, and a rename reads the driver again. */
		(void)ethtool_get_driver(nl_socket_get_fd(w->links), nic->name, nic->driver, pci);
		/* The bus address of ethtool is preferred: for a virtio device, the link message
		 * has the one on the virtio bus ("virtio2"), ethtool the one on the PCI bus. */
		if (pci[0] != '\0')
			memcpy(nic->pci, pci, sizeof(nic->pci));
	}

	nic->speed = known ? known->speed : 0;
	if (nic->carrier && !(known && known->carrier)) {
		/* The link may be up with another speed, so the old one is not kept. */
		nic->speed = 0;
		(void)ethtool_get_speed(nl_socket_get_fd(w->links), nic->name, &nic->speed);
	}

	/* Reading everything ends with the features of all devices. */
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
	/* Begins both, whichever is dumped: stale links are removed before addresses are read. */
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
		return r > 0 && w->ready ? route_watch_address_added(w->route_watch, &address) : r;
	case NIC_ADDRESS_REMOVED:
		r = nic_addresses_remove(w->addresses, &address);
		return r > 0 && w->ready ? route_watch_address_removed(w->route_watch, &address)
					 : r;
	case -ENOMEM:
		return r;
	default:
		/* Another kind of message, or a malformed one. The watch continues. */
		return 0;
	}
}

static int on_ethtool_message(const struct nlmsghdr *message, bool reply, void *userdata)
{
	struct nic_watch *w = userdata;
	const struct nic *known;
	struct nic nic;
	int ifindex = 0, r;
	struct ethtool_offload offload = {};

	r = ethtool_parse_features(message, w->ethtool_family, &ifindex, &offload);
	if (r == ETHTOOL_FEATURES_CHANGED)
		return request_features(w, ifindex);
	/* For an unknown device the features are requested when its link message arrives. */
	known = nic_table_get(w->table, ifindex);
	if (r != ETHTOOL_FEATURES || !known)
		return 0;

	nic = *known;
	nic.esp_offload_known = true;
	nic.esp_offload = offload.active;
	nic.esp_offload_changeable = offload.changeable;
	nic.rx_all = offload.rx_all;
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
	/* The dump may be empty. */
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
	if (nic_addresses_remove_stale(w->addresses) > 0 && w->ready)
		return route_watch_address_removed(w->route_watch, NULL);
	return 0;
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

/* After any error while notifications are read, some may be missed. */
static int handle(struct nic_watch *w, struct nl_sock *socket, netlink_handler handler)
{
	return netlink_dispatch(socket, handler, w) < 0 ? resync(w) : 0;
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

	r = ethtool_open(ETHTOOL_RECEIVE_BUFFER, &w->ethtool, &w->ethtool_family);
	return r == -ENOENT ? 0 : r;
}

static int hook(struct nic_watch *w)
{
	int r;

	/* The SAs of a NIC that goes down must be restored within milliseconds. */
	r = netlink_add_socket(w->event, w->links, SD_EVENT_PRIORITY_IMPORTANT, "nic-links",
			       on_links, w, &w->links_source);
	if (r >= 0 && w->ethtool)
		r = netlink_add_socket(w->event, w->ethtool, SD_EVENT_PRIORITY_NORMAL,
				       "nic-ethtool", on_ethtool, w, &w->ethtool_source);
	if (r >= 0)
		r = netlink_add_timer(w->event, "nic-retry", on_retry, w, &w->retry_source);
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
		r = route_watch_new(w->event, &w->callbacks, w->userdata, &w->route_watch);
	if (r >= 0)
		r = read_everything(w);
	/* The daemon must be able to start while the network changes permanently. */
	complete = r != -EINTR && r != -ENOBUFS;
	if (r >= 0 || !complete)
		r = hook(w);
	if (r >= 0 && !complete)
		r = retry_later(w);
	if (r < 0)
		return r;

	w->ready = true;
	*ret_watch = TAKE_PTR(w);
	return 0;
}

struct nic_watch *nic_watch_free(struct nic_watch *watch)
{
	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->links_source);
	sd_event_source_disable_unref(watch->ethtool_source);
	sd_event_source_disable_unref(watch->retry_source);
	nl_socket_free(watch->links);
	nl_socket_free(watch->ethtool);
	route_watch_free(watch->route_watch);
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
	const void *cursor = NULL;
	int ifindex, vrf = 0;

	if (!nic_table_has_vrf(watch->table)) {
		/* Saves the loop: an address may be on thousands of unnumbered devices. */
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
