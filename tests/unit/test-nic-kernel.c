// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The NIC watch and the route lookups against the running kernel, in a network namespace of their
 * own with two veth pairs. Skipped without root, ip(8) or veth.
 *
 *   left0 192.0.2.1/24, 2001:db8:1::1/64      the main table's way to everywhere
 *   right0 198.51.100.1/24, 2001:db8:2::1/64  the way of packets with mark 7
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "network/netlink.h"
#include "network/network.h"
#include "network/nic.h"
#include "network/route.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SKIP 77
#define TIMEOUT_USEC (10 * UINT64_C(1000000))

static int sh(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void run(const char *command)
{
	if (sh(command) != 0)
		fail_msg("failed: %s", command);
}

static unsigned requests;

/* The program is linked with --wrap. */
int __real_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata);
int __wrap_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata);

int __wrap_netlink_request(struct nl_sock *socket, struct nl_msg *message, uint64_t timeout_usec,
			   netlink_handler handler, void *userdata)
{
	requests++;
	return __real_netlink_request(socket, message, timeout_usec, handler, userdata);
}

struct seen {
	unsigned added;
	unsigned removed;
	unsigned renamed;
	unsigned went_up;
	unsigned went_down;
	unsigned features;
	unsigned addresses;
	unsigned routes;
	struct nic_route_changes changes; /* the last ones */
	unsigned resynced;
	unsigned failed;
};

static void on_link(const struct nic *before, const struct nic *after, void *userdata)
{
	struct seen *seen = userdata;

	seen->added += !before;
	seen->removed += !after;
	if (!before || !after)
		return;
	assert_int_equal(before->ifindex, after->ifindex);
	assert_true(before->generation != after->generation);
	seen->renamed += strcmp(before->name, after->name) != 0;
	seen->went_up += !before->up && after->up;
	seen->went_down += before->up && !after->up;
	seen->features += !before->esp_offload_known && after->esp_offload_known;
}

static void on_addresses(void *userdata)
{
	((struct seen *)userdata)->addresses++;
}

static void on_routes(const struct nic_route_changes *changes, void *userdata)
{
	struct seen *seen = userdata;

	seen->routes++;
	seen->changes = *changes;
}

static void on_resynced(void *userdata)
{
	((struct seen *)userdata)->resynced++;
}

static void on_failed(int error, void *userdata)
{
	((struct seen *)userdata)->failed++;
}

static const struct nic_watch_callbacks callbacks = {
	.link = on_link,
	.addresses = on_addresses,
	.routes = on_routes,
	.resynced = on_resynced,
	.failed = on_failed,
};

struct fixture {
	sd_event *event;
	struct nic_watch *watch;
	struct seen seen;
};

static uint64_t now_usec(sd_event *event)
{
	uint64_t now;

	assert_true(sd_event_now(event, CLOCK_MONOTONIC, &now) >= 0);
	return now;
}

/* Runs the event loop until the number is reached. */
static void wait_for(struct fixture *f, const unsigned *number, unsigned value)
{
	uint64_t start = now_usec(f->event);

	while (*number < value) {
		assert_true(sd_event_run(f->event, TIMEOUT_USEC) >= 0);
		if (now_usec(f->event) - start > TIMEOUT_USEC)
			fail_msg("waited for %u, got %u", value, *number);
	}
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_true(sd_event_new(&f->event) >= 0);
	assert_int_equal(nic_watch_new(f->event, &callbacks, &f->seen, &f->watch), 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->seen.failed, 0);
	nic_watch_free(f->watch);
	sd_event_unref(f->event);
	free(f);
	return 0;
}

static bool is_local(struct fixture *f, const char *text)
{
	int family = strchr(text, ':') ? AF_INET6 : AF_INET;
	uint8_t bytes[16];

	assert_int_equal(inet_pton(family, text, bytes), 1);
	return nic_watch_address_is_local(f->watch, family, bytes);
}

static void test_initial(void **state)
{
	struct fixture *f = *state;
	const struct nic *left = nic_watch_find(f->watch, "left0");

	assert_non_null(left);
	assert_ptr_equal(nic_watch_get(f->watch, left->ifindex), left);
	assert_true(left->up && left->carrier);
	assert_string_equal(left->driver, "veth");
	assert_int_equal(left->speed, 10000); /* veth_get_link_ksettings() */
	assert_int_equal(strlen(left->mac), NIC_MAC_SIZE - 1);
	/* The loopback, and four ends of veth. */
	assert_int_equal(nic_watch_count(f->watch), 5);
	for (size_t i = 0; i < 5; i++) {
		const struct nic *nic = nic_watch_at(f->watch, i);

		assert_true(nic->esp_offload_known);
		assert_false(nic->esp_offload);
	}
	assert_null(nic_watch_find(f->watch, "nosuch"));
	assert_null(nic_watch_get(f->watch, 12345));

	assert_true(is_local(f, "192.0.2.1"));
	assert_true(is_local(f, "2001:db8:2::1"));
	assert_true(is_local(f, "127.0.0.1"));
	assert_false(is_local(f, "192.0.2.2"));
	/* The first reading causes no callbacks. */
	assert_int_equal(f->seen.added, 0);
}

static void test_links_come_and_go(void **state)
{
	struct fixture *f = *state;
	const struct nic *nic;

	run("ip link add new0 type veth peer name new1");
	wait_for(f, &f->seen.added, 2);
	wait_for(f, &f->seen.features, 2);
	nic = nic_watch_find(f->watch, "new0");
	assert_non_null(nic);
	assert_string_equal(nic->driver, "veth");
	assert_false(nic->up);

	/* Each change is reported, also if several arrive together. */
	run("for i in 1 2 3; do ip link set new0 up; ip link set new0 down; done");
	wait_for(f, &f->seen.went_down, 3);
	assert_int_equal(f->seen.went_up, 3);
	assert_int_equal(f->seen.went_down, 3);

	run("ip link set new0 name 'odd..name'");
	wait_for(f, &f->seen.renamed, 1);
	assert_null(nic_watch_find(f->watch, "new0"));
	nic = nic_watch_find(f->watch, "odd..name");
	assert_non_null(nic);
	assert_string_equal(nic->driver, "veth");

	run("ip link del new1");
	wait_for(f, &f->seen.removed, 2);
	assert_int_equal(nic_watch_count(f->watch), 5);
}

static void test_addresses_change(void **state)
{
	struct fixture *f = *state;

	run("ip address add 203.0.113.77/32 dev left0;"
	    "ip address add 203.0.113.77/32 dev right0;"
	    "ip address add 10.9.9.1 peer 10.9.9.2 dev left0");
	wait_for(f, &f->seen.routes, 1);
	assert_true(is_local(f, "203.0.113.77"));
	assert_true(is_local(f, "10.9.9.1"));
	assert_false(is_local(f, "10.9.9.2"));

	run("ip address del 203.0.113.77/32 dev left0; ip address del 10.9.9.1 peer 10.9.9.2 dev "
	    "left0");
	f->seen.addresses = 0;
	wait_for(f, &f->seen.addresses, 1);
	assert_true(is_local(f, "203.0.113.77"));
	assert_false(is_local(f, "10.9.9.1"));

	run("ip address del 203.0.113.77/32 dev right0");
	f->seen.addresses = 0;
	wait_for(f, &f->seen.addresses, 1);
	assert_false(is_local(f, "203.0.113.77"));

	/* It is reported once. */
	run("ip address add 203.0.113.77/32 dev right0");
	f->seen.addresses = f->seen.routes = 0;
	wait_for(f, &f->seen.routes, 1);
	assert_int_equal(f->seen.addresses, 0);
	run("ip address del 203.0.113.77/32 dev right0");
	wait_for(f, &f->seen.addresses, 1);
}

/* The report comes before an IKE daemon acts on it. The best of several attempts counts, because
 * the machine may be busy. */
static void test_removed_address_is_told_early(void **state)
{
	struct fixture *f = *state;
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t start, took;

		run("ip address add 203.0.113.78/32 dev left0");
		f->seen.routes = 0;
		wait_for(f, &f->seen.routes, 1);
		run("ip address del 203.0.113.78/32 dev left0");
		/* The loop's time is the time of its last turn. */
		assert_true(sd_event_run(f->event, TIMEOUT_USEC) >= 0);
		start = now_usec(f->event);
		f->seen.addresses = 0;
		wait_for(f, &f->seen.addresses, 1);
		took = now_usec(f->event) - start;
		best = took < best ? took : best;
	}
	assert_true(best < NIC_WATCH_DEBOUNCE_USEC / 2);
}

static void test_route_storm(void **state)
{
	struct fixture *f = *state;
	uint64_t start, turns;

	/* 2,000 messages are more than the buffer holds: it is enough that some arrive. */
	start = now_usec(f->event);
	run("for i in $(seq 1 1000); do"
	    " echo route add 10.$((i / 250)).$((i % 250)).0/24 dev left0 table 200;"
	    " done | ip -batch -");
	run("ip route flush table 200");
	wait_for(f, &f->seen.routes, 1);
	assert_int_equal(f->seen.addresses, 0);

	assert_true(f->seen.changes.all);
	run("ip rule add fwmark 99 table 200 && ip rule del fwmark 99 table 200");
	wait_for(f, &f->seen.routes, 2);
	assert_true(f->seen.changes.all);
	assert_int_equal(f->seen.changes.n, 0);
	turns = (now_usec(f->event) - start) / NIC_WATCH_DEBOUNCE_USEC;
	assert_true(f->seen.routes <= turns + 1);
}

static bool tells(const struct seen *seen, const char *address, uint8_t length)
{
	uint8_t bytes[16] = {};

	assert_int_equal(inet_pton(AF_INET, address, bytes), 1);
	for (size_t i = 0; i < seen->changes.n; i++) {
		const struct nic_prefix *p = &seen->changes.prefixes[i];

		if (p->family == AF_INET && p->length == length &&
		    memcmp(p->address, bytes, sizeof(bytes)) == 0)
			return true;
	}
	return false;
}

/* The prefix of a changed route is reported. */
static void test_route_prefix(void **state)
{
	struct fixture *f = *state;

	run("ip route add 203.0.113.64/26 dev left0 table 201");
	wait_for(f, &f->seen.routes, 1);
	assert_false(f->seen.changes.all);
	assert_true(tells(&f->seen, "203.0.113.64", 26));
	f->seen.routes = 0;
	run("ip route del 203.0.113.64/26 dev left0 table 201");
	wait_for(f, &f->seen.routes, 1);
	assert_true(tells(&f->seen, "203.0.113.64", 26));
}

/* Sets the receive buffer of every rtnetlink socket of the process. */
static void set_receive_buffers(int bytes)
{
	for (int fd = 3; fd < 64; fd++) {
		int protocol = -1;
		socklen_t size = sizeof(protocol);
		struct sockaddr_storage name = {};
		socklen_t name_size = sizeof(name);

		if (getsockname(fd, (struct sockaddr *)&name, &name_size) < 0 ||
		    name.ss_family != AF_NETLINK)
			continue;
		assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &size), 0);
		if (protocol == 0 /* NETLINK_ROUTE */)
			assert_int_equal(
				setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)),
				0);
	}
}

static void test_overrun(void **state)
{
	struct fixture *f = *state;

	/* The socket has room for only one or two of the next messages. */
	set_receive_buffers(2048);
	run("ip link add lost0 type veth peer name lost1;"
	    "for i in 1 2 3 4 5 6 7 8; do ip link set lost0 up; ip link set lost0 down; done;"
	    "ip address add 203.0.113.78/32 dev left0;"
	    "ip link add name kept0 type veth peer name kept1; ip link del lost0");
	set_receive_buffers(4 * 1024 * 1024);

	wait_for(f, &f->seen.resynced, 1);
	assert_int_equal(f->seen.failed, 0);
	assert_null(nic_watch_find(f->watch, "lost0"));
	assert_non_null(nic_watch_find(f->watch, "kept0"));
	assert_true(nic_watch_find(f->watch, "kept0")->esp_offload_known);
	assert_true(is_local(f, "203.0.113.78"));
	assert_int_equal(nic_watch_count(f->watch), 7);

	run("ip link del kept0; ip address del 203.0.113.78/32 dev left0");
	wait_for(f, &f->seen.removed, 2);
}

static struct sa_address address(const char *text)
{
	struct sa_address a = {};

	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, a.bytes), 1);
	return a;
}

static int egress_in(struct route_resolver *resolver, int vrf, const char *source,
		     const char *destination, uint32_t mark)
{
	struct sa_address s = address(source), d = address(destination);
	int ifindex = 0, r;

	r = route_egress(resolver, strchr(source, ':') ? AF_INET6 : AF_INET, &s, &d, mark, vrf,
			 &ifindex);
	return r < 0 ? r : ifindex;
}

static int egress(struct route_resolver *resolver, const char *source, const char *destination,
		  uint32_t mark)
{
	return egress_in(resolver, 0, source, destination, mark);
}

static void test_egress(void **state)
{
	_cleanup_(route_freep) struct route_resolver *resolver = NULL;
	int left = (int)if_nametoindex("left0"), right = (int)if_nametoindex("right0");
	struct sa_address any = {};
	int ifindex;

	assert_int_equal(route_new(&resolver), 0);
	/* By prefix, by default route, by mark. */
	assert_int_equal(egress(resolver, "192.0.2.1", "192.0.2.9", 0), left);
	assert_int_equal(egress(resolver, "198.51.100.1", "198.51.100.9", 0), right);
	assert_int_equal(egress(resolver, "192.0.2.1", "8.8.8.8", 0), left);
	assert_int_equal(egress(resolver, "192.0.2.1", "8.8.8.8", 7), right);
	assert_int_equal(egress(resolver, "0.0.0.0", "8.8.8.8", 0), left);
	/* By source: "from 198.51.100.1" has its own table. */
	assert_int_equal(egress(resolver, "198.51.100.1", "8.8.8.8", 0), right);
	assert_int_equal(egress(resolver, "2001:db8:1::1", "2001:db8:ff::1", 0), left);
	assert_int_equal(egress(resolver, "2001:db8:1::1", "2001:db8:ff::1", 7), right);
	assert_int_equal(egress(resolver, "::", "2001:db8:2::99", 0), right);

	assert_int_equal(egress(resolver, "192.0.2.1", "198.51.100.1", 0), -ELOOP);
	assert_int_equal(egress(resolver, "2001:db8:1::1", "2001:db8:2::1", 0), -ELOOP);
	assert_int_equal(egress(resolver, "192.0.2.1", "10.1.0.1", 0), -EHOSTUNREACH);
	assert_int_equal(egress(resolver, "192.0.2.1", "10.2.0.1", 0), -EACCES);
	assert_int_equal(egress(resolver, "192.0.2.1", "10.3.0.1", 0), -EINVAL);
	assert_int_equal(egress(resolver, "192.0.2.55", "8.8.8.8", 0), -EADDRNOTAVAIL);
	assert_int_equal(egress(resolver, "192.0.2.55", "10.3.0.1", 0), -EADDRNOTAVAIL);
	assert_int_equal(egress(resolver, "192.0.2.1", "8.8.8.8", 8), -ENETUNREACH);
	assert_int_equal(egress(resolver, "2001:db8:1::1", "2001:db8:bad::1", 0), -EHOSTUNREACH);
	assert_int_equal(egress(resolver, "2001:db8:1::1", "fd00::1", 0), -ENETUNREACH);
	assert_int_equal(route_egress(resolver, AF_PACKET, &any, &any, 0, 0, &ifindex),
			 -EAFNOSUPPORT);
}

static void test_for_sa(void **state)
{
	_cleanup_(route_freep) struct route_resolver *resolver = NULL;
	struct sa_description sa = {
		.id = {.family = AF_INET, .destination = address("8.8.8.8")},
		.source = address("192.0.2.1"),
		.direction = SA_DIRECTION_OUT,
	};
	int left = (int)if_nametoindex("left0"), right = (int)if_nametoindex("right0");
	int ifindex = 0;

	assert_int_equal(route_new(&resolver), 0);
	assert_int_equal(route_for_sa(resolver, &sa, 0, 0, &ifindex), 0);
	assert_int_equal(ifindex, left);
	assert_int_equal(route_for_sa(resolver, &sa, 7, 0, &ifindex), 0);
	assert_int_equal(ifindex, right);

	/* The other direction of the same tunnel. */
	sa.source = sa.id.destination;
	sa.id.destination = address("192.0.2.1");
	sa.direction = SA_DIRECTION_IN;
	assert_int_equal(route_for_sa(resolver, &sa, 0, 0, &ifindex), 0);
	assert_int_equal(ifindex, left);

	sa.direction = SA_DIRECTION_UNKNOWN;
	ifindex = -1;
	assert_int_equal(route_for_sa(resolver, &sa, 0, 0, &ifindex), -EDESTADDRREQ);
	assert_int_equal(ifindex, -1);
}

static void test_cache(void **state)
{
	_cleanup_(route_freep) struct route_resolver *resolver = NULL;
	int left = (int)if_nametoindex("left0"), right = (int)if_nametoindex("right0");

	assert_int_equal(route_new(&resolver), 0);
	requests = 0;
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(egress(resolver, "192.0.2.1", "10.4.0.1", 0), left);
		assert_int_equal(egress(resolver, "192.0.2.1", "10.1.0.1", 0), -EHOSTUNREACH);
	}
	assert_int_equal(requests, 2);

	run("ip route add 10.4.0.0/24 dev right0");
	assert_int_equal(egress(resolver, "192.0.2.1", "10.4.0.1", 0), left);
	route_invalidate(resolver);
	assert_int_equal(egress(resolver, "192.0.2.1", "10.4.0.1", 0), right);
	run("ip route del 10.4.0.0/24 dev right0");
}

/* The daemon's network, and its reports to the manager. */
static struct network *open_network(struct fixture *f, struct seen *seen)
{
	struct network *network;

	assert_int_equal(network_new(f->event, &callbacks, seen, &network), 0);
	return network;
}

static int device_of(struct network *network, const char *source, const char *peer)
{
	struct sa_description sa = {
		.id = {.destination = address(peer), .family = AF_INET},
		.source = address(source),
		.direction = SA_DIRECTION_OUT,
	};
	int ifindex = 0, r = network_route_for_sa(network, &sa, 0, &ifindex);

	return r < 0 ? r : ifindex;
}

/* An address of an SA is added, then one that no SA has; every device that is up gets one
 * automatically. */
static void test_address_of_an_sa(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {};
	_cleanup_(network_freep) struct network *network = open_network(f, &seen);
	int left = (int)if_nametoindex("left0");
	struct sa_address own = address("203.0.113.5"), link = address("fe80::77");
	uint64_t start;

	assert_int_equal(device_of(network, "192.0.2.1", "10.4.0.1"), left);
	assert_int_equal(device_of(network, "203.0.113.5", "10.4.0.1"), -EADDRNOTAVAIL);
	for (unsigned i = 0; i < 2; i++) {
		run(i == 0 ? "ip address add fe80::77/64 dev right0 nodad"
			   : "ip address del fe80::77/64 dev right0");
		start = now_usec(f->event);
		while (now_usec(f->event) - start < 2 * NIC_WATCH_DEBOUNCE_USEC)
			assert_true(sd_event_run(f->event, NIC_WATCH_DEBOUNCE_USEC) >= 0);
		assert_int_equal(network_address_is_local(network, AF_INET6, &link), i == 0);
	}
	assert_int_equal(seen.routes + seen.addresses, 0);

	run("ip address add 203.0.113.5/32 dev right0");
	wait_for(f, &seen.routes, 1);
	assert_int_equal(seen.addresses, 0);
	assert_true(network_address_is_local(network, AF_INET, &own));
	assert_int_equal(device_of(network, "203.0.113.5", "10.4.0.1"), left);

	run("ip address del 203.0.113.5/32 dev right0");
	wait_for(f, &seen.addresses, 1);
	assert_int_equal(device_of(network, "203.0.113.5", "10.4.0.1"), -EADDRNOTAVAIL);
}

/* A NIC loses its carrier, and then the routing daemon moves a peer's prefix to the other NIC. Only
 * the second causes new lookups of the SAs' devices. */
static void test_reroute_after_carrier_loss(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {};
	_cleanup_(network_freep) struct network *network = open_network(f, &seen);
	int left = (int)if_nametoindex("left0"), right = (int)if_nametoindex("right0");

	assert_int_equal(device_of(network, "192.0.2.1", "10.4.0.1"), left);
	run("ip link set left1 down");
	while (network_get(network, left)->carrier)
		assert_true(sd_event_run(f->event, TIMEOUT_USEC) >= 0);
	seen.routes = 0;
	run("ip route add 10.4.0.0/24 dev right0");
	wait_for(f, &seen.routes, 1);
	assert_int_equal(device_of(network, "192.0.2.1", "10.4.0.1"), right);
	run("ip route del 10.4.0.0/24 dev right0; ip link set left1 up");
}

/* Next hops that are dead because their device is down become usable when it is up, and the kernel
 * sends no message about the route (fib_sync_up()). */
static void test_next_hop_lives_again(void **state)
{
	struct fixture *f = *state;
	struct seen seen = {};
	_cleanup_(network_freep) struct network *network = NULL;
	int left = (int)if_nametoindex("left0"), right = (int)if_nametoindex("right0");
	unsigned by_right = 0;
	char peer[32];

	/* Linux 6.17 prefers the next hop whose device has the source address. */
	run("ip address add 203.0.113.1/32 dev lo;"
	    "ip route add 10.5.0.0/16 nexthop via 192.0.2.2 nexthop via 198.51.100.2");
	network = open_network(f, &seen);
	run("ip link set right0 down");
	while (network_get(network, right)->up)
		assert_true(sd_event_run(f->event, TIMEOUT_USEC) >= 0);
	for (unsigned i = 1; i <= 64; i++) {
		(void)snprintf(peer, sizeof(peer), "10.5.0.%u", i);
		assert_int_equal(device_of(network, "203.0.113.1", peer), left);
	}
	run("ip link set right0 up");
	while (!network_get(network, right)->up)
		assert_true(sd_event_run(f->event, TIMEOUT_USEC) >= 0);
	for (unsigned i = 1; i <= 64; i++) {
		(void)snprintf(peer, sizeof(peer), "10.5.0.%u", i);
		by_right += device_of(network, "203.0.113.1", peer) == right;
	}
	assert_true(by_right > 0 && by_right < 64);
	run("ip address del 203.0.113.1/32 dev lo; ip route del 10.5.0.0/16;"
	    "ip route add default via 198.51.100.2 table 100");
}

static int vrf_of(struct fixture *f, const char *text, int *ret_vrf)
{
	struct sa_address a = address(text);

	return nic_watch_vrf_of_address(f->watch, strchr(text, ':') ? AF_INET6 : AF_INET, a.bytes,
					ret_vrf);
}

/* The same destinations have other routes in a VRF. Skipped where the kernel has none. */
static void test_vrf(void **state)
{
	_cleanup_(route_freep) struct route_resolver *resolver = NULL;
	struct fixture *f = *state;
	int red, in_red, left = (int)if_nametoindex("left0"), vrf = -1;

	if (sh("ip link add red type vrf table 300 2>/dev/null") != 0)
		skip();
	run("ip link add red0 type veth peer name red1;"
	    "ip link set red0 addrgenmode none; ip link set red0 master red;"
	    "ip link set red up; ip link set red0 up; ip link set red1 up;"
	    "ip address add 10.5.0.1/24 dev red0; ip address add 10.6.0.1/32 dev red;"
	    "ip address add 2001:db8:5::1/64 dev red0 nodad;"
	    "ip address add 10.7.0.1/24 dev red0; ip address add 10.7.0.1/24 dev left0;"
	    "ip route add default via 10.5.0.2 vrf red;"
	    "ip route add default via 2001:db8:5::2 vrf red");
	red = (int)if_nametoindex("red");
	in_red = (int)if_nametoindex("red0");
	f->seen.routes = 0;
	wait_for(f, &f->seen.routes, 1);

	assert_int_equal(vrf_of(f, "10.5.0.1", &vrf), 0);
	assert_int_equal(vrf, red);
	assert_int_equal(vrf_of(f, "10.6.0.1", &vrf), 0);
	assert_int_equal(vrf, red);
	assert_int_equal(vrf_of(f, "2001:db8:5::1", &vrf), 0);
	assert_int_equal(vrf, red);
	assert_int_equal(vrf_of(f, "192.0.2.1", &vrf), 0);
	assert_int_equal(vrf, 0);
	assert_int_equal(vrf_of(f, "10.7.0.1", &vrf), -ENOTUNIQ);

	assert_int_equal(route_new(&resolver), 0);
	assert_int_equal(egress(resolver, "10.5.0.1", "8.8.8.8", 0), left);
	assert_int_equal(egress_in(resolver, red, "10.5.0.1", "8.8.8.8", 0), in_red);
	assert_int_equal(egress_in(resolver, red, "10.6.0.1", "8.8.8.8", 0), in_red);
	assert_int_equal(egress_in(resolver, red, "10.5.0.1", "10.1.0.1", 0), in_red);
	assert_int_equal(egress_in(resolver, red, "2001:db8:5::1", "2001:db8:bad::1", 0), in_red);
	assert_int_equal(egress_in(resolver, red, "10.5.0.1", "10.6.0.1", 0), -ELOOP);

	run("ip link set red0 nomaster; ip address del 10.7.0.1/24 dev left0");
	f->seen.addresses = 0;
	wait_for(f, &f->seen.addresses, 1);
	assert_int_equal(vrf_of(f, "10.5.0.1", &vrf), 0);
	assert_int_equal(vrf, 0);
	run("ip link del red0; ip link del red");
}

static const char topology[] = "set -e;"
			       "ip link set lo up;"
			       "ip link add left0 type veth peer name left1;"
			       "ip link add right0 type veth peer name right1;"
			       /* No automatic link-local addresses and no duplicate address
				* detection, so that no messages come later. */
			       "for i in left0 left1 right0 right1; do"
			       "  ip link set $i addrgenmode none; ip link set $i up; done;"
			       "ip address add 192.0.2.1/24 dev left0;"
			       "ip address add 198.51.100.1/24 dev right0;"
			       "ip address add 2001:db8:1::1/64 dev left0 nodad;"
			       "ip address add 2001:db8:2::1/64 dev right0 nodad;"
			       "ip route add default via 192.0.2.2;"
			       "ip route add unreachable 10.1.0.0/16;"
			       "ip route add prohibit 10.2.0.0/16;"
			       "ip route add blackhole 10.3.0.0/16;"
			       "ip route add default via 198.51.100.2 table 100;"
			       "ip rule add fwmark 7 table 100;"
			       "ip rule add fwmark 8 unreachable;"
			       "ip rule add from 198.51.100.1 table 100;"
			       "ip route add 2001:db8:ff::/48 via 2001:db8:1::2;"
			       "ip route add unreachable 2001:db8:bad::/48;"
			       "ip route add default via 2001:db8:2::2 table 100;"
			       "ip -6 rule add fwmark 7 table 100";

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_initial, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_come_and_go, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_removed_address_is_told_early, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_route_storm, setup, teardown),
		cmocka_unit_test_setup_teardown(test_route_prefix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_overrun, setup, teardown),
		cmocka_unit_test(test_egress),
		cmocka_unit_test(test_for_sa),
		cmocka_unit_test(test_cache),
		cmocka_unit_test_setup_teardown(test_address_of_an_sa, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reroute_after_carrier_loss, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_hop_lives_again, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vrf, setup, teardown),
	};

	if (unshare(CLONE_NEWNET) < 0 ||
	    sh("ip link add probe0 type veth peer name probe1 2>/dev/null && ip link del probe0") !=
		    0)
		return SKIP;
	if (sh(topology) != 0)
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
