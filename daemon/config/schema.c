/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads mappings and lists. Missing values (`key:` and nothing) are refused here, so that no reader
 * gets one: a section whose lines are all commented out must not mean "no condition".
 */
#include "config/schema.h"

#include "cleanup.h"
#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

/* Longer than any key. Longer words are not compared with keys. */
#define WORD_MAX 32

const char *config_quote(const char *text, char buffer[CONFIG_QUOTE_MAX])
{
	return text_neutralise(buffer, CONFIG_QUOTE_MAX, text, strlen(text));
}

static const char *scalar_text(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* The Levenshtein distance, computed by rows. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t change = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
			size_t least = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;

			diagonal = row[j];
			row[j] = change < least ? change : least;
		}
	}
	return row[length];
}

const char *config_nearest(const char *word, const char *const *words, size_t n)
{
	const char *nearest = NULL;
	size_t length = strlen(word);
	size_t best = length / 3 + 2; /* exclusive: one error in a short word, more in a long one */

	if (length > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d;

		if (strlen(words[i]) > WORD_MAX)
			continue;
		d = distance(word, words[i]);
		if (d < best && d < strlen(words[i])) {
			best = d;
			nearest = words[i];
		}
	}
	return nearest;
}

/* "a, b, c" */
static void join(char *buffer, size_t size, const char *const *words, size_t n)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%s", i > 0 ? ", " : "",
					 words[i]);
}

static void suggest(struct config_reader *reader, const char *word, const char *const *words,
		    size_t n, const char *kind)
{
	const char *nearest = config_nearest(word, words, n);
	char list[200];

	if (nearest) {
		config_remedy(reader->report, "did you mean '%s'?", nearest);
		return;
	}
	join(list, sizeof(list), words, n);
	config_remedy(reader->report, "%s: %s", kind, list);
}

static void unknown_key(struct config_reader *reader, const struct config_section *section,
			const yaml_node_t *node)
{
	struct config_place place = config_place(node);
	const char *names[64];
	char quoted[CONFIG_QUOTE_MAX];

	for (size_t i = 0; i < section->n_keys; i++)
		names[i] = section->keys[i].name;
	config_error(reader->report, &place, "unknown key '%s' in %s",
		     config_quote(scalar_text(node), quoted), section->name);
	suggest(reader, scalar_text(node), names, section->n_keys, "the keys here are");
}

static size_t find_key(const struct config_section *section, const char *name)
{
	size_t i = 0;

	while (i < section->n_keys && strcmp(section->keys[i].name, name) != 0)
		i++;
	return i;
}

/* Whether the value is missing: `key:`, `key: ~` and `key: null` are equal in YAML. */
static bool is_empty(const yaml_node_t *node)
{
	const char *text;

	if (node->type != YAML_SCALAR_NODE || node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	text = scalar_text(node);
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static void read_pair(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *name, const yaml_node_t *value, void *structure)
{
	struct config_place place = config_place(name);

	if (is_empty(value)) {
		/* A list whose entries are all commented out is an empty list. */
		if (key->list)
			return;
		config_error(reader->report, &place, "'%s' has no value", key->name);
		config_remedy(reader->report, "give it one, or remove the key");
		return;
	}
	key->read(reader, key, value, (char *)structure + key->offset);
}

static bool known_length(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE &&
	       strlen(scalar_text(node)) == node->data.scalar.length;
}

static void check_required(struct config_reader *reader, const struct config_section *section,
			   const yaml_node_t *mapping, const yaml_node_t *const *seen)
{
	struct config_place place = config_place(mapping);

	for (size_t i = 0; i < section->n_keys; i++) {
		const struct config_key *key = &section->keys[i];

		if (!key->required || seen[i])
			continue;
		config_error(reader->report, &place, "%s has no '%s'", section->name, key->name);
		config_remedy(reader->report, "%s", key->required);
	}
}

void config_read_section(struct config_reader *reader, const struct config_section *section,
			 const yaml_node_t *mapping, void *structure)
{
	const yaml_node_t *seen[64] = {NULL};

	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_document_get_node(reader->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(reader->document, pair->value);
		struct config_place place = config_place(name);
		size_t i;

		if (!known_length(name)) {
			config_error(reader->report, &place, "a key must be a word");
			config_remedy(reader->report, "write 'key: value'");
			continue;
		}
		i = find_key(section, scalar_text(name));
		if (i == section->n_keys) {
			unknown_key(reader, section, name);
		} else if (seen[i]) {
			config_error(reader->report, &place, "'%s' is given twice",
				     section->keys[i].name);
			config_remedy(reader->report, "the first one is in line %zu",
				      seen[i]->start_mark.line + 1);
		} else {
			seen[i] = name;
			read_pair(reader, &section->keys[i], name, value, structure);
		}
	}
	check_required(reader, section, mapping, seen);
	if (section->check)
		section->check(reader, mapping, structure);
}

const yaml_node_t *config_find(struct config_reader *reader, const yaml_node_t *mapping,
			       const char *name)
{
	for (const yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++) {
		const yaml_node_t *node = yaml_document_get_node(reader->document, pair->key);

		if (node->type == YAML_SCALAR_NODE && strcmp(scalar_text(node), name) == 0)
			return yaml_document_get_node(reader->document, pair->value);
	}
	return NULL;
}

void config_wrong(struct config_reader *reader, const struct config_key *key,
		  const yaml_node_t *node, const char *takes)
{
	struct config_place place = config_place(node);
	char quoted[CONFIG_QUOTE_MAX];

	if (node->type == YAML_SCALAR_NODE)
		config_error(reader->report, &place, "'%s' takes %s, not '%s'", key->name, takes,
			     config_quote(scalar_text(node), quoted));
	else
		config_error(reader->report, &place, "'%s' takes %s, not a %s", key->name, takes,
			     node->type == YAML_MAPPING_NODE ? "mapping" : "list");
}

void config_read_mapping(struct config_reader *reader, const struct config_key *key,
			 const yaml_node_t *node, void *member)
{
	struct config_place place = config_place(node);

	if (node->type != YAML_MAPPING_NODE) {
		config_wrong(reader, key, node, "a mapping");
		config_remedy(reader->report, "write its keys indented on the lines below");
	} else if (node->data.mapping.pairs.start == node->data.mapping.pairs.top) {
		config_error(reader->report, &place, "'%s' is empty", key->name);
		config_remedy(reader->report, "leave out '%s' to match everything", key->name);
	} else {
		config_read_section(reader, key->section, node, member);
	}
}

static void read_entry(struct config_reader *reader, const struct config_key *key,
		       const yaml_node_t *node, void *entry)
{
	struct config_place place = config_place(node);

	if (key->list->prepare)
		key->list->prepare(entry, reader->files[place.file], (unsigned)place.line + 1);
	if (node->type == YAML_MAPPING_NODE &&
	    node->data.mapping.pairs.start < node->data.mapping.pairs.top) {
		config_read_section(reader, key->list->section, node, entry);
		return;
	}
	config_error(reader->report, &place, "%s must be a mapping with keys",
		     key->list->section->name);
	config_remedy(reader->report,
		      "write '- key: value', further keys in the column of the first");
}

void config_read_list(struct config_reader *reader, const struct config_key *key,
		      const yaml_node_t *node, void *member)
{
	const struct config_list *list = key->list;
	struct config_place place = config_place(node);
	const yaml_node_item_t *items = node->data.sequence.items.start;
	size_t *count = (size_t *)((char *)member + list->count_offset);
	size_t n;
	char *entries;

	if (node->type != YAML_SEQUENCE_NODE) {
		config_wrong(reader, key, node, "a list");
		config_remedy(reader->report, "begin each entry with '- '");
		return;
	}
	n = (size_t)(node->data.sequence.items.top - items);
	if (n > list->entries_max) {
		config_error(reader->report, &place,
			     "'%s' has %zu entries, at most %zu can be used", key->name, n,
			     list->entries_max);
		config_remedy(reader->report, "match more with one entry");
		return;
	}
	if (n == 0)
		return;
	entries = calloc(n, list->entry_size);
	if (!entries) {
		reader->error = -ENOMEM;
		return;
	}
	/* From here on the structure owns the entries and their strings, also after an error. */
	*(void **)member = entries;
	*count = n;
	for (size_t i = 0; i < n; i++)
		read_entry(reader, key, yaml_document_get_node(reader->document, items[i]),
			   entries + i * list->entry_size);
}
