/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network devices and local addresses of the daemon's network namespace.
 *
 * nic_watch reads them from rtnetlink and ethtool netlink and reports changes. The tables
 * (nic-table.h, address.h) and the facts about drivers (drivers.h) do no I/O.
 *
 * Functions return 0 or a positive value on success and a negative errno on failure. Outputs named
 * ret_ are not changed on failure.
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
	char mac[NIC_MAC_SIZE];       /* lower-case colon form; "" if it is not Ethernet */
	bool up; /* IFF_UP: when it is cleared, the kernel deletes the NIC's SAs without a message
		  */
	bool carrier;                /* IFF_LOWER_UP: SAs stay when it is cleared */
	uint32_t speed;              /* Mbit/s, as last read with a carrier; 0: unknown */
	bool esp_offload_known;      /* false: the kernel has not shown it (yet) */
	bool esp_offload;            /* esp-hw-offload is active */
	bool esp_offload_changeable; /* by ethtool -K */
	bool rx_all;                 /* rx-all is on: frames with errors are received too */
	bool is_bond;
	int bond_active_slave; /* ifindex, 0: none */
	bool is_vlan;
	int lower_ifindex;   /* of a VLAN whose lower device is in this namespace; else 0 */
	int vrf_ifindex;     /* of the VRF that it is in, or that it is; 0: none */
	uint64_t generation; /* new with every change of the above; never repeats */
};

/* A destination whose routes changed. */
struct nic_prefix {
	uint8_t family; /* AF_INET, AF_INET6 */
	uint8_t length; /* bits; 0: a default route */
	bool own;       /* a local address: routes from it are affected too */
	uint8_t address[16];
};

#define NIC_ROUTE_CHANGES_MAX 64

struct nic_route_changes {
	bool all; /* too many for `prefixes`, or unknown (rules, nexthop objects, lost messages) */
	size_t n;
	struct nic_prefix prefixes[NIC_ROUTE_CHANGES_MAX];
};

struct nic_watch;

/*
 * Called from the event loop, never by nic_watch_new(). A callback may query the watch but not free
 * it.
 */
struct nic_watch_callbacks {
	/* One call for each change that the kernel reports; changes are not merged: up -> down ->
	 * up are two calls. `before` is NULL for a new NIC, `after` is NULL when it is gone
	 * (unregistered, or moved to another namespace). Both are valid until the callback
	 * returns. */
	void (*link)(const struct nic *before, const struct nic *after, void *userdata);

	/* Local addresses were removed (coalesced, at most NIC_WATCH_REMOVED_USEC late). The kernel
	 * may have removed any routes with them without a message (fib_sync_down_addr()). */
	void (*addresses)(void *userdata);

	/* Routes, rules or nexthops changed, so the result of a route lookup may differ. Coalesced
	 * (NIC_WATCH_DEBOUNCE_USEC), so that a burst of changes causes at most ten calls a second.
	 * Also called for local addresses that were added, and for IPv6 link-local addresses that
	 * were removed (NIC_WATCH_REMOVED_USEC): each device has one, and no other route depends on
	 * it. */
	void (*routes)(const struct nic_route_changes *changes, void *userdata);

	/* Messages were lost and everything was read again; the differences were reported by
	 * link(). A NIC may have been down and up again in between, and the kernel then deleted its
	 * SAs. Only reading the SAs shows that. */
	void (*resynced)(void *userdata);

	/* Reading from the kernel failed. The tables are stale until resynced() is called. Reading
	 * is tried again every NIC_WATCH_RETRY_USEC. */
	void (*failed)(int error, void *userdata);
};

#define NIC_WATCH_DEBOUNCE_USEC (100 * UINT64_C(1000))
/* strongSwan waits 100 ms before it changes the addresses of SAs (ROAM_DELAY), and it copies their
 * offload. They must have left the NIC by then. */
#define NIC_WATCH_REMOVED_USEC (10 * UINT64_C(1000))
#define NIC_WATCH_RETRY_USEC UINT64_C(1000000)

/*
 * Opens the sockets, reads everything (synchronously), and attaches to the event loop, of which it
 * keeps a reference. If dumps stay inconsistent because of permanent changes, the tables are
 * incomplete; they are read again after NIC_WATCH_RETRY_USEC, and then resynced() is called. Any
 * callback may be NULL; `callbacks` is copied. A kernel without ethtool netlink (before 5.6; its
 * features: 5.7) is not an error: esp_offload_known stays false.
 */
int nic_watch_new(sd_event *event, const struct nic_watch_callbacks *callbacks, void *userdata,
		  struct nic_watch **ret_watch);
struct nic_watch *nic_watch_free(struct nic_watch *watch); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct nic_watch *, nic_watch_free);

/* A NIC or NULL. The pointer is valid until the event loop runs again. The search by name is
 * linear, since names change and NICs are few. */
const struct nic *nic_watch_get(const struct nic_watch *watch, int ifindex);
const struct nic *nic_watch_find(const struct nic_watch *watch, const char *name);

/* All NICs in the order of ifindex: for (i = 0; i < nic_watch_count(w); i++) nic_watch_at(w, i). */
size_t nic_watch_count(const struct nic_watch *watch);
const struct nic *nic_watch_at(const struct nic_watch *watch, size_t index);

/* `address`: 4 or 16 bytes in network order. */
bool nic_watch_address_is_local(const struct nic_watch *watch, int family, const void *address);

/* The VRF of the devices that have this address; 0: none, or the address is not local. -ENOTUNIQ:
 * the address is in several VRFs, or both in a VRF and outside. */
int nic_watch_vrf_of_address(const struct nic_watch *watch, int family, const void *address,
			     int *ret_ifindex);
