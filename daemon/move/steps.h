/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of a move, which migrator.c runs one after the other and explains.
 */
#pragma once

#include "migrator.h"

/* So often an SA is offered to the NIC before it goes to software: once more when somebody was
 * faster than the first time. */
#define INSTALLS_MAX 2

struct migrator {
	struct kernel *kernel;
	struct secret_arena *arena;
	struct rescue *rescue;
	struct migrator_parameters parameters;
	struct kernel_batch batch;
	bool kernel_evicts, kernel_promotes; /* by MIGRATE_STATE */
	struct guards guards;
	bool guards_stay;   /* for the moves that follow */
	bool no_witness;    /* this kernel has SPIs twice */
	unsigned n_holding; /* moves that are lost, and hold them */
};

/* Makes the step that move->state names, and sets it to the next. Leaves rests in the batch. */
void move_make_step(struct migrator *m, struct move *move);
