/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's picture of the network devices and local addresses of its network namespace.
 *
 * nic_watch fills it from rtnetlink and ethtool netlink and tells what changed; the picture itself
 * (nic-table.h, address.h) and the knowledge about drivers (drivers.h) do no I/O.
 *
 * Functions return 0 or a positive value on success and a negative errno on failure; outputs named
 * ret_ are untouched on failure.
 */
#pragma once

#include "cleanup.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define NIC_DRIVER_SIZE 32 /* sizeof(ethtool_drvinfo.driver), linux/ethtool.h */
#define NIC_PCI_SIZE 32    /* sizeof(ethtool_drvinfo.bus_info) */
#define NIC_MAC_SIZE 18

struct nic {
	int ifindex;
	char name[IFNAMSIZ];
	char driver[NIC_DRIVER_SIZE]; /* "ixgbe", "netdevsim", "bonding"; "" if unknown */
	char pci[NIC_PCI_SIZE];       /* bus address: "0000:3b:00.0", "netdevsim0"; "" if none */
	char mac[NIC_MAC_SIZE];       /* lower-case colon form; "" if it is no Ethernet */
	bool up;        /* IFF_UP: when it goes, the kernel deletes its SAs, without a message */
	bool carrier;   /* IFF_LOWER_UP: SAs survive its loss */
	uint32_t speed; /* Mbit/s, as last known while it had a carrier; 0: unknown */
	bool esp_offload_known; /* false: the kernel did not say (yet) */
	bool esp_offload;       /* esp-hw-offload is active */
	bool is_bond;
	int bond_active_slave; /* ifindex, 0: none */
	bool is_vlan;
	int lower_ifindex;   /* of a VLAN, if the lower device is in this namespace; else 0 */
	int vrf_ifindex;     /* of the VRF that it belongs to, or that it is; 0: none */
	uint64_t generation; /* changes with every change of the above; never repeats */
};

/* Where routes changed. */
struct nic_prefix {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t length; /* bits; 0: a default route */
	bool own;       /* an address of this machine: what comes from it is concerned, too */
	uint8_t address[16];
};

#define NIC_ROUTE_CHANGES_MAX 64

struct nic_route_changes {
	bool all; /* more than these, or it is not known where (rules, nexthop objects, lost
		     messages) */
	size_t n;
	struct nic_prefix prefixes[NIC_ROUTE_CHANGES_MAX];
};

struct nic_watch;

/*
 * Called from the event loop, never from within nic_watch_new(). A callback may query the watch
 * but not free it.
 */
struct nic_watch_callbacks {
	/* One call for each change the kernel told, never merged: up -> down -> up are two calls.
	 * `before` is NULL when the NIC appeared, `after` is NULL when it is gone (unregistered, or
	 * moved to another namespace). Both live until the callback returns. */
	void (*link)(const struct nic *before, const struct nic *after, void *userdata);

	/* Local addresses went (coalesced, at most NIC_WATCH_REMOVED_USEC late), and with them any
	 * route, about which the kernel may send no message (fib_sync_down_addr()). */
	void (*addresses)(void *userdata);

	/* Routes, rules or nexthops changed, so that the answer of a route lookup may be another
	 * one. Coalesced (NIC_WATCH_DEBOUNCE_USEC), so that a storm of routes costs ten calls a
	 * second. So are told local addresses that came, and IPv6 link-local ones that went
	 * (NIC_WATCH_REMOVED_USEC): each device has one, and no other route hangs on it. */
	void (*routes)(const struct nic_route_changes *changes, void *userdata);

	/* Messages were lost and everything was read anew (the differences were told by link()).
	 * A NIC may have been down and up again in between, and the kernel then deleted its SAs:
	 * nothing but looking at them can tell. */
	void (*resynced)(void *userdata);

	/* Reading from the kernel failed; the picture is stale until resynced() is called. It is
	 * tried again every NIC_WATCH_RETRY_USEC. */
	void (*failed)(int error, void *userdata);
};

#define NIC_WATCH_DEBOUNCE_USEC (100 * UINT64_C(1000))
/* strongSwan waits 100 ms before it moves SAs to another address (ROAM_DELAY), together with their
 * offload: they are to be out of the NIC by then. */
#define NIC_WATCH_REMOVED_USEC (10 * UINT64_C(1000))
#define NIC_WATCH_RETRY_USEC UINT64_C(1000000)

/*
 * Opens the sockets, reads everything (synchronously), and hooks into the event loop, whose
 * reference it keeps. If what it reads changes under it again and again, the picture is incomplete,
 * and is read again after NIC_WATCH_RETRY_USEC: resynced() is called then. Any callback may be
 * NULL; `callbacks` is copied. A kernel without ethtool netlink (before 5.6; its features: 5.7) is
 * no error: esp_offload_known stays false.
 */
int nic_watch_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		  struct nic_watch **ret_watch);
struct nic_watch *nic_watch_free(struct nic_watch *watch); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct nic_watch *, nic_watch_free);

/* A NIC or NULL. The pointer lives until the event loop runs again. By name it is a linear search,
 * since names change and NICs are few. */
const struct nic *nic_watch_get(const struct nic_watch *watch, int ifindex);
const struct nic *nic_watch_find(const struct nic_watch *watch, const char *name);

/* All NICs in the order of ifindex: for (i = 0; i < nic_watch_count(w); i++) nic_watch_at(w, i). */
size_t nic_watch_count(const struct nic_watch *watch);
const struct nic *nic_watch_at(const struct nic_watch *watch, size_t index);

/* `address`: 4 or 16 bytes in network order. */
bool nic_watch_address_is_local(const struct nic_watch *watch, int family, const void *address);

/* The VRF of the devices that have this address; 0: none, or it is not local. -ENOTUNIQ: it is in
 * more than one, or in one and outside too. */
int nic_watch_vrf_of_address(const struct nic_watch *watch, int family, const void *address,
			     int *ret_ifindex);
