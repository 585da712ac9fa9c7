/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver that does the cryptography of an SA in software.
 *
 * No interface shows it for one SA. So it is the driver that answers for the SA's algorithm now. An
 * SA keeps the driver that it was made with, so an SA that is older than a better driver may use
 * another, until it is rekeyed or moved.
 */
#pragma once

#include "cleanup.h"
#include "sa-shape.h"

struct software;

/* `path`: of the list, which is copied; NULL: no driver is ever known. -ENOMEM. */
int software_new(const char *path, struct software **ret_software);
struct software *software_free(struct software *software); /* accepts NULL, returns NULL */
DEFINE_CLEANUP(struct software *, software_free);

/* The driver, or NULL if it is not known. The list is read again when it is older than
 * SOFTWARE_MAX_AGE. `shape`: a shape that is not freed before `software`. `now`: s, monotonic. The
 * text is valid until the next call. */
#define SOFTWARE_MAX_AGE 5.0
const char *software_driver(struct software *software, const struct sa_shape *shape, double now);

/* Reads the list again if it is old. Returns whether the driver of a shape that was asked for has
 * changed since the last call. */
bool software_has_changed(struct software *software, double now);

/* The name by which ESP asks for the algorithms of a shape (esp_init_aead(), esp_init_authenc()).
 */
#define SOFTWARE_NAME_SIZE 256
char *software_algorithm(const struct sa_shape *shape, char name[SOFTWARE_NAME_SIZE]);
