/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ike/names.h"

#include "hash-table.h"
#include "hash.h"
#include "spi.h"
#include "text.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

/* Without padding, because it is hashed. */
struct sa_key {
	uint32_t spi;
	uint32_t family;
	uint8_t dst[sizeof(struct in6_addr)];
};

struct ike_name {
	struct hash_link link;
	struct sa_key key;
	char name[]; /* "": several */
};

struct ike_names {
	struct hash_seed seed;
	struct hash_table table;
};

int ike_names_new(struct ike_names **ret_names)
{
	struct ike_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	r = hash_seed_random(&names->seed);
	if (r < 0) {
		free(names);
		return r;
	}
	*ret_names = names;
	return 0;
}

struct ike_names *ike_names_free(struct ike_names *names)
{
	struct ike_name *name;

	if (!names)
		return NULL;
	HASH_TABLE_FOREACH(name, &names->table, link)
		free(name);
	hash_table_release(&names->table);
	free(names);
	return NULL;
}

/* The texts of programs differ: "2001:DB8:0::1", "fe80::1%eth0". */
static int parse_address(const char *text, struct sa_key *key)
{
	char address[IKE_ADDRESS_SIZE];

	if ((size_t)snprintf(address, sizeof(address), "%s", text) >= sizeof(address))
		return -EINVAL;
	address[strcspn(address, "%")] = '\0';
	key->family = strchr(address, ':') ? AF_INET6 : AF_INET;
	return inet_pton((int)key->family, address, key->dst) == 1 ? 0 : -EINVAL;
}

static int make_key(const char *spi, const char *dst, struct sa_key *ret_key)
{
	struct sa_key key = {};

	if (spi_parse(spi, &key.spi) < 0 || key.spi == 0 || parse_address(dst, &key) < 0)
		return -EINVAL;
	*ret_key = key;
	return 0;
}

static struct ike_name *find(const struct ike_names *names, const struct sa_key *key, uint64_t hash)
{
	struct ike_name *name;

	HASH_TABLE_FOREACH_EQUAL(name, &names->table, hash, link)
		if (memcmp(&name->key, key, sizeof(*key)) == 0)
			return name;
	return NULL;
}

static int add(struct ike_names *names, const struct sa_key *key, uint64_t hash, const char *text)
{
	size_t size = strlen(text) + 1;
	struct ike_name *name;

	if (names->table.n == IKE_NAMES_MAX)
		return -E2BIG;
	name = malloc(sizeof(*name) + size);
	if (!name)
		return -ENOMEM;
	name->key = *key;
	memcpy(name->name, text, size);
	hash_table_add(&names->table, &name->link, hash);
	return 0;
}

int ike_names_add(struct ike_names *names, const char *spi, const char *dst, const char *name)
{
	char text[IKE_NAME_SIZE];
	struct ike_name *known;
	struct sa_key key;
	uint64_t hash;

	if (!name[0] || make_key(spi, dst, &key) < 0)
		return 0;
	(void)text_neutralise(text, sizeof(text), name, strlen(name));
	hash = hash_bytes(&names->seed, &key, sizeof(key));
	known = find(names, &key, hash);
	if (!known)
		return add(names, &key, hash, text);
	if (strcmp(known->name, text) != 0)
		known->name[0] = '\0';
	return 0;
}

bool ike_names_is_empty(const struct ike_names *names)
{
	return !names || names->table.n == 0;
}

const char *ike_names_find(const struct ike_names *names, const char *spi, const char *dst)
{
	const struct ike_name *name;
	struct sa_key key;

	if (make_key(spi, dst, &key) < 0)
		return NULL;
	name = find(names, &key, hash_bytes(&names->seed, &key, sizeof(key)));
	return name && name->name[0] ? name->name : NULL;
}

void ike_names_set(const struct ike_names *names, json_t *object)
{
	const char *spi = json_string_value(json_object_get(object, "spi"));
	const char *dst = json_string_value(json_object_get(object, "dst"));
	const char *name = names && spi && dst ? ike_names_find(names, spi, dst) : NULL;

	if (name)
		(void)json_object_set_new(object, "connection", json_string(name));
}

void ike_names_set_all(const struct ike_names *names, json_t *array, const char *key)
{
	json_t *element;
	size_t i;

	json_array_foreach(array, i, element)
		ike_names_set(names, key ? json_object_get(element, key) : element);
}
