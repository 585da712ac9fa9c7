/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An intrusive hash table with chains: the link is a member of the element. An element is never
 * moved, can be in several tables, and can be removed without its key. A link is 16 bytes.
 * (uthash's handle is 56 bytes, too much for an SA that is in several tables, and its hash is not
 * keyed.)
 *
 * A zeroed table is empty. Adding cannot fail: without memory for more buckets the chains get
 * longer. The caller hashes the key (hash.h) and compares keys:
 *
 * 	HASH_TABLE_FOREACH_EQUAL(sa, &table, hash, link)
 * 		if (memcmp(&sa->id, id, sizeof(*id)) == 0)
 * 			return sa;
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define HASH_TABLE_BUCKETS_MIN 64u

struct hash_link {
	struct hash_link *next; /* in the bucket */
	uint64_t hash;          /* of the element's key */
};

struct hash_table {
	struct hash_link **buckets; /* NULL: `only` is the only bucket */
	struct hash_link *only;
	size_t mask; /* number of buckets - 1; the number is a power of two */
	size_t n;    /* elements */
};

static inline struct hash_link **hash_table_bucket(const struct hash_table *table, uint64_t hash)
{
	return table->buckets ? &table->buckets[hash & table->mask]
			      : (struct hash_link **)&table->only;
}

static inline void hash_table_link(struct hash_table *table, struct hash_link *link)
{
	struct hash_link **bucket = hash_table_bucket(table, link->hash);

	link->next = *bucket;
	*bucket = link;
}

static inline void hash_table_grow(struct hash_table *table)
{
	struct hash_table larger = {.n = table->n};

	larger.mask = table->buckets ? 2 * table->mask + 1 : HASH_TABLE_BUCKETS_MIN - 1;
	larger.buckets = calloc(larger.mask + 1, sizeof(struct hash_link *));
	if (!larger.buckets)
		return;
	for (size_t i = 0; i <= table->mask; i++)
		for (struct hash_link *link = *hash_table_bucket(table, i), *next; link;
		     link = next) {
			next = link->next;
			hash_table_link(&larger, link);
		}
	free(table->buckets);
	*table = larger;
}

static inline void hash_table_add(struct hash_table *table, struct hash_link *link, uint64_t hash)
{
	if (table->n > table->mask)
		hash_table_grow(table);
	link->hash = hash;
	hash_table_link(table, link);
	table->n++;
}

/* `link` must be in the table. */
static inline void hash_table_remove(struct hash_table *table, struct hash_link *link)
{
	struct hash_link **at = hash_table_bucket(table, link->hash);

	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	table->n--;
}

/* Frees the buckets and empties the table. The elements belong to the caller. */
static inline void hash_table_release(struct hash_table *table)
{
	free(table->buckets);
	*table = (struct hash_table){};
}

static inline struct hash_link *hash_link_skip(struct hash_link *link, uint64_t hash)
{
	while (link && link->hash != hash)
		link = link->next;
	return link;
}

static inline struct hash_link *hash_table_first(const struct hash_table *table, uint64_t hash)
{
	return hash_link_skip(*hash_table_bucket(table, hash), hash);
}

/* The next link with the same hash. */
static inline struct hash_link *hash_link_next(const struct hash_link *link)
{
	return hash_link_skip(link->next, link->hash);
}

struct hash_walk {
	size_t bucket; /* to visit next */
	struct hash_link *next;
};

static inline struct hash_link *hash_table_walk(const struct hash_table *table,
						struct hash_walk *walk)
{
	struct hash_link *link = walk->next;

	while (!link && walk->bucket <= table->mask)
		link = *hash_table_bucket(table, walk->bucket++);
	walk->next = link ? link->next : NULL;
	return link;
}

/* The element that contains the link, or NULL if the link is NULL. */
#define HASH_TABLE_ELEMENT(link, type, member)                                                   \
	({                                                                                       \
		const struct hash_link *_of = (link);                                            \
		_of ? (type)((uintptr_t)_of - offsetof(__typeof__(*(type)NULL), member)) : NULL; \
	})

/* Visits the elements with this hash, which are those with the key and, by chance, others. After
 * the loop `element` is NULL unless it was left by break. The body must not add, and must leave
 * the loop after it removed an element. */
#define HASH_TABLE_FOREACH_EQUAL(element, table, hash_of_key, member)                      \
	for (struct hash_link *_link = hash_table_first(table, hash_of_key);               \
	     ((element) = HASH_TABLE_ELEMENT(_link, __typeof__(element), member)) != NULL; \
	     _link = hash_link_next(_link))

/* Visits all elements in no particular order. The body may remove and free the element that it
 * visits. It must not add or remove others. */
#define HASH_TABLE_FOREACH(element, table, member)                                                \
	for (struct hash_walk _walk = {};                                                         \
	     ((element) = HASH_TABLE_ELEMENT(hash_table_walk(table, &_walk), __typeof__(element), \
					     member)) != NULL;)
