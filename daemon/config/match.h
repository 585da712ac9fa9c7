/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether entry `a` shadows a later entry `b`. True only if `a` certainly matches everything that
 * `b` matches: patterns are compared as text.
 */
#pragma once

#include "config.h"

bool config_match_covers(const struct config_match *a, const struct config_match *b);
bool config_nic_covers(const struct config_nic *a, const struct config_nic *b);
