/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nodes are named by their numbers here: adding a node moves the others in memory. */
#include "config/merge.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* Adding fails only without memory. */
struct merge {
	yaml_document_t *target;
	yaml_document_t *source;
};

static yaml_node_t *in_target(const struct merge *merge, int id)
{
	return yaml_document_get_node(merge->target, id);
}

static yaml_node_t *in_source(const struct merge *merge, int id)
{
	return yaml_document_get_node(merge->source, id);
}

static const char *text_of(const yaml_node_t *node)
{
	return (const char *)node->data.scalar.value;
}

/* Copies where the node was. Returns the number of the new node, 0 without memory. */
static int placed(const struct merge *merge, int id, const yaml_node_t *from)
{
	yaml_node_t *node = in_target(merge, id);

	if (!node)
		return 0;
	node->start_mark = from->start_mark;
	node->end_mark = from->end_mark;
	return id;
}

static int copy(const struct merge *merge, int id);

static int copy_sequence(const struct merge *merge, const yaml_node_t *node)
{
	int made = yaml_document_add_sequence(merge->target, NULL, node->data.sequence.style);

	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     made && item < node->data.sequence.items.top; item++) {
		int entry = copy(merge, *item);

		if (!entry || !yaml_document_append_sequence_item(merge->target, made, entry))
			return 0;
	}
	return made ? placed(merge, made, node) : 0;
}

static int append_pair(const struct merge *merge, int mapping, const yaml_node_pair_t *pair)
{
	int key = copy(merge, pair->key);
	int value = key ? copy(merge, pair->value) : 0;

	if (!value || !yaml_document_append_mapping_pair(merge->target, mapping, key, value))
		return -ENOMEM;
	return 0;
}

static int copy_mapping(const struct merge *merge, const yaml_node_t *node)
{
	int made = yaml_document_add_mapping(merge->target, NULL, node->data.mapping.style);

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     made && pair < node->data.mapping.pairs.top; pair++)
		if (append_pair(merge, made, pair) < 0)
			return 0;
	return made ? placed(merge, made, node) : 0;
}

/* The depth is limited by config_yaml_load(). */
static int copy(const struct merge *merge, int id)
{
	const yaml_node_t *node = in_source(merge, id);
	int made;

	if (node->type == YAML_SEQUENCE_NODE)
		return copy_sequence(merge, node);
	if (node->type == YAML_MAPPING_NODE)
		return copy_mapping(merge, node);
	made = yaml_document_add_scalar(merge->target, NULL, node->data.scalar.value,
					(int)node->data.scalar.length, node->data.scalar.style);
	return made ? placed(merge, made, node) : 0;
}

static yaml_node_pair_t *find_pair(yaml_document_t *document, const yaml_node_t *mapping,
				   const char *name)
{
	for (yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
	     pair < mapping->data.mapping.pairs.top; pair++)
		if (strcmp(text_of(yaml_document_get_node(document, pair->key)), name) == 0)
			return pair;
	return NULL;
}

/* Replaces the value of the mapping in the target, or appends the pair. */
static int set_pair(const struct merge *merge, int mapping, const yaml_node_pair_t *pair)
{
	const char *name = text_of(in_source(merge, pair->key));
	int key, value;
	yaml_node_pair_t *old;

	if (!find_pair(merge->target, in_target(merge, mapping), name))
		return append_pair(merge, mapping, pair);
	key = copy(merge, pair->key);
	value = key ? copy(merge, pair->value) : 0;
	if (!value)
		return -ENOMEM;
	old = find_pair(merge->target, in_target(merge, mapping), name);
	old->key = key;
	old->value = value;
	return 0;
}

/* Whether two values of an identity are the same: scalars, or mappings of scalars in any order.
 * NULL: the entry has none. */
static bool same(yaml_document_t *a_document, const yaml_node_t *a, yaml_document_t *b_document,
		 const yaml_node_t *b)
{
	if (!a || !b)
		return a == b;
	if (a->type != b->type)
		return false;
	if (a->type == YAML_SCALAR_NODE)
		return strcmp(text_of(a), text_of(b)) == 0;
	if (a->data.mapping.pairs.top - a->data.mapping.pairs.start !=
	    b->data.mapping.pairs.top - b->data.mapping.pairs.start)
		return false;
	for (const yaml_node_pair_t *pair = a->data.mapping.pairs.start;
	     pair < a->data.mapping.pairs.top; pair++) {
		const yaml_node_pair_t *other = find_pair(
			b_document, b, text_of(yaml_document_get_node(a_document, pair->key)));

		if (!other ||
		    strcmp(text_of(yaml_document_get_node(a_document, pair->value)),
			   text_of(yaml_document_get_node(b_document, other->value))) != 0)
			return false;
	}
	return true;
}

static const yaml_node_t *identity(yaml_document_t *document, const struct config_list *list,
				   int entry)
{
	const yaml_node_pair_t *pair =
		find_pair(document, yaml_document_get_node(document, entry), list->identity);

	return pair ? yaml_document_get_node(document, pair->value) : NULL;
}

/* The entry of the list in the target that this entry of the source changes. 0: none. */
static int find_entry(const struct merge *merge, const struct config_list *list, int sequence,
		      int entry)
{
	const yaml_node_t *node = in_target(merge, sequence);

	if (!list->identity)
		return 0;
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++)
		if (same(merge->source, identity(merge->source, list, entry), merge->target,
			 identity(merge->target, list, *item)))
			return *item;
	return 0;
}

/* Whether an entry before this one in the list of the source has the same identity. As within a
 * file, the first one decides. */
static bool is_repeated(const struct merge *merge, const struct config_list *list,
			const yaml_node_t *sequence, const yaml_node_item_t *entry)
{
	for (const yaml_node_item_t *item = sequence->data.sequence.items.start; item < entry;
	     item++)
		if (same(merge->source, identity(merge->source, list, *item), merge->source,
			 identity(merge->source, list, *entry)))
			return true;
	return false;
}

static int change_entry(const struct merge *merge, int old, int entry)
{
	const yaml_node_t *node = in_source(merge, entry);

	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     pair < node->data.mapping.pairs.top; pair++)
		if (set_pair(merge, old, pair) < 0)
			return -ENOMEM;
	return 0;
}

/* Returns the number of a list with the entries of the source and behind them those of `old`. */
static int join_lists(const struct merge *merge, const struct config_list *list, int old,
		      const yaml_node_t *node)
{
	int made = yaml_document_add_sequence(merge->target, NULL, YAML_BLOCK_SEQUENCE_STYLE);

	if (!made || !placed(merge, made, node))
		return 0;
	for (const yaml_node_item_t *item = node->data.sequence.items.start;
	     item < node->data.sequence.items.top; item++) {
		int entry = find_entry(merge, list, old, *item);

		if (entry && !is_repeated(merge, list, node, item) &&
		    change_entry(merge, entry, *item) < 0)
			return 0;
		if (entry)
			continue;
		entry = copy(merge, *item);
		if (!entry || !yaml_document_append_sequence_item(merge->target, made, entry))
			return 0;
	}
	for (size_t i = 0;; i++) {
		const yaml_node_t *before = in_target(merge, old);
		const yaml_node_item_t *items = before->data.sequence.items.start;

		if (items + i == before->data.sequence.items.top)
			return made;
		if (!yaml_document_append_sequence_item(merge->target, made, items[i]))
			return 0;
	}
}

static int merge_list(const struct merge *merge, const struct config_list *list, int root,
		      const yaml_node_pair_t *pair)
{
	const char *name = text_of(in_source(merge, pair->key));
	const yaml_node_t *node = in_source(merge, pair->value);
	yaml_node_pair_t *old = find_pair(merge->target, in_target(merge, root), name);
	int joined;

	if (node->type != YAML_SEQUENCE_NODE)
		return 0; /* empty: adds nothing */
	if (!old)
		return append_pair(merge, root, pair);
	joined = join_lists(merge, list, old->value, node);
	if (!joined)
		return -ENOMEM;
	find_pair(merge->target, in_target(merge, root), name)->value = joined;
	return 0;
}

static const struct config_list *list_of(const struct config_section *section, const char *name)
{
	for (size_t i = 0; i < section->n_keys; i++)
		if (strcmp(section->keys[i].name, name) == 0)
			return section->keys[i].list;
	return NULL;
}

int config_merge(yaml_document_t *target, const struct config_section *section,
		 yaml_document_t *source)
{
	const struct merge merge = {target, source};
	const yaml_node_t *root = yaml_document_get_root_node(source);

	/* The root is node 1, since it is the first that is added. */
	if (!yaml_document_get_root_node(target) &&
	    !yaml_document_add_mapping(target, NULL, YAML_BLOCK_MAPPING_STYLE))
		return -ENOMEM;
	if (!root || root->type != YAML_MAPPING_NODE)
		return 0; /* only comments */
	for (const yaml_node_pair_t *pair = root->data.mapping.pairs.start;
	     pair < root->data.mapping.pairs.top; pair++) {
		const struct config_list *list =
			list_of(section, text_of(in_source(&merge, pair->key)));
		int r = list ? merge_list(&merge, list, 1, pair) : set_pair(&merge, 1, pair);

		if (r < 0)
			return r;
	}
	return 0;
}
