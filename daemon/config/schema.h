/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mappings are described by tables: each key has a name, a function that reads its value, the
 * member that is set, and the parameters of that function (bounds, words, another table). A new key
 * is a new line in a table. The JSON Schema for editors is made from the same tables
 * (editor-schema.h).
 */
#pragma once

#include "config/yaml.h"

#include <stdint.h>
#include <yaml.h>

struct config_reader {
	yaml_document_t *document;
	struct config_report *report;
	char *const *files; /* paths, of the configuration */
	int error;          /* -ENOMEM, or 0 */
};

struct config_key;
typedef void (*config_read)(struct config_reader *reader, const struct config_key *key,
			    const yaml_node_t *node, void *member);

struct config_key {
	const char *name;
	config_read read;
	size_t offset; /* of the member in the structure of the section */
	double minimum;
	double maximum;
	const char *const
		*words; /* of config_read_word(), NULL-terminated; the value is the index */
	const struct config_section *section; /* if the value is a mapping */
	const struct config_list *list;       /* of config_read_list() */
	const char *default_text; /* as in a file; NULL: none, or it depends on other keys */
	const char *required;     /* what to do if it is missing; NULL: it may be */
	const char *about;        /* half a sentence, for editors */
	/* An extended regular expression for texts, for editors. NULL: by the reader. */
	const char *syntax;
};

struct config_section {
	const char *name; /* for "unknown key 'x' in NAME" */
	const struct config_key *keys;
	size_t n_keys; /* at most 64 */
	/* Checks that involve several keys; may be NULL. */
	void (*check)(struct config_reader *reader, const yaml_node_t *mapping, void *structure);
};

struct config_list {
	const struct config_section *section; /* of an entry */
	size_t entry_size;
	size_t entries_max;
	size_t count_offset; /* of the size_t member, from the pointer */
	/* `file` belongs to the configuration. */
	void (*prepare)(void *entry, const char *file, unsigned line);
	/* The key whose value names an entry. If the lists of two files have an entry with the same
	 * one, the second changes the first. NULL: all entries are different. */
	const char *identity;
};

/* Reads `mapping` into `structure`. Reports all errors of the mapping. */
void config_read_section(struct config_reader *reader, const struct config_section *section,
			 const yaml_node_t *mapping, void *structure);

/* Readers of values, for tables. */
void config_read_mapping(struct config_reader *reader, const struct config_key *key,
			 const yaml_node_t *node, void *member);
void config_read_list(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member);
void config_read_bool(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member);
void config_read_word(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member);
void config_read_double(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member);
void config_read_rate(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member);
void config_read_time(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member);
void config_read_uint32(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node, void *member);

/* Functions for readers. */

/* The value of a key, or NULL if the mapping does not have it. */
const yaml_node_t *config_find(struct config_reader *reader, const yaml_node_t *mapping,
			       const char *name);
/* The text of a scalar. If the node is not a scalar, reports "'key' takes TAKES, not a list" and
 * returns NULL. */
const char *config_scalar(struct config_reader *reader, const struct config_key *key,
			  const yaml_node_t *node, const char *takes);
/* Reports "'key' takes TAKES, not 'the value'". */
void config_wrong(struct config_reader *reader, const struct config_key *key,
		  const yaml_node_t *node, const char *takes);
/* The most similar member of `words`, or NULL. */
const char *config_nearest(const char *word, const char *const *words, size_t n);
/* Parses a decimal number, or a hexadecimal one with 0x, from 0 to 4294967295. Returns 0, -EINVAL
 * or -ERANGE. */
int config_parse_uint32(const char *text, uint32_t *ret_value);

/* Makes text of the file safe to print in messages, and cuts it to fit. */
#define CONFIG_QUOTE_MAX 48
const char *config_quote(const char *text, char buffer[CONFIG_QUOTE_MAX]);
