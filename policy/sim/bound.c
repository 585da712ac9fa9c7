/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A bound on the offline optimum, by Lagrangian duality.
 *
 * The optimum chooses for every SA and tick whether it is resident, at most `capacity` of them at a
 * time, so that the offloaded bytes minus the cost of moves are at the maximum. If the limit is
 * replaced by a price of a slot in each tick, every SA can be decided independently, by a two-state
 * Viterbi algorithm over its life, and
 *
 *     D(price) = capacity * sum(price) + sum over SAs of their best value at these prices
 *
 * is an upper bound for any prices >= 0. The smallest D is the optimum itself, since the constraint
 * matrix is a network (slots flow through time), and the relaxation is therefore integral. D is
 * convex, and its subgradient in a tick is the capacity minus the number of SAs that are resident
 * at these prices. So prices follow the demand: by a Polyak step towards a target a little below
 * the best D so far, with momentum.
 *
 * A limit on the number of moves is another price, which is added to the cost of each move.
 *
 * A move costs the same as in sim_account(): F + tau x the rate of the first tick after it. The
 * deletion of an SA costs nothing, as for a policy.
 */
#include "sim/bound.h"

#include "cleanup.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Momentum of the steps. Found by trial, as the next two. */
#define MOMENTUM 0.6
/* The first target is this share below the first value. */
#define FIRST_GAP 0.005
/* Rounds without progress until the target is moved nearer. */
#define PATIENCE 8
/* Bisections of the price of a move. */
#define PRICE_STEPS 9

struct life {
	const float *bytes;
	uint32_t born;
	uint32_t n;
};

struct dual {
	const struct sim_options *options;
	double interval;
	uint32_t n_ticks;
	uint32_t n_lives;
	struct life *lives;
	float *bytes;
	double *costs; /* sim_migration_bytes() */
	double *price;
	double *best_price;
	double *direction;
	double *demand;
	uint8_t *choices;
	double move_price;
	double moves; /* wanted at these prices */
	double best;
	double best_moves;
};

static void dual_done(struct dual *dual)
{
	free(dual->lives);
	free(dual->bytes);
	free(dual->costs);
	free(dual->price);
	free(dual->best_price);
	free(dual->direction);
	free(dual->demand);
	free(dual->choices);
}

/* Converts rows by tick into one dense array per SA. */
static int dual_load_lives(struct dual *dual, const struct sim_trace *trace)
{
	_cleanup_free_ size_t *offsets = calloc(trace->n_sas + 1, sizeof(*offsets));
	size_t total = 0;

	dual->lives = calloc(trace->n_sas + 1, sizeof(*dual->lives));
	if (!offsets || !dual->lives)
		return -ENOMEM;
	for (uint32_t i = 0; i < trace->n_sas; i++) {
		const struct sim_sa *sa = &trace->sas[i];
		uint32_t end = sa->gone < trace->n_ticks ? sa->gone + 1 : trace->n_ticks;

		offsets[i] = total;
		dual->lives[i] = (struct life){.born = sa->born, .n = end - sa->born};
		total += end - sa->born;
	}
	dual->n_lives = trace->n_sas;
	dual->bytes = calloc(total + 1, sizeof(*dual->bytes));
	if (!dual->bytes)
		return -ENOMEM;
	for (uint32_t t = 0; t < trace->n_ticks; t++)
		for (size_t r = trace->tick_rows[t]; r < trace->tick_rows[t + 1]; r++) {
			const struct sim_row *row = &trace->rows[r];

			dual->bytes[offsets[row->sa] + t - trace->sas[row->sa].born] =
				(float)row->bytes;
		}
	for (uint32_t i = 0; i < trace->n_sas; i++)
		dual->lives[i].bytes = dual->bytes + offsets[i];
	return 0;
}

static int compare_down(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x < y) - (x > y);
}

/* Sets the first prices: between the last rate that fits and the first that does not. */
static int dual_first_prices(struct dual *dual, const struct sim_trace *trace)
{
	_cleanup_free_ double *rates = calloc(trace->n_sas + 1, sizeof(*rates));
	uint32_t k = dual->options->capacity;

	if (!rates)
		return -ENOMEM;
	for (uint32_t t = 0; t < trace->n_ticks; t++) {
		size_t n = trace->tick_rows[t + 1] - trace->tick_rows[t];

		for (size_t r = 0; r < n; r++)
			rates[r] = trace->rows[trace->tick_rows[t] + r].bytes;
		qsort(rates, n, sizeof(*rates), compare_down);
		if (k > 0 && n > k)
			dual->price[t] = (rates[k - 1] + rates[k]) / 2;
		else if (k == 0 && n > 0)
			dual->price[t] = rates[0];
	}
	return 0;
}

static int dual_init(struct dual *dual, const struct sim_trace *trace,
		     const struct sim_options *options)
{
	uint32_t n = trace->n_ticks + 1;

	dual->options = options;
	dual->interval = trace->interval;
	dual->n_ticks = trace->n_ticks;
	dual->best = INFINITY;
	dual->price = calloc(n, sizeof(double));
	dual->best_price = calloc(n, sizeof(double));
	dual->direction = calloc(n, sizeof(double));
	dual->demand = calloc(n, sizeof(double));
	dual->choices = malloc(n);
	if (!dual->price || !dual->best_price || !dual->direction || !dual->demand ||
	    !dual->choices || dual_load_lives(dual, trace) < 0)
		return -ENOMEM;
	if (sim_migration_bytes(trace, options, &dual->costs) < 0)
		return -ENOMEM;
	return dual_first_prices(dual, trace);
}

/* The best value of an SA at these prices. Adds its demand. Bit 0 of a choice: if not resident now,
 * it was resident before. Bit 1: if resident now, it was resident before. */
static double life_value(struct dual *dual, const struct life *life)
{
	const double *price = dual->price + life->born;
	const double *costs = dual->costs + life->born;
	double tau = dual->options->migration_seconds / dual->interval;
	double out = 0, in = -INFINITY;
	bool resident;

	for (uint32_t t = 0; t < life->n; t++) {
		double bytes = life->bytes[t];
		double cost = costs[t] + dual->move_price + tau * bytes;
		double leave = in - cost, enter = out - cost;
		bool left = leave > out, stayed = in >= enter;

		dual->choices[t] = (uint8_t)(left | stayed << 1);
		out = left ? leave : out;
		in = (stayed ? in : enter) + bytes - price[t];
	}
	resident = in > out;
	if (!resident && out <= 0)
		return 0;
	for (uint32_t t = life->n; t-- > 0;) {
		bool before = dual->choices[t] >> resident & 1;

		dual->demand[life->born + t] += resident;
		dual->moves += before != resident;
		resident = before;
	}
	return fmax(in, out);
}

/* D at the present prices, without the term of the limit on moves. */
static double dual_value(struct dual *dual)
{
	double value = 0;

	memset(dual->demand, 0, dual->n_ticks * sizeof(*dual->demand));
	dual->moves = 0;
	for (uint32_t t = 0; t < dual->n_ticks; t++)
		value += dual->options->capacity * dual->price[t];
	for (uint32_t i = 0; i < dual->n_lives; i++)
		value += life_value(dual, &dual->lives[i]);
	return value;
}

static void dual_step(struct dual *dual, double distance)
{
	double norm = 0, scale;

	for (uint32_t t = 0; t < dual->n_ticks; t++) {
		double g = dual->options->capacity - dual->demand[t];

		/* A price of zero cannot decrease. */
		if (g > 0 && dual->price[t] <= 0)
			g = 0;
		dual->direction[t] = g + MOMENTUM * dual->direction[t];
		norm += dual->direction[t] * dual->direction[t];
	}
	if (norm <= 0)
		return;
	scale = distance / norm;
	for (uint32_t t = 0; t < dual->n_ticks; t++)
		dual->price[t] = fmax(0, dual->price[t] - scale * dual->direction[t]);
}

/* Descends from the present prices at the present price of moves, and ends with the best prices
 * found. */
static void dual_descend(struct dual *dual, double limit, unsigned rounds)
{
	double gap = 0;
	unsigned stuck = 0;

	dual->best = INFINITY;
	memset(dual->direction, 0, dual->n_ticks * sizeof(*dual->direction));
	for (unsigned round = 0; round < rounds; round++) {
		double value = dual_value(dual) + dual->move_price * limit;

		if (round == 0)
			gap = FIRST_GAP * fabs(value);
		stuck = value < dual->best - 0.05 * gap ? 0 : stuck + 1;
		if (value < dual->best) {
			dual->best = value;
			dual->best_moves = dual->moves;
			memcpy(dual->best_price, dual->price, dual->n_ticks * sizeof(*dual->price));
		}
		if (stuck >= PATIENCE) {
			/* The target is too low: return to the best prices, with a nearer
			 * target. */
			gap /= 2;
			stuck = 0;
			memcpy(dual->price, dual->best_price, dual->n_ticks * sizeof(*dual->price));
			memset(dual->direction, 0, dual->n_ticks * sizeof(*dual->direction));
			value = dual_value(dual) + dual->move_price * limit;
		}
		dual_step(dual, value - dual->best + gap);
	}
	memcpy(dual->price, dual->best_price, dual->n_ticks * sizeof(*dual->price));
}

/* The limit on moves is exceeded: finds the price of a move at which it is not. */
static void dual_price_moves(struct dual *dual, double limit, unsigned rounds,
			     struct sim_bound *bound)
{
	double low = 0, high = 0, price = fmax(1, dual->costs[0]);

	for (unsigned i = 0; i < PRICE_STEPS; i++) {
		dual->move_price = price;
		dual_descend(dual, limit, rounds);
		if (dual->best < bound->net)
			*bound = (struct sim_bound){.net = dual->best, .moves = dual->best_moves};
		if (dual->best_moves > limit)
			low = price;
		else
			high = price;
		price = high > 0 ? (low + high) / 2 : 4 * price;
	}
}

int sim_bound(const struct sim_trace *trace, const struct sim_options *options, unsigned rounds,
	      struct sim_bound *ret_bound)
{
	_cleanup_(dual_done) struct dual dual = {};
	double limit =
		options->moves_burst + options->moves_per_second * trace->interval * trace->n_ticks;
	struct sim_bound bound;
	int r = dual_init(&dual, trace, options);

	if (r < 0)
		return r;
	dual_descend(&dual, limit, rounds);
	bound = (struct sim_bound){.net = dual.best, .moves = dual.best_moves};
	if (bound.moves > limit)
		dual_price_moves(&dual, limit, rounds / 3, &bound);
	*ret_bound = bound;
	return 0;
}
