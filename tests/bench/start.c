// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * start [--network] [SAS...]: the time of a start, from the request for the first dump until the
 * daemon is ready, by the number of SAs (default 1,000, 10,000 and 100,000), each with a peer of
 * its own. The kernel's SAs cost next to nothing. Beside it the time of a bare loop that receives
 * the same dump and drops it: the difference is what the daemon adds. Then that of a reload, which
 * decides again for each SA.
 *
 * With --network the network is the kernel's: routes are asked for by netlink, in a network
 * namespace of its own (root).
 */
#include "measure.h"
#include "world.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static int drop(const struct nlmsghdr *message, bool own, void *userdata)
{
	(void)message;
	(void)own;
	(void)userdata;
	return 0;
}

static void run(uint32_t n, sd_event *event)
{
	double begun, bare, pass;
	struct world w;

	world_open_over(&w, n, n, event);
	begun = measure_now();
	(void)kernel_dump(w.manager->environment.kernel, XFRM_MSG_GETSA, drop, NULL);
	bare = measure_now() - begun;
	begun = measure_now();
	manager_reconfigure(w.manager);
	pass = measure_now() - begun;
	(void)printf(
		"%7u SAs%s: ready after %.1f ms (CPU %.1f), bare dump %.1f ms, difference %.1f ms, "
		"reload %.1f ms\n",
		n, event ? ", routes of the kernel" : "", w.start_took * 1e3, w.start_cpu * 1e3,
		bare * 1e3, (w.start_took - bare) * 1e3, pass * 1e3);
	(void)fflush(stdout);
	world_close(&w);
}

static void need(bool holds, const char *what)
{
	if (holds)
		return;
	perror(what);
	exit(1);
}

/* All peers are reached by the loopback, from the local address of the SAs. */
static sd_event *open_network(void)
{
	sd_event *event;

	need(unshare(CLONE_NEWNET) == 0, "a network namespace");
	need(system("ip link set lo up && ip address add 10.0.255.255/32 dev lo && "
		    "ip route add 10.0.0.0/8 dev lo") == 0,
	     "ip");
	need(sd_event_new(&event) >= 0, "event loop");
	return event;
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};
	sd_event *event = NULL;
	int first = 1;

	if (argc > 1 && strcmp(argv[1], "--network") == 0) {
		event = open_network();
		first = 2;
	}
	for (int i = first; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < 1 || n > 10000000) {
			(void)fprintf(stderr, "usage: start [--network] [SAS...]   (1 to "
					      "10,000,000 each)\n");
			return 2;
		}
		run((uint32_t)n, event);
	}
	for (size_t i = 0; first == argc && i < ELEMENTSOF(defaults); i++)
		run(defaults[i], event);
	sd_event_unref(event);
	return 0;
}
