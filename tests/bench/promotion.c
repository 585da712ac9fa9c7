// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * promotion [SAS...]: how long it takes from the first packet of an idle SA that turns busy until
 * the policy has put it into the NIC, and what the daemon and the kernel spend on sampling, by the
 * number of SAs (default 1,000, 10,000 and 100,000). A NIC with free slots; some SAs are busy all
 * the time, all others are idle. The daemon observes, so that no move takes time.
 *
 * The kernel is not real: a dump takes 2 us for each SA, and a request for one SA 3 us, as on a
 * real one (tools/bench sampling). The time of the daemon is its CPU.
 */
#include "measure.h"
#include "world.h"

#include <stdlib.h>

#define DUMP_TAKES 2e-6
#define REQUEST_TAKES 3e-6
#define BUSY 300
#define TURNED 300     /* SAs that turn busy, one after the other */
#define PAUSE_MAX 20.0 /* s between two of them: at any time between two dumps */
#define WARM_UP 200.0  /* s until all that are busy are in the NIC, by the moves per second */
#define STEP 0.05      /* s */
#define BYTES_PER_SECOND 10e6

/* Those that are busy all the time come first, then those that turn busy. */
static const struct sa *entry_of(const struct world *w, uint32_t number)
{
	const struct sa *sa;

	TAILQ_FOREACH(sa, &w->manager->sas->all, list)
		if (sa->description.id.spi == WORLD_SPI_FIRST + number)
			return sa;
	abort();
}

static void step(struct world *w, uint32_t busy)
{
	double longest = 0;

	for (uint32_t i = 0; i < busy; i++)
		w->kernel.sas[i].bytes += (uint64_t)(BYTES_PER_SECOND * STEP);
	world_run_until(w, world_now(w) + STEP, &longest);
}

static void steps(struct world *w, double seconds, uint32_t busy)
{
	double until = world_now(w) + seconds;

	while (world_now(w) < until)
		step(w, busy);
}

/* s until the SA is in the NIC. */
static double turn_busy(struct world *w, uint32_t number)
{
	const struct sa *sa = entry_of(w, number);
	double begun = world_now(w);

	while (!sa->virtually_resident)
		step(w, number + 1);
	return world_now(w) - begun;
}

static double quantile(const double *sorted, double share)
{
	return sorted[(size_t)(share * (TURNED - 1) + 0.5)];
}

static void run(uint32_t n)
{
	double times[TURNED], begun, cpu, kernel, seconds;
	struct world w;

	world_open(&w, n, n, 1);
	w.kernel.dump_takes = DUMP_TAKES;
	w.kernel.request_takes = REQUEST_TAKES;
	srand(1);
	steps(&w, WARM_UP, BUSY);
	begun = world_now(&w);
	cpu = measure_cpu();
	kernel = w.kernel.taken;
	for (unsigned i = 0; i < TURNED; i++) {
		steps(&w, PAUSE_MAX * rand() / RAND_MAX, BUSY + i);
		times[i] = turn_busy(&w, BUSY + i);
	}
	seconds = world_now(&w) - begun;
	cpu = measure_cpu() - cpu;
	kernel = w.kernel.taken - kernel;
	qsort(times, TURNED, sizeof(*times), measure_compare);
	(void)printf(
		"%7u SAs: in the NIC after %5.2f s (median), %5.2f (90 %%), %5.2f (99 %%), "
		"%5.2f (longest); all SAs are read every %4.1f s; daemon %.2f %% and kernel "
		"%.2f %% of a core\n",
		n, quantile(times, 0.5), quantile(times, 0.9), quantile(times, 0.99),
		times[TURNED - 1],
		sampling_spacing(&w.manager->sampling, w.manager->sas, w.manager->config->interval),
		100 * cpu / seconds, 100 * kernel / seconds);
	world_close(&w);
}

int main(int argc, char **argv)
{
	static const uint32_t defaults[] = {1000, 10000, 100000};

	for (int i = 1; i < argc; i++) {
		char *end;
		unsigned long n = strtoul(argv[i], &end, 10);

		if (*end || n < BUSY + TURNED || n > 10000000) {
			(void)fprintf(stderr,
				      "usage: promotion [SAS...]   (%d to 10,000,000 each)\n",
				      BUSY + TURNED);
			return 2;
		}
		run((uint32_t)n);
	}
	for (size_t i = 0; argc == 1 && i < ELEMENTSOF(defaults); i++)
		run(defaults[i]);
	return 0;
}
