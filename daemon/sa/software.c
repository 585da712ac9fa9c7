/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sa/software.h"

#include "base/crypto-table.h"

#include <errno.h>
#include <string.h>

/* The answer for a shape. Shapes are few, and each belongs to very many SAs. */
struct answer {
	const struct sa_shape *shape;
	const char *driver; /* in the table; NULL: unknown */
};

#define ANSWERS_MAX 64

struct software {
	char *path;
	struct crypto_table table;
	double read_at; /* s, monotonic */
	bool read;
	bool changed;                       /* an answer, since software_has_changed() */
	struct answer answers[ANSWERS_MAX]; /* of those shapes that were asked for first */
	size_t n_answers;
};

int software_new(const char *path, struct software **ret_software)
{
	_cleanup_(software_freep) struct software *software = calloc(1, sizeof(*software));

	if (!software)
		return -ENOMEM;
	if (path) {
		software->path = strdup(path);
		if (!software->path)
			return -ENOMEM;
	}
	*ret_software = TAKE_PTR(software);
	return 0;
}

struct software *software_free(struct software *software)
{
	if (!software)
		return NULL;
	crypto_table_done(&software->table);
	free(software->path);
	free(software);
	return NULL;
}

/* The generator of IVs of a cipher, as in net/xfrm/xfrm_algo.c; NULL: none. */
static const char *iv_generator(const struct sa_shape *shape)
{
	if (shape->aead[0] || strncmp(shape->cipher, "rfc3686(", strlen("rfc3686(")) == 0)
		return "seqiv";
	return strcmp(shape->cipher, "ecb(cipher_null)") == 0 ? NULL : "echainiv";
}

char *software_algorithm(const struct sa_shape *shape, char name[SOFTWARE_NAME_SIZE])
{
	const char *generator = iv_generator(shape);
	char inner[SOFTWARE_NAME_SIZE - sizeof("echainiv()")];

	if (shape->aead[0])
		(void)snprintf(inner, sizeof(inner), "%s", shape->aead);
	else
		(void)snprintf(inner, sizeof(inner), "%s(%s,%s)",
			       shape->esn ? "authencesn" : "authenc",
			       shape->authenticator[0] ? shape->authenticator : "digest_null",
			       shape->cipher);
	if (generator)
		(void)snprintf(name, SOFTWARE_NAME_SIZE, "%s(%s)", generator, inner);
	else
		(void)snprintf(name, SOFTWARE_NAME_SIZE, "%s", inner);
	return name;
}

/* Without a combination in the list, what it would be made from is the answer. */
static const char *find(const struct software *software, const struct sa_shape *shape)
{
	char name[SOFTWARE_NAME_SIZE];
	const struct crypto_entry *entry =
		crypto_table_find(&software->table, software_algorithm(shape, name));

	if (!entry && shape->aead[0])
		entry = crypto_table_find(&software->table, shape->aead);
	return entry ? entry->driver : NULL;
}

static bool same_driver(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Answers again for each shape. */
static void renew_answers(struct software *software)
{
	for (size_t i = 0; i < software->n_answers; i++) {
		struct answer *answer = &software->answers[i];
		const char *driver = find(software, answer->shape);

		software->changed |= !same_driver(driver, answer->driver);
		answer->driver = driver;
	}
}

static void refresh(struct software *software, double now)
{
	struct crypto_table before = software->table; /* has the texts of the answers */

	if (!software->path || (software->read && now - software->read_at < SOFTWARE_MAX_AGE))
		return;
	/* Without a list no driver is known. */
	software->table = (struct crypto_table){};
	(void)crypto_table_read(&software->table, software->path);
	software->read = true;
	software->read_at = now;
	renew_answers(software);
	crypto_table_done(&before);
}

bool software_has_changed(struct software *software, double now)
{
	bool changed;

	refresh(software, now);
	changed = software->changed;
	software->changed = false;
	return changed;
}

const char *software_driver(struct software *software, const struct sa_shape *shape, double now)
{
	const char *driver;

	refresh(software, now);
	for (size_t i = 0; i < software->n_answers; i++)
		if (software->answers[i].shape == shape)
			return software->answers[i].driver;
	driver = find(software, shape);
	if (software->n_answers < ANSWERS_MAX)
		software->answers[software->n_answers++] =
			(struct answer){.shape = shape, .driver = driver};
	return driver;
}
