/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "sim/run.h"

int sim_espoffload_start(const struct sim *sim, void **ret_state);
int sim_espoffload_decide(struct sim *sim, void *state);
void sim_espoffload_stop(void *state);
