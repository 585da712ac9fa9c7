/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config/effective.h"

#include "config/keys.h"
#include "units.h"

#include <string.h>

static json_t *section(struct config_reader *reader, const struct config_section *table,
		       const yaml_node_t *mapping);

/* Booleans and numbers have their types, all others are text. The bounds tell that a key with a
 * reader of its own takes whole numbers. */
json_t *config_typed(const struct config_key *key, const char *text)
{
	bool has_unit = key->read == config_read_time || key->read == config_read_rate;
	uint32_t whole;
	double number;

	if (key->read == config_read_bool)
		return json_boolean(strcmp(text, "true") == 0);
	if (key->maximum > 0 && !has_unit && config_parse_uint32(text, &whole) == 0)
		return json_integer(whole);
	if (key->read == config_read_double && units_parse_number(text, &number) == 0)
		return json_real(number);
	return json_string(text);
}

static json_t *with_origin(json_t *value, const char *file, size_t line)
{
	return json_pack("{s:o, s:o}", "value", value, "origin",
			 file ? json_sprintf("%s:%zu", file, line) : json_string("default"));
}

static json_t *list(struct config_reader *reader, const struct config_list *table,
		    const yaml_node_t *sequence)
{
	json_t *array = json_array();

	if (sequence->type != YAML_SEQUENCE_NODE) /* empty */
		return array;
	for (const yaml_node_item_t *item = sequence->data.sequence.items.start;
	     item < sequence->data.sequence.items.top; item++) {
		const yaml_node_t *entry = yaml_document_get_node(reader->document, *item);

		if (json_array_append_new(array, section(reader, table->section, entry)) == 0)
			continue;
		json_decref(array);
		return NULL;
	}
	return array;
}

static json_t *value_of(struct config_reader *reader, const struct config_key *key,
			const yaml_node_t *node)
{
	struct config_place place = config_place(node);

	if (key->list)
		return list(reader, key->list, node);
	if (node->type == YAML_MAPPING_NODE)
		return section(reader, key->section, node);
	return with_origin(config_typed(key, (const char *)node->data.scalar.value),
			   reader->files[place.file], place.line + 1);
}

/* In the order of the table, which is that of the manual. */
static json_t *section(struct config_reader *reader, const struct config_section *table,
		       const yaml_node_t *mapping)
{
	json_t *object = json_object();

	for (size_t i = 0; i < table->n_keys; i++) {
		const struct config_key *key = &table->keys[i];
		const yaml_node_t *node = mapping ? config_find(reader, mapping, key->name) : NULL;
		json_t *value;

		if (node)
			value = value_of(reader, key, node);
		else if (key->list)
			value = json_array();
		else if (key->default_text)
			value = with_origin(config_typed(key, key->default_text), NULL, 0);
		else
			continue;
		if (json_object_set_new(object, key->name, value) == 0)
			continue;
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *config_effective(struct config_reader *reader, const yaml_node_t *root,
			 const struct config *config)
{
	bool is_mapping = root && root->type == YAML_MAPPING_NODE;
	json_t *effective = section(reader, &config_section_file, is_mapping ? root : NULL);

	/* The one default that depends on another value. */
	if (effective && !json_object_get(effective, "moves-burst"))
		(void)json_object_set_new(effective, "moves-burst",
					  with_origin(json_real(config->moves_burst), NULL, 0));
	return effective;
}
