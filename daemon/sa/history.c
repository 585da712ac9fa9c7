// SPDX-License-Identifier: GPL-2.0-or-later
#include "sa/history.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* 255 means 4 GB/s and more. */
uint8_t history_encode(double bytes_per_second)
{
	double step;

	if (!(bytes_per_second >= 1.0))
		return 0;
	step = 1.0 + 8.0 * log2(bytes_per_second);
	return step > 255.0 ? 255 : (uint8_t)step;
}

double history_decode(uint8_t sample)
{
	return sample == 0 ? 0.0 : exp2((sample - 0.5) / 8.0);
}

static bool is_empty(const struct sa_history *history)
{
	static const uint8_t zero[CONTROL_HISTORY_SAMPLES];

	return memcmp(history->samples, zero, sizeof(zero)) == 0;
}

void sa_history_set(struct sa_history **history, uint64_t number, double bytes_per_second)
{
	uint8_t sample = history_encode(bytes_per_second);
	struct sa_history *h = *history;

	if (!h && sample == 0)
		return;
	if (!h) {
		h = calloc(1, sizeof(*h));
		if (!h)
			return;
		h->last = number;
		*history = h;
	}
	if (number - h->last >= CONTROL_HISTORY_SAMPLES)
		memset(h->samples, sample, sizeof(h->samples));
	else
		for (uint64_t i = h->last + 1; i < number; i++)
			h->samples[i % CONTROL_HISTORY_SAMPLES] = sample;
	h->last = number;
	h->samples[number % CONTROL_HISTORY_SAMPLES] = sample;
	if (sample == 0 && is_empty(h)) {
		free(h);
		*history = NULL;
	}
}

double sa_history_get(const struct sa_history *history, uint64_t number)
{
	if (!history || number > history->last || history->last - number >= CONTROL_HISTORY_SAMPLES)
		return 0;
	return history_decode(history->samples[number % CONTROL_HISTORY_SAMPLES]);
}
