/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /proc/crypto: who answers for an algorithm in software.
 *
 * For a name the kernel takes the implementation of the highest priority (crypto_alg_lookup()),
 * when the SA is made. A combination such as seqiv(rfc4106(gcm(aes))) is in the list once an SA
 * uses it. NETLINK_CRYPTO shows the same, but needs CONFIG_CRYPTO_USER.
 */
#pragma once

#include "cleanup.h"

#include <stdbool.h>
#include <stddef.h>

#define CRYPTO_TABLE_PATH "/proc/crypto"
#define CRYPTO_NAME_SIZE 128 /* CRYPTO_MAX_ALG_NAME */

struct crypto_entry {
	char name[CRYPTO_NAME_SIZE];
	char driver[CRYPTO_NAME_SIZE];
	long priority;
};

/* Zero it before the first use. */
struct crypto_table {
	struct crypto_entry *entries; /* the best of each name */
	size_t n;
};

/* Reads the list, which replaces the one in the table. On failure the table is empty: a negative
 * errno of the file, -ENOMEM. Bytes that are not printable ASCII become '?'. */
int crypto_table_read(struct crypto_table *table, const char *path);
void crypto_table_done(struct crypto_table *table);

/* NULL: nobody answers for it yet. */
const struct crypto_entry *crypto_table_find(const struct crypto_table *table, const char *name);

/* Whether a driver, or one that it consists of, matches a pattern of fnmatch(3): "pcrypt*" matches
 * seqiv(pcrypt(rfc4106-gcm-aesni)). */
bool crypto_driver_matches(const char *driver, const char *pattern);
