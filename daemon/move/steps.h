/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The steps of a move. migrator.c runs them one after the other and explains them.
 */
#pragma once

#include "migrator.h"

/* How often an SA is offered to the NIC before it goes to software: a second time if another
 * program or a packet interfered with the first. */
#define INSTALLS_MAX 2

struct migrator {
	struct kernel *kernel;
	struct secret_arena *arena;
	struct rescue *rescue;
	struct migrator_parameters parameters;
	struct kernel_batch batch;
	bool kernel_evicts, kernel_promotes; /* can move SAs by MIGRATE_STATE */
	struct guards guards;
	bool guards_stay;   /* until migrator_unguard() */
	bool moves_ended;   /* lookups are waited for since the last move of the group */
	bool no_witness;    /* this kernel allows an SPI once per destination (remove_sa()) */
	unsigned n_holding; /* lost moves that hold the guards */
};

/* Makes the step of move->state, and sets it to the next one. The caller clears the batch. */
void move_make_step(struct migrator *m, struct move *move);
