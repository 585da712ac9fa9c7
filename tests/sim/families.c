/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scenario families. Each is a few lines that set the rates of a tick; the common part (Zipf rates
 * in random order, multiplicative noise, rows) is at the top.
 *
 * Noise is lognormal with a correlation time of 5 s (AR(1) in the exponent, sigma 0.5) unless a
 * family says otherwise. All rates are scaled so that `total` bytes/s are offered on average.
 */
#include "families.h"

#include "cleanup.h"
#include "random.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NOISE_SIGMA 0.5
#define NOISE_SECONDS 5.0

/* The state of a generator. `rate` is the rate of each SA without noise. */
struct maker {
	struct sim_trace *trace;
	const struct family_size *size;
	struct random random;
	double *rate;
	double *noise; /* exponent, AR(1) */
	double *extra; /* state of the family, by SA */
	double *until;
	uint32_t *rank; /* a permutation */
	uint32_t *sa;   /* SA of the trace, by stream */
	double sigma;
	double time; /* end of the current tick */
};

static void maker_done(struct maker *maker)
{
	free(maker->rate);
	free(maker->noise);
	free(maker->extra);
	free(maker->until);
	free(maker->rank);
	free(maker->sa);
}

static int maker_init(struct maker *maker, struct sim_trace *trace, const struct family_size *size,
		      uint64_t seed)
{
	uint32_t n = size->n_sas;

	*maker = (struct maker){.trace = trace, .size = size, .sigma = NOISE_SIGMA};
	maker->random.state = seed * 0x9e3779b97f4a7c15 + 12345;
	maker->rate = calloc(n, sizeof(double));
	maker->noise = calloc(n, sizeof(double));
	maker->extra = calloc(n, sizeof(double));
	maker->until = calloc(n, sizeof(double));
	maker->rank = calloc(n, sizeof(uint32_t));
	maker->sa = calloc(n, sizeof(uint32_t));
	if (!maker->rate || !maker->noise || !maker->extra || !maker->until || !maker->rank ||
	    !maker->sa || sim_trace_next_tick(trace) < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = random_below(&maker->random, i + 1);

		maker->rank[i] = maker->rank[j];
		maker->rank[j] = i;
		maker->noise[i] = random_normal(&maker->random);
		if (sim_trace_add_sa(trace, sim_trace_new_lineage(trace), &maker->sa[i]) < 0)
			return -ENOMEM;
	}
	maker->time = size->interval;
	return 0;
}

static double zipf_sum(uint32_t n, double exponent)
{
	double sum = 0;

	for (uint32_t i = 0; i < n; i++)
		sum += pow(i + 1, -exponent);
	return sum;
}

/* Sets Zipf rates by rank, with the sum `total`. */
static void maker_zipf(struct maker *maker, uint32_t n, double exponent, double total)
{
	double sum = zipf_sum(n, exponent);

	for (uint32_t i = 0; i < maker->size->n_sas; i++) {
		uint32_t rank = maker->rank[i];

		maker->rate[i] = rank < n ? total * pow(rank + 1, -exponent) / sum : 0;
	}
}

/* Advances the noise of one SA by a tick; returns its factor. */
static double maker_noise(struct maker *maker, uint32_t i)
{
	double rho = exp(-maker->size->interval / NOISE_SECONDS);
	double factor = exp(maker->sigma * maker->noise[i] - maker->sigma * maker->sigma / 2);

	maker->noise[i] =
		rho * maker->noise[i] + sqrt(1 - rho * rho) * random_normal(&maker->random);
	return factor;
}

/* Writes the rates of the current tick with noise, and begins the next one unless it was the last.
 * Returns 1 while there are more ticks, 0 at the end, or a negative errno. */
static int maker_tick(struct maker *maker)
{
	double dt = maker->size->interval;

	for (uint32_t i = 0; i < maker->size->n_sas; i++) {
		double bytes = maker->rate[i] * dt;

		if (maker->sigma > 0)
			bytes *= maker_noise(maker, i);
		if (sim_trace_add_row(maker->trace, maker->sa[i], floor(bytes)) < 0)
			return -ENOMEM;
	}
	maker->time += dt;
	if (maker->trace->n_ticks >= maker->size->n_ticks)
		return 0;
	return sim_trace_next_tick(maker->trace) < 0 ? -ENOMEM : 1;
}

/* The number of events of a Poisson process in a tick. */
static uint32_t maker_events(struct maker *maker, double per_second)
{
	double left = maker->size->interval * per_second;
	uint32_t n = 0;

	while ((left -= random_exponential(&maker->random, 1)) > 0)
		n++;
	return n;
}

#define MAKER(variable)                                   \
	_cleanup_(maker_done) struct maker variable;      \
	int r = maker_init(&variable, trace, size, seed); \
	if (r < 0)                                        \
	return r

/* Stationary; the parameter is the exponent. */
static int make_zipf(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		     double exponent)
{
	MAKER(maker);

	maker_zipf(&maker, size->n_sas, exponent, size->total);
	do
		r = maker_tick(&maker);
	while (r > 0);
	return r;
}

static void maker_trade_places(struct maker *maker, uint32_t i, uint32_t j)
{
	uint32_t rank = maker->rank[i];
	double rate = maker->rate[i];

	maker->rank[i] = maker->rank[j];
	maker->rank[j] = rank;
	maker->rate[i] = maker->rate[j];
	maker->rate[j] = rate;
}

/* Zipf 1.0; `per_second` times a second one of the hottest 2K exchanges its rank with any other. */
static int make_churn(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		      double per_second)
{
	MAKER(maker);

	maker_zipf(&maker, size->n_sas, 1.0, size->total);
	do {
		for (uint32_t n = maker_events(&maker, per_second); n > 0; n--) {
			uint32_t i = random_below(&maker.random, size->n_sas);
			uint32_t j = random_below(&maker.random, size->n_sas);

			while (maker.rank[i] >= 2 * size->capacity)
				i = random_below(&maker.random, size->n_sas);
			maker_trade_places(&maker, i, j);
		}
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Zipf 0.9 with a daily cycle of `day` seconds, in four time zones with a little scatter. */
static int make_diurnal(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			double day)
{
	MAKER(maker);

	maker_zipf(&maker, size->n_sas, 0.9, size->total);
	for (uint32_t i = 0; i < size->n_sas; i++) {
		maker.extra[i] = maker.rate[i];
		maker.until[i] = random_below(&maker.random, 4) * M_PI / 2 +
				 0.2 * random_normal(&maker.random);
	}
	do {
		for (uint32_t i = 0; i < size->n_sas; i++)
			maker.rate[i] =
				maker.extra[i] *
				(1 + 0.9 * sin(2 * M_PI * maker.time / day + maker.until[i]));
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* On and off for Pareto times, Zipf 0.8 while on; on average `on` seconds of `on + off`. */
static int make_bursts(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		       double on, double off)
{
	MAKER(maker);

	maker_zipf(&maker, size->n_sas, 0.8, size->total * (on + off) / on);
	for (uint32_t i = 0; i < size->n_sas; i++) {
		bool is_on = random_unit(&maker.random) < on / (on + off);

		maker.extra[i] = maker.rate[i];
		maker.rate[i] *= is_on;
		maker.until[i] =
			random_unit(&maker.random) * random_pareto(&maker.random, is_on ? on : off);
	}
	do {
		for (uint32_t i = 0; i < size->n_sas; i++) {
			double share = 0, from = maker.time - size->interval;

			/* The part of the tick in which it is on. */
			while (maker.until[i] < maker.time) {
				bool was_on = maker.rate[i] > 0;

				share += was_on * (maker.until[i] - from);
				from = maker.until[i];
				maker.rate[i] = was_on ? 0 : maker.extra[i];
				maker.until[i] += random_pareto(&maker.random, was_on ? off : on);
			}
			share += (maker.rate[i] > 0) * (maker.time - from);
			if (sim_trace_add_row(
				    trace, maker.sa[i],
				    floor(maker.extra[i] * share * maker_noise(&maker, i))) < 0)
				return -ENOMEM;
		}
		maker.time += size->interval;
		if (trace->n_ticks >= size->n_ticks)
			return 0;
		r = sim_trace_next_tick(trace);
	} while (r >= 0);
	return r;
}

static int make_pareto_10_90(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			     double parameter)
{
	return make_bursts(trace, size, seed, 10, 90);
}

static int make_pareto_60_240(struct sim_trace *trace, const struct family_size *size,
			      uint64_t seed, double parameter)
{
	return make_bursts(trace, size, seed, 60, 240);
}

static int make_pareto_5_20(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			    double parameter)
{
	return make_bursts(trace, size, seed, 5, 20);
}

static int make_pareto_20_60(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			     double parameter)
{
	return make_bursts(trace, size, seed, 20, 60);
}

/* Two groups of K/2 SAs alternate at the boundary every `period` seconds, one at twice and one at
 * half the mean rate; K/2 strong SAs carry most traffic, the rest little. */
static int make_ping(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		     double period)
{
	MAKER(maker);
	uint32_t half = size->capacity / 2;
	double mean = size->total / size->n_sas;
	double strong = (size->n_sas - 2.5 * half - 0.1 * (size->n_sas - 3.0 * half)) / half;

	do {
		bool turn = fmod(maker.time - size->interval, 2 * period) < period;

		for (uint32_t i = 0; i < size->n_sas; i++) {
			uint32_t rank = maker.rank[i];

			if (rank < half)
				maker.rate[i] = strong * mean;
			else if (rank < 3 * half)
				maker.rate[i] = (rank < 2 * half) == turn ? 2 * mean : mean / 2;
			else
				maker.rate[i] = mean / 10;
		}
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Zipf 1.0 and `per_second` bursts of one tick, at 20 times the mean rate. */
static int make_flood(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		      double per_second)
{
	MAKER(maker);
	double burst = 20 * size->total / size->n_sas;

	maker_zipf(&maker, size->n_sas, 1.0, size->total);
	memcpy(maker.extra, maker.rate, size->n_sas * sizeof(double));
	do {
		memcpy(maker.rate, maker.extra, size->n_sas * sizeof(double));
		for (uint32_t n = maker_events(&maker, per_second); n > 0; n--)
			maker.rate[random_below(&maker.random, size->n_sas)] += burst;
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* A fifth of the SAs carries Zipf 1.0 with more noise; the others send a keepalive of 120 bytes
 * every 20 s. */
static int make_idle(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		     double parameter)
{
	MAKER(maker);
	uint32_t busy = size->n_sas / 5;

	maker.sigma = 0.7;
	maker_zipf(&maker, busy, 1.0, size->total);
	do {
		uint32_t period = (uint32_t)fmax(1, 20 / size->interval);

		for (uint32_t i = 0; i < size->n_sas; i++)
			if (maker.rank[i] >= busy)
				maker.rate[i] = (trace->n_ticks + i) % period ? 0 : 120;
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Flow sizes in bytes and the share of flows up to them, as published with HPCC (SIGCOMM 2019),
 * there after pFabric's web search and Facebook's Hadoop. */
struct size_point {
	double bytes;
	double share;
};
static const struct size_point web_search[] = {
	{0, 0},    {1e4, .15}, {2e4, .2}, {3e4, .3}, {5e4, .4},  {8e4, .53},
	{2e5, .6}, {1e6, .7},  {2e6, .8}, {5e6, .9}, {1e7, .97}, {3e7, 1},
};
static const struct size_point hadoop[] = {
	{0, 0},     {100, .01},  {200, .02}, {300, .05},  {350, .15}, {400, .2},  {500, .3},
	{600, .4},  {700, .5},   {1e3, .6},  {2e3, .67},  {7e3, .7},  {3e4, .72}, {5e4, .82},
	{8e4, .87}, {1.2e5, .9}, {3e5, .95}, {1e6, .975}, {2e6, .99}, {1e7, 1},
};

static double size_at(const struct size_point *points, double share)
{
	const struct size_point *point = points + 1;

	while (point->share < share)
		point++;
	return point[-1].bytes + (share - point[-1].share) / (point->share - point[-1].share) *
					 (point->bytes - point[-1].bytes);
}

static double size_mean(const struct size_point *points, size_t n)
{
	double mean = 0;

	for (size_t i = 1; i < n; i++)
		mean += (points[i].share - points[i - 1].share) *
			(points[i].bytes + points[i - 1].bytes) / 2;
	return mean;
}

/* A flow sends at its rate until it has sent its size; its bytes are added to the ticks that it
 * spans. */
static void tunnel_flow(struct maker *maker, double *bytes, double size, double rate, double start)
{
	double end = start + size / rate, dt = maker->size->interval;

	for (uint32_t t = (uint32_t)(start / dt); t < maker->size->n_ticks && t * dt < end; t++)
		bytes[t] += rate * (fmin(end, (t + 1) * dt) - fmax(start, t * dt));
}

/* Tunnels that carry Poisson flows of these sizes times 100, at lognormal rates around `rate`. */
static int make_tunnels(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			const struct size_point *points, size_t n_points, double rate,
			double exponent)
{
	MAKER(maker);
	_cleanup_free_ double *bytes = calloc((size_t)size->n_sas * size->n_ticks, sizeof(double));
	double mean = 100 * size_mean(points, n_points);

	if (!bytes)
		return -ENOMEM;
	maker_zipf(&maker, size->n_sas, exponent, size->total);
	for (uint32_t i = 0; i < size->n_sas; i++) {
		/* Flows that began before the trace are still active. */
		double time = -60;

		for (;;) {
			double flow, speed;

			time += random_exponential(&maker.random, mean / maker.rate[i]);
			if (time >= size->n_ticks * size->interval)
				break;
			flow = 100 * size_at(points, random_unit(&maker.random));
			speed = random_lognormal(&maker.random, rate, 0.5);
			if (time < 0) {
				flow += speed * time;
				if (flow <= 0)
					continue;
			}
			tunnel_flow(&maker, bytes + (size_t)i * size->n_ticks, flow, speed,
				    fmax(0, time));
		}
	}
	for (uint32_t t = 0;; t++) {
		for (uint32_t i = 0; i < size->n_sas; i++)
			if (sim_trace_add_row(trace, maker.sa[i],
					      floor(bytes[(size_t)i * size->n_ticks + t])) < 0)
				return -ENOMEM;
		if (trace->n_ticks >= size->n_ticks)
			return 0;
		if (sim_trace_next_tick(trace) < 0)
			return -ENOMEM;
	}
}

static int make_hadoop(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		       double parameter)
{
	return make_tunnels(trace, size, seed, hadoop, ELEMENTSOF(hadoop), 20e6, 1.0);
}

static int make_web_search(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			   double parameter)
{
	return make_tunnels(trace, size, seed, web_search, ELEMENTSOF(web_search), 50e6, 0.9);
}

/* Zipf 1.0 over identities, each with a new SPI every `life` seconds (+-10 %); the old one stays
 * for 5 s and carries nothing. */
static int make_rekey(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		      double life)
{
	MAKER(maker);
	uint32_t overlap = (uint32_t)fmax(1, 5 / size->interval);
	_cleanup_free_ uint32_t *old = calloc(size->n_sas, sizeof(*old));
	_cleanup_free_ uint32_t *old_left = calloc(size->n_sas, sizeof(*old_left));

	if (!old || !old_left)
		return -ENOMEM;
	maker_zipf(&maker, size->n_sas, 1.0, size->total);
	for (uint32_t i = 0; i < size->n_sas; i++)
		maker.until[i] = life * random_unit(&maker.random);
	do {
		for (uint32_t i = 0; i < size->n_sas; i++) {
			if (old_left[i] > 0 && --old_left[i] == 0)
				sim_trace_end_sa(trace, old[i]);
			/* The new SA is added at the end of the tick, and carries traffic from the
			 * next one on. */
			if (maker.extra[i] > 0) {
				old[i] = maker.sa[i];
				old_left[i] = overlap;
				maker.sa[i] = (uint32_t)maker.extra[i];
				maker.extra[i] = 0;
			}
			if (maker.until[i] >= maker.time || trace->n_ticks == size->n_ticks)
				continue;
			maker.until[i] += life * (0.9 + 0.2 * random_unit(&maker.random));
			uint32_t sa;
			if (sim_trace_add_sa(trace, trace->sas[maker.sa[i]].lineage, &sa) < 0)
				return -ENOMEM;
			maker.extra[i] = sa;
		}
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Half of the load is Zipf 1.0 on long-lived SAs, half is on new SAs, two per second, with Pareto
 * lifetimes of 60 s on average. */
static int make_shortlived(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
			   double mean_life)
{
	MAKER(maker);
	double per_second = 2;
	uint32_t n = 0,
		 allocated = (uint32_t)(per_second * size->n_ticks * size->interval * 2) + 64;
	_cleanup_free_ uint32_t *sas = calloc(allocated, sizeof(*sas));
	_cleanup_free_ double *rates = calloc(allocated, sizeof(*rates));
	_cleanup_free_ double *ends = calloc(allocated, sizeof(*ends));

	if (!sas || !rates || !ends)
		return -ENOMEM;
	maker_zipf(&maker, size->n_sas, 1.0, size->total / 2);
	do {
		for (uint32_t k = maker_events(&maker, per_second); k > 0 && n < allocated; k--) {
			if (sim_trace_add_sa(trace, sim_trace_new_lineage(trace), &sas[n]) < 0)
				return -ENOMEM;
			rates[n] = random_lognormal(&maker.random,
						    size->total / 2 / per_second / mean_life, 0.8);
			ends[n++] = maker.time + random_pareto(&maker.random, mean_life);
		}
		for (uint32_t i = 0; i < n; i++) {
			double bytes =
				rates[i] * size->interval * random_lognormal(&maker.random, 1, 0.3);

			if (sim_trace_add_row(trace, sas[i], floor(bytes)) < 0)
				return -ENOMEM;
			if (ends[i] > maker.time)
				continue;
			sim_trace_end_sa(trace, sas[i]);
			n--;
			sas[i] = sas[n];
			rates[i] = rates[n];
			ends[i] = ends[n];
			i--;
		}
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* The policy was not tuned on the following scenarios. */

/* Random walks: log rates drift, so that ranks change slowly and permanently. */
static int make_drift(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		      double per_sqrt_second)
{
	MAKER(maker);
	double sum = 0;

	for (uint32_t i = 0; i < size->n_sas; i++)
		maker.extra[i] = 1.5 * random_normal(&maker.random);
	do {
		sum = 0;
		for (uint32_t i = 0; i < size->n_sas; i++) {
			/* The pull back to the mean is so slow that it has an effect only over the
			 * hour. */
			maker.extra[i] += per_sqrt_second * random_normal(&maker.random) -
					  per_sqrt_second * per_sqrt_second / 4.5 * maker.extra[i];
			maker.rate[i] = exp(maker.extra[i]);
			sum += maker.rate[i];
		}
		for (uint32_t i = 0; i < size->n_sas; i++)
			maker.rate[i] *= size->total / sum;
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Backups: each SA has little traffic and sometimes sends a long job of 5 to 15 minutes. */
static int make_jobs(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		     double jobs_at_once)
{
	MAKER(maker);
	double duration = 600, each = 0.8 * size->total / jobs_at_once;

	maker_zipf(&maker, size->n_sas, 0.7, 0.2 * size->total);
	memcpy(maker.extra, maker.rate, size->n_sas * sizeof(double));
	do {
		for (uint32_t n = maker_events(&maker, jobs_at_once / duration); n > 0; n--)
			maker.until[random_below(&maker.random, size->n_sas)] =
				maker.time + duration * (0.5 + random_unit(&maker.random));
		for (uint32_t i = 0; i < size->n_sas; i++)
			maker.rate[i] = maker.extra[i] + (maker.until[i] > maker.time ? each : 0);
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Calls: many similar SAs with constant rates, on and off for exponential times of minutes. There
 * is no useful ranking. */
static int make_calls(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		      double mean)
{
	MAKER(maker);
	double rate = size->total / (0.25 * size->n_sas);

	maker.sigma = 0.1;
	for (uint32_t i = 0; i < size->n_sas; i++) {
		maker.rate[i] = random_below(&maker.random, 4) ? 0 : rate;
		maker.until[i] =
			random_exponential(&maker.random, maker.rate[i] > 0 ? mean : 3 * mean);
	}
	do {
		for (uint32_t i = 0; i < size->n_sas; i++) {
			if (maker.until[i] > maker.time)
				continue;
			maker.rate[i] = maker.rate[i] > 0 ? 0 : rate;
			maker.until[i] += random_exponential(&maker.random,
							     maker.rate[i] > 0 ? mean : 3 * mean);
		}
		r = maker_tick(&maker);
	} while (r > 0);
	return r;
}

/* Zipf 1.0 with much noise, sigma 1. */
static int make_noisy(struct sim_trace *trace, const struct family_size *size, uint64_t seed,
		      double sigma)
{
	MAKER(maker);

	maker.sigma = sigma;
	maker_zipf(&maker, size->n_sas, 1.0, size->total);
	do
		r = maker_tick(&maker);
	while (r > 0);
	return r;
}

const struct family families[] = {
	{"zipf-0.8", "stationary", true, make_zipf, 0.8},
	{"zipf-1.0", "stationary", true, make_zipf, 1.0},
	{"zipf-1.3", "stationary", true, make_zipf, 1.3},
	{"churn-slow", "ranks change every 10 s", true, make_churn, 0.1},
	{"churn-fast", "ranks change twice a second", true, make_churn, 2},
	{"diurnal", "four time zones", true, make_diurnal, 3600},
	{"pareto-10/90", "bursts of 10 s", true, make_pareto_10_90, 0},
	{"pareto-60/240", "bursts of a minute", true, make_pareto_60_240, 0},
	{"hadoop", "tunnels of Hadoop flows", true, make_hadoop, 0},
	{"web-search", "tunnels of web search flows", true, make_web_search, 0},
	{"ping-2", "turns at the boundary every 2 s", true, make_ping, 2},
	{"ping-8", "every 8 s", true, make_ping, 8},
	{"ping-32", "every 32 s", true, make_ping, 32},
	{"flood", "bursts of a second", true, make_flood, 5},
	{"idle-80", "four fifths only keep alive", true, make_idle, 0},
	{"rekey-600", "an SPI lives for ten minutes", true, make_rekey, 600},
	{"short-lived", "SAs that live for a minute", true, make_shortlived, 60},
	{"pareto-5/20", "bursts of 5 s", false, make_pareto_5_20, 0},
	{"pareto-20/60", "bursts of 20 s", false, make_pareto_20_60, 0},
	{"ping-16", "turns every 16 s", false, make_ping, 16},
	{"drift", "random walks", false, make_drift, 0.02},
	{"jobs", "backups of ten minutes", false, make_jobs, 100},
	{"calls", "alike, on and off for minutes", false, make_calls, 120},
	{"noisy", "Zipf 1.0 under much noise", false, make_noisy, 1},
	{"churn-medium", "ranks change every other second", false, make_churn, 0.5},
	{},
};

struct family_size family_size_default(void)
{
	return (struct family_size){
		.n_sas = 1024, .capacity = 128, .n_ticks = 3600, .interval = 1, .total = 5e9};
}

int family_generate(const struct family *family, const struct family_size *size, uint64_t seed,
		    struct sim_trace **ret_trace)
{
	struct sim_trace *trace;
	int r = sim_trace_new(size->interval, size->interval, &trace);

	if (r < 0)
		return r;
	r = family->generate(trace, size, seed, family->parameter);
	if (r >= 0)
		r = sim_trace_finish(trace);
	if (r < 0) {
		sim_trace_free(trace);
		return r;
	}
	*ret_trace = trace;
	return 0;
}
