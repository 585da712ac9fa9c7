/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders on SAs as JSON. */
#pragma once

#include "manager/manager.h"

#include <jansson.h>

const char *sa_order_kind(const struct sa_order *order); /* "pin", "ban" */
/* The type Order of the interface. NULL without memory. `now`: s, monotonic. */
json_t *sa_order_json(const struct sa_order *order, double now);
json_t *sa_orders_json(const struct manager *m); /* an array of all */
