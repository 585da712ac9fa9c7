// SPDX-License-Identifier: GPL-2.0-or-later
#include "world.h"
#include "measure.h"

#include "config-of.h"
#include "network/route-cache.h"
#include "report/journal.h"
#include "sa/ownership.h"
#include "xfrm/compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/xfrm.h>
#include <math.h>
#include <netlink/msg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define KEY_SIZE 20
#define EVENTS_AT_ONCE 256 /* as xfrm/netlink.c */
#define DUMP_PART 64       /* SAs; a datagram of the kernel has about as many */

/* ---- The kernel ---- */

/* One message, the largest of those that are written. */
struct message {
	_Alignas(8) uint8_t bytes[1024];
};

static uint8_t *put(uint8_t *p, const void *data, size_t size)
{
	memcpy(p, data, size);
	return p + NLA_ALIGN(size);
}

static void write_sa(struct message *message, uint16_t type, uint32_t i, uint64_t bytes)
{
	const struct xfrm_usersa_info info = {
		.saddr.a4 = htonl(0x0a00ffff),
		.id = {.daddr.a4 = htonl(0x0a010000 + i),
		       .spi = htonl(WORLD_SPI_FIRST + i),
		       .proto = IPPROTO_ESP},
		.family = AF_INET,
		.mode = XFRM_MODE_TUNNEL,
		.reqid = i + 1,
		.curlft = {.bytes = bytes, .packets = bytes / 1000, .add_time = 1700000000},
	};
	const struct xfrm_usersa_id id = {.daddr = info.id.daddr,
					  .spi = info.id.spi,
					  .family = AF_INET,
					  .proto = IPPROTO_ESP};
	const struct xfrm_algo_aead algorithm = {
		.alg_name = "rfc4106(gcm(aes))", .alg_key_len = 8 * KEY_SIZE, .alg_icv_len = 128};
	const struct nlattr aead = {.nla_len = NLA_HDRLEN + sizeof(algorithm) + KEY_SIZE,
				    .nla_type = XFRMA_ALG_AEAD};
	const struct nlattr sa = {.nla_len = NLA_HDRLEN + sizeof(info), .nla_type = XFRMA_SA};
	struct nlmsghdr header = {.nlmsg_type = type};
	uint8_t *p = message->bytes + NLMSG_HDRLEN;

	if (type == XFRM_MSG_DELSA) {
		p = put(p, &id, sizeof(id));
		p = put(p, &sa, NLA_HDRLEN);
	}
	p = put(p, &info, sizeof(info));
	p = put(p, &aead, NLA_HDRLEN);
	p = put(p, &algorithm, sizeof(algorithm));
	memset(p, 1, KEY_SIZE);
	header.nlmsg_len = (uint32_t)(p + KEY_SIZE - message->bytes);
	memcpy(message->bytes, &header, sizeof(header));
}

static struct world_kernel *world_kernel(struct kernel *kernel)
{
	return (struct world_kernel *)kernel;
}

static int kernel_show(struct world_kernel *k, uint16_t type, uint32_t i, kernel_handler handler,
		       void *userdata)
{
	struct message message;

	write_sa(&message, type, i, k->sas[i].bytes);
	return handler((const struct nlmsghdr *)message.bytes, false, userdata);
}

static int dump_sas(struct kernel *kernel, uint16_t type, kernel_handler handler, void *userdata)
{
	struct world_kernel *k = world_kernel(kernel);
	double begun = measure_thread_cpu();

	for (uint32_t i = 0; type == XFRM_MSG_GETSA && i < k->n; i++)
		if (k->sas[i].alive)
			(void)kernel_show(k, XFRM_MSG_NEWSA, i, handler, userdata);
	k->dumped += measure_thread_cpu() - begun;
	return 0;
}

static int begin_dump(struct kernel *kernel)
{
	world_kernel(kernel)->next_dumped = 0;
	return 0;
}

static int read_dump(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct world_kernel *k = world_kernel(kernel);
	double begun = measure_thread_cpu();

	for (uint32_t n = 0; k->next_dumped < k->n && n < DUMP_PART; k->next_dumped++) {
		if (!k->sas[k->next_dumped].alive)
			continue;
		k->taken += k->dump_takes;
		(void)kernel_show(k, XFRM_MSG_NEWSA, k->next_dumped, handler, userdata);
		n++;
	}
	k->dumped += measure_thread_cpu() - begun;
	return k->next_dumped < k->n;
}

static int answer_one(struct world_kernel *k, const struct nlmsghdr *message,
		      kernel_handler handler, void *userdata)
{
	struct xfrm_usersa_id id;
	uint32_t i;

	if (message->nlmsg_type != XFRM_MSG_GETSA)
		return -EINVAL;
	k->taken += k->request_takes;
	memcpy(&id, NLMSG_DATA(message), sizeof(id));
	i = ntohl(id.spi) - WORLD_SPI_FIRST;
	if (i >= k->n || !k->sas[i].alive)
		return -ESRCH;
	(void)kernel_show(k, XFRM_MSG_NEWSA, i, handler, userdata);
	return 0;
}

static int answer(struct kernel *kernel, struct kernel_batch *batch, kernel_handler handler,
		  void *userdata)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)batch->buffer;
	int remaining = (int)batch->used;

	for (unsigned i = 0; i < batch->n; i++) {
		batch->answers[i].error =
			answer_one(world_kernel(kernel), message, handler, userdata);
		message = nlmsg_next((struct nlmsghdr *)message, &remaining);
	}
	return 0;
}

static void wait_for_lookups(struct kernel *kernel)
{
	(void)kernel;
}

static int wait_fd(struct kernel *kernel)
{
	return world_kernel(kernel)->wait_fd;
}

static bool is_waiting(struct kernel *kernel)
{
	(void)kernel;
	return false;
}

static int receive_events(struct kernel *kernel, kernel_handler handler, void *userdata)
{
	struct world_kernel *k = world_kernel(kernel);
	eventfd_t n;

	if (k->overrun) {
		k->overrun = false;
		return -ENOBUFS;
	}
	for (unsigned i = 0; i < EVENTS_AT_ONCE; i++) {
		const struct world_event *event = &k->events[k->next_event];

		if (k->next_event == k->n_events) {
			k->next_event = k->n_events = 0;
			k->congested = false;
			(void)eventfd_read(k->event_fd, &n);
			return 0;
		}
		k->next_event++;
		(void)kernel_show(k, event->type, event->sa, handler, userdata);
	}
	return 1;
}

static int event_fd(struct kernel *kernel)
{
	return world_kernel(kernel)->event_fd;
}

static struct kernel *release(struct kernel *kernel)
{
	free(world_kernel(kernel)->sas);
	free(world_kernel(kernel)->events);
	(void)close(world_kernel(kernel)->event_fd);
	(void)close(world_kernel(kernel)->wait_fd);
	return NULL;
}

static const struct kernel_ops kernel_ops = {
	.transact = answer,
	.dump = dump_sas,
	.dump_begin = begin_dump,
	.dump_read = read_dump,
	.wait_for_lookups = wait_for_lookups,
	.begin_wait = wait_for_lookups,
	.is_waiting = is_waiting,
	.wait_fd = wait_fd,
	.receive_events = receive_events,
	.event_fd = event_fd,
	.free = release,
};

/* As netlink_broadcast_deliver() and netlink_overrun(). */
static bool is_lost(struct world_kernel *k)
{
	if (k->n_events - k->next_event >= k->events_max && !k->congested)
		k->congested = k->overrun = true;
	return k->congested;
}

static void add_event(struct world_kernel *k, uint16_t type, uint32_t sa)
{
	if (is_lost(k))
		return;
	if (k->n_events == 0)
		(void)eventfd_write(k->event_fd, 1);
	if (k->n_events == k->events_allocated) {
		k->events_allocated = 2 * k->events_allocated + 1024;
		k->events = reallocarray(k->events, k->events_allocated, sizeof(*k->events));
		if (!k->events)
			abort();
	}
	k->events[k->n_events++] = (struct world_event){.type = type, .sa = sa};
}

void world_make(struct world *world, uint32_t sa)
{
	world->kernel.sas[sa] = (struct world_sa){.alive = true};
	add_event(&world->kernel, XFRM_MSG_NEWSA, sa);
}

void world_delete(struct world *world, uint32_t sa)
{
	world->kernel.sas[sa].alive = false;
	add_event(&world->kernel, XFRM_MSG_DELSA, sa);
}

/* ---- The network ---- */

static int route_for_sa(struct network *network, const struct sa_description *sa, uint32_t mark,
			int *ret_ifindex)
{
	struct world_network *n = (struct world_network *)network;
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

/* With neighbouring indices, all but the first idle. */
static struct nic *make_nics(size_t n)
{
	struct nic *nics = calloc(n, sizeof(*nics));

	if (!nics)
		abort();
	for (size_t i = 0; i < n; i++) {
		nics[i] = (struct nic){.ifindex = WORLD_NIC + (int)i,
				       .up = true,
				       .carrier = true,
				       .esp_offload_known = true,
				       .esp_offload = true};
		(void)snprintf(nics[i].name, sizeof(nics[i].name), "eth%u", (uint16_t)i);
	}
	return nics;
}

/* ---- Time ---- */

static double monotonic(void *userdata)
{
	const struct world *world = userdata;

	return measure_now() + world->skipped + world->kernel.taken;
}

static uint64_t realtime(void *userdata)
{
	(void)userdata;
	return 1700001000;
}

double world_now(struct world *world)
{
	return monotonic(world);
}

void world_run_until(struct world *world, double until, double *longest)
{
	struct schedule *schedule = &world->manager->schedule;

	while (schedule_next(schedule) <= until) {
		double due = schedule_next(schedule), begun;

		world->skipped += fmax(0, due - world_now(world));
		begun = measure_cpu();
		if (!schedule_run_due(schedule))
			break;
		*longest = fmax(*longest, measure_cpu() - begun);
	}
	world->skipped += fmax(0, until - world_now(world));
}

/* ---- All of it ---- */

static void need(int r, const char *what)
{
	if (r >= 0)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(-r));
	exit(1);
}

static void init_kernel(struct world_kernel *k, uint32_t n, uint32_t alive)
{
	*k = (struct world_kernel){.kernel.ops = &kernel_ops, .n = n, .events_max = SIZE_MAX};
	k->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	k->wait_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	need(k->event_fd < 0 || k->wait_fd < 0 ? -errno : 0, "eventfd");
	k->sas = calloc((size_t)n + 1, sizeof(*k->sas));
	if (!k->sas)
		abort();
	for (uint32_t i = 0; i < alive; i++)
		k->sas[i].alive = true;
}

/* `event` NULL: over a network that costs nothing, with so many NICs. */
static void start(struct world *world, struct kernel *kernel, size_t n_nics, sd_event *event)
{
	static const char text[] = "mode: observe\nnics: [{match: {name: \"eth*\"}, allow: true, "
				   "trusted: true, capacity: 1024}]\n";
	struct manager_environment environment = {.event_timer_default = 10,
						  .kernel_release = "6.12.1",
						  .config_source.path = "/nonexistent"};
	struct config *config;
	double begun, cpu;

	fake_network_init(&world->network.fake, make_nics(n_nics), n_nics);
	world->network.ops = fake_network_ops;
	world->network.ops.route_for_sa = route_for_sa;
	world->network.fake.network.ops = &world->network.ops;
	world->clock =
		(struct clock){.monotonic = monotonic, .realtime = realtime, .userdata = world};
	need(journal_new(&world->clock, world->log, 3, &world->journal), "journal");
	need(ownership_new("/nonexistent/placed", &world->ownership), "ownership");
	need(route_cache_new(1u << 18, &world->network.cache), "route cache");
	config = config_of(text);
	need(config ? 0 : -EBADMSG, "configuration");
	environment.clock = world->clock;
	environment.arena = world->arena;
	environment.journal = world->journal;
	environment.ownership = world->ownership;
	environment.kernel = kernel;
	environment.network = &world->network.fake.network;
	need(manager_new(&environment, config, &world->manager), "manager");
	if (event)
		need(network_new(event, &manager_network_callbacks, world->manager,
				 &world->manager->environment.network),
		     "network");
	begun = measure_now();
	cpu = measure_thread_cpu();
	need(manager_start(world->manager), "start");
	world->start_took = measure_now() - begun;
	world->start_cpu = measure_thread_cpu() - cpu;
}

static void prepare(struct world *world)
{
	*world = (struct world){.log = fopen("/dev/null", "we")};
	need(secret_arena_new(1u << 20, &world->arena), "locked memory");
}

void world_open(struct world *world, uint32_t n, uint32_t alive, size_t n_nics)
{
	prepare(world);
	init_kernel(&world->kernel, n, alive);
	start(world, &world->kernel.kernel, n_nics, NULL);
}

void world_open_over(struct world *world, uint32_t n, uint32_t alive, sd_event *event)
{
	prepare(world);
	init_kernel(&world->kernel, n, alive);
	start(world, &world->kernel.kernel, 1, event);
}

void world_open_on(struct world *world,
		   int (*open)(struct secret_arena *arena, struct kernel **ret_kernel),
		   size_t n_nics)
{
	struct kernel *kernel;

	prepare(world);
	need(open(world->arena, &kernel), "kernel");
	start(world, kernel, n_nics, NULL);
}

void world_close(struct world *world)
{
	manager_free(world->manager);
	ownership_free(world->ownership);
	journal_free(world->journal);
	route_cache_free(world->network.cache);
	free(world->network.fake.nics);
	secret_arena_free(world->arena);
	(void)fclose(world->log);
}
