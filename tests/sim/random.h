/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeded random numbers: the same on every machine.
 */
#pragma once

#include <math.h>
#include <stdint.h>

struct random {
	uint64_t state;
	double spare; /* the second of a pair of normal numbers */
	int has_spare;
};

static inline uint64_t random_next(struct random *random) /* splitmix64 */
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* In (0, 1]. */
static inline double random_unit(struct random *random)
{
	return ((double)(random_next(random) >> 11) + 1) * 0x1p-53;
}

static inline uint32_t random_below(struct random *random, uint32_t n)
{
	return (uint32_t)(random_next(random) % n);
}

static inline double random_normal(struct random *random) /* Marsaglia's polar method */
{
	double u, v, s;

	if (random->has_spare) {
		random->has_spare = 0;
		return random->spare;
	}
	do {
		u = 2 * random_unit(random) - 1;
		v = 2 * random_unit(random) - 1;
		s = u * u + v * v;
	} while (s >= 1 || s <= 0);
	s = sqrt(-2 * log(s) / s);
	random->spare = v * s;
	random->has_spare = 1;
	return u * s;
}

static inline double random_exponential(struct random *random, double mean)
{
	return -mean * log(random_unit(random));
}

/* Pareto with shape 1.5: infinite variance, mean three times the minimum. */
static inline double random_pareto(struct random *random, double mean)
{
	return mean / 3 * pow(random_unit(random), -1 / 1.5);
}

/* Lognormal with the mean given. */
static inline double random_lognormal(struct random *random, double mean, double sigma)
{
	return mean * exp(sigma * random_normal(random) - sigma * sigma / 2);
}
