// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * network [SAS...]: what messages about links and routes cost the daemon, by the number of SAs
 * (default 1,000 and 100,000). For each kind of message 12 a second come for a minute; waiting is
 * skipped, work takes its time. Printed are the CPU per message, its ratio to one pass over all SAs
 * (what each message cost before passes were debounced, spaced and left out), the share of a core,
 * and the longest work without a return to the event loop (CPU time), in which no watchdog is
 * petted. Without an argument, also what a pass costs for each of many NICs.
 */
#include "measure.h"
#include "network/route-cache.h"
#include "world.h"

#include <arpa/inet.h>
#include <math.h>
#include <string.h>

#define RATE 12.0
#define SECONDS 60.0

/* As network.c does with the changes of one debounce time. */
static void change_route(struct world *b, const char *destination, uint8_t length)
{
	struct nic_route_changes changes = {.n = 1};
	struct nic_prefix *prefix = &changes.prefixes[0];

	*prefix = (struct nic_prefix){.family = AF_INET, .length = length};
	(void)inet_pton(AF_INET, destination, prefix->address);
	if (route_cache_expire_prefixes(b->network.cache, prefix, 1) > 0)
		manager_network_callbacks.routes(&changes, b->manager);
}

static void unrelated_link(struct world *b)
{
	struct nic down = {.ifindex = 99, .name = "tun0"}, up = down;

	up.up = up.carrier = true;
	manager_network_callbacks.link(&down, &up, b->manager);
}

static void carrier_of_ours(struct world *b)
{
	struct nic old = b->network.fake.nics[0];

	b->network.fake.nics[0].carrier = !old.carrier;
	manager_network_callbacks.link(&old, &b->network.fake.nics[0], b->manager);
}

static void our_nic(struct world *b)
{
	struct nic old = b->network.fake.nics[0];

	b->network.fake.nics[0].up = !old.up;
	manager_network_callbacks.link(&old, &b->network.fake.nics[0], b->manager);
}

static void route_to_nobody(struct world *b)
{
	change_route(b, "203.0.113.0", 24);
}

/* As many prefixes as one debounce time can name: 768 a second. */
static void routes_to_nobody(struct world *b)
{
	struct nic_prefix prefixes[NIC_ROUTE_CHANGES_MAX];

	for (size_t i = 0; i < NIC_ROUTE_CHANGES_MAX; i++)
		prefixes[i] = (struct nic_prefix){
			.family = AF_INET, .length = 24, .address = {203, 0, (uint8_t)i}};
	if (route_cache_expire_prefixes(b->network.cache, prefixes, NIC_ROUTE_CHANGES_MAX) > 0)
		manager_network_callbacks.routes(&(struct nic_route_changes){.all = true},
						 b->manager);
}

static void route_to_a_peer(struct world *b)
{
	change_route(b, "10.1.0.100", 32);
}

static void default_route(struct world *b)
{
	change_route(b, "0.0.0.0", 0);
}

static const struct {
	const char *name;
	void (*happen)(struct world *b);
} events[] = {
	{"link of an unrelated device", unrelated_link},
	{"carrier of a NIC of ours", carrier_of_ours},
	{"NIC of ours down or up", our_nic},
	{"route that concerns no peer", route_to_nobody},
	{"64 routes, none of a peer", routes_to_nobody},
	{"route to one peer", route_to_a_peer},
	{"default route", default_route},
};

static void open_world(struct world *b, uint32_t n, size_t n_nics)
{
	world_open(b, n, n, n_nics);
	for (uint32_t i = 0; i < n; i += 100)
		b->kernel.sas[i].bytes = i * UINT64_C(1000);
	/* Samples have a benchmark of their own. */
	schedule_cancel(&b->manager->schedule, MANAGER_TICK);
}

static double cost_of_a_pass(struct world *b)
{
	double begun = measure_cpu();
	unsigned n = 0;

	do {
		manager_reconfigure(b->manager);
		n++;
	} while (measure_cpu() - begun < 0.2);
	return (measure_cpu() - begun) / n;
}

static void measure(struct world *b, size_t which, double pass)
{
	unsigned n = (unsigned)(RATE * SECONDS);
	double cpu = measure_cpu(), longest = 0, start = world_now(b);

	for (unsigned i = 0; i < n; i++) {
		double begun = measure_cpu();

		events[which].happen(b);
		longest = fmax(longest, measure_cpu() - begun);
		world_run_until(b, start + (i + 1) / RATE, &longest);
	}
	cpu = measure_cpu() - cpu;
	(void)printf("  %-28s %11.1f us %9.4f %11.2f %% %9.1f ms\n", events[which].name,
		     cpu / n * 1e6, cpu / n / pass, cpu / SECONDS * 100, longest * 1e3);
}

static void run(uint32_t n)
{
	struct world b;
	double pass;

	open_world(&b, n, 1);
	pass = cost_of_a_pass(&b);
	(void)printf("%u SAs; one pass over all: %.2f ms\n", n, pass * 1e3);
	(void)printf("  %-28s %14s %9s %13s %12s\n", "12 a second for a minute", "CPU/message",
		     "passes", "of a core", "longest");
	for (size_t i = 0; i < ELEMENTSOF(events); i++)
		measure(&b, i, pass);
	world_close(&b);
}

/* A pass over NICs that one entry matches, without SAs: what it costs for each of them does not
 * grow. */
static void run_nics(size_t n)
{
	struct world b;
	double pass;

	open_world(&b, 0, n);
	pass = cost_of_a_pass(&b);
	(void)printf("%zu NICs that \"eth*\" matches; one pass: %.2f ms, %.2f us for each\n", n,
		     pass * 1e3, pass / (double)n * 1e6);
	world_close(&b);
}

int main(int argc, char **argv)
{
	if (argc > 1 && strspn(argv[1], "0123456789") != strlen(argv[1])) {
		(void)fprintf(stderr, "usage: network [SAS...]\n");
		return 2;
	}
	for (int i = 1; i < argc; i++)
		run((uint32_t)strtoul(argv[i], NULL, 10));
	if (argc == 1) {
		run(1000);
		run(100000);
		run_nics(1000);
		run_nics(8000);
	}
	return 0;
}
