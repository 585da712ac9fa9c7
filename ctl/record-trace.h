/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the trace that `record` writes and `simulate` reads (simulate/trace.c) from lists of SAs.
 * The columns after `lineage` describe the SA, and only its first row has them.
 */
#pragma once

#include "cleanup.h"

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

#define RECORD_TRACE_HEADER \
	"time,sa,bytes,event,lineage,src,dst,direction,mode,reqid,if_id,mark,algorithm,nic\n"

struct record_trace;

int record_trace_new(struct record_trace **ret_trace);              /* -ENOMEM */
struct record_trace *record_trace_free(struct record_trace *trace); /* accepts NULL */
DEFINE_CLEANUP(struct record_trace *, record_trace_free);

/* A sample begins. `time`: s, later than the one before. */
void record_trace_begin(struct record_trace *trace, double time);
/* Adds the SAs of a reply of ListSAs, and writes the rows of those that carried something since the
 * sample before, or are new. The SAs of the first sample are those that were there before.
 * -EBADMSG: the reply does not follow the interface, -ENOMEM. */
int record_trace_add(struct record_trace *trace, const json_t *sas, FILE *out);
/* The sample is complete: writes a row for each SA that is gone. */
void record_trace_end(struct record_trace *trace, FILE *out);
/* Of the last sample. */
size_t record_trace_n_sas(const struct record_trace *trace);
