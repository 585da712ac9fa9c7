// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * scale [--births N] [SAS...]: what the daemon costs by the number of SAs (default 1,000, 10,000
 * and 100,000), over a kernel that costs next to nothing. Each cost is CPU time, the median of
 * several, per SA or per event; beside the costs that must not grow with the number of SAs stands
 * their ratio to the same at the first number.
 *
 *   memory     slope of the resident set, from no SA to all of them idle
 *   idle       a tick in which no counter moved, per SA
 *   busy       a tick in which 5 % of them carried something, per SA
 *   event      an SA is deleted and another made, in pairs as IKE daemons do, per event; all that
 *              follows until the next tick is counted
 *   status     a request for the status, without the connection
 *   flush      the tick after all SAs went without an event: how many are left after it
 *
 * With --births, instead: the resident set after 100,000 SAs, a million, and so on up to N were
 * made and deleted, beside so many that stay.
 */
#include "control/methods.h"
#include "measure.h"
#include "world.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPEATED 9
/* Events come in pairs, so many a second. */
#define PAIRS 200
#define PAIRS_PER_SECOND 20.0
#define BUSY_PART 20

/* A tick that reads all SAs at once. sampling.few stays as it is: the NICs of idle SAs are looked
 * up up to that number. */
static void tick(struct world *w)
{
	w->manager->sampling.dump_at = 0;
	w->manager->sampling.slice = INFINITY;
	manager_tick(w->manager);
}

/* The CPU of a tick, in s. `step` SAs apart, each SA carries a megabyte before it. 0: none does. */
static double cost_of_a_tick(struct world *w, uint32_t step)
{
	double costs[REPEATED], longest = 0;

	for (unsigned i = 0; i < REPEATED; i++) {
		double begun;

		for (uint32_t j = 0; step > 0 && j < w->kernel.n; j += step)
			w->kernel.sas[j].bytes += 1000000;
		world_run_until(w, world_now(w) + 0.9, &longest);
		begun = measure_cpu();
		tick(w);
		costs[i] = measure_cpu() - begun;
	}
	return measure_median(costs, REPEATED);
}

static double cost_of_an_event(struct world *w, uint32_t n)
{
	double costs[REPEATED], longest = 0;

	for (unsigned i = 0; i < REPEATED; i++) {
		double begun = measure_cpu();

		schedule_cancel(&w->manager->schedule, MANAGER_TICK);
		for (unsigned j = 0; j < PAIRS; j++) {
			/* In turn, those that exist are deleted and the others are made. */
			uint32_t sa = (i * PAIRS + j) % (n / 2) * 2;

			for (uint32_t k = sa; k < sa + 2; k++) {
				if (w->kernel.sas[k].alive)
					world_delete(w, k);
				else
					world_make(w, k);
			}
			(void)manager_read_events(w->manager);
			world_run_until(w, world_now(w) + 1 / PAIRS_PER_SECOND, &longest);
		}
		costs[i] = (measure_cpu() - begun) / (2 * PAIRS);
	}
	return measure_median(costs, REPEATED);
}

static double cost_of_status(struct world *w)
{
	double costs[REPEATED];

	for (unsigned i = 0; i < REPEATED; i++) {
		double begun = measure_cpu();
		const char *error = NULL;
		struct methods methods = {.manager = w->manager};
		json_t *reply = NULL;

		if (method_get_status(NULL, &methods, &reply, &error) < 0)
			abort();
		json_decref(reply);
		costs[i] = measure_cpu() - begun;
	}
	return measure_median(costs, REPEATED);
}

static size_t left_after_flush(struct world *w)
{
	for (uint32_t i = 0; i < w->kernel.n; i++)
		w->kernel.sas[i].alive = false;
	tick(w);
	return w->manager->sas->n;
}

/* SAs are made, and deleted when `n` more have been. Each carries something once. */
static void run_births(uint32_t n, uint64_t births)
{
	double longest = 0;
	uint64_t next = 100000;
	struct world w;

	world_open(&w, 2 * n, n, 1);
	for (uint64_t i = 1; i <= births; i++) {
		uint32_t made = (uint32_t)((i + n) % (2 * n)), deleted = (uint32_t)(i % (2 * n));

		world_make(&w, made);
		world_delete(&w, deleted);
		w.kernel.sas[(i + n / 2) % (2 * n)].bytes += 1000;
		if (i % 100 == 0) {
			(void)manager_read_events(w.manager);
			world_run_until(&w, world_now(&w) + 0.01, &longest);
		}
		if (i != next)
			continue;
		(void)printf("%7u SAs: %9llu births, resident set %.0f kB, %zu known\n", n,
			     (unsigned long long)i, measure_resident_set() / 1e3,
			     w.manager->sas->n);
		(void)fflush(stdout);
		next *= 10;
	}
	world_close(&w);
}

struct costs {
	double event, status;
};

static void run(uint32_t n, struct costs *first)
{
	double empty = measure_resident_set(), memory, idle, busy;
	struct costs costs;
	struct world w;

	world_open(&w, n, 0, 1);
	for (uint32_t i = 0; i < n; i++)
		w.kernel.sas[i].alive = true;
	tick(&w);
	memory = (measure_resident_set() - empty) / n;
	idle = cost_of_a_tick(&w, 0);
	busy = cost_of_a_tick(&w, BUSY_PART);
	costs.event = cost_of_an_event(&w, n);
	costs.status = cost_of_status(&w);
	if (first->event == 0)
		*first = costs;
	(void)printf(
		"%7u SAs: memory %6.0f B/SA, idle %6.3f us/SA, busy %6.3f us/SA, event %9.2f us "
		"(%.2f), status %9.1f us (%.2f), flush leaves %zu\n",
		n, memory, idle / n * 1e6, busy / n * 1e6, costs.event * 1e6,
		costs.event / first->event, costs.status * 1e6, costs.status / first->status,
		left_after_flush(&w));
	world_close(&w);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};
	struct costs first = {};
	unsigned long births = 0;
	int from = 1;

	if (argc > 2 && strcmp(argv[1], "--births") == 0) {
		births = strtoul(argv[2], NULL, 10);
		from = 3;
	}
	for (int i = from; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < 2 || n > 10000000) {
			(void)fprintf(
				stderr,
				"usage: scale [--births N] [SAS...]   (2 to 10,000,000 each)\n");
			return 2;
		}
		births > 0 ? run_births((uint32_t)n, births) : run((uint32_t)n, &first);
	}
	for (size_t i = 0; from == argc && i < ELEMENTSOF(defaults); i++)
		births > 0 ? run_births(defaults[i], births) : run(defaults[i], &first);
	return 0;
}
