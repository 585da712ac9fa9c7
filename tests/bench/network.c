// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * network [SAS...]: what messages about links and routes cost the daemon, by the number of SAs
 * (default 1,000 and 100,000). For each kind of message 12 a second come for a minute; waiting is
 * skipped, work takes its time. Printed are the CPU per message, its ratio to one pass over all SAs
 * (what each message cost before passes were debounced, spaced and left out), the share of a core,
 * and the longest work without a return to the event loop (CPU time), in which no watchdog is
 * petted. Without an argument, also what a pass costs for each of many NICs.
 */
#include "config-of.h"
#include "fake-network.h"
#include "manager/manager.h"
#include "network/route-cache.h"
#include "report/journal.h"
#include "sa/ownership.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <linux/xfrm.h>
#include <math.h>
#include <netlink/msg.h>
#include <string.h>
#include <time.h>

#define NIC 7
#define RATE 12.0
#define SECONDS 60.0

/* ---- A kernel that has SAs, one for each peer, and nothing else ---- */

struct bench_kernel {
	struct kernel kernel;
	uint32_t n;
};

#define KEY_SIZE 20

static void write_sa(uint8_t *buffer, uint32_t i)
{
	const struct xfrm_usersa_info info = {
		.saddr.a4 = htonl(0x0a00ffff),
		.id = {.daddr.a4 = htonl(0x0a010000 + i),
		       .spi = htonl(0x10000 + i),
		       .proto = IPPROTO_ESP},
		.family = AF_INET,
		.mode = XFRM_MODE_TUNNEL,
		.reqid = i + 1,
		.curlft = {.bytes = i % 100 == 0 ? i * 1000 : 0, .add_time = 1700000000},
	};
	const struct xfrm_algo_aead algorithm = {
		.alg_name = "rfc4106(gcm(aes))", .alg_key_len = 8 * KEY_SIZE, .alg_icv_len = 128};
	const struct nlattr attribute = {.nla_len = NLA_HDRLEN + sizeof(algorithm) + KEY_SIZE,
					 .nla_type = XFRMA_ALG_AEAD};
	const struct nlmsghdr header = {
		.nlmsg_len = NLMSG_LENGTH(sizeof(info)) + NLA_ALIGN(attribute.nla_len),
		.nlmsg_type = XFRM_MSG_NEWSA,
	};
	uint8_t *p = buffer;

	memcpy(p, &header, sizeof(header));
	p += NLMSG_HDRLEN;
	memcpy(p, &info, sizeof(info));
	p += NLMSG_ALIGN(sizeof(info));
	memcpy(p, &attribute, sizeof(attribute));
	p += NLA_HDRLEN;
	memcpy(p, &algorithm, sizeof(algorithm));
	memset(p + sizeof(algorithm), 1, KEY_SIZE);
}

static int fake_dump(struct kernel *kernel, uint16_t type, kernel_handler handler, void *userdata)
{
	_Alignas(8) uint8_t buffer[1024];

	for (uint32_t i = 0; type == XFRM_MSG_GETSA && i < ((struct bench_kernel *)kernel)->n;
	     i++) {
		write_sa(buffer, i);
		(void)handler((const struct nlmsghdr *)buffer, false, userdata);
	}
	return 0;
}

static int kernel_answer(struct kernel *kernel, struct kernel_batch *batch, kernel_handler handler,
			 void *userdata)
{
	(void)kernel;
	(void)handler;
	(void)userdata;
	for (unsigned i = 0; i < batch->n; i++)
		batch->answers[i].error = -EINVAL;
	return 0;
}

static void kernel_wait(struct kernel *kernel)
{
	(void)kernel;
}

static int kernel_events(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	(void)kernel;
	(void)handler;
	(void)userdata;
	return 0;
}

static int kernel_fd(struct kernel *kernel)
{
	(void)kernel;
	return -1;
}

static struct kernel *kernel_release(struct kernel *kernel)
{
	(void)kernel;
	return NULL;
}

static const struct kernel_ops kernel_ops = {
	.transact = kernel_answer,
	.dump = fake_dump,
	.wait_for_lookups = kernel_wait,
	.receive_events = kernel_events,
	.event_fd = kernel_fd,
	.free = kernel_release,
};

/* ---- A network in which route lookups are remembered as the daemon remembers them ---- */

struct bench_network {
	struct fake_network fake;
	struct network_ops ops;
	struct route_cache *cache;
};

static int network_route(struct network *network, const struct sa_description *sa, uint32_t mark,
			 int *ret_ifindex)
{
	struct bench_network *n = (struct bench_network *)network;
	struct route_key key = {.source = sa->source,
				.destination = sa->id.destination,
				.mark = mark,
				.family = sa->id.family};

	if (!route_cache_get(n->cache, &key, ret_ifindex)) {
		*ret_ifindex = n->fake.routed;
		(void)route_cache_put(n->cache, &key, n->fake.routed);
	}
	return 0;
}

/* ---- The bench ---- */

struct bench {
	double skipped; /* s of waiting */
	struct secret_arena *arena;
	struct bench_kernel kernel;
	struct bench_network network;
	struct journal *journal;
	struct ownership *ownership;
	struct manager *manager;
	FILE *log;
};

static double seconds_of(clockid_t id)
{
	struct timespec now;

	(void)clock_gettime(id, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double bench_monotonic(void *userdata)
{
	return seconds_of(CLOCK_MONOTONIC) + ((const struct bench *)userdata)->skipped;
}

static uint64_t bench_realtime(void *userdata)
{
	(void)userdata;
	return 1700001000;
}

static void need(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "network: %s: %s\n", what, strerror(-r));
	exit(1);
}

/* With neighbouring indices, all but the first idle. */
static struct nic *make_nics(size_t n)
{
	struct nic *nics = calloc(n, sizeof(*nics));

	if (!nics)
		abort();
	for (size_t i = 0; i < n; i++) {
		nics[i] = (struct nic){.ifindex = NIC + (int)i,
				       .up = true,
				       .carrier = true,
				       .esp_offload_known = true,
				       .esp_offload = true};
		(void)snprintf(nics[i].name, sizeof(nics[i].name), "eth%u", (uint16_t)i);
	}
	return nics;
}

static void open_bench(struct bench *b, uint32_t n, size_t n_nics)
{
	static const char text[] = "mode: observe\nnics: [{match: {name: \"eth*\"}, allow: true, "
				   "trusted: true, capacity: 1024}]\n";
	struct manager_environment environment = {.event_timer_default = 10,
						  .kernel_release = "6.12.1",
						  .config_path = "/nonexistent"};
	struct config *config;

	*b = (struct bench){.log = fopen("/dev/null", "we")};
	b->kernel = (struct bench_kernel){.kernel.ops = &kernel_ops, .n = n};
	fake_network_init(&b->network.fake, make_nics(n_nics), n_nics);
	b->network.ops = fake_network_ops;
	b->network.ops.route_for_sa = network_route;
	b->network.fake.network.ops = &b->network.ops;
	need(secret_arena_new(1u << 20, &b->arena), "locked memory");
	need(journal_new(b->log, 3, &b->journal), "journal");
	need(ownership_new("/nonexistent/placed", &b->ownership), "ownership");
	need(route_cache_new(1u << 18, &b->network.cache), "route cache");
	config = config_of(text);
	need(config ? 0 : -EBADMSG, "configuration");
	environment.clock = (struct clock){
		.monotonic = bench_monotonic, .realtime = bench_realtime, .userdata = b};
	environment.arena = b->arena;
	environment.journal = b->journal;
	environment.ownership = b->ownership;
	environment.kernel = &b->kernel.kernel;
	environment.network = &b->network.fake.network;
	need(manager_new(&environment, config, &b->manager), "manager");
	need(manager_start(b->manager), "start");
	/* Samples have a benchmark of their own. */
	schedule_cancel(&b->manager->schedule, MANAGER_TICK);
}

static void close_bench(struct bench *b)
{
	manager_free(b->manager);
	ownership_free(b->ownership);
	journal_free(b->journal);
	route_cache_free(b->network.cache);
	free(b->network.fake.nics);
	secret_arena_free(b->arena);
	(void)fclose(b->log);
}

/* As network.c does with the changes of one debounce time. */
static void change_route(struct bench *b, const char *destination, uint8_t length)
{
	struct nic_route_changes changes = {.n = 1};
	struct nic_prefix *prefix = &changes.prefixes[0];

	*prefix = (struct nic_prefix){.family = AF_INET, .length = length};
	(void)inet_pton(AF_INET, destination, prefix->address);
	if (route_cache_expire_prefixes(b->network.cache, prefix, 1) > 0)
		manager_network_callbacks.routes(&changes, b->manager);
}

static void unrelated_link(struct bench *b)
{
	struct nic down = {.ifindex = 99, .name = "tun0"}, up = down;

	up.up = up.carrier = true;
	manager_network_callbacks.link(&down, &up, b->manager);
}

static void carrier_of_ours(struct bench *b)
{
	struct nic old = b->network.fake.nics[0];

	b->network.fake.nics[0].carrier = !old.carrier;
	manager_network_callbacks.link(&old, &b->network.fake.nics[0], b->manager);
}

static void our_nic(struct bench *b)
{
	struct nic old = b->network.fake.nics[0];

	b->network.fake.nics[0].up = !old.up;
	manager_network_callbacks.link(&old, &b->network.fake.nics[0], b->manager);
}

static void route_to_nobody(struct bench *b)
{
	change_route(b, "203.0.113.0", 24);
}

/* As many prefixes as one debounce time can name: 768 a second. */
static void routes_to_nobody(struct bench *b)
{
	struct nic_prefix prefixes[NIC_ROUTE_CHANGES_MAX];

	for (size_t i = 0; i < NIC_ROUTE_CHANGES_MAX; i++)
		prefixes[i] = (struct nic_prefix){
			.family = AF_INET, .length = 24, .address = {203, 0, (uint8_t)i}};
	if (route_cache_expire_prefixes(b->network.cache, prefixes, NIC_ROUTE_CHANGES_MAX) > 0)
		manager_network_callbacks.routes(&(struct nic_route_changes){.all = true},
						 b->manager);
}

static void route_to_a_peer(struct bench *b)
{
	change_route(b, "10.1.0.100", 32);
}

static void default_route(struct bench *b)
{
	change_route(b, "0.0.0.0", 0);
}

static const struct {
	const char *name;
	void (*happen)(struct bench *b);
} events[] = {
	{"link of an unrelated device", unrelated_link},
	{"carrier of a NIC of ours", carrier_of_ours},
	{"NIC of ours down or up", our_nic},
	{"route that concerns no peer", route_to_nobody},
	{"64 routes, none of a peer", routes_to_nobody},
	{"route to one peer", route_to_a_peer},
	{"default route", default_route},
};

static void run_due(struct bench *b, double until, double *longest)
{
	while (schedule_next(&b->manager->schedule) <= until) {
		double due = schedule_next(&b->manager->schedule), begun;

		b->skipped += fmax(0, due - bench_monotonic(b));
		begun = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
		if (!schedule_run_due(&b->manager->schedule))
			break;
		*longest = fmax(*longest, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begun);
	}
	b->skipped += fmax(0, until - bench_monotonic(b));
}

static double cost_of_a_pass(struct bench *b)
{
	double begun = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	unsigned n = 0;

	do {
		manager_reconfigure(b->manager);
		n++;
	} while (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begun < 0.2);
	return (seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begun) / n;
}

static void measure(struct bench *b, size_t which, double pass)
{
	unsigned n = (unsigned)(RATE * SECONDS);
	double cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID), longest = 0, start = bench_monotonic(b);

	for (unsigned i = 0; i < n; i++) {
		double begun = seconds_of(CLOCK_PROCESS_CPUTIME_ID);

		events[which].happen(b);
		longest = fmax(longest, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - begun);
		run_due(b, start + (i + 1) / RATE, &longest);
	}
	cpu = seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	(void)printf("  %-28s %11.1f us %9.4f %11.2f %% %9.1f ms\n", events[which].name,
		     cpu / n * 1e6, cpu / n / pass, cpu / SECONDS * 100, longest * 1e3);
}

static void run(uint32_t n)
{
	struct bench b;
	double pass;

	open_bench(&b, n, 1);
	pass = cost_of_a_pass(&b);
	(void)printf("%u SAs; one pass over all: %.2f ms\n", n, pass * 1e3);
	(void)printf("  %-28s %14s %9s %13s %12s\n", "12 a second for a minute", "CPU/message",
		     "passes", "of a core", "longest");
	for (size_t i = 0; i < ELEMENTSOF(events); i++)
		measure(&b, i, pass);
	close_bench(&b);
}

/* A pass over NICs that one entry matches, without SAs: what it costs for each of them does not
 * grow. */
static void run_nics(size_t n)
{
	struct bench b;
	double pass;

	open_bench(&b, 0, n);
	pass = cost_of_a_pass(&b);
	(void)printf("%zu NICs that \"eth*\" matches; one pass: %.2f ms, %.2f us for each\n", n,
		     pass * 1e3, pass / (double)n * 1e6);
	close_bench(&b);
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
