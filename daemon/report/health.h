/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Why the daemon is not well: a set of conditions. Each is set and cleared by the one that finds
 * it, so that none hides another or ends it.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>

enum health_condition {
	HEALTH_OWED,        /* an SA could not be put back in the kernel yet */
	HEALTH_NO_MEMORY,   /* none is moved, since it could not be noted as owed */
	HEALTH_NO_DUMP,     /* the kernel does not show its SAs */
	HEALTH_NO_NETWORK,  /* nor links and routes */
	HEALTH_OWNERSHIP,   /* an SA in a NIC cannot be noted: file, memory, or full */
	HEALTH_POLICY,      /* no memory for the rules in force */
	HEALTH_ORDERS,      /* the file of the operator's orders cannot be written */
	HEALTH_ORDERS_LOST, /* nor could it be read at the start: paused until 'resume' */
	_HEALTH_CONDITION_MAX,
};

struct health;

int health_new(struct health **ret_health);
struct health *health_free(struct health *health); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct health *, health_free);

/* Returns whether that is a change. */
bool health_set(struct health *health, enum health_condition condition, bool holds);
bool health_holds(const struct health *health, enum health_condition condition);
bool health_is_well(const struct health *health); /* no condition holds */

/* Stable kebab-case name ("owed") and words for people. */
const char *health_name(enum health_condition condition);
const char *health_text(enum health_condition condition);

/* The texts of all that hold, the weightiest first, with "; " between them. "" when it is well. */
#define HEALTH_DESCRIPTION_SIZE 512
const char *health_describe(const struct health *health, char buffer[HEALTH_DESCRIPTION_SIZE]);
