// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * readers [SAS...]: whether those who read all SAs disturb the daemon (default 1,000, 10,000 and
 * 100,000 SAs). A manager and the control socket in one event loop, for some seconds without
 * readers and for some with 200 of them, who list all SAs with history again and again. Each time:
 *
 *   ticks      the longest time from the start of a tick to that of the next, in intervals
 *   moves      how late work of the priority of moves, due every 10 ms, was at most
 *   status     the time until another client has its status: median and longest
 *   tick       the longest tick, for which all others wait
 *   turn       the longest other turn of the event loop
 *   memory     how much the resident set grew, with the buffers of the sockets' readers
 */
#include "measure.h"
#include "service.h"

#include <math.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#define READERS 200
/* Dumps of very many SAs are 10 s apart. */
#define SECONDS 12.0
#define BUSY_PART 20
#define MOVE_USEC 10000u
/* Sent at once; the daemon answers one after the other. */
#define LISTS 40

static const char list_request[] = "{\"method\":\"io.espoffload.ListSAs\","
				   "\"parameters\":{\"history\":true},\"more\":true}";

struct bench {
	struct service service;
	double ticked;
	double longest_interval, latest_move, longest_tick, longest_turn; /* s */
	_Atomic size_t bytes;                                             /* that readers got */
};

/* ---- The daemon ---- */

/* Then some SAs carry something until the next. */
static void note_tick(struct bench *b, double ticked)
{
	if (b->ticked > 0)
		b->longest_interval = fmax(b->longest_interval, ticked - b->ticked);
	b->ticked = ticked;
	for (uint32_t i = 0; i < b->service.world.kernel.n; i += BUSY_PART)
		b->service.world.kernel.sas[i].bytes += 1000000;
}

static int on_move(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bench *b = userdata;

	b->latest_move = fmax(b->latest_move, measure_now() - (double)usec / 1e6);
	(void)sd_event_source_set_time_relative(source, MOVE_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void open_daemon(struct bench *b, uint32_t n)
{
	sd_event_source *moves = NULL;

	service_open(&b->service, n, n);
	service_need(sd_event_add_time_relative(b->service.event, &moves, CLOCK_MONOTONIC,
						MOVE_USEC, 1, on_move, b) >= 0 &&
			     sd_event_source_set_priority(moves, SD_EVENT_PRIORITY_IDLE) >= 0 &&
			     sd_event_source_set_floating(moves, true) >= 0,
		     "event loop");
	sd_event_source_unref(moves);
}

static void run_daemon(struct bench *b, double seconds)
{
	double end = measure_now() + seconds;

	b->ticked = b->longest_interval = b->latest_move = b->longest_tick = b->longest_turn = 0;
	while (measure_now() < end) {
		double begun, *due = &b->service.world.manager->schedule.due[MANAGER_TICK], was_due,
			      took;

		if (!service_wait(&b->service, 100000))
			continue;
		begun = measure_now();
		was_due = *due;
		service_dispatch(&b->service);
		took = measure_now() - begun;
		if (was_due <= begun && *due > was_due) {
			b->longest_tick = fmax(b->longest_tick, took);
			note_tick(b, begun);
		} else {
			b->longest_turn = fmax(b->longest_turn, took);
		}
	}
}

/* ---- Its readers, in a thread ---- */

static void *read_lists(void *userdata)
{
	static char text[256 * 1024];
	struct bench *b = userdata;
	struct pollfd fds[READERS];

	for (size_t i = 0; i < READERS; i++) {
		fds[i] = (struct pollfd){.fd = service_dial(&b->service), .events = POLLIN};
		for (size_t j = 0; j < LISTS; j++)
			service_need(send(fds[i].fd, list_request, sizeof(list_request),
					  MSG_NOSIGNAL) > 0,
				     "list");
	}
	while (!b->service.end) {
		(void)poll(fds, READERS, 100);
		for (size_t i = 0; i < READERS; i++) {
			ssize_t n = fds[i].revents ? recv(fds[i].fd, text, sizeof(text), 0) : 0;

			service_need(n > 0 || !fds[i].revents, "reader");
			b->bytes += (size_t)n;
		}
	}
	for (size_t i = 0; i < READERS; i++)
		(void)close(fds[i].fd);
	return NULL;
}

static void measure(struct bench *b, bool readers)
{
	double before = measure_resident_set(), grown;
	pthread_t reader;

	b->bytes = 0;
	service_begin_asking(&b->service);
	service_need(!readers || pthread_create(&reader, NULL, read_lists, b) == 0, "thread");
	run_daemon(b, SECONDS);
	grown = measure_resident_set() - before;
	service_end_asking(&b->service);
	if (readers)
		(void)pthread_join(reader, NULL);
	(void)printf(
		"%7u SAs, %3u readers: ticks %5.2f, moves %6.1f ms, status %6.2f and %6.1f ms, "
		"tick %6.1f ms, turn %6.1f ms, memory %+6.1f MB, %5.1f MB/s read\n",
		b->service.world.kernel.n, readers ? READERS : 0,
		b->longest_interval / b->service.world.manager->config->interval,
		b->latest_move * 1e3, service_status(&b->service, 0.5) * 1e3,
		service_status(&b->service, 1) * 1e3, b->longest_tick * 1e3, b->longest_turn * 1e3,
		grown / 1e6, (double)b->bytes / 1e6 / SECONDS);
}

static void run(uint32_t n)
{
	static struct bench b;

	open_daemon(&b, n);
	measure(&b, false);
	measure(&b, true);
	service_close(&b.service);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};

	for (int i = 1; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < 1 || n > 10000000) {
			(void)fprintf(stderr, "usage: readers [SAS...]   (1 to 10,000,000 each)\n");
			return 2;
		}
		run((uint32_t)n);
	}
	for (size_t i = 0; argc == 1 && i < ELEMENTSOF(defaults); i++)
		run(defaults[i]);
	return 0;
}
