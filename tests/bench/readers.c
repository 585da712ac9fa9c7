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
#include "control/control.h"
#include "control/methods.h"
#include "measure.h"
#include "world.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READERS 200
/* Dumps of very many SAs are 10 s apart. */
#define SECONDS 12.0
#define BUSY_PART 20
#define MOVE_USEC 10000u
#define STATUS_SECONDS 0.02
#define STATUS_MAX 4096
/* Sent at once; the daemon answers one after the other. */
#define LISTS 40

static const char list_request[] = "{\"method\":\"io.espoffload.ListSAs\","
				   "\"parameters\":{\"history\":true},\"more\":true}";
static const char status_request[] = "{\"method\":\"io.espoffload.GetStatus\"}";

struct bench {
	struct world world;
	struct methods methods;
	sd_event *event;
	struct control *control;
	char directory[32];
	char path[64];

	double ticked;
	double longest_interval, latest_move, longest_tick, longest_turn; /* s */
	double statuses[STATUS_MAX];                                      /* s */
	size_t n_statuses;
	_Atomic size_t bytes; /* that readers got */
	atomic_bool end;
};

static void need(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec time;

	(void)clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* ---- The daemon ---- */

/* Then some SAs carry something until the next. */
static void note_tick(struct bench *b, double ticked)
{
	if (b->ticked > 0)
		b->longest_interval = fmax(b->longest_interval, ticked - b->ticked);
	b->ticked = ticked;
	for (uint32_t i = 0; i < b->world.kernel.n; i += BUSY_PART)
		b->world.kernel.sas[i].bytes += 1000000;
}

static int on_move(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct bench *b = userdata;

	b->latest_move = fmax(b->latest_move, now() - (double)usec / 1e6);
	(void)sd_event_source_set_time_relative(source, MOVE_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void open_daemon(struct bench *b, uint32_t n)
{
	struct control_settings settings = control_settings_default;
	sd_event_source *moves = NULL;

	settings.clients_max = READERS + 8;
	settings.clients_root = 0;
	settings.clients_per_user_max = settings.clients_max;
	world_open(&b->world, n, n, 1);
	b->methods.manager = b->world.manager;
	need(mkdtemp(b->directory) != NULL, b->directory);
	(void)snprintf(b->path, sizeof(b->path), "%s/socket", b->directory);
	need(sd_event_new(&b->event) >= 0 &&
		     schedule_attach(&b->world.manager->schedule, b->event) >= 0 &&
		     sd_event_add_time_relative(b->event, &moves, CLOCK_MONOTONIC, MOVE_USEC, 1,
						on_move, b) >= 0 &&
		     sd_event_source_set_priority(moves, SD_EVENT_PRIORITY_IDLE) >= 0 &&
		     sd_event_source_set_floating(moves, true) >= 0,
	     "event loop");
	sd_event_source_unref(moves);
	need(control_new_with(b->event, b->path, methods_table, methods_count, &b->methods,
			      &settings, &b->control) >= 0,
	     "control socket");
}

static void close_daemon(struct bench *b)
{
	control_free(b->control);
	rankings_release(&b->methods.rankings);
	world_close(&b->world);
	sd_event_unref(b->event);
	(void)rmdir(b->directory);
}

static void run_daemon(struct bench *b, double seconds)
{
	double end = now() + seconds;

	b->ticked = b->longest_interval = b->latest_move = b->longest_tick = b->longest_turn = 0;
	while (now() < end) {
		double begun, *due = &b->world.manager->schedule.due[MANAGER_TICK], was_due, took;

		need(sd_event_prepare(b->event) >= 0, "event loop");
		if (sd_event_get_state(b->event) == SD_EVENT_ARMED &&
		    sd_event_wait(b->event, 100000) <= 0)
			continue;
		begun = now();
		was_due = *due;
		need(sd_event_dispatch(b->event) >= 0, "event loop");
		took = now() - begun;
		if (was_due <= begun && *due > was_due) {
			b->longest_tick = fmax(b->longest_tick, took);
			note_tick(b, begun);
		} else {
			b->longest_turn = fmax(b->longest_turn, took);
		}
	}
}

/* ---- Its clients, each kind in a thread ---- */

static int dial(const struct bench *b)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", b->path);
	need(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, b->path);
	return fd;
}

static void *ask_for_status(void *userdata)
{
	const struct timespec wait = {.tv_nsec = (long)(STATUS_SECONDS * 1e9)};
	struct bench *b = userdata;
	int fd = dial(b);

	b->n_statuses = 0;
	while (!b->end && b->n_statuses < STATUS_MAX) {
		double asked = now();
		char text[8192] = "x";
		ssize_t n = 0;

		need(send(fd, status_request, sizeof(status_request), MSG_NOSIGNAL) > 0, "status");
		do
			n = recv(fd, text, sizeof(text), 0);
		while (n > 0 && text[n - 1] != '\0');
		if (n <= 0)
			break;
		b->statuses[b->n_statuses++] = now() - asked;
		(void)nanosleep(&wait, NULL);
	}
	(void)close(fd);
	return NULL;
}

static void *read_lists(void *userdata)
{
	static char text[256 * 1024];
	struct bench *b = userdata;
	struct pollfd fds[READERS];

	for (size_t i = 0; i < READERS; i++) {
		fds[i] = (struct pollfd){.fd = dial(b), .events = POLLIN};
		for (size_t j = 0; j < LISTS; j++)
			need(send(fds[i].fd, list_request, sizeof(list_request), MSG_NOSIGNAL) > 0,
			     "list");
	}
	while (!b->end) {
		(void)poll(fds, READERS, 100);
		for (size_t i = 0; i < READERS; i++) {
			ssize_t n = fds[i].revents ? recv(fds[i].fd, text, sizeof(text), 0) : 0;

			need(n > 0 || !fds[i].revents, "reader");
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
	pthread_t status, reader;

	b->end = false;
	b->bytes = 0;
	need(pthread_create(&status, NULL, ask_for_status, b) == 0, "thread");
	need(!readers || pthread_create(&reader, NULL, read_lists, b) == 0, "thread");
	run_daemon(b, SECONDS);
	grown = measure_resident_set() - before;
	b->end = true;
	if (readers)
		(void)pthread_join(reader, NULL);
	/* The last status is still to be answered. */
	while (pthread_tryjoin_np(status, NULL) != 0)
		(void)sd_event_run(b->event, 1000);
	qsort(b->statuses, b->n_statuses, sizeof(double), measure_compare);
	(void)printf(
		"%7u SAs, %3u readers: ticks %5.2f, moves %6.1f ms, status %6.2f and %6.1f ms, "
		"tick %6.1f ms, turn %6.1f ms, memory %+6.1f MB, %5.1f MB/s read\n",
		b->world.kernel.n, readers ? READERS : 0,
		b->longest_interval / b->world.manager->config->interval, b->latest_move * 1e3,
		b->n_statuses ? b->statuses[b->n_statuses / 2] * 1e3 : NAN,
		b->n_statuses ? b->statuses[b->n_statuses - 1] * 1e3 : NAN, b->longest_tick * 1e3,
		b->longest_turn * 1e3, grown / 1e6, (double)b->bytes / 1e6 / SECONDS);
}

static void run(uint32_t n)
{
	struct bench b = {.directory = "/tmp/bench-readers-XXXXXX"};

	open_daemon(&b, n);
	measure(&b, false);
	measure(&b, true);
	close_daemon(&b);
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
