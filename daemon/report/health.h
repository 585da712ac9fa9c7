/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conditions that prevent the daemon from doing all of its work. Each is set and cleared by the
 * component that detects it, independently of the others.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>

enum health_condition {
	HEALTH_OWED,        /* an SA could not be put back in the kernel yet */
	HEALTH_NO_MEMORY,   /* no SA is moved, since it could not be kept as owed */
	HEALTH_NO_DUMP,     /* the SAs cannot be dumped */
	HEALTH_NO_NETWORK,  /* links, addresses or features cannot be read */
	HEALTH_OWNERSHIP,   /* ownership cannot be recorded: file, memory, or full */
	HEALTH_POLICY,      /* no memory for the policy of the configuration */
	HEALTH_ORDERS,      /* the file of the orders cannot be written */
	HEALTH_ORDERS_LOST, /* it could not be read at the start: paused until 'resume' */
	HEALTH_REFUSED,     /* a NIC refused SAs whose rule says 'on-reject: alarm' */
	_HEALTH_CONDITION_MAX,
};

struct health;

int health_new(struct health **ret_health);
struct health *health_free(struct health *health); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct health *, health_free);

/* Returns whether the condition changed. */
bool health_set(struct health *health, enum health_condition condition, bool holds);
bool health_holds(const struct health *health, enum health_condition condition);
bool health_is_well(const struct health *health); /* no condition holds */

/* Stable kebab-case name ("owed"), and a text for users. */
const char *health_name(enum health_condition condition);
const char *health_text(enum health_condition condition);

/* The texts of all conditions that hold, in the order of the enum, separated by "; ". "": none
 * holds. */
#define HEALTH_DESCRIPTION_SIZE 512
const char *health_describe(const struct health *health, char buffer[HEALTH_DESCRIPTION_SIZE]);
