/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether an entry leaves anything to a later one. True only when it is certain that everything
 * `b` matches, `a` matches: patterns are compared as text.
 */
#pragma once

#include "config.h"

bool config_match_covers(const struct config_match *a, const struct config_match *b);
bool config_nic_covers(const struct config_nic *a, const struct config_nic *b);
