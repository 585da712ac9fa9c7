/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Any bytes as a trace for `simulate`. A trace is either accepted, with rows in order and SAs that
 * exist while they carry traffic, or refused with a message.
 */
#include "cleanup.h"
#include "simulate/trace.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* With this interval distant times do not give millions of ticks. */
#define INTERVAL 1e12

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Leaves out the SAs of one NIC, and counts them. */
static bool select_sa(void *userdata, const struct sa_description *sa, const char *nic)
{
	size_t *n_left_out = userdata;
	bool left_out = nic && strcmp(nic, "eth1") == 0;

	(void)sa;
	*n_left_out += left_out;
	return !left_out;
}

static void check_descriptions(const struct simulate_trace *trace)
{
	for (uint32_t i = 0; i < trace->trace->n_sas; i++) {
		const struct sa_description *sa = simulate_trace_description(trace, i);

		check(!sa || sa->id.family == AF_INET || sa->id.family == AF_INET6);
		check(!sa || sa->direction <= SA_DIRECTION_OUT);
	}
}

static void check_trace(const struct sim_trace *trace)
{
	size_t last = 0;

	check(trace->n_ticks > 0);
	for (uint32_t t = 0; t < trace->n_ticks; t++) {
		check(trace->tick_rows[t] == last || t == 0);
		last = trace->tick_rows[t + 1];
		for (size_t r = trace->tick_rows[t]; r < last; r++) {
			const struct sim_row *row = &trace->rows[r];

			check(row->sa < trace->n_sas && row->bytes > 0);
			check(trace->sas[row->sa].born <= t && trace->sas[row->sa].gone >= t);
		}
	}
	check(last == trace->n_rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(simulate_trace_freep) struct simulate_trace *trace = NULL;
	_cleanup_free_ char *text = strndup((const char *)data, size);
	_cleanup_free_ char *errors = NULL;
	size_t length = 0, n_left_out = 0;
	const struct simulate_selection selection = {.select = select_sa, .userdata = &n_left_out};
	FILE *out = open_memstream(&errors, &length);
	int r;

	if (!out || !text)
		return 0;
	r = simulate_trace_parse("fuzz", text, INTERVAL, &selection, out, &trace);
	check(fclose(out) == 0);
	if (r < 0) {
		check(r == -EBADMSG && !trace && length > 0);
		return 0;
	}
	check(trace->trace->n_sas > 0 || n_left_out > 0);
	check_trace(trace->trace);
	check_descriptions(trace);
	return 0;
}
