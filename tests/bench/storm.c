// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * storm [--seconds N] [SAS...]: an IKE daemon makes 10,000 SAs a second and deletes each of them a
 * second later, for 20 s, beside as many SAs that stay (default 1,000, 10,000 and 100,000), of
 * which 1,000 are busy. Every 2 s, all events of half a second come at once: more than the socket
 * holds, so some are lost. A manager and the control socket are in one event loop, in observe mode,
 * over a kernel that costs next to nothing. CPU is that of the daemon's thread alone.
 *
 *   events     a second, with those that were lost
 *   event      CPU for each event, beyond that of the same time without a storm. Beside it that of
 *              a bare loop, which receives the same events, and, for each of them, asks for the SA
 *              and drops the answer
 *   core       share of a core, with all that the daemon does; without a storm
 *   resyncs    dumps because events were lost; the share of the time that all dumps took
 *   stale      the share of the time in which nothing could be moved, since events had been lost
 *   moves      planned in the storm, and the budget; how many on a stale view
 *   turn       the longest turn of the event loop
 *   status     the time until a client has the status: median, 99 %, longest
 *   memory     resident set before, at the highest, and 5 s after the storm
 */
#include "measure.h"
#include "report/reporter.h"
#include "service.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS 20.0
#define MADE_PER_SECOND 10000u
#define LIFE MADE_PER_SECOND /* SAs made after it until it is deleted */
#define RING (2 * LIFE)      /* SAs of the storm; each is made again 2 s later */
#define BURST_EVERY (2 * MADE_PER_SECOND)
#define BURST (MADE_PER_SECOND / 2)
/* 5,000 events of 750 bytes are in 4 MiB (xfrm/netlink.c). */
#define EVENTS_MAX 5000
#define BUSY 1000
#define SETTLE_SECONDS 5.0
/* Dumps of very many SAs are 10 s apart. */
#define QUIET_SECONDS 10.0

struct storm {
	uint64_t made;
	double begun; /* s; 0: there is none */
};

struct bench {
	struct service service;
	uint32_t standing;
	double seconds;
	struct storm storm;
	double carried_at;  /* s: the busy SAs carried something */
	double measured_at; /* s: the resident set */
	double action_at;   /* s: last action of the daemon that was counted */

	double cpu, longest_turn; /* s */
	double stale, turned_at;  /* s: for so long events had been lost; the last turn */
	double highest;           /* bytes */
	unsigned moves, moves_on_stale;
};

/* At the end of a part of the benchmark. */
struct counts {
	double cpu; /* s, of this part */
	uint64_t resyncs;
	double dumped;
};

static void make_or_delete(struct bench *b, uint64_t i)
{
	world_make(&b->service.world, b->standing + (uint32_t)(i % RING));
	if (i >= LIFE)
		world_delete(&b->service.world, b->standing + (uint32_t)((i - LIFE) % RING));
}

/* SAs that are to be made until now: none in the time before a burst. */
static uint64_t due(const struct bench *b, double now)
{
	uint64_t n = (uint64_t)((now - b->storm.begun) * MADE_PER_SECOND);
	uint64_t round = n / BURST_EVERY * BURST_EVERY;

	return n - round > BURST_EVERY - BURST ? round + BURST_EVERY - BURST : n;
}

static void act_as_ike_daemon(struct bench *b, double now)
{
	uint64_t n = b->storm.begun > 0 ? due(b, now) : 0;

	while (b->storm.made < n)
		make_or_delete(b, b->storm.made++);
}

static void let_some_carry(struct bench *b, double now)
{
	if (now - b->carried_at < 1)
		return;
	b->carried_at = now;
	for (uint32_t i = 0; i < BUSY; i++)
		b->service.world.kernel.sas[i * (b->standing / BUSY)].bytes += 1000000;
}

static void measure_memory(struct bench *b, double now)
{
	if (now - b->measured_at < 0.02)
		return;
	b->measured_at = now;
	b->highest = fmax(b->highest, measure_resident_set());
}

/* In this turn. */
static void count_moves(struct bench *b, bool stale)
{
	const struct reporter *reporter = b->service.world.manager->reporter;
	const struct action *action;
	double last = b->action_at;

	for (size_t i = 0; (action = reporter_action(reporter, i)) && action->time > last; i++) {
		b->action_at = fmax(b->action_at, action->time);
		b->moves++;
		b->moves_on_stale += stale;
	}
}

static void turn(struct bench *b)
{
	struct tracker *tracker = b->service.world.manager->tracker;
	double cpu = measure_thread_cpu(), now;
	bool was_stale = tracker_is_stale(tracker);

	if (service_wait(&b->service, 1000)) {
		double begun = measure_now();

		service_dispatch(&b->service);
		b->longest_turn = fmax(b->longest_turn, measure_now() - begun);
		count_moves(b, was_stale && tracker_is_stale(tracker));
	}
	b->cpu += measure_thread_cpu() - cpu;
	now = measure_now();
	if (was_stale)
		b->stale += now - b->turned_at;
	b->turned_at = now;
}

static void run_for(struct bench *b, double seconds)
{
	double end = measure_now() + seconds;

	b->cpu = b->longest_turn = b->highest = b->stale = 0;
	b->turned_at = measure_now();
	b->moves = b->moves_on_stale = 0;
	for (double now; (now = measure_now()) < end;) {
		act_as_ike_daemon(b, now);
		let_some_carry(b, now);
		measure_memory(b, now);
		turn(b);
	}
}

/* The CPU of a loop that receives the events of so many SAs, and reads each SA. */
static int drop(const struct nlmsghdr *message, bool own, void *userdata)
{
	(void)message;
	(void)own;
	(void)userdata;
	return 0;
}

struct reading {
	struct kernel *kernel;
	struct kernel_batch batch;
};

static int read_and_drop(const struct nlmsghdr *message, bool own, void *userdata)
{
	struct reading *reading = userdata;
	struct sa_facts facts;

	(void)own;
	service_need(sa_facts_read(message, &facts) >= 0, "event");
	sa_id_write(&facts.description.id, &reading->batch, XFRM_MSG_GETSA);
	(void)kernel_transact(reading->kernel, &reading->batch, drop, NULL);
	kernel_batch_clear(&reading->batch);
	return 0;
}

static double bare_loop(struct bench *b)
{
	struct reading reading = {.kernel = b->service.world.manager->environment.kernel};
	double cpu = 0;

	service_need(kernel_batch_init(&reading.batch, b->service.world.arena) >= 0, "batch");
	for (uint64_t i = 0; i < RING; i++) {
		double begun;

		make_or_delete(b, b->storm.made + i);
		begun = measure_thread_cpu();
		while (kernel_receive_events(reading.kernel, read_and_drop, &reading) > 0)
			continue;
		cpu += measure_thread_cpu() - begun;
	}
	kernel_batch_release(&reading.batch);
	return cpu / (2.0 * RING);
}

static struct counts counts_of(const struct bench *b)
{
	return (struct counts){.cpu = b->cpu,
			       .resyncs = b->service.world.manager->resyncs,
			       .dumped = b->service.world.kernel.dumped};
}

static void print_storm(const struct bench *b, const struct counts *quiet)
{
	double n = 2.0 * (double)b->storm.made, share = b->seconds / QUIET_SECONDS;
	struct counts now = counts_of(b);

	(void)printf("%7u SAs: events %.0f/s, event %.2f us, core %.1f %% (%.1f), resyncs %llu "
		     "(%.1f %%), stale %.1f %%, moves %u of %.0f (stale: %u), turn %.1f ms, status "
		     "%.2f, %.2f, %.2f "
		     "ms, ",
		     b->standing, n / b->seconds, (now.cpu - quiet->cpu * share) / n * 1e6,
		     now.cpu / b->seconds * 100, quiet->cpu / QUIET_SECONDS * 100,
		     (unsigned long long)(now.resyncs - quiet->resyncs),
		     (now.dumped - quiet->dumped) / b->seconds * 100, b->stale / b->seconds * 100,
		     b->moves, b->service.world.manager->config->moves_per_second * b->seconds,
		     b->moves_on_stale, b->longest_turn * 1e3,
		     service_status(&b->service, 0.5) * 1e3,
		     service_status(&b->service, 0.99) * 1e3, service_status(&b->service, 1) * 1e3);
}

static void end_storm(struct bench *b)
{
	uint64_t n = b->storm.made;

	for (uint64_t i = n > LIFE ? n - LIFE : 0; i < n; i++)
		world_delete(&b->service.world, b->standing + (uint32_t)(i % RING));
	b->storm.begun = 0;
}

static void run(uint32_t standing, double seconds)
{
	static struct bench b;
	struct counts quiet;
	double resident;

	b = (struct bench){.standing = standing, .seconds = seconds};
	service_open(&b.service, standing + RING, standing);
	b.service.world.kernel.events_max = EVENTS_MAX;
	run_for(&b, SETTLE_SECONDS);
	run_for(&b, QUIET_SECONDS);
	quiet = counts_of(&b);
	resident = measure_resident_set();
	b.storm.begun = measure_now();
	service_begin_asking(&b.service);
	run_for(&b, seconds);
	service_end_asking(&b.service);
	print_storm(&b, &quiet);
	(void)printf("memory %.1f, %.1f, ", resident / 1e6, b.highest / 1e6);
	end_storm(&b);
	run_for(&b, SETTLE_SECONDS);
	(void)printf("%.1f MB, bare %.2f us\n", measure_resident_set() / 1e6, bare_loop(&b) * 1e6);
	(void)fflush(stdout);
	service_close(&b.service);
}

static bool parse(const char *text, unsigned long least, unsigned long most, unsigned long *ret)
{
	char *end;

	*ret = strtoul(text, &end, 10);
	return *text && !*end && *ret >= least && *ret <= most;
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};
	unsigned long seconds = SECONDS, n;
	bool valid = true;
	int i = 1;

	if (argc > 2 && strcmp(argv[1], "--seconds") == 0) {
		valid = parse(argv[2], 1, 600, &seconds);
		i = 3;
	}
	for (int j = i; j < argc; j++)
		valid &= parse(argv[j], BUSY, 10000000, &n);
	if (!valid) {
		(void)fprintf(stderr, "usage: storm [--seconds 1 to 600] [SAS...]   (1,000 to "
				      "10,000,000 each)\n");
		return 2;
	}
	for (int j = i; j < argc; j++)
		run((uint32_t)strtoul(argv[j], NULL, 10), (double)seconds);
	for (size_t j = 0; i == argc && j < ELEMENTSOF(defaults); j++)
		run(defaults[j], (double)seconds);
	return 0;
}
