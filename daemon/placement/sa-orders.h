/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders of the operator on SAs. A pin gives SAs a slot before others, as `offload: always` of a
 * rule does, and a ban keeps them in software. They stand above the rules, and below everything
 * that keeps an SA from a NIC for safety.
 *
 * An order names a peer, or an SA. In the second case it holds for the whole lineage of the SA, so
 * that a rekey does not end it.
 */
#pragma once

#include "config.h"
#include "sa/lineage.h"

#include <stddef.h>
#include <stdio.h>

/* Each SA that is configured is compared with all of them. */
#define SA_ORDERS_MAX 128u
/* s: a year. */
#define SA_ORDER_SECONDS_MAX 31536000u

struct sa_order {
	bool ban;                  /* false: a pin */
	bool persist;              /* a restart of the daemon does not end it */
	bool ended;                /* it holds no more, and is about to be removed */
	double until;              /* s, monotonic; 0: no end */
	struct config_prefix peer; /* if set: all SAs whose remote end has it */
	/* Otherwise: the SA for which it was given, and its lineage without the direction, which
	 * depends on the local addresses of the moment. */
	struct sa_id id;
	struct sa_lineage lineage;
};

/* In the order in which they were given. */
struct sa_orders {
	struct sa_order *entries;
	size_t n;
};

void sa_orders_release(struct sa_orders *orders);

/* Names the SA as the target of the order. */
void sa_order_set_sa(struct sa_order *order, const struct sa_description *sa);
/* Whether the SA is one of its targets. */
bool sa_order_concerns(const struct sa_order *order, const struct sa_description *sa);

/* Whether this prefix is its target: 192.0.2.1/24 is the same as 192.0.2.0/24. */
bool sa_order_has_prefix(const struct sa_order *order, const struct config_prefix *prefix);

/* Whether there is one with the same target. */
bool sa_orders_have_target(const struct sa_orders *orders, const struct sa_order *order);
/* Adds an order; it replaces one with the same target. -ENOSPC: too many, -ENOMEM. */
int sa_orders_add(struct sa_orders *orders, const struct sa_order *order);
/* The one that holds for the SA: the newest. NULL: none. */
const struct sa_order *sa_orders_find(const struct sa_orders *orders,
				      const struct sa_description *sa);
/* Removes those that have ended. Returns whether one of them was to persist. */
bool sa_orders_remove_ended(struct sa_orders *orders);

/* "SA 0x00001001 192.0.2.1 -> 198.51.100.1" or "peer 198.51.100.0/24". Returns `buffer`. */
#define SA_ORDER_TEXT_SIZE 128
char *sa_order_format(const struct sa_order *order, char buffer[SA_ORDER_TEXT_SIZE]);
#define SA_ORDER_PREFIX_SIZE 56
char *sa_order_format_peer(const struct sa_order *order, char buffer[SA_ORDER_PREFIX_SIZE]);

/* The lines of orders that persist: placement/orders.c. */
#define SA_ORDER_LINE_MAX 288u
size_t sa_orders_n_persistent(const struct sa_orders *orders);
void sa_orders_write(const struct sa_orders *orders, FILE *file);
/* Reads a line, which must not contain '\n'. -EBADMSG, -ENOMEM. */
int sa_orders_read(struct sa_orders *orders, const char *line);
