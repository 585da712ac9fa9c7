/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which SAs of a trace compete for the table that is simulated: all, or those of one NIC. An SA
 * competes for the table of the NIC that its rule names, else for that of the trace.
 */
#pragma once

#include "cleanup.h"
#include "config.h"
#include "simulate/trace.h"

struct selection;

/* `nic`: NULL selects all SAs. Both must outlive the selection. -ENOMEM. */
int selection_new(const struct config *config, const char *nic, struct selection **ret_selection);
struct selection *selection_free(struct selection *selection); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct selection *, selection_free);

/* For simulate_trace_load(). */
struct simulate_selection selection_of_trace(struct selection *selection);

/* Writes what of the rules and of the trace was not used, and why. */
void selection_report(const struct selection *selection, FILE *out);
