/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of IKE connections by ESP SA: SPI and destination, as the kernel names it.
 *
 * The names are text of another program. They are made safe to display when they are added.
 */
#pragma once

#include "cleanup.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longer names are cut. */
#define IKE_NAME_SIZE 128
#define IKE_NAMES_MAX 262144
/* The longest text of an address, with a scope, and a NUL. */
#define IKE_ADDRESS_SIZE 64

struct ike_names;

int ike_names_new(struct ike_names **ret_names);
struct ike_names *ike_names_free(struct ike_names *names);
DEFINE_CLEANUP(struct ike_names *, ike_names_free);

/*
 * Adds a name of the SA. Without effect if SPI, destination or name is empty or not valid. An SA
 * with two names has none: SAs that differ in their mark only cannot be told apart. Returns 0,
 * -ENOMEM, or -E2BIG if there are IKE_NAMES_MAX already.
 */
int ike_names_add(struct ike_names *names, const char *spi, const char *dst, const char *name);

/* Also of NULL. */
bool ike_names_is_empty(const struct ike_names *names);
/* NULL: none. */
const char *ike_names_find(const struct ike_names *names, const char *spi, const char *dst);

/* Sets `connection` of an object that has `spi` and `dst`, if it has a name. Without effect if
 * `names` is NULL. */
void ike_names_set(const struct ike_names *names, json_t *object);
/* The same for each object of an array; of its member `key` if that is not NULL. */
void ike_names_set_all(const struct ike_names *names, json_t *array, const char *key);
